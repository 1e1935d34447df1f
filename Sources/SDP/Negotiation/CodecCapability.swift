/// A codec, or a helper as RED, that we can send or receive.
package struct CodecCapability: Hashable, Sendable {
    /// As in `VP8`; helpers are `red`, `ulpfec`, `flexfec-03`, `telephone-event` and `CN`.
    package var name: String
    package var clockRate: Int
    package var channels: Int
    /// In our offers; answers use the numbers of the offer.
    package var payloadType: UInt8
    /// What we want to receive.
    package var parameters: FormatParameters
    /// As in `nack pli`.
    package var feedback: [String]
    /// The payload type of its retransmissions in our offers; nil: it has none (RFC 4588).
    package var rtxPayloadType: UInt8?
    package var canSend: Bool
    package var canReceive: Bool

    package init(
        name: String, clockRate: Int, channels: Int = 1, payloadType: UInt8, parameters: FormatParameters = "",
        feedback: [String] = [], rtxPayloadType: UInt8? = nil, canSend: Bool = true, canReceive: Bool = true
    ) {
        self.name = name
        self.clockRate = clockRate
        self.channels = channels
        self.payloadType = payloadType
        self.parameters = parameters
        self.feedback = feedback
        self.rtxPayloadType = rtxPayloadType
        self.canSend = canSend
        self.canReceive = canReceive
    }

    package static let audioFeedback = ["transport-cc", "nack"]
    package static let videoFeedback = ["goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"]

    /// Everything we know for sound, Opus first.
    package static let audio: [CodecCapability] = [
        CodecCapability(
            name: "opus", clockRate: 48_000, channels: 2, payloadType: 96,
            parameters: "minptime=10;useinbandfec=1", feedback: audioFeedback, rtxPayloadType: 100),
        CodecCapability(name: "red", clockRate: 48_000, channels: 2, payloadType: 97),
        CodecCapability(name: "G722", clockRate: 8_000, payloadType: 9),
        CodecCapability(name: "PCMU", clockRate: 8_000, payloadType: 0),
        CodecCapability(name: "PCMA", clockRate: 8_000, payloadType: 8),
        CodecCapability(name: "telephone-event", clockRate: 48_000, payloadType: 98, parameters: "0-16"),
        CodecCapability(name: "telephone-event", clockRate: 8_000, payloadType: 99, parameters: "0-16"),
    ]

    /// Everything we know for pictures, VP8 first.
    package static let video: [CodecCapability] = [
        video("VP8", 102),
        video("H264", 104, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"),
        video("H264", 106, "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f"),
        video("H264", 108, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f"),
        video("H264", 110, "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42001f"),
        video("H264", 112, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f"),
        video("H264", 114, "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=4d001f"),
        video("H264", 116, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640c1f"),
        video("H264", 118, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=64001f"),
        video("VP9", 120, "profile-id=0"),
        video("AV1", 122, "level-idx=5;profile=0;tier=0"),
        video("H265", 124, "level-id=93;profile-id=1;tier-flag=0;tx-mode=SRST"),
        CodecCapability(name: "red", clockRate: 90_000, payloadType: 126, canSend: false),
        CodecCapability(name: "ulpfec", clockRate: 90_000, payloadType: 127, canSend: false),
        CodecCapability(
            name: "flexfec-03", clockRate: 90_000, payloadType: 35, parameters: "repair-window=10000000",
            feedback: ["goog-remb", "transport-cc"], canSend: false),
    ]

    /// A video codec with the usual feedback, and retransmissions on the next payload type.
    package static func video(
        _ name: String, _ payloadType: UInt8, _ parameters: FormatParameters = ""
    ) -> CodecCapability {
        CodecCapability(
            name: name, clockRate: 90_000, payloadType: payloadType, parameters: parameters, feedback: videoFeedback,
            rtxPayloadType: payloadType + 1)
    }

    /// Whether it carries media by itself.
    var isPrimary: Bool { PayloadFormat.helper(named: name) == nil }
}

extension MediaCapabilities {
    /// Sound with all codecs and the extensions that the engine reads or writes.
    package static let audio = MediaCapabilities(
        codecs: CodecCapability.audio,
        extensions: [
            ExtensionMap(id: 1, uri: ExtensionURI.audioLevel),
            ExtensionMap(id: 3, uri: ExtensionURI.absoluteSendTime),
            ExtensionMap(id: 5, uri: ExtensionURI.transportSequenceNumber),
            ExtensionMap(id: 9, uri: ExtensionURI.mid),
        ])

    /// Pictures with all codecs, the extensions that the engine reads or writes, and simulcast on offer of the peer.
    package static let video = MediaCapabilities(
        codecs: CodecCapability.video,
        extensions: [
            ExtensionMap(id: 2, uri: ExtensionURI.transmissionOffset),
            ExtensionMap(id: 3, uri: ExtensionURI.absoluteSendTime),
            ExtensionMap(id: 4, uri: ExtensionURI.videoOrientation),
            ExtensionMap(id: 5, uri: ExtensionURI.transportSequenceNumber),
            ExtensionMap(id: 6, uri: ExtensionURI.playoutDelay),
            ExtensionMap(id: 9, uri: ExtensionURI.mid),
            ExtensionMap(id: 10, uri: ExtensionURI.rid),
            ExtensionMap(id: 11, uri: ExtensionURI.repairedRID),
            ExtensionMap(id: 12, uri: ExtensionURI.dependencyDescriptor),
            ExtensionMap(id: 8, uri: ExtensionURI.colorSpace),
        ], simulcast: SimulcastCapability())
}
