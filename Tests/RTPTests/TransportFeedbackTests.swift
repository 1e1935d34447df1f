import Core
import RTP
import Testing

struct TransportFeedbackTests {
    private func parse(_ bytes: [UInt8]) throws -> TransportFeedback? {
        var packets: [RTCPPacket] = []
        try RTCPPacket.parse(bytes.span.bytes, into: &packets)
        guard case .transportFeedback(let feedback)? = packets.first else { return nil }
        return feedback
    }

    private func bytes(_ feedback: TransportFeedback) -> [UInt8] {
        var writer = ByteWriter()
        RTCPPacket.transportFeedback(feedback).write(to: &writer)
        return writer.bytes
    }

    /// A run, a vector of one-bit and one of two-bit symbols, laid out as in sections 3.1.3 and 3.1.4 of the draft.
    @Test func chunksOfAllKinds() throws {
        let packet: [UInt8] =
            [0xAF, 205, 0, 9, 0, 0, 0, 1, 0, 0, 0, 2, 0xFF, 0xFF, 0, 30, 0xFF, 0xFF, 0xFE, 7]
            // 9 not received; 0 11111 000 111 00; not received, small, large, 2 not received, small, not received.
            + [0x00, 9, 0x9F, 0x1C, 0xC6, 0x04]
            + [1, 2, 3, 4, 5, 6, 7, 8, 255, 0xFF, 0x09, 1]
            + [0, 2]
        let feedback = try #require(try parse(packet))
        let none: Int16? = nil
        let oneBit: [Int16?] = [none, 1, 2, 3, 4, 5, none, none, none, 6, 7, 8, none, none]
        let twoBit: [Int16?] = [none, 255, -247, none, none, 1, none]
        #expect(feedback.deltas == [Int16?](repeating: nil, count: 9) + oneBit + twoBit)
        #expect(feedback.baseSequenceNumber == 0xFFFF && feedback.referenceTime == -2 && feedback.feedbackCount == 7)
    }

    @Test func timesAddUp() throws {
        let start = Instant(nanoseconds: 10_000_000_000)
        var feedback = TransportFeedback(
            senderSSRC: 1, mediaSSRC: 2, feedbackCount: 3, baseSequenceNumber: 65_535, arrival: start)
        let offsets: [Int64?] = [1_000_000, nil, 900_000, 70_000_000, nil, 8_000_000_000]
        for offset in offsets {
            let fits = feedback.append(arrival: offset.map { Instant(nanoseconds: start.nanoseconds + $0) })
            #expect(fits)
        }
        // More than 8.191 s after the last one: another feedback is needed.
        let fitsNot = feedback.append(arrival: Instant(nanoseconds: start.nanoseconds + 16_200_000_000))
        #expect(!fitsNot)
        let again = try #require(try parse(bytes(feedback)))
        #expect(again == feedback)
        var seen: [UInt16] = []
        var times: [MediaTime?] = []
        again.forEachPacket {
            seen.append($0)
            times.append($1)
        }
        #expect(seen == [65_535, 0, 1, 2, 3, 4, 5])
        let expected: [Int64?] = [0, 1_000_000, nil, 750_000, 70_000_000, nil, 8_000_000_000]
        #expect(times == expected.map { $0.map { MediaTime(nanoseconds: start.nanoseconds + $0) } })
    }

    @Test("Any pattern is read as it was written", arguments: 0..<60 as Range<UInt64>)
    func roundTrip(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var now: Int64 = .random(in: 0...1 << 50, using: &random)
        var feedback = TransportFeedback(
            senderSSRC: 1, mediaSSRC: 2, feedbackCount: UInt8(truncatingIfNeeded: seed), baseSequenceNumber: 65_500,
            arrival: Instant(nanoseconds: now))
        let loss = [0, 1, 10, 50, 95].randomElement(using: &random) ?? 0
        let spread: Int64 = [1_000_000, 40_000_000, 300_000_000].randomElement(using: &random) ?? 1
        var sent = 1
        for _ in 0..<Int.random(in: 0...500, using: &random) {
            now += .random(in: -1_000_000...spread, using: &random)
            let isLost = Int.random(in: 0..<100, using: &random) < loss
            let fits = feedback.append(arrival: isLost ? nil : Instant(nanoseconds: now))
            #expect(fits)
            sent += 1
        }
        let written = bytes(feedback)
        let again = try #require(try parse(written))
        #expect(again == feedback && again.deltas.count == sent && written.count % 4 == 0)
        #expect(bytes(again) == written)
    }

    @Test func longRunsTakeTwoBytes() throws {
        var feedback = TransportFeedback(
            senderSSRC: 1, mediaSSRC: 2, feedbackCount: 0, baseSequenceNumber: 0, arrival: Instant(nanoseconds: 0))
        for _ in 0..<8000 { _ = feedback.append(arrival: nil) }
        // Head 20, one vector, one run, one delta, padding.
        #expect(bytes(feedback).count == 28)
        #expect(try parse(bytes(feedback)) == feedback)
    }

    @Test func claimsBeyondTheBoundAreMalformed() {
        for count in [0, 8193, 65_535] {
            let packet: [UInt8] =
                [0xAF - 0x20, 205, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, UInt8(count >> 8), UInt8(count & 0xFF)]
                + [0, 0, 0, 7, 0x1F, 0xFF, 0x1F, 0xFF]
            #expect(throws: RTPError.malformedPacket) { () throws in _ = try parse(packet) }
        }
    }

    @Test func reservedSymbolsAreMalformed() {
        let packet: [UInt8] = [
            0x8F, 205, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 7, 0x60, 2, 0, 0,
        ]
        #expect(throws: RTPError.malformedPacket) { () throws in _ = try parse(packet) }
    }
}
