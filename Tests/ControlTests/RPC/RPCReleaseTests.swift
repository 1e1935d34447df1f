import Control
import Core
import Media
import TestKit
import Testing

/// What is released is gone, not only for clients.
@Suite struct RPCReleaseTests {
    /// Everything of a pipeline that can be watched from outside.
    private final class Watched: Sendable {
        private struct References: @unchecked Sendable {
            // Sendable: only ever asked whether they are gone.
            struct Reference {
                let name: String
                weak var object: AnyObject?
            }
            var all: [Reference] = []
        }
        private let references = Lock(References())

        func add(_ name: String, _ object: AnyObject) {
            references.withLock { $0.all.append(.init(name: name, object: object)) }
        }
        var count: Int { references.withLock { $0.all.count } }
        var living: [String] {
            references.withLock { held in held.all.filter { $0.object != nil }.map(\.name) }
        }
    }

    /// One of each class, linked where that can be, two endpoints that have negotiated, gather and try to connect.
    private func fill(_ rig: RPCRig, _ client: RPCClient) throws -> Watched {
        let pipeline = try client.create("MediaPipeline")
        var made = [pipeline]
        for type in [
            "PassThrough", "Composite", "AlphaBlending", "Dispatcher", "DispatcherOneToMany", "Mixer", "RtpEndpoint",
            "ZBarFilter", "ImageOverlayFilter", "FaceOverlayFilter",
        ] {
            made.append(try client.create(type, in: pipeline))
        }
        let pass = made[1]
        let ports = try made[2...6].map { try client.create("HubPort", ["hub": .string($0)]) }
        let file: JSON = ["mediaPipeline": .string(pipeline), "uri": "file:///nowhere/a.webm"]
        let player = try client.create("PlayerEndpoint", file)
        let recorder = try client.create("RecorderEndpoint", file)
        let a = try client.create("WebRtcEndpoint", in: pipeline)
        let b = try client.create("WebRtcEndpoint", in: pipeline)
        made += ports + [player, recorder, a, b]
        for element in made { try client.subscribe(element, "Error") }
        for (source, sink) in [(player, pass), (a, pass), (pass, ports[0]), (ports[0], b), (ports[0], recorder)] {
            try client.invoke(source, "connect", ["sink": .string(sink)])
        }
        for filter in made[8...10] { try client.invoke(pass, "connect", ["sink": .string(filter)]) }
        try client.invoke(player, "play")
        let answer = try client.invoke(b, "processOffer", ["offer": try client.invoke(a, "generateOffer")])
        _ = try client.invoke(a, "processAnswer", ["answer": answer])
        for endpoint in [a, b] { try client.invoke(endpoint, "gatherCandidates") }
        rig.run(3)
        // Somebody looks just now.
        client.post(
            #"{"jsonrpc": "2.0", "id": 1, "method": "invoke", "params": "#
                + client.call(ports[0], "thumbnail", ["width": 100]).compact + "}")
        rig.run(0.1)
        return try watch(rig, made)
    }

    private func watch(_ rig: RPCRig, _ ids: [String]) throws -> Watched {
        let watched = Watched()
        let server = rig.server
        let pipeline = try #require(
            rig.sim.complete { await server.watchedPipeline(ids) { watched.add($0, $1) } }
        ).get()
        _ = rig.sim.complete {
            await pipeline?.perform { context in
                watched.add("context", context)
                for element in context.elements { watched.add("\(element.name) on media's side", element) }
            }
        }
        return watched
    }

    @Test(arguments: ["release", "collect"])
    func nothingStays(_ way: String) throws {
        var options = RPCOptions()
        options.collectorPeriod = .seconds(2)
        let rig = RPCRig(options)
        let client = try rig.client()
        let watched = try fill(rig, client)
        #expect(watched.count > 35)
        if way == "release" {
            let pipelines = try client.invoke("manager_ServerManager", "getPipelines")
            guard case .array(let all) = pipelines, let pipeline = all.first else {
                Issue.record("no pipeline: \(pipelines.compact)")
                return
            }
            try client.ask("release", ["object": pipeline])
        } else {
            client.close()
        }
        // Two periods, and what lingers.
        rig.run(10)
        #expect(watched.living == [])
    }
}

extension RPCServer {
    /// Notes objects; returns the pipeline they are in.
    fileprivate func watchedPipeline(_ ids: [String], _ note: @Sendable (String, AnyObject) -> Void) -> MediaPipeline? {
        let objects = ids.compactMap { object($0) }
        for object in objects { note(object.id, object) }
        guard let pipeline = objects.first?.pipeline else { return nil }
        note("pipeline", pipeline)
        return pipeline
    }
}
