/// `a=rtpmap`: what a payload type stands for.
package struct RTPMap: Hashable, Sendable {
    /// 0–127.
    package var payloadType: UInt8
    /// As written; compare without regard to case.
    package var name: String
    package var clockRate: Int
    /// 1 where nothing is written (audio).
    package var channels: Int

    package init(payloadType: UInt8, name: String, clockRate: Int, channels: Int = 1) {
        self.payloadType = payloadType
        self.name = name
        self.clockRate = clockRate
        self.channels = channels
    }

    /// Payload types that need no `a=rtpmap` (RFC 3551, section 6), as far as anybody still uses them.
    package static func ofStaticType(_ payloadType: UInt8) -> RTPMap? {
        let known: [UInt8: (String, Int)] = [
            0: ("PCMU", 8000), 3: ("GSM", 8000), 4: ("G723", 8000), 8: ("PCMA", 8000), 9: ("G722", 8000),
            13: ("CN", 8000), 15: ("G728", 8000), 18: ("G729", 8000), 26: ("JPEG", 90000), 31: ("H261", 90000),
            32: ("MPV", 90000), 33: ("MP2T", 90000), 34: ("H263", 90000),
        ]
        guard let (name, clockRate) = known[payloadType] else { return nil }
        return RTPMap(payloadType: payloadType, name: name, clockRate: clockRate)
    }
}

/// The right side of `a=fmtp`: usually `key=value;…`, but `0-16` and `111/111` are some too, so the text is kept.
package struct FormatParameters: Hashable, Sendable, CustomStringConvertible, ExpressibleByStringLiteral {
    package let text: String
    /// The pairs in their order; keys in lower case, the value empty where there was no `=`. Taken apart once:
    /// negotiation asks for them over and over.
    package let pairs: [(key: String, value: String)]

    package init(_ text: String) {
        self.text = text
        pairs = text.fields(of: ";").compactMap { field in
            let field = field.trimmed
            guard !field.isEmpty else { return nil }
            let (key, value) = field.halves(at: "=")
            return (key.trimmed.lowercased(), String((value ?? "").trimmed))
        }
    }
    package init(stringLiteral value: String) { self.init(value) }
    package var description: String { text }
    package var isEmpty: Bool { text.isEmpty }

    package static func == (one: FormatParameters, other: FormatParameters) -> Bool { one.text == other.text }
    package func hash(into hasher: inout Hasher) { hasher.combine(text) }

    /// The value of the first pair with this key, in any case.
    package subscript(_ key: String) -> String? {
        let key = key.lowercased()
        return pairs.first { $0.key == key }?.value
    }
    /// As a decimal number.
    package func int(_ key: String) -> Int? { self[key].flatMap { Int($0) } }
    /// `1` is true, everything else, absence included, false.
    package func bool(_ key: String) -> Bool { self[key] == "1" }

    /// With this pair replaced in place or appended.
    package func setting(_ key: String, _ value: String) -> FormatParameters {
        var all = pairs
        if let index = all.firstIndex(where: { $0.key == key.lowercased() }) {
            all[index].value = value
        } else {
            all.append((key, value))
        }
        return FormatParameters(all.map { $0.value.isEmpty ? $0.key : "\($0.key)=\($0.value)" }.joined(separator: ";"))
    }
}

/// `a=rtcp-fb` (RFC 4585, section 4.2).
package struct RTCPFeedback: Hashable, Sendable {
    /// nil stands for `*`.
    package var payloadType: UInt8?
    /// `nack`, `nack pli`, `ccm fir`, `goog-remb`, `transport-cc`, …
    package var value: String
    package init(payloadType: UInt8? = nil, _ value: String) {
        self.payloadType = payloadType
        self.value = value
    }
}

/// `a=extmap` (RFC 8285, section 5).
package struct ExtensionMap: Hashable, Sendable {
    /// 1–14 in one-byte headers, 1–255 in two-byte headers; 4096–4351 stand for ids to be chosen by the answerer.
    package var id: Int
    package var direction: MediaDirection?
    package var uri: String
    /// What followed the URI, as it stood.
    package var parameters: String?
    package init(id: Int, direction: MediaDirection? = nil, uri: String, parameters: String? = nil) {
        self.id = id
        self.direction = direction
        self.uri = uri
        self.parameters = parameters
    }
}

/// URIs of RTP header extensions that this server has a use for.
package enum ExtensionURI {
    package static let mid = "urn:ietf:params:rtp-hdrext:sdes:mid"
    package static let rid = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
    package static let repairedRID = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
    package static let audioLevel = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
    package static let videoOrientation = "urn:3gpp:video-orientation"
    package static let transmissionOffset = "urn:ietf:params:rtp-hdrext:toffset"
    package static let absoluteSendTime = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
    package static let transportSequenceNumber =
        "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
    package static let playoutDelay = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
    package static let colorSpace = "http://www.webrtc.org/experiments/rtp-hdrext/color-space"
    package static let dependencyDescriptor =
        "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
}

/// `a=ssrc` (RFC 5576): one attribute of one source.
package struct SourceAttribute: Hashable, Sendable {
    package var ssrc: UInt32
    /// `cname`, `msid`, …
    package var name: String
    package var value: String?
    package init(ssrc: UInt32, name: String, value: String? = nil) {
        self.ssrc = ssrc
        self.name = name
        self.value = value
    }
}

/// `a=ssrc-group` (RFC 5576): `FID` pairs a source with its retransmissions, `SIM` lists simulcast layers.
package struct SourceGroup: Hashable, Sendable {
    package var semantics: String
    package var ssrcs: [UInt32]
    package init(semantics: String, ssrcs: [UInt32]) {
        self.semantics = semantics
        self.ssrcs = ssrcs
    }
}
