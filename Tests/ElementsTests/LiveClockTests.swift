import Core
import Testing

@testable import Elements

@Suite struct LiveClockTests {
    private func ms(_ value: Int) -> MediaTime { .milliseconds(value) }

    @Test func theFastestOfTheFirstPacketsDecides() {
        var clock = LiveClock(cache: ms(200))
        // A server that sends its last second at once.
        for index in 0...25 { clock.arrived(ms(5000 + 40 * index), at: ms(1000 + index)) }
        #expect(clock.offset + ms(6000) == ms(1025 + 200), "the newest is due one cache after it came")
        #expect(!clock.isSettled(at: ms(1099)) && clock.isSettled(at: ms(1100)))
        for index in 26...500 { clock.arrived(ms(5000 + 40 * index), at: ms(1025 + 40 * (index - 25))) }
        #expect(clock.offset + ms(6000) == ms(1225) && clock.resyncs == 0)
    }

    /// A sender whose clock is 100 ppm off for an hour, with jitter: what waits stays within bounds, without a jump.
    @Test(arguments: [-100.0, 100.0]) func followsAClockThatDrifts(_ partsPerMillion: Double) {
        var clock = LiveClock(cache: ms(300))
        var random = SeededRandom(seed: 7)
        var steps = Set<Int64>()
        var last: MediaTime?
        for index in 0..<(25 * 3600) {
            let sent = Double(index) * 0.04
            let time = MediaTime.seconds(sent * (1 + partsPerMillion / 1e6))
            let now = MediaTime.seconds(10 + sent) + MediaTime(nanoseconds: Int64(random.next() % 30_000_000))
            clock.arrived(time, at: now)
            let slack = time + clock.offset - now
            if index > 1000 { #expect(slack > ms(230) && slack < ms(380), "\(slack) at \(sent)") }
            if let last, clock.offset != last { steps.insert(((clock.offset - last).nanoseconds).magnitude.asSigned) }
            if index > 10 { last = clock.offset }
        }
        #expect(clock.resyncs == 0 && steps.allSatisfy { $0 <= 10_000_000 })
        #expect(!steps.isEmpty)
    }

    @Test func aJumpIsTakenOver() {
        var clock = LiveClock(cache: ms(100))
        for index in 0..<100 { clock.arrived(ms(40 * index), at: ms(40 * index)) }
        // Five seconds of silence, and the sender's time stood still.
        clock.arrived(ms(4000), at: ms(9000))
        #expect(clock.resyncs == 1 && clock.offset + ms(4000) == ms(9100))
        // A time line that begins anew.
        clock.arrived(ms(0), at: ms(9040))
        #expect(clock.resyncs == 2 && clock.offset == ms(9140))
        clock.arrived(ms(3_600_000), at: ms(9080))
        #expect(clock.resyncs == 3 && clock.offset + ms(3_600_000) == ms(9180))
    }
}

extension UInt64 {
    fileprivate var asSigned: Int64 { Int64(clamping: self) }
}
