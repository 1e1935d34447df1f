import Core
import Elements
import Media

// Endpoints that negotiate by offer and answer.
extension Bindings {
    static let sessions = [sdpEndpoint, baseRtpEndpoint, rtpEndpoint, webRtcEndpoint]

    static let sdpEndpoint = ClassBinding(
        "SdpEndpoint",
        properties: [
            "maxAudioRecvBandwidth": .on(BaseRtpEndpoint.self) { endpoint throws(RPCError) in
                .int(endpoint.maxAudioRecvBandwidth)
            } set: { endpoint, call throws(RPCError) in
                endpoint.maxAudioRecvBandwidth = call.arguments.int("maxAudioRecvBandwidth") ?? 0
            },
            "maxVideoRecvBandwidth": .on(BaseRtpEndpoint.self) { endpoint throws(RPCError) in
                .int(endpoint.maxVideoRecvBandwidth)
            } set: { endpoint, call throws(RPCError) in
                endpoint.maxVideoRecvBandwidth = call.arguments.int("maxVideoRecvBandwidth") ?? 0
            },
        ],
        methods: [
            "generateOffer": .loop { call throws(RPCError) in
                let endpoint = try negotiator(call)
                guard endpoint.localSessionDescriptor == nil else { throw .alreadyNegotiated }
                let options = Arguments(given: call.arguments.structure("options") ?? [])
                return .string(
                    try graph({ .sdp(40204, "SDP_END_POINT_GENERATE_OFFER_ERROR", $0) }) { () throws(GraphError) in
                        try endpoint.makeOffer(
                            audio: options.boolean("offerToReceiveAudio") ?? true,
                            video: options.boolean("offerToReceiveVideo") ?? true)
                    })
            },
            "processOffer": .loop { call throws(RPCError) in
                let endpoint = try negotiator(call)
                let offer = try description(call, "offer", endpoint)
                guard endpoint.localSessionDescriptor == nil else { throw .alreadyNegotiated }
                return .string(try processOffer(offer, endpoint))
            },
            "processAnswer": .loop { call throws(RPCError) in
                let endpoint = try negotiator(call)
                guard endpoint.localSessionDescriptor != nil else { throw .noOffer }
                guard endpoint.remoteSessionDescriptor == nil else { throw .answerProcessed }
                return .string(try processAnswer(try description(call, "answer", endpoint), endpoint))
            },
            "getLocalSessionDescriptor": .loop { call throws(RPCError) in
                guard let text = try negotiator(call).localSessionDescriptor else {
                    throw .sdp(40202, "SDP_END_POINT_NO_LOCAL_SDP_ERROR", "No local SDP")
                }
                return .string(text)
            },
            "getRemoteSessionDescriptor": .loop { call throws(RPCError) in
                guard let text = try negotiator(call).remoteSessionDescriptor else {
                    throw .sdp(40203, "SDP_END_POINT_NO_REMOTE_SDP_ERROR", "No remote SDP")
                }
                return .string(text)
            },
        ])

    // MARK: Descriptions

    private static func negotiator(_ call: LoopCall) throws(RPCError) -> any SDPNegotiator {
        let endpoint = try call.element(as: BaseRtpEndpoint.self)
        guard let endpoint = endpoint as? any SDPNegotiator else { throw .objectNotFound(call.id) }
        return endpoint
    }

    static func processOffer(_ text: String, _ endpoint: any SDPNegotiator) throws(RPCError) -> String {
        do { return try endpoint.processOffer(text) } catch {
            throw .sdp(40205, "SDP_END_POINT_PROCESS_OFFER_ERROR", "\(error)")
        }
    }

    static func processAnswer(_ text: String, _ endpoint: any SDPNegotiator) throws(RPCError) -> String {
        do { return try endpoint.processAnswer(text) } catch {
            throw .sdp(40206, "SDP_END_POINT_PROCESS_ANSWER_ERROR", "\(error)")
        }
    }

    /// A description's text, if it can be read as one.
    static func description(
        _ call: LoopCall, _ name: String, _ endpoint: any SDPNegotiator
    ) throws(RPCError) -> String {
        let text = call.arguments.string(name) ?? ""
        if text.isEmpty { throw .sdp(40201, "SDP_PARSE_ERROR", "Empty \(name) not valid") }
        if !text.hasPrefix("v=") { throw .sdp(40201, "SDP_PARSE_ERROR", "Invalid SDP") }
        if !endpoint.isDescription(text) { throw .sdp(40201, "SDP_PARSE_ERROR", "Error parsing SDP") }
        return text
    }

