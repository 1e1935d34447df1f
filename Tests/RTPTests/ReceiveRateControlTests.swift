import Core
import RTP
import Testing

struct ReceiveRateControlTests {
    /// A line over which `rate` bits per second come in packets of 1000 bytes, half a second per step.
    private struct Line {
        var control: ReceiveRateControl
        var totals = ReceiveRateControl.Totals()
        var now = Instant(nanoseconds: 0)

        init(_ settings: ReceiveRateControl.Settings = .init()) { control = ReceiveRateControl(settings) }

        /// One of `lossOf` packets is lost; 0: none.
        mutating func step(_ rate: Int64, lossOf: Int64 = 0) {
            let packets = rate / 16_000
            totals.packetsExpected += packets
            let lost = lossOf == 0 ? 0 : packets / lossOf
            totals.packetsReceived += packets - lost
            totals.bytesReceived += (packets - lost) * 1000
            now = now + .milliseconds(500)
            control.update(totals, at: now)
        }
    }

    @Test func beginsWhereItIsToldAndGrowsByTheFactor() {
        var settings = ReceiveRateControl.Settings()
        settings.start = 400_000
        settings.growthFactor = 0.1
        var line = Line(settings)
        #expect(line.control.rate == 400_000 && line.control.deadline == nil)
        line.step(1_000_000)
        #expect(line.control.rate == 400_000, "the first look has nothing to compare with")
        #expect(line.control.deadline == line.now + .milliseconds(500))
        line.step(1_000_000)
        #expect(abs(line.control.rate - 1_100_000) < 20_000, "from what really comes on: \(line.control.rate)")
        let before = line.control.rate
        line.step(1_000_000)
        #expect(abs(Double(line.control.rate) / Double(before) - 1.1) < 0.001)
        for _ in 0..<40 { line.step(1_000_000) }
        #expect(line.control.rate <= 2_010_000, "no more than twice what comes: \(line.control.rate)")
    }

    @Test func aGreatLossHalvesAndLeavesAThreshold() {
        var line = Line()
        for _ in 0..<6 { line.step(1_000_000) }
        let before = Double(line.control.rate)
        line.step(1_000_000, lossOf: 10)
        #expect(abs(Double(line.control.rate) - before / 2) < 2000, "\(line.control.rate) of \(before)")
        // Up to four fifths by a factor of 4 %, from there on in thirtieths of the last fifth.
        while Double(line.control.rate) < before * 0.8 { line.step(line.control.rate) }
        let slow = line.control.rate
        line.step(slow)
        let step = Double(line.control.rate - slow)
        #expect(abs(step - before * 0.2 / 30) < 300, "\(step)")
        line.step(line.control.rate)
        #expect(abs(Double(line.control.rate - slow) - 2 * step) < 300)
    }

    @Test func aSmallLossStopsTheGrowth() {
        var line = Line()
        for _ in 0..<6 { line.step(2_000_000) }
        let before = line.control.rate
        line.step(2_000_000, lossOf: 100)
        #expect(line.control.rate <= before && line.control.rate > before * 3 / 4)
        var settings = ReceiveRateControl.Settings()
        settings.lossesMax = 1
        settings.lossFactor = 0.9
        line.control.change(settings)
        let small = Double(line.control.rate)
        line.step(2_000_000, lossOf: 100)
        #expect(Double(line.control.rate) >= small * 0.85 && Double(line.control.rate) <= small * 1.0)
    }

    @Test func longAveragesForgiveShortLosses() {
        var settings = ReceiveRateControl.Settings()
        settings.packetsAveraged = 2000
        var line = Line(settings)
        for _ in 0..<6 { line.step(1_000_000) }
        let before = line.control.rate
        // 6 of 62 packets, averaged over 2000.
        line.step(1_000_000, lossOf: 10)
        #expect(line.control.rate > before * 3 / 4)
    }

    @Test func nonsenseIsNoHarm() {
        var settings = ReceiveRateControl.Settings()
        settings.packetsAveraged = -5
        settings.growthFactor = -.infinity
        settings.growthSteps = 0
        settings.lossFactor = .nan
        settings.thresholdFactor = 1e300
        settings.growthStepMin = .min
        settings.lossesMax = .min
        settings.start = .min
        var line = Line(settings)
        for index in 0..<20 { line.step(1_000_000, lossOf: index % 3 == 0 ? 2 : 0) }
        #expect(line.control.rate >= 0)
        // Totals that go back.
        line.totals = .init()
        line.step(500_000)
        line.step(500_000)
        #expect(line.control.rate >= 0)
    }
}
