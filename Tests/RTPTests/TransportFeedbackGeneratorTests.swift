import Core
import RTP
import Testing

struct TransportFeedbackGeneratorTests {
    private func at(_ milliseconds: Int) -> Instant {
        Instant(nanoseconds: 64_000_000_000) + .milliseconds(milliseconds)
    }

    /// All that reports say, in the order they say it.
    private func told(_ generator: inout TransportFeedbackGenerator, _ now: Instant) -> [(UInt16, MediaTime?)] {
        var told: [(UInt16, MediaTime?)] = []
        while let report = generator.poll(at: now, senderSSRC: 1, mediaSSRC: 2) {
            report.forEachPacket { told.append(($0, $1)) }
        }
        return told
    }

    @Test func everyPacketIsToldOnceInTime() {
        var generator = TransportFeedbackGenerator()
        var random = SeededRandom(seed: 4)
        var arrivals: [UInt16: Int] = [:]
        var seen: [UInt16: MediaTime] = [:]
        var missing: Set<UInt16> = []
        var reports = 0
        for step in 0..<5000 {
            let number = UInt16(truncatingIfNeeded: 65_000 + step)
            let isLost = Int.random(in: 0..<10, using: &random) == 0
            if !isLost {
                arrivals[number] = step
                generator.receive(number, size: 1200, at: at(step))
            }
            guard let due = generator.deadline, due <= at(step) else { continue }
            reports += 1
            for (number, arrival) in told(&generator, at(step)) {
                if let arrival { seen[number] = arrival } else { missing.insert(number) }
            }
        }
        #expect((49...101).contains(reports), "\(reports) in 5 s")
        for (number, step) in arrivals where step < 4890 {
            #expect(seen[number] == at(step) - Instant(nanoseconds: 0), "\(number)")
        }
        #expect(missing.isDisjoint(with: arrivals.keys) && !missing.isEmpty)
        #expect(generator.overrun == 0)
    }

    @Test func aLatePacketIsToldLater() {
        var generator = TransportFeedbackGenerator()
        for number: UInt16 in [10, 11, 13] { generator.receive(number, size: 100, at: at(0)) }
        let first = told(&generator, at(200))
        #expect(first.map(\.0) == [10, 11, 12, 13] && first[2].1 == nil)
        #expect(generator.deadline == nil)
        generator.receive(12, size: 100, at: at(210))
        generator.receive(12, size: 100, at: at(211))
        generator.receive(14, size: 100, at: at(212))
        let second = told(&generator, at(400))
        #expect(second.first?.0 == 12 && second.last?.0 == 14 && second.allSatisfy { $0.1 != nil })
        #expect(generator.ignored == 1)
    }

    @Test func aSlowStreamIsReportedSeldom() {
        var generator = TransportFeedbackGenerator()
        var reports = 0
        for step in 0..<2000 {
            if step % 20 == 0 { generator.receive(UInt16(step / 20), size: 100, at: at(step)) }
            if let due = generator.deadline, due <= at(step) {
                _ = told(&generator, at(step))
                reports += 1
            }
        }
        #expect((16...21).contains(reports), "\(reports)")
    }

    @Test func jumpsAndFloodsAreBounded() {
        var generator = TransportFeedbackGenerator()
        for step in 0..<20_000 {
            generator.receive(UInt16(truncatingIfNeeded: step * 17), size: 1, at: at(step / 100))
        }
        var count = 0
        while let report = generator.poll(at: at(10_000), senderSSRC: 1, mediaSSRC: 2) {
            report.forEachPacket { _, _ in count += 1 }
        }
        #expect(count <= 2048 && generator.overrun > 0)
    }
}
