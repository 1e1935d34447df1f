package import Core

/// Decides which rung of a ladder of renditions one viewer gets, from the estimate of the viewer's line.
///
/// Down at once, as far as needed; up only when the estimate has held above the next rung with some room for a while,
/// and later after each upward step that failed. A plain value, owned by the viewer.
package struct RungSelector: Sendable {
    /// A rung fits while the estimate is at least this share of its rate: encoders stay below their rate most of the
    /// time, and a short dip is no reason to change.
    private static let keepShare = 0.9
    /// What a higher rung needs above its rate: room for retransmissions and for the key frame of the switch.
    private static let raiseShare = 1.15
    /// How long the estimate must hold before a step up.
    private static let holdTime = MediaTime.seconds(1)
    private static let holdTimeMax = MediaTime.seconds(30)
    /// The same before the first step: the first probes have just measured, and nobody wants to begin with small pictures.
    private static let firstHoldTime = MediaTime.milliseconds(300)
    /// A step up that ends within this time has failed: the next one waits twice as long.
    private static let failTime = MediaTime.seconds(10)
    /// A dip this short changes nothing, unless it is deep.
    private static let dipTime = MediaTime.milliseconds(300)
    private static let deepShare = 0.6

    /// Bits per second of each rung, rising, and what else goes to the viewer (sound, repair).
    package private(set) var rates: [Int]
    package private(set) var overhead: Int
    /// Index into `rates`.
    package private(set) var rung = 0
    private var fitsSince: Instant?
    private var lowSince: Instant?
    private var raisedAt: Instant?
    private var hold = holdTime

    /// `rates` rise and are not empty; `overhead` in bits/s.
    package init(rates: [Int], overhead: Int = 0) {
        precondition(!rates.isEmpty, "A ladder has at least one rung")
        self.rates = rates.sorted()
        self.overhead = overhead
    }

    /// Begins on the highest rung that an estimate carries, without waiting.
    package mutating func begin(estimate: Int) {
        rung = rates.indices.last { Double(need($0, 1)) <= Double(estimate) } ?? 0
        hold = Self.firstHoldTime
    }

    /// What the estimator should look for: what the next rung needs; nil on the highest.
    package var wish: Int? { rung + 1 < rates.count ? need(rung + 1, Self.raiseShare) : nil }

    /// What is of use at most: the highest rung, and half as much again for repair.
    package var ceiling: Int { need(rates.count - 1, 1.5) }

    /// The estimate of now. Returns the new rung if it changes.
    package mutating func update(estimate: Int, at now: Instant) -> Int? {
        if estimate < need(rung, Self.keepShare), rung > 0 { return lower(estimate, at: now) }
        lowSince = nil
        if let raisedAt, now - raisedAt > Self.failTime {
            hold = Self.holdTime
            self.raisedAt = nil
        }
        guard let wish, estimate >= wish else {
            fitsSince = nil
            return nil
        }
        guard let since = fitsSince else {
            fitsSince = now
            return nil
        }
        guard now - since >= hold else { return nil }
        // As high as fits: each step costs a key frame.
        while let wish = self.wish, estimate >= wish { rung += 1 }
        fitsSince = nil
        hold = max(hold, Self.holdTime)
        raisedAt = now
        return rung
    }

    private mutating func lower(_ estimate: Int, at now: Instant) -> Int? {
        fitsSince = nil
        if Double(estimate) >= Double(rates[rung]) * Self.deepShare {
            guard let since = lowSince else {
                lowSince = now
                return nil
            }
            guard now - since >= Self.dipTime else { return nil }
        }
        lowSince = nil
        hold = max(hold, Self.holdTime)
        if let raisedAt, now - raisedAt < Self.failTime {
            hold = min(MediaTime(nanoseconds: hold.nanoseconds * 2), Self.holdTimeMax)
        }
        raisedAt = nil
        while rung > 0, estimate < need(rung, 1) { rung -= 1 }
        return rung
    }

    private func need(_ rung: Int, _ share: Double) -> Int { Int(Double(rates[rung]) * share) + overhead }
}
