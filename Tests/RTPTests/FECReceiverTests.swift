import Core
import RTP
import Testing

struct FECReceiverTests {
    private static let ssrc: UInt32 = 0x1234_5678

    private func packet(_ number: UInt16, _ random: inout SeededRandom) -> [UInt8] {
        var header = RTPHeader(
            marker: Bool.random(using: &random), payloadType: UInt8.random(in: 96...99, using: &random),
            sequenceNumber: number, timestamp: UInt32.random(in: 0...UInt32.max, using: &random), ssrc: Self.ssrc)
        header.extensions = 0..<0
        var values = RTPHeaderExtensions()
        if Bool.random(using: &random) { values.transportSequenceNumber = number }
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = buffer.withUnsafeMutableBytes {
            header.write(extensions: values, map: ExtensionMap([.transportSequenceNumber: 3]), into: $0)
        }
        return Array(buffer[..<(count ?? 0)]) + TestFrames.bytes(Int.random(in: 1...1100, using: &random), &random)
    }

    /// A repair packet, made by the rules of the sending side (RFC 5109, section 7.3; the draft's sections 4.2 and 6.2).
    private func repair(_ packets: [[UInt8]], base: UInt16, scheme: FECScheme) -> [UInt8] {
        var header: [UInt8] = [0, 0]
        var timestamp = [UInt8](repeating: 0, count: 4)
        var length = 0
        var bytes: [UInt8] = []
        var distances: [Int] = []
        for packet in packets {
            for place in 0..<2 { header[place] ^= packet[place] }
            for place in 0..<4 { timestamp[place] ^= packet[4 + place] }
            length ^= packet.count - 12
            for (place, byte) in packet[12...].enumerated() {
                if place == bytes.count { bytes.append(0) }
                bytes[place] ^= byte
            }
            distances.append(Int((UInt16(packet[2]) << 8 | UInt16(packet[3])) &- base))
        }
        header[0] &= 0x3F
        let lengthBytes = [UInt8(length >> 8), UInt8(length & 0xFF)]
        let baseBytes = [UInt8(base >> 8), UInt8(base & 0xFF)]
        func mask(_ bits: Range<Int>, last: Bool?) -> [UInt8] {
            var flags = last.map { [$0] } ?? []
            flags += bits.map { distances.contains($0) }
            return stride(from: 0, to: flags.count, by: 8).map { start in
                flags[start..<(start + 8)].reduce(0) { $0 << 1 | ($1 ? 1 : 0) }
            }
        }
        let furthest = distances.max() ?? 0
        switch scheme {
        case .ulpfec:
            if furthest >= 16 { header[0] |= 0x40 }
            let size = [UInt8(bytes.count >> 8), UInt8(bytes.count & 0xFF)]
            let words = mask(0..<(furthest >= 16 ? 48 : 16), last: nil)
            return header + baseBytes + timestamp + lengthBytes + size + words + bytes
        case .flexfec:
            var words = mask(0..<15, last: furthest < 15)
            if furthest >= 15 { words += mask(15..<46, last: furthest < 46) }
            if furthest >= 46 { words += mask(46..<109, last: true) }
            return header + lengthBytes + timestamp + [1, 0, 0, 0, 0x12, 0x34, 0x56, 0x78] + baseBytes + words + bytes
        }
    }

    private func receive(repair: [UInt8], _ receiver: inout FECReceiver) {
        receiver.receiveRepair(repair.span.bytes)
    }

    private func receive(_ packet: [UInt8], _ receiver: inout FECReceiver) throws {
        receiver.receiveMedia(packet.span.bytes, header: try RTPHeader(packet.span.bytes))
    }