    // MARK: RTP

    private static let baseRtpEndpoint = ClassBinding(
        "BaseRtpEndpoint",
        properties: [
            "minVideoRecvBandwidth": .on(BaseRtpEndpoint.self) { endpoint throws(RPCError) in
                .int(endpoint.minVideoRecvBandwidth)
            } set: { endpoint, call throws(RPCError) in
                endpoint.minVideoRecvBandwidth = call.arguments.int("minVideoRecvBandwidth") ?? 0
            },
            "minVideoSendBandwidth": .on(BaseRtpEndpoint.self) { endpoint throws(RPCError) in
                .int(endpoint.minVideoSendBandwidth ?? 100)
            } set: { endpoint, call throws(RPCError) in
                endpoint.minVideoSendBandwidth = max(0, call.arguments.int("minVideoSendBandwidth") ?? 0)
            },
            "maxVideoSendBandwidth": .on(BaseRtpEndpoint.self) { endpoint throws(RPCError) in
                .int(endpoint.maxVideoSendBandwidth ?? 500)
            } set: { endpoint, call throws(RPCError) in
                endpoint.maxVideoSendBandwidth = max(0, call.arguments.int("maxVideoSendBandwidth") ?? 0)
            },
            "mediaState": .on(BaseRtpEndpoint.self) { .string($0.mediaState.rawValue) },
            "connectionState": .on(BaseRtpEndpoint.self) { .string($0.connectionState.rawValue) },
            "mtu": .on(BaseRtpEndpoint.self) { endpoint throws(RPCError) in
                .int(endpoint.mtu)
            } set: { endpoint, call throws(RPCError) in
                // Less carries no frame worth sending, more no datagram.
                endpoint.mtu = max(200, min(call.arguments.int("mtu") ?? 1200, 65_000))
            },
            // Until somebody sets them there are none: the peer's own estimate rules.
            "rembParams": .on(BaseRtpEndpoint.self) { endpoint throws(RPCError) in
                .structure(endpoint.rembParams.map(\.wire) ?? [])
            } set: { endpoint, call throws(RPCError) in
                endpoint.rembParams = RembParams(Arguments(given: call.arguments.structure("rembParams") ?? []))
            },
        ],
        methods: [
            "requestKeyframe": .on(BaseRtpEndpoint.self) { endpoint, _ throws(RPCError) in
                let problem = "Keyframe request failed (must be requested from a subscriber element)"
                try graph({ _ in .notSupported(problem) }) { () throws(GraphError) in try endpoint.requestKeyframe() }
                return nil
            }
        ])

    private static let rtpEndpoint = ClassBinding(
        "RtpEndpoint",
        construct: { call throws(RPCError) in
            let crypto = Arguments(given: call.arguments.structure("crypto") ?? [])
            if !crypto.given.isEmpty {
                var options = RtpEndpoint.Options()
                try graph(RPCError.illegalParameter) { () throws(GraphError) in
                    try options.setKey(
                        suite: crypto.string("crypto"), key: crypto.string("key"),
                        keyBase64: crypto.string("keyBase64"), host: call.context.host)
                }
            }
            return try fromDocument(call)
        })
}

extension RembParams {
    /// As clients write them; what is left out has Kurento's value.
    fileprivate init(_ given: Arguments) {
        self.init()
        packetsRecvIntervalTop = given.int("packetsRecvIntervalTop") ?? packetsRecvIntervalTop
        exponentialFactor = given.float("exponentialFactor") ?? exponentialFactor
        linealFactorMin = given.int("linealFactorMin") ?? linealFactorMin
        linealFactorGrade = given.float("linealFactorGrade") ?? linealFactorGrade
        decrementFactor = given.float("decrementFactor") ?? decrementFactor
        thresholdFactor = given.float("thresholdFactor") ?? thresholdFactor
        upLosses = given.int("upLosses") ?? upLosses
        rembOnConnect = given.int("rembOnConnect") ?? rembOnConnect
    }

    fileprivate var wire: [Argument] {
        [
            Argument("packetsRecvIntervalTop", .int(packetsRecvIntervalTop)),
            Argument("exponentialFactor", .float(exponentialFactor)),
            Argument("linealFactorMin", .int(linealFactorMin)),
            Argument("linealFactorGrade", .float(linealFactorGrade)),
            Argument("decrementFactor", .float(decrementFactor)), Argument("thresholdFactor", .float(thresholdFactor)),
            Argument("upLosses", .int(upLosses)), Argument("rembOnConnect", .int(rembOnConnect)),
        ]
    }
}
