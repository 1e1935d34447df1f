package import Core

/// The result of one offer and its answer, whoever made which: both descriptions and what they mean for us.
package struct Agreement: Hashable, Sendable {
    package var local: SessionDescription
    package var remote: SessionDescription
    package var session: NegotiatedSession

    /// Whether either side refused the line, so that its place may be taken by another.
    package func isRefused(_ line: Int) -> Bool {
        [local, remote].contains { $0.media.indices.contains(line) && $0.media[line].isRefused }
    }
}

/// What both sides agreed on, seen from ours.
package struct NegotiatedSession: Hashable, Sendable {
    /// In the order of the m-lines, refused ones included.
    package var media: [NegotiatedMedia]
    package var transports: [NegotiatedTransport]

    package func media(mid: String) -> NegotiatedMedia? { media.first { $0.mid == mid } }
}

/// One m-line.
package struct NegotiatedMedia: Hashable, Sendable {
    package var index: Int
    /// Nil in descriptions without (plain RTP).
    package var mid: String?
    /// Nil for media that we do not know.
    package var kind: MediaKind?
    /// Why the line is not in use; nil where it is. Everything below is empty for a refused line.
    package var rejection: RejectionReason?
    /// Who may send now, seen from us.
    package var direction = MediaDirection.inactive
    /// Index into `NegotiatedSession.transports`; lines of a bundle share one.
    package var transport: Int?
    /// All codecs both sides have, in the agreed order of preference.
    package var codecs: [NegotiatedCodec] = []
    /// What packets from the peer may carry, by payload type.
    package var receive: [UInt8: PayloadFormat] = [:]
    /// What packets to the peer may carry, by payload type.
    package var send: [UInt8: PayloadFormat] = [:]
    /// With the numbers in use in both directions; directions seen from us.
    package var extensions: [ExtensionMap] = []
    /// Whether one- and two-byte header extensions may be mixed in a stream (RFC 8285, section 4.1.2).
    package var allowsMixedExtensions = false
    /// What the peer says about its sources.
    package var remoteSources: [RemoteSource] = []
    /// As announced: `FID`, `FEC-FR`, `SIM`.
    package var remoteSourceGroups: [SourceGroup] = []
    /// Layers that the peer sends, in its order; empty without simulcast.
    package var simulcast: [SimulcastLayer] = []
    /// Our own sources as announced; the first also names us in receiver reports.
    package var localSSRC: UInt32 = 0
    /// Nil where no retransmissions were agreed.
    package var localRTXSSRC: UInt32?
    /// RTCP of less than the compound form is allowed (RFC 5506).
    package var allowsReducedSizeRTCP = false
    /// Both sides answer receiver reference times (RFC 3611, section 4.4), so one who only receives knows the round trip.
    package var allowsReceiverReferenceTime = false
    /// RTCP feedback of RFC 4585 is allowed, its timing included.
    package var usesFeedbackProfile = false
    /// What the peer wants to be sent at most, in bit/s.
    package var sendBandwidthMax: UInt64?
    /// Milliseconds of sound in a packet that the peer wishes, and at most takes.
    package var ptime: Double?
    package var maxptime: Double?
    /// Data channels.
    package var data: NegotiatedData?

    package var isActive: Bool { rejection == nil }

    /// What we send, if we send: the first codec that we can encode.
    package var sendCodec: NegotiatedCodec? { direction.sends ? codecs.first { $0.canSend } : nil }

    /// The payload type of a helper for `codec`, as `.redundancy`; events and RED have its clock rate.
    package func sendPayloadType(of role: PayloadFormat.Role, for codec: NegotiatedCodec) -> UInt8? {
        send.filter { $0.value.role == role && $0.value.clockRate == codec.clockRate }.keys.min()
    }

    /// The number of an extension we may write.
    package func sendExtension(_ uri: String) -> Int? {
        extensions.first { $0.uri == uri && ($0.direction ?? .sendrecv).sends }?.id
    }
}

/// A codec that both sides have.
package struct NegotiatedCodec: Hashable, Sendable {
    package var name: String
    package var clockRate: Int
    package var channels: Int
    /// In packets to the peer.
    package var payloadType: UInt8
    package var rtxPayloadType: UInt8?
    /// In packets from the peer.
    package var receivePayloadType: UInt8
    /// What the peer wants to receive: limits for our encoder.
    package var remoteParameters: FormatParameters
    /// What we said.
    package var localParameters: FormatParameters
    /// Feedback that both sides know, as in `nack pli`.
    package var feedback: [String]
    package var canSend: Bool

    /// H.264 and H.265 parameter sets that the peer put into its description (RFC 6184, section 8.1; RFC 7798,
    /// section 7.1): its stream may be without.
    package var announcedParameterSets: [[UInt8]] {
        ["sprop-vps", "sprop-sps", "sprop-pps", "sprop-parameter-sets"].flatMap { name in
            (remoteParameters[name] ?? "").split(separator: ",").compactMap { Base64.decode($0) }
        }
    }
}

