import Core

/// What to tell an encoder of sound about the losses on the way to one peer, from the peer's receiver reports.
///
/// Few levels, up soon and down late: many listeners share one encoder, and what it is told changes how it sounds. A
/// plain value, owned by the sink.
struct ExpectedLoss: Sendable {
    /// From this share of lost packets on (per report, smoothed), this many of 100 are expected. Opus spends redundancy
    /// on speech from 6 on, and more of it at higher levels.
    private static let levels: [(share: Double, percent: Int)] = [(0, 0), (0.01, 10), (0.12, 20), (0.22, 30)]
    /// It goes down to a level only while the share is below this part of where the higher one begins …
    private static let keepShare = 0.5
    /// … and has been for this long.
    private static let holdTime = MediaTime.seconds(10)
    /// A new report's weight: reports come every second, and each is about fifty packets.
    private static let weight = 0.3

    private var share = 0.0
    private var reports = 0
    private var level = 0
    private var lowSince: Instant?

    /// `fraction` of the newest report, 0…1; `report` counts them. Returns the packets of 100 to expect if that changes.
    mutating func update(_ fraction: Double, report: Int, at now: Instant) -> Int? {
        guard report != reports else { return nil }
        reports = report
        share += (min(max(fraction, 0), 1) - share) * Self.weight
        let wanted = Self.levels.lastIndex { $0.share <= share } ?? 0
        if wanted > level {
            lowSince = nil
            level = wanted
            return Self.levels[level].percent
        }
        guard level > 0, share < Self.levels[level].share * Self.keepShare else {
            lowSince = nil
            return nil
        }
        guard let since = lowSince else {
            lowSince = now
            return nil
        }
        guard now - since >= Self.holdTime else { return nil }
        lowSince = nil
        level = wanted
        return Self.levels[level].percent
    }
}
