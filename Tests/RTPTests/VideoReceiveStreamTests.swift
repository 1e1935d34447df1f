import Core
import RTP
import Testing

struct VideoReceiveStreamTests {
    @Test func aCleanWayNeedsNothing() {
        let rig = ReceiveRig(seed: 1)
        rig.run(milliseconds: 12_000)
        #expect(rig.wrong == [])
        #expect(rig.received.count == 300)
        let statistics = rig.stream.statistics
        #expect(statistics.nackCount == 0 && statistics.pliCount == 0 && statistics.framesDropped == 0)
        #expect(rig.stream.reception.lost == 0 && rig.pool.used == 0)
        #expect(statistics.frameWidth == 640 && statistics.frameHeight == 360)
        #expect(statistics.freezeCount == 0)
    }

    @Test(arguments: UInt64(1)...4)
    func reorderedAndDoubledPacketsCostNoFrame(_ seed: UInt64) {
        let rig = ReceiveRig(seed: seed, RigLine(reorder: 20, duplication: 0.1))
        rig.run(milliseconds: 12_000)
        #expect(rig.wrong == [])
        #expect(rig.received.count == 300)
        #expect(rig.stream.statistics.packetsDiscarded > 50)
        // The first overtaken packets are asked for; then the way is known.
        #expect(rig.requestsSeen < 150, "\(rig.requestsSeen)")
        #expect(rig.pool.used == 0)
    }

    @Test func jitterCostsNothing() {
        let rig = ReceiveRig(seed: 3, RigLine(jitter: .milliseconds(200)))
        rig.run(milliseconds: 12_000)
        #expect(rig.wrong == [])
        #expect(rig.received.count == 300 && rig.requestsSeen == 0)
    }

    @Test(arguments: [0.01, 0.05, 0.1, 0.2], UInt64(1)...3)
    func lossIsRepaired(_ loss: Double, _ seed: UInt64) {
        let rig = ReceiveRig(seed: seed, RigLine(loss: loss, feedbackLoss: loss / 2))
        rig.run(milliseconds: 12_000)
        #expect(rig.wrong == [])
        let wanted = loss <= 0.05 ? 298 : loss <= 0.1 ? 290 : 240
        #expect(rig.received.count >= wanted, "\(rig.received.count) of 300")
        // Each loss is asked for once, again where the answer or the request was lost, seldom more; on a lossy line most
        // requests are said twice.
        let most = loss < 0.02 ? 1.3 : 1.8
        #expect(Double(rig.requestsSeen) <= most * Double(rig.lost) + 5, "\(rig.requestsSeen) for \(rig.lost)")
    }

    @Test(arguments: UInt64(1)...3)
    func burstsAreRepaired(_ seed: UInt64) {
        let rig = ReceiveRig(seed: seed, RigLine(loss: 0.1, burst: 8, jitter: .milliseconds(20)))
        rig.run(milliseconds: 12_000)
        #expect(rig.wrong == [])
        #expect(rig.received.count >= 285, "\(rig.received.count) of 300")
    }

    @Test(arguments: UInt64(1)...3)
    func everythingAtOnce(_ seed: UInt64) {
        let line = RigLine(
            loss: 0.1, burst: 3, feedbackLoss: 0.1, oneWay: .milliseconds(60), jitter: .milliseconds(50), reorder: 20,
            duplication: 0.05, outage: 4000..<4700)
        let rig = ReceiveRig(seed: seed, line)
        rig.paddingPerFrame = 2
        rig.run(milliseconds: 12_000)
        #expect(rig.wrong == [])
        #expect(rig.received.count >= 230, "\(rig.received.count) of 300")
        #expect((rig.received.last?.frame ?? 0) >= 290)
    }

    @Test(arguments: UInt64(1)...3)
    func withoutRequestsKeyFramesMend(_ seed: UInt64) {
        let rig = ReceiveRig(seed: seed, RigLine(loss: 0.02), sendsNACK: false)
        rig.run(milliseconds: 12_000)
        #expect(rig.wrong == [])
        #expect(rig.requestsSeen == 0 && rig.stream.statistics.pliCount > 0)
        #expect(rig.received.count > 50, "\(rig.received.count)")
        for (a, b) in zip(rig.keyRequestTimes, rig.keyRequestTimes.dropFirst()) {
            #expect(b - a >= .milliseconds(500))
        }
    }

    @Test(arguments: UInt64(1)...3)
    func afterAnOutageThePictureIsBackInARoundTrip(_ seed: UInt64) throws {
        let rig = ReceiveRig(seed: seed, RigLine(oneWay: .milliseconds(40), outage: 3000..<8000))
        rig.run(milliseconds: 12_000)
        #expect(rig.wrong == [])
        let back = Instant(nanoseconds: 1_000_000_000) + .milliseconds(8000)
        let first = try #require(rig.received.first { $0.at > back })
        // The first packet, one frame after the outage ends at the latest; the request's round trip; the next frame.
        #expect(first.at - back <= .milliseconds(40 + 34 + 80 + 34 + 8), "\((first.at - back).seconds)")
        #expect(rig.stream.statistics.pliCount == 1)
        #expect(rig.stream.statistics.freezeCount == 1)
    }

    @Test func paddingIsSteppedOver() {
        let rig = ReceiveRig(seed: 5, RigLine(loss: 0.03))
        rig.paddingPerFrame = 3
        rig.run(milliseconds: 12_000)
        #expect(rig.wrong == [])
        #expect(rig.received.count >= 298)
    }

    @Test func aLineThatAnswersNothingDoesNotFloodIt() {
        let rig = ReceiveRig(seed: 9, RigLine(loss: 0.05, answersRequests: false))
        rig.run(milliseconds: 12_000)
        #expect(rig.wrong == [])
        // Ten tries at most, all said twice; most are given up sooner.
        #expect(rig.stream.statistics.packetsRequested <= 11 * rig.lost)
        #expect(rig.stream.statistics.pliCount <= 24)
        #expect(rig.pool.used < 100)
    }

    /// Lines of all kinds, drawn from the seed.
    @Test(arguments: UInt64(180)..<190)
    func anyWay(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let line = RigLine(
            loss: Double.random(in: 0...0.2, using: &random), burst: Double.random(in: 1...6, using: &random),
            feedbackLoss: Double.random(in: 0...0.2, using: &random),
            oneWay: .milliseconds(Int.random(in: 1...150, using: &random)),
            jitter: .milliseconds(Int.random(in: 0...200, using: &random)),
            reorder: Int.random(in: 0...20, using: &random),
            duplication: Double.random(in: 0...0.1, using: &random),
            outage: seed % 3 == 0 ? 3000..<Int.random(in: 3050...6000, using: &random) : nil)
        let rig = ReceiveRig(seed: seed, line)
        rig.framesToSend = 200
        rig.paddingPerFrame = Int(seed % 3)
        rig.run(milliseconds: 9000)
        #expect(rig.wrong == [], "\(line) \(rig.stream.statistics)")
        #expect(rig.pool.used < 300)
        #expect((rig.received.last?.frame ?? 0) > 150, "\(rig.received.count) \(line)")
    }
}
