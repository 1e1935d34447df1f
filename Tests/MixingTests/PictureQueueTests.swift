import Core
import Media
import Testing

@testable import Mixing

@Suite struct PictureQueueTests {
    private static let picture = flat(2, 2, y: 0)

    /// Runs pictures of the given times through a queue at 30 ticks per second, each pushed when the tick's horizon
    /// has passed its time plus `delay`, as they would arrive live. Returns what each tick showed.
    private func run(
        _ times: [Double], seconds: Double, rate: Rational = Rational(30, 1), delay: Double = 0,
        queue: PictureQueue = PictureQueue()
    ) -> (shown: [Double?], queue: PictureQueue) {
        var queue = queue
        var next = 0
        var shown: [Double?] = []
        for index in 0..<Int64((seconds * rate.value).rounded()) {
            let tick = MediaTime(index, per: rate)
            while next < times.count, times[next] + delay <= (tick + rate.interval / 2).seconds {
                queue.push(VideoFrame(Self.picture, pts: .seconds(times[next])))
                next += 1
            }
            shown.append(queue.due(at: tick, interval: rate.interval)?.pts.seconds)
        }
        return (shown, queue)
    }

    /// The greatest |tick − picture's time| over ticks that showed a new picture.
    private func skew(_ shown: [Double?], rate: Double = 30) -> Double {
        var worst = 0.0
        for index in 1..<shown.count where shown[index] != shown[index - 1] {
            if let time = shown[index] { worst = max(worst, abs(Double(index) / rate - time)) }
        }
        return worst
    }

    @Test func ntscOnThirty() {
        let (shown, queue) = run((0..<3000).map { Double($0) * 1001 / 30000 }, seconds: 100)
        // 100 s hold 2997 pictures: three repeats, nothing lost.
        #expect(queue.statistics.repeated == 3)
        #expect(queue.statistics.skipped == 0 && queue.statistics.overflowed == 0)
        #expect(skew(shown) < 0.0168)
    }

    @Test func thirtyOnNtsc() {
        let rate = Rational(30000, 1001)
        let (shown, queue) = run((0..<3003).map { Double($0) / 30 }, seconds: 100.1, rate: rate)
        #expect(queue.statistics.repeated == 0)
        #expect((2...4).contains(queue.statistics.skipped) && queue.statistics.overflowed == 0)
        #expect(skew(shown, rate: rate.value) < 0.0202)
    }

    @Test func filmAndPalOnThirty() {
        for rate in [15.0, 24, 25] {
            let (shown, queue) = run((0..<Int(rate * 20)).map { Double($0) / rate }, seconds: 20)
            #expect(queue.statistics.shown == Int(rate * 20), "\(rate)")
            #expect(queue.statistics.skipped == 0 && queue.statistics.overflowed == 0, "\(rate)")
            #expect(skew(shown) < 0.0168, "\(rate)")
        }
    }

    @Test func sixtyOnThirtyTakesEverySecond() {
        let (shown, queue) = run((0..<1200).map { Double($0) / 60 }, seconds: 20)
        #expect(queue.statistics.shown == 600 && queue.statistics.repeated == 0 && queue.statistics.overflowed == 0)
        #expect(skew(shown) < 0.001)
        // Fifty: no repeat, the nearest ones.
        let fifty = run((0..<1000).map { Double($0) / 50 }, seconds: 20)
        #expect(fifty.queue.statistics.repeated == 0)
        #expect(skew(fifty.shown) < 0.0202)
    }

    @Test func millisecondTimesLoseAndRepeatNothing() {
        let times = (0..<600).map { (Double($0) * 1000 / 30).rounded() / 1000 }
        let (_, queue) = run(times, seconds: 20)
        #expect(queue.statistics.shown == 600)
        #expect(queue.statistics.repeated == 0 && queue.statistics.skipped == 0)
    }

    /// 2 ms of jitter at every phase against the tick, the worst included: half an interval.
    @Test(arguments: [0.0, 0.004, 0.008, 0.0125, 1.0 / 60, 0.02, 0.025, 0.03])
    func jitterLosesAlmostNothing(phase: Double) {
        var random = SeededRandom(seed: 5)
        let times = (0..<3000).map { index in
            Double(index) / 30 + phase + Double(random.next() % 4001) / 1e6 - 0.002
        }.sorted()
        let (shown, queue) = run(times.map { max(0, $0) }, seconds: 100)
        #expect(queue.statistics.skipped + queue.statistics.overflowed <= 3)
        #expect(queue.statistics.repeated <= 3)
        #expect(skew(shown) < 0.021)
    }

    @Test func liveQueueKeepsThreeAndCounts() {
        var queue = PictureQueue()
        for index in 0..<10 { queue.push(VideoFrame(Self.picture, pts: .milliseconds(1000 + index * 33))) }
        #expect(queue.count == 3 && queue.isFull)
        #expect(queue.statistics.overflowed == 7)
        #expect(queue.end == .milliseconds(1297))
        #expect(queue.due(at: .zero, interval: .milliseconds(33)) == nil)
        #expect(queue.due(at: .milliseconds(1231), interval: .milliseconds(33))?.pts == .milliseconds(1231))
    }

    @Test func waitingQueueDropsNothing() {
        var queue = PictureQueue(capacity: 8, overflow: .wait)
        for index in 0..<12 { queue.push(VideoFrame(Self.picture, pts: .milliseconds(index * 33))) }
        #expect(queue.count == 12 && queue.isFull && queue.statistics.overflowed == 0)
    }

    @Test func disorderIsDroppedAndTheLastIsRepeated() {
        var queue = PictureQueue()
        queue.push(VideoFrame(Self.picture, pts: .milliseconds(100)))
        queue.push(VideoFrame(Self.picture, pts: .milliseconds(50)))
        #expect(queue.statistics.outOfOrder == 1)
        #expect(queue.due(at: .milliseconds(100), interval: .milliseconds(33))?.pts == .milliseconds(100))
        #expect(queue.due(at: .milliseconds(133), interval: .milliseconds(33))?.pts == .milliseconds(100))
        #expect(queue.statistics.repeated == 1)
        queue.clear()
        #expect(queue.due(at: .milliseconds(166), interval: .milliseconds(33)) == nil)
    }
}
