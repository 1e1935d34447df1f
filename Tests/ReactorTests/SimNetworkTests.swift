import Core
import TestKit
import Testing

/// Keeps what comes to one set of simulated sockets, and may send it back.
private final class SimProbe: NetworkReceiver {
    let network: any LoopNetwork
    var received: [(bytes: [UInt8], path: NetworkPath, at: Instant)] = []
    var connected: [NetworkPath] = []
    var disconnected: [String] = []
    let echoes: Bool

    init(_ machine: SimMachine, echoes: Bool = false) {
        network = machine.makeNetwork()
        self.echoes = echoes
        network.attach(self)
    }
    func receive(_ bytes: UnsafeMutableRawBufferPointer, over path: NetworkPath, at now: Instant) {
        received.append((Array(bytes), path, now))
        if echoes { network.send(UnsafeRawBufferPointer(bytes), over: path) }
    }
    func batchEnded(at now: Instant) {}
    func connected(_ path: NetworkPath, at now: Instant) { connected.append(path) }
    func disconnected(_ path: NetworkPath, reason: String, at now: Instant) { disconnected.append(reason) }
    func send(_ bytes: [UInt8], _ local: SocketAddress, _ remote: SocketAddress, _ kind: NetworkPath.Transport = .udp) {
        bytes.withUnsafeBytes { network.send($0, over: NetworkPath(kind, local: local, remote: remote)) }
    }
}

@Suite struct SimNetworkTests {
    private static func ip(_ last: UInt32) -> IPAddress { IPAddress(v4: 0xC633_6400 + last) }
    private static func inside(_ last: UInt32) -> IPAddress { IPAddress(v4: 0x0A00_0000 + last) }

    @Test func datagramsTakeTheirTimeAndComeBack() throws {
        let host = SimHost()
        let network = SimNetwork(host, seed: 1)
        let client = SimProbe(network.machine([Self.ip(1)], up: LinkConditions(delay: .milliseconds(10))))
        let server = SimProbe(
            network.machine([Self.ip(2)], down: LinkConditions(delay: .milliseconds(30))), echoes: true)
        let here = try client.network.openUDP(SocketAddress(Self.ip(1), 0))
        let there = try server.network.openUDP(SocketAddress(.anyV4, 5000))
        let start = host.now()
        client.send([1, 2], here, SocketAddress(Self.ip(2), 5000))
        host.run(limit: .seconds(1))
        #expect(there.port == 5000)
        #expect(server.received.map { ($0.at - start) } == [.milliseconds(40)])
        #expect(server.received.first?.path.local == SocketAddress(Self.ip(2), 5000))
        #expect(client.received.map(\.bytes) == [[1, 2]])
        #expect(client.received.first.map { $0.at - start } == .milliseconds(90))
        #expect(throws: NetworkError.self) { try server.network.openUDP(SocketAddress(Self.ip(2), 5000)) }
        #expect(throws: NetworkError.self) { try server.network.openUDP(SocketAddress(Self.ip(9), 0)) }
    }

    @Test func lossIsAFunctionOfTheSeed() throws {
        func run(_ seed: UInt64) throws -> [UInt8] {
            let host = SimHost()
            let network = SimNetwork(host, seed: seed)
            let client = SimProbe(network.machine([Self.ip(1)], up: LinkConditions(loss: .independent(0.3))))
            let server = SimProbe(network.machine([Self.ip(2)]))
            let here = try client.network.openUDP(SocketAddress(Self.ip(1), 0))
            let there = try server.network.openUDP(SocketAddress(Self.ip(2), 0))
            for index in 0..<200 { client.send([UInt8(index)], here, there) }
            host.run(limit: .seconds(1))
            return server.received.flatMap(\.bytes)
        }
        let first = try run(1)
        #expect((100..<180).contains(first.count))
        #expect(try run(1) == first)
        #expect(try run(2) != first)
    }

