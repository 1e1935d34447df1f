import Core

/// Makes the times of one track fit the contract of `EncodedFrame`: decoding times that never decrease and never
/// exceed the presentation time. A pure value; one per track.
///
/// - A missing decoding time is the smallest of the `reorder + 1` largest presentation times seen, which is what an
///   encoder with that much reordering would have written.
/// - A missing presentation time is the decoding time, or where the frame before ended.
/// - A time line that jumps back by more than `jumpBack` (files joined end to end) goes on where it was; a smaller
///   step back is clamped. Both are counted in `repairs`.
struct FrameTimes: Hashable, Sendable {
    /// Beyond this a step back is a new time line, not jitter.
    static let jumpBack = MediaTime.milliseconds(10_000)
    /// The most pictures that codecs reorder (H.264 and H.265: 16).
    static let reorderMax = 16

    private let reorder: Int
    private let interval: MediaTime
    private var shift = MediaTime.zero
    private var window: [MediaTime] = []
    private var last: MediaTime?
    private var end: MediaTime?
    private(set) var repairs = 0

    /// `reorder`: pictures by which decoding order may differ from presentation order; `interval`: nominal spacing.
    init(reorder: Int, interval: MediaTime) {
        self.reorder = min(max(0, reorder), FrameTimes.reorderMax)
        self.interval = interval
    }

    mutating func next(pts: MediaTime?, dts: MediaTime?, duration: MediaTime) -> (pts: MediaTime, dts: MediaTime) {
        if let given = dts ?? pts, let last, given + shift < last - FrameTimes.jumpBack {
            shift = (end ?? last) - given
            window = []
            repairs += 1
        }
        var time = (pts ?? dts).map { $0 + shift } ?? end ?? .zero
        let derived = derive(time)
        var decoding = dts.map { $0 + shift } ?? derived
        decoding = min(decoding, time)
        if let last, decoding < last {
            decoding = last
            if time < last {
                time = last
                repairs += 1
            }
        }
        last = decoding
        end = max(end ?? .distantPast, time + duration)
        return (time, decoding)
    }

    /// Reading goes on at another position.
    mutating func reset() { self = FrameTimes(reorder: reorder, interval: interval) }

    private mutating func derive(_ pts: MediaTime) -> MediaTime {
        if window.isEmpty {
            window = (0..<reorder).map { pts - MediaTime(nanoseconds: interval.nanoseconds * Int64(reorder - $0)) }
        }
        window.append(pts)
        window.sort()
        if window.count > reorder + 1 { window.removeFirst() }
        return window[0]
    }
}
