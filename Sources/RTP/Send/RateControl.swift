import Core
import Glibc

/// Additive increase, multiplicative decrease on the delay's verdicts (draft-ietf-rmcat-gcc-02, section 5.5), with an
/// estimate of the line's capacity: far from it the rate grows by a share, near it by packets.
struct RateControl: Sendable {
    /// What is left of the delivered rate after overuse (section 5.5: beta).
    private static let decrease = 0.85
    /// The same while a queue stands that is longer than `longQueue` (milliseconds): 15 % take long to drain half a
    /// second.
    private static let steepDecrease = 0.75
    private static let longQueue = 150.0
    /// The same while none stands: there is nothing to drain.
    private static let gentleDecrease = 0.9
    private static let noQueue = 10.0
    /// Growth per second far from the capacity (section 5.5: eta).
    private static let growth = 1.08
    private static let responseMax = MediaTime.milliseconds(300)
    /// The rate may exceed the delivered one by this factor…
    private static let lead = 1.5
    /// The same where the line's limit has been met, of that or of what is delivered: a sender that uses less than it
    /// may would let the rate drift past the limit, and fill the queue when it uses it all, with the next rung of its
    /// ladder at the latest. From there on a probe has to prove more.
    private static let provedLead = 1.05
    /// … plus this, so that it can rise from little (bits/s).
    private static let leadBase = 10_000.0
    /// Least growth near the capacity (bits/s per second).
    private static let additiveMin = 4000.0
    /// A rate counts as near the capacity within this many deviations of it.
    private static let capacityDeviations = 3.0

    private enum State { case hold, increase, decrease }

    private(set) var rate: Double
    private var state = State.hold
    private var lastIncrease: Instant?
    private var lastDecrease: Instant?
    /// The capacity of the line, as seen at overuse: mean in kbit/s, and variance relative to the mean.
    private var capacity: Double?
    private var capacityVariance = 0.4

    /// The rate would grow, but what is delivered does not show that there is more.
    private(set) var isUnproved = false

    init(rate: Double) { self.rate = rate }

    /// A probe or somebody who knows better sets the rate.
    mutating func set(_ rate: Double, at now: Instant) {
        self.rate = rate
        lastIncrease = now
    }

    /// The line's limit has been met, and is near.
    var knowsCapacity: Bool { capacity != nil }

    /// Puts the rate within the bounds without changing what was learned.
    mutating func clamp(to bounds: ClosedRange<Double>) {
        rate = min(max(rate, bounds.lowerBound), bounds.upperBound)
    }

    /// What is known of one round of feedback.
    struct Round {
        var usage: BandwidthUsage
        /// The delivered rate over half a second and over 200 ms, random loss made up for.
        var acknowledged: Double?
        var acknowledgedShort: Double?
        var roundTrip: MediaTime
        /// The sender has too little to send to learn anything from more of it.
        var isApplicationLimited: Bool
        /// It uses nearly all of the target: what is delivered then is what the line can.
        var isSaturated: Bool
        /// Milliseconds that packets wait in a queue that does not empty.
        var standingQueue: Double
        var packetSize: Double
    }

    /// One round of feedback. Returns whether the rate was lowered.
    mutating func update(_ round: Round, at now: Instant) -> Bool {
        switch round.usage {
        case .overuse: state = .decrease
        case .underuse: state = .hold
        case .normal:
            if state != .increase {
                state = .increase
                lastIncrease = now
            }
        }
        switch state {
        case .hold: return false
        case .decrease:
            let lowered = lower(round, at: now)
            state = .hold
            return lowered
        case .increase:
            if !round.isApplicationLimited { raise(round, at: now) }
            lastIncrease = now
            return false
        }
    }

    private mutating func lower(_ round: Round, at now: Instant) -> Bool {
        // The last decrease must be able to show: a second one within a round trip would answer the same queue. But a
        // long queue makes the round trip.
        let response = min(round.roundTrip, Self.responseMax) + .milliseconds(100)
        if let lastDecrease, now - lastDecrease < response { return false }
        guard let acknowledged = round.acknowledgedShort ?? round.acknowledged else {
            rate *= Self.decrease
            lastDecrease = now
            return true
        }
        let share =
            round.standingQueue > Self.longQueue
            ? Self.steepDecrease : round.standingQueue < Self.noQueue ? Self.gentleDecrease : Self.decrease
        // An overused line delivers what it can: that is its capacity, unless the sender had nothing to send.
        if round.isSaturated { noteCapacity(acknowledged) }
        // A gap in the sending can make the short window look small.
        let delivered = max(acknowledged, (round.acknowledged ?? 0) / 2)
        var lowered = share * delivered
        if lowered > rate, let capacity { lowered = share * capacity * 1e3 }
        if !round.isSaturated { lowered = max(lowered, rate * Self.decrease) }
        guard lowered < rate else { return false }
        rate = lowered
        lastDecrease = now
        return true
    }

    private mutating func raise(_ round: Round, at now: Instant) {
        guard let lastIncrease else { return }
        let elapsed = min(max(0, (now - lastIncrease).seconds), 1)
        if let capacity, let acknowledged = round.acknowledged,
            acknowledged / 1e3 > capacity + Self.capacityDeviations * capacityDeviation
        {
            self.capacity = nil
        }
        let raised: Double
        if capacity != nil {
            let response = round.roundTrip.seconds + 0.1
            raised = rate + max(Self.additiveMin, round.packetSize * 8 / response) * elapsed
        } else {
            raised = rate + max(1000 * elapsed, rate * (pow(Self.growth, elapsed) - 1))
        }
        let delivered = round.acknowledged ?? rate
        let bound =
            capacity.map { max($0 * 1e3, delivered) * Self.provedLead } ?? delivered * Self.lead + Self.leadBase
        isUnproved = capacity != nil && raised > bound
        rate = max(rate, min(raised, bound))
    }

    private var capacityDeviation: Double { (capacityVariance * (capacity ?? 0)).squareRoot() }

    private mutating func noteCapacity(_ rate: Double) {
        let sample = rate / 1e3
        guard let mean = capacity else {
            capacity = sample
            return
        }
        // A sample far below says that the line has changed, not that it is noisy.
        if sample < mean - Self.capacityDeviations * capacityDeviation {
            capacity = sample
            return
        }
        let changed = 0.95 * mean + 0.05 * sample
        capacity = changed
        let norm = max(changed, 1)
        capacityVariance = 0.95 * capacityVariance + 0.05 * (changed - sample) * (changed - sample) / norm
        capacityVariance = min(max(capacityVariance, 0.4), 2.5)
    }
}
