package import Core

/// What a sender is asked for where nobody but its receiver judges the line: less after losses, more while there are
/// none, by settings that clients of Kurento know as `RembParams`. One per session; owned by its loop.
///
/// Looks at what has come every half second. Below the threshold, which the last great loss has left, the rate grows by
/// a factor, above it by a step; never far beyond what really comes.
package struct ReceiveRateControl: Sendable {
    package struct Settings: Hashable, Sendable {
        /// Over so many packets the share of losses is averaged.
        package var packetsAveraged = 100
        /// Growth of the rate per look below the threshold: 0.04 is 4 %.
        package var growthFactor = 0.04
        /// Least growth per look above the threshold, in bits per second.
        package var growthStepMin = 50
        /// Above the threshold, so many looks lead back to the rate at the last great loss.
        package var growthSteps = 30.0
        /// What a great loss leaves of the rate.
        package var lossFactor = 0.5
        /// Where the threshold is, as a part of the rate at the last loss.
        package var thresholdFactor = 0.8
        /// From so many lost in 256 packets on, a loss is great; below, the rate only ceases to grow.
        package var lossesMax = 12
        /// Told first, in bits per second.
        package var start = 300_000
        package init() {}
    }

    /// What has come since the session began.
    package struct Totals: Hashable, Sendable {
        package var packetsExpected: Int64 = 0
        package var packetsReceived: Int64 = 0
        package var bytesReceived: Int64 = 0
        package init() {}
    }

    /// Time between looks.
    package static let interval = MediaTime.milliseconds(500)
    /// A sender that is asked for more than so many times what it sends has not used what it was allowed.
    private static let excessMax = 2.0
    /// Part of a new measurement in the mean of what comes.
    private static let meanPart = 0.125

    package private(set) var settings: Settings
    /// Bits per second.
    package private(set) var rate: Int64
    /// The next look; nil before anything has come.
    package private(set) var deadline: Instant?
    private var before = Totals()
    private var lastLook: Instant?
    /// Lost in 256 packets, averaged.
    private var losses = 0.0
    private var threshold = 0.0
    private var step = 0.0
    /// Of what came: the most since the last great loss, and the mean.
    private var peak = 0.0
    private var mean = 0.0

    package init(_ settings: Settings = Settings()) {
        self.settings = settings
        rate = Int64(max(0, settings.start))
    }

    /// Takes effect with the next look; the rate goes on from where it is.
    package mutating func change(_ settings: Settings) { self.settings = settings }

    /// Looks at what has come, if it is time to; true: the rate may have changed.
    @discardableResult
    package mutating func update(_ totals: Totals, at now: Instant) -> Bool {
        guard totals.packetsReceived > 0 else { return false }
        guard let lastLook else {
            begin(totals, at: now)
            return false
        }
        let span = now - lastLook
        guard span >= ReceiveRateControl.interval else { return false }
        let packets = totals.packetsReceived - before.packetsReceived
        let expected = totals.packetsExpected - before.packetsExpected
        let bytes = totals.bytesReceived - before.bytesReceived
        begin(totals, at: now)
        // The peer has begun anew, or sends nothing: that says nothing about the line.
        guard packets >= 0, expected > 0, bytes > 0 else { return false }
        let incoming = Double(bytes * 8) / span.seconds
        average(lost: Double(max(0, expected - packets)) * 256 / Double(expected), packets: Double(max(1, packets)))
        peak = max(peak, incoming)
        mean = mean == 0 ? incoming : mean + (incoming - mean) * ReceiveRateControl.meanPart
        judge()
        return true
    }

    private mutating func begin(_ totals: Totals, at now: Instant) {
        before = totals
        lastLook = now
        deadline = now + ReceiveRateControl.interval
    }

    private mutating func average(lost: Double, packets: Double) {
        let window = max(Double(settings.packetsAveraged), packets)
        losses += (lost - losses) * packets / window
        // Less than one packet in as many looks as matter.
        if losses < 0.25 { losses = 0 }
    }

    private mutating func judge() {
        let current = Double(rate)
        if losses == 0 {
            let base = max(current, peak)
            let grown = base < threshold || threshold == 0 ? base * (1 + max(0, settings.growthFactor)) : base + step
            set(max(current, min(grown, peak * ReceiveRateControl.excessMax)))
            return
        }
        let base = max(current, mean)
        threshold = base * min(1, max(0, settings.thresholdFactor))
        step = max(Double(settings.growthStepMin), (base - threshold) / max(1, settings.growthSteps))
        if losses < Double(settings.lossesMax) {
            set(min(current, peak))
        } else {
            set(base * min(1, max(0, settings.lossFactor)))
            losses = 0
            peak = 0
            mean = 0
        }
    }

    private mutating func set(_ value: Double) { rate = Int64(min(max(0, value), 1e12)) }
}
