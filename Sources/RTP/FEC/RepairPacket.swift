import Core

/// How lost packets are made good by redundant ones that came in time.
package enum FECScheme: Hashable, Sendable {
    /// RFC 5109, level 0, whole packets; comes inside RED and shares the media's sequence numbers.
    case ulpfec
    /// draft-ietf-payload-flexible-fec-scheme-03 with a mask and one protected stream; a stream of its own.
    case flexfec
}

/// The payload of a repair packet: which packets it protects, and their sum.
struct RepairPacket {
    /// The exclusive or of the first two bytes of the protected packets' headers.
    var headerBits: UInt16
    /// Of their timestamps.
    var timestampBits: UInt32
    /// Of their lengths behind the fixed header.
    var lengthBits: UInt16
    var base: UInt16
    /// The protected packets as distances from `base`: bit i of the first word is distance i, of the second 64 + i.
    var mask: (UInt64, UInt64) = (0, 0)
    /// Of their bytes behind the fixed header, the shorter ones filled up with zeros.
    var bytes: [UInt8] = []

    /// Distances that a mask can name.
    static let distanceMax = 109

    init(_ payload: RawSpan, scheme: FECScheme, ssrc: UInt32) throws(TruncatedError) {
        var reader = ByteReader(payload)
        switch scheme {
        case .ulpfec:
            headerBits = try reader.u16()
            base = try reader.u16()
            timestampBits = try reader.u32()
            lengthBits = try reader.u16()
            // E says that it is another format; level 0 is all that is read.
            guard headerBits & 0x8000 == 0 else { throw TruncatedError() }
            let count = Int(try reader.u16())
            let isLong = headerBits & 0x4000 != 0
            add(try reader.u16(), bits: 16, from: 0)
            if isLong { add(try reader.u32(), bits: 32, from: 16) }
            bytes = try reader.bytes(count)
        case .flexfec:
            headerBits = try reader.u16()
            lengthBits = try reader.u16()
            timestampBits = try reader.u32()
            // R: a retransmission; F: rows and columns instead of a mask. Several streams at once are not sent to us.
            guard headerBits & 0xC000 == 0, try reader.u8() == 1 else { throw TruncatedError() }
            try reader.skip(3)
            guard try reader.u32() == ssrc else { throw TruncatedError() }
            base = try reader.u16()
            // Each part begins with a bit that says that it is the last.
            let first = try reader.u16()
            add(first, bits: 15, from: 0)
            if first & 0x8000 == 0 {
                let second = try reader.u32()
                add(second, bits: 31, from: 15)
                if second & 0x8000_0000 == 0 { add(try reader.u64(), bits: 63, from: 46) }
            }
            bytes = reader.rest()
        }
        guard mask.0 | mask.1 != 0 else { throw TruncatedError() }
    }

    private mutating func add(_ value: some FixedWidthInteger, bits: Int, from start: Int) {
        for place in 0..<bits where value >> (bits - 1 - place) & 1 != 0 {
            let distance = start + place
            if distance < 64 { mask.0 |= 1 << UInt64(distance) } else { mask.1 |= 1 << UInt64(distance - 64) }
        }
    }

    func protects(distance: Int) -> Bool {
        distance < 64 ? mask.0 >> UInt64(distance) & 1 != 0 : mask.1 >> UInt64(distance - 64) & 1 != 0
    }

    /// The distance of the last protected packet.
    var lastDistance: Int {
        mask.1 != 0 ? 127 - mask.1.leadingZeroBitCount : 63 - mask.0.leadingZeroBitCount
    }
}
