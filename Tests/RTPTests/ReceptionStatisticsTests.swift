import Core
import RTP
import Testing

struct ReceptionStatisticsTests {
    private func header(_ number: Int, timestamp: Int = 0) -> RTPHeader {
        RTPHeader(
            payloadType: 0, sequenceNumber: UInt16(truncatingIfNeeded: number),
            timestamp: UInt32(truncatingIfNeeded: timestamp), ssrc: 7)
    }
    private func at(_ milliseconds: Int) -> Instant { Instant(nanoseconds: 0) + .milliseconds(milliseconds) }

    @Test func lossIsCountedPerReportAndInAll() throws {
        var statistics = ReceptionStatistics(ssrc: 7, clockRate: 8000)
        check(statistics.reportBlock(at: at(0)) == nil)
        for number in 65_530..<65_550 where number % 4 != 0 { statistics.receive(header(number), at: at(number)) }
        let firstBlock = statistics.reportBlock(at: at(70_000))
        let first = try #require(firstBlock)
        // 65 530 … 65 549: 20 expected, 5 lost, the cycle counted above.
        #expect(first.cumulativeLost == 5 && first.fractionLost == 64)
        #expect(first.highestSequenceNumber == 65_549 && first.lastSenderReport == 0)
        for number in 65_550..<65_560 { statistics.receive(header(number), at: at(number)) }
        let secondBlock = statistics.reportBlock(at: at(70_000))
        let second = try #require(secondBlock)
        #expect(second.cumulativeLost == 5 && second.fractionLost == 0)
        // Doubles make it less than nothing.
        for number in 65_550..<65_560 { statistics.receive(header(number), at: at(number)) }
        #expect(statistics.lost == -5)
        check(statistics.reportBlock(at: at(70_000))?.cumulativeLost == -5)
    }

    @Test func jitterFollowsTheFormula() throws {
        var statistics = ReceptionStatistics(ssrc: 7, clockRate: 8000)
        var expected = 0.0
        for number in 0..<50 {
            let late = number % 2 == 0 ? 0 : 5
            statistics.receive(header(number, timestamp: number * 160), at: at(number * 20 + late))
            if number > 0 { expected += (40 - expected) / 16 }
        }
        let block = statistics.reportBlock(at: at(2000))
        #expect(abs(Int(block?.jitter ?? 0) - Int(expected)) <= 1)
        #expect(abs(statistics.jitter.seconds - expected / 8000) < 1e-4)
    }

    @Test func senderReportsAreEchoed() throws {
        var statistics = ReceptionStatistics(ssrc: 7, clockRate: 8000)
        statistics.receive(header(1), at: at(0))
        let time = NTPTime(bits: 0x1122_3344_5566_7788)
        let report = SenderReport(ssrc: 7, ntpTime: time, rtpTimestamp: 0, packetCount: 0, octetCount: 0)
        statistics.receive(report, at: at(1000))
        let blockBlock = statistics.reportBlock(at: at(1500))
        let block = try #require(blockBlock)
        #expect(block.lastSenderReport == 0x3344_5566 && block.delaySinceLastSenderReport == 0x8000)
    }

    @Test func aRestartCostsNoLoss() {
        var statistics = ReceptionStatistics(ssrc: 7, clockRate: 8000)
        for number in [10, 11, 40_000, 40_001, 40_002] { statistics.receive(header(number), at: at(number)) }
        #expect(statistics.expected == 5 && statistics.lost == 0)
    }

    @Test func roundTripsAreMeasured() {
        var meter = RoundTripMeter()
        let sent = NTPTime(Instant(nanoseconds: 10_000_000_000))
        meter.receive(echoed: 0, delay: 0, at: sent)
        #expect(meter.last == nil)
        meter.receive(
            echoed: sent.middle, delay: MediaTime.milliseconds(50).inNTPShort,
            at: NTPTime(Instant(nanoseconds: 10_130_000_000)))
        #expect(abs((meter.last ?? .zero).seconds - 0.080) < 1e-4 && meter.count == 1)
        // A delay that was rounded up beyond the whole trip.
        meter.receive(echoed: sent.middle, delay: 1000, at: sent)
        #expect(meter.last == .zero)
        meter.receive(echoed: sent.middle &+ 0x7000_0000, delay: 0, at: sent)
        #expect(meter.count == 2)
    }
}
