import Core
import Testing

@testable import ICE

/// Pairs of agents over a network in virtual time; every run is a function of its seed.
struct ICEAgentTests {
    private func talk(_ world: World, _ one: Peer, _ two: Peer) {
        #expect(one.say([0x80, 1], in: world) && two.say([0x80, 2], in: world))
        world.run(for: .milliseconds(1000))
        #expect(one.data.contains([0x80, 2]) && two.data.contains([0x80, 1]))
    }

    @Test func directConnection() throws {
        let world = World(seed: 1)
        let (one, two) = world.pair(ICEConfiguration(), ICEConfiguration(), seed: 1)
        world.run(for: .seconds(3))
        for peer in [one, two] {
            #expect(peer.states.map(\.1) == [.gathering, .connecting, .connected, .ready])
            #expect(peer.gatheringDone == 1 && peer.candidates.count == 1)
            #expect(peer.agent.selectedRoute?.relay == ICERoute.Relay.none)
        }
        let ready = try #require(one.firstTime(.ready))
        #expect(ready - Instant(nanoseconds: 1_000_000_000) < .milliseconds(400))
        talk(world, one, two)
        // A minute of nothing but consent: some checks, no change.
        let before = world.sent
        world.run(for: .seconds(60))
        #expect(one.agent.state == .ready && two.agent.state == .ready)
        #expect(world.sent - before < 400)
    }

    @Test func aQuietAgentSleeps() {
        let world = World(seed: 1)
        let (one, _) = world.pair(ICEConfiguration(), ICEConfiguration(), seed: 1)
        world.run(for: .seconds(10))
        let turns = one.turns
        world.run(for: .seconds(60))
        #expect(one.turns - turns < 200)
    }

    @Test("Both say they control, or neither", arguments: [ICERole.controlling, .controlled], 0..<20)
    func roleConflict(_ role: ICERole, _ seed: Int) {
        let world = World(seed: UInt64(seed))
        let (one, two) = world.pair(
            ICEConfiguration(), ICEConfiguration(), seed: UInt64(seed), roles: (role, role))
        world.run(for: .seconds(5))
        #expect(one.agent.state == .ready && two.agent.state == .ready)
        #expect(one.agent.role != two.agent.role)
    }

    @Test func candidatesThatComeLate() {
        let world = World(seed: 2)
        world.signalling = .seconds(5)
        let (one, two) = world.pair(ICEConfiguration(), ICEConfiguration(), seed: 2)
        world.run(for: .seconds(8))
        #expect(world.isConnected(one, two))
    }

    @Test func checksBeforeTheDescription() {
        let world = World(seed: 3)
        let (one, two) = world.pair(ICEConfiguration(), ICEConfiguration(), seed: 3, start: false)
        for peer in [one, two] { peer.agent.addLocalHost(peer.addresses[0], at: world.now) }
        one.agent.setRemote(two.agent.local, at: world.now)
        one.tellsCandidates = false
        world.run(for: .seconds(2))
        // Answered by somebody who does not know yet whom it talks to.
        #expect(two.agent.state == .connecting && one.agent.state == .ready)
        two.agent.setRemote(one.agent.local, at: world.now)
        world.run(for: .seconds(2))
        #expect(world.isConnected(one, two))
        // Never told, learned from its check.
        #expect(two.selected.last?.remote.kind == .prflx)
    }

    @Test func nobodyThere() throws {
        let world = World(seed: 4)
        let (one, two) = world.pair(ICEConfiguration(), ICEConfiguration(), seed: 4)
        two.isCut = true
        let begin = world.now
        world.run(for: .seconds(60))
        let failed = try #require(one.firstTime(.failed))
        #expect(failed - begin > .seconds(39) && failed - begin < .seconds(45))
        #expect(one.agent.selectedRoute == nil)
        // Failure is no end.
        two.isCut = false
        two.agent.restart(at: world.now)
        one.agent.restart(at: world.now)
        one.agent.setRemote(two.agent.local, at: world.now)
        two.agent.setRemote(one.agent.local, at: world.now)
        world.run(for: .seconds(5))
        #expect(world.isConnected(one, two))
    }

    @Test("Consent ends 30 s after the last answer; before, it is seen within seconds", arguments: 0..<10)
    func consent(_ seed: Int) throws {
        let world = World(seed: UInt64(seed))
        let (one, two) = world.pair(ICEConfiguration(), ICEConfiguration(), seed: UInt64(seed))
        world.run(for: .seconds(7))
        two.isCut = true
        let cut = world.now
        world.run(for: .seconds(40))
        let gone = try #require(one.firstTime(.disconnected))
        #expect(gone - cut > .seconds(2) && gone - cut < .milliseconds(5500))
        let failed = try #require(one.firstTime(.failed))
        #expect(failed - cut > .seconds(24) && failed - cut < .seconds(31))
        #expect(one.agent.selectedRoute == nil && !one.say([1], in: world))
    }

