import Core
import Testing

// Copies are the room's own.
@testable import RTP

struct RetransmissionQueueTests {
    private func time(_ milliseconds: Int) -> Instant { StreamRig.time(milliseconds) }

    @Test func copiesGoLaterAndAfterWhatWasAskedFor() {
        var queue = RetransmissionQueue()
        queue.makesCopies = true
        #expect(queue.append(5) && queue.append(6))
        #expect(queue.popFirst(at: time(0)) == 5)
        #expect(queue.popFirst(at: time(1)) == 6)
        #expect(queue.copyDue == time(10) && !queue.hasNext(at: time(9)))
        #expect(queue.popFirst(at: time(9)) == nil)
        #expect(queue.append(7) && queue.hasNext(at: time(9)))
        #expect(queue.popFirst(at: time(12)) == 7)
        #expect(queue.popFirst(at: time(12)) == 5)
        #expect(queue.popFirst(at: time(12)) == 6)
        #expect(queue.popFirst(at: time(12)) == nil && queue.copyDue == time(22))
    }

    @Test func withoutLossNothingGoesTwice() {
        var queue = RetransmissionQueue()
        #expect(queue.append(5) && queue.popFirst(at: time(0)) == 5)
        #expect(queue.copyDue == nil && !queue.hasNext(at: time(100)))
    }

    @Test func itIsBounded() {
        var queue = RetransmissionQueue()
        queue.makesCopies = true
        var taken = 0
        for number in 0..<2000 where queue.append(Int64(number)) { taken += 1 }
        #expect(taken == 512 && queue.count == 512)
        for _ in 0..<4 {
            while queue.popFirst(at: time(0)) != nil {}
            for number in 0..<512 { _ = queue.append(Int64(number)) }
        }
        while queue.popFirst(at: time(0)) != nil {}
        var copies = 0
        queue.makesCopies = false
        while queue.popFirst(at: time(100)) != nil { copies += 1 }
        #expect(copies == 512)
    }

    @Test func onALossyLineReceiversAreToldToWait() throws {
        let rig = StreamRig()
        func told(_ at: Int) throws -> PlayoutDelay? {
            _ = rig.stream.enqueue(try StreamRig.picture(500, pts: .milliseconds(at), isKey: true), at: time(at))
            return try #require(rig.all(at: time(at)).first).extensions.playoutDelay
        }
        rig.stream.setRoundTrip(.milliseconds(50))
        rig.stream.setLossy(false, at: time(0))
        #expect(try told(0) == nil)
        rig.stream.setLossy(true, at: time(100))
        #expect(try told(100)?.minimum == 18, "three times there and back, and 30 ms")
        rig.stream.setRoundTrip(.milliseconds(55))
        rig.stream.setLossy(false, at: time(5000))
        #expect(try told(5000)?.minimum == 18, "it stays for a while, and while it is about right")
        rig.stream.setLossy(false, at: time(10_200))
        #expect(try told(10_200) == PlayoutDelay(minimum: 0, maximum: 4095))
    }

    @Test func aRetransmissionOnALossyLineGoesTwice() throws {
        let rig = StreamRig()
        rig.stream.setLossy(true, at: time(0))
        _ = rig.stream.enqueue(try StreamRig.picture(500, pts: .zero, isKey: true), at: time(0))
        let lost = try #require(rig.all(at: time(0)).first)
        rig.nack([lost.header.sequenceNumber], at: time(50))
        let first = try #require(rig.nextRetransmission(at: time(50)))
        #expect(rig.nextRetransmission(at: time(59)) == nil)
        let second = try #require(rig.nextRetransmission(at: time(60)))
        #expect(second.payload == first.payload)
        #expect(second.header.sequenceNumber == first.header.sequenceNumber &+ 1)
        #expect(rig.stream.statistics.retransmittedPacketsSent == 2)
    }
}
