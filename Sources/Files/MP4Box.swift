/// A box of an MP4 file (ISO/IEC 14496-12, 4.2) inside a byte array. Ranges are indices of that array.
struct MP4Box: Hashable {
    /// Four ASCII letters, big-endian.
    let type: UInt32
    /// Header and body.
    let range: Range<Int>
    let body: Range<Int>

    static func code(_ name: StaticString) -> UInt32 {
        precondition(name.utf8CodeUnitCount == 4, "a box type has four letters")
        return name.withUTF8Buffer { $0.reduce(0) { $0 << 8 | UInt32($1) } }
    }

    func `is`(_ name: StaticString) -> Bool { type == MP4Box.code(name) }

    /// The boxes that fill `range` of `bytes`. Throws if one does not fit, so a caller never meets a bad range.
    /// Size 0 (to the end) is taken as such, size 1 has 64 bits behind it; up to seven bytes at the end that are too
    /// few for a header are padding.
    static func children(_ bytes: [UInt8], in range: Range<Int>) throws(MP4Error) -> [MP4Box] {
        var boxes: [MP4Box] = []
        var offset = range.lowerBound
        while range.upperBound - offset >= 8 {
            var reader = MP4Reader(bytes, offset..<range.upperBound)
            var size = UInt64(try reader.u32())
            let type = try reader.u32()
            if size == 1 { size = try reader.u64() }
            if size == 0 { size = UInt64(range.upperBound - offset) }
            guard size >= UInt64(reader.offset - offset), size <= UInt64(range.upperBound - offset) else {
                throw MP4Error("a box is larger than what holds it")
            }
            let end = offset + Int(size)
            boxes.append(MP4Box(type: type, range: offset..<end, body: reader.offset..<end))
            offset = end
        }
        return boxes
    }

    /// The first child of a type; throws if there is none.
    static func child(_ name: StaticString, _ bytes: [UInt8], in range: Range<Int>) throws(MP4Error) -> MP4Box {
        guard let box = try children(bytes, in: range).first(where: { $0.is(name) }) else {
            throw MP4Error("it has no “\(name)” box where one belongs")
        }
        return box
    }
}

/// Why boxes cannot be understood, as the end of a sentence.
struct MP4Error: Error, Hashable {
    let reason: String
    init(_ reason: String) { self.reason = reason }
}

/// A checked cursor over big-endian bytes.
struct MP4Reader {
    private let bytes: [UInt8]
    private let end: Int
    private(set) var offset: Int

    /// `range` lies within `bytes`.
    init(_ bytes: [UInt8], _ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "a box lies within its bytes")
        self.bytes = bytes
        offset = range.lowerBound
        end = range.upperBound
    }

    var remaining: Int { end - offset }

    private mutating func take(_ count: Int) throws(MP4Error) -> UInt64 {
        guard count <= remaining else { throw MP4Error("a box ends too early") }
        var value: UInt64 = 0
        for index in offset..<(offset + count) { value = value << 8 | UInt64(bytes[index]) }
        offset += count
        return value
    }

    mutating func u8() throws(MP4Error) -> UInt8 { UInt8(try take(1)) }
    mutating func u32() throws(MP4Error) -> UInt32 { UInt32(try take(4)) }
    mutating func u64() throws(MP4Error) -> UInt64 { try take(8) }
    mutating func i32() throws(MP4Error) -> Int32 { Int32(bitPattern: try u32()) }
    mutating func i64() throws(MP4Error) -> Int64 { Int64(bitPattern: try u64()) }
    /// Version and flags of a full box.
    mutating func versionAndFlags() throws(MP4Error) -> (version: UInt8, flags: UInt32) {
        let word = try u32()
        return (UInt8(word >> 24), word & 0xFF_FFFF)
    }
    mutating func skip(_ count: Int) throws(MP4Error) {
        guard count <= remaining else { throw MP4Error("a box ends too early") }
        offset += count
    }
}

/// Writes boxes into an array.
struct MP4Writer {
    private(set) var bytes: [UInt8] = []

    mutating func u8(_ value: UInt8) { bytes.append(value) }
    mutating func u16(_ value: UInt16) {
        for shift in [8, 0] { bytes.append(UInt8(truncatingIfNeeded: value >> UInt16(shift))) }
    }
    mutating func u32(_ value: UInt32) {
        for shift in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: value >> UInt32(shift))) }
    }
    mutating func u64(_ value: UInt64) {
        u32(UInt32(value >> 32))
        u32(UInt32(truncatingIfNeeded: value))
    }
    mutating func raw(_ more: some Sequence<UInt8>) { bytes.append(contentsOf: more) }

    /// A box around what `body` writes. Bodies stay below 4 GiB: only `mdat` grows larger, and it is not made here.
    mutating func box<Failure: Error>(
        _ type: UInt32, _ body: (inout MP4Writer) throws(Failure) -> Void
    ) throws(Failure) {
        let start = bytes.count
        u32(0)
        u32(type)
        try body(&self)
        var size = MP4Writer()
        size.u32(UInt32(bytes.count - start))
        bytes.replaceSubrange(start..<(start + 4), with: size.bytes)
    }

    mutating func fullBox(
        _ name: StaticString, version: UInt8 = 0, flags: UInt32 = 0, _ body: (inout MP4Writer) -> Void
    ) {
        box(MP4Box.code(name)) { writer in
            writer.u32(UInt32(version) << 24 | flags)
            body(&writer)
        }
    }
}
