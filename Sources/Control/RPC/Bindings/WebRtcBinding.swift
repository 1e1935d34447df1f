import Core
import Elements
import Media

// Browsers and other WebRTC peers.
extension Bindings {
    static let webRtcEndpoint = ClassBinding(
        "WebRtcEndpoint", properties: networkProperties.merging(stateProperties) { $1 },
        methods: candidateMethods.merging(channelMethods) { $1 }.merging(renegotiation) { $1 }.merging(layers) { $1 })

    private static let networkProperties: [String: PropertyBinding] = [
        "networkInterfaces": .on(WebRtcEndpoint.self) {
            .string($0.options.networkInterfaces)
        } set: {
            endpoint, call throws(RPCError) in
            endpoint.options.networkInterfaces = call.arguments.string("networkInterfaces") ?? ""
        },
        "iceTcp": .on(WebRtcEndpoint.self) {
            .boolean($0.options.iceTCP)
        } set: { endpoint, call throws(RPCError) in
            endpoint.options.iceTCP = call.arguments.boolean("iceTcp") ?? true
        },
        "stunServerAddress": .on(WebRtcEndpoint.self) {
            .string($0.options.stun.address)
        } set: {
            endpoint, call throws(RPCError) in
            endpoint.options.stun.address = call.arguments.string("stunServerAddress") ?? ""
        },
        "stunServerPort": .on(WebRtcEndpoint.self) {
            .int($0.options.stun.port)
        } set: {
            endpoint, call throws(RPCError) in
            endpoint.options.stun.port = call.arguments.int("stunServerPort") ?? 3478
        },
        "turnUrl": .on(WebRtcEndpoint.self) {
            .string($0.options.turnURL)
        } set: { endpoint, call throws(RPCError) in
            endpoint.options.turnURL = call.arguments.string("turnUrl") ?? ""
            if endpoint.options.turnURL != "", WebRtcEndpoint.turnServer(endpoint.options.turnURL) == nil {
                endpoint.warn("the TURN server is not written as user:password@address:port and is not used")
            }
        },
        "externalIPv4": .on(WebRtcEndpoint.self) {
            .string($0.options.externalIPv4?.description ?? "")
        } set: {
            endpoint, call throws(RPCError) in
            endpoint.options.externalIPv4 = IPAddress(call.arguments.string("externalIPv4") ?? "")
        },
        "externalIPv6": .on(WebRtcEndpoint.self) {
            .string($0.options.externalIPv6?.description ?? "")
        } set: {
            endpoint, call throws(RPCError) in
            endpoint.options.externalIPv6 = IPAddress(call.arguments.string("externalIPv6") ?? "")
        },
    ]

    private static let stream = Argument("streamId", .string("1"))

    private static let stateProperties: [String: PropertyBinding] = [
        "ICECandidatePairs": .on(WebRtcEndpoint.self) { endpoint throws(RPCError) in
            guard let pair = endpoint.selectedLines else { return .list([]) }
            return .list([EventPayload.pair(local: pair.local, remote: pair.remote)])
        },
        "IceConnectionState": .on(WebRtcEndpoint.self) { endpoint throws(RPCError) in
            guard endpoint.iceState != .disconnected else { return .list([]) }
            return .list([
                .structure([
                    stream, Argument("componentId", .int(1)), Argument("state", .string(endpoint.iceState.rawValue)),
                ])
            ])
        },
        "DtlsConnectionState": .on(WebRtcEndpoint.self) { endpoint throws(RPCError) in
            guard endpoint.agreement != nil else { return .list([]) }
            return .list([
                .structure([
                    stream, Argument("componentId", .string("1")), Argument("connectionId", .string("dtls-1")),
                    Argument("state", .string(endpoint.dtlsState.rawValue)),
                ])
            ])
        },
        "simulcastLayers": .on(WebRtcEndpoint.self) { endpoint throws(RPCError) in
            .list(
                endpoint.simulcastLayers.map { layer in
                    .structure([
                        Argument("rid", .string(layer.rid)), Argument("isCurrent", .boolean(layer.isCurrent)),
                        Argument("packetsReceived", .int(layer.packets)), Argument("bytesReceived", .int(layer.bytes)),
                    ])
                })
        },
    ]

