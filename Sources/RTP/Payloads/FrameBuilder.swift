import Core

/// The units of a frame (NAL units, OBUs) as they lie in pieces in its packets. First all pieces are noted, then the
/// frame is written at once into memory of the right size.
struct FrameBuilder {
    struct Piece {
        var packet: Int
        var range: Range<Int>
    }
    struct Unit {
        /// Bytes of a header that fragments carry in another form; at most two.
        var header: [UInt8] = []
        var pieces: Range<Int>
        /// Header and pieces.
        var count: Int
    }
    /// Units of one frame; slices, tiles and what goes with them are some dozen in real ones. A megabyte of empty units
    /// must not become a hundred of bookkeeping.
    static let unitCountMax = 1024

    let packets: [FramePacket]
    /// More units came than are taken: the frame is malformed.
    private(set) var isOverfull = false
    private(set) var pieces: [Piece] = []
    private(set) var units: [Unit] = []

    init(_ packets: [FramePacket]) {
        self.packets = packets
        pieces.reserveCapacity(packets.count)
    }

    mutating func begin(header: [UInt8] = []) {
        guard units.count < FrameBuilder.unitCountMax else {
            isOverfull = true
            return
        }
        units.append(Unit(header: header, pieces: pieces.count..<pieces.count, count: header.count))
    }

    /// Adds a piece to the last unit.
    mutating func add(packet: Int, _ range: Range<Int>) {
        guard !isOverfull, let last = units.indices.last else { return }
        pieces.append(Piece(packet: packet, range: range))
        units[last].pieces = units[last].pieces.lowerBound..<pieces.count
        units[last].count += range.count
    }

    /// The first bytes of a unit, at most `count`.
    func head(_ unit: Unit, count: Int) -> [UInt8] {
        var out = Array(unit.header.prefix(count))
        for piece in pieces[unit.pieces] where out.count < count {
            let bytes = packets[piece.packet].payload[piece.range]
            out.append(contentsOf: bytes.prefix(count - out.count))
        }
        return out
    }

    /// Writes `count` bytes of a unit's pieces, after the first `skipped` ones.
    func write(_ unit: Unit, skipping skipped: Int = 0, count: Int, to writer: inout FixedWriter) {
        var skipped = skipped
        var left = count
        for piece in pieces[unit.pieces] where left > 0 {
            let drop = min(skipped, piece.range.count)
            skipped -= drop
            let range =
                (piece.range.lowerBound + drop)..<min(piece.range.upperBound, piece.range.lowerBound + drop + left)
            left -= range.count
            writer.append(UnsafeRawBufferPointer(rebasing: packets[piece.packet].payload[range]))
        }
    }

    /// All units as NAL units with four-byte length prefixes.
    func lengthPrefixed() -> Payload {
        Payload(count: units.reduce(0) { $0 + 4 + $1.count }) { out in
            var writer = FixedWriter(out)
            for unit in units {
                writer.u32(UInt32(unit.count))
                writer.append(unit.header)
                write(unit, count: unit.count, to: &writer)
            }
        }
    }
}

/// A NAL unit in a frame, or in the parameter sets that go in front of it.
struct NALUnit {
    var isParameters: Bool
    /// Without its length prefix.
    var range: Range<Int>

    /// Appends the units of length-prefixed bytes. Throws on lengths that do not fit and on units shorter than
    /// `headerCount`.
    static func append(
        _ bytes: RawSpan, isParameters: Bool, headerCount: Int, to units: inout [NALUnit]
    ) throws(RTPError) {
        var reader = ByteReader(bytes)
        do {
            while !reader.isAtEnd {
                let count = Int(try reader.u32())
                guard count >= headerCount else { throw TruncatedError() }
                units.append(NALUnit(isParameters: isParameters, range: reader.offset..<(reader.offset + count)))
                try reader.skip(count)
            }
        } catch {
            throw .malformedPayload
        }
    }
}
