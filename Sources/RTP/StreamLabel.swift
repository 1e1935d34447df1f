package import Core

/// A short name of a stream as header extensions carry it: the mid of a media description (RFC 9143), the rid of a
/// simulcast layer (RFC 8852), a CNAME. 1 to 16 bytes, kept in place, so that reading and comparing one allocates nothing.
package struct StreamLabel: Hashable, Sendable, CustomStringConvertible {
    /// What the one-byte form of RFC 8285 can carry; longer names are not taken.
    package static let countMax = 16

    private var first: UInt64 = 0
    private var second: UInt64 = 0
    package private(set) var count: Int = 0

    /// Nil if there are no bytes or more than 16.
    package init?(_ bytes: RawSpan) {
        guard (1...StreamLabel.countMax).contains(bytes.byteCount) else { return nil }
        bytes.withUnsafeBytes { for byte in $0 { append(byte) } }
    }

    /// Nil if the text has no bytes or more than 16.
    package init?(_ text: some StringProtocol) {
        guard (1...StreamLabel.countMax).contains(text.utf8.count) else { return nil }
        for byte in text.utf8 { append(byte) }
    }

    private mutating func append(_ byte: UInt8) {
        if count < 8 { first |= UInt64(byte) << (56 - 8 * count) } else { second |= UInt64(byte) << (120 - 8 * count) }
        count += 1
    }

    private subscript(_ index: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: index < 8 ? first >> (56 - 8 * index) : second >> (120 - 8 * index))
    }

    package func write(to writer: inout FixedWriter) {
        for index in 0..<count { writer.u8(self[index]) }
    }

    /// The name as text.
    package var description: String { String(decoding: (0..<count).map { self[$0] }, as: UTF8.self) }
}