    private static let candidateMethods: [String: CallBinding] = [
        "gatherCandidates": .on(WebRtcEndpoint.self) { endpoint, _ throws(RPCError) in
            endpoint.gatherCandidates()
            return nil
        },
        "addIceCandidate": .on(WebRtcEndpoint.self) { endpoint, call throws(RPCError) in
            let candidate = Arguments(given: call.arguments.structure("candidate") ?? [])
            let text = candidate.string("candidate") ?? ""
            if !text.isEmpty, let lines = endpoint.linesForCandidates,
                !(0..<lines).contains(candidate.int("sdpMLineIndex") ?? 0)
            {
                throw RPCError(40401, "ICE_ADD_CANDIDATE_ERROR", "Error adding candidate")
            }
            endpoint.addIceCandidate(text)
            return nil
        },
    ]

    private static let channelMethods: [String: CallBinding] = [
        "createDataChannel": .on(WebRtcEndpoint.self) { endpoint, call throws(RPCError) in
            try checkData(endpoint)
            let lifetime = call.arguments.int("maxPacketLifeTime") ?? -1
            let retransmits = call.arguments.int("maxRetransmits") ?? -1
            if lifetime >= 0, retransmits >= 0 { throw .illegalParameter("Syntax error") }
            try graph(RPCError.incompatible) { () throws(GraphError) in
                try endpoint.createDataChannel(
                    label: call.arguments.string("label") ?? "", isOrdered: call.arguments.boolean("ordered") ?? true,
                    lifetimeMax: lifetime, retransmitsMax: retransmits,
                    subprotocol: call.arguments.string("protocol") ?? "")
            }
            return nil
        },
        "closeDataChannel": .on(WebRtcEndpoint.self) { endpoint, call throws(RPCError) in
            try checkData(endpoint)
            endpoint.closeDataChannel(call.arguments.int("channelId") ?? -1)
            return nil
        },
    ]

    private static func checkData(_ endpoint: WebRtcEndpoint) throws(RPCError) {
        guard endpoint.options.usesDataChannels, endpoint.agreedOnData else {
            throw .notSupported("Data channels are not supported")
        }
    }

    private static let renegotiation: [String: CallBinding] = [
        "createRenegotiationOffer": .on(WebRtcEndpoint.self) { endpoint, call throws(RPCError) in
            try checkSession(endpoint)
            return .string(
                try graph({ .sdp(40204, "SDP_END_POINT_GENERATE_OFFER_ERROR", $0) }) { () throws(GraphError) in
                    try endpoint.generateOffer(restartsICE: call.arguments.boolean("restartIce") ?? false)
                })
        },
        "processRenegotiationOffer": .on(WebRtcEndpoint.self) { endpoint, call throws(RPCError) in
            try checkSession(endpoint)
            return .string(try processOffer(try description(call, "offer", endpoint), endpoint))
        },
        "processRenegotiationAnswer": .on(WebRtcEndpoint.self) { endpoint, call throws(RPCError) in
            try checkSession(endpoint)
            return .string(try processAnswer(try description(call, "answer", endpoint), endpoint))
        },
    ]

    private static let layers: [String: CallBinding] = [
        "selectSimulcastLayer": .on(WebRtcEndpoint.self) { endpoint, call throws(RPCError) in
            guard !endpoint.simulcastLayers.isEmpty else {
                throw .notSupported("The peer sends its picture in one form")
            }
            let rid = call.arguments.string("rid") ?? ""
            try graph(RPCError.illegalParameter) { () throws(GraphError) in
                try endpoint.selectSimulcastLayer(rid.isEmpty ? nil : rid)
            }
            return nil
        }
    ]

    private static func checkSession(_ endpoint: WebRtcEndpoint) throws(RPCError) {
        guard endpoint.remoteSessionDescriptor != nil else { throw .noOffer }
    }
}
