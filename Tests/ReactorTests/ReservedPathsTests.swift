import Core
import Glibc
import Testing

@testable import Reactor

/// Known peers' datagrams and strangers', at one port of a real system.
@Suite(.ownThread, .serialized, .timeLimit(.minutes(2))) struct ReservedPathsTests {
    private static let loopbacks = [IPAddress.loopbackV4, IPAddress.loopbackV6]

    /// A probe with a port, its buffer small, so that little fills it.
    private func server(_ ip: IPAddress) async throws -> (NetworkProbe, SocketAddress) {
        var options = NetworkOptions()
        options.socketBufferBytes = 64 << 10
        let probe = await NetworkProbe(options)
        return (probe, try await probe.with { try $0.openUDP(SocketAddress(ip, 0)) })
    }

    /// A client at some port.
    private func client(_ ip: IPAddress) async throws -> (NetworkProbe, SocketAddress) {
        let probe = await NetworkProbe()
        return (probe, try await probe.with { try $0.openUDP(SocketAddress(ip, 0)) })
    }

    /// Reserves and waits until it is in force: its timer is due before ours.
    private func reserve(_ paths: [NetworkPath], _ probe: NetworkProbe) async throws {
        try await probe.with { network in for path in paths { network.reserve(path) } }
        await settle(probe)
    }

    private func settle(_ probe: NetworkProbe) async {
        await probe.pause(ReservedPaths.updateInterval + .milliseconds(50))
    }

    private func send(
        _ messages: [[UInt8]], _ probe: NetworkProbe, from local: SocketAddress, to remote: SocketAddress
    ) async throws {
        try await probe.with { network in
            for bytes in messages {
                bytes.withUnsafeBytes { network.send($0, over: NetworkPath(.udp, local: local, remote: remote)) }
            }
        }
    }

    /// What looks like RTP, numbered.
    private func media(_ count: Int, bytes: Int = 100) -> [[UInt8]] {
        (0..<count).map { [0x80, 96, UInt8($0 >> 8), UInt8($0 & 0xFF)] + [UInt8](repeating: 1, count: bytes) }
    }

    /// Sends so much from a stranger that the server's buffer overflows while its loop is held up, then from a client;
    /// returns how many of the client's twenty came.
    private func arrivals(
        _ server: NetworkProbe, _ address: SocketAddress, _ known: (NetworkProbe, SocketAddress)
    ) async throws -> Int {
        let (stranger, strange) = try await client(address.ip)
        server.seen.withLock { $0 = .init() }
        let isDone = Lock(false)
        async let held: Void = server.on { while !isDone.withLock({ $0 }) { usleep(1000) } }
        for _ in 0..<10 { try await send(media(100, bytes: 1000), stranger, from: strange, to: address) }
        try await send(media(20), known.0, from: known.1, to: address)
        // Both loops have sent when they come back to something else.
        await stranger.on {}
        await known.0.on {}
        isDone.withLock { $0 = true }
        await held
        await server.pause(.milliseconds(300))
        return server.seen.withLock { $0.datagrams.count { $0.path.remote == known.1 } }
    }

    @Test(
        "A full buffer costs strangers' datagrams, and those of peers only without a reservation",
        arguments: loopbacks)
    func floods(_ ip: IPAddress) async throws {
        let (server, address) = try await server(ip)
        let known = try await client(ip)
        #expect(try await arrivals(server, address, known) == 0)
        let path = NetworkPath(.udp, local: address, remote: known.1)
        try await reserve([path], server)
        #expect(try await arrivals(server, address, known) == 20)
        let datagrams = server.seen.withLock { $0.datagrams.filter { $0.path.remote == known.1 } }
        #expect(datagrams.map(\.bytes) == media(20) && datagrams.allSatisfy { $0.path == path })
        #expect(try await server.with { $0.counters.reservationsRefused } == 0)
        // The peer's address changes: the new one is apart, the old one no longer.
        let moved = try await client(ip)
        try await server.with { network in
            network.release(path)
            network.reserve(NetworkPath(.udp, local: address, remote: moved.1))
        }
        await settle(server)
        #expect(try await arrivals(server, address, known) == 0)
        #expect(try await arrivals(server, address, moved) == 20)
    }

    @Test("Nothing is lost, doubled or misread while peers come and go", arguments: loopbacks)
    func hurries(_ ip: IPAddress) async throws {
        var options = NetworkOptions()
        options.socketBufferBytes = 4 << 20
        let server = await NetworkProbe(options)
        let address = try await server.with { try $0.openUDP(SocketAddress(ip, 0)) }
        let clients = [try await client(ip), try await client(ip)]
        let paths = clients.map { NetworkPath(.udp, local: address, remote: $0.1) }
        for round in 0..<20 {
            let path = paths[round % 2]
            try await server.with { network in
                if round % 4 < 2 { network.reserve(path) } else { network.release(path) }
            }
            // The change comes in the middle of these.
            for part in 0..<6 {
                for (probe, local) in clients {
                    let whole = media(1200)[(round * 60 + part * 10)..<(round * 60 + part * 10 + 10)]
                    try await send(Array(whole), probe, from: local, to: address)
                }
                await server.pause(.milliseconds(25))
            }
        }
        #expect(await server.wait { $0.count >= 2400 })
        for (_, local) in clients {
            let came = server.seen.withLock { $0.datagrams.filter { $0.path.remote == local }.map(\.bytes) }
            #expect(Set(came) == Set(media(1200)) && came.count == 1200)
        }
    }

    @Test("Of strangers only STUN, DTLS and RTP come in; of peers everything")
    func strangersMustLookLikePeers() async throws {
        let (server, address) = try await server(.loopbackV4)
        let (known, stranger) = (try await client(.loopbackV4), try await client(.loopbackV4))
        try await reserve([NetworkPath(.udp, local: address, remote: known.1)], server)
        let rest = [UInt8](repeating: 0, count: 30)
        let cookie: [UInt8] = [0x21, 0x12, 0xA4, 0x42]
        let good: [[UInt8]] = [
            [0, 1, 0, 0] + cookie + rest, [1, 1, 0, 0] + cookie + rest, [3, 0xFF, 0, 0] + cookie + rest,
            [20, 254, 253] + rest, [22, 254, 255] + rest, [26, 254, 253] + rest, [128, 96] + rest, [191, 200] + rest,
            [0, 1, 0, 0] + cookie + [UInt8](repeating: 0, count: 12),
        ]
        let bad: [[UInt8]] = [
            [0, 1, 0, 0] + rest, [4, 1, 0, 0] + cookie + rest, [19, 254, 253] + rest, [27, 254, 253] + rest,
            [22, 3, 3] + rest, [127, 96] + rest, [192, 96] + rest, [255] + rest, [], [128, 96, 0],
            [0, 1, 0, 0] + cookie + [UInt8](repeating: 0, count: 11),
        ]
        for (probe, local) in [known, stranger] { try await send(good + bad, probe, from: local, to: address) }
        #expect(await server.wait { $0.count >= 2 * good.count + bad.count })
        await server.pause(.milliseconds(50))
        let seen = server.seen.withLock { $0.datagrams }
        #expect(seen.filter { $0.path.remote == stranger.1 }.map(\.bytes) == good)
        #expect(seen.filter { $0.path.remote == known.1 }.map(\.bytes) == good + bad)
    }

    @Test func thePortStaysOurs() async throws {
        let (server, address) = try await server(.loopbackV4)
        let path = NetworkPath(.udp, local: address, remote: SocketAddress(.loopbackV4, 9))
        try await reserve([path], server)
        let other = await NetworkProbe()
        let error = await #expect(throws: NetworkError.self) { try await other.with { try $0.openUDP(address) } }
        #expect(error?.description.contains("Address already in use") == true)
        // Closed, it is anybody's at once, and what was reserved there is gone with it.
        try await server.with { network in
            network.close(.udp, address)
            network.release(path)
        }
        #expect(try await other.with { try $0.openUDP(address) } == address)
    }

    @Test("Beyond the limit peers wait, and come in when others leave")
    func limits() async throws {
        let (server, address) = try await server(.loopbackV4)
        let known = try await client(.loopbackV4)
        let path = NetworkPath(.udp, local: address, remote: known.1)
        let others = (0..<ReservedPaths.pathsMax).map {
            NetworkPath(.udp, local: address, remote: SocketAddress(IPAddress(v4: 0xC000_0200), UInt16($0 + 1)))
        }
        try await reserve(others + [path], server)
        #expect(try await server.with { $0.reserved(at: address) } == [ReservedPaths.pathsMax, 1])
        #expect(try await arrivals(server, address, known) == 0)
        try await server.with { $0.release(others[5]) }
        await settle(server)
        #expect(try await server.with { $0.reserved(at: address) } == [ReservedPaths.pathsMax, 0])
        #expect(try await arrivals(server, address, known) == 20)
        #expect(try await server.with { $0.counters.reservationsRefused } == 0)
    }

    @Test func descriptorsComeBack() async throws {
        let before = openDescriptors()
        let (server, _) = try await server(.loopbackV4)
        for _ in 0..<3 {
            let addresses = try await server.with { network in
                let addresses = try (0..<200).map { _ in try network.openUDP(SocketAddress(.loopbackV4, 0)) }
                for address in addresses {
                    network.reserve(NetworkPath(.udp, local: address, remote: SocketAddress(.loopbackV4, 9)))
                }
                return addresses
            }
            await settle(server)
            #expect(openDescriptors() >= before + 300)
            try await server.with { network in for address in addresses { network.close(.udp, address) } }
        }
        let haveReturned = try await descriptorsReturn(to: before)
        #expect(haveReturned)
    }
}

extension LoopNetwork {
    /// Paths of a socket that are apart, and those that wait to be.
    fileprivate func reserved(at address: SocketAddress) -> [Int] {
        (self as? SystemNetwork)?.reserved(at: address) ?? []
    }
}
