import Core
import RTP
import Testing

struct RedundantPayloadTests {
    private func blocks(_ payload: [UInt8]) throws -> [RedundantBlock] {
        var blocks: [RedundantBlock] = []
        try RedundantPayload.forEachBlock(payload.span.bytes) { blocks.append($0) }
        return blocks
    }

    private func write(_ parts: [(UInt8, UInt32, [UInt8])]) -> [UInt8]? {
        let payloads = parts.map { Payload($0.2) }
        return withExtendedLifetime(payloads) {
            let blocks = zip(parts, payloads).map { part, payload in
                RedundantPayload.Block(
                    payloadType: part.0, timestampOffset: part.1, bytes: payload.withUnsafeBytes { $0 })
            }
            var buffer = [UInt8](repeating: 0, count: 2000)
            return buffer.withUnsafeMutableBytes { RedundantPayload.write(blocks, into: $0) }
                .map { Array(buffer[..<$0]) }
        }
    }

    /// The layout of RFC 2198, section 4: one redundant block 960 ticks back.
    @Test func oneRedundantBlock() throws {
        let payload: [UInt8] = [0x80 | 111, 0x0F, 0x00, 0x02, 111, 1, 2, 3, 4, 5]
        #expect(
            try blocks(payload) == [
                RedundantBlock(payloadType: 111, timestampOffset: 960, range: 5..<7, isPrimary: false),
                RedundantBlock(payloadType: 111, timestampOffset: 0, range: 7..<10, isPrimary: true),
            ])
        #expect(write([(111, 960, [1, 2]), (111, 0, [3, 4, 5])]) == payload)
    }

    @Test func onlyThePrimary() throws {
        #expect(try blocks([96, 7]).map(\.range) == [1..<2])
        #expect(write([(96, 0, [7])]) == [96, 7])
        #expect(write([]) == nil)
    }

    @Test func whatCannotBeRedundantIsLeftOut() {
        let long = [UInt8](repeating: 1, count: 1024)
        #expect(write([(1, 16_384, [1]), (1, 5, long), (1, 5, []), (2, 0, [9])]) == [2, 9])
    }

    @Test func malformed() {
        let many: [UInt8] = [[UInt8]](repeating: [0x80, 0, 0, 0], count: 17).flatMap { $0 } + [1]
        for bad: [UInt8] in [[], [0x80], [0x80, 0, 0, 0], [0x80, 0, 0, 2, 1, 9], many] {
            #expect(throws: RTPError.malformedPayload) { () throws in _ = try blocks(bad) }
        }
    }

    /// RFC 4733, section 5, in its first and its last form.
    @Test func telephoneEvents() throws {
        let bytes: [UInt8] = [11, 0x8A, 0x03, 0x20]
        let event = try TelephoneEvent(bytes.span.bytes)
        #expect(event == TelephoneEvent(event: 11, isEnd: true, volume: 10, duration: 800) && event.key == "#")
        var buffer = [UInt8](repeating: 0, count: 4)
        #expect(buffer.withUnsafeMutableBytes { event.write(into: $0) } == 4)
        #expect(buffer == bytes)
        #expect(throws: RTPError.malformedPayload) { () throws in
            _ = try TelephoneEvent(Array(bytes.dropLast()).span.bytes)
        }
    }

    @Test func durationsOfSound() {
        func ticks(_ payload: [UInt8], _ codec: AudioCodec = .opus) -> Int? {
            AudioPayload.ticks(payload.span.bytes, codec: codec)
        }
        // SILK 10 and 60 ms, hybrid 20 ms, CELT 2.5 and 20 ms; two frames; five of 20 ms; 140 ms are too many.
        #expect([0x00, 0x18, 0x68, 0x80, 0xF8].map { ticks([$0]) } == [480, 2880, 960, 120, 960])
        #expect(ticks([0xF9]) == 1920 && ticks([0xFB, 5]) == 4800 && ticks([0xFB, 7]) == nil && ticks([0xFB]) == nil)
        #expect(ticks([]) == nil && ticks([UInt8](repeating: 0, count: 160), .pcmu) == 160)
    }
}
