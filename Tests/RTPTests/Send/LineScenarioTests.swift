import Core
import RTP
import TestKit
import Testing

/// What the estimate is held to on each simulated line: the worst of the seeds below, and little more, so that a change
/// that costs something is seen. The table of `docs/bandwidth.md` has the figures of ten other seeds.
struct LineScenarioTests {
    struct Bound: Sendable, CustomStringConvertible {
        var name: String
        /// Seconds.
        var settled: Double
        /// Of the capacity.
        var utilisation: Double
        /// Seconds.
        var queueDelay: Double
        var description: String { name }
    }

    static let bounds = [
        Bound(name: "300 kbit/s", settled: 1, utilisation: 0.92, queueDelay: 0.17),
        Bound(name: "1 Mbit/s", settled: 0.5, utilisation: 0.87, queueDelay: 0.13),
        Bound(name: "5 Mbit/s", settled: 0.5, utilisation: 0.89, queueDelay: 0.11),
        Bound(name: "2 Mbit/s, round trip 300 ms", settled: 1, utilisation: 0.9, queueDelay: 0.12),
        Bound(name: "2 Mbit/s, queue of 30 ms", settled: 0.5, utilisation: 0.9, queueDelay: 0.03),
        Bound(name: "fall from 2 Mbit/s to 500 kbit/s", settled: 2.5, utilisation: 0.9, queueDelay: 0.17),
        Bound(name: "back from 500 kbit/s to 2 Mbit/s", settled: 7.5, utilisation: 0.92, queueDelay: 0.19),
        Bound(name: "2 Mbit/s, 5 s without line", settled: 1.5, utilisation: 0.89, queueDelay: 0.12),
        Bound(name: "2 Mbit/s, line stands still for 5 s", settled: 1, utilisation: 0.9, queueDelay: 0.19),
        Bound(name: "2 Mbit/s, 200 ms jitter in order", settled: 22, utilisation: 0.79, queueDelay: 0.22),
        Bound(name: "2 Mbit/s, 200 ms jitter, reordered", settled: 33, utilisation: 0.66, queueDelay: 0.23),
        Bound(name: "2 Mbit/s, 30 ms jitter in order", settled: 8, utilisation: 0.89, queueDelay: 0.14),
        Bound(name: "2 Mbit/s, 10 % random loss", settled: 4, utilisation: 0.87, queueDelay: 0.17),
        Bound(name: "2 Mbit/s, 20 % random loss", settled: 5.5, utilisation: 0.85, queueDelay: 0.25),
        Bound(name: "no bottleneck, 10 % random loss", settled: 0.5, utilisation: 0.98, queueDelay: 0.01),
        Bound(name: "2 Mbit/s, loss in bursts (5 %)", settled: 10, utilisation: 0.82, queueDelay: 0.16),
        Bound(name: "2 Mbit/s, a second flow after 15 s", settled: 2.5, utilisation: 0.89, queueDelay: 0.24),
        Bound(name: "ladder 150/500/1500 on 800 kbit/s", settled: 0.5, utilisation: 1, queueDelay: 0.03),
        Bound(name: "ladder 150/500/1500 on 3 Mbit/s", settled: 0.5, utilisation: 1, queueDelay: 0.02),
        Bound(
            name: "ladder 150/240/1500, fall from 3 Mbit/s to 300 kbit/s", settled: 5.5, utilisation: 1,
            queueDelay: 0.1),
    ]

    @Test func everyScenarioIsBounded() {
        #expect(Set(Self.bounds.map(\.name)) == Set(LineScenario.list.map(\.name)))
    }

    #if DEBUG
        /// A minute of a line takes a second without optimisation: the main cases, once.
        static let seeds: [UInt64] = [1]
        static let held = bounds.filter {
            [
                "300 kbit/s", "fall from 2 Mbit/s to 500 kbit/s", "2 Mbit/s, 5 s without line",
                "2 Mbit/s, 200 ms jitter in order", "2 Mbit/s, 10 % random loss", "2 Mbit/s, a second flow after 15 s",
            ].contains($0.name)
        }
    #else
        static let seeds: [UInt64] = Array(1...10)
        static let held = bounds
    #endif

    /// The smaller of two flows' shares over the larger one's.
    static let fairness = 0.4

    @Test("The estimate does on this line what it is held to", arguments: held, seeds)
    func holds(_ bound: Bound, seed: UInt64) throws {
        let scenario = try #require(LineScenario.all[bound.name])
        let result = scenario.run(seed: seed)
        #expect(result.settled <= bound.settled, "\(bound.name), seed \(seed)")
        #expect(result.utilisation >= bound.utilisation, "\(bound.name), seed \(seed)")
        #expect(result.queueDelay <= bound.queueDelay, "\(bound.name), seed \(seed)")
        #expect(result.fairness >= Self.fairness, "\(bound.name), seed \(seed)")
        // Outages and full queues included.
        #expect(result.missing < 0.1, "\(bound.name), seed \(seed)")
    }

    @Test func aLadderFindsItsRungAndKeepsIt() throws {
        for (name, rung) in [("ladder 150/500/1500 on 800 kbit/s", 1), ("ladder 150/500/1500 on 3 Mbit/s", 2)] {
            var scenario = try #require(LineScenario.all[name])
            scenario.duration = 20
            let result = scenario.run(seed: 3)
            #expect(result.rung == rung)
            #expect(result.rungChanges <= 4, "\(name)")
        }
    }

    @Test func aSeedReplays() throws {
        let scenario = try #require(LineScenario.all["2 Mbit/s, 10 % random loss"])
        let (first, second) = (scenario.rig(seed: 5), scenario.rig(seed: 5))
        first.run(until: 10)
        second.run(until: 10)
        #expect(first.flows[0].samples.map(\.target) == second.flows[0].samples.map(\.target))
        #expect(first.flows[0].samples.contains { $0.delivered > 0 })
    }
}
