import Core
import Elements
import Glibc
import LoopbackRig
import Media
import Transport

/// CPU of connected endpoints without media: consent checks, reports, timers.
func measureIdle() async throws {
    let (clients, server) = (LoopbackServer(isCrowd: true), LoopbackServer())
    let count = isQuick ? 50 : 200
    for number in 0..<count {
        for side in [clients, server] { try await side.addEndpoint("peer-\(number)", WebRtcEndpoint.Options()) }
        guard try await clients.call("peer-\(number)", server, "peer-\(number)") else { return say("no connection") }
    }
    await server.pause(.seconds(isQuick ? 3 : 8))
    let time = { await server.pipeline.perform { $0.host.threadCPUNanoseconds() } }
    let (before, process) = (await time(), processTime())
    let seconds = isQuick ? 8.0 : 30.0
    await server.pause(.seconds(seconds))
    let loop = Double(await time() - before) / 1e9
    let whole = processTime() - process
    for side in [clients, server] { await side.pipeline.release() }
    print("\n### Idle endpoints\n\nConnected, audio and video agreed on, no media, \(fixed(seconds, 0)) s.\n")
    row("endpoints", "% of a core each, the loop", "% of a core each, the process and both sides")
    row("--:", "--:", "--:")
    row(
        "\(count)", fixed(100 * loop / seconds / Double(count), 4),
        fixed(100 * whole / seconds / Double(2 * count), 4))
}

/// Resident memory of endpoints: made and negotiated, then connected, then released.
func measureMemory() async throws {
    let (clients, server) = (LoopbackServer(isCrowd: true), LoopbackServer())
    let count = isQuick ? 100 : 500
    func all(_ body: (String) async throws -> Void) async throws {
        for number in 0..<count { try await body("peer-\(number)") }
    }
    // Warm: codes, certificates, pools.
    for name in ["a", "b"] {
        for side in [clients, server] { try await side.addEndpoint(name, WebRtcEndpoint.Options()) }
        _ = try await clients.call(name, server, name)
    }
    let (start, heap) = (residentKiB(), heapKiB())
    let offers = Lock<[String: String]>([:])
    try await all { name in
        try await clients.addEndpoint(name, WebRtcEndpoint.Options())
        let offer = try await clients.endpoint(name) { try $0.generateOffer() }
        offers.withLock { $0[name] = offer }
    }
    let offering = residentKiB()
    try await all { name in
        try await server.addEndpoint(name, WebRtcEndpoint.Options())
        guard let offer = offers.withLock({ $0[name] }) else { return }
        try await server.endpoint(name) { endpoint in
            _ = try endpoint.processOffer(offer)
            endpoint.gatherCandidates()
        }
    }
    let negotiated = residentKiB()
    await server.pipeline.release()
    await clients.pipeline.release()
    offers.withLock { $0 = [:] }
    // The last of them end on their own threads.
    await server.pause(.seconds(3))
    let released = residentKiB()
    for side in [clients, server] { try await all { try await side.addEndpoint($0, WebRtcEndpoint.Options()) } }
    try await all { name in
        guard try await clients.call(name, server, name) else { return say("no connection") }
    }
    let connected = residentKiB()
    await server.pipeline.release()
    await clients.pipeline.release()
    // The last of them end on their own threads.
    await server.pause(.seconds(3))
    let end = residentKiB()
    let left = heapKiB() - heap
    let each = { (kib: Int) in fixed(Double(kib) / Double(count), 1) }
    print("\n### Memory\n\nResident, \(count) endpoints.\n")
    row("state", "KiB each")
    row("---", "--:")
    row("created, its offer made", each(offering - start))
    row("created and negotiated: offer answered, candidates gathered", each(negotiated - offering))
    row("connected, DTLS done (half of both sides)", fixed(Double(connected - released) / Double(2 * count), 1))
    row("left after all are released, resident", fixed(Double(end - start) / Double(4 * count), 1))
    row("left after all are released, in use", fixed(Double(left) / Double(4 * count), 2))
}

/// CPU and wall time of making, negotiating and joining.
func measureJoins() async throws {
    let (clients, server) = (LoopbackServer(isCrowd: true), LoopbackServer())
    let count = isQuick ? 100 : 500
    for side in [clients, server] { try await side.addEndpoint("first", WebRtcEndpoint.Options()) }
    guard try await clients.call("first", server, "first") else { return say("no connection") }
    var offers: [String] = []
    for number in 0..<count {
        try await clients.addEndpoint("peer-\(number)", WebRtcEndpoint.Options())
        offers.append(
            try await clients.endpoint("peer-\(number)") { endpoint in
                let early = try endpoint.generateOffer()
                endpoint.gatherCandidates()
                return endpoint.localSessionDescriptor ?? early
            })
    }
    // Each with its certificate, as if none were shared: what a certificate costs is told apart too.
    let certificates = processTime()
    for _ in 0..<count { _ = try Certificate.selfSigned(.ecdsaP256, unixSeconds: 1_700_000_000) }
    let certificate = (processTime() - certificates) / Double(count)
    let (cpu, wall) = (processTime(), wallTime())
    for number in 0..<count {
        try await server.addEndpoint("peer-\(number)", WebRtcEndpoint.Options())
        let offer = offers[number]
        _ = try await server.endpoint("peer-\(number)") { endpoint in
            let early = try endpoint.processOffer(offer)
            endpoint.gatherCandidates()
            return endpoint.localSessionDescriptor ?? early
        }
    }
    let made = ((processTime() - cpu) / Double(count), (wallTime() - wall) / Double(count))
    for side in [clients, server] { await side.pipeline.release() }
    // The server's loop alone, from nothing to connected; the other side's is on another thread.
    let loop = { await server.pipeline.perform { $0.host.threadCPUNanoseconds() } }
    let before = await loop()
    let start = wallTime()
    for number in 0..<count {
        for side in [clients, server] { try await side.addEndpoint("join-\(number)", WebRtcEndpoint.Options()) }
        guard try await clients.call("join-\(number)", server, "join-\(number)") else { return say("no connection") }
    }
    let joined = (Double(await loop() - before) / 1e9 / Double(count), (wallTime() - start) / Double(count))
    for side in [clients, server] { await side.pipeline.release() }
    print("\n### Making endpoints\n")
    row("step", "ms of CPU each", "each second of one core")
    row("---", "--:", "--:")
    row("an ECDSA key and its certificate (a server makes one)", fixed(1000 * certificate, 3), "")
    row("created and negotiated", fixed(1000 * made.0, 3), fixed(1 / made.0, 0))
    row("the same with a key of its own", fixed(1000 * (made.0 + certificate), 3), fixed(1 / (made.0 + certificate), 0))
    row("created, negotiated, ICE and DTLS done", fixed(1000 * joined.0, 3), fixed(1 / joined.0, 0))
    print("\nFrom nothing to connected, one after the other: \(fixed(1000 * joined.1, 1)) ms of wall time.")
}
