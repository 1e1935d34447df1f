import Core
import Elements
import Glibc
import LoopbackRig
import Media
import Reactor
import TestKit
import Testing

/// Pipelines that nobody released and nobody knows any more.
@Suite(.serialized) struct DroppedPipelineTests {
    /// A call between two servers with media in it, of which nothing is kept.
    private static func call() async throws -> Bool {
        let (one, other) = (LoopbackServer(), LoopbackServer())
        var options = WebRtcEndpoint.Options()
        options.usesDataChannels = true
        for side in [one, other] { try await side.addEndpoint("peer", options) }
        try await one.pipeline.perform { context in
            let endpoint = context.get("peer", WebRtcEndpoint.self)
            try SteadySource(context, name: "source", bytes: 3000).connect(to: endpoint)
        }
        try await other.pipeline.perform { context in
            let endpoint = context.get("peer", WebRtcEndpoint.self)
            let pass = PassThrough(context, name: "pass")
            let sink = SteadySink(context, name: "sink")
            for kind in [MediaKind.audio, .video] {
                try endpoint.connect(to: pass, kind: kind)
                try pass.connect(to: sink, kind: kind)
            }
        }
        guard try await one.call("peer", other, "peer") else { return false }
        for _ in 0..<200 {
            await other.pause(.milliseconds(20))
            if await other.pipeline.perform({ $0.get("sink", SteadySink.self).framesIn > 5 }) { return true }
        }
        return false
    }

    /// A mixer in the middle of its work.
    private static func mix(_ host: SystemHost) async throws {
        let pipeline = makePipeline(host, .realTime)
        try await pipeline.perform { context in
            let hub = Composite(context, name: "hub")
            for name in ["a", "b"] {
                let port = HubPort(context, name: name, hub: hub)
                try SteadySource(context, name: "source-\(name)", bytes: 2000).connect(to: port)
                let sink = SteadySink(context, name: "sink-\(name)")
                for kind in [MediaKind.audio, .video] { try port.connect(to: sink, kind: kind) }
            }
        }
        await LoopbackServer().pause(.milliseconds(300))
    }

    private static func run() async throws {
        let host = SystemHost(workers: 2)
        for _ in 0..<5 {
            #expect(try await call())
            try await mix(host)
        }
        // What was on its way finds nobody any more.
        await LoopbackServer().pause(.seconds(1))
    }

    @Test func aLivePipelineMayBeForgotten() async throws {
        await #expect(processExitsWith: .success) { try await DroppedPipelineTests.run() }
    }
}
