import Core
import ICE
import RTP
import TestKit
import Testing
import Transport
import WebRTC

/// Media from addresses that nobody is known at, at a shared port of a simulated network: whose it is, and what it costs
/// when it is nobody's.
@Suite struct StrayMediaTests {
    /// Somebody's ICE behind a mux, without media of his own.
    private final class Client: MuxClient, @unchecked Sendable {
        // Sendable: touched only by the one thread that runs the simulation.
        let peer: Peer
        let mux: UDPMux
        private(set) var number = 0

        init(_ role: ICERole, _ mux: UDPMux, _ context: DTLSContext, seed: UInt64, at now: Instant) {
            let session = RTPSession.Configuration(seed: seed, origin: now, epochSeconds: 0, cname: "x")
            peer = Peer(Peer.Configuration(role: role, dtls: context, session: session, seed: seed), pool: PacketPool())
            self.mux = mux
            number = mux.add(self)
            for address in mux.udpAddresses { peer.ice.addLocalHost(address, at: now) }
            peer.ice.gather(at: now)
        }

        func meet(_ other: Client, at now: Instant) {
            peer.ice.setRemote(other.peer.ice.local, at: now)
            for candidate in other.peer.ice.localCandidates { peer.addRemote(candidate, at: now) }
            mux.touch(number)
        }

        func peerChanged(at now: Instant) {
            while peer.ice.pollEvent() != nil {}
            while peer.pollEvent() != nil {}
        }

        func pathIsTaken(_ path: NetworkPath, at now: Instant) {}
    }

    /// A server with peers that have their keys, each on a machine of its own.
    private final class Rig: NetworkReceiver, @unchecked Sendable {
        // Sendable: touched only by the one thread that runs the simulation.
        let sim = SimHost()
        let profile: SRTPProfile
        private let network: SimNetwork
        private var networks: [any LoopNetwork] = []
        private var strange: (any LoopNetwork)?
        private var strangeAddress = SocketAddress(.anyV4, 0)
        private var keys: [SRTPContext] = []
        var server: UDPMux?
        var serverAddress = SocketAddress(.anyV4, 0)
        var clients: [Client] = []
        /// What came to the stranger's socket: the first byte of each.
        var answers: [UInt8] = []

        init(_ count: Int, _ profile: SRTPProfile) throws {
            self.profile = profile
            network = SimNetwork(sim, seed: 1)
            let context = try DTLSContext(certificate: .selfSigned(.ecdsaP256, unixSeconds: 1_700_000_000))
            let made = Lock<(any Error)?>(nil)
            perform { [self] in do { try make(count, context) } catch { made.withLock { $0 = error } } }
            if let error = made.withLock({ $0 }) { throw error }
            wait(3)
        }

        private func make(_ count: Int, _ context: DTLSContext) throws {
            let server = try mux(0)
            (self.server, serverAddress) = (server, server.udpAddresses[0])
            for index in 0..<count {
                let seed = UInt64(index + 1)
                let client = Client(.controlled, server, context, seed: 100 + seed, at: sim.now())
                clients.append(client)
                let other = Client(.controlling, try mux(index + 1), context, seed: seed, at: sim.now())
                others.append(other)
                client.meet(other, at: sim.now())
                other.meet(client, at: sim.now())
                let bytes = (0..<UInt8(profile.keyCount + profile.saltCount)).map { $0 &+ UInt8(index) }
                let key = try #require(SRTPKey(profile, bytes))
                try client.peer.srtp.install(sending: key, receiving: key)
                let sender = SRTPContext()
                try sender.install(sending: key, receiving: key)
                keys.append(sender)
            }
            let machine = network.machine([IPAddress(v4: 0xCB00_7105)])
            let strange = machine.makeNetwork()
            strangeAddress = try strange.openUDP(SocketAddress(machine.addresses[0], 0))
            strange.attach(self)
            self.strange = strange
        }
        private var others: [Client] = []

        private func mux(_ index: Int) throws -> UDPMux {
            let machine = network.machine([IPAddress(v4: 0xC000_0201 + UInt32(index))])
            let set = machine.makeNetwork()
            networks.append(set)
            return try UDPMux(loop: machine, network: set, clock: { machine.now() }, port: 5000)
        }

        /// A receiver report of a peer's, with an SSRC; protected.
        func report(_ index: Int, _ ssrc: UInt32) throws -> [UInt8] {
            var bytes: [UInt8] = [0x80, 201, 0, 1] + withUnsafeBytes(of: ssrc.bigEndian) { Array($0) }
            bytes += [UInt8](repeating: 0, count: SRTPContext.maxOverhead)
            let count = try bytes.withUnsafeMutableBytes { try keys[index].protectRTCP($0, count: 8) }
            return Array(bytes.prefix(count))
        }

