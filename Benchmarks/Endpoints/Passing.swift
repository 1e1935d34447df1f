import CAllocations
import Core
import Elements
import LoopbackRig
import Media
import RTP
import WebRTC

/// Publishers, each with viewers, through one server: every packet comes in on a real socket, is unprotected, goes
/// through the graph and out again, protected for each viewer.
struct Passing {
    let clients = LoopbackServer(isCrowd: true)
    let server = LoopbackServer()
    let publishers: Int
    let viewers: Int

    /// Bytes per picture, 30 of them a second: about 3.3 Mbit/s.
    static let pictureBytes = 13_800

    static var options: WebRtcEndpoint.Options {
        var options = WebRtcEndpoint.Options()
        options.sendLimits = .init(maximum: 8_000_000, start: 8_000_000)
        return options
    }

    func begin() async throws -> Bool {
        for number in 0..<publishers {
            let name = "in-\(number)"
            try await clients.addEndpoint(name, Passing.options)
            try await server.addEndpoint(name, Passing.options)
            try await clients.pipeline.perform { context in
                let source = SteadySource(context, name: "source-\(number)", bytes: Passing.pictureBytes)
                guard let endpoint = context.element(named: name) else { return }
                try source.connect(to: endpoint)
            }
            guard try await clients.call(name, server, name) else { return false }
            for viewer in 0..<viewers {
                guard try await join(publisher: name, "out-\(number)-\(viewer)") else { return false }
            }
        }
        return true
    }

    private func join(publisher: String, _ name: String) async throws -> Bool {
        for side in [clients, server] { try await side.addEndpoint(name, Passing.options) }
        try await server.pipeline.perform { context in
            guard let from = context.element(named: publisher), let to = context.element(named: name) else { return }
            for kind in [MediaKind.audio, .video] { try from.connect(to: to, kind: kind) }
        }
        try await clients.pipeline.perform { context in
            let sink = SteadySink(context, name: "sink-\(name)")
            guard let endpoint = context.element(named: name) else { return }
            for kind in [MediaKind.audio, .video] { try endpoint.connect(to: sink, kind: kind) }
        }
        return try await clients.call(name, server, name)
    }

    struct Figures {
        var nanoseconds = 0, allocations = 0, received = 0, sent = 0
    }

    /// Totals of the server's loop.
    func figures() async -> Figures {
        await server.pipeline.perform { context in
            var figures = Figures(
                nanoseconds: Int(context.host.threadCPUNanoseconds()), allocations: Int(callocations_of_thread()))
            for case let endpoint as WebRtcEndpoint in context.elements {
                figures.received += endpoint.peer.counters.packetsReceived
                figures.sent += endpoint.peer.counters.packetsSent
            }
            return figures
        }
    }

    /// What all viewers have got since the last call.
    func counts() async -> (pictures: Int, missing: Int, blocks: Int) {
        await clients.pipeline.perform { context in
            var (pictures, missing, blocks) = (0, 0, 0)
            for case let sink as SteadySink in context.elements {
                let count = sink.take()
                (pictures, missing, blocks) = (
                    pictures + count.pictures, missing + count.missing, blocks + count.blocks
                )
            }
            return (pictures, missing, blocks)
        }
    }
}

func measurePassing() async throws {
    print("\n### Passing through\n")
    row(
        "publishers × viewers", "packets/s in", "out", "ns per packet", "allocations per packet",
        "packets/s of one core, in and out", "pictures/s per viewer", "missing")
    row("---", "--:", "--:", "--:", "--:", "--:", "--:", "--:")
    for (publishers, viewers) in [(1, 1), (8, 1), (1, 20)] {
        let passing = Passing(publishers: publishers, viewers: viewers)
        guard try await passing.begin() else {
            say("not everybody got through")
            continue
        }
        // Estimates rise and caches fill first.
        await passing.server.pause(.seconds(isQuick ? 4 : 12))
        _ = await passing.counts()
        let before = await passing.figures()
        let seconds = isQuick ? 5.0 : 15.0
        await passing.server.pause(.seconds(seconds))
        let after = await passing.figures()
        let counts = await passing.counts()
        let packets = Double(after.received + after.sent - before.received - before.sent)
        let nanoseconds = Double(after.nanoseconds - before.nanoseconds) / packets
        row(
            "\(publishers) × \(viewers)", fixed(Double(after.received - before.received) / seconds, 0),
            fixed(Double(after.sent - before.sent) / seconds, 0), fixed(nanoseconds, 0),
            fixed(Double(after.allocations - before.allocations) / packets, 2), fixed(1e9 / nanoseconds, 0),
            fixed(Double(counts.pictures) / seconds / Double(publishers * viewers), 1), "\(counts.missing)")
        await passing.server.pipeline.release()
        await passing.clients.pipeline.release()
    }
}

/// Where the server's loop allocates while one publisher has four viewers.
func tracePassing() async throws {
    let passing = Passing(publishers: 1, viewers: 4)
    guard try await passing.begin() else { return }
    await passing.server.pause(.seconds(5))
    await passing.server.pipeline.perform { _ in callocations_trace(4000) }
    await passing.server.pause(.seconds(3))
}
