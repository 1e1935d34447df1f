import Core
import Elements
import Glibc
import LoopbackRig
import Media

/// A call through the server, counted without and with floods at the server's port.
func measureFlood() async throws {
    let passing = Passing(publishers: 1, viewers: 1)
    guard try await passing.begin(), let port = try await passing.server.port() else { return say("no connection") }
    let seconds = isQuick ? 4.0 : 10.0
    await passing.server.pause(.seconds(4))
    print("\n### A call under a flood\n\nOne publisher, one viewer, \(fixed(seconds, 0)) s each way of it.\n")
    row(
        "flood", "datagrams/s sent",
        "reached the server", "dropped by the kernel", "pictures", "missing", "longest gap, ms",
        "blocks of sound", "loop, % of a core")
    row("---", "--:", "--:", "--:", "--:", "--:", "--:", "--:", "--:")
    let ufrag = try await passing.server.endpoint("in-0") { $0.localUfrag } ?? ""
    let floods: [(name: String, shape: DatagramFlood.Shape?)] = [
        ("none", nil), ("mixed", .mixed), ("random bytes", .random), ("RTP", .rtp), ("STUN", .stun(ufrag: ufrag)),
        ("none", nil),
    ]
    for (name, shape) in floods {
        let sink = {
            await passing.clients.pipeline.perform { ($0.element(named: "sink-out-0-0") as? SteadySink)?.take() }
        }
        let (strangers, dropped) = (try await passing.server.strangers(), datagramsDropped(at: port.port))
        _ = await sink()
        let before = await passing.figures()
        var flood = DatagramFlood.Outcome()
        if let shape {
            flood = await DatagramFlood().run(to: port, shape: shape, perSecond: 100_000, seconds: seconds)
        } else {
            await passing.server.pause(.seconds(seconds))
        }
        let count = await sink()
        let after = await passing.figures()
        row(
            name, fixed(flood.perSecond, 0), "\(try await passing.server.strangers() - strangers)",
            "\(datagramsDropped(at: port.port) - dropped)",
            "\(count?.pictures ?? 0)", "\(count?.missing ?? 0)",
            fixed((count?.longestGap.seconds ?? 0) * 1000, 1), "\(count?.blocks ?? 0)",
            fixed(Double(after.nanoseconds - before.nanoseconds) / 1e9 / seconds * 100, 1))
    }
    for side in [passing.clients, passing.server] { await side.pipeline.release() }
}
