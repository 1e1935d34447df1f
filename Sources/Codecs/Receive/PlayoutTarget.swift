import Media

/// Chooses how late to play: learns from each packet's transit time (arrival less media time) how late packets come,
/// and answers with the delay at which all but a few of them are in time. Plain value; all numbers are samples at
/// 48 kHz on the sender's clock, transit times with any common offset.
///
/// Two windows forget at different speeds: ten seconds for what the network is like, one second for what it has
/// become. There is no built-in delay: a network without jitter gets the delay that blocks and packets need to meet.
/// Packets that come once more because they were lost count apart: they are waited for where there are many of them.
struct PlayoutTarget {
    /// 97 of 100 blocks in the long run; in the short run 9 of 10 suffice to see a change, fewer would be chance.
    private static let (longShare, shortShare) = (0.97, 0.90)
    private static let block = Double(AudioFrame.blockSamples)
    /// Half a second of blocks; before, the network is hardly known and one block more is kept.
    private static let countKnown = 25
    /// 1 ms: a packet that is due in this very moment is not yet in time.
    private static let margin = 48.0
    /// From this share of packets on that come once more they are waited for, until it has fallen to the lower one. A
    /// packet's weight in it is that of one in 256: five seconds.
    private static let (repairedMost, repairedLeast) = (0.02, 0.008)
    private static let repairedWeight = 1.0 / 256
    /// Of those, nine of ten: a second request takes another round trip.
    private static let repairedQuantile = 0.9
    /// What comes later than this after the fastest is not waited for: 250 ms. People who talk to each other notice
    /// more than that sooner than a gap.
    private static let repairedLatest = 12_000.0

    private var long = SlidingQuantile(capacity: 500)
    private var short = SlidingQuantile(capacity: 50)
    /// The latest packet of the 20 ms of media that are being collected.
    private var collected: (until: Double, transit: Double)?
    /// Loss events, decaying: what part of the blocks lately was lost.
    private(set) var lossShare = 0.0
    /// How late packets came that were sent once more, the last 64 of them.
    private var repaired = SlidingQuantile(capacity: 64)
    private var repairedShare = 0.0
    private var waitsForRepaired = false

    /// How late the fastest packet came.
    var fastest: Double? { [long.minimum, collected?.transit].compactMap { $0 }.min() }

    /// A packet came. Packets shorter than a block count together: one value per 20 ms of media.
    mutating func add(transit: Double, start: Double, duration: Double) {
        noteRepaired(0)
        guard let now = collected else {
            collected = (start + max(duration, PlayoutTarget.block), transit)
            return
        }
        if start < now.until, start + 48_000 > now.until {
            collected?.transit = max(now.transit, transit)
        } else {
            long.add(now.transit)
            short.add(now.transit)
            collected = (start + max(duration, PlayoutTarget.block), transit)
        }
    }

    /// A packet came that had been lost.
    mutating func add(repaired transit: Double) {
        guard let fastest, transit - fastest <= PlayoutTarget.repairedLatest else { return }
        repaired.add(transit)
        noteRepaired(1)
    }

    private mutating func noteRepaired(_ value: Double) {
        repairedShare += (value - repairedShare) * PlayoutTarget.repairedWeight
        waitsForRepaired =
            repairedShare > (waitsForRepaired ? PlayoutTarget.repairedLeast : PlayoutTarget.repairedMost)
    }

    mutating func count(lost: Bool) { lossShare += ((lost ? 1 : 0) - lossShare) * 0.003 }

    /// How late nearly all packets come.
    private var needed: Double? {
        var values = [long.quantile(PlayoutTarget.longShare), short.quantile(PlayoutTarget.shortShare)]
        if long.count < PlayoutTarget.countKnown { values.append(collected?.transit) }
        if waitsForRepaired { values.append(repaired.quantile(PlayoutTarget.repairedQuantile)) }
        return values.compactMap { $0 }.max()
    }

    /// The delay to play at: media time m is heard at m + this.
    ///
    /// - Parameters:
    ///   - packet: samples of a packet.
    ///   - phase: arrival clock of a pull less start of some packet: where both grids lie to each other; nil where
    ///     they slide along each other because the clocks differ.
    ///   - floor: delay that is kept at least, beyond the fastest packet's.
    ///   - extra: what comes on top.
    func delay(packet: Double, phase: Double?, waitsForRepair: Bool, floor: Double, extra: Double) -> Double? {
        guard let needed, let fastest else { return nil }
        var wanted = needed + PlayoutTarget.margin
        if long.count < PlayoutTarget.countKnown { wanted += min(packet, PlayoutTarget.block) }
        if waitsForRepair { wanted += packet }
        wanted = max(wanted, fastest + floor) + extra
        guard let phase else { return wanted + PlayoutTarget.block }
        // A block needs all packets that reach into it. Where both have a common measure, some of the next block's
        // length suffices; the delay is then a whole number of measures away from the phase.
        let measure = PlayoutTarget.commonMeasure(packet)
        let least = wanted + PlayoutTarget.block - measure
        return phase + ((least - phase) / measure).rounded(.up) * measure
    }

    /// The largest span of which both a block and a packet are multiples.
    private static func commonMeasure(_ packet: Double) -> Double {
        var (a, b) = (AudioFrame.blockSamples, max(1, Int(min(packet, 1e6))))
        while b != 0 { (a, b) = (b, a % b) }
        return Double(a)
    }

    mutating func reset() {
        long.removeAll()
        short.removeAll()
        repaired.removeAll()
        collected = nil
    }
}
