import Core

/// Where between two ticks of a live hub its pictures become ready, and where its tick had best be: right behind them.
/// A value without a clock, owned by the canvas.
///
/// A picture that became ready waits for the next tick, one that just misses it waits for a whole interval and is then
/// passed over for its follower. So the best phase has the least waiting over the last two seconds, where a near miss
/// counts thrice. With one participant that is just behind its jitter; with several it is behind a crowd and before a
/// gap, never inside the jitter of one of them if that can be helped.
struct TickPhase {
    /// No tick is further from its place than this because of a move: neither eye nor encoder sees it.
    static let slewMax = MediaTime(nanoseconds: 500_000)
    /// The interval is looked at in so many parts: 0.7 ms each at 30 pictures a second.
    static let binCount = 48
    /// The window is this many slices of half a second.
    private static let sliceCount = 4
    private static let sliceLength: Int64 = 500_000_000
    /// A miss by less than a quarter of an interval may be jitter, and costs two intervals on top of the wait.
    private static let nearMiss = binCount / 4
    private static let missCost = 2 * binCount
    /// A move has to save this much of each picture's wait, in parts of an interval: what is uniform stays in place.
    private static let gainMin = binCount / 16
    /// Less than this in the window says nothing.
    private static let picturesMin = 15

    private let interval: Int64
    private var slices = [[Int32]](
        repeating: [Int32](repeating: 0, count: binCount), count: TickPhase.sliceCount)
    private var slice: Int64 = 0
    /// The part behind which the tick is to lie; nil: where it is.
    private(set) var goal: Int?

    init(rate: Rational) { interval = max(1, rate.interval.nanoseconds) }

    /// A picture can be shown from `time` on.
    mutating func note(ready time: MediaTime) {
        turn(to: time)
        slices[Int(slice % Int64(TickPhase.sliceCount))][bin(of: time)] += 1
    }

    /// How much later than planned (or, negative, earlier) the tick after the one at `time` is to be.
    mutating func correction(after time: MediaTime) -> MediaTime {
        turn(to: time)
        guard let goal else { return .zero }
        // At the end of the part, and half a part for the loop to hand over.
        let wanted = (Int64(goal) * 2 + 3) * interval / Int64(2 * TickPhase.binCount)
        var distance = (wanted - remainder(time)) % interval
        if distance > interval / 2 { distance -= interval }
        if distance < -interval / 2 { distance += interval }
        let most = TickPhase.slewMax.nanoseconds
        return MediaTime(nanoseconds: min(max(distance, -most), most))
    }

    private func remainder(_ time: MediaTime) -> Int64 {
        let rest = time.nanoseconds % interval
        return rest < 0 ? rest + interval : rest
    }

    private func bin(of time: MediaTime) -> Int {
        min(TickPhase.binCount - 1, Int(remainder(time) * Int64(TickPhase.binCount) / interval))
    }

    /// Begins the next slice where it is time, and looks for a better place.
    private mutating func turn(to time: MediaTime) {
        let now = max(slice, time.nanoseconds / TickPhase.sliceLength)
        guard now > slice else { return }
        choose(from: bin(of: time))
        // After a long silence one round forgets all.
        for index in max(slice + 1, now - Int64(TickPhase.sliceCount) + 1)...now {
            let place = Int(index % Int64(TickPhase.sliceCount))
            for bin in slices[place].indices { slices[place][bin] = 0 }
        }
        slice = now
    }

    private mutating func choose(from current: Int) {
        var counts = [Int](repeating: 0, count: TickPhase.binCount)
        for slice in slices {
            for bin in slice.indices { counts[bin] += Int(slice[bin]) }
        }
        let total = counts.reduce(0, +)
        guard total >= TickPhase.picturesMin else { return }
        var best = (bin: 0, cost: Int.max)
        for bin in counts.indices {
            let cost = cost(of: bin, counts)
            if cost < best.cost { best = (bin, cost) }
        }
        let now = cost(of: goal ?? current, counts)
        if now - best.cost > total * TickPhase.gainMin { goal = best.bin }
    }

    /// What all pictures of the window wait together for a tick right behind `place`, in parts of an interval.
    private func cost(of place: Int, _ counts: [Int]) -> Int {
        var sum = 0
        for bin in counts.indices where counts[bin] > 0 {
            let wait = (place - bin + TickPhase.binCount) % TickPhase.binCount
            let isNearMiss = wait >= TickPhase.binCount - TickPhase.nearMiss
            sum += counts[bin] * (wait + (isNearMiss ? TickPhase.missCost : 0))
        }
        return sum
    }
}
