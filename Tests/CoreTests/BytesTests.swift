import Core
import Testing

struct BytesTests {
    @Test func fieldsComeOutAsTheyWentIn() throws {
        var writer = ByteWriter()
        writer.u8(1)
        writer.u16(0x0203)
        writer.u24(0x040506)
        writer.u32(0x0708_090A)
        writer.u64(0x0B0C_0D0E_0F10_1112)
        writer.append([0xFF])
        writer.pad(to: 4)
        writer.patch(u16: 0xABCD, at: 1)
        let bytes = writer.bytes
        #expect(bytes.count == 20)
        var reader = ByteReader(bytes.span.bytes)
        #expect(try reader.u8() == 1)
        #expect(try reader.u16() == 0xABCD)
        #expect(try reader.peek() == 4)
        #expect(try reader.u24() == 0x040506)
        #expect(try reader.u32() == 0x0708_090A)
        #expect(try reader.u64() == 0x0B0C_0D0E_0F10_1112)
        #expect(try reader.bytes(1) == [0xFF])
        #expect(reader.rest() == [0])
        let isAtEnd = reader.isAtEnd
        #expect(isAtEnd)
    }

    @Test func nothingIsReadBeyondTheEnd() throws {
        let bytes: [UInt8] = [1, 2]
        var reader = ByteReader(bytes.span.bytes)
        #expect(throws: TruncatedError()) { () throws in
            var reader = ByteReader(bytes.span.bytes)
            _ = try reader.u32()
        }
        #expect((try? reader.u24()) == nil)
        #expect((try? reader.skip(-1)) == nil)
        #expect((try? reader.skip(3)) == nil)
        #expect((try? reader.peek(2)) == nil)
        let offset = reader.offset
        #expect(offset == 0)
        #expect(try reader.u16() == 0x0102)
    }
}
