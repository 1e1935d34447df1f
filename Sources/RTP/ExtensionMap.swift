/// A header extension we know (RFC 8285).
package enum RTPExtensionKind: UInt8, Hashable, Sendable, CaseIterable {
    case mid, rid, repairedRID, cname
    case absoluteSendTime, transportSequenceNumber, transmissionOffset
    case audioLevel, playoutDelay, videoOrientation, absoluteCaptureTime
    /// Tolerated, never read: it describes the layers of an AV1 stream.
    case dependencyDescriptor
    case colorSpace

    /// Its name in SDP's `a=extmap`.
    package var uri: String {
        switch self {
        case .mid: "urn:ietf:params:rtp-hdrext:sdes:mid"
        case .rid: "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
        case .repairedRID: "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
        case .cname: "urn:ietf:params:rtp-hdrext:sdes:cname"
        case .absoluteSendTime: "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
        case .transportSequenceNumber:
            "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
        case .transmissionOffset: "urn:ietf:params:rtp-hdrext:toffset"
        case .audioLevel: "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
        case .playoutDelay: "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
        case .videoOrientation: "urn:3gpp:video-orientation"
        case .absoluteCaptureTime: "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
        case .dependencyDescriptor:
            "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
        case .colorSpace: "http://www.webrtc.org/experiments/rtp-hdrext/color-space"
        }
    }

    package init?(uri: some StringProtocol) {
        guard let kind = RTPExtensionKind.allCases.first(where: { $0.uri == uri }) else { return nil }
        self = kind
    }
}

/// Which number stands for which header extension, as SDP agreed (`a=extmap`). Look-ups allocate nothing.
package struct ExtensionMap: Hashable, Sendable {
    /// By number: the kind's raw value plus one, 0 for none.
    private var kinds: [UInt8] = []
    /// By kind's raw value: the number, 0 for none.
    private var ids = [UInt8](repeating: 0, count: RTPExtensionKind.allCases.count)

    package init() {}

    package init(_ pairs: KeyValuePairs<RTPExtensionKind, UInt8>) {
        for (kind, id) in pairs { self[kind] = id }
    }

    /// The number of a kind, 1–255; nil: not agreed. Number 0 is taken as nil. A number stands for one kind only: the
    /// last one that took it.
    package subscript(_ kind: RTPExtensionKind) -> UInt8? {
        get {
            let id = ids[Int(kind.rawValue)]
            return id == 0 ? nil : id
        }
        set {
            if kinds.isEmpty { kinds = [UInt8](repeating: 0, count: 256) }
            kinds[Int(ids[Int(kind.rawValue)])] = 0
            let id = newValue ?? 0
            if let former = self.kind(of: id) { ids[Int(former.rawValue)] = 0 }
            ids[Int(kind.rawValue)] = id
            if id != 0 { kinds[Int(id)] = kind.rawValue + 1 }
        }
    }

    package func kind(of id: UInt8) -> RTPExtensionKind? {
        guard !kinds.isEmpty, kinds[Int(id)] != 0 else { return nil }
        return RTPExtensionKind(rawValue: kinds[Int(id)] - 1)
    }

    package var isEmpty: Bool { ids.allSatisfy { $0 == 0 } }
}
