import Core

/// What the first bytes of an Opus packet say about it (RFC 6716, sections 3 and 4.2). Never traps.
struct OpusPacket: Hashable {
    /// Samples per channel at 48 kHz.
    let samples: Int
    let isStereo: Bool
    /// Samples before its own that it carries again at a lower rate (low bit-rate redundancy, "in-band FEC"): one
    /// frame or none.
    let repairSamples: Int

    init?(_ payload: Payload) {
        guard let packet = payload.withUnsafeBytes({ OpusPacket($0) }) else { return nil }
        self = packet
    }

    init?(_ bytes: UnsafeRawBufferPointer) {
        guard let first = bytes.first else { return nil }
        let configuration = Int(first >> 3)
        let frame = OpusPacket.frameSamples(configuration)
        let frames: Int
        switch first & 3 {
        case 0: frames = 1
        case 3:
            guard bytes.count >= 2 else { return nil }
            frames = Int(bytes[1] & 0x3F)
        default: frames = 2
        }
        // At most 120 ms (requirement R5).
        guard frames > 0, frames * frame <= 5760 else { return nil }
        samples = frames * frame
        isStereo = first & 4 != 0
        let hasRepair = OpusPacket.repairFlag(bytes, configuration, frame: frame, isStereo: first & 4 != 0)
        repairSamples = hasRepair ? frame : 0
    }

    /// Table 2 of RFC 6716.
    private static func frameSamples(_ configuration: Int) -> Int {
        switch configuration {
        case 0..<12: [480, 960, 1920, 2880][configuration & 3]
        case 12..<16: [480, 960][configuration & 1]
        default: 120 << (configuration & 3)
        }
    }

    /// SILK frames begin with one voice flag per 20 ms and the redundancy flag, per channel, each a whole bit
    /// (section 4.2.3).
    private static func repairFlag(
        _ bytes: UnsafeRawBufferPointer, _ configuration: Int, frame: Int, isStereo: Bool
    ) -> Bool {
        guard configuration < 16, let begin = firstFrame(bytes), begin + 1 < bytes.count else { return false }
        let blocks = max(1, frame / 960)
        for channel in 0..<(isStereo ? 2 : 1) {
            let bit = (channel + 1) * (blocks + 1) - 1
            if bit < 8, bytes[begin] & (0x80 >> UInt8(bit)) != 0 { return true }
        }
        return false
    }

    /// Where the first frame's bytes begin (section 3.2).
    private static func firstFrame(_ bytes: UnsafeRawBufferPointer) -> Int? {
        func lengthBytes(_ place: Int) -> Int? {
            place < bytes.count ? (bytes[place] < 252 ? 1 : 2) : nil
        }
        switch bytes[0] & 3 {
        case 0, 1: return 1
        case 2: return lengthBytes(1).map { 1 + $0 }
        default:
            guard bytes.count >= 2 else { return nil }
            let count = Int(bytes[1] & 0x3F)
            var place = 2
            if bytes[1] & 0x40 != 0 {
                while place < bytes.count, bytes[place] == 255 { place += 1 }
                place += 1
            }
            if bytes[1] & 0x80 != 0 {
                for _ in 0..<max(0, count - 1) {
                    guard let length = lengthBytes(place) else { return nil }
                    place += length
                }
            }
            return place
        }
    }
}
