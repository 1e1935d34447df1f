import Core
import Media

/// Brings time stamps and arrivals to one scale: samples at 48 kHz on the sender's clock, beginning near 0 with the
/// first packet. Plain value, owned by one receiver.
struct SenderClock {
    /// A time stamp that lies this far from where the arrival puts it belongs to another time line: 2 s.
    private static let jumpMin = 2.0 * 48_000
    /// No time stamp that came out of 32 bits, however often they ran over, is larger.
    private static let timestampMax: Int64 = 1 << 46

    private var origin: Instant?
    /// Our clock, in samples since `origin`, and the sender's at that moment.
    private var (anchor, value) = (0.0, 0.0)
    /// The part by which the sender's clock is faster than ours.
    private(set) var drift = 0.0
    /// What makes media time of a time stamp, by clock rate: a new payload type may count differently (RFC 7160).
    private var offsets: [Int: Int64] = [:]
    private var lastTransit: Double?

    /// Our clock in samples since the first packet, as it is.
    func ours(_ instant: Instant) -> Double {
        guard let origin else { return 0 }
        return Double((instant - origin).nanoseconds) * 48e-6
    }

    /// The sender's clock at a moment of ours, without the way between.
    func at(_ instant: Instant) -> Double {
        let sender = value + (ours(instant) - anchor) * (1 + drift)
        // Whole samples where nothing drifts, so that grids of samples stay grids.
        return drift == 0 ? sender.rounded() : sender
    }

    mutating func setDrift(_ new: Double, at instant: Instant) {
        value = at(instant)
        anchor = ours(instant)
        drift = new
    }

    /// Where a packet lies on the media time line. `expected` is where it lies if it follows its predecessor directly.
    /// `isNew` says that its time stamp began another time line. Nil: no sender counts so far.
    mutating func place(
        _ packet: SoundPacket, clockRate: Int, expected: Int64?
    ) -> (start: Int64, isNew: Bool)? {
        guard packet.timestamp.magnitude < SenderClock.timestampMax.magnitude, (1000...192_000).contains(clockRate)
        else { return nil }
        if origin == nil { origin = packet.arrival }
        let ticks = packet.timestamp * Int64(AudioFrame.sampleRate) / Int64(clockRate)
        let arrival = at(packet.arrival)
        if let offset = offsets[clockRate], let lastTransit,
            abs(arrival - Double(ticks + offset) - lastTransit) < SenderClock.jumpMin
        {
            self.lastTransit = arrival - Double(ticks + offset)
            return (ticks + offset, false)
        }
        let isFirst = lastTransit == nil
        let byArrival = Int64(arrival - (lastTransit ?? 0))
        var start = byArrival
        if let expected, abs(expected - byArrival) < Int64(SenderClock.jumpMin) { start = expected }
        offsets[clockRate] = start - ticks
        lastTransit = arrival - Double(start)
        return (start, !isFirst)
    }

    /// The time stamp of a media time.
    func timestamp(of media: Int64, clockRate: Int) -> Int64? {
        guard let offset = offsets[clockRate] else { return nil }
        return (media - offset) * Int64(clockRate) / Int64(AudioFrame.sampleRate)
    }
}
