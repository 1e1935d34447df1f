import Core
import Testing

@testable import Elements

/// Inputs of 30 pictures a second against a clock of that rate, in numbers.
@Suite struct TickPhaseTests {
    private static let rate = Rational(30, 1)
    private static let interval = TickPhaseTests.rate.interval

    /// Ticks for so many seconds while `inputs` deliver, each at its own phase (ms) with jitter (ms); what the pictures
    /// of the last ten seconds waited for their tick, in ms, and the longest step between ticks.
    private func run(_ inputs: [(phase: Double, jitter: Double)], seconds: Double, seed: UInt64 = 1) -> (
        waits: [Double], steps: ClosedRange<Double>
    ) {
        var random = SeededRandom(seed: seed)
        var arrivals: [MediaTime] = []
        for input in inputs {
            for number in 0..<Int(seconds * 30) {
                let jitter = Double(random.next() >> 11) / Double(1 << 53) * input.jitter
                arrivals.append(.seconds((Double(number) / 30) + (input.phase + jitter) / 1000))
            }
        }
        arrivals.sort()
        var phase = TickPhase(rate: Self.rate)
        var (tick, index) = (MediaTime.zero, 0)
        var waits: [Double] = []
        var (least, most) = (Double.infinity, 0.0)
        while tick < .seconds(seconds) {
            while index < arrivals.count, arrivals[index] <= tick {
                phase.note(ready: arrivals[index])
                if tick > .seconds(seconds - 10) { waits.append((tick - arrivals[index]).seconds * 1000) }
                index += 1
            }
            let step = Self.interval + phase.correction(after: tick)
            (least, most) = (min(least, step.seconds * 1000), max(most, step.seconds * 1000))
            tick += step
        }
        return (waits, least...most)
    }

    @Test(arguments: [0.0, 5, 11, 17, 25, 33])
    func `One input hardly waits, wherever it lies`(phase: Double) {
        let (waits, steps) = run([(phase, 2)], seconds: 20)
        let mean = waits.reduce(0, +) / Double(waits.count)
        #expect(mean < 3.5, "mean wait \(mean) ms")
        #expect(waits.filter { $0 > 10 }.count <= waits.count / 50)
        #expect(steps.lowerBound >= 33.3 - 0.51 && steps.upperBound <= 33.4 + 0.51)
    }

    @Test func `Jitter is waited for, so that none of it loses pictures`() {
        let (waits, _) = run([(20, 12)], seconds: 20)
        #expect(waits.filter { $0 > 20 }.count <= waits.count / 50)
        #expect(waits.max() ?? 99 < 34)
    }

    @Test func `Several inputs: behind the crowd, and not within anybody's jitter`() {
        let (waits, _) = run([(3, 2), (6, 2), (9, 2), (25, 2)], seconds: 20)
        let mean = waits.reduce(0, +) / Double(waits.count)
        // Behind the crowd: 2, 5, 8 and 19 ms; 33 ms and nearly none would be had with bad luck.
        #expect(mean < 11, "mean wait \(mean) ms")
        #expect(waits.filter { $0 > 30 }.isEmpty)
    }

    @Test func `What comes at any time moves nothing`() {
        // Every phase alike: 24 pictures a second against 30 would do the same.
        let (_, steps) = run((0..<33).map { (Double($0), 1) }, seconds: 10)
        #expect(steps.upperBound - steps.lowerBound < 0.001)
    }

    @Test func `Without pictures nothing moves, and after a pause it goes on`() {
        var phase = TickPhase(rate: Self.rate)
        #expect(phase.correction(after: .seconds(5)) == .zero)
        for number in 0..<60 { phase.note(ready: .seconds(1000 + Double(number) / 30)) }
        #expect(phase.correction(after: .seconds(1002.01)) != .zero)
        #expect(phase.correction(after: .seconds(5000)) != .infinity)
    }
}
