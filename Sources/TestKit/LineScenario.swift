package import Core
package import RTP

/// One line and what is sent over it: the cases that bandwidth estimation is held to, for tests and for the table in
/// `docs/bandwidth.md`.
package struct LineScenario: Sendable, CustomStringConvertible {
    package struct Flow: Sendable {
        var source: LineRig.Source
        var after: Double
        package init(_ source: LineRig.Source = .adaptive(maximum: 8_000_000), after: Double = 0) {
            self.source = source
            self.after = after
        }
    }

    package struct Result: Sendable {
        /// Seconds until two seconds' mean was at least four fifths of the capacity, with a mean queue below 200 ms;
        /// infinite: never.
        package var settled: Double
        /// Delivered, as a share of the capacity, over the measured time; all flows together.
        package var utilisation: Double
        /// 95th percentile of the bottleneck's queue, in seconds, over the measured time.
        package var queueDelay: Double
        /// Share of packets that the bottleneck dropped, over the whole run.
        package var overflow: Double
        /// Smallest share of a flow divided by the largest.
        package var fairness: Double
        /// Changes of the rung, and the rung at the end, of the first flow.
        package var rungChanges: Int
        package var rung: Int
        /// Share of the first flow's picture packets that never came.
        package var missing: Double
    }

    package var name: String
    package var conditions: LinkConditions
    package var schedule: [(Double, LinkConditions)]
    package var flows: [Flow]
    package var limits: BandwidthEstimator.Limits
    package var returnDelay: MediaTime
    package var duration: Double
    /// Settling counts from here, and measuring begins here.
    package var from: Double
    package var measuredFrom: Double
    /// What the utilisation is a share of, in bits per second.
    package var capacity: Double

    package init(
        _ name: String, _ conditions: LinkConditions, schedule: [(Double, LinkConditions)] = [],
        flows: [Flow] = [Flow()],
        limits: BandwidthEstimator.Limits = .init(), returnDelay: MediaTime = .milliseconds(25), duration: Double = 60,
        from: Double = 0, measuredFrom: Double = 10, capacity: Double? = nil
    ) {
        self.name = name
        self.conditions = conditions
        self.schedule = schedule
        self.flows = flows
        self.limits = limits
        self.returnDelay = returnDelay
        self.duration = duration
        self.from = from
        self.measuredFrom = measuredFrom
        self.capacity = capacity ?? Double(conditions.bitsPerSecond ?? limits.maximum)
    }

    package var description: String { name }

    /// Builds the rig, not yet run.
    package func rig(seed: UInt64) -> LineRig {
        let rig = LineRig(seed: seed, conditions, schedule: schedule, returnDelay: returnDelay)
        for flow in flows { rig.add(flow.source, limits: limits, after: flow.after) }
        return rig
    }

    /// A mean queue in seconds that counts as settled.
    private static let settledQueue = 0.2

    package func run(seed: UInt64) -> Result {
        let rig = rig(seed: seed)
        rig.run(until: duration)
        let shares = rig.flows.map { $0.delivered(from: measuredFrom, to: duration) }
        var settled = Double.infinity
        let queue = rig.meanQueueDelays(per: 2, step: 0.1, until: duration)
        for tenth in Int(from * 10)..<max(Int(from * 10) + 1, Int(duration - 2) * 10) {
            let time = Double(tenth) / 10
            let mean = rig.flows.reduce(0) { $0 + $1.delivered(from: time, to: time + 2) }
            if mean >= 0.8 * capacity, queue[tenth] < Self.settledQueue {
                settled = time - from
                break
            }
        }
        let flow = rig.flows[0]
        return Result(
            settled: settled, utilisation: shares.reduce(0, +) / capacity,
            queueDelay: rig.queueDelay(0.95, from: measuredFrom, to: duration),
            overflow: Double(rig.link.overflowed) / Double(max(1, rig.link.sent)),
            fairness: (shares.min() ?? 0) / max(1, shares.max() ?? 1), rungChanges: flow.rungChanges, rung: flow.rung,
            missing: Double(flow.missing) / Double(max(1, flow.received + flow.missing)))
    }

    /// The line of most cases: 2 Mbit/s, 50 ms round trip, and a queue of half a second.
    package static func line(_ rate: Int, queue: Double = 0.5) -> LinkConditions {
        LinkConditions(bitsPerSecond: rate, queueBytes: Int(Double(rate) / 8 * queue))
    }

    private static func line(_ rate: Int, change: (inout LinkConditions) -> Void) -> LinkConditions {
        var conditions = line(rate)
        change(&conditions)
        return conditions
    }

    /// By name.
    package static let all: [String: LineScenario] = Dictionary(uniqueKeysWithValues: list.map { ($0.name, $0) })

    package static let list: [LineScenario] = [
        LineScenario("300 kbit/s", line(300_000, queue: 1)),
        LineScenario("1 Mbit/s", line(1_000_000)),
        LineScenario("5 Mbit/s", line(5_000_000)),
        LineScenario(
            "2 Mbit/s, round trip 300 ms", line(2_000_000) { $0.delay = .milliseconds(150) },
            returnDelay: .milliseconds(150)),
        LineScenario("2 Mbit/s, queue of 30 ms", line(2_000_000, queue: 0.03)),
        LineScenario(
            "fall from 2 Mbit/s to 500 kbit/s", line(2_000_000), schedule: [(20, line(500_000))], duration: 40,
            from: 20, measuredFrom: 25, capacity: 500_000),
        LineScenario(
            "back from 500 kbit/s to 2 Mbit/s", line(2_000_000),
            schedule: [(20, line(500_000)), (40, line(2_000_000))],
            duration: 70, from: 40, measuredFrom: 50, capacity: 2_000_000),
        LineScenario(
            "2 Mbit/s, 5 s without line", line(2_000_000),
            schedule: [(20, line(2_000_000) { $0.isDown = true }), (25, line(2_000_000))], duration: 50, from: 25,
            measuredFrom: 27),
        LineScenario(
            "2 Mbit/s, line stands still for 5 s", line(2_000_000),
            schedule: [(20, line(2_000_000) { $0.bitsPerSecond = 0 }), (25, line(2_000_000))], duration: 50, from: 25,
            measuredFrom: 27),
        LineScenario("2 Mbit/s, 200 ms jitter in order", line(2_000_000) { $0.jitter = .milliseconds(200) }),
        LineScenario(
            "2 Mbit/s, 200 ms jitter, reordered",
            line(2_000_000) {
                $0.jitter = .milliseconds(200)
                $0.keepsOrder = false
            }),
        LineScenario("2 Mbit/s, 30 ms jitter in order", line(2_000_000) { $0.jitter = .milliseconds(30) }),
        LineScenario(
            "2 Mbit/s, 10 % random loss", line(2_000_000) { $0.loss = .independent(0.1) }, capacity: 1_800_000),
        LineScenario(
            "2 Mbit/s, 20 % random loss", line(2_000_000) { $0.loss = .independent(0.2) }, capacity: 1_600_000),
        LineScenario(
            "no bottleneck, 10 % random loss", LinkConditions(loss: .independent(0.1)),
            limits: .init(maximum: 3_000_000), capacity: 2_700_000),
        LineScenario(
            "2 Mbit/s, loss in bursts (5 %)",
            line(2_000_000) { $0.loss = .bursts(begin: 0.01, end: 0.1, loss: 0.55) }),
        LineScenario(
            "2 Mbit/s, a second flow after 15 s", line(2_000_000), flows: [Flow(), Flow(after: 15)], duration: 90,
            from: 15, measuredFrom: 30),
        LineScenario(
            "ladder 150/500/1500 on 800 kbit/s", line(800_000),
            flows: [Flow(.ladder([150_000, 500_000, 1_500_000]))], capacity: 545_000),
        LineScenario(
            "ladder 150/500/1500 on 3 Mbit/s", line(3_000_000),
            flows: [Flow(.ladder([150_000, 500_000, 1_500_000]))], capacity: 1_545_000),
        // The second rung is always just above what the line carries.
        LineScenario(
            "ladder 150/240/1500, fall from 3 Mbit/s to 300 kbit/s", line(3_000_000),
            schedule: [(20, line(300_000, queue: 1))], flows: [Flow(.ladder([150_000, 240_000, 1_500_000]))],
            duration: 60, from: 20, measuredFrom: 28, capacity: 195_000),
    ]
}
