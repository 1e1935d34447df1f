/// What a sequence parameter set of H.264 tells that we need (ISO/IEC 14496-10, section 7.3.2.1.1).
package struct AVCSequenceParameterSet: Hashable, Sendable {
    /// 0–31.
    package var number: Int
    /// Pixels, cropping done.
    package var width: Int
    package var height: Int

    /// A picture's side in pixels: beyond it a set is not believed. Level 6.2 ends below.
    package static let sideMax = 16_384

    /// Reads a NAL unit, its header byte included.
    package init(_ unit: RawSpan) throws(TruncatedError) {
        var reader = BitReader(unit, skipsEmulation: true)
        try reader.skip(8)
        let profile = try reader.bits(8)
        try reader.skip(16)
        number = try reader.exponential()
        guard number < 32 else { throw TruncatedError() }
        var chroma = 1
        if [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135].contains(profile) {
            chroma = try reader.exponential()
            guard chroma <= 3 else { throw TruncatedError() }
            if chroma == 3, try reader.bit() { chroma = 0 }
            _ = try reader.exponential()
            _ = try reader.exponential()
            try reader.skip(1)
            if try reader.bit() { try Self.skipScalingLists(&reader, count: chroma == 3 ? 12 : 8) }
        }
        _ = try reader.exponential()
        try Self.skipOrderCount(&reader)
        _ = try reader.exponential()
        try reader.skip(1)
        let columns = try reader.exponential() + 1
        let rows = try reader.exponential() + 1
        let frames = try reader.bit() ? 1 : 2
        if frames == 2 { try reader.skip(1) }
        try reader.skip(1)
        let most = Self.sideMax / 16
        guard columns <= most, rows * frames <= most else { throw TruncatedError() }
        width = columns * 16
        height = rows * 16 * frames
        guard try reader.bit() else { return }
        let unitX = chroma == 1 || chroma == 2 ? 2 : 1
        let unitY = (chroma == 1 ? 2 : 1) * frames
        let horizontal = try reader.exponential() + reader.exponential()
        let vertical = try reader.exponential() + reader.exponential()
        guard horizontal < width / unitX, vertical < height / unitY else { throw TruncatedError() }
        width -= unitX * horizontal
        height -= unitY * vertical
    }

    private static func skipScalingLists(_ reader: inout BitReader, count: Int) throws(TruncatedError) {
        for list in 0..<count where try reader.bit() {
            var last = 8
            var next = 8
            for _ in 0..<(list < 6 ? 16 : 64) {
                if next != 0 { next = (last + (try reader.signedExponential())) & 0xFF }
                if next != 0 { last = next }
            }
        }
    }

    private static func skipOrderCount(_ reader: inout BitReader) throws(TruncatedError) {
        switch try reader.exponential() {
        case 0: _ = try reader.exponential()
        case 1:
            try reader.skip(1)
            _ = try reader.signedExponential()
            _ = try reader.signedExponential()
            let count = try reader.exponential()
            guard count <= 255 else { throw TruncatedError() }
            for _ in 0..<count { _ = try reader.signedExponential() }
        default: break
        }
    }
}

extension AVC {
    /// An avcC box body of parameter sets as NAL units without prefix; nil if one kind is missing, or a set does not
    /// fit the box.
    package static func configuration(sequence: [[UInt8]], picture: [[UInt8]]) -> [UInt8]? {
        guard let first = sequence.first, first.count >= 4, !picture.isEmpty, sequence.count < 32,
            picture.count < 256, (sequence + picture).allSatisfy({ $0.count <= 0xFFFF })
        else { return nil }
        // version, profile, compatibility, level, 4-byte lengths, then the sets (ISO/IEC 14496-15, 5.3.3.1)
        var out: [UInt8] = [1, first[1], first[2], first[3], 0xFF, 0xE0 | UInt8(sequence.count)]
        for set in sequence { out += [UInt8(set.count >> 8), UInt8(set.count & 0xFF)] + set }
        out.append(UInt8(picture.count))
        for set in picture { out += [UInt8(set.count >> 8), UInt8(set.count & 0xFF)] + set }
        // High profiles add chroma format and bit depths; ours are always 4:2:0 at 8 bits.
        if [100, 110, 122, 144].contains(first[1]) { out += [0xFC | 1, 0xF8, 0xF8, 0] }
        return out
    }
}
