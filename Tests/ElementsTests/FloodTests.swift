import Core
import Elements
import Glibc
import LoopbackRig
import Media
import Testing

/// A call over real sockets while datagrams that nobody asked for come to the server's port.
/// Pictures and sound are counted. `TESSERA_FLOOD=10` makes it ten seconds of each kind, wants all of the hundred
/// thousand datagrams a second, and looks at the gaps.
@Suite(.serialized) struct FloodTests {
    /// In a process of its own, so that nothing else is on its loops.
    @Test(.tags(.slow)) func aFloodDoesNotDisturbACall() async throws {
        await #expect(processExitsWith: .success) { try await FloodTests().run() }
    }

    private func run() async throws {
        let asked = getenv("TESSERA_FLOOD").flatMap { Int(String(cString: $0)) }
        let seconds = asked ?? 2
        let (clients, server) = (LoopbackServer(isCrowd: true), LoopbackServer())
        for name in ["in", "out"] {
            for side in [clients, server] { try await side.addEndpoint(name, WebRtcEndpoint.Options()) }
        }
        try await clients.pipeline.perform { context in
            let source = SteadySource(context, name: "source", bytes: 4000)
            let sink = SteadySink(context, name: "sink")
            guard let from = context.element(named: "in"), let to = context.element(named: "out") else { return }
            try source.connect(to: from)
            for kind in [MediaKind.audio, .video] { try to.connect(to: sink, kind: kind) }
        }
        try await server.pipeline.perform { context in
            guard let from = context.element(named: "in"), let to = context.element(named: "out") else { return }
            for kind in [MediaKind.audio, .video] { try from.connect(to: to, kind: kind) }
        }
        for name in ["in", "out"] { #expect(try await clients.call(name, server, name)) }
        let port = try #require(try await server.port())
        await server.pause(.seconds(2))

        let ufrag = try #require(try await server.endpoint("in") { $0.localUfrag })
        let count = { await clients.pipeline.perform { ($0.element(named: "sink") as? SteadySink)?.take() } }
        _ = await count()
        await server.pause(.seconds(Double(seconds)))
        let calm = try #require(await count())
        let shapes: [DatagramFlood.Shape] =
            asked == nil ? [.mixed] : [.mixed, .random, .rtp, .stun(ufrag: ufrag)]
        for shape in shapes {
            let (before, dropped) = (try await server.strangers(), datagramsDropped(at: port.port))
            // Many more than a debug build takes in would also take the machine from the tests beside this one; that
            // an overflow costs strangers only is in `ReservedPathsTests`, which need no clock.
            let flood = await DatagramFlood().run(
                to: port, shape: shape, perSecond: asked == nil ? 20_000 : 100_000, seconds: Double(seconds))
            let flooded = try #require(await count())
            let reached = try await server.strangers() - before
            let lost = datagramsDropped(at: port.port) - dropped
            let text = """
                \(shape): \(flood.sent) datagrams at \(Int(flood.perSecond)) a second, \(reached) reached the server, \
                \(lost) the kernel dropped; \
                calm: \(calm.pictures) pictures, \(calm.missing) missing, longest gap \(calm.longestGap), \
                \(calm.blocks) blocks of sound; flooded: \(flooded.pictures), \(flooded.missing), \
                \(flooded.longestGap), \(flooded.blocks)
                """
            // Tests run on busy machines too; what the flood must be there for is that there is one.
            #expect(flood.perSecond > (asked == nil ? 5000 : 95_000), "\(text)")
            if shape != .stun(ufrag: ufrag) { #expect(reached + lost > flood.sent / 2, "\(text)") }
            #expect(calm.pictures >= 28 * seconds && flooded.pictures >= calm.pictures * 95 / 100, "\(text)")
            #expect(flooded.missing == 0 && flooded.blocks >= calm.blocks * 95 / 100, "\(text)")
            guard asked != nil else { continue }
            // What else the machine does holds pictures up for longer than the flood.
            #expect(flooded.longestGap < max(.milliseconds(100), calm.longestGap + calm.longestGap), "\(text)")
            _ = write(STDERR_FILENO, "flood: \(text)\n", text.utf8.count + 8)
        }
    }
}
