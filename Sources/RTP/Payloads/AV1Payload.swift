import Core

/// RTP Payload Format For AV1, version 1.0. Inside Tessera a frame is a temporal unit in the low-overhead format: OBUs
/// with size fields, without temporal delimiters.
enum AV1Payload {
    /// OBU types (AV1 bitstream specification, section 6.2.2).
    private static let sequenceHeader: UInt8 = 1
    private static let temporalDelimiter: UInt8 = 2
    private static let tileList: UInt8 = 8
    private static let padding: UInt8 = 15

    /// Not sent over RTP (section 5), and of no use to a decoder.
    private static func isLeftOut(_ type: UInt8) -> Bool {
        type == temporalDelimiter || type == tileList || type == padding
    }

    static func info(_ payload: RawSpan, marker: Bool) throws(TruncatedError) -> PayloadInfo {
        var reader = ByteReader(payload)
        let header = try reader.u8()
        guard !reader.isAtEnd else { throw TruncatedError() }
        // Z: goes on with an OBU of the packet before. N: first packet of a coded video sequence.
        let continues = header & 0x80 != 0
        guard !(continues && header & 0x08 != 0) else { throw TruncatedError() }
        var info = PayloadInfo(start: continues ? .no : .possible, isEnd: marker, media: 1..<payload.byteCount)
        info.isKey = header & 0x08 != 0
        // An extension of the first OBU tells its layers.
        if !continues, let element = try elementRange(&reader, isLast: header >> 4 & 3 == 1), element.count >= 2 {
            var unit = ByteReader(payload.extracting(element))
            if try unit.u8() & 0x04 != 0 {
                let layers = try unit.u8()
                info.temporalLayer = layers >> 5
                info.spatialLayer = layers >> 3 & 3
            }
        }
        return info
    }

    /// The next OBU element: its length comes first, but for the last one where they are counted.
    private static func elementRange(_ reader: inout ByteReader, isLast: Bool) throws(TruncatedError) -> Range<Int>? {
        guard !reader.isAtEnd else { return nil }
        let count = isLast ? reader.remaining : try leb128(&reader)
        try reader.skip(count)
        return (reader.offset - count)..<reader.offset
    }

    /// leb128(), at most 32 bits (AV1 bitstream specification, section 4.10.5).
    static func leb128(_ reader: inout ByteReader) throws(TruncatedError) -> Int {
        var value = 0
        for place in 0..<8 {
            let byte = try reader.u8()
            value |= Int(byte & 0x7F) << (7 * place)
            if byte & 0x80 == 0 {
                guard value <= UInt32.max else { break }
                return value
            }
        }
        throw TruncatedError()
    }

    static func leb128(_ value: Int, _ body: (UInt8) -> Void) {
        var value = value
        while value >= 0x80 {
            body(UInt8(value & 0x7F) | 0x80)
            value >>= 7
        }
        body(UInt8(value))
    }

    static func leb128Count(_ value: Int) -> Int {
        var count = 1
        var value = value >> 7
        while value > 0 {
            count += 1
            value >>= 7
        }
        return count
    }

    // MARK: putting together

    static func assemble(_ packets: [FramePacket]) throws(TruncatedError) -> AssembledFrame {
        var builder = FrameBuilder(packets)
        var goesOn = false
        for (index, packet) in packets.enumerated() {
            var reader = ByteReader(packet.payload.bytes)
            let header = try reader.u8()
            // Y of a packet and Z of the next say the same; where they do not, one is missing.
            guard (header & 0x80 != 0) == goesOn else { throw TruncatedError() }
            let count = Int(header >> 4 & 3)
            var element = 0
            while !reader.isAtEnd {
                element += 1
                guard let range = try elementRange(&reader, isLast: element == count) else { break }
                if element > 1 || !goesOn { builder.begin() }
                builder.add(packet: index, range)
            }
            guard element >= max(1, count) else { throw TruncatedError() }
            goesOn = header & 0x40 != 0
        }
        guard !goesOn, !builder.isOverfull else { throw TruncatedError() }
        return try finish(builder)
    }

    /// Where the parts of an OBU lie: its header, its size field if it has one, and what follows.
    private struct Unit {
        var header: UInt8
        var layers: UInt8?
        /// Header and size field.
        var skipped: Int
        var count: Int
        var type: UInt8 { header >> 3 & 0x0F }

