import Core

/// One block of a RED payload (RFC 2198): an earlier packet's payload again, or, the last one, the packet's own.
package struct RedundantBlock: Hashable, Sendable {
    /// 0–127: what the block's bytes are.
    package var payloadType: UInt8
    /// Ticks to subtract from the packet's timestamp, 14 bits; 0 for the packet's own block.
    package var timestampOffset: UInt16
    /// Where its bytes lie in the payload.
    package var range: Range<Int>
    /// The packet's own block, which comes last.
    package var isPrimary: Bool

    package init(payloadType: UInt8, timestampOffset: UInt16, range: Range<Int>, isPrimary: Bool) {
        self.payloadType = payloadType
        self.timestampOffset = timestampOffset
        self.range = range
        self.isPrimary = isPrimary
    }

    /// The block of a payload that has only one, as pictures are sent; nil for sound with older blocks, and for nothing.
    package init?(only payload: RawSpan) {
        var reader = ByteReader(payload)
        guard let first = try? reader.u8(), first & 0x80 == 0 else { return nil }
        self.init(payloadType: first, timestampOffset: 0, range: 1..<payload.byteCount, isPrimary: true)
    }
}

/// RED (RFC 2198): sound with what was sent before, again; and, with one block, the wrapping of ulpfec (RFC 5109).
package enum RedundantPayload {
    /// Blocks read of one payload. Browsers send up to two redundant ones, some senders up to nine.
    package static let blockCountMax = 16

    /// Calls `body` for each block from the oldest to the packet's own. Allocates nothing.
    package static func forEachBlock(_ payload: RawSpan, _ body: (RedundantBlock) -> Void) throws(RTPError) {
        do {
            // First pass: the lengths must fit before anything is handed out.
            var reader = ByteReader(payload)
            var total = 0
            var count = 0
            while try reader.peek() & 0x80 != 0 {
                total += Int(try reader.u32() & 0x3FF)
                count += 1
                guard count < blockCountMax else { throw TruncatedError() }
            }
            let primary = try reader.u8()
            guard total <= reader.remaining else { throw TruncatedError() }
            var heads = ByteReader(payload)
            var offset = reader.offset
            for _ in 0..<count {
                let head = try heads.u32()
                let end = offset + Int(head & 0x3FF)
                body(
                    RedundantBlock(
                        payloadType: UInt8(head >> 24 & 0x7F), timestampOffset: UInt16(head >> 10 & 0x3FFF),
                        range: offset..<end, isPrimary: false))
                offset = end
            }
            body(
                RedundantBlock(
                    payloadType: primary & 0x7F, timestampOffset: 0, range: offset..<payload.byteCount,
                    isPrimary: true))
        } catch {
            throw .malformedPayload
        }
    }

    /// A block to be sent, with its bytes.
    package struct Block {
        package var payloadType: UInt8
        /// Ticks before the packet's timestamp, at most 16 383; ignored for the last block.
        package var timestampOffset: UInt32
        /// At most 1023 bytes, but for the last block.
        package var bytes: UnsafeRawBufferPointer
        package init(payloadType: UInt8, timestampOffset: UInt32 = 0, bytes: UnsafeRawBufferPointer) {
            self.payloadType = payloadType
            self.timestampOffset = timestampOffset
            self.bytes = bytes
        }
        var canBeRedundant: Bool { timestampOffset <= 0x3FFF && bytes.count <= 0x3FF && !bytes.isEmpty }
    }

    /// Writes the blocks, oldest first, the packet's own last; redundant ones that are too old, too long or empty are
    /// left out. Returns the payload's length; nil if it does not fit or there is no block.
    package static func write(_ blocks: [Block], into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        guard let primary = blocks.last else { return nil }
        var writer = FixedWriter(buffer)
        for block in blocks.dropLast() where block.canBeRedundant {
            writer.u8(0x80 | block.payloadType)
            writer.u24(block.timestampOffset << 10 | UInt32(block.bytes.count))
        }
        writer.u8(primary.payloadType & 0x7F)
        for block in blocks.dropLast() where block.canBeRedundant { writer.append(block.bytes) }
        writer.append(primary.bytes)
        return writer.finished
    }
}
