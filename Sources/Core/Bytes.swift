/// Input ended before a field did. Every parser of the house maps it to an error of its own, or drops and counts.
package struct TruncatedError: Error, Hashable, Sendable { package init() {} }

/// Reads big-endian fields, one after the other, from bytes that somebody else owns. Every read is checked: bytes from
/// outside never trap.
package struct ByteReader: ~Escapable {
    private let span: RawSpan
    /// Bytes read so far.
    package private(set) var offset = 0

    @_lifetime(copy span)
    package init(_ span: RawSpan) { self.span = span }

    package var remaining: Int { span.byteCount - offset }
    package var isAtEnd: Bool { remaining == 0 }

    package mutating func u8() throws(TruncatedError) -> UInt8 { try load() }
    package mutating func u16() throws(TruncatedError) -> UInt16 { UInt16(bigEndian: try load()) }
    package mutating func u32() throws(TruncatedError) -> UInt32 { UInt32(bigEndian: try load()) }
    package mutating func u64() throws(TruncatedError) -> UInt64 { UInt64(bigEndian: try load()) }
    package mutating func u24() throws(TruncatedError) -> UInt32 {
        guard remaining >= 3 else { throw TruncatedError() }
        return UInt32(try u8()) << 16 | UInt32(try u16())
    }

    private mutating func load<Value: BitwiseCopyable>() throws(TruncatedError) -> Value {
        let size = MemoryLayout<Value>.size
        guard remaining >= size else { throw TruncatedError() }
        defer { offset += size }
        return span.unsafeLoadUnaligned(fromByteOffset: offset, as: Value.self)
    }

    /// The byte `ahead` places on, without moving.
    package func peek(_ ahead: Int = 0) throws(TruncatedError) -> UInt8 {
        guard ahead >= 0, ahead < remaining else { throw TruncatedError() }
        return span.unsafeLoadUnaligned(fromByteOffset: offset + ahead, as: UInt8.self)
    }

    package mutating func skip(_ count: Int) throws(TruncatedError) {
        guard count >= 0, remaining >= count else { throw TruncatedError() }
        offset += count
    }

    /// The next `count` bytes in place.
    @_lifetime(copy self)
    package mutating func span(_ count: Int) throws(TruncatedError) -> RawSpan {
        try skip(count)
        return span.extracting((offset - count)..<offset)
    }

    /// A copy of the next `count` bytes.
    package mutating func bytes(_ count: Int) throws(TruncatedError) -> [UInt8] {
        try span(count).withUnsafeBytes { [UInt8]($0) }
    }

    /// A copy of all that is left.
    package mutating func rest() -> [UInt8] { (try? bytes(remaining)) ?? [] }
}

/// Writes big-endian fields into a growing array.
package struct ByteWriter: Sendable {
    package private(set) var bytes: [UInt8] = []

    package init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    package var count: Int { bytes.count }

    package mutating func u8(_ value: UInt8) { bytes.append(value) }
    package mutating func u16(_ value: UInt16) {
        bytes.append(UInt8(value >> 8))
        bytes.append(UInt8(truncatingIfNeeded: value))
    }
    package mutating func u24(_ value: UInt32) {
        bytes.append(UInt8(truncatingIfNeeded: value >> 16))
        u16(UInt16(truncatingIfNeeded: value))
    }
    package mutating func u32(_ value: UInt32) {
        u16(UInt16(value >> 16))
        u16(UInt16(truncatingIfNeeded: value))
    }
    package mutating func u64(_ value: UInt64) {
        u32(UInt32(value >> 32))
        u32(UInt32(truncatingIfNeeded: value))
    }
    package mutating func append(_ more: some Sequence<UInt8>) { bytes.append(contentsOf: more) }
    /// Zero bytes until the length is a multiple of `size`.
    package mutating func pad(to size: Int, with byte: UInt8 = 0) {
        while bytes.count % size != 0 { bytes.append(byte) }
    }
    /// Overwrites the 16-bit field at `offset`, for lengths known afterwards.
    package mutating func patch(u16 value: UInt16, at offset: Int) {
        bytes[offset] = UInt8(value >> 8)
        bytes[offset + 1] = UInt8(truncatingIfNeeded: value)
    }
}
