import Core

/// The classes whose other side is a peer that negotiates by SDP.
enum SessionClasses {
    static let session = ClassDescription(
        name: "SessionEndpoint", parent: "Endpoint", isAbstract: true, module: .core,
        doc: "An endpoint that has a session with its other side.",
        events: ["MediaSessionTerminated", "MediaSessionStarted"])

    static let sdp = ClassDescription(
        name: "SdpEndpoint", parent: "SessionEndpoint", isAbstract: true, module: .core,
        doc: "An endpoint that negotiates its session by offer and answer (SDP).",
        properties: [
            .init(
                "maxAudioRecvBandwidth", .int32, .readWrite,
                "What the peer may send as sound, in kbit/s; 0: no limit. Goes into descriptions made afterwards."),
            .init(
                "maxVideoRecvBandwidth", .int32, .readWrite,
                "What the peer may send as pictures, in kbit/s; 0: no limit. Goes into descriptions made afterwards."),
        ],
        methods: [
            .init(
                "generateOffer",
                [
                    .init(
                        "options", .structure(ModelTypes.offerOptions), optional: true, module: .core,
                        "Which kinds of media to ask for.")
                ], returns: .text, "Makes an offer for the peer."),
            .init(
                "processOffer", [.init("offer", .text, module: .core, "The peer's offer.")], returns: .text,
                "Takes the peer's offer and makes the answer."),
            .init(
                "processAnswer", [.init("answer", .text, module: .core, "The peer's answer.")], returns: .text,
                "Takes the peer's answer to our offer; returns our description."),
            .init("getLocalSessionDescriptor", returns: .text, "Our description, with the candidates found so far."),
            .init("getRemoteSessionDescriptor", returns: .text, "The peer's description."),
        ])

    static let rtp = ClassDescription(
        name: "BaseRtpEndpoint", parent: "SdpEndpoint", isAbstract: true, module: .core,
        doc: "An endpoint whose media travels as RTP.",
        properties: [
            .init(
                "minVideoRecvBandwidth", .int32, .readWrite, "Least that the peer is asked to send, in kbit/s."),
            .init("minVideoSendBandwidth", .int32, .readWrite, "Least that is sent as pictures, in kbit/s."),
            .init(
                "maxVideoSendBandwidth", .int32, .readWrite, "Most that is sent as pictures, in kbit/s; 0: no limit."),
            .init(
                "mediaState", .enumeration(ModelTypes.mediaState), .readOnly, "Whether RTCP of the peer arrives."),
            .init(
                "connectionState", .enumeration(ModelTypes.connectionState), .readOnly,
                "Whether all transports of the session are up."),
            .init("mtu", .int32, .readWrite, "Largest RTP packet, in bytes."),
            .init(
                "rembParams", .structure(ModelTypes.rembParams), .readWrite,
                "How the peer is told what it may send, by the losses of what comes from it."),
        ],
        methods: [.init("requestKeyframe", "Asks whoever produces the pictures for the peer for a key frame.")],
        events: ["MediaStateChanged", "ConnectionStateChanged"])

    static let plainRTP = ClassDescription(
        name: "RtpEndpoint", parent: "BaseRtpEndpoint", module: .elements,
        doc: "A peer that speaks plain RTP, or SRTP with keys in the description, at fixed addresses and ports.",
        sources: [.audio, .video], sinks: [.audio, .video],
        constructor: [
            CoreClasses.mediaPipeline,
            .init(
                "crypto", .structure(ModelTypes.sdes), default: .structure([]),
                "The key of SRTP; empty: no encryption. A suite without a key takes a random one."),
            .init("useIpv6", .boolean, default: .boolean(false), "Receives at an IPv6 address."),
        ],
        events: ["OnKeySoftLimit"])

