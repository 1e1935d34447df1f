/// How much faster than ours a sender's clock runs, from the fastest packet of every two seconds: queues only ever
/// make packets later, so the lower edge of the transit times shows the clocks. Plain value.
struct DriftEstimator {
    private static let windowSamples = 2.0 * 48_000
    /// 64 s, over which 15 ppm are a millisecond.
    private static let windowsMax = 32
    private static let windowsMin = 5
    /// Crystals are within 100 ppm, sound cards that miscount within some hundred.
    private static let limit = 1000e-6

    private var points: [(time: Double, transit: Double)] = []
    private var current: (time: Double, transit: Double)?
    private var windowEnd = 0.0
    /// The part by which the sender is faster; 0 while it cannot be told from none.
    private(set) var drift = 0.0

    /// `time` is our clock's, `transit` is arrival less media time, both in samples at 48 kHz by our clock. Returns
    /// whether `drift` was looked at anew.
    mutating func add(time: Double, transit: Double) -> Bool {
        guard let current, time < windowEnd else {
            if let current {
                if points.count == DriftEstimator.windowsMax { points.removeFirst() }
                points.append(current)
            }
            self.current = (time, transit)
            windowEnd = time + DriftEstimator.windowSamples
            return estimate()
        }
        if transit < current.transit { self.current = (time, transit) }
        return false
    }

    /// A straight line through the points; believed when its slope is well above what their scatter could feign.
    private mutating func estimate() -> Bool {
        guard points.count >= DriftEstimator.windowsMin else { return false }
        let count = Double(points.count)
        let meanTime = points.reduce(0) { $0 + $1.time } / count
        let meanTransit = points.reduce(0) { $0 + $1.transit } / count
        var (xx, xy) = (0.0, 0.0)
        for point in points {
            xx += (point.time - meanTime) * (point.time - meanTime)
            xy += (point.time - meanTime) * (point.transit - meanTransit)
        }
        guard xx > 0 else { return false }
        let slope = xy / xx
        var scatter = 0.0
        for point in points {
            let miss = point.transit - meanTransit - slope * (point.time - meanTime)
            scatter += miss * miss
        }
        let error = (scatter / max(1, count - 2) / xx).squareRoot()
        // Below 10 ppm an hour is 36 ms: a time-stretch now and then costs less than filtering all the time.
        guard abs(slope) > max(10e-6, 4 * error) || (drift != 0 && abs(slope) > 2 * error) else { return false }
        drift = min(max(-slope, -DriftEstimator.limit), DriftEstimator.limit)
        return true
    }

    mutating func reset() {
        points.removeAll(keepingCapacity: true)
        current = nil
    }
}