    @Test("Who may answer through a NAT", arguments: SimNAT.Kind.allCases)
    func translation(_ kind: SimNAT.Kind) throws {
        let host = SimHost()
        let network = SimNetwork(host, seed: 1)
        let nat = SimNAT(kind, address: Self.ip(100))
        let client = SimProbe(network.machine([Self.inside(2)], nat: nat))
        let neighbour = SimProbe(network.machine([Self.inside(3)], nat: nat))
        let first = SimProbe(network.machine([Self.ip(1)]), echoes: true)
        let second = SimProbe(network.machine([Self.ip(2)]), echoes: true)
        let here = try client.network.openUDP(SocketAddress(Self.inside(2), 0))
        let beside = try neighbour.network.openUDP(SocketAddress(Self.inside(3), 0))
        let one = try first.network.openUDP(SocketAddress(Self.ip(1), 0))
        let two = try second.network.openUDP(SocketAddress(Self.ip(2), 0))
        client.send([1], here, one)
        neighbour.send([9], beside, here)
        host.run(limit: .seconds(1))
        #expect(client.received.map(\.bytes).sorted { $0[0] < $1[0] } == [[1], [9]])
        let outside = try #require(first.received.first?.path.remote)
        #expect(outside.ip == Self.ip(100))
        // A stranger knocks at the port that the first one saw.
        second.send([2], two, outside)
        host.run(limit: .seconds(1))
        #expect(client.received.contains { $0.bytes == [2] } == (kind == .fullCone))
        // The client sends there: it may answer now, from the same port outside unless the NAT is symmetric.
        client.send([3], here, two)
        host.run(limit: .seconds(1))
        #expect(client.received.contains { $0.bytes == [3] })
        let again = try #require(second.received.last { $0.bytes == [3] }?.path.remote)
        #expect((again == outside) == (kind != .symmetric))
        // After a while without traffic the way in is gone.
        host.post {}
        _ = host.schedule(at: host.now() + .seconds(60)) {}
        host.run(limit: .seconds(61))
        first.send([4], one, outside)
        host.run(limit: .seconds(1))
        #expect(!client.received.contains { $0.bytes == [4] })
    }

    @Test func streamsAreWholeAndInOrder() throws {
        let host = SimHost()
        let network = SimNetwork(host, seed: 1)
        let client = SimProbe(network.machine([Self.inside(2)], nat: SimNAT(.restricted, address: Self.ip(100))))
        let server = SimProbe(network.machine([Self.ip(1)]), echoes: true)
        let there = try server.network.listenTCP(SocketAddress(Self.ip(1), 443))
        let here = try client.network.connectTCP(from: .anyV4, to: there)
        host.run(limit: .seconds(1))
        #expect(client.connected == [NetworkPath(.tcp, local: here, remote: there)])
        #expect(server.connected.map(\.remote.ip) == [Self.ip(100)])
        for index in 0..<100 { client.send([UInt8(index)], here, there, .tcp) }
        client.network.disconnect(NetworkPath(.tcp, local: here, remote: SocketAddress(Self.ip(1), 1)))
        host.run(limit: .seconds(1))
        #expect(client.received.flatMap(\.bytes) == Array(0..<100))
        client.network.disconnect(NetworkPath(.tcp, local: here, remote: there))
        host.run(limit: .seconds(1))
        #expect(server.disconnected == ["closed by the other side"])
        _ = try client.network.connectTCP(from: .anyV4, to: SocketAddress(Self.ip(1), 80))
        host.run(limit: .seconds(1))
        #expect(client.disconnected == ["Connection refused"])
    }

    private actor Pinned {
        private nonisolated let loop: any Loop
        nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
        var names: [String] = []
        init(_ loop: any Loop) { self.loop = loop }
        func see(_ name: String) { names.append(name) }
    }

    @Test func actorsLiveOnAMachine() throws {
        let host = SimHost()
        let network = SimNetwork(host, seed: 1)
        network.name("peer.local", [Self.ip(7)])
        let machine = network.machine([Self.ip(1)])
        let actor = Pinned(machine.nextLoop())
        let names = try host.complete { () -> [String] in
            await actor.see("one")
            await withCheckedContinuation { continuation in
                machine.post {
                    let sockets = machine.makeNetwork()
                    sockets.resolve("peer.local") { found in
                        actor.assumeIsolated { $0.see(found.map(\.description).joined()) }
                        withExtendedLifetime(sockets) { continuation.resume() }
                    }
                }
            }
            return await actor.names
        }?.get()
        #expect(names == ["one", "198.51.100.7"])
    }
}
