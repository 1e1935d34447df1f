import Core
import ICE
import RTP
import TestKit
import Testing
import Transport
import WebRTC

/// The shared port, on machines of a simulated network.
@Suite struct UDPMuxTests {
    /// Machines with a mux and one peer each.
    private final class Rig: @unchecked Sendable {
        // Sendable: touched only by the one thread that runs the simulation.
        let sim = SimHost()
        let network: SimNetwork
        let context: DTLSContext
        private(set) var clients: [Client] = []
        private(set) var machines: [SimMachine] = []

        init() throws {
            network = SimNetwork(sim, seed: 1)
            context = try DTLSContext(certificate: .selfSigned(.ecdsaP256, unixSeconds: 1_700_000_000))
        }

        func add(_ role: ICERole, _ address: UInt32, turn: [TURNServer] = [], nat: SimNAT? = nil) {
            let machine = network.machine([IPAddress(v4: address)], nat: nat)
            machines.append(machine)
            perform { [self] in
                guard
                    let mux = try? UDPMux(
                        loop: machine, network: machine.makeNetwork(), clock: { machine.now() }, port: 5000)
                else { return }
                let seed = UInt64(address)
                var configuration = Peer.Configuration(
                    role: role, dtls: context,
                    session: .init(seed: seed, origin: machine.now(), epochSeconds: 0, cname: "x"), seed: seed)
                configuration.ice.turnServers = turn
                let client = Client(Peer(configuration, pool: PacketPool()), mux)
                clients.append(client)
                client.number = mux.add(client)
                for address in mux.udpAddresses { client.peer.ice.addLocalHost(address, at: machine.now()) }
                client.peer.ice.gather(at: machine.now())
                mux.touch(client.number)
            }
        }

        /// Each side hears of the other's present credentials and candidates.
        func introduce() {
            perform { [self] in
                for (one, other) in [(clients[0], clients[1]), (clients[1], clients[0])] {
                    one.peer.ice.setRemote(other.peer.ice.local, at: sim.now())
                    for candidate in other.peer.ice.localCandidates { one.peer.addRemote(candidate, at: sim.now()) }
                    one.mux.touch(one.number)
                }
            }
        }

        func perform(_ body: @escaping @Sendable () -> Void) {
            let isDone = Lock(false)
            sim.post {
                body()
                isDone.withLock { $0 = true }
            }
            sim.run { isDone.withLock { $0 } }
        }

        func wait(_ seconds: Double) {
            let isOver = Lock(false)
            _ = sim.schedule(at: sim.now() + .seconds(seconds)) { isOver.withLock { $0 = true } }
            sim.run { isOver.withLock { $0 } }
        }
    }

    private final class Client: MuxClient, @unchecked Sendable {
        // Sendable: touched only by the one thread that runs the simulation.
        let peer: Peer
        let mux: UDPMux
        var number = 0
        var warnings: [String] = []

        init(_ peer: Peer, _ mux: UDPMux) {
            self.peer = peer
            self.mux = mux
        }

        func peerChanged(at now: Instant) {
            while let event = peer.ice.pollEvent() {
                switch event {
                case .open(let connection): mux.open(connection, for: number, at: now)
                case .close(let path): mux.close(path, for: number)
                case .warning(let text): warnings.append(text)
                default: break
                }
            }
            while peer.pollEvent() != nil {}
        }

        func pathIsTaken(_ path: NetworkPath, at now: Instant) { peer.exclude(path, at: now) }
    }

