import Glibc
import Core
import Testing

@testable import ICE

/// NATs, servers and loss: hundreds of runs, and how long they took.
struct ICETraversalTests {
    private struct Outcome {
        var isConnected = false
        var isRelayed = false
        var span = MediaTime.zero
    }

    private func run(
        _ a: NAT.Kind, _ b: NAT.Kind, loss: Double, seed: UInt64, relay: Bool = true,
        transport: TURNServer.Transport = .udp
    ) throws -> Outcome {
        let world = World(seed: seed)
        world.loss = loss
        let stun = try #require(SocketAddress("192.0.2.1:3478"))
        world.stunServers = [stun]
        var configuration = ICEConfiguration()
        configuration.stunServers = [stun]
        if relay {
            let server = TestTURNServer("192.0.2.2:3478", in: world)
            world.turnServers = [server]
            configuration.turnServers = [
                TURNServer(server.address, transport, username: "user", password: "secret")
            ]
        }
        let (one, two) = world.pair(
            configuration, configuration, a == .none ? nil : NAT(a, "203.0.113.1"),
            b == .none ? nil : NAT(b, "203.0.113.2"), seed: seed)
        let begin = world.now
        world.run(for: .seconds(40)) { world.isConnected(one, two) }
        var outcome = Outcome(isConnected: world.isConnected(one, two))
        outcome.span = world.now - begin
        guard outcome.isConnected else { return outcome }
        world.run(for: .seconds(6))
        for agent in [one.agent, two.agent] where loss == 0 {
            // Chosen for good, by both.
            #expect(agent.selectedFloor > 0, "seed \(seed) \(a) \(b)")
        }
        outcome.isRelayed = one.selected.last?.local.kind == .relay || one.selected.last?.remote.kind == .relay
        // What is chosen carries data, both ways; loss may eat some.
        for _ in 0..<20 {
            one.say([0x80, 1], in: world)
            two.say([0x80, 2], in: world)
        }
        world.run(for: .seconds(1))
        #expect(!one.data.isEmpty && !two.data.isEmpty, "seed \(seed) \(a) \(b) \(loss)")
        return outcome
    }

    /// Symmetric NATs meet nobody who looks at ports.
    private func needsRelay(_ a: NAT.Kind, _ b: NAT.Kind) -> Bool {
        let strict: Set<NAT.Kind> = [.portRestricted, .symmetric]
        return (a == .symmetric && strict.contains(b)) || (b == .symmetric && strict.contains(a))
    }

    @Test("Every pair of NATs", arguments: NAT.Kind.allCases, NAT.Kind.allCases)
    func nats(_ a: NAT.Kind, _ b: NAT.Kind) throws {
        for seed in 0..<2 as Range<UInt64> {
            let outcome = try run(a, b, loss: 0, seed: seed)
            #expect(outcome.isConnected && outcome.span < .milliseconds(700), "seed \(seed) \(outcome)")
            #expect(outcome.isRelayed == needsRelay(a, b), "seed \(seed)")
        }
        #expect(try run(a, b, loss: 0, seed: 9, relay: false).isConnected == !needsRelay(a, b))
    }

    @Test("Time to connect under loss", arguments: [0.0, 0.1, 0.2, 0.3])
    func loss(_ loss: Double) throws {
        var rows: [String] = []
        for (a, b) in [(NAT.Kind.none, NAT.Kind.none), (.portRestricted, .addressRestricted), (.symmetric, .symmetric)]
        {
            var spans: [Int64] = []
            for seed in 0..<UInt64(Table.runs) {
                let outcome = try run(a, b, loss: loss, seed: 1000 + seed)
                #expect(outcome.isConnected, "seed \(1000 + seed) \(a) \(b)")
                spans.append(outcome.span.nanoseconds / 1_000_000)
            }
            spans.sort()
            rows.append("\(a)–\(b): median \(spans[spans.count / 2]) ms, 95 % \(spans[spans.count * 19 / 20]) ms")
            #expect(spans[spans.count / 2] < (loss == 0 ? 600 : loss < 0.3 ? 3000 : 7000), "\(rows)")
        }
        Table.add("loss \(Int(loss * 100)) %", rows)
    }

    @Test("Relays over streams", arguments: [TURNServer.Transport.tcp, .tls("turn.example")])
    func streams(_ transport: TURNServer.Transport) throws {
        for seed in 0..<4 as Range<UInt64> {
            let outcome = try run(.symmetric, .symmetric, loss: 0.1, seed: seed, transport: transport)
            #expect(outcome.isConnected && outcome.isRelayed)
        }
    }

    @Test func aBetterWayIsTakenWhenItTurnsUp() throws {
        let world = World(seed: 1)
        let server = TestTURNServer("192.0.2.2:3478", in: world)
        world.turnServers = [server]
        var relaying = ICEConfiguration()
        relaying.turnServers = [TURNServer(server.address, username: "user", password: "secret")]
        // At first each has only its relay.
        let (one, two) = world.pair(relaying, relaying, seed: 1, start: false)
        world.begin(one, two, udp: false)
        world.run(for: .seconds(5))
        #expect(world.isConnected(one, two) && one.selected.last?.local.kind == .relay)
        for peer in [one, two] { peer.agent.addLocalHost(peer.addresses[0], at: world.now) }
        world.run(for: .seconds(3))
        #expect(one.selected.last?.local.kind == .host && two.selected.last?.remote.kind == .host)
    }
}

/// Lines of a measurement; shown with `TESSERA_TABLES` set, for whoever wants to read them.
enum Table {
    /// Runs per cell.
    static let runs = getenv("TESSERA_TABLES") == nil ? 12 : 100

    static func add(_ title: String, _ rows: [String]) {
        guard getenv("TESSERA_TABLES") != nil else { return }
        for row in rows { puts("\(title)  \(row)") }
    }
}
