import Core
import Testing

@testable import Files

@Suite struct FrameTimesTests {
    private func run(
        reorder: Int = 0, _ frames: [(pts: Int?, dts: Int?)], duration: Int = 40
    ) -> (times: [(pts: Int64, dts: Int64)], repairs: Int) {
        var times = FrameTimes(reorder: reorder, interval: .milliseconds(40))
        let result = frames.map { frame in
            let (pts, dts) = times.next(
                pts: frame.pts.map { .milliseconds($0) }, dts: frame.dts.map { .milliseconds($0) },
                duration: .milliseconds(duration))
            return (pts.nanoseconds / 1_000_000, dts.nanoseconds / 1_000_000)
        }
        return (result, times.repairs)
    }

    @Test func whatIsGoodStays() {
        let (times, repairs) = run(reorder: 2, [(0, -80), (160, -40), (80, 0), (40, 40), (120, 80)])
        #expect(times.map(\.pts) == [0, 160, 80, 40, 120])
        #expect(times.map(\.dts) == [-80, -40, 0, 40, 80])
        #expect(repairs == 0)
    }

    @Test func missingDecodingTimesAreThoseAnEncoderWouldWrite() {
        let (times, repairs) = run(reorder: 2, [(0, nil), (160, nil), (80, nil), (40, nil), (120, nil)])
        #expect(times.map(\.dts) == [-80, -40, 0, 40, 80])
        #expect(repairs == 0)
    }

    @Test func missingTimesContinue() {
        let (times, _) = run([(nil, 0), (nil, 40), (nil, nil), (nil, nil), (200, nil)])
        #expect(times.map(\.pts) == [0, 40, 80, 120, 200])
        #expect(times.map(\.dts) == [0, 40, 80, 120, 200])
    }

    @Test func smallStepsBackAreClamped() {
        let (times, repairs) = run([(0, 0), (40, 40), (30, 30), (80, 80)])
        #expect(times.map(\.pts) == [0, 40, 40, 80])
        #expect(repairs == 1)
    }

    @Test func aNewTimeLineContinuesTheOldOne() {
        let (times, repairs) = run([(60_000, 60_000), (60_040, 60_040), (0, 0), (40, 40)])
        #expect(times.map(\.pts) == [60_000, 60_040, 60_080, 60_120])
        #expect(repairs == 1)
    }

    @Test func anyInputKeepsTheContract() {
        let extreme: Int64 = 4_000_000_000_000_000_000
        for seed in 0..<200 {
            var random = SeededRandom(seed: UInt64(seed))
            var times = FrameTimes(reorder: seed % 18, interval: .milliseconds(40))
            var last = MediaTime.distantPast
            for _ in 0..<100 {
                func time() -> MediaTime? {
                    switch Int.random(in: 0..<4, using: &random) {
                    case 0: nil
                    case 1: MediaTime(nanoseconds: Int64.random(in: -extreme...extreme, using: &random))
                    default: .milliseconds(Int.random(in: -1_000...100_000, using: &random))
                    }
                }
                let (pts, dts) = times.next(pts: time(), dts: time(), duration: time() ?? .zero)
                #expect(dts <= pts && dts >= last, "seed \(seed)")
                last = dts
            }
        }
    }
}
