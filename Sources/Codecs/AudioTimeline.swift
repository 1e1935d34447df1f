import Core

/// The clock of one decoded track: an anchor and a count of samples, so that time stamps rounded by a container
/// neither jitter nor drift the output. Plain value, owned by one decoder.
struct AudioTimeline {
    /// How far a time stamp may lie from the count before the track is taken to have jumped.
    static let tolerance = MediaTime.milliseconds(10)

    /// When sample 0 was due.
    let start: MediaTime
    /// Samples per second of what is counted.
    let rate: Int
    /// Samples counted since `start`.
    var count: Int64 = 0

    init(start: MediaTime, rate: Int) {
        self.start = start
        self.rate = rate
    }

    /// When the next sample is due by the count.
    var now: MediaTime { start + MediaTime(samples: count, rate: rate) }

    /// Whether a block with this time stamp continues the count. An unknown time stamp always does.
    func continues(at pts: MediaTime) -> Bool {
        if pts == .distantPast { return true }
        let distance = pts - now
        return distance <= Self.tolerance && -distance <= Self.tolerance
    }
}