    @Test func aShortSilence() {
        let world = World(seed: 5)
        let (one, two) = world.pair(ICEConfiguration(), ICEConfiguration(), seed: 5)
        world.run(for: .seconds(5))
        two.isCut = true
        world.run(for: .seconds(10))
        #expect(one.agent.state == .disconnected && two.agent.state == .disconnected)
        two.isCut = false
        world.run(for: .seconds(2))
        #expect(one.agent.state == .ready && two.agent.state == .ready)
        talk(world, one, two)
    }

    @Test("The peer moves to another network", arguments: [true, false], 0..<10)
    func addressChange(_ controllingMoves: Bool, _ seed: Int) {
        let world = World(seed: UInt64(seed))
        let (one, two) = world.pair(ICEConfiguration(), ICEConfiguration(), seed: UInt64(seed))
        world.run(for: .seconds(5))
        let (mover, other) = controllingMoves ? (one, two) : (two, one)
        guard let old = SocketAddress("203.0.113.77:6000") else { return }
        // Its old address is gone; the new one is never told.
        mover.addresses = [old]
        mover.tellsCandidates = false
        mover.agent.addLocalHost(old, at: world.now)
        world.run(for: .seconds(8))
        #expect(world.isConnected(one, two), "\(one.states) \(two.states)")
        #expect(other.agent.selectedRoute?.path.remote == old)
        #expect(mover.agent.selectedRoute?.path.local == old)
        talk(world, one, two)
    }

    @Test("A restart keeps the old pair until the new one is there", arguments: 0..<10)
    func restart(_ seed: Int) {
        let world = World(seed: UInt64(seed))
        world.loss = 0.1
        let (one, two) = world.pair(ICEConfiguration(), ICEConfiguration(), seed: UInt64(seed))
        world.run(for: .seconds(6))
        #expect(one.agent.state == .ready && two.agent.state == .ready)
        let oldUfrag = one.agent.local.ufrag
        one.agent.restart(at: world.now)
        #expect(one.agent.local.ufrag != oldUfrag && one.agent.selectedRoute != nil)
        world.run(for: .seconds(3))
        #expect(one.agent.selectedRoute != nil && world.isConnected(one, two))
        two.agent.restart(at: world.now)
        two.agent.setRemote(one.agent.local, at: world.now)
        one.agent.setRemote(two.agent.local, at: world.now)
        world.run(for: .seconds(5))
        #expect(world.isConnected(one, two))
        #expect(one.agent.selectedRoute != nil && two.agent.selectedRoute != nil)
        #expect(one.agent.previous == nil && two.agent.previous == nil)
        #expect(one.agent.state == .ready && two.agent.state == .ready)
        world.loss = 0
        talk(world, one, two)
    }

    @Test("A lite agent answers", arguments: [ICERole.controlling, .controlled])
    func lite(_ role: ICERole) {
        let world = World(seed: 6)
        var lite = ICEConfiguration()
        lite.isLite = true
        let (one, two) = world.pair(lite, ICEConfiguration(), seed: 6, roles: (role, role), start: false)
        world.begin(one, two)
        two.agent.setRemote(one.agent.local, isLite: true, at: world.now)
        world.run(for: .seconds(3))
        #expect(one.agent.state == .ready && two.agent.state == .ready)
        #expect(two.agent.role == .controlling)
        talk(world, one, two)
        two.isCut = true
        world.run(for: .seconds(40))
        #expect(one.states.map(\.1).suffix(2) == [.disconnected, .failed])
    }

    @Test func externalAddresses() throws {
        let world = World(seed: 7)
        var mapped = ICEConfiguration()
        let nat = NAT(.fullCone, "192.0.2.50")
        let inside = try #require(IPAddress("10.0.0.2"))
        mapped.externalAddresses = [inside: nat.publicIP]
        let (one, two) = world.pair(mapped, ICEConfiguration(), nat, nil, seed: 7)
        world.run(for: .seconds(3))
        #expect(one.candidates.map { $0.address?.ip } == [nat.publicIP])
        #expect(world.isConnected(one, two))
    }

    @Test func namesOfMDNS() throws {
        let world = World(seed: 8)
        let (one, two) = world.pair(ICEConfiguration(), ICEConfiguration(), seed: 8)
        one.tellsCandidates = false
        two.tellsCandidates = false
        one.names = ["a.local": two.addresses[0].ip]
        for name in ["a.local", "unknown.local", "example.org"] {
            let line = "candidate:1 1 udp 2130706431 \(name) 5000 typ host"
            one.agent.addRemote(try ICECandidate(line), at: world.now)
        }
        world.run(for: .seconds(3))
        #expect(world.isConnected(one, two) && one.agent.ignoredCandidates == 2)
    }

