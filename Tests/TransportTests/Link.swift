import Core

/// Datagrams under way between two machines in virtual time: delay, jitter (and so reordering), loss; all from a seed.
struct Link {
    struct Conditions: Sendable {
        var loss = 0.0
        var delay = MediaTime.milliseconds(20)
        var jitter = MediaTime.zero
    }
    var conditions: Conditions
    /// Datagrams lost so far.
    private(set) var lost = 0
    private(set) var largest = 0
    private var random: SeededRandom
    private var underWay = TimerQueue<[UInt8]>()

    init(_ conditions: Conditions, seed: UInt64) {
        self.conditions = conditions
        random = SeededRandom(seed: seed)
    }

    mutating func send(_ bytes: [UInt8], at now: Instant) {
        largest = max(largest, bytes.count)
        guard Double.random(in: 0..<1, using: &random) >= conditions.loss else {
            lost += 1
            return
        }
        let jitter = Int64.random(in: 0...max(0, conditions.jitter.nanoseconds), using: &random)
        _ = underWay.add(now + conditions.delay + MediaTime(nanoseconds: jitter), bytes)
    }

    var nextArrival: Instant? {
        mutating get { underWay.nextDeadline }
    }

    mutating func arrival(at now: Instant) -> [UInt8]? { underWay.popDue(at: now) }
}
