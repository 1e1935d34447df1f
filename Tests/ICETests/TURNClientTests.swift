import Core
import Testing

@testable import ICE

struct TURNClientTests {
    private let world = World(seed: 1)

    private func relay(_ change: (TestTURNServer) -> Void = { _ in }) -> (TestTURNServer, Peer, Peer) {
        let server = TestTURNServer("192.0.2.2:3478", in: world)
        change(server)
        world.turnServers = [server]
        var configuration = ICEConfiguration()
        configuration.turnServers = [TURNServer(server.address, username: "user", password: "secret")]
        // Without its address as others see it, the relay would not let the other side in.
        var plain = ICEConfiguration()
        let stun = SocketAddress(.init(v4: 0xC000_0201), 3478)
        world.stunServers = [stun]
        plain.stunServers = [stun]
        let (one, two) = world.pair(
            configuration, plain, NAT(.symmetric, "203.0.113.1"), NAT(.symmetric, "203.0.113.2"), seed: 1)
        world.run(for: .seconds(5))
        return (server, one, two)
    }

    @Test func dataGoesOverAChannel() throws {
        let (server, one, two) = relay()
        #expect(world.isConnected(one, two))
        guard case .channel(0x4000) = one.agent.selectedRoute?.relay else {
            Issue.record("no channel: \(String(describing: one.agent.selectedRoute))")
            return
        }
        let before = server.channelMessages
        for count in 1...40 { one.say([UInt8](repeating: 0x80, count: count), in: world) }
        two.say([0x81], in: world)
        world.run(for: .seconds(1))
        #expect(Set(two.data.map(\.count)) == Set(1...40) && one.data == [[0x81]])
        #expect(server.channelMessages >= before + 40)
    }

    @Test("Allocations, permissions and channels outlive their lifetimes")
    func anHour() {
        let (server, one, two) = relay { $0.lifetime = 300 }
        let disturbed = { one.states.count + two.states.count }
        let before = disturbed()
        for _ in 0..<12 {
            server.renewNonce()
            world.run(for: .seconds(300))
        }
        #expect(world.isConnected(one, two) && disturbed() == before, "\(one.states) \(two.states) \(one.warnings)")
        #expect(server.allocationCount == 1)
        one.agent.close(at: world.now)
        world.run(for: .seconds(1))
        #expect(server.allocationCount == 0)
    }

    @Test(
        "Refusals in plain words",
        arguments: [(486, "quota"), (508, "no relay port"), (403, "forbidden"), (442, "UDP"), (599, "trouble")])
    func refusals(_ code: Int, _ word: String) {
        let (_, one, two) = relay { $0.refusal = (code, "Reason") }
        #expect(!world.isConnected(one, two) && one.gatheringDone == 1)
        #expect(one.warnings.contains { $0.contains(word) && $0.contains("(\(code) Reason)") }, "\(one.warnings)")
    }

    @Test func wrongPassword() {
        let server = TestTURNServer("192.0.2.2:3478", in: world)
        world.turnServers = [server]
        var configuration = ICEConfiguration()
        configuration.turnServers = [TURNServer(server.address, username: "user", password: "guess")]
        let (one, _) = world.pair(configuration, ICEConfiguration(), seed: 1)
        world.run(for: .seconds(3))
        #expect(one.warnings.contains { $0.contains("user name or password is wrong") }, "\(one.warnings)")
    }

    @Test func silentServer() {
        var configuration = ICEConfiguration()
        let nobody = SocketAddress(.init(v4: 0xC000_0263), 3478)
        configuration.turnServers = [TURNServer(nobody, username: "user", password: "secret")]
        configuration.stunServers = [nobody]
        let (one, two) = world.pair(configuration, ICEConfiguration(), seed: 1)
        world.run(for: .seconds(12))
        #expect(one.gatheringDone == 1 && one.warnings.count == 2 && world.isConnected(one, two))
    }

    @Test("Headers in front of data say the same as whole messages", arguments: [0, 1, 2, 3, 4, 1200])
    func routes(_ count: Int) throws {
        let data = [UInt8](repeating: 7, count: count)
        let path = NetworkPath(.tcp, local: SocketAddress(.loopbackV4, 1), remote: SocketAddress(.loopbackV4, 2))
        let peers = try ["192.0.2.1:5", "[2001:db8::1]:5"].map { try #require(SocketAddress($0)) }
        for peer in peers {
            let message = ICERoute(path: path, relay: .indication(peer: peer)).wrap(data)
            let parsed = try message.stun()
            #expect(parsed.kind == .indication && parsed.method == .send && parsed.peerAddress == peer)
            #expect(parsed.data.map { Array(message[$0]) } == data)
        }
        let channel = ICERoute(path: path, relay: .channel(0x4001)).wrap(data)
        #expect(channel.count == 4 + (count + 3) / 4 * 4 && channel[..<2] == [0x40, 1])
        #expect(ICERoute(path: path).wrap(data) == data)
    }
}
