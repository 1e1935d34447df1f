/// SHA-1 (FIPS 180-4, section 6.1): what STUN's MESSAGE-INTEGRITY is made of. Good for nothing else today.
struct SHA1: BlockHash {
    static let digestWords = 5
    static let isBigEndian = true
    private var state: InlineArray<5, UInt32> = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]

    func word(_ index: Int) -> UInt32 { state[index] }

    mutating func compress(_ block: UnsafeRawBufferPointer) {
        var w = InlineArray<16, UInt32>(repeating: 0)
        for index in 0..<16 {
            w[index] = UInt32(bigEndian: block.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self))
        }
        var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
        for round in 0..<80 {
            var x = w[round & 15]
            if round >= 16 {
                x ^= w[(round + 13) & 15] ^ w[(round + 8) & 15] ^ w[(round + 2) & 15]
                x = x << 1 | x >> 31
                w[round & 15] = x
            }
            let f: UInt32
            let k: UInt32
            switch round {
            case ..<20: (f, k) = (d ^ (b & (c ^ d)), 0x5A82_7999)
            case ..<40: (f, k) = (b ^ c ^ d, 0x6ED9_EBA1)
            case ..<60: (f, k) = ((b & c) | (d & (b | c)), 0x8F1B_BCDC)
            default: (f, k) = (b ^ c ^ d, 0xCA62_C1D6)
            }
            let next = (a << 5 | a >> 27) &+ f &+ e &+ k &+ x
            e = d
            d = c
            c = b << 30 | b >> 2
            b = a
            a = next
        }
        state[0] &+= a
        state[1] &+= b
        state[2] &+= c
        state[3] &+= d
        state[4] &+= e
    }
}
