import Core
import RTP
import Testing

struct SenderClockTests {
    private static let epoch: Int64 = 3_900_000_000_000_000_000
    private static let origin: Int64 = 1 << 32

    /// A report sent `seconds` after the start by a clock that runs `drift` too fast, rounded to milliseconds.
    private func report(_ seconds: Double, drift: Double = 0, step: Double = 0, noise: Double = 0) -> SenderReport {
        let milliseconds = Int64(((seconds + step + noise) * 1000).rounded())
        let time = NTPTime(
            Instant(nanoseconds: milliseconds * 1_000_000),
            epochSeconds: UInt32(Self.epoch / 1_000_000_000))
        return SenderReport(
            ssrc: 1, ntpTime: time, rtpTimestamp: UInt32(truncatingIfNeeded: ticks(seconds, drift)), packetCount: 0,
            octetCount: 0)
    }
    private func ticks(_ seconds: Double, _ drift: Double = 0) -> Int64 {
        Self.origin + Int64(seconds * 90_000 * (1 + drift))
    }
    private func error(_ clock: SenderClock, _ seconds: Double, drift: Double = 0, step: Double = 0) -> Double? {
        clock.time(of: ticks(seconds, drift)).map { abs(Double($0.nanoseconds - Self.epoch) / 1e9 - seconds - step) }
    }

    @Test func oneReportIsEnough() throws {
        var clock = SenderClock(clockRate: 90_000)
        #expect(clock.time(of: Self.origin) == nil)
        clock.receive(report(1), newest: nil)
        #expect(clock.time(of: Self.origin) == nil)
        clock.begin(at: ticks(1.2))
        #expect(try #require(error(clock, 100)) < 0.001)
    }

    @Test(arguments: [-2e-4, 0, 1e-4, 5e-4], UInt64(1)...3)
    func driftIsLearned(_ drift: Double, _ seed: UInt64) throws {
        var clock = SenderClock(clockRate: 90_000)
        var random = SeededRandom(seed: seed)
        for second in 1...300 where second < 100 || second > 250 || second % 10 == 0 {
            let noise = Double.random(in: -0.002...0.002, using: &random)
            clock.receive(report(Double(second), drift: drift, noise: noise), newest: ticks(Double(second), drift))
        }
        #expect(abs(1 / clock.rate - 1 - drift) < 2e-5, "\(clock.rate)")
        #expect(try #require(error(clock, 360, drift: drift)) < 0.005)
        #expect(clock.jumps == 0)
    }

    @Test func outliersAreIgnoredAndJumpsFollowed() throws {
        var clock = SenderClock(clockRate: 90_000)
        for second in 1...60 {
            clock.receive(report(Double(second), noise: second == 30 ? 3 : 0), newest: ticks(Double(second)))
        }
        #expect(clock.jumps == 0)
        #expect(try #require(error(clock, 61)) < 0.002)
        for second in 61...63 { clock.receive(report(Double(second), step: 3600), newest: ticks(Double(second))) }
        #expect(clock.jumps == 1)
        #expect(try #require(error(clock, 64, step: 3600)) < 0.002)
    }

    @Test func aSenderWithoutTimeIsNone() {
        var clock = SenderClock(clockRate: 90_000)
        let zero = SenderReport(
            ssrc: 1, ntpTime: NTPTime(bits: 0), rtpTimestamp: 5, packetCount: 0, octetCount: 0)
        clock.receive(zero, newest: 5)
        #expect(clock.time(of: 5) == nil)
    }

    @Test func noNumberIsTooWild() {
        var clock = SenderClock(clockRate: 90_000)
        var random = SeededRandom(seed: 1)
        for _ in 0..<2000 {
            let bits = random.next() >> UInt64.random(in: 0..<64, using: &random)
            let report = SenderReport(
                ssrc: 1, ntpTime: NTPTime(bits: bits), rtpTimestamp: UInt32(truncatingIfNeeded: random.next()),
                packetCount: 0, octetCount: 0)
            clock.receive(report, newest: Int64(truncatingIfNeeded: random.next() >> 8))
            _ = clock.time(of: Int64(truncatingIfNeeded: random.next()))
        }
    }
}
