import Core
import Glibc
import Testing

@testable import Reactor

@Suite(.ownThread, .timeLimit(.minutes(2))) struct TCPSocketsTests {
    /// Two probes with a connection between them; the path as the client sees it.
    private func connected(
        _ ip: IPAddress = .loopbackV4, _ options: NetworkOptions = NetworkOptions(), echoes: Bool = false
    ) async throws -> (client: NetworkProbe, server: NetworkProbe, path: NetworkPath) {
        let server = await NetworkProbe(options, echoes: echoes)
        let client = await NetworkProbe()
        let there = try await server.with { try $0.listenTCP(SocketAddress(ip, 0)) }
        let here = try await client.with { try $0.connectTCP(from: ip, to: there) }
        try #require(await client.wait { !$0.connected.isEmpty })
        try #require(await server.wait { !$0.connected.isEmpty })
        return (client, server, NetworkPath(.tcp, local: here, remote: there))
    }

    @Test("Bytes go both ways, in order and whole", arguments: [IPAddress.loopbackV4, .loopbackV6])
    func echo(_ ip: IPAddress) async throws {
        let (client, server, path) = try await connected(ip, echoes: true)
        #expect(client.seen.withLock { $0.connected } == [path])
        let mirrored = NetworkPath(.tcp, local: path.remote, remote: path.local)
        #expect(server.seen.withLock { $0.connected } == [mirrored])
        let sent = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        try await client.with { network in
            // In pieces, as frames come.
            for start in stride(from: 0, to: sent.count, by: 1000) {
                sent[start..<(start + 1000)].withUnsafeBytes { network.send($0, over: path) }
            }
        }
        #expect(await client.wait { $0.datagrams.reduce(0) { $0 + $1.bytes.count } == sent.count })
        #expect(client.seen.withLock { $0.datagrams.flatMap(\.bytes) } == sent)
        try await client.with { $0.disconnect(path) }
        #expect(await server.wait { $0.disconnected.map(\.path) == [mirrored] })
        #expect(server.seen.withLock { $0.disconnected.map(\.reason) } == ["closed by the other side"])
        #expect(client.seen.withLock { $0.disconnected.isEmpty }, "who closes is not told")
    }

    @Test func whatIsQueuedAtTheEndStillGoes() async throws {
        let (client, server, path) = try await connected()
        try await client.with { network in
            [1, 2, 3 as UInt8].withUnsafeBytes { network.send($0, over: path) }
            network.disconnect(path)
        }
        #expect(await server.wait { !$0.disconnected.isEmpty })
        #expect(server.seen.withLock { $0.datagrams.flatMap(\.bytes) } == [1, 2, 3])
    }

    @Test func closedPortsRefuse() async throws {
        let client = await NetworkProbe()
        let there = try await client.with { network in
            let address = try network.listenTCP(SocketAddress(.loopbackV4, 0))
            network.close(.tcp, address)
            return address
        }
        let here = try await client.with { try $0.connectTCP(from: .anyV4, to: there) }
        #expect(await client.wait { !$0.disconnected.isEmpty })
        let end = client.seen.withLock { $0.disconnected[0] }
        #expect(end.path == NetworkPath(.tcp, local: here, remote: there) && end.reason == "Connection refused")
    }

    @Test func aSideThatDoesNotReadIsClosed() async throws {
        var options = NetworkOptions()
        options.connectionQueueBytesMax = 100_000
        let server = await NetworkProbe(options)
        let there = try await server.with { try $0.listenTCP(SocketAddress(.loopbackV4, 0)) }
        let reader = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(reader) }
        connectPlain(reader, there)
        try #require(await server.wait { !$0.connected.isEmpty })
        let path = server.seen.withLock { $0.connected[0] }
        let bytes = [UInt8](repeating: 1, count: 10_000)
        // More than the kernel's buffers and our queue hold together.
        for _ in 0..<200 {
            try await server.with { network in
                for _ in 0..<5 { bytes.withUnsafeBytes { network.send($0, over: path) } }
            }
        }
        #expect(await server.wait { $0.disconnected.count == 1 })
        #expect(server.seen.withLock { $0.disconnected[0].reason }.contains("100000 bytes wait"))
        #expect(try await server.with { $0.counters.connectionsOverflowed } == 1)
    }

    @Test func idleConnectionsEnd() async throws {
        var options = NetworkOptions()
        options.connectionIdleMax = .milliseconds(400)
        let (client, server, path) = try await connected(.loopbackV4, options)
        for _ in 0..<5 {
            await client.pause(.milliseconds(50))
            try await client.with { network in [1].withUnsafeBytes { network.send($0, over: path) } }
        }
        #expect(server.seen.withLock { $0.disconnected.isEmpty }, "what moves is not idle")
        #expect(await client.wait { !$0.disconnected.isEmpty })
        #expect(try await server.with { $0.counters.connectionsIdled } == 1)
    }

    @Test func thereIsALimit() async throws {
        var options = NetworkOptions()
        options.connectionsMax = 3
        let server = await NetworkProbe(options)
        let client = await NetworkProbe()
        let there = try await server.with { try $0.listenTCP(SocketAddress(.loopbackV4, 0)) }
        for _ in 0..<5 { _ = try await client.with { try $0.connectTCP(from: .loopbackV4, to: there) } }
        #expect(await client.wait { $0.disconnected.count == 2 })
        #expect(server.seen.withLock { $0.connected.count } == 3)
        #expect(try await server.with { $0.counters.connectionsRefused } == 2)
        await #expect(throws: NetworkError.self) {
            _ = try await server.with { try $0.connectTCP(from: .loopbackV4, to: there) }
        }
    }

    @Test func thousandsLeaveNothingBehind() async throws {
        let server = await NetworkProbe(keeps: false, echoes: true)
        let client = await NetworkProbe(keeps: false)
        let there = try await server.with { try $0.listenTCP(SocketAddress(.loopbackV4, 0)) }
        let before = openDescriptors()
        var made = 0
        while made < 2000 {
            let paths = try await client.with { network in
                try (0..<50).map { _ in
                    NetworkPath(.tcp, local: try network.connectTCP(from: .loopbackV4, to: there), remote: there)
                }
            }
            made += paths.count
            let total = made
            try #require(await client.wait { $0.connected.count == total })
            try await client.with { network in for path in paths { network.disconnect(path) } }
            try #require(await server.wait { $0.disconnected.count == total })
        }
        let haveReturned = try await descriptorsReturn(to: before)
        #expect(haveReturned)
    }
}

/// Connects a blocking socket.
func connectPlain(_ descriptor: Int32, _ address: SocketAddress) {
    var remote = sockaddr_in()
    remote.sin_family = sa_family_t(AF_INET)
    remote.sin_port = address.port.bigEndian
    remote.sin_addr.s_addr = UInt32(truncatingIfNeeded: address.ip.low).bigEndian
    withUnsafePointer(to: &remote) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            _ = connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
}
