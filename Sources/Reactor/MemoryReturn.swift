import Core

/// When memory that was freed goes back to the system: what malloc keeps after a pipeline has gone lies in pieces
/// between what is still in use, ten times as much as that, and grows with each pipeline until it is told to give it
/// back. A plain value: who owns it schedules, measures and trims.
///
/// Some time after memory was freed, so that all of what goes together has gone; not too often, because malloc is held
/// up meanwhile (10 to 20 ms for 100 MB in small pieces); and not for little.
struct MemoryReturn {
    /// From the first word that memory was freed to the trimming.
    static let settlingTime = MediaTime.milliseconds(500)
    /// Between two trimmings at least.
    static let interval = MediaTime.seconds(5)
    /// What resident memory beyond that in use must have grown by since the last trimming to be worth another. Some is
    /// always there: code, stacks, and what lies between pieces in use.
    static let gainKiBMin = 4 << 10

    private var trimmedAt: Instant?
    private var slackKiB = 0
    private var isPending = false

    /// Memory was freed. Returns when to call `isWorthIt`, nil where that has been said already.
    mutating func freed(at now: Instant) -> Instant? {
        guard !isPending else { return nil }
        isPending = true
        let earliest = now + MemoryReturn.settlingTime
        return max(earliest, trimmedAt.map { $0 + MemoryReturn.interval } ?? earliest)
    }

    /// The time has come: whether to trim, with so much resident memory beyond what is in use.
    mutating func isWorthIt(slackKiB: Int) -> Bool {
        isPending = false
        return slackKiB >= self.slackKiB + MemoryReturn.gainKiBMin
    }

    /// So much was left after it.
    mutating func trimmed(slackKiB: Int, at now: Instant) {
        self.slackKiB = slackKiB
        trimmedAt = now
    }
}