/// What a payload type stands for.
package struct PayloadFormat: Hashable, Sendable {
    package enum Role: Hashable, Sendable {
        case media
        /// Retransmissions of this payload type (RFC 4588).
        case retransmission(of: UInt8)
        /// RFC 2198.
        case redundancy
        /// RFC 5109 and flexfec.
        case forwardErrorCorrection
        /// RFC 4733.
        case events
        /// RFC 3389.
        case comfortNoise
    }
    package var role: Role
    package var name: String
    package var clockRate: Int
    package var channels: Int
    package var parameters: FormatParameters

    /// The role of a format that only helps others; nil for codecs.
    static func helper(named name: String) -> Role? {
        switch name.lowercased() {
        case "red": .redundancy
        case "ulpfec", "flexfec-03", "flexfec": .forwardErrorCorrection
        case "telephone-event": .events
        case "cn": .comfortNoise
        default: nil
        }
    }
}

/// A source that the peer announced with `a=ssrc`.
package struct RemoteSource: Hashable, Sendable {
    package var ssrc: UInt32
    package var cname: String?
}

/// One layer of the peer's simulcast.
package struct SimulcastLayer: Hashable, Sendable {
    package var rid: String
    package var isPaused: Bool
    /// Limits that the peer announced: pixels, pictures per second, bit/s.
    package var widthMax: Int?
    package var heightMax: Int?
    package var frameRateMax: Int?
    package var bitRateMax: Int?
    /// Empty means all of the line.
    package var payloadTypes: [UInt8]
}

package struct NegotiatedData: Hashable, Sendable {
    package var localPort: UInt16
    package var remotePort: UInt16
    /// The largest message the peer takes, in bytes; 0 stands for any.
    package var sendMessageSizeMax: UInt64
}

/// One path that packets take: all lines of a bundle, or one line.
package struct NegotiatedTransport: Hashable, Sendable {
    /// Indices of its m-lines in use; the first one carries its attributes.
    package var lines: [Int]
    package var usesRTCPMux: Bool
    /// For ICE and DTLS.
    package var ice: RemoteICE?
    package var fingerprints: [Fingerprint] = []
    /// Whether we send the ClientHello.
    package var isDTLSClient = false
    /// For plain RTP: where the peer receives; nil where it named no address, or a host name.
    package var remoteRTP: SocketAddress?
    package var remoteRTCP: SocketAddress?
    package var sdes: NegotiatedSDES?
    /// The other side restarted ICE with this description: new user name or password.
    package var isICERestart = false
    /// A new DTLS association has to be made: the peer's fingerprints or `tls-id` changed (RFC 8842, section 5).
    package var isNewDTLSAssociation = false
    /// `a=tls-id` of the peer.
    package var tlsID: String?
}

package struct RemoteICE: Hashable, Sendable {
    package var ufrag: String
    package var password: String
    package var isLite: Bool
    package var isTrickling: Bool
    /// As in `candidate:1 1 udp …`.
    package var candidates: [String]
    package var hasEndOfCandidates: Bool
}

/// SRTP keys from `a=crypto`, one per direction.
package struct NegotiatedSDES: Hashable, Sendable {
    package var local: SDESKey
    package var remote: SDESKey
}

/// Why an m-line is not in use.
package enum RejectionReason: Error, Hashable, Sendable, CustomStringConvertible {
    case byPeer
    case mediaUnsupported(String)
    case protocolUnsupported(String)
    case tooManyLines
    case noCommonCodec
    case tooManyTransports
    case noRTCPMux
    case noICECredentials
    case noFingerprint
    case noUsableRole
    case noUsableKey
    case noPortLeft

    package var description: String {
        switch self {
        case .byPeer: "the peer has it at port 0"
        case .mediaUnsupported(let media): "media `\(media)` is not supported, or switched off"
        case .protocolUnsupported(let name): "protocol `\(name)` does not fit this endpoint"
        case .tooManyLines: "more lines of this kind than the endpoint takes"
        case .noCommonCodec: "no codec in common"
        case .tooManyTransports: "outside the bundle, and no further transport is available"
        case .noRTCPMux: "RTP and RTCP on one port (a=rtcp-mux) is required"
        case .noICECredentials: "a=ice-ufrag (4 to 256 characters) and a=ice-pwd (22 to 256) are required"
        case .noFingerprint: "a=fingerprint with a known hash function is required"
        case .noUsableRole: "a=setup leaves no role for us"
        case .noUsableKey: "no a=crypto with a suite and key that can be used"
        case .noPortLeft: "no port is left"
        }
    }
}
