import Core
import Glibc

/// Finds out how much of the loss is the line's nature and how much is its limit.
///
/// The model: of what is sent at rate r, a share p is lost whatever the rate, and what exceeds the capacity c is lost too:
/// loss = p + (1 − p) · max(0, 1 − c/r). The likeliest pair over the last windows is sought among some candidates. Where
/// two explain the same, because all windows had one rate, the one with less p wins: the rate falls a little, and then
/// either the loss falls too, or windows of two rates say that it is the line's nature, and the bound goes. So constant
/// random loss costs a short dip now and then, and no more. (The draft's bound, section 6, lowers the rate for any loss
/// above 10 % until nothing is left of it.)
struct LossEstimate: Sendable {
    /// A window lasts at least this long and has at least so many packets.
    private static let windowTime = MediaTime.milliseconds(250)
    private static let windowPackets = 10
    private static let windows = 40
    /// Windows count less with age, by this factor each.
    private static let aging = 0.95
    /// Losses come in runs, so packets are not independent: this share of them counts.
    private static let independence = 0.5
    /// What p must explain better, in units of log-likelihood: for being there at all, and in proportion.
    private static let inherentCost = 4.0
    private static let inherentCostSlope = 20.0
    /// What a capacity must explain better than none.
    private static let capacityCost = 4.0
    /// The same while no queue is seen: a line that drops because it is full nearly always shows one. At low rates, where
    /// windows have few packets, the bound would else run after the rate down to nothing.
    private static let calmCapacityCost = 12.0
    /// Loss below this needs no explanation.
    private static let lossMin = 0.005
    private static let shares: [Double] = [0, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.35]
    private static let factors: [Double] = [1, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.35]
    /// Below this share of loss over all windows the bound is lifted.
    private static let harmless = 0.02

    private struct Window {
        var packets = 0.0
        var lost = 0.0
        var rate = 0.0
    }

    private var ring: [Window] = []
    private var next = 0
    private var packets = 0
    private var lost = 0
    private var bytes = 0
    private var start: Instant?
    /// Where the line's capacity lies as far as loss tells; nil: loss says nothing against more.
    private(set) var bound: Double?
    /// The share of packets the line loses at any rate.
    private(set) var inherent = 0.0
    /// No queue is seen. Told by the owner.
    var isCalm = false
    /// Loss of the newest window.
    private(set) var recent = 0.0

    init() { ring.reserveCapacity(Self.windows) }

    /// A packet whose verdict is final, in the order of sending.
    mutating func add(sent: Instant, size: Int, isLost: Bool, target: Double) {
        guard let start else {
            self.start = sent
            return
        }
        let elapsed = sent - start
        if elapsed >= Self.windowTime, packets >= Self.windowPackets {
            let rate = Double(bytes * 8) / elapsed.seconds
            let window = Window(packets: Double(packets), lost: Double(lost), rate: rate)
            if ring.count < Self.windows { ring.append(window) } else { ring[next] = window }
            next = next + 1 == Self.windows ? 0 : next + 1
            recent = window.lost / window.packets
            (packets, lost, bytes) = (0, 0, 0)
            self.start = sent
            update(target: target)
        }
        packets += 1
        bytes += size
        if isLost { lost += 1 }
    }

    /// Forgets the windows, after an outage; what the line loses by nature is kept.
    mutating func reset() {
        ring.removeAll(keepingCapacity: true)
        next = 0
        (packets, lost, bytes) = (0, 0, 0)
        start = nil
        bound = nil
    }

    private mutating func update(target: Double) {
        var (all, allLost, fastest) = (0.0, 0.0, 0.0)
        for window in ring {
            all += window.packets
            allLost += window.lost
            fastest = max(fastest, window.rate)
        }
        guard all > 0 else { return }
        guard allLost / all > Self.harmless || recent > Self.harmless else {
            inherent = allLost / all
            // Lifted in steps, so that a line that dropped before is asked carefully.
            bound = bound.flatMap { $0 * 1.1 > 2 * fastest ? nil : $0 * 1.1 }
            return
        }
        var best = (likelihood: -Double.infinity, capacity: Double.infinity, inherent: inherent)
        consider(.infinity, &best)
        for factor in Self.factors { consider(fastest * factor, &best) }
        if let bound {
            consider(bound * 1.05, &best)
            consider(bound, &best)
            consider(bound * 0.95, &best)
        }
        // What got through in the newest window is a candidate of its own: it answers a sudden fall in one step.
        let newest = ring[(next + Self.windows - 1) % Self.windows % ring.count]
        consider(newest.rate * (1 - newest.lost / newest.packets) / (1 - inherent), &best)
        inherent = best.inherent
        // Nothing speaks against the fastest rate so far: then nothing speaks against more.
        bound = best.capacity >= fastest ? nil : max(best.capacity, (bound ?? 0) * 0.8)
    }

    private func consider(
        _ capacity: Double, _ best: inout (likelihood: Double, capacity: Double, inherent: Double)
    ) {
        guard capacity > 0 else { return }
        for share in Self.shares {
            let value = likelihood(capacity, share)
            if value > best.likelihood { best = (value, capacity, share) }
        }
    }

    /// Log-likelihood of the windows under the model, less what the line's nature costs.
    private func likelihood(_ capacity: Double, _ inherent: Double) -> Double {
        var (sum, weight) = (0.0, 1.0)
        // Windows below the capacity have one and the same loss: their counts are enough.
        var (calmLost, calmKept) = (0.0, 0.0)
        for age in 1...max(1, ring.count) {
            let window = ring[(next - age + 2 * Self.windows) % Self.windows % ring.count]
            if window.rate <= capacity {
                calmLost += weight * window.lost
                calmKept += weight * (window.packets - window.lost)
            } else {
                let loss = min(max(inherent + (1 - inherent) * (1 - capacity / window.rate), Self.lossMin), 0.99)
                sum += weight * (window.lost * log(loss) + (window.packets - window.lost) * log(1 - loss))
            }
            weight *= Self.aging
        }
        let loss = max(inherent, Self.lossMin)
        sum += calmLost * log(loss) + calmKept * log(1 - loss)
        let cost = inherent > 0 ? Self.inherentCost + Self.inherentCostSlope * inherent : 0
        let capacityCost = isCalm ? Self.calmCapacityCost : Self.capacityCost
        return sum * Self.independence - cost - (capacity.isFinite ? capacityCost : 0)
    }
}
