/// Enumerations and structures of the endpoints that negotiate by SDP.
extension ModelTypes {
    static let mediaState = EnumDescription(
        name: "MediaState", module: .core, values: ["DISCONNECTED", "CONNECTED"])
    static let connectionState = EnumDescription(
        name: "ConnectionState", module: .core, values: ["DISCONNECTED", "CONNECTED"])
    static let cryptoSuite = EnumDescription(
        name: "CryptoSuite", module: .elements,
        values: [
            "AES_128_CM_HMAC_SHA1_32", "AES_128_CM_HMAC_SHA1_80", "AES_256_CM_HMAC_SHA1_32", "AES_256_CM_HMAC_SHA1_80",
        ])
    static let iceComponentState = EnumDescription(
        name: "IceComponentState", module: .elements,
        values: ["DISCONNECTED", "GATHERING", "CONNECTING", "CONNECTED", "READY", "FAILED"])
    static let dtlsConnectionState = EnumDescription(
        name: "DtlsConnectionState", module: .elements, values: ["NEW", "CLOSED", "FAILED", "CONNECTING", "CONNECTED"])
    static let certificateKeyType = EnumDescription(
        name: "CertificateKeyType", module: .elements, values: ["RSA", "ECDSA"])
    static let dscp = EnumDescription(
        name: "DSCPValue", module: .elements,
        values: [
            "NO_DSCP", "NO_VALUE", "AUDIO_VERYLOW", "AUDIO_LOW", "AUDIO_MEDIUM", "AUDIO_HIGH", "VIDEO_VERYLOW",
            "VIDEO_LOW", "VIDEO_MEDIUM", "VIDEO_MEDIUM_THROUGHPUT", "VIDEO_HIGH", "VIDEO_HIGH_THROUGHPUT",
            "DATA_VERYLOW", "DATA_LOW", "DATA_MEDIUM", "DATA_HIGH", "CHROME_HIGH", "CHROME_MEDIUM", "CHROME_LOW",
            "CHROME_VERYLOW", "CS0", "CS1", "CS2", "CS3", "CS4", "CS5", "CS6", "CS7", "AF11", "AF12", "AF13", "AF21",
            "AF22", "AF23", "AF31", "AF32", "AF33", "AF41", "AF42", "AF43", "EF", "VOICEADMIT", "LE",
        ])

    static let offerOptions = StructureDescription(
        name: "OfferOptions", module: .core,
        members: [
            .init("offerToReceiveAudio", .boolean, default: .boolean(true), "Sound."),
            .init("offerToReceiveVideo", .boolean, default: .boolean(true), "Pictures."),
        ], doc: "Which kinds of media an offer asks for.")
    static let rembParams = StructureDescription(
        name: "RembParams", module: .core,
        members: [
            .init("packetsRecvIntervalTop", .int32, default: .int(100), "Packets per estimate at most."),
            .init("exponentialFactor", .number, default: .float(0.04), "Growth per step after a loss has passed."),
            .init("linealFactorMin", .int32, optional: true, "Least linear growth."),
            .init("linealFactorGrade", .number, default: .float(30), "Steepness of linear growth."),
            .init("decrementFactor", .number, default: .float(0.5), "What a loss leaves of the rate."),
            .init("thresholdFactor", .number, default: .float(0.8), "Where linear growth begins again."),
            .init("upLosses", .int32, default: .int(12), "Losses that are tolerated."),
            .init("rembOnConnect", .int32, default: .int(300_000), "First estimate, in bits per second."),
        ], doc: "Settings of Kurento's estimate of what the peer may send.")
    static let sdes = StructureDescription(
        name: "SDES", module: .elements,
        members: [
            .init("key", .text, optional: true, "Key and salt as text."),
            .init("keyBase64", .text, optional: true, "Key and salt in base64: 30 or 46 bytes."),
            .init("crypto", .enumeration(cryptoSuite), optional: true, "How packets are protected."),
        ], doc: "A key of SRTP for the description (RFC 4568).")
    static let iceCandidate = StructureDescription(
        name: "IceCandidate", module: .elements,
        members: [
            .init("candidate", .text, "As in candidate:1 1 udp …"), .init("sdpMid", .text, "Name of the m-line."),
            .init("sdpMLineIndex", .int32, "Place of the m-line, from 0."),
        ], doc: "One candidate.")
    static let iceCandidatePair = StructureDescription(
        name: "IceCandidatePair", module: .elements,
        members: [
            .init("streamId", .text, "Stream."), .init("componentId", .int32, "Component."),
            .init("localCandidate", .text, "Ours."), .init("remoteCandidate", .text, "The peer's."),
        ], doc: "The two candidates of a way in use.")
    static let iceConnection = StructureDescription(
        name: "IceConnection", module: .elements,
        members: [
            .init("streamId", .text, "Stream."), .init("componentId", .int32, "Component."),
            .init("state", .enumeration(iceComponentState), "State."),
        ], doc: "State of ICE of one component.")
    static let dtlsConnection = StructureDescription(
        name: "DtlsConnection", module: .elements,
        members: [
            .init("streamId", .text, "Stream."), .init("componentId", .text, "Component."),
            .init("connectionId", .text, "Connection."), .init("state", .enumeration(dtlsConnectionState), "State."),
        ], doc: "State of DTLS of one component.")
}