        /// Sends from the peer's own, proved address.
        func sendKnown(_ index: Int, _ bytes: [UInt8]) {
            let path = NetworkPath(.udp, local: others[index].mux.udpAddresses[0], remote: serverAddress)
            perform { [self] in bytes.withUnsafeBytes { networks[index + 1].send($0, over: path) } }
        }

        /// Sends from an address that nobody has heard of.
        func sendStrange(_ messages: [[UInt8]]) {
            let path = NetworkPath(.udp, local: strangeAddress, remote: serverAddress)
            perform { [self] in for bytes in messages { bytes.withUnsafeBytes { strange?.send($0, over: path) } } }
        }

        func receive(_ bytes: UnsafeMutableRawBufferPointer, over path: NetworkPath, at now: Instant) {
            answers.append(bytes.first ?? 0xFF)
        }
        func batchEnded(at now: Instant) {}
        func connected(_ path: NetworkPath, at now: Instant) {}
        func disconnected(_ path: NetworkPath, reason: String, at now: Instant) {}

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

        var strays: Int { server?.counters.strays ?? 0 }
        var unprotectable: [Int] { clients.map(\.peer.counters.unprotectable) }
    }

    @Test("An SSRC of one peer's finds it, and only its key opens the door", arguments: SRTPProfile.allCases)
    func ofOne(_ profile: SRTPProfile) throws {
        let rig = try Rig(3, profile)
        for index in 0..<3 { rig.sendKnown(index, try rig.report(index, UInt32(1000 + index))) }
        rig.wait(0.2)
        let before = rig.clients.map(\.peer.counters.packetsReceived)
        rig.sendStrange([try rig.report(1, 1001)])
        rig.wait(0.2)
        #expect(rig.strays == 1)
        #expect(rig.clients.map(\.peer.counters.packetsReceived) == [before[0], before[1] + 1, before[2]])
        // The one answer is a check.
        #expect(rig.answers == [0])
        // Once more the same packet, the SSRC with another's key, an SSRC of nobody: nothing comes of them.
        let forged = try rig.report(0, 1001)
        rig.sendStrange([forged, try rig.report(1, 5555), [UInt8](repeating: 0x80, count: 19), [0x80]])
        rig.wait(1)
        #expect(rig.strays == 1 && rig.answers == [0] && rig.unprotectable == [0, 1, 0])
        #expect(rig.clients.allSatisfy { $0.peer.ice.selectedRoute != nil })
    }

    /// As browsers that only receive, which all report as 1.
    @Test("Of peers with one SSRC the silent ones are tried", arguments: SRTPProfile.allCases)
    func ofMany(_ profile: SRTPProfile) throws {
        let rig = try Rig(12, profile)
        for index in 0..<12 { rig.sendKnown(index, try rig.report(index, 1)) }
        // All but the eighth go on.
        for _ in 0..<5 {
            rig.wait(0.05)
            for index in 0..<12 where index != 7 { rig.sendKnown(index, try rig.report(index, 1)) }
        }
        rig.wait(0.03)
        let before = rig.clients[7].peer.counters.packetsReceived
        rig.sendStrange([try rig.report(7, 1)])
        rig.wait(0.2)
        #expect(rig.strays == 1 && rig.clients[7].peer.counters.packetsReceived == before + 1)
        #expect(rig.answers == [0])
        // It leaves: its SSRC is still that of others, and it is not among them.
        rig.perform { rig.server?.remove(rig.clients[7].number, at: rig.sim.now()) }
        rig.sendStrange([try rig.report(7, 1)])
        rig.wait(0.2)
        #expect(rig.strays == 1)
    }

    @Test("Guessed SSRCs cost a few looks a second", arguments: [1, 12])
    func guesses(_ count: Int) throws {
        let rig = try Rig(count, .aes128CMSHA1_80)
        for index in 0..<count { rig.sendKnown(index, try rig.report(index, 1)) }
        rig.wait(0.1)
        let junk = [0x80, 201, 0, 1, 0, 0, 0, 1] + [UInt8](repeating: 9, count: 14)
        for _ in 0..<20 {
            rig.sendStrange([[UInt8]](repeating: junk, count: 500))
            rig.wait(0.1)
        }
        // Two seconds, which are part of three on the clock.
        let looks = rig.unprotectable
        #expect(looks.allSatisfy { $0 <= 60 } && looks.reduce(0, +) > 0 && looks.reduce(0, +) <= 3 * 400)
        #expect(rig.strays == 0 && rig.answers.isEmpty)
        #expect(rig.clients.allSatisfy { $0.peer.ice.selectedRoute != nil && $0.peer.counters.packetsReceived == 1 })
    }
}
