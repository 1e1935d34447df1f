import Core

/// RFC 6184: single NAL units, STAP-A and FU-A, which is what packetization modes 0 and 1 have.
enum H264Payload {
    /// NAL unit types (table 1; ISO/IEC 14496-10, table 7-1).
    private static let keySlice: UInt8 = 5
    private static let sequenceSet: UInt8 = 7
    private static let pictureSet: UInt8 = 8
    private static let accessUnitDelimiter: UInt8 = 9
    private static let filler: UInt8 = 12
    private static let aggregate: UInt8 = 24
    private static let fragment: UInt8 = 28

    static func info(_ payload: RawSpan, marker: Bool) throws(TruncatedError) -> PayloadInfo {
        var reader = ByteReader(payload)
        let type = try reader.u8() & 0x1F
        var info = PayloadInfo(start: .possible, isEnd: marker, media: 0..<payload.byteCount)
        switch type {
        case 1...23: info.isKey = type == keySlice
        case aggregate:
            repeat {
                var unit = ByteReader(try reader.span(Int(try reader.u16())))
                if try unit.u8() & 0x1F == keySlice { info.isKey = true }
            } while !reader.isAtEnd
        case fragment:
            let header = try reader.u8()
            guard !reader.isAtEnd else { throw TruncatedError() }
            if header & 0x80 == 0 { info.start = .no }
            info.isKey = header & 0x1F == keySlice
        default: throw TruncatedError()
        }
        return info
    }

    static func learn(_ unit: RawSpan, _ sets: inout ParameterSets) {
        var reader = BitReader(unit, skipsEmulation: true)
        guard let type = try? reader.bits(8) & 0x1F else { return }
        switch UInt8(type) {
        case sequenceSet:
            guard let set = try? AVCSequenceParameterSet(unit) else { return }
            sets.insert(unit, .init(type: sequenceSet, number: set.number))
        case pictureSet:
            // Its own number. Numbers go to 255; nobody uses more than a few.
            guard let number = try? reader.exponential(), number < 64 else { return }
            sets.insert(unit, .init(type: pictureSet, number: number))
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
            switch first & 0x1F {
            case 1...23: take(0..<payload.byteCount, packet: index, first)
            case aggregate:
                while !reader.isAtEnd {
                    let count = Int(try reader.u16())
                    let header = try reader.peek()
                    let start = reader.offset
                    guard count > 0 else { throw TruncatedError() }
                    try reader.skip(count)
                    take(start..<(start + count), packet: index, header)
                }
            case fragment:
                let header = try reader.u8()
                let type = header & 0x1F
                if header & 0x80 != 0 {
                    builder.begin(header: [first & 0xE0 | type])
                    isKey = isKey || type == keySlice
                } else {
                    // The rest of a unit whose begin is not here: a packet is missing.
                    guard let unit = builder.units.last, unit.header.first.map({ $0 & 0x1F }) == type else {
                        throw TruncatedError()
                    }
                }
                builder.add(packet: index, reader.offset..<payload.byteCount)
            default: throw TruncatedError()
            }
        }
        // Our frames have their sets in the configuration.
        func take(_ range: Range<Int>, packet: Int, _ header: UInt8) {
            switch header & 0x1F {
            case sequenceSet, pictureSet: learn(packets[packet].payload.bytes.extracting(range), &sets)
            case accessUnitDelimiter, filler: break
            default:
                isKey = isKey || header & 0x1F == keySlice
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
        let sequence = sets.all(sequenceSet)
        // Nothing can be decoded before the sets are there, so such a key frame is none.
        let isKey = isKey && !sequence.isEmpty && !sets.all(pictureSet).isEmpty
        var frame = AssembledFrame(payload: builder.lengthPrefixed(), isKey: isKey)
        if isKey, let first = sequence.first, let set = try? AVCSequenceParameterSet(first.span.bytes) {
            frame.size = .init(width: set.width, height: set.height)
        }
        frame.configuration = sets.changed { sets in
            AVC.configuration(sequence: sets.all(sequenceSet), picture: sets.all(pictureSet))
        }
        return frame
    }

    static func packetize(
        _ frame: EncodedFrame, format: VideoFormat, sizeMax: Int, mode: Packetizer.H264Mode
    ) throws(RTPError) -> PacketizedFrame {
        var units: [NALUnit] = []
        let parameters = try frame.payload.withUnsafeBytes { bytes throws(RTPError) -> [UInt8] in
            try NALUnit.append(bytes.bytes, isParameters: false, headerCount: 1, to: &units)
            let hasOwn = units.contains { bytes[$0.range.lowerBound] & 0x1F == sequenceSet }
            guard frame.isKey, !hasOwn else { return [] }
            return AVC.parameterSets(configuration: format.configuration) ?? []
        }
        var sets: [NALUnit] = []
        try NALUnit.append(parameters.span.bytes, isParameters: true, headerCount: 1, to: &sets)
        units = sets + units
        var result = PacketizedFrame(payload: frame.payload, isKey: frame.isKey, parameters: parameters)
        var index = 0
        while index < units.count {
            let fitting = mode == .singleNAL ? 1 : result.aggregable(units[index...], headerCount: 1, sizeMax: sizeMax)
            let unit = units[index]
            let header = result.byte(unit, 0)
            if fitting > 1 {
                let group = units[index..<(index + fitting)]
                // The highest importance of what is inside (section 5.7.1).
                let importance = group.reduce(UInt8(0)) { max($0, result.byte($1, 0) & 0x60) }
                result.aggregate(group, header: [importance | aggregate])
            } else if unit.range.count <= sizeMax {
                result.single(unit)
            } else {
                guard mode == .nonInterleaved else { throw .malformedPayload }
                result.cut(
                    (unit.range.lowerBound + 1)..<unit.range.upperBound, sizeMax: sizeMax, prefixCount: 2,
                    isParameters: unit.isParameters
                ) { piece, isFirst, isLast in
                    piece.add(header & 0xE0 | fragment)
                    piece.add(header & 0x1F | (isFirst ? 0x80 : 0) | (isLast ? 0x40 : 0))
                }
            }
            index += fitting
        }
        return result
    }
}

extension PacketizedFrame {
    func byte(_ unit: NALUnit, _ offset: Int) -> UInt8 {
        let index = unit.range.lowerBound + offset
        return unit.isParameters ? parameters[index] : payload.withUnsafeBytes { $0[index] }
    }

    /// How many of the units fit one aggregation packet; at least 1, which may be too long itself.
    func aggregable(_ units: ArraySlice<NALUnit>, headerCount: Int, sizeMax: Int) -> Int {
        var size = headerCount
        var count = 0
        for unit in units {
            size += 2 + unit.range.count
            if size > sizeMax { break }
            count += 1
        }
        return max(1, count)
    }

    /// One packet of several units. The lower half of a unit's four-byte length is the two-byte one of the aggregate.
    mutating func aggregate(_ units: ArraySlice<NALUnit>, header: [UInt8]) {
        for unit in units {
            var piece = PacketPiece((unit.range.lowerBound - 2)..<unit.range.upperBound)
            piece.isParameters = unit.isParameters
            if unit.range == units.first?.range, unit.isParameters == units.first?.isParameters {
                for byte in header { piece.add(byte) }
            }
            pieces.append(piece)
        }
        endSlice()
    }

    mutating func single(_ unit: NALUnit) {
        var piece = PacketPiece(unit.range)
        piece.isParameters = unit.isParameters
        pieces.append(piece)
        endSlice()
    }
}
