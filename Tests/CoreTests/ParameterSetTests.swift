import Core
import Testing

struct ParameterSetTests {
    private func hex(_ text: String) -> [UInt8] {
        let digits = Array(text.utf8)
        return stride(from: 0, to: digits.count - 1, by: 2).map {
            UInt8(String(decoding: digits[$0...($0 + 1)], as: UTF8.self), radix: 16) ?? 0
        }
    }

    /// As x264 and x265 write them for 318 × 182 pixels: both are cropped.
    private var avc: [UInt8] { hex("6742c00bda05067a9b011000000300100000030140f142aa") }
    private var hevc: [UInt8] {
        hex("42010101600000030090000003000003003ca00a080b9d565959a4932bc05a020000030002000003001410")
    }

    @Test func sizes() throws {
        let first = try AVCSequenceParameterSet(avc.span.bytes)
        #expect(first.width == 318 && first.height == 182 && first.number == 0)
        let second = try HEVCSequenceParameterSet(hevc.span.bytes)
        #expect(second.width == 318 && second.height == 182 && second.number == 0)
    }

    @Test func truncatedSetsAreRefused() {
        for count in 0..<8 {
            #expect(throws: TruncatedError.self) { () throws in
                _ = try AVCSequenceParameterSet(Array(avc.prefix(count)).span.bytes)
            }
        }
        for count in 0..<20 {
            #expect(throws: TruncatedError.self) { () throws in
                _ = try HEVCSequenceParameterSet(Array(hevc.prefix(count)).span.bytes)
            }
        }
    }

    @Test func configurationOfHEVC() throws {
        let video = hex("40010c01ffff01600000030090000003000003003c959809")
        let picture = hex("4401c172b46240")
        let box = try #require(HEVC.configuration(video: [video], sequence: [hevc], picture: [picture]))
        // Version, Main profile with its flags, level 2, 4:2:0 at 8 bits, one layer, nested, four-byte lengths.
        #expect(Array(box.prefix(23)) == hex("0101600000009000000000003cf000fcfdf8f800000f03"))
        let sets: [UInt8] = [video, hevc, picture].flatMap { (set: [UInt8]) -> [UInt8] in
            [0, 0, 0, UInt8(set.count)] + set
        }
        #expect(HEVC.parameterSets(configuration: box) == sets)
        for count in 0..<box.count { #expect(HEVC.parameterSets(configuration: Array(box.prefix(count))) == nil) }
        #expect(HEVC.configuration(video: [], sequence: [hevc], picture: [picture]) == nil)
    }

    @Test func configurationOfAVC() throws {
        let box = try #require(AVC.configuration(sequence: [avc], picture: [[0x68, 0xCE]]))
        #expect(AVC.parameterSets(configuration: box) == [0, 0, 0, 24] + avc + [0, 0, 0, 2, 0x68, 0xCE])
        #expect(AVC.configuration(sequence: [], picture: [[0x68]]) == nil)
    }

    @Test func bits() throws {
        // 1, 010, 011, 00100 are 0, 1, 2, 3; signed 0, 1, −1, 2.
        let bytes: [UInt8] = [0b1010_0110, 0b0100_0000]
        var reader = BitReader(bytes.span.bytes)
        let plain = [try reader.exponential(), try reader.exponential(), try reader.exponential()]
        let last = try reader.exponential()
        #expect(plain == [0, 1, 2] && last == 3)
        var signed = BitReader(bytes.span.bytes)
        let values = [try signed.signedExponential(), try signed.signedExponential(), try signed.signedExponential()]
        #expect(values == [0, 1, -1])
        // A number of more than 31 bits.
        let zeros = [UInt8](repeating: 0, count: 12)
        #expect(throws: TruncatedError.self) { () throws in
            var reader = BitReader(zeros.span.bytes)
            _ = try reader.exponential()
        }
        let escaped: [UInt8] = [0, 0, 3, 1, 0, 0, 3]
        var inner = BitReader(escaped.span.bytes, skipsEmulation: true)
        let word = try inner.bits(24)
        #expect(word == 1)
    }

    @Test func writingIntoGivenMemory() {
        var memory = [UInt8](repeating: 0xEE, count: 8)
        let count = memory.withUnsafeMutableBytes { memory in
            var writer = FixedWriter(memory)
            writer.u8(1)
            writer.u24(0x020304)
            writer.u16(0)
            writer.patch(u16: 0x0506, at: 4)
            // Outside what was written.
            writer.patch(u16: 0xFFFF, at: 5)
            writer.pad(to: 8)
            return writer.finished
        }
        #expect(count == 8 && memory == [1, 2, 3, 4, 5, 6, 0, 0])
        let tooMuch = memory.withUnsafeMutableBytes { memory in
            var writer = FixedWriter(memory)
            writer.u64(0)
            writer.append([1])
            writer.append([])
            return writer.finished
        }
        #expect(tooMuch == nil)
    }
}
