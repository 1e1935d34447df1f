import Core

/// RFC 7798 without decoding order numbers: single NAL units, AP and FU.
enum H265Payload {
    private static let accessUnitDelimiter: UInt8 = 35
    private static let filler: UInt8 = 38
    private static let aggregate: UInt8 = 48
    private static let fragment: UInt8 = 49

    static func info(_ payload: RawSpan, marker: Bool) throws(TruncatedError) -> PayloadInfo {
        var reader = ByteReader(payload)
        let type = HEVC.unitType(try reader.u8())
        let second = try reader.u8()
        var info = PayloadInfo(start: .possible, isEnd: marker, media: 0..<payload.byteCount)
        // The temporal layer plus one; 0 is forbidden.
        info.temporalLayer = max(second & 0x07, 1) - 1
        switch type {
        case 0..<aggregate: info.isKey = HEVC.isKey(type: type)
        case aggregate:
            repeat {
                var unit = ByteReader(try reader.span(Int(try reader.u16())))
                if HEVC.isKey(type: HEVC.unitType(try unit.u8())) { info.isKey = true }
                try unit.skip(1)
            } while !reader.isAtEnd
        case fragment:
            let header = try reader.u8()
            guard !reader.isAtEnd else { throw TruncatedError() }
            if header & 0x80 == 0 { info.start = .no }
            info.isKey = HEVC.isKey(type: header & 0x3F)
        default: throw TruncatedError()
        }
        return info
    }

    static func learn(_ unit: RawSpan, _ sets: inout ParameterSets) {
        var reader = BitReader(unit, skipsEmulation: true)
        guard let header = try? reader.bits(16) else { return }
        let type = HEVC.unitType(UInt8(header >> 8))
        switch type {
        case HEVC.videoParameterSet:
            guard let number = try? reader.bits(4) else { return }
            sets.insert(unit, .init(type: type, number: Int(number)))
        case HEVC.sequenceParameterSet:
            guard let set = try? HEVCSequenceParameterSet(unit) else { return }
            sets.insert(unit, .init(type: type, number: set.number))
        case HEVC.pictureParameterSet:
            guard let number = try? reader.exponential(), number < 64 else { return }
            sets.insert(unit, .init(type: type, number: number))
        default: break
        }
    }

    static func assemble(
        _ packets: [FramePacket], _ sets: inout ParameterSets
    ) throws(TruncatedError) -> AssembledFrame {
        var builder = FrameBuilder(packets)
        var isKey = false
        for (index, packet) in packets.enumerated() {
            let payload = packet.payload.bytes
            var reader = ByteReader(payload)
            let first = try reader.u8()
            let second = try reader.u8()
            switch HEVC.unitType(first) {
            case 0..<aggregate: take(0..<payload.byteCount, packet: index, first)
            case aggregate:
                while !reader.isAtEnd {
                    let count = Int(try reader.u16())
                    let header = try reader.peek()
                    let start = reader.offset
                    guard count >= 2 else { throw TruncatedError() }
                    try reader.skip(count)
                    take(start..<(start + count), packet: index, header)
                }
            case fragment:
                let header = try reader.u8()
                let type = header & 0x3F
                if header & 0x80 != 0 {
                    builder.begin(header: [first & 0x81 | type << 1, second])
                    isKey = isKey || HEVC.isKey(type: type)
                } else {
                    // The rest of a unit whose begin is not here: a packet is missing.
                    guard let unit = builder.units.last, unit.header.first.map(HEVC.unitType) == type else {
                        throw TruncatedError()
                    }
                }
                builder.add(packet: index, reader.offset..<payload.byteCount)
            default: throw TruncatedError()
            }
        }
        // Our frames have their sets in the configuration.
        func take(_ range: Range<Int>, packet: Int, _ header: UInt8) {
            let type = HEVC.unitType(header)
            switch type {
            case HEVC.videoParameterSet, HEVC.sequenceParameterSet, HEVC.pictureParameterSet:
                learn(packets[packet].payload.bytes.extracting(range), &sets)
            case accessUnitDelimiter, filler: break
            default:
                isKey = isKey || HEVC.isKey(type: type)
                builder.begin()
                builder.add(packet: packet, range)
            }
        }
        return try finish(builder, isKey: isKey, &sets)
    }

    private static func finish(
        _ builder: FrameBuilder, isKey: Bool, _ sets: inout ParameterSets
    ) throws(TruncatedError) -> AssembledFrame {
        guard !builder.units.isEmpty, !builder.isOverfull else { throw TruncatedError() }
        let all = [HEVC.videoParameterSet, HEVC.sequenceParameterSet, HEVC.pictureParameterSet].map(sets.all)
        // Nothing can be decoded before the sets are there, so such a key frame is none.
        let isKey = isKey && all.allSatisfy { !$0.isEmpty }
        var frame = AssembledFrame(payload: builder.lengthPrefixed(), isKey: isKey)
        if isKey, let first = all[1].first, let set = try? HEVCSequenceParameterSet(first.span.bytes) {
            frame.size = .init(width: set.width, height: set.height)
        }
        frame.configuration = sets.changed { _ in
            HEVC.configuration(video: all[0], sequence: all[1], picture: all[2])
        }
        return frame
    }

    static func packetize(
        _ frame: EncodedFrame, format: VideoFormat, sizeMax: Int
    ) throws(RTPError) -> PacketizedFrame {
        var units: [NALUnit] = []
        let parameters = try frame.payload.withUnsafeBytes { bytes throws(RTPError) -> [UInt8] in
            try NALUnit.append(bytes.bytes, isParameters: false, headerCount: 2, to: &units)
            let hasOwn = units.contains {
                HEVC.unitType(bytes[$0.range.lowerBound]) == HEVC.sequenceParameterSet
            }
            guard frame.isKey, !hasOwn else { return [] }
            return HEVC.parameterSets(configuration: format.configuration) ?? []
        }
        var sets: [NALUnit] = []
        try NALUnit.append(parameters.span.bytes, isParameters: true, headerCount: 2, to: &sets)
        units = sets + units
        var result = PacketizedFrame(payload: frame.payload, isKey: frame.isKey, parameters: parameters)
        var index = 0
        while index < units.count {
            let fitting = result.aggregable(units[index...], headerCount: 2, sizeMax: sizeMax)
            let unit = units[index]
            let first = result.byte(unit, 0)
            let second = result.byte(unit, 1)
            if fitting > 1 {
                let group = units[index..<(index + fitting)]
                // The lowest layer number and temporal layer of what is inside (section 4.4.2). Layers other than 0 are
                // not sent, so the temporal one is all that differs.
                let temporal = group.reduce(UInt8(7)) { min($0, result.byte($1, 1) & 0x07) }
                result.aggregate(group, header: [aggregate << 1, temporal])
            } else if unit.range.count <= sizeMax {
                result.single(unit)
            } else {
                result.cut(
                    (unit.range.lowerBound + 2)..<unit.range.upperBound, sizeMax: sizeMax, prefixCount: 3,
                    isParameters: unit.isParameters
                ) { piece, isFirst, isLast in
                    piece.add(first & 0x81 | fragment << 1)
                    piece.add(second)
                    piece.add(HEVC.unitType(first) | (isFirst ? 0x80 : 0) | (isLast ? 0x40 : 0))
                }
            }
            index += fitting
        }
        return result
    }
}
