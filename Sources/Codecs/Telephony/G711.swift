/// The two laws of ITU-T G.711: eight bits that stand for 14 (µ-law) or 13 (A-law) of a sample.
enum G711: Sendable {
    case mu, a

    /// Samples of full scale ±1 by code.
    var table: [Float] { self == .mu ? G711.muTable : G711.aTable }

    private static let muTable = (0...255).map { Float(G711.mu(UInt8($0))) / 32_768 }
    private static let aTable = (0...255).map { Float(G711.a(UInt8($0))) / 32_768 }

    /// The code of digital silence.
    var silence: UInt8 { self == .mu ? 0xFF : 0xD5 }

    /// The sample, on a scale of 16 bits, that a code stands for.
    func decode(_ code: UInt8) -> Int16 { self == .mu ? G711.mu(code) : G711.a(code) }

    /// G.711, table 2: the code is sent with all bits turned; a bias of 33 (of 14 bits) makes segments meet.
    private static func mu(_ code: UInt8) -> Int16 {
        let bits = Int(~code)
        let magnitude = (((bits & 0x0F) << 3) + 0x84) << ((bits & 0x70) >> 4) - 0x84
        return Int16(bits & 0x80 != 0 ? -magnitude : magnitude)
    }

    /// G.711, table 1: every second bit is turned; the sign bit is set for positive samples.
    private static func a(_ code: UInt8) -> Int16 {
        let bits = Int(code ^ 0x55)
        let segment = (bits & 0x70) >> 4
        let step = (bits & 0x0F) << 4
        let magnitude = segment == 0 ? step + 8 : (step + 0x108) << (segment - 1)
        return Int16(bits & 0x80 != 0 ? magnitude : -magnitude)
    }

    /// The code whose sample is nearest.
    func encode(_ sample: Int16) -> UInt8 { self == .mu ? G711.encodeMu(Int(sample)) : G711.encodeA(Int(sample)) }

    private static func encodeMu(_ sample: Int) -> UInt8 {
        let magnitude = min(abs(sample), 32_635) + 0x84
        // Bit 7 is the lowest that a biased magnitude can have as its highest.
        let segment = (Int.bitWidth - 1 - magnitude.leadingZeroBitCount) - 7
        let code = segment << 4 | (magnitude >> (segment + 3)) & 0x0F
        return ~UInt8(sample < 0 ? code | 0x80 : code)
    }

    private static func encodeA(_ sample: Int) -> UInt8 {
        // Negative samples are counted from -1, so that both signs have as many steps.
        let magnitude = min(sample < 0 ? -sample - 1 : sample, 32_767)
        var code = magnitude >> 4
        if magnitude >= 256 {
            let segment = (Int.bitWidth - 1 - magnitude.leadingZeroBitCount) - 7
            code = segment << 4 | (magnitude >> (segment + 3)) & 0x0F
        }
        return UInt8(sample < 0 ? code : code | 0x80) ^ 0x55
    }
}
