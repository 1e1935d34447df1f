import Core
import Testing
import TestKit

struct SimLinkTests {
    private func time(_ milliseconds: Int) -> Instant { Instant(nanoseconds: 0) + .milliseconds(milliseconds) }

    /// Sends `count` packets of 1000 bytes, one every `every` ms, and returns what arrives and when, in milliseconds.
    private func pass(
        _ conditions: LinkConditions, count: Int, every: Int, seed: UInt64 = 1,
        schedule: [(at: Instant, conditions: LinkConditions)] = []
    ) -> (arrivals: [(packet: Int, at: Double)], link: SimLink<Int>) {
        var link = SimLink<Int>(seed: seed, conditions, schedule: schedule)
        var arrivals: [(Int, Double)] = []
        func drain(until end: Instant) {
            while let next = link.nextArrival, next <= end {
                while let packet = link.poll(at: next) { arrivals.append((packet, Double(next.nanoseconds) / 1e6)) }
            }
        }
        for packet in 0..<count {
            drain(until: time(packet * every))
            link.send(packet, size: 1000, at: time(packet * every))
        }
        drain(until: time(count * every + 60_000))
        return (arrivals, link)
    }

    @Test func delayAlone() {
        let (arrivals, _) = pass(LinkConditions(delay: .milliseconds(30)), count: 3, every: 10)
        #expect(arrivals.map(\.packet) == [0, 1, 2])
        #expect(arrivals.map(\.at) == [30, 40, 50])
    }

    @Test func theBottleneckServesOneAfterTheOther() {
        // 1000 bytes at 800 kbit/s take 10 ms.
        let (arrivals, link) = pass(
            LinkConditions(bitsPerSecond: 800_000, queueBytes: 100_000, delay: .zero), count: 4, every: 0)
        #expect(arrivals.map { ($0.at).rounded() } == [10, 20, 30, 40])
        #expect(link.longestQueueDelay == .milliseconds(40))
    }

    @Test func aFullQueueDropsAtItsTail() {
        let (arrivals, link) = pass(
            LinkConditions(bitsPerSecond: 800_000, queueBytes: 3000, delay: .zero), count: 10, every: 0)
        #expect(arrivals.map(\.packet) == [0, 1, 2])
        #expect(link.counters.overflowed == 7)
        #expect(link.counters.sent == 10 && link.counters.delivered == 3)
    }

    @Test func aChangeOfRateCountsForWhatIsOnItsWay() {
        let slow = LinkConditions(bitsPerSecond: 400_000, queueBytes: 100_000, delay: .zero)
        let fast = LinkConditions(bitsPerSecond: 800_000, queueBytes: 100_000, delay: .zero)
        let (arrivals, _) = pass(fast, count: 2, every: 0, schedule: [(time(5), slow)])
        // Half of the first at the old rate, the rest at half of it.
        #expect(arrivals.map { $0.at.rounded() } == [15, 35])
    }

    @Test func aLineThatStandsStillGoesOn() {
        let still = LinkConditions(bitsPerSecond: 0, queueBytes: 100_000, delay: .zero)
        let fast = LinkConditions(bitsPerSecond: 800_000, queueBytes: 100_000, delay: .zero)
        let (arrivals, _) = pass(still, count: 2, every: 0, schedule: [(time(500), fast)])
        #expect(arrivals.map { $0.at.rounded() } == [510, 520])
    }

    @Test func outagesSwallow() {
        let down = LinkConditions(delay: .zero, isDown: true)
        let (arrivals, link) = pass(
            LinkConditions(delay: .zero), count: 10, every: 10,
            schedule: [(time(25), down), (time(65), LinkConditions(delay: .zero))])
        #expect(arrivals.map(\.packet) == [0, 1, 2, 7, 8, 9])
        #expect(link.counters.cut == 4)
    }

    @Test func lossIsAsFrequentAsSaid() {
        let random = pass(LinkConditions(loss: .independent(0.1)), count: 20_000, every: 1).link.counters
        #expect((1800...2200).contains(random.lost))
        // In bursts a share of 0.01 / (0.01 + 0.1) of the time, and then half.
        let bursts = pass(
            LinkConditions(loss: .bursts(begin: 0.01, end: 0.1, loss: 0.5)), count: 20_000, every: 1
        ).link.counters
        #expect((600...1200).contains(bursts.lost))
    }

    @Test func jitterKeepsOrderOrNot() {
        let ordered = LinkConditions(jitter: .milliseconds(50))
        var loose = ordered
        loose.keepsOrder = false
        let inOrder = pass(ordered, count: 500, every: 5).arrivals
        #expect(inOrder.map(\.packet) == Array(0..<500))
        let mixed = pass(loose, count: 500, every: 5).arrivals
        #expect(mixed.map(\.packet) != Array(0..<500) && mixed.map(\.packet).sorted() == Array(0..<500))
        #expect(mixed.allSatisfy { (25...75).contains($0.at - Double($0.packet * 5)) })
    }

    @Test func duplicatesAreCounted() {
        let (arrivals, link) = pass(LinkConditions(duplication: 0.2), count: 1000, every: 1)
        #expect((150...250).contains(link.counters.duplicated))
        #expect(arrivals.count == 1000 + link.counters.duplicated)
    }

    @Test func aSeedReplays() {
        let conditions = LinkConditions(
            bitsPerSecond: 1_000_000, jitter: .milliseconds(20), loss: .independent(0.05), duplication: 0.05)
        let first = pass(conditions, count: 500, every: 5, seed: 7).arrivals
        #expect(first.map(\.at) == pass(conditions, count: 500, every: 5, seed: 7).arrivals.map(\.at))
        #expect(first.map(\.packet) != pass(conditions, count: 500, every: 5, seed: 8).arrivals.map(\.packet))
    }
}