    static let webRTC = ClassDescription(
        name: "WebRtcEndpoint", parent: "BaseRtpEndpoint", module: .elements,
        doc: "A browser or another WebRTC peer: ICE, DTLS, SRTP, data channels.",
        sources: [.audio, .video, .data], sinks: [.audio, .video, .data],
        constructor: [
            CoreClasses.mediaPipeline,
            .init("recvonly", .boolean, default: .boolean(false), "Only receives from the peer."),
            .init("sendonly", .boolean, default: .boolean(false), "Only sends to the peer."),
            .init("useDataChannels", .boolean, default: .boolean(false), "Offers and accepts data channels."),
            .init(
                "certificateKeyType", .enumeration(ModelTypes.certificateKeyType), default: .string("RSA"),
                "Key of the DTLS certificate."),
            .init(
                "qosDscp", .enumeration(ModelTypes.dscp), default: .string("NO_VALUE"),
                "Mark of its packets for routers."),
        ],
        properties: [
            .init("networkInterfaces", .text, .readWrite, "Names of the interfaces to use, with commas; empty: all."),
            .init("iceTcp", .boolean, .readWrite, "Whether there are TCP candidates."),
            .init("stunServerAddress", .text, .readWrite, "Address of a STUN server; empty: none."),
            .init("stunServerPort", .int32, .readWrite, "Port of the STUN server."),
            .init(
                "turnUrl", .text, .readWrite, "A TURN server: user:password@address:port, ?transport=udp, tcp or tls."),
            .init("externalIPv4", .text, .readWrite, "Address that replaces those of all IPv4 candidates."),
            .init("externalIPv6", .text, .readWrite, "Address that replaces those of all IPv6 candidates."),
            .init(
                "ICECandidatePairs", .list(.structure(ModelTypes.iceCandidatePair)), .readOnly,
                "The pair in use of each stream and component."),
            .init(
                "IceConnectionState", .list(.structure(ModelTypes.iceConnection)), .readOnly,
                "State of each stream and component."),
            .init(
                "DtlsConnectionState", .list(.structure(ModelTypes.dtlsConnection)), .readOnly,
                "State of each stream and component."),
            .init(
                "simulcastLayers", .list(.structure(ModelTypes.simulcastLayer)), .readOnly, own: true,
                "The forms in which the peer sends its picture, the largest last."),
        ],
        methods: webRTCMethods,
        events: [
            "IceCandidateFound", "IceGatheringDone", "IceComponentStateChanged", "DtlsConnectionStateChange",
            "DataChannelOpened", "DataChannelClosed", "NewCandidatePairSelected",
        ])

    private static let webRTCMethods: [MethodDescription] = [
        .init("gatherCandidates", "Begins to look for candidates; they come as IceCandidateFound."),
        .init(
            "addIceCandidate",
            [.init("candidate", .structure(ModelTypes.iceCandidate), "A candidate of the peer.")],
            "Takes a candidate of the peer, at any time."),
        .init(
            "createDataChannel",
            [
                .init("label", .text, default: .string(""), "Name of the channel."),
                .init("ordered", .boolean, default: .boolean(true), "Whether messages arrive in order."),
                .init(
                    "maxPacketLifeTime", .int32, default: .int(-1),
                    "Milliseconds for which a message is sent again; -1: for ever."),
                .init(
                    "maxRetransmits", .int32, default: .int(-1), "How often a message is sent again; -1: for ever."),
                .init("protocol", .text, default: .string(""), "Name of the application's protocol."),
            ], "Opens a data channel; DataChannelOpened follows."),
        .init("closeDataChannel", [.init("channelId", .int32, "Its number.")], "Closes a data channel."),
        .init(
            "createRenegotiationOffer",
            [
                .init(
                    "restartIce", .boolean, default: .boolean(false), module: .tessera,
                    "Whether candidates are looked for anew.")
            ], returns: .text, own: true, "Makes another offer for a peer with which a session stands."),
        .init(
            "processRenegotiationOffer", [.init("offer", .text, module: .tessera, "The peer's further offer.")],
            returns: .text, own: true, "Takes another offer of the peer and makes the answer."),
        .init(
            "selectSimulcastLayer",
            [
                .init(
                    "rid", .text, default: .string(""), module: .tessera,
                    "Name of the layer, of simulcastLayers; empty: the largest that comes.")
            ], own: true, "Hands on one of the forms in which the peer sends its picture, from its next key frame on."),
        .init(
            "processRenegotiationAnswer", [.init("answer", .text, module: .tessera, "The peer's answer.")],
            returns: .text, own: true, "Takes the answer to createRenegotiationOffer; returns our description."),
    ]
}
