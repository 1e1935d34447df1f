/// Reads bit fields, most significant first, from bytes that somebody else owns: the headers of video codecs. Every read
/// is checked.
package struct BitReader: ~Escapable {
    private var bytes: ByteReader
    private var current: UInt8 = 0
    private var left = 0
    private let skipsEmulation: Bool
    private var zeros = 0

    /// With `skipsEmulation` the bytes 0x03 that H.264 and H.265 put behind two zero bytes are left out.
    @_lifetime(copy span)
    package init(_ span: RawSpan, skipsEmulation: Bool = false) {
        bytes = ByteReader(span)
        self.skipsEmulation = skipsEmulation
    }

    package mutating func bit() throws(TruncatedError) -> Bool {
        if left == 0 {
            current = try bytes.u8()
            if skipsEmulation, zeros >= 2, current == 3 {
                zeros = 0
                current = try bytes.u8()
            }
            zeros = current == 0 ? zeros + 1 : 0
            left = 8
        }
        left -= 1
        return current >> UInt8(left) & 1 != 0
    }

    /// The next `count` bits, at most 32.
    package mutating func bits(_ count: Int) throws(TruncatedError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<count { value = value << 1 | (try bit() ? 1 : 0) }
        return value
    }

    package mutating func skip(_ count: Int) throws(TruncatedError) {
        for _ in 0..<count { _ = try bit() }
    }

    /// ue(v): an Exp-Golomb number below 2^31 (ISO/IEC 14496-10, section 9.1).
    package mutating func exponential() throws(TruncatedError) -> Int {
        var zeros = 0
        while try !bit() {
            zeros += 1
            guard zeros < 31 else { throw TruncatedError() }
        }
        return (1 << zeros) - 1 + Int(try bits(zeros))
    }

    /// se(v): the same with a sign.
    package mutating func signedExponential() throws(TruncatedError) -> Int {
        let code = try exponential()
        return code & 1 == 0 ? -(code / 2) : code / 2 + 1
    }
}
