import Core

/// Takes an input apart: numbers that steer a body, and blocks of bytes for it. Ends with zeros and empty blocks.
struct FuzzChoices: ~Escapable {
    private var reader: ByteReader

    @_lifetime(copy bytes)
    init(_ bytes: RawSpan) { reader = ByteReader(bytes) }

    var isAtEnd: Bool { reader.isAtEnd }

    mutating func byte() -> UInt8 { (try? reader.u8()) ?? 0 }
    mutating func word() -> UInt16 { UInt16(byte()) << 8 | UInt16(byte()) }

    /// A block with its length, of two bytes, before it; what is left if that is less.
    mutating func block() -> [UInt8] {
        let count = min(Int(word()), reader.remaining)
        return (try? reader.bytes(count)) ?? []
    }

    mutating func rest() -> [UInt8] { reader.rest() }
}
