/// H.264 bytes in their two wrappings (ISO/IEC 14496-10 Annex B, ISO/IEC 14496-15).
///
/// Inside Tessera an H.264 frame is always a run of NAL units with four-byte length prefixes, and its parameter sets
/// are in `VideoFormat.configuration` as an avcC box body. Start codes exist only at the edges.
package enum AVC {
    /// NAL unit types that carry parameter sets.
    private static let sequenceParameterSet: UInt8 = 7
    private static let pictureParameterSet: UInt8 = 8

    /// The NAL units between the start codes of an Annex B byte stream, without trailing zero bytes.
    package static func splitAnnexB(_ bytes: UnsafeRawBufferPointer) -> [Range<Int>] {
        var units: [Range<Int>] = []
        var start: Int?
        var index = 0
        while index + 2 < bytes.count {
            if bytes[index + 2] > 1 {
                index += 3
            } else if bytes[index] == 0, bytes[index + 1] == 0, bytes[index + 2] == 1 {
                if let start { append(start..<index) }
                start = index + 3
                index += 3
            } else {
                index += 1
            }
        }
        if let start { append(start..<bytes.count) }
        return units

        func append(_ range: Range<Int>) {
            var end = range.upperBound
            while end > range.lowerBound, bytes[end - 1] == 0 { end -= 1 }
            if end > range.lowerBound { units.append(range.lowerBound..<end) }
        }
    }

    /// Whether the bytes begin with a start code.
    package static func isAnnexB(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count >= 4 && bytes[0] == 0 && bytes[1] == 0
            && (bytes[2] == 1 || (bytes[2] == 0 && bytes[3] == 1))
    }

    /// The same NAL units with four-byte big-endian length prefixes.
    package static func lengthPrefixed(annexB bytes: UnsafeRawBufferPointer) -> Payload {
        let units = splitAnnexB(bytes)
        return Payload(count: units.reduce(0) { $0 + 4 + $1.count }) { out in
            var offset = 0
            for unit in units {
                out.storeBytes(of: UInt32(unit.count).bigEndian, toByteOffset: offset, as: UInt32.self)
                UnsafeMutableRawBufferPointer(rebasing: out[(offset + 4)..<(offset + 4 + unit.count)])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[unit]))
                offset += 4 + unit.count
            }
        }
    }

    /// An avcC box body made of the parameter sets found in an Annex B byte stream; nil if one kind is missing.
    package static func configuration(annexB bytes: UnsafeRawBufferPointer) -> [UInt8]? {
        let units = splitAnnexB(bytes).map { [UInt8](bytes[$0]) }
        let sequence = units.filter { $0[0] & 0x1F == sequenceParameterSet && $0.count >= 4 && $0.count <= 0xFFFF }
        let picture = units.filter { $0[0] & 0x1F == pictureParameterSet && $0.count <= 0xFFFF }
        return configuration(sequence: sequence, picture: picture)
    }

    /// The parameter sets of an avcC box body as length-prefixed NAL units, to be sent in front of a key frame;
    /// nil if the box is malformed.
    package static func parameterSets(configuration bytes: [UInt8]) -> [UInt8]? {
        guard bytes.count >= 7, bytes[0] == 1 else { return nil }
        var out: [UInt8] = []
        var offset = 5
        for mask in [UInt8(0x1F), 0xFF] {
            guard offset < bytes.count else { return nil }
            var remaining = Int(bytes[offset] & mask)
            offset += 1
            while remaining > 0 {
                guard offset + 2 <= bytes.count else { return nil }
                let length = Int(bytes[offset]) << 8 | Int(bytes[offset + 1])
                guard offset + 2 + length <= bytes.count else { return nil }
                out += [0, 0] + bytes[offset..<(offset + 2 + length)]
                offset += 2 + length
                remaining -= 1
            }
        }
        return out
    }
}