        /// `head` is the begin of an OBU of `total` bytes. The OBU may be shorter if it has a size field.
        init(_ head: [UInt8], total: Int) throws(TruncatedError) {
            var reader = ByteReader(head.span.bytes)
            header = try reader.u8()
            guard header & 0x80 == 0 else { throw TruncatedError() }
            layers = header & 0x04 != 0 ? try reader.u8() : nil
            let size = header & 0x02 != 0 ? try AV1Payload.leb128(&reader) : nil
            skipped = reader.offset
            count = size ?? total - skipped
            guard count <= total - skipped else { throw TruncatedError() }
        }

        /// Bytes in the low-overhead format.
        var written: Int { 1 + (layers == nil ? 0 : 1) + leb128Count(count) + count }
    }

    private static func finish(_ builder: FrameBuilder) throws(TruncatedError) -> AssembledFrame {
        var units: [(unit: Unit, source: FrameBuilder.Unit)] = []
        var size: AssembledFrame.PictureSize?
        for source in builder.units where source.count > 0 {
            let unit = try Unit(builder.head(source, count: 10), total: source.count)
            if isLeftOut(unit.type) { continue }
            if unit.type == sequenceHeader {
                let head = builder.head(source, count: unit.skipped + 64)
                size = try? sequenceSize(head.span.bytes.extracting(unit.skipped..<head.count))
            }
            units.append((unit, source))
        }
        guard !units.isEmpty else { throw TruncatedError() }
        let payload = Payload(count: units.reduce(0) { $0 + $1.unit.written }) { out in
            var writer = FixedWriter(out)
            for (unit, source) in units {
                writer.u8(unit.header | 0x02)
                if let layers = unit.layers { writer.u8(layers) }
                leb128(unit.count) { writer.u8($0) }
                builder.write(source, skipping: unit.skipped, count: unit.count, to: &writer)
            }
        }
        // A sequence header comes with the frames decoding may start at, and nowhere else in real-time streams.
        let isKey = size != nil
        return AssembledFrame(payload: payload, isKey: isKey, size: size)
    }

    /// The largest size of a sequence header OBU's payload (AV1 bitstream specification, section 5.5.1).
    static func sequenceSize(_ bytes: RawSpan) throws(TruncatedError) -> AssembledFrame.PictureSize {
        var reader = BitReader(bytes)
        try reader.skip(4)
        if try reader.bit() {
            // A reduced still picture header has only the level here.
            try reader.skip(5)
        } else {
            try skipOperatingPoints(&reader)
        }
        let widthBits = Int(try reader.bits(4)) + 1
        let heightBits = Int(try reader.bits(4)) + 1
        return .init(width: Int(try reader.bits(widthBits)) + 1, height: Int(try reader.bits(heightBits)) + 1)
    }

    private static func skipOperatingPoints(_ reader: inout BitReader) throws(TruncatedError) {
        var hasModel = false
        var delayBits = 0
        if try reader.bit() {
            // Timing info: two 32-bit numbers, and perhaps one of variable length.
            try reader.skip(64)
            if try reader.bit() { _ = try reader.exponential() }
            hasModel = try reader.bit()
            if hasModel {
                delayBits = Int(try reader.bits(5)) + 1
                try reader.skip(32 + 10)
            }
        }
        let hasDelays = try reader.bit()
        for _ in 0...(try reader.bits(5)) {
            try reader.skip(12)
            // Levels above 3.3 have a tier.
            if try reader.bits(5) > 7 { try reader.skip(1) }
            if hasModel, try reader.bit() { try reader.skip(2 * delayBits + 1) }
            if hasDelays, try reader.bit() { try reader.skip(4) }
        }
    }

    // MARK: cutting

    /// An OBU of a frame, without size field, as it goes into packets.
    private struct Element {
        var header: UInt8
        var layers: UInt8?
        var isParameters: Bool
        /// Behind header and size field.
        var body: Range<Int>
        var headerCount: Int { layers == nil ? 1 : 2 }
        var count: Int { headerCount + body.count }
    }

