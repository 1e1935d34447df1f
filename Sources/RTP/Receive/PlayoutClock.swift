package import Core

/// When pictures of one received stream are due: the local time of each RTP timestamp.
///
/// A frame is due when it would have arrived on the fastest way seen in the last ten seconds, plus the delay that
/// lets 95 of 100 frames be there in time, plus what lip sync adds. What it guarantees:
///
/// - Due times rise with the timestamps. The distance of two of them differs from the distance of their timestamps by
///   at most a tenth (while the delay grows) or a fiftieth (while it shrinks): it is slewed, never stepped, except after
///   a jump of the timestamps by more than five seconds against the clock.
/// - On a way without jitter the delay is zero; there is no fixed part.
/// - It is no buffer: frames are handed on at once, and the due time is all it says. A late frame's lies in the past.
package struct PlayoutClock: Sendable {
    /// A stream that jumps by more, against the clock, is another one.
    private static let jump = MediaTime.seconds(5)
    /// Slices of the window in which the fastest way is sought, each a second long: long enough for a lull to come,
    /// short enough to follow a clock that drifts by 100 ppm within a millisecond.
    private static let slices = 10
    private static let sliceLength: Int64 = 1_000_000_000
    /// Nobody talks with more.
    package static let longestDelay = MediaTime.milliseconds(1000)
    /// Per nanosecond, one part in this many.
    private static let growth: Int64 = 10
    private static let shrinkage: Int64 = 50

    private let clockRate: Int
    private var origin: Int64?
    private var lastArrival = Instant(nanoseconds: 0)
    private var lastMedia = MediaTime.zero
    /// The least transit (arrival minus media time) per slice, in nanoseconds.
    private var least = [Int64](repeating: .max, count: PlayoutClock.slices)
    private var slice: Int64 = 0
    private var histogram = JitterHistogram()
    /// Due time minus media time, in nanoseconds, slewed.
    private var offset: Int64 = 0
    /// Where `offset` goes, without what lip sync adds.
    private var natural: Int64 = 0

    /// What lip sync adds, from `LipSync.videoDelay`.
    package var extraDelay = MediaTime.zero
    /// The stream's timestamps jumped.
    package private(set) var jumps = 0

    /// `clockRate` in ticks per second.
    package init(clockRate: Int) { self.clockRate = max(1, clockRate) }

    /// Between the fastest way and the due time now, lip sync included.
    package var delay: MediaTime { MediaTime(nanoseconds: origin == nil ? 0 : max(0, offset - base)) }

    /// When the frame with this timestamp, which was whole at `arrival`, is due. Frames in decoding order.
    package mutating func due(timestamp: Int64, arrival: Instant) -> Instant {
        guard let origin else { return begin(timestamp, arrival) }
        let media = MediaTime(samples: timestamp &- origin, rate: clockRate)
        let elapsed = arrival - lastArrival
        let against = (media - lastMedia) - elapsed
        guard max(against, -against) <= PlayoutClock.jump else {
            jumps += 1
            return begin(timestamp, arrival)
        }
        note(transit: arrival.nanoseconds &- media.nanoseconds, at: arrival)
        // Slewed by the time that passes in the stream, so that no due time passes another.
        slew(by: min(max((media - lastMedia).nanoseconds, 0), PlayoutClock.sliceLength))
        lastArrival = max(lastArrival, arrival)
        lastMedia = max(lastMedia, media)
        return Instant(nanoseconds: media.nanoseconds &+ offset)
    }

    /// Local due time minus the sender's wall clock, without what lip sync adds: comparable between streams of one
    /// CNAME. nil before the first frame or report.
    package func naturalOffset(_ clock: SenderClock) -> MediaTime? {
        guard let origin else { return nil }
        let timestamp = origin &+ lastMedia.samples(rate: clockRate)
        return clock.time(of: timestamp).map { MediaTime(nanoseconds: lastMedia.nanoseconds &+ natural) - $0 }
    }

    private var base: Int64 { least.min() ?? 0 }

    private mutating func begin(_ timestamp: Int64, _ arrival: Instant) -> Instant {
        origin = timestamp
        lastArrival = arrival
        lastMedia = .zero
        histogram = JitterHistogram()
        for index in least.indices { least[index] = .max }
        slice = arrival.nanoseconds / PlayoutClock.sliceLength
        note(transit: arrival.nanoseconds, at: arrival)
        offset = natural + extraDelay.nanoseconds
        return Instant(nanoseconds: offset)
    }

    private mutating func note(transit: Int64, at arrival: Instant) {
        let now = arrival.nanoseconds / PlayoutClock.sliceLength
        while slice < now {
            // After a long silence one round forgets all.
            slice = max(slice + 1, now - Int64(PlayoutClock.slices))
            least[Int(slice % Int64(PlayoutClock.slices))] = .max
        }
        let index = Int(max(0, slice) % Int64(PlayoutClock.slices))
        least[index] = min(least[index], transit)
        let base = self.base
        histogram.add(MediaTime(nanoseconds: transit - base))
        natural = base + min(histogram.p95, PlayoutClock.longestDelay).nanoseconds
    }

    private mutating func slew(by elapsed: Int64) {
        let distance = natural + max(extraDelay, .zero).nanoseconds - offset
        let bounds = -(elapsed / PlayoutClock.shrinkage)...(elapsed / PlayoutClock.growth)
        offset += min(max(distance, bounds.lowerBound), bounds.upperBound)
    }
}

