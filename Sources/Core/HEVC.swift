/// H.265 in its wrappings (ISO/IEC 23008-2, ISO/IEC 14496-15). Inside Tessera a frame is, as with H.264, a run of NAL
/// units with four-byte length prefixes, and its parameter sets are in `VideoFormat.configuration`, here as hvcC.
package enum HEVC {
    /// NAL unit types (ISO/IEC 23008-2, table 7-1).
    package static let videoParameterSet: UInt8 = 32
    package static let sequenceParameterSet: UInt8 = 33
    package static let pictureParameterSet: UInt8 = 34

    package static func unitType(_ firstByte: UInt8) -> UInt8 { firstByte >> 1 & 0x3F }
    /// Decoding may start at a picture of these types: BLA, IDR, CRA.
    package static func isKey(type: UInt8) -> Bool { (16...21).contains(type) }

    /// An hvcC box body (ISO/IEC 14496-15, section 8.3.3.1) of parameter sets as NAL units without prefix; nil if a kind
    /// is missing or the sequence's set cannot be read.
    package static func configuration(video: [[UInt8]], sequence: [[UInt8]], picture: [[UInt8]]) -> [UInt8]? {
        guard let first = sequence.first, !video.isEmpty, !picture.isEmpty,
            let set = try? HEVCSequenceParameterSet(first.span.bytes),
            (video + sequence + picture).allSatisfy({ $0.count <= 0xFFFF })
        else { return nil }
        var out = ByteWriter()
        out.u8(1)
        out.append(set.profileTierLevel)
        // No minimum of spatial segments, parallelism unknown.
        out.u16(0xF000)
        out.u8(0xFC)
        out.u8(0xFC | UInt8(set.chromaFormat))
        out.u8(0xF8 | UInt8(set.lumaDepth - 8))
        out.u8(0xF8 | UInt8(set.chromaDepth - 8))
        // Average frame rate unknown; layers, nesting, four-byte lengths.
        out.u16(0)
        out.u8(UInt8(set.temporalLayers) << 3 | (set.isNested ? 4 : 0) | 3)
        out.u8(3)
        for (type, sets) in [
            (videoParameterSet, video), (sequenceParameterSet, sequence), (pictureParameterSet, picture),
        ] {
            out.u8(0x80 | type)
            out.u16(UInt16(sets.count))
            for set in sets {
                out.u16(UInt16(set.count))
                out.append(set)
            }
        }
        return out.bytes
    }

    /// An hvcC box body made of the parameter sets found in an Annex B byte stream; nil if one kind is missing.
    package static func configuration(annexB bytes: UnsafeRawBufferPointer) -> [UInt8]? {
        var sets: [UInt8: [[UInt8]]] = [:]
        for unit in AVC.splitAnnexB(bytes) where unit.count > 2 {
            let type = unitType(bytes[unit.lowerBound])
            guard (videoParameterSet...pictureParameterSet).contains(type) else { continue }
            let set = [UInt8](bytes[unit])
            // Some cameras repeat them.
            if sets[type]?.contains(set) != true { sets[type, default: []].append(set) }
        }
        return configuration(
            video: sets[videoParameterSet] ?? [], sequence: sets[sequenceParameterSet] ?? [],
            picture: sets[pictureParameterSet] ?? [])
    }

    /// The parameter sets of an hvcC box body as length-prefixed NAL units, to be sent in front of a key frame; nil if
    /// the box is malformed.
    package static func parameterSets(configuration bytes: [UInt8]) -> [UInt8]? {
        var out = ByteWriter()
        do {
            var reader = ByteReader(bytes.span.bytes)
            guard try reader.u8() == 1 else { return nil }
            try reader.skip(21)
            for _ in 0..<(try reader.u8()) {
                try reader.skip(1)
                for _ in 0..<(try reader.u16()) {
                    let set = try reader.bytes(Int(try reader.u16()))
                    out.u32(UInt32(set.count))
                    out.append(set)
                }
            }
        } catch {
            return nil
        }
        return out.bytes
    }
}

/// What a sequence parameter set of H.265 tells that we need (ISO/IEC 23008-2, section 7.3.2.2.1).
package struct HEVCSequenceParameterSet: Hashable, Sendable {
    /// 0–15.
    package var number: Int
    /// Pixels, the conformance window applied.
    package var width: Int
    package var height: Int
    /// The general profile, tier and level, twelve bytes, as hvcC repeats them.
    var profileTierLevel: [UInt8] = []
    var chromaFormat: Int
    var lumaDepth: Int
    var chromaDepth: Int
    var temporalLayers: Int
    var isNested: Bool

    /// Reads a NAL unit, its header of two bytes included.
    package init(_ unit: RawSpan) throws(TruncatedError) {
        var reader = BitReader(unit, skipsEmulation: true)
        try reader.skip(16 + 4)
        let subLayers = Int(try reader.bits(3))
        guard subLayers <= 6 else { throw TruncatedError() }
        temporalLayers = subLayers + 1
        isNested = try reader.bit()
        for _ in 0..<12 { profileTierLevel.append(UInt8(try reader.bits(8))) }
        var presence: [(profile: Bool, level: Bool)] = []
        for _ in 0..<subLayers { presence.append((try reader.bit(), try reader.bit())) }
        if subLayers > 0 { try reader.skip(2 * (8 - subLayers)) }
        for layer in presence { try reader.skip((layer.profile ? 88 : 0) + (layer.level ? 8 : 0)) }
        number = try reader.exponential()
        chromaFormat = try reader.exponential()
        guard number < 16, chromaFormat <= 3 else { throw TruncatedError() }
        let hasSeparatePlanes = chromaFormat == 3 ? try reader.bit() : false
        width = try reader.exponential()
        height = try reader.exponential()
        let sides = 1...AVCSequenceParameterSet.sideMax
        guard sides.contains(width), sides.contains(height) else { throw TruncatedError() }
        if try reader.bit() {
            let unitX = !hasSeparatePlanes && (chromaFormat == 1 || chromaFormat == 2) ? 2 : 1
            let unitY = chromaFormat == 1 ? 2 : 1
            let horizontal = try reader.exponential() + reader.exponential()
            let vertical = try reader.exponential() + reader.exponential()
            guard unitX * horizontal < width, unitY * vertical < height else { throw TruncatedError() }
            width -= unitX * horizontal
            height -= unitY * vertical
        }
        lumaDepth = try reader.exponential() + 8
        chromaDepth = try reader.exponential() + 8
        guard lumaDepth <= 15, chromaDepth <= 15 else { throw TruncatedError() }
    }
}
