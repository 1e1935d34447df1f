import Core

/// What the one-way delay says about the line.
package enum BandwidthUsage: Sendable { case normal, overuse, underuse }

/// Watches the growth of the one-way delay: packets sent in one burst form a group, and a straight line through the
/// last groups' delays says whether a queue grows (draft-ietf-rmcat-gcc-02, sections 5.2 to 5.4, with the trendline in
/// place of the Kalman filter).
struct DelayTrend: Sendable {
    /// Packets sent within this time of a group's first belong to it (section 5.2).
    private static let groupSpan = MediaTime.milliseconds(5)
    /// What arrives together though it was sent apart was held up together; a group grows so up to this.
    private static let longestGroup = MediaTime.milliseconds(100)
    /// A step in the clocks, or a line that stood still: begin anew.
    private static let resetStep = MediaTime.seconds(3)
    private static let window = 20
    private static let smoothing = 0.9
    /// The slope counts as milliseconds over this many groups…
    private static let groupsMax = 60
    /// … times this: the scale that the thresholds are made for.
    private static let gain = 4.0
    private static let thresholdBounds = 6.0...600.0
    private static let thresholdStart = 12.5
    /// How fast the threshold follows upwards and downwards, per millisecond (section 5.4).
    private static let thresholdUp = 0.0087
    private static let thresholdDown = 0.039
    /// Spikes beyond the threshold by more than this leave it alone.
    private static let thresholdReach = 15.0
    /// Overuse must last this long to count (milliseconds; section 5.4).
    private static let overuseTime = 10.0

    private struct Group {
        var firstSent: Instant
        var lastSent: Instant
        var firstArrival: MediaTime
        var lastArrival: MediaTime
    }

    private struct Point {
        var arrival = 0.0
        var delay = 0.0
    }

    private var previous: Group?
    private var current: Group?
    private var points: [Point] = []
    private var next = 0
    private var groups = 0
    private var firstArrival = MediaTime.zero
    private var accumulated = 0.0
    private var smoothed = 0.0
    private var lastTrend = 0.0
    private var threshold = thresholdStart
    private var lastUpdate: Double?
    private var overusing = -1.0
    private var overuses = 0
    private var level = DelayLevel()

    private(set) var usage = BandwidthUsage.normal
    var isNoisy: Bool { level.isNoisy }
    /// Milliseconds that packets wait in a queue which does not empty.
    var standing: Double { level.standing }

    init() { points.reserveCapacity(Self.window) }

    /// A packet that arrived, in the order of sending.
    mutating func add(sent: Instant, arrival: MediaTime) {
        guard var group = current else {
            current = Group(firstSent: sent, lastSent: sent, firstArrival: arrival, lastArrival: arrival)
            return
        }
        guard sent >= group.firstSent else { return }
        if belongs(sent, arrival, to: group) {
            group.lastSent = max(group.lastSent, sent)
            group.lastArrival = max(group.lastArrival, arrival)
            current = group
            return
        }
        if let previous {
            let sendDelta = (group.lastSent - previous.lastSent).seconds * 1e3
            let arrivalDelta = (group.lastArrival - previous.lastArrival).seconds * 1e3
            if abs(arrivalDelta - sendDelta) > Self.resetStep.seconds * 1e3 {
                reset()
            } else {
                update(arrivalDelta: arrivalDelta, sendDelta: sendDelta, at: group.lastArrival)
            }
        }
        previous = group
        current = Group(firstSent: sent, lastSent: sent, firstArrival: arrival, lastArrival: arrival)
    }

    /// Forgets everything but the threshold: after an outage, or a change of the route.
    mutating func reset() {
        previous = nil
        current = nil
        points.removeAll(keepingCapacity: true)
        next = 0
        groups = 0
        accumulated = 0
        smoothed = 0
        lastTrend = 0
        overusing = -1
        overuses = 0
        level = DelayLevel()
        usage = .normal
    }

    private func belongs(_ sent: Instant, _ arrival: MediaTime, to group: Group) -> Bool {
        if sent - group.firstSent <= Self.groupSpan { return true }
        let arrivalDelta = arrival - group.lastArrival
        let propagation = arrivalDelta - (sent - group.lastSent)
        return propagation < .zero && arrivalDelta <= Self.groupSpan
            && arrival - group.firstArrival < Self.longestGroup
    }

    private mutating func update(arrivalDelta: Double, sendDelta: Double, at arrival: MediaTime) {
        let delta = arrivalDelta - sendDelta
        groups = min(groups + 1, 1000)
        if points.isEmpty { firstArrival = arrival }
        accumulated += delta
        smoothed = Self.smoothing * smoothed + (1 - Self.smoothing) * accumulated
        level.add(delay: accumulated, step: delta, after: sendDelta)
        let time = (arrival - firstArrival).seconds * 1e3
        let point = Point(arrival: time, delay: smoothed)
        if points.count < Self.window { points.append(point) } else { points[next] = point }
        next = next + 1 == Self.window ? 0 : next + 1
        let trend = points.count == Self.window ? slope() ?? lastTrend : lastTrend
        detect(trend, elapsed: sendDelta, at: time)
    }

    /// The slope of the straight line through the points, by least squares.
    private func slope() -> Double? {
        var (sumX, sumY) = (0.0, 0.0)
        for point in points {
            sumX += point.arrival
            sumY += point.delay
        }
        let (meanX, meanY) = (sumX / Double(points.count), sumY / Double(points.count))
        var (numerator, denominator) = (0.0, 0.0)
        for point in points {
            numerator += (point.arrival - meanX) * (point.delay - meanY)
            denominator += (point.arrival - meanX) * (point.arrival - meanX)
        }
        return denominator > 0 ? numerator / denominator : nil
    }

    private mutating func detect(_ trend: Double, elapsed: Double, at time: Double) {
        let modified = Double(min(groups, Self.groupsMax)) * trend * Self.gain
        if modified > threshold {
            overusing = overusing < 0 ? elapsed / 2 : overusing + elapsed
            overuses += 1
            if overusing > Self.overuseTime, overuses > 1, trend >= lastTrend, level.isExceeded {
                overusing = 0
                overuses = 0
                usage = .overuse
            } else if usage == .underuse {
                usage = .normal
            }
        } else {
            overusing = -1
            overuses = 0
            usage = modified < -threshold && !level.isNoisy ? .underuse : .normal
        }
        // A queue that stands has no slope: a full one least of all.
        if level.isStanding { usage = .overuse } else if level.isHigh, usage == .normal { usage = .underuse }
        lastTrend = trend
        adapt(to: abs(modified), at: time)
    }

    private mutating func adapt(to magnitude: Double, at time: Double) {
        defer { lastUpdate = time }
        guard let lastUpdate, magnitude <= threshold + Self.thresholdReach else { return }
        let factor = magnitude < threshold ? Self.thresholdDown : Self.thresholdUp
        let elapsed = min(max(0, time - lastUpdate), 100)
        threshold += factor * (magnitude - threshold) * elapsed
        threshold = min(max(threshold, Self.thresholdBounds.lowerBound), Self.thresholdBounds.upperBound)
    }
}
