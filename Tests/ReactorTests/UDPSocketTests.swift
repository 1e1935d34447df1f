import Core
import Glibc
import Synchronization
import Testing

@testable import Reactor

@Suite(.ownThread, .timeLimit(.minutes(2))) struct UDPSocketTests {
    private static let loopbacks = [IPAddress.loopbackV4, IPAddress.loopbackV6]

    @Test("What is sent comes back, in order, from the address it was sent to", arguments: loopbacks)
    func echo(_ ip: IPAddress) async throws {
        let server = await NetworkProbe(keeps: false, echoes: true)
        let client = await NetworkProbe()
        let there = try await server.with { try $0.openUDP(SocketAddress(ip, 0)) }
        let here = try await client.with { try $0.openUDP(SocketAddress(ip, 0)) }
        #expect(there.port != 0 && there.ip == ip && here.port != there.port)
        let path = NetworkPath(.udp, local: here, remote: there)
        // Sizes that differ, runs of equal ones, and an empty one.
        let sent = (0..<300).map { index in
            [UInt8](repeating: UInt8(truncatingIfNeeded: index), count: index < 200 ? index * 7 : 1200)
        }
        try await client.with { network in
            for bytes in sent { bytes.withUnsafeBytes { network.send($0, over: path) } }
        }
        #expect(await client.wait { $0.datagrams.count == 300 })
        let datagrams = client.seen.withLock { $0.datagrams }
        #expect(datagrams.map(\.bytes) == sent)
        #expect(datagrams.allSatisfy { $0.path == path })
        let counters = try await client.with { $0.counters }
        #expect(counters.datagramsSent == 300 && counters.datagramsReceived == 300)
        #expect(counters.bytesSent == sent.reduce(0) { $0 + $1.count })
    }

    @Test("Bound to any address, it says which one was meant, and answers from it", arguments: [true, false])
    func anyAddress(_ isV4: Bool) async throws {
        let server = await NetworkProbe(echoes: true)
        let client = await NetworkProbe()
        let any: IPAddress = isV4 ? .anyV4 : .anyV6
        // 127.0.0.2 is ours as much as 127.0.0.1: the kernel alone would answer from the wrong one.
        let target = isV4 ? IPAddress(v4: 0x7F00_0002) : .loopbackV6
        let there = try await server.with { try $0.openUDP(SocketAddress(any, 0)) }
        let here = try await client.with { try $0.openUDP(SocketAddress(isV4 ? .loopbackV4 : .loopbackV6, 0)) }
        #expect(there.ip == any)
        let path = NetworkPath(.udp, local: here, remote: SocketAddress(target, there.port))
        try await client.with { network in [1, 2, 3].withUnsafeBytes { network.send($0, over: path) } }
        #expect(await client.wait { !$0.datagrams.isEmpty })
        #expect(server.seen.withLock { $0.datagrams.first?.path.local } == path.remote)
        #expect(client.seen.withLock { $0.datagrams.first?.path } == path)
    }

    @Test func datagramsComeInBatches() async throws {
        let probe = await NetworkProbe(keeps: false)
        let address = try await probe.with { try $0.openUDP(SocketAddress(.loopbackV4, 0)) }
        let sender = plainUDP(to: address)
        defer { close(sender.descriptor) }
        let bytes = [UInt8](repeating: 7, count: 1200)
        // The loop is held up while they arrive, so that they wait together.
        await probe.on { for _ in 0..<256 { _ = send(sender.descriptor, bytes, bytes.count, 0) } }
        #expect(await probe.wait { $0.count == 256 })
        #expect(probe.seen.withLock { $0.batches } <= 8)
    }

    @Test("Runs cut by the kernel arrive as the packets they are", arguments: loopbacks, [true, false])
    func segments(_ ip: IPAddress, _ segments: Bool) async throws {
        var options = NetworkOptions()
        options.segments = segments
        let sender = await NetworkProbe(options)
        let receiver = await NetworkProbe()
        let there = try await receiver.with { try $0.openUDP(SocketAddress(ip, 0)) }
        let other = try await receiver.with { try $0.openUDP(SocketAddress(ip, 0)) }
        let here = try await sender.with { try $0.openUDP(SocketAddress(ip, 0)) }
        // A run with a shorter end, a longer one that begins anew, one packet between for another peer, 100 in a row.
        var sizes = [1000, 1000, 1000, 400, 1100, 1100]
        sizes += [Int](repeating: 900, count: 100)
        let sent = sizes.enumerated().map { [UInt8](repeating: UInt8($0.offset), count: $0.element) }
        try await sender.with { network in
            for (index, bytes) in sent.enumerated() {
                if index == 50 {
                    [9].withUnsafeBytes { network.send($0, over: NetworkPath(.udp, local: here, remote: other)) }
                }
                bytes.withUnsafeBytes { network.send($0, over: NetworkPath(.udp, local: here, remote: there)) }
            }
        }
        #expect(await receiver.wait { $0.count == sent.count + 1 })
        let datagrams = receiver.seen.withLock { $0.datagrams }
        #expect(datagrams.filter { $0.path.local == there }.map(\.bytes) == sent)
        #expect(try await sender.with { $0.counters.droppedRefused } == 0)
    }

    @Test func aRunTheKernelRefusesGoesInSingles() async throws {
        let sender = await NetworkProbe()
        let receiver = await NetworkProbe()
        let there = try await receiver.with { try $0.openUDP(SocketAddress(.loopbackV4, 0)) }
        let here = try await sender.with { try $0.openUDP(SocketAddress(.loopbackV4, 0)) }
        let path = NetworkPath(.udp, local: here, remote: there)
        // Two of 30 000 bytes make one message; no slot takes such a datagram, but every one is sent and counted.
        try await sender.with { network in
            let bytes = [UInt8](repeating: 1, count: 30_000)
            for _ in 0..<4 { bytes.withUnsafeBytes { network.send($0, over: path) } }
            [1].withUnsafeBytes { network.send($0, over: path) }
        }
        #expect(await receiver.wait { $0.count == 1 })
        #expect(try await receiver.with { $0.counters.droppedTooLong } == 4)
        #expect(try await sender.with { $0.counters.datagramsSent } == 5)
    }

    @Test func errorsOfOthersDisturbNobody() async throws {
        let probe = await NetworkProbe()
        let other = await NetworkProbe()
        let here = try await probe.with { try $0.openUDP(SocketAddress(.loopbackV4, 0)) }
        let there = try await other.with { try $0.openUDP(SocketAddress(.loopbackV4, 0)) }
        let closed = plainUDP()
        close(closed.descriptor)
        for _ in 0..<20 {
            try await probe.with { network in
                for remote in [SocketAddress(.loopbackV4, closed.port), SocketAddress(.loopbackV4, 0), there] {
                    [1].withUnsafeBytes { network.send($0, over: NetworkPath(.udp, local: here, remote: remote)) }
                }
                [1].withUnsafeBytes {
                    network.send(
                        $0, over: NetworkPath(.udp, local: SocketAddress(.loopbackV4, closed.port), remote: there))
                }
            }
        }
        #expect(await other.wait { $0.count == 20 })
        let counters = try await probe.with { $0.counters }
        #expect(counters.droppedRefused == 20 && counters.droppedNoSocket == 20)
    }

    @Test func setsDoNotSeeEachOther() async throws {
        let probe = await NetworkProbe()
        let first = try await probe.with { try $0.openUDP(SocketAddress(.loopbackV4, 0)) }
        let second = await probe.on { [loop = probe.loop] in loop.makeNetwork() }
        let sender = plainUDP(to: first)
        defer { close(sender.descriptor) }
        await probe.on {
            // The second set has no socket with that address.
            [1].withUnsafeBytes {
                second.send($0, over: NetworkPath(.udp, local: first, remote: SocketAddress(.loopbackV4, sender.port)))
            }
        }
        #expect(await probe.on { second.counters.droppedNoSocket } == 1)
        send(sender.descriptor, [1], 1, 0)
        #expect(await probe.wait { $0.count == 1 })
    }

    @Test func takenPortsAreSaidInWords() async throws {
        let probe = await NetworkProbe()
        let first = try await probe.with { try $0.openUDP(SocketAddress(.loopbackV4, 0)) }
        let error = await #expect(throws: NetworkError.self) {
            try await probe.with { try $0.openUDP(first) }
        }
        #expect(error?.description == "cannot open UDP \(first): Address already in use")
        let foreign = try #require(SocketAddress("192.0.2.77:5000"))
        let none = await #expect(throws: NetworkError.self) { try await probe.with { try $0.openUDP(foreign) } }
        #expect(none?.description.contains("Cannot assign requested address") == true)
    }

    @Test func portsComeFromTheRange() async throws {
        let probe = await NetworkProbe()
        let range = try #require(PortRange(45_210, 45_213))
        var ports: Set<UInt16> = []
        for _ in 0..<4 {
            ports.insert(try await probe.with { try $0.openUDP(SocketAddress(.loopbackV4, 0), in: range).port })
        }
        #expect(ports == [45_210, 45_211, 45_212, 45_213])
        let error = await #expect(throws: NetworkError.self) {
            try await probe.with { try $0.openUDP(SocketAddress(.loopbackV4, 0), in: range) }
        }
        #expect(error?.description.contains("no free port on 127.0.0.1 in 45210–45213") == true)
        try await probe.with { $0.close(.udp, SocketAddress(.loopbackV4, 45_211)) }
        #expect(try await probe.with { try $0.openUDP(SocketAddress(.loopbackV4, 0), in: range).port } == 45_211)
        #expect(PortRange(2, 1) == nil && PortRange(0, 1) == nil && PortRange(7, 7)?.count == 1)
    }

    @Test func pairsAreEvenAndSideBySide() async throws {
        let probe = await NetworkProbe()
        let range = PortRange(45_301, 45_306)
        let (rtp, rtcp) = try await probe.with { network in
            let pair = try network.openUDPPair(.loopbackV4, in: range)
            return (pair.rtp, pair.rtcp)
        }
        #expect(rtp.port == 45_302 && rtcp.port == 45_303)
    }

    @Test func droppedSetsCloseTheirSockets() async throws {
        let probe = await NetworkProbe()
        let address = try await probe.with { try $0.openUDP(SocketAddress(.loopbackV4, 0)) }
        await probe.drop()
        // The sockets are closed one turn later.
        await probe.on {}
        await probe.on {}
        let again = await probe.on { [loop = probe.loop] in
            let network = loop.makeNetwork()
            return (try? network.openUDP(address)) == address
        }
        #expect(again)
    }

    @Test("A flood of datagrams does not hold up timers or hand-overs")
    func floodIsFair() async throws {
        let probe = await NetworkProbe(keeps: false)
        let address = try await probe.with { try $0.openUDP(SocketAddress(.loopbackV4, 0)) }
        let isDone = Lock(false)
        let sent = Lock(0)
        let flood = startThread(named: "flood") {
            let sender = plainUDP(to: address)
            let bytes = [UInt8](repeating: 7, count: 200)
            while !isDone.withLock({ $0 }) {
                for _ in 0..<100 { _ = send(sender.descriptor, bytes, bytes.count, 0) }
                sent.withLock { $0 += 100 }
            }
            close(sender.descriptor)
        }
        _ = flood
        let host = probe.host
        let loop = probe.loop
        let late = Lock<[Int64]>([])
        let handovers = Lock<[Int64]>([])
        for _ in 0..<50 {
            let posted = host.now()
            await withCheckedContinuation { continuation in
                loop.post {
                    handovers.withLock { $0.append((host.now() - posted).nanoseconds) }
                    let deadline = host.now() + .milliseconds(5)
                    _ = loop.schedule(at: deadline) {
                        late.withLock { $0.append((host.now() - deadline).nanoseconds) }
                        continuation.resume()
                    }
                }
            }
        }
        isDone.withLock { $0 = true }
        let received = probe.seen.withLock { $0.count }
        #expect(received > 5000, "there was a flood")
        // The machine may be busy with something else; a starved loop would show seconds. What a flood does to a call
        // is in `FloodTests`.
        for waits in [late, handovers] {
            let sorted = waits.withLock { $0.sorted() }
            #expect(sorted[25] < 5_000_000 && sorted[45] < 50_000_000 && sorted[49] < 1_000_000_000)
        }
    }
}
