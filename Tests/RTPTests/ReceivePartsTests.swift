import Core
import Testing

// The parts of the receiver are the room's own.
@testable import RTP

struct PacketPoolTests {
    @Test func slotsAreReusedAndBounded() throws {
        let pool = PacketPool(limit: 100)
        let bytes = [UInt8](repeating: 5, count: 1200)
        var slots: [Int32] = []
        while let slot = pool.store(bytes.span.bytes) { slots.append(slot) }
        #expect(Set(slots).count == 100 && pool.refused == 1 && pool.used == 100)
        pool.release(slots[40])
        let again = [UInt8](repeating: 6, count: 3)
        #expect(pool.store(again.span.bytes) == slots[40])
        #expect([UInt8](pool.bytes(slots[40], count: 3)) == again && pool.bytes(slots[41], count: 1)[0] == 5)
        #expect(pool.store([UInt8](repeating: 0, count: PacketPool.slotSize + 1).span.bytes) == nil)
        #expect(pool.oversized == 1)
    }
}

struct SequenceTrackerTests {
    @Test func jumpsNeedASecondWitness() {
        var tracker = SequenceTracker()
        check(tracker.number(of: 5) == nil)
        check(tracker.place(65_535) == .number(131_071))
        check(tracker.place(0) == .number(131_072))
        check(tracker.place(65_534) == .number(131_070))
        check(tracker.place(20_000) == .suspect)
        check(tracker.place(40_000) == .suspect)
        check(tracker.place(1) == .number(131_073))
        check(tracker.place(40_001) == .suspect)
        check(tracker.place(40_002) == .restarted(131_072 + 40_002))
        check(tracker.number(of: 40_000) == 131_072 + 40_000 && tracker.number(of: 5) == nil)
        // Back: it still goes on upward, with room for the suspect.
        check(tracker.place(30_000) == .suspect)
        check(tracker.place(30_001) == .restarted(196_608 + 30_001))
    }
}

struct NACKGeneratorTests {
    private func at(_ milliseconds: Int) -> Instant { Instant(nanoseconds: 0) + .milliseconds(milliseconds) }

    @Test func requestsGoOutAtOnceAndThenByTheRoundTrip() {
        var nacks = NACKGenerator(isAsking: true)
        nacks.roundTrip = .milliseconds(80)
        check(nacks.add(10..<12, at: at(0)))
        var asked: [(Int, [UInt16])] = []
        var gone: Int?
        for time in 0..<2000 {
            var list: [UInt16] = []
            if nacks.expire(at: at(time)), gone == nil { gone = time }
            nacks.poll(at: at(time), into: &list)
            if !list.isEmpty { asked.append((time, list)) }
        }
        check(asked.map(\.0) == Array(stride(from: 0, to: 1000, by: 100)) && asked.allSatisfy { $0.1 == [10, 11] })
        check(gone == 1000 && nacks.isEmpty && nacks.abandoned == 2 && nacks.deadline == nil)
    }

    @Test func reorderingIsWaitedFor() {
        var nacks = NACKGenerator(isAsking: true)
        var list: [UInt16] = []
        check(nacks.add(10..<11, at: at(0)))
        check(nacks.arrived(10, isRetransmission: false, at: at(8)) == 0)
        check(nacks.add(20..<21, at: at(100)))
        nacks.poll(at: at(105), into: &list)
        check(list.isEmpty && nacks.deadline == at(110))
        nacks.poll(at: at(110), into: &list)
        check(list == [20])
        for _ in 0..<5000 { nacks.arrivedInOrder() }
        check(nacks.reorderWait == .zero)
    }

    @Test func onALossyLineRequestsAreSaidTwice() {
        var nacks = NACKGenerator(isAsking: true)
        nacks.roundTrip = .milliseconds(80)
        // One in ten is missing and comes when it is asked for.
        for number in 0..<600 {
            guard number % 10 == 0 else {
                nacks.arrivedInOrder()
                continue
            }
            var list: [UInt16] = []
            check(nacks.add(Int64(number)..<Int64(number + 1), at: at(number)))
            nacks.poll(at: at(number), into: &list)
            check(nacks.arrived(Int64(number), isRetransmission: true, at: at(number)) == 1)
        }
        check(nacks.add(600..<601, at: at(1000)))
        var asked: [Int] = []
        for time in 1000..<1220 {
            var list: [UInt16] = []
            check(nacks.deadline.map { $0 <= at(time + 100) } ?? false)
            nacks.poll(at: at(time), into: &list)
            if !list.isEmpty { asked.append(time) }
        }
        check(asked == [1000, 1010, 1100, 1110, 1200, 1210])
        // Said twice is asked once.
        check(nacks.arrived(600, isRetransmission: true, at: at(1220)) == 3)
    }

    @Test func theListIsBounded() {
        var nacks = NACKGenerator(isAsking: true)
        check(nacks.add(0..<250, at: at(0)))
        check(!nacks.add(300..<301, at: at(0)) && nacks.isEmpty)
        nacks.forget(before: 10)
        check(nacks.add(10..<20, at: at(0)) && nacks.add(5..<7, at: at(1)))
        nacks.forget(before: 6)
        check(nacks.noticed(6) == at(1) && nacks.noticed(5) == nil && nacks.noticed(20) == nil)
        check(nacks.count == 11)
    }
}

struct JitterHistogramTests {
    @Test func oneInTwentyMayExceed() {
        var histogram = JitterHistogram()
        check(histogram.p95 == .zero)
        for index in 0..<1000 { histogram.add(.milliseconds(index % 100 < 4 ? 500 : 30)) }
        check(histogram.p95 == .milliseconds(30))
        for index in 0..<1000 { histogram.add(.milliseconds(index % 10 == 0 ? 500 : 30)) }
        check(histogram.p95 == .milliseconds(500))
        for _ in 0..<128 { histogram.add(MediaTime(nanoseconds: 50_000)) }
        check(histogram.p95 == .zero)
    }
}
