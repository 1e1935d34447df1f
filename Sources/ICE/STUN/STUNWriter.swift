package import Core

/// Builds one STUN message: attributes in the order in which they are added, integrity and fingerprint last.
package struct STUNWriter: Sendable {
    private var writer = ByteWriter(capacity: 160)
    private let id: STUNTransactionID
    /// Fills attributes up to a multiple of four bytes (any value is allowed: RFC 8489, section 14).
    package var padding: UInt8 = 0

    package init(_ kind: STUNClass, _ method: STUNMethod, _ id: STUNTransactionID) {
        self.id = id
        let m = method.rawValue
        let c = kind.rawValue
        writer.u16(m & 0xF | (m & 0x70) << 1 | (m & 0xF80) << 2 | (c & 1) << 4 | (c & 2) << 7)
        writer.u16(0)
        writer.u32(STUNMessage.cookie)
        writer.u32(id.high)
        writer.u64(id.low)
    }

    /// The message so far.
    package var bytes: [UInt8] { writer.bytes }

    private mutating func begin(_ attribute: STUNAttribute, _ count: Int) {
        writer.u16(attribute.rawValue)
        writer.u16(UInt16(truncatingIfNeeded: count))
        setCount(writer.count - STUNMessage.headerCount + (count + 3) & ~3)
    }

    private mutating func setCount(_ count: Int) { writer.patch(u16: UInt16(truncatingIfNeeded: count), at: 2) }

    /// A value of at most 65 000 bytes.
    package mutating func add(_ attribute: STUNAttribute, _ value: [UInt8]) {
        begin(attribute, value.count)
        writer.append(value)
        writer.pad(to: 4, with: padding)
    }
    package mutating func add(_ attribute: STUNAttribute, _ text: String) { add(attribute, Array(text.utf8)) }
    package mutating func addFlag(_ attribute: STUNAttribute) { begin(attribute, 0) }
    package mutating func add(_ attribute: STUNAttribute, u32 value: UInt32) {
        begin(attribute, 4)
        writer.u32(value)
    }
    package mutating func add(_ attribute: STUNAttribute, u64 value: UInt64) {
        begin(attribute, 8)
        writer.u64(value)
    }
    /// The header of DATA; `count` bytes and zeros up to a multiple of four are to follow the message.
    mutating func addDataHeader(_ count: Int) { begin(.data, count) }

    package mutating func addAddress(_ attribute: STUNAttribute, _ address: SocketAddress) {
        let isXOR = attribute != .mappedAddress && attribute != .alternateServer
        begin(attribute, address.ip.isV4 ? 8 : 20)
        writer.u8(0)
        writer.u8(address.ip.isV4 ? 1 : 2)
        writer.u16(address.port ^ (isXOR ? UInt16(STUNMessage.cookie >> 16) : 0))
        var mask = isXOR ? UInt64(STUNMessage.cookie) << 32 | UInt64(id.high) : 0
        for (index, byte) in address.ip.bytes.enumerated() {
            if index == 8 { mask = isXOR ? id.low : 0 }
            writer.u8(byte ^ UInt8(truncatingIfNeeded: mask >> UInt64(56 - 8 * (index & 7))))
        }
    }

    package mutating func addError(_ code: Int, _ reason: String) {
        let text = Array(reason.utf8)
        begin(.errorCode, 4 + text.count)
        writer.u16(0)
        writer.u8(UInt8(truncatingIfNeeded: code / 100))
        writer.u8(UInt8(truncatingIfNeeded: code % 100))
        writer.append(text)
        writer.pad(to: 4, with: padding)
    }

    package mutating func addUnknownAttributes(_ types: [UInt16]) {
        add(.unknownAttributes, types.flatMap { [UInt8($0 >> 8), UInt8(truncatingIfNeeded: $0)] })
    }

    package mutating func addIntegrity(_ key: STUNKey) {
        var hmac = key.sha1
        let end = writer.count + 24
        writer.bytes.withUnsafeBytes { STUNMessage.take($0, upTo: $0.count, end: end, into: &hmac) }
        add(.messageIntegrity, hmac.finish().bytes)
    }

    package mutating func addIntegritySHA256(_ key: STUNKey) {
        var hmac = HMAC<SHA256>(key: key.bytes)
        let end = writer.count + 36
        writer.bytes.withUnsafeBytes { STUNMessage.take($0, upTo: $0.count, end: end, into: &hmac) }
        add(.messageIntegritySHA256, hmac.finish().bytes)
    }

    package mutating func addFingerprint() {
        setCount(writer.count + 8 - STUNMessage.headerCount)
        add(.fingerprint, u32: writer.bytes.withUnsafeBytes { CRC32.update(0, $0) } ^ 0x5354_554E)
    }

    /// The whole message, protected if there is a key.
    package consuming func finish(_ key: STUNKey? = nil, fingerprint: Bool = true) -> [UInt8] {
        if let key { addIntegrity(key) }
        if fingerprint { addFingerprint() }
        return writer.bytes
    }
}
