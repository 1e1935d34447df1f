/// What `getStats` answers: a tree of structures under `Stats`. Names are those of an early draft of the W3C's WebRTC
/// statistics, which Kurento has kept.
extension ModelTypes {
    private typealias Member = StructureDescription.Member

    static let dataChannelState = EnumDescription(
        name: "RTCDataChannelState", module: .core, values: ["connecting", "open", "closing", "closed"])
    static let candidateType = EnumDescription(
        name: "RTCStatsIceCandidateType", module: .core,
        values: ["host", "serverreflexive", "peerreflexive", "relayed"])
    static let candidatePairState = EnumDescription(
        name: "RTCStatsIceCandidatePairState", module: .core,
        values: ["frozen", "waiting", "inprogress", "failed", "succeeded", "cancelled"])

    private static func whole(_ name: String, _ doc: String) -> Member { Member(name, .int64, doc) }
    private static func real(_ name: String, _ doc: String) -> Member { Member(name, .double, doc) }
    private static func text(_ name: String, _ doc: String) -> Member { Member(name, .text, doc) }
    private static func flag(_ name: String, _ doc: String) -> Member { Member(name, .boolean, doc) }

    static let latency = StructureDescription(
        name: "MediaLatencyStat", module: .core,
        members: [
            text("name", "Pad, as in sink_video_default."), Member("type", .enumeration(mediaType), "Which media."),
            real("avg", "Mean, in nanoseconds."),
        ], doc: "How long media took.")
    static let elementStats = StructureDescription(
        name: "ElementStats", module: .core, extends: stats,
        members: [
            Member("inputLatency", .list(.structure(latency)), "From where the media was made to the input.")
        ], doc: "Figures of an element, while the pipeline measures latency.")
    static let endpointStats = StructureDescription(
        name: "EndpointStats", module: .core, extends: elementStats,
        members: [
            Member("E2ELatency", .list(.structure(latency)), "From where the media was made to where it leaves.")
        ], doc: "Figures of an endpoint, while the pipeline measures latency.")
    static let rtcStats = StructureDescription(
        name: "RTCStats", module: .core, extends: stats, members: [], doc: "Figures of a peer.")
    static let streamStats = StructureDescription(
        name: "RTCRTPStreamStats", module: .core, extends: rtcStats,
        members: [
            text("ssrc", "Number of the stream."), text("associateStatsId", "Not used."),
            flag("isRemote", "Whether the peer counted."), text("mediaTrackId", "Not used."),
            text("transportId", "Not used."), text("codecId", "Not used."),
            whole("firCount", "Full intra requests."), whole("pliCount", "Picture loss indications."),
            whole("nackCount", "Negative acknowledgements."), whole("sliCount", "Slice loss indications."),
            whole("remb", "Estimate of what the line carries, in bits per second."),
            whole("packetsLost", "Packets that did not arrive."),
            real("fractionLost", "Part of the packets that was lost lately, in 256ths."),
        ], doc: "Figures of one RTP stream.")
    static let codecStats = StructureDescription(
        name: "RTCCodec", module: .core, extends: rtcStats,
        members: [
            whole("payloadType", "Payload type."), text("codec", "Name."), whole("clockRate", "Hertz."),
            whole("channels", "Of sound."), text("parameters", "As in the description."),
        ], doc: "A codec in use.")
    static let inboundStats = StructureDescription(
        name: "RTCInboundRTPStreamStats", module: .core, extends: streamStats,
        members: [
            whole("packetsReceived", "Packets."), whole("bytesReceived", "Bytes."),
            real("jitter", "Seconds."),
        ], doc: "Figures of a stream that comes from the peer.")
    static let outboundStats = StructureDescription(
        name: "RTCOutboundRTPStreamStats", module: .core, extends: streamStats,
        members: [
            whole("packetsSent", "Packets."), whole("bytesSent", "Bytes."),
            real("targetBitrate", "What the encoder aims at, in bits per second."),
            real("roundTripTime", "Seconds."),
        ], doc: "Figures of a stream that goes to the peer.")
    static let peerConnectionStats = StructureDescription(
        name: "RTCPeerConnectionStats", module: .core, extends: rtcStats,
        members: [
            whole("dataChannelsOpened", "Data channels that were ever open."),
            whole("dataChannelsClosed", "Those of them that have ended."),
        ], doc: "Figures of the data session.")
    static let mediaStreamStats = StructureDescription(
        name: "RTCMediaStreamStats", module: .core, extends: rtcStats,
        members: [
            text("streamIdentifier", "Name of the stream."), Member("trackIds", .list(.text), "Its tracks."),
        ], doc: "A media stream.")
    static let trackStats = StructureDescription(
        name: "RTCMediaStreamTrackStats", module: .core, extends: rtcStats,
        members: [
            text("trackIdentifier", "Name of the track."), flag("remoteSource", "Whether it comes from the peer."),
            Member("ssrcIds", .list(.text), "Its streams."), whole("frameWidth", "Pixels."),
            whole("frameHeight", "Pixels."), real("framesPerSecond", "Frames per second."),
            whole("framesSent", "Frames."), whole("framesReceived", "Frames."), whole("framesDecoded", "Frames."),
            whole("framesDropped", "Frames."), whole("framesCorrupted", "Frames."),
            real("audioLevel", "0 to 1."), real("echoReturnLoss", "Decibels."),
            real("echoReturnLossEnhancement", "Decibels."),
        ], doc: "A track.")
    static let dataChannelStats = StructureDescription(
        name: "RTCDataChannelStats", module: .core, extends: rtcStats,
        members: [
            text("label", "Name of the channel."), text("protocol", "Name of the application's protocol."),
            whole("datachannelid", "Its number."),
            Member("state", .enumeration(dataChannelState), "Its state."), whole("messagesSent", "Messages."),
            whole("bytesSent", "Bytes."), whole("messagesReceived", "Messages."), whole("bytesReceived", "Bytes."),
        ], doc: "Figures of a data channel.")
    static let transportStats = StructureDescription(
        name: "RTCTransportStats", module: .core, extends: rtcStats,
        members: [
            whole("bytesSent", "Bytes."), whole("bytesReceived", "Bytes."),
            text("rtcpTransportStatsId", "That of RTCP, where it is another one."),
            flag("activeConnection", "Whether it is in use."),
            text("selectedCandidatePairId", "The pair in use."), text("localCertificateId", "Ours."),
            text("remoteCertificateId", "The peer's."),
        ], doc: "Figures of a transport.")
    static let candidateStats = StructureDescription(
        name: "RTCIceCandidateAttributes", module: .core, extends: rtcStats,
        members: [
            text("ipAddress", "Address."), whole("portNumber", "Port."), text("transport", "udp or tcp."),
            Member("candidateType", .enumeration(candidateType), "Where it comes from."),
            whole("priority", "Priority."), text("addressSourceUrl", "The server that told it."),
        ], doc: "A candidate.")
    static let candidatePairStats = StructureDescription(
        name: "RTCIceCandidatePairStats", module: .core, extends: rtcStats,
        members: [
            text("transportId", "Its transport."), text("localCandidateId", "Ours."),
            text("remoteCandidateId", "The peer's."),
            Member("state", .enumeration(candidatePairState), "Its state."), whole("priority", "Priority."),
            flag("nominated", "Whether it was chosen."), flag("writable", "Whether packets go out."),
            flag("readable", "Whether packets come in."), whole("bytesSent", "Bytes."),
            whole("bytesReceived", "Bytes."), real("roundTripTime", "Seconds."),
            real("availableOutgoingBitrate", "Bits per second."),
            real("availableIncomingBitrate", "Bits per second."),
        ], doc: "Figures of a pair of candidates.")
    static let certificateStats = StructureDescription(
        name: "RTCCertificateStats", module: .core, extends: rtcStats,
        members: [
            text("fingerprint", "Its fingerprint."), text("fingerprintAlgorithm", "Such as sha-256."),
            text("base64Certificate", "DER, in base64."), text("issuerCertificateId", "Who signed it."),
        ], doc: "A certificate.")

    /// All kinds of statistics, and what else no class names.
    static let furtherTypes: [ValueType] = [
        .structure(elementStats), .structure(endpointStats), .structure(codecStats), .structure(inboundStats),
        .structure(outboundStats), .structure(peerConnectionStats), .structure(mediaStreamStats),
        .structure(trackStats), .structure(dataChannelStats), .structure(transportStats), .structure(candidateStats),
        .structure(candidatePairStats), .structure(certificateStats), .structure(streamStats), .structure(rtcStats),
        .structure(codecConfiguration), .enumeration(gapsFixMethod),
    ]
}
