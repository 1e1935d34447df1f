// Cutting text by bytes: characters may be clusters, and CRLF is one.
extension Substring {
    /// Parts between spaces and tabs, without empty ones.
    var words: [Substring] { utf8.split { $0 == 0x20 || $0 == 0x09 }.map { Substring($0) } }

    /// Parts between `separator`, which is ASCII; empty ones are kept.
    func fields(of separator: Unicode.Scalar) -> [Substring] {
        let byte = UInt8(truncatingIfNeeded: separator.value)
        return utf8.split(separator: byte, omittingEmptySubsequences: false).map { Substring($0) }
    }

    /// What is before and after the first `separator`, which is ASCII; nil after it where there is none.
    func halves(at separator: Unicode.Scalar) -> (Substring, Substring?) {
        let byte = UInt8(truncatingIfNeeded: separator.value)
        guard let index = utf8.firstIndex(of: byte) else { return (self, nil) }
        return (Substring(utf8[..<index]), Substring(utf8[utf8.index(after: index)...]))
    }

    /// Without spaces and tabs at both ends.
    var trimmed: Substring {
        let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
        guard let first = utf8.firstIndex(where: { !isBlank($0) }),
            let last = utf8.lastIndex(where: { !isBlank($0) })
        else { return "" }
        return Substring(utf8[first...last])
    }

    /// Without its first `count` bytes, which are ASCII or whole characters.
    func dropBytes(_ count: Int) -> Substring { Substring(utf8.dropFirst(count)) }

    /// A number of decimal digits only: no sign, no blanks.
    func decimal<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) -> Value? {
        utf8.allSatisfy { (0x30...0x39).contains($0) } ? Value(self) : nil
    }
}

extension String {
    var words: [Substring] { self[...].words }
    func fields(of separator: Unicode.Scalar) -> [Substring] { self[...].fields(of: separator) }
    func halves(at separator: Unicode.Scalar) -> (Substring, Substring?) { self[...].halves(at: separator) }
    var trimmed: Substring { self[...].trimmed }

    /// Whether two names are the same without regard to the case of ASCII letters.
    func isSame(as other: String) -> Bool {
        guard utf8.count == other.utf8.count else { return false }
        let lower = { (byte: UInt8) in (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }
        return zip(utf8, other.utf8).allSatisfy { lower($0) == lower($1) }
    }
}
