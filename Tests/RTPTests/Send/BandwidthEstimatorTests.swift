import Core
import RTP
import Testing

struct BandwidthEstimatorTests {
    private func time(_ seconds: Double) -> Instant { Instant(nanoseconds: 1_000_000_000) + .seconds(seconds) }

    @Test func startsWhereItIsTold() {
        #expect(BandwidthEstimator(.init(start: 500_000)).target == 500_000)
        #expect(BandwidthEstimator(.init(minimum: 100_000, maximum: 200_000, start: 500_000)).target == 200_000)
    }

    @Test func withoutFeedbackTheReceiversEstimateCounts() {
        var estimator = BandwidthEstimator()
        estimator.receive(remb: 800_000, at: time(0))
        #expect(estimator.target == 800_000)
        estimator.receive(remb: 100, at: time(1))
        #expect(estimator.target == estimator.limits.minimum)
    }

    @Test func withoutFeedbackReportedLossCounts() {
        var estimator = BandwidthEstimator(.init(start: 1_000_000))
        for second in 0..<4 { estimator.receive(reportedLoss: 0.0, at: time(Double(second))) }
        #expect(estimator.target == 3_375_000)
        estimator.receive(reportedLoss: 0.05, at: time(4))
        #expect(estimator.target == 3_375_000)
        // After a loss it goes carefully.
        for second in 5..<11 { estimator.receive(reportedLoss: 0.0, at: time(Double(second))) }
        #expect((5_300_000...5_400_000).contains(estimator.target))
        let before = estimator.target
        estimator.receive(reportedLoss: 0.4, at: time(12))
        #expect(Double(estimator.target) < 0.81 * Double(before))
        estimator.receive(remb: 200_000, at: time(13))
        #expect(estimator.target == 200_000)
    }

    /// Sends 1000 bytes every 10 ms and acknowledges each after 50 ms, for `seconds`.
    private func feed(_ estimator: inout BandwidthEstimator, seconds: Double, first: UInt16 = 65_500) {
        var number = first
        var clock = 0.0
        while clock < seconds {
            let begin = number
            for step in 0..<5 {
                estimator.sent(number, size: 1000, at: time(clock + Double(step) * 0.01))
                number &+= 1
            }
            for step in 0..<5 {
                let sent = time(clock + Double(step) * 0.01)
                estimator.acknowledge(
                    begin &+ UInt16(step), arrival: MediaTime(nanoseconds: sent.nanoseconds) + .milliseconds(25))
            }
            clock += 0.05
            estimator.feedbackEnded(at: time(clock + 0.05))
        }
    }

    @Test func growsOnAnEmptyLineAcrossTheWrapOfNumbers() {
        var estimator = BandwidthEstimator(.init(start: 600_000))
        feed(&estimator, seconds: 5)
        #expect(estimator.hasFeedback)
        #expect((700_000...900_000).contains(estimator.delivered))
        #expect(estimator.target > 800_000)
        // No more than half as much again as what was delivered.
        #expect(estimator.target < 1_300_000)
        #expect(estimator.bytesInFlight == 0)
    }

    @Test func nonsenseInFeedbackIsIgnored() {
        var estimator = BandwidthEstimator()
        estimator.acknowledge(7, arrival: .zero)
        estimator.feedbackEnded(at: time(0))
        feed(&estimator, seconds: 1)
        for number in stride(from: UInt16(0), to: 60_000, by: 97) {
            estimator.acknowledge(number, arrival: .infinity)
            estimator.acknowledge(number, arrival: .distantPast)
            estimator.acknowledge(number, arrival: nil)
        }
        estimator.feedbackEnded(at: time(1.1))
        feed(&estimator, seconds: 1, first: 100)
        #expect(estimator.target >= estimator.limits.minimum && estimator.target <= estimator.limits.maximum)
    }

    @Test func silenceHalvesTheTargetAndItsEndBringsItBack() throws {
        var estimator = BandwidthEstimator(.init(start: 800_000))
        feed(&estimator, seconds: 2, first: 0)
        let before = estimator.target
        for step in 0..<300 { estimator.sent(UInt16(200 + step), size: 1000, at: time(2 + Double(step) * 0.01)) }
        while let deadline = estimator.deadline, deadline <= time(5) { estimator.expire(at: deadline) }
        #expect(estimator.isDown)
        #expect(estimator.target <= before / 2)
        estimator.acknowledge(499, arrival: .seconds(6))
        estimator.feedbackEnded(at: time(5.1))
        #expect(!estimator.isDown)
        #expect(estimator.target >= before / 2)
        let polled = estimator.pollProbe(at: time(5.1))
        let probe = try #require(polled)
        #expect(probe.rate <= before && probe.rate > before / 2)
    }

    private func probes(_ estimator: inout BandwidthEstimator) -> [Int] {
        var rates: [Int] = []
        while let probe = estimator.pollProbe(at: time(0)) { rates.append(probe.rate) }
        return rates
    }

    @Test func firstProbesComeWithTheFirstPacket() {
        var estimator = BandwidthEstimator(.init(start: 300_000))
        #expect(!estimator.hasProbe)
        estimator.sent(0, size: 1000, at: time(0))
        #expect(probes(&estimator) == [900_000, 1_800_000])
    }

    @Test func probesStayBelowTheWish() {
        var estimator = BandwidthEstimator(.init(start: 300_000))
        estimator.wish = 600_000
        estimator.sent(0, size: 1000, at: time(0))
        #expect(probes(&estimator) == [660_000])
    }
}