    @Test("A lost packet comes back byte for byte", arguments: [FECScheme.ulpfec, .flexfec], [5, 16, 40, 46, 100])
    func recovery(scheme: FECScheme, span: Int) throws {
        let span = scheme == .ulpfec ? min(span, 48) : span
        var random = SeededRandom(seed: UInt64(span))
        for isEarly in [false, true] {
            // Across the wrap of the numbers.
            let packets = (0..<span).map { packet(65_530 &+ UInt16($0), &random) }
            var protected = packets.filter { _ in Int.random(in: 0..<3, using: &random) > 0 }
            protected.append(packets[span - 1])
            if protected.dropLast().last == packets[span - 1] { protected.removeLast() }
            let lost = protected.randomElement(using: &random) ?? []
            let sum = repair(protected, base: 65_530, scheme: scheme)
            var receiver = FECReceiver(scheme: scheme, ssrc: Self.ssrc)
            if isEarly { receiver.receiveRepair(sum.span.bytes) }
            for packet in packets where packet != lost { try receive(packet, &receiver) }
            if !isEarly {
                #expect(receiver.recoveredCount == 0)
                receiver.receiveRepair(sum.span.bytes)
            }
            let back = receiver.poll()
            let more = receiver.poll()
            #expect(back == lost && more == nil && receiver.recoveredCount == 1)
        }
    }

    /// Two packets lost: the row gives one back, and then the column the other.
    @Test func oneRecoveryLeadsToAnother() throws {
        var random = SeededRandom(seed: 9)
        let packets = (0..<4).map { packet(UInt16($0), &random) }
        var receiver = FECReceiver(scheme: .flexfec, ssrc: Self.ssrc)
        let both = repair([packets[0], packets[1]], base: 0, scheme: .flexfec)
        let other = repair([packets[1], packets[3]], base: 0, scheme: .flexfec)
        try receive(packets[3], &receiver)
        receiver.receiveRepair(both.span.bytes)
        let none = receiver.poll()
        #expect(none == nil)
        receiver.receiveRepair(other.span.bytes)
        let found = [receiver.poll(), receiver.poll()]
        #expect(found == [packets[1], packets[0]])
    }

    /// What ulpfec protects is the packet without RED around it.
    @Test func mediaInsideRED() throws {
        var random = SeededRandom(seed: 10)
        let packets = (0..<2).map { packet(UInt16($0), &random) }
        var receiver = FECReceiver(scheme: .ulpfec, ssrc: Self.ssrc)
        var wrapped = packets[0]
        let header = try RTPHeader(wrapped.span.bytes)
        wrapped[1] = wrapped[1] & 0x80 | 120
        wrapped.insert(header.payloadType, at: header.payload.lowerBound)
        let outer = try RTPHeader(wrapped.span.bytes)
        var blocks: [RedundantBlock] = []
        try RedundantPayload.forEachBlock(wrapped.span.bytes.extracting(outer.payload)) { blocks.append($0) }
        receiver.receiveMedia(wrapped.span.bytes, header: outer, block: blocks[0])
        receive(repair: repair(packets, base: 0, scheme: .ulpfec), &receiver)
        let back = receiver.poll()
        #expect(back == packets[1])
    }

    @Test func oldRepairPacketsAreForgotten() throws {
        var random = SeededRandom(seed: 11)
        let packets = (0..<300).map { packet(UInt16($0), &random) }
        var receiver = FECReceiver(scheme: .flexfec, ssrc: Self.ssrc)
        // Each lacks two packets.
        for index in 0..<40 {
            let pair = Array(packets[index...(index + 1)])
            receive(repair: repair(pair, base: UInt16(index), scheme: .flexfec), &receiver)
        }
        #expect(receiver.unusedCount == 8)
        for packet in packets[200...] { try receive(packet, &receiver) }
        #expect(receiver.unusedCount == 40 && receiver.recoveredCount == 0)
    }

    @Test func malformed() {
        var receiver = FECReceiver(scheme: .flexfec, ssrc: Self.ssrc)
        let foreign: [UInt8] = [0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 9, 9, 9, 9, 0, 0, 0xC0, 0, 1]
        for bad: [UInt8] in [[], [0x40], foreign, [UInt8](repeating: 0, count: 2000)] {
            receiver.receiveRepair(bad.span.bytes)
        }
        #expect(receiver.malformedCount == 4)
    }
}
