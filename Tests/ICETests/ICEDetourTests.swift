import Core
import Testing

@testable import ICE

/// The peer's address changes and it does not know: only its media says so.
struct ICEDetourTests {
    /// A peer behind a router, and a server; both send all the time.
    private struct Call {
        let world: World
        let mover: Peer
        let server: Peer
        let nat: NAT

        init(serverRole: ICERole, seed: UInt64) {
            world = World(seed: seed)
            nat = NAT(.portRestricted, "203.0.113.1")
            let roles = serverRole == .controlled ? (ICERole.controlling, serverRole) : (.controlled, serverRole)
            (mover, server) = world.pair(
                ICEConfiguration(), ICEConfiguration(), nat, nil, seed: seed, roles: roles)
            talk(5)
        }

        /// Both send something fifty times a second.
        func talk(_ seconds: Double, until isDone: () -> Bool = { false }) {
            let end = world.now + .seconds(seconds)
            while world.now < end, !isDone() {
                mover.say([0x80, 1], in: world)
                server.say([0x80, 2], in: world)
                world.run(for: .milliseconds(20))
            }
        }
    }

    @Test("Sending follows the peer's media soon", arguments: [ICERole.controlled, .controlling], 0..<10)
    func follows(_ role: ICERole, _ seed: Int) throws {
        let call = Call(serverRole: role, seed: UInt64(seed))
        let old = try #require(call.server.agent.selectedRoute?.path)
        #expect(call.server.agent.state == .ready)
        // As browsers, which ask every 2.5 s.
        call.mover.isContent = true
        call.nat.restart()
        let moved = call.world.now
        (call.mover.data, call.server.destinations) = ([], [])
        call.talk(3) { call.mover.data.contains([0x80, 2]) }
        #expect(call.world.now - moved < .milliseconds(700), "\(call.world.now - moved)")
        let new = try #require(call.server.agent.selectedRoute?.path)
        #expect(new.local == old.local && new.remote != old.remote && new.remote.ip == old.remote.ip)
        // Nothing but a few checks went there before.
        let there = call.server.destinations.filter { $0.to == new.remote }
        let early = there.prefix { $0.kind < 4 }.count
        #expect(early > 0 && early < 15 && there.contains { $0.kind == 0x80 })
        call.mover.isContent = false
        call.talk(10)
        #expect(call.server.agent.state == .ready && call.server.agent.selectedRoute?.path == new)
        #expect(call.mover.agent.state == .ready)
        // The new way has its consent, and loses it like any other.
        call.mover.isCut = true
        call.talk(40)
        #expect(call.server.agent.selectedRoute == nil && call.server.agent.state == .failed)
    }

    @Test("Moves again and again", arguments: [ICERole.controlled, .controlling])
    func again(_ role: ICERole) throws {
        let call = Call(serverRole: role, seed: 3)
        for _ in 0..<150 {
            call.mover.isContent = true
            call.nat.restart()
            call.talk(1)
            call.mover.data = []
            call.talk(0.2)
            #expect(call.mover.data.contains([0x80, 2]))
            #expect(call.server.agent.pairs.count <= ICELimits.pairs)
            // It needs an answer now and then, else its own consent ends.
            call.mover.isContent = false
            call.talk(1)
        }
        call.talk(5)
        #expect(call.server.agent.state == .ready && call.mover.agent.state == .ready)
    }

    /// Somebody on the way repeats the peer's packets, faster than they come, from addresses of his own.
    @Test("Who only repeats packets gets a few checks and no media", arguments: [1, 1000])
    func repeats(_ addresses: Int) throws {
        let call = Call(serverRole: .controlled, seed: 4)
        let route = try #require(call.server.agent.selectedRoute)
        call.server.destinations = []
        for round in 0..<1000 {
            let thief = SocketAddress(IPAddress(v4: 0xC633_6500), UInt16(1000 + round % addresses))
            let path = NetworkPath(.udp, local: route.path.local, remote: thief)
            call.server.agent.heardAuthentic(over: path, at: call.world.now)
            call.world.drain(call.server)
            call.mover.say([0x80, 1], in: call.world)
            call.server.say([0x80, 2], in: call.world)
            call.world.run(for: .milliseconds(5))
        }
        let there = call.server.destinations.filter { $0.to.ip == IPAddress(v4: 0xC633_6500) }
        #expect(there.count <= 102 && there.allSatisfy { $0.kind < 4 })
        #expect(call.server.agent.selectedRoute == route && call.server.agent.state == .ready)
        #expect(call.server.agent.pairs.count <= ICELimits.pairs)
        call.world.run(for: .seconds(5))
        let open = call.server.agent.pairs.filter { $0.state == .inProgress && $0.remote.kind == .prflx }
        #expect(open.isEmpty)
    }
}