    @Test("Only TCP", arguments: [true, false])
    func tcp(_ controllingListens: Bool) throws {
        let world = World(seed: 9)
        let (one, two) = world.pair(ICEConfiguration(), ICEConfiguration(), seed: 9, start: false)
        let (server, client) = controllingListens ? (one, two) : (two, one)
        server.listening = [server.addresses[0]]
        server.agent.addLocalHost(server.addresses[0], .tcp, at: world.now)
        let base = SocketAddress(client.addresses[0].ip, 9)
        client.agent.addLocalHost(base, .tcp, tcpType: .active, at: world.now)
        world.begin(one, two, udp: false)
        world.run(for: .seconds(5))
        #expect(world.isConnected(one, two), "\(one.states) \(two.states)")
        #expect(one.agent.selectedRoute?.path.transport == .tcp)
        talk(world, one, two)
        // The connection ends.
        let path = try #require(client.agent.selectedRoute?.path)
        client.agent.disconnected(path, at: world.now)
        #expect(client.agent.selectedRoute == nil)
    }

    @Test func strangersAreDropped() throws {
        let world = World(seed: 10)
        let (one, two) = world.pair(ICEConfiguration(), ICEConfiguration(), seed: 10)
        world.run(for: .seconds(2))
        let stranger = NetworkPath(local: one.addresses[0], remote: try #require(SocketAddress("192.0.2.99:1")))
        let id = STUNTransactionID(tag: 1, 2)
        var writer = STUNWriter(.request, .binding, id)
        #expect(one.agent.take(writer.finish(), over: stranger, at: world.now) == .dropped)
        writer = STUNWriter(.request, .binding, id)
        writer.add(.username, "\(one.agent.local.ufrag):x")
        writer.add(.priority, u32: 1)
        writer.add(.iceControlled, u64: 1)
        let wrong = writer.finish(STUNKey(password: "guess"))
        #expect(one.agent.take(wrong, over: stranger, at: world.now) == .dropped)
        #expect(one.agent.drops[ICEDrop.wrongUser.rawValue] == 1)
        #expect(one.agent.drops[ICEDrop.wrongIntegrity.rawValue] == 1)
        #expect(one.agent.pollTransmit() == nil)
        // An answer from elsewhere than the question went.
        let answer = STUNWriter(.success, .binding, STUNTransactionID(tag: one.agent.transactionTag, 9))
        #expect(one.agent.take(answer.finish(), over: stranger, at: world.now) == .dropped)
        _ = two
    }

    /// A peer that says USE-CANDIDATE in every check (RFC 5245): the best of its pairs is used in the end.
    @Test func aggressiveNomination() throws {
        let agent = ICEAgent(ICEConfiguration(), role: .controlled, seed: 12)
        let here = try #require(SocketAddress("10.0.0.1:5000"))
        let peer = ICECredentials(ufrag: "peer", password: "0123456789abcdefghijkl")
        let now = Instant(nanoseconds: 0)
        agent.addLocalHost(here, at: now)
        agent.setRemote(peer, at: now)
        let priorities: [(UInt16, UInt32)] = [(1, 1 << 24), (2, 126 << 24), (3, 100 << 24)]
        for (port, priority) in priorities {
            let path = NetworkPath(local: here, remote: SocketAddress(.loopbackV4, port))
            var check = STUNWriter(.request, .binding, STUNTransactionID(tag: 1, UInt64(port)))
            check.add(.username, "\(agent.local.ufrag):peer")
            check.add(.priority, u32: priority)
            check.add(.iceControlling, u64: 1)
            check.addFlag(.useCandidate)
            let request = check.finish(STUNKey(password: agent.local.password))
            #expect(agent.take(request, over: path, at: now) == .authenticated)
            let later = now + .milliseconds(Int(port) * 20)
            agent.expire(at: later)
            while let sent = agent.pollTransmit() {
                let question = try sent.bytes.stun()
                guard question.kind == .request else { continue }
                var answer = STUNWriter(.success, .binding, question.id)
                answer.addAddress(.xorMappedAddress, here)
                let bytes = answer.finish(STUNKey(password: peer.password))
                #expect(agent.take(bytes, over: sent.path, at: later) == .authenticated)
            }
        }
        #expect(agent.selectedRoute?.path.remote.port == 2 && agent.state == .ready)
    }

    /// What a shared socket relies on.
    @Test func onlyThePasswordProvesAPath() throws {
        let world = World(seed: 13)
        let (one, two) = world.pair(ICEConfiguration(), ICEConfiguration(), seed: 13)
        world.run(for: .seconds(1))
        let path = NetworkPath(local: one.addresses[0], remote: two.addresses[0])
        #expect(one.agent.take([0x80, 0, 1], over: path, at: world.now) == .application(0..<3))
        #expect(one.agent.take([22, 254, 253], over: path, at: world.now) == .application(0..<3))
        #expect(one.agent.take([], over: path, at: world.now) == .dropped)
        let indication = STUNWriter(.indication, .binding, STUNTransactionID(tag: 1, 1)).finish()
        #expect(one.agent.take(indication, over: path, at: world.now) == .consumed)
    }

    @Test func closing() {
        let world = World(seed: 11)
        let (one, _) = world.pair(ICEConfiguration(), ICEConfiguration(), seed: 11)
        world.run(for: .seconds(2))
        one.agent.close(at: world.now)
        #expect(one.agent.selectedRoute == nil && one.agent.deadline == nil)
    }
}