    @Test func aPeerHasTwoNamesAtMost() throws {
        let rig = try Rig()
        rig.add(.controlling, 0xC000_0201)
        rig.add(.controlled, 0xC000_0202)
        rig.introduce()
        rig.wait(3)
        let (one, other) = (rig.clients[0], rig.clients[1])
        #expect(one.peer.ice.selectedRoute != nil && one.mux.nameCount == 1)
        // Restarts that the other side answers: the old name goes when the new way is in use.
        for _ in 0..<10 {
            rig.perform { one.peer.ice.restart(at: rig.sim.now()) }
            rig.perform { one.mux.touch(one.number) }
            #expect(one.mux.nameCount == 2)
            rig.perform { other.peer.ice.restart(at: rig.sim.now()) }
            rig.perform { other.mux.touch(other.number) }
            rig.introduce()
            rig.wait(3)
            #expect(one.mux.nameCount == 1 && other.mux.nameCount == 1)
            #expect(one.peer.ice.state == .ready && other.peer.ice.state == .ready)
        }
        // Restarts that nobody answers: that of the pair in use stays, so the connection does too.
        for _ in 0..<10 {
            rig.perform { one.peer.ice.restart(at: rig.sim.now()) }
            rig.perform { one.mux.touch(one.number) }
            rig.wait(0.5)
            #expect(one.mux.nameCount == 2)
        }
        rig.wait(10)
        #expect(one.peer.ice.selectedRoute != nil && other.peer.ice.state == .ready)
        rig.perform { one.mux.remove(one.number, at: rig.sim.now()) }
        #expect(one.mux.nameCount == 0)
    }

    @Test("The way in use is reserved, and no other", arguments: [ICERole.controlling, .controlled])
    func reservations(_ role: ICERole) throws {
        let rig = try Rig()
        let nat = SimNAT(.restricted, address: IPAddress(v4: 0xC000_0209))
        rig.add(role, 0xC000_0201)
        rig.add(role == .controlling ? .controlled : .controlling, 0x0A00_0002, nat: nat)
        #expect(rig.machines[0].reservedPaths.isEmpty)
        rig.introduce()
        rig.wait(3)
        let (one, other) = (rig.clients[0], rig.clients[1])
        let first = try #require(one.peer.ice.selectedRoute?.path)
        #expect(rig.machines[0].reservedPaths == [first] && rig.machines[1].reservedPaths.count == 1)
        // The other side's address changes.
        rig.perform { rig.network.move(nat, to: IPAddress(v4: 0xC000_020A)) }
        rig.wait(10)
        let second = try #require(one.peer.ice.selectedRoute?.path)
        #expect(second != first && rig.machines[0].reservedPaths == [second])
        // It leaves without a word, and consent ends.
        rig.perform { other.mux.remove(other.number, at: rig.sim.now()) }
        #expect(rig.machines[1].reservedPaths.isEmpty)
        rig.wait(20)
        #expect(rig.machines[0].reservedPaths == [second])
        rig.wait(20)
        #expect(one.peer.ice.selectedRoute == nil && rig.machines[0].reservedPaths.isEmpty)
    }

    /// A TURN server that takes connections and says nothing.
    private func silentServer(_ rig: Rig) throws -> TURNServer {
        let machine = rig.network.machine([IPAddress(v4: 0xC000_0203)])
        let address = SocketAddress(machine.addresses[0], 5349)
        rig.perform {
            let network = machine.makeNetwork()
            _ = try? network.listenTCP(address)
            // Kept for as long as time goes on.
            _ = machine.schedule(at: machine.now() + .seconds(1000)) { _ = network }
        }
        return TURNServer(address, .tls("turn.example"), username: "u", password: "p")
    }

    @Test func aServerThatNeverEndsItsHandshakeIsLeft() throws {
        let rig = try Rig()
        rig.add(.controlling, 0xC000_0201, turn: [try silentServer(rig)])
        let client = rig.clients[0]
        rig.wait(9)
        #expect(client.mux.streamCount == 1 && client.warnings.isEmpty)
        rig.wait(8)
        #expect(client.mux.streamCount == 0)
    }

    @Test func whoLeavesDuringTheHandshakeLeavesNothing() throws {
        for seconds in [0.001, 1] {
            let rig = try Rig()
            rig.add(.controlling, 0xC000_0201, turn: [try silentServer(rig)])
            let client = rig.clients[0]
            rig.wait(seconds)
            #expect(client.mux.streamCount == 1)
            rig.perform { client.mux.remove(client.number, at: rig.sim.now()) }
            rig.wait(1)
            #expect(client.mux.streamCount == 0)
        }
    }
}