    private static func elements(_ bytes: RawSpan, isParameters: Bool) throws(RTPError) -> [Element] {
        var reader = ByteReader(bytes)
        var elements: [Element] = []
        do {
            while !reader.isAtEnd {
                let header = try reader.u8()
                guard header & 0x80 == 0 else { throw TruncatedError() }
                let layers = header & 0x04 != 0 ? try reader.u8() : nil
                let count = header & 0x02 != 0 ? try leb128(&reader) : reader.remaining
                let start = reader.offset
                try reader.skip(count)
                if isLeftOut(header >> 3 & 0x0F) { continue }
                elements.append(
                    Element(
                        header: header & ~0x02, layers: layers, isParameters: isParameters,
                        body: start..<(start + count)))
            }
        } catch {
            throw .malformedPayload
        }
        return elements
    }

    static func packetize(_ frame: EncodedFrame, format: VideoFormat, sizeMax: Int) throws(RTPError) -> PacketizedFrame
    {
        var elements = try frame.payload.withUnsafeBytes { bytes throws(RTPError) -> [Element] in
            try Self.elements(bytes.bytes, isParameters: false)
        }
        guard !elements.isEmpty else { throw .malformedPayload }
        var parameters: [UInt8] = []
        let hasOwn = elements.contains { $0.header >> 3 & 0x0F == sequenceHeader }
        // av1C: four bytes, then the OBUs that go in front of a key frame.
        if frame.isKey, !hasOwn, format.configuration.count > 4, format.configuration[0] == 0x81 {
            parameters = Array(format.configuration.dropFirst(4))
            elements = try Self.elements(parameters.span.bytes, isParameters: true) + elements
        }
        var result = PacketizedFrame(payload: frame.payload, isKey: frame.isKey, parameters: parameters)
        var index = 0
        var from = 0
        while index < elements.count {
            let isContinued = from > 0
            let fragments = fill(elements, &index, &from, sizeMax: sizeMax)
            result.append(
                fragments, isContinued: isContinued, goesOn: from > 0, isFirst: result.slices.isEmpty && frame.isKey)
        }
        return result

        /// What of the elements goes into one packet.
        func fill(_ elements: [Element], _ index: inout Int, _ from: inout Int, sizeMax: Int) -> [Fragment] {
            var room = sizeMax - 1
            var fragments: [Fragment] = []
            // With less room than this a begin is not worth its length field.
            while index < elements.count, room >= (fragments.isEmpty ? 0 : 16) {
                let element = elements[index]
                let rest = element.count - from
                // A length of up to `room` takes no more bytes than that of `room`.
                let most = room - leb128Count(min(rest, room))
                let count = min(rest, most)
                let lower = element.body.lowerBound + max(0, from - element.headerCount)
                let upper = element.body.lowerBound + from + count - element.headerCount
                fragments.append(
                    Fragment(
                        header: from == 0 ? element.header : nil, layers: from == 0 ? element.layers : nil,
                        isParameters: element.isParameters, count: count, body: lower..<upper))
                room -= leb128Count(count) + count
                from += count
                guard from == element.count else { break }
                from = 0
                index += 1
            }
            return fragments
        }
    }

    /// A part of an element in one packet. `from` is never inside the header, as a packet has room for it.
    struct Fragment {
        var header: UInt8?
        var layers: UInt8?
        var isParameters: Bool
        var count: Int
        var body: Range<Int>
    }
}

extension PacketizedFrame {
    /// One packet: the aggregation header (section 4.4), then the fragments; up to three are counted, so that the last
    /// needs no length.
    fileprivate mutating func append(
        _ fragments: [AV1Payload.Fragment], isContinued: Bool, goesOn: Bool, isFirst: Bool
    ) {
        let counted = fragments.count <= 3 ? UInt8(fragments.count) : 0
        for (index, fragment) in fragments.enumerated() {
            var piece = PacketPiece(fragment.body)
            piece.isParameters = fragment.isParameters
            if index == 0 {
                piece.add((isContinued ? 0x80 : 0) | (goesOn ? 0x40 : 0) | counted << 4 | (isFirst ? 0x08 : 0))
            }
            if counted == 0 || index < fragments.count - 1 {
                AV1Payload.leb128(fragment.count) { piece.add($0) }
            }
            if let header = fragment.header { piece.add(header) }
            if let layers = fragment.layers { piece.add(layers) }
            pieces.append(piece)
        }
        endSlice()
    }
}
