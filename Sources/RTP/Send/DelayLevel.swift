/// The level of the one-way delay, where its slope says too little. (The draft looks at the slope alone.)
///
/// On a jittery line the slope over a few groups is chance; there, overuse counts only when the delay also leaves the
/// range it has had lately. And a queue that is full has no slope: the least delay of the last moments against the least
/// of the last seconds tells how much of it never empties.
struct DelayLevel: Sendable {
    /// Mean step between groups, in milliseconds, from which on a line counts as jittery. The steps of a queue that
    /// fills are small: one group's share.
    private static let noisyStep = 4.0
    /// How many deviations above the mean the recent delay must be.
    private static let deviations = 1.5
    /// Time constants, in milliseconds.
    private static let recentTime = 300.0
    private static let longTime = 5000.0
    /// A queue stands if its least delay lately exceeds this, in milliseconds, and so many mean steps.
    private static let standingMin = 60.0
    private static let standingSteps = 3.0
    /// "Lately" and "the last seconds", in milliseconds, in parts whose minimum is kept.
    private static let part = 100.0
    private static let recentParts = 4
    private static let baseParts = 150

    private var step = 0.0
    private var recent = 0.0
    private var mean = 0.0
    private var variance = 0.0
    private var isFirst = true
    private var minima = [Double](repeating: .infinity, count: baseParts)
    private var newest = 0
    private var partTime = 0.0
    private var base = 0.0
    private(set) var standing = 0.0

    init() {}

    /// One group: its delay against the first group's, how much that is more than the one before, and the time between.
    mutating func add(delay: Double, step newStep: Double, after elapsed: Double) {
        if isFirst {
            isFirst = false
            (recent, mean, base) = (delay, delay, delay)
        }
        let long = min(1, max(0, elapsed) / Self.longTime)
        let short = min(1, max(0, elapsed) / Self.recentTime)
        step += long * 2 * (abs(newStep) - step)
        recent += short * (delay - recent)
        let deviation = delay - mean
        mean += long * deviation
        variance += long * (deviation * deviation - variance)
        noteMinimum(delay, after: elapsed)
    }

    private mutating func noteMinimum(_ delay: Double, after elapsed: Double) {
        partTime += max(0, elapsed)
        if partTime >= Self.part {
            partTime = 0
            newest = newest + 1 == Self.baseParts ? 0 : newest + 1
            minima[newest] = delay
            base = minima.min() ?? delay
        } else {
            minima[newest] = min(minima[newest], delay)
            base = min(base, delay)
        }
        var least = Double.infinity
        for back in 0..<Self.recentParts {
            least = min(least, minima[(newest - back + Self.baseParts) % Self.baseParts])
        }
        standing = least - base
    }

    var isNoisy: Bool { step > Self.noisyStep }
    /// Whether a slope may count as overuse.
    var isExceeded: Bool { !isNoisy || recent > mean + Self.deviations * variance.squareRoot() }
    /// A queue does not empty any more.
    var isStanding: Bool { standing > Self.standingMin + Self.standingSteps * step }
    /// It empties, but not fast.
    var isHigh: Bool { standing > (Self.standingMin + Self.standingSteps * step) / 2 }
}
