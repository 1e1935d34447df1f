package import Core
package import Media

/// The pictures that wait for one port of a compositor. A plain value, owned by the hub on its loop.
///
/// A picture is due at the tick nearest to its time (at most half an interval before it), so the picture is early as
/// often as late against the sound. Each tick takes the oldest due one, so a queue of a few pictures absorbs jitter
/// instead of losing and repeating; it skips one only where the next due one fits the tick clearly better, which
/// happens with sources faster than the canvas.
package struct PictureQueue: Sendable {
    /// What happens to the oldest waiting picture when one too many arrives.
    package enum OverflowPolicy: Hashable, Sendable {
        /// It is dropped and counted: live.
        case dropOldest
        /// Nothing; the owner looks at `isFull` and lets its source wait: offline.
        case wait
    }

    package struct Statistics: Hashable, Sendable {
        /// Pictures shown for the first time.
        package var shown = 0
        /// Ticks that had to show the last picture again.
        package var repeated = 0
        /// Dropped because the queue was full.
        package var overflowed = 0
        /// Passed over because a newer due one fitted the tick better.
        package var skipped = 0
        /// Dropped because a later picture had come before.
        package var outOfOrder = 0
    }

    /// Pictures that are due and wait at most with `dropOldest`; three ride out jitter of one interval each way.
    package static let liveCapacity = 3
    /// Pictures that are not due yet may be more: senders with jitter are shown later than they come, by up to a
    /// second.
    package static let earlyMax = 64

    package let capacity: Int
    package let overflow: OverflowPolicy
    package private(set) var statistics = Statistics()
    private var pending: [VideoFrame] = []
    private var last: VideoFrame?
    private var newest = MediaTime.distantPast
    /// What was due at the last tick.
    private var horizon = MediaTime.distantPast

    package init(capacity: Int = PictureQueue.liveCapacity, overflow: OverflowPolicy = .dropOldest) {
        precondition(capacity > 0, "a queue holds at least one picture")
        self.capacity = capacity
        self.overflow = overflow
        pending.reserveCapacity(capacity + 1)
    }

    package var count: Int { pending.count }
    package var isFull: Bool { pending.count >= capacity }
    /// Time of the last picture pushed; `distantPast` before the first.
    package var end: MediaTime { newest }

    /// Adds a picture. Times must not fall; one that does is dropped.
    package mutating func push(_ frame: VideoFrame) {
        guard frame.pts >= newest else {
            statistics.outOfOrder += 1
            return
        }
        newest = frame.pts
        pending.append(frame)
        guard overflow == .dropOldest, pending.count > capacity else { return }
        let mustGo = horizon == .distantPast || pending[0].pts <= horizon || pending.count > PictureQueue.earlyMax
        if mustGo {
            pending.removeFirst()
            statistics.overflowed += 1
        }
    }

    /// The picture for the tick at `tick`; ticks are `interval` apart. Nil until the first is due.
    package mutating func due(at tick: MediaTime, interval: MediaTime) -> VideoFrame? {
        let horizon = tick + interval / 2
        self.horizon = horizon
        guard let first = pending.first, first.pts <= horizon else {
            if last != nil { statistics.repeated += 1 }
            return last
        }
        var taken = 0
        while taken + 1 < pending.count, pending[taken + 1].pts <= horizon {
            // A clear win means a fifth of an interval: at 30 fps, jitter of 3 ms skips nothing, and a source a
            // little faster than the canvas is never more than 20 ms late.
            let gain = distance(pending[taken].pts, tick) - distance(pending[taken + 1].pts, tick)
            guard gain > (interval / 5).nanoseconds else { break }
            taken += 1
        }
        statistics.skipped += taken
        statistics.shown += 1
        last = pending[taken]
        pending.removeFirst(taken + 1)
        return last
    }

    /// Forgets everything, the shown picture too: the source has gone.
    package mutating func clear() {
        pending.removeAll(keepingCapacity: true)
        last = nil
        newest = .distantPast
    }

    private func distance(_ a: MediaTime, _ b: MediaTime) -> Int64 {
        let difference = (a - b).nanoseconds
        return difference == .min ? .max : abs(difference)
    }
}