extension ModelEvents {
    private static func states(_ description: EnumDescription) -> [ParameterDescription] {
        [
            .init("oldState", .enumeration(description), module: .core, "The state before."),
            .init("newState", .enumeration(description), module: .core, "The state now."),
        ]
    }
    private static let channel = ParameterDescription("channelId", .int32, "Its number.")

    /// Of the endpoints that negotiate by SDP.
    static let session: [EventDescription] = [
        .init(name: "MediaSessionTerminated", module: .core, members: [], doc: "The session has ended."),
        .init(name: "MediaSessionStarted", module: .core, members: [], doc: "Offer and answer are complete."),
        .init(
            name: "MediaStateChanged", module: .core, members: states(ModelTypes.mediaState),
            doc: "RTCP of the peer has begun or ceased to arrive."),
        .init(
            name: "ConnectionStateChanged", module: .core, members: states(ModelTypes.connectionState),
            doc: "The transports have come up, or one has gone down."),
        .init(
            name: "OnKeySoftLimit", module: .elements,
            members: [.init("mediaType", .enumeration(ModelTypes.mediaType), "Which media.")],
            doc: "The key of SRTP has protected nearly as many packets as it may."),
        .init(
            name: "IceCandidateFound", module: .elements,
            members: [.init("candidate", .structure(ModelTypes.iceCandidate), "The candidate.")],
            doc: "A candidate of ours for the peer."),
        .init(name: "IceGatheringDone", module: .elements, members: [], doc: "There will be no more candidates."),
        .init(
            name: "IceComponentStateChanged", module: .elements,
            members: [
                .init("streamId", .int32, "Stream."), .init("componentId", .int32, "Component."),
                .init("state", .enumeration(ModelTypes.iceComponentState), "The new state."),
            ], doc: "ICE goes on, has arrived, or failed."),
        .init(
            name: "DtlsConnectionStateChange", module: .elements,
            members: [
                .init("streamId", .text, "Stream."), .init("componentId", .text, "Component."),
                .init("connectionId", .text, "Connection."),
                .init("state", .enumeration(ModelTypes.dtlsConnectionState), "The new state."),
            ], doc: "DTLS goes on, has arrived, ended or failed."),
        .init(name: "DataChannelOpened", module: .elements, members: [channel], doc: "A data channel is open."),
        .init(name: "DataChannelClosed", module: .elements, members: [channel], doc: "A data channel has ended."),
        .init(
            name: "NewCandidatePairSelected", module: .elements,
            members: [.init("candidatePair", .structure(ModelTypes.iceCandidatePair), "The pair.")],
            doc: "Media goes another way now."),
    ]
}