/// The 95th percentile of the last 128 delays: milliseconds up to 100, then steps of 10 up to a second.
struct JitterHistogram: Sendable {
    private static let window = 128
    private static let fine = 100
    private static let bins = 191

    private var counts = [UInt16](repeating: 0, count: JitterHistogram.bins)
    private var recent = [UInt8](repeating: 0, count: JitterHistogram.window)
    private var total = 0

    mutating func add(_ delay: MediaTime) {
        // Rounded up to the millisecond, but what is below a tenth of one counts as none.
        let milliseconds = Int(min(max(delay.nanoseconds, 0), 2_000_000_000) + 900_000) / 1_000_000
        let fine = JitterHistogram.fine
        let bin = min(milliseconds <= fine ? milliseconds : fine + (milliseconds - fine + 9) / 10, counts.count - 1)
        let place = total % JitterHistogram.window
        if total >= JitterHistogram.window { counts[Int(recent[place])] -= 1 }
        recent[place] = UInt8(bin)
        counts[bin] += 1
        total += 1
    }

    /// The least bound that at most one in twenty exceeds.
    var p95: MediaTime {
        var left = min(total, JitterHistogram.window) / 20
        for bin in counts.indices.reversed() {
            left -= Int(counts[bin])
            let fine = JitterHistogram.fine
            if left < 0 { return .milliseconds(bin <= fine ? bin : fine + (bin - fine) * 10) }
        }
        return .zero
    }
}

/// How much the earlier of a participant's sound and picture is held back, so that they are at most 45 ms apart
/// (ITU-R BT.1359: what viewers do not notice). The later one is never delayed further.
package struct LipSync: Sendable {
    package static let bound = MediaTime.milliseconds(45)
    /// What is aimed at: leaves room for slewing and the hub's tick.
    private static let aim = MediaTime.milliseconds(40)

    /// To be added to the pictures' due times (`PlayoutClock.extraDelay`).
    package private(set) var videoDelay = MediaTime.zero
    /// To be added to the sound's delay.
    package private(set) var audioDelay = MediaTime.zero

    package init() {}

    /// Takes what pictures and sound have by themselves, each as local time minus the sender's wall clock, without the
    /// delays from here. Call about once a second; a missing one leaves both alone.
    package mutating func update(video: MediaTime?, audio: MediaTime?) {
        guard let video, let audio else {
            (videoDelay, audioDelay) = (.zero, .zero)
            return
        }
        let skew = video - audio
        // Clocks that are seconds apart are not one clock.
        guard max(skew, -skew) <= PlayoutClock.longestDelay + PlayoutClock.longestDelay else {
            (videoDelay, audioDelay) = (.zero, .zero)
            return
        }
        audioDelay = max(.zero, skew - LipSync.aim)
        videoDelay = max(.zero, -skew - LipSync.aim)
    }
}
