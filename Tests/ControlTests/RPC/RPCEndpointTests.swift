import Control
import Core
import TestKit
import Testing

/// Offer, answer and candidates over the control API.
@Suite struct RPCEndpointTests {
    private static func endpoints(_ client: RPCClient, _ count: Int) throws -> [String] {
        let pipeline = try client.create("MediaPipeline")
        return try (0..<count).map { _ in
            try client.create("WebRtcEndpoint", ["mediaPipeline": .string(pipeline), "useDataChannels": true])
        }
    }

    @Test func negotiationHasItsOrder() throws {
        let client = try RPCRig().client()
        let all = try Self.endpoints(client, 2)
        let (a, b) = (all[0], all[1])
        func failure(_ object: String, _ operation: String, _ params: JSON? = nil) throws -> String {
            try client.failure("invoke", client.call(object, operation, params))
        }
        #expect(try failure(a, "getLocalSessionDescriptor") == "40202 No local SDP")
        #expect(try failure(a, "getRemoteSessionDescriptor") == "40203 No remote SDP")
        let noOffer = "40209 Offer not generated. It is not possible to process an answer."
        #expect(try failure(a, "processAnswer", ["answer": "v=0\r\n"]) == noOffer)
        #expect(try failure(a, "processOffer", ["offer": ""]) == "40201 Empty offer not valid")
        #expect(try failure(a, "processOffer", ["offer": "rubbish"]) == "40201 Invalid SDP")
        for endpoint in [a, b] { try client.subscribe(endpoint, "MediaSessionStarted") }
        let offer = try client.invoke(a, "generateOffer")
        #expect(try failure(a, "generateOffer") == "40208 Endpoint already negotiated")
        #expect(try failure(a, "processOffer", ["offer": offer]) == "40208 Endpoint already negotiated")
        let answer = try client.invoke(b, "processOffer", ["offer": offer])
        #expect(try failure(b, "processOffer", ["offer": offer]) == "40208 Endpoint already negotiated")
        _ = try client.invoke(a, "processAnswer", ["answer": answer])
        #expect(try failure(a, "processAnswer", ["answer": answer]) == "40210 Sdp Answer already processed")
        #expect(client.events.map { $0["object"] } == [.string(b), .string(a)])
        #expect(try client.invoke(b, "getRemoteSessionDescriptor") != .null)
    }

    @Test func candidatesCome() throws {
        let rig = RPCRig()
        let client = try rig.client()
        let endpoint = try Self.endpoints(client, 1)[0]
        for event in ["IceCandidateFound", "IceGatheringDone", "IceComponentStateChanged"] {
            try client.subscribe(endpoint, event)
        }
        try client.invoke(endpoint, "gatherCandidates")
        #expect(client.events.isEmpty)
        _ = try client.invoke(endpoint, "generateOffer", ["options": ["offerToReceiveVideo": false]])
        try client.invoke(endpoint, "gatherCandidates")
        rig.run(5)
        let lines = client.events("IceCandidateFound").compactMap { $0["data"]?["candidate"]?["sdpMid"] }
        #expect(Set(lines) == ["audio0", "application0"])
        #expect(client.events("IceGatheringDone").count == 1)
        let state = try #require(client.events("IceComponentStateChanged").first?["data"])
        #expect(state["state"] == "GATHERING" && state["streamId"] == 1 && state["componentId"] == 1)
        for candidate in ["", "not one", "candidate:1 1 UDP 2013266431 192.0.2.7 9999 typ host"] {
            let params: JSON = [
                "candidate": ["candidate": .string(candidate), "sdpMid": "audio0", "sdpMLineIndex": 0]
            ]
            #expect(try client.invoke(endpoint, "addIceCandidate", params) == .null)
        }
        #expect(
            try client.failure(
                "invoke",
                client.call(endpoint, "addIceCandidate", ["candidate": ["sdpMid": "audio0", "sdpMLineIndex": 0]]))
                == "40001 'candidate' property should be a string")
    }

    @Test func hubsRouteTheirPorts() throws {
        let client = try RPCRig().client()
        let pipeline = try client.create("MediaPipeline")
        func hub(_ type: String) throws -> (String, JSON, JSON) {
            let hub = try client.create(type, in: pipeline)
            return (
                hub, .string(try client.create("HubPort", ["hub": .string(hub)])),
                .string(try client.create("HubPort", ["hub": .string(hub)]))
            )
        }
        let (dispatcher, one, two) = try hub("Dispatcher")
        #expect(try client.invoke(dispatcher, "connect", ["source": one, "sink": two]) == .null)
        let (many, first, _) = try hub("DispatcherOneToMany")
        #expect(try client.invoke(many, "setSource", ["source": first]) == .null)
        #expect(try client.invoke(many, "removeSource") == .null)
        #expect(
            try client.failure("invoke", client.call(many, "setSource", ["source": one])).hasPrefix("40004 "))
        #expect(
            try client.failure("invoke", client.call(many, "setSource", ["source": .string(many)]))
                .hasPrefix("40107 "))
        let (mixer, left, right) = try hub("Mixer")
        for media in ["AUDIO", "VIDEO"] as [JSON] {
            #expect(try client.invoke(mixer, "connect", ["media": media, "source": left, "sink": right]) == .null)
        }
        func refused(_ operation: String, _ media: JSON) throws -> Bool {
            let call = client.call(mixer, operation, ["media": media, "source": left, "sink": right])
            return try client.failure("invoke", call).hasPrefix("40005 ")
        }
        #expect(try refused("connect", "DATA"))
        #expect(try refused("disconnect", "VIDEO"))
        #expect(try client.invoke(mixer, "disconnect", ["media": "AUDIO", "source": left, "sink": right]) == .null)
        let (blending, master, other) = try hub("AlphaBlending")
        #expect(try client.invoke(blending, "setMaster", ["source": master, "zOrder": 1]) == .null)
        let place: JSON = [
            "relativeX": 0.5, "relativeY": 0.5, "zOrder": 2, "relativeWidth": 0.25, "relativeHeight": 0.25,
            "port": other,
        ]
        #expect(try client.invoke(blending, "setPortProperties", place) == .null)
    }
}
