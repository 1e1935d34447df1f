package import Core

/// A STUN or TURN message as it lies in its bytes: what ICE and TURN ask for is picked out in one pass, texts and data
/// are ranges of the bytes. No memory of its own unless there are attributes that nobody understands.
package struct STUNMessage: Sendable {
    package static let headerCount = 20
    package static let cookie: UInt32 = 0x2112_A442

    package let kind: STUNClass
    package let method: STUNMethod
    package let id: STUNTransactionID

    package private(set) var mappedAddress: SocketAddress?
    package private(set) var peerAddress: SocketAddress?
    package private(set) var relayedAddress: SocketAddress?
    package private(set) var alternateServer: SocketAddress?
    package private(set) var username: Range<Int>?
    package private(set) var realm: Range<Int>?
    package private(set) var nonce: Range<Int>?
    package private(set) var software: Range<Int>?
    package private(set) var data: Range<Int>?
    package private(set) var priority: UInt32?
    package private(set) var usesCandidate = false
    /// Tie-breakers.
    package private(set) var controlled: UInt64?
    package private(set) var controlling: UInt64?
    /// Seconds.
    package private(set) var lifetime: UInt32?
    package private(set) var channelNumber: UInt16?
    /// 17: UDP.
    package private(set) var requestedTransport: UInt8?
    /// 300–699.
    package private(set) var errorCode: Int?
    package private(set) var errorReason: Range<Int>?
    package private(set) var hasFingerprint = false
    /// Attributes that must be understood and are not: the answer is 420. At most eight are kept.
    package private(set) var unknownRequired: [UInt16] = []
    /// Where MESSAGE-INTEGRITY and its SHA-256 form begin; 0 without.
    private var integrityOffset = 0
    private var integrity256 = 0..<0

    /// Whether bytes look like STUN (RFC 8489, section 6.3): cheap, for sorting what shares a socket.
    package static func isSTUN(_ bytes: RawSpan) -> Bool {
        bytes.byteCount >= headerCount && bytes.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt8.self) < 4
            && UInt32(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: 4, as: UInt32.self)) == cookie
    }

    /// Parses a whole message. Throws on lengths that do not fit and on a FINGERPRINT that does not match.
    package init(_ bytes: RawSpan) throws(STUNError) {
        guard STUNMessage.isSTUN(bytes) else { throw .malformed }
        do {
            var reader = ByteReader(bytes)
            let type = try reader.u16()
            kind = STUNClass(rawValue: type >> 7 & 2 | type >> 4 & 1) ?? .request
            method = STUNMethod(rawValue: type & 0xF | type >> 1 & 0x70 | type >> 2 & 0xF80)
            let count = Int(try reader.u16())
            try reader.skip(4)
            id = STUNTransactionID(tag: try reader.u32(), try reader.u64())
            guard count & 3 == 0, reader.remaining == count else { throw TruncatedError() }
            while !reader.isAtEnd, !hasFingerprint { try readAttribute(&reader) }
            guard reader.isAtEnd else { throw TruncatedError() }
        } catch {
            throw .malformed
        }
        if hasFingerprint {
            let end = bytes.byteCount - 8
            let sum = bytes.extracting(0..<end).withUnsafeBytes { CRC32.update(0, $0) } ^ 0x5354_554E
            let told = UInt32(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: end + 4, as: UInt32.self))
            guard sum == told else { throw .wrongFingerprint }
        }
    }

    private mutating func readAttribute(_ reader: inout ByteReader) throws(TruncatedError) {
        let start = reader.offset
        let type = try reader.u16()
        let count = Int(try reader.u16())
        let value = reader.offset..<(reader.offset + count)
        guard reader.remaining >= (count + 3) & ~3 else { throw TruncatedError() }
        var inner = ByteReader(try reader.span(count))
        try reader.skip(-count & 3)
        guard let attribute = STUNAttribute(rawValue: type) else {
            if type < 0x8000, !isSealed, unknownRequired.count < 8 { unknownRequired.append(type) }
            return
        }
        switch attribute {
        case .fingerprint:
            guard count == 4 else { throw TruncatedError() }
            hasFingerprint = true
        case .messageIntegritySHA256:
            // Cut-off values have at least 16 bytes, a multiple of four.
            guard (16...32).contains(count), count & 3 == 0 else { throw TruncatedError() }
            if integrity256.isEmpty { integrity256 = value }
        // Whatever else follows the integrity is not protected by it, and so ignored (RFC 8489, section 14.5).
        case _ where isSealed: break
        case .messageIntegrity:
            guard count == 20 else { throw TruncatedError() }
            integrityOffset = start
        default: try read(attribute, value, &inner)
        }
    }

    private var isSealed: Bool { integrityOffset > 0 || !integrity256.isEmpty }

    private mutating func read(
        _ attribute: STUNAttribute, _ value: Range<Int>, _ reader: inout ByteReader
    ) throws(TruncatedError) {
        switch attribute {
        case .xorMappedAddress: mappedAddress = try address(&reader, isXOR: true)
        case .mappedAddress:
            let plain = try address(&reader, isXOR: false)
            if mappedAddress == nil { mappedAddress = plain }
        case .xorPeerAddress: if peerAddress == nil { peerAddress = try address(&reader, isXOR: true) }
        case .xorRelayedAddress: if relayedAddress == nil { relayedAddress = try address(&reader, isXOR: true) }
        case .alternateServer: alternateServer = try address(&reader, isXOR: false)
        case .username: username = username ?? value
        case .realm: realm = realm ?? value
        case .nonce: nonce = nonce ?? value
        case .software: software = software ?? value
        case .data: data = data ?? value
        case .priority: priority = try reader.u32()
        case .useCandidate: usesCandidate = true
        case .iceControlled: controlled = try reader.u64()
        case .iceControlling: controlling = try reader.u64()
        case .lifetime: lifetime = try reader.u32()
        case .channelNumber: channelNumber = try reader.u16()
        case .requestedTransport: requestedTransport = try reader.u8()
        case .errorCode:
            try reader.skip(2)
            errorCode = Int(try reader.u8() & 7) * 100 + Int(try reader.u8()) % 100
            errorReason = (value.lowerBound + 4)..<value.upperBound
        default: break
        }
    }

    private func address(_ reader: inout ByteReader, isXOR: Bool) throws(TruncatedError) -> SocketAddress? {
        try reader.skip(1)
        let family = try reader.u8()
        let port = try reader.u16() ^ (isXOR ? UInt16(STUNMessage.cookie >> 16) : 0)
        switch family {
        case 1: return SocketAddress(IPAddress(v4: try reader.u32() ^ (isXOR ? STUNMessage.cookie : 0)), port)
        case 2:
            let high = try reader.u64() ^ (isXOR ? UInt64(STUNMessage.cookie) << 32 | UInt64(id.high) : 0)
            let low = try reader.u64() ^ (isXOR ? id.low : 0)
            let ip = withUnsafeBytes(of: (high.bigEndian, low.bigEndian)) { IPAddress($0) }
            return ip.map { SocketAddress($0, port) }
        default: return nil
        }
    }

    /// Whether the message carries a MESSAGE-INTEGRITY of either kind.
    package var hasIntegrity: Bool { isSealed }

    /// Whether the message, which lies in `bytes`, was made by somebody who knows the key. Of two kinds the stronger
    /// counts. False without MESSAGE-INTEGRITY.
    package func isProtected(by key: STUNKey, in bytes: RawSpan) -> Bool {
        if !integrity256.isEmpty {
            var hmac = HMAC<SHA256>(key: key.bytes)
            let start = integrity256.lowerBound - 4
            // The length as it was when the sender made the sum: up to the end of the attribute.
            bytes.withUnsafeBytes { STUNMessage.take($0, upTo: start, end: integrity256.upperBound, into: &hmac) }
            let told = bytes.extracting(integrity256)
            let digest = hmac.finish()
            return told.withUnsafeBytes { digest.equals($0, count: $0.count) }
        }
        guard integrityOffset > 0, integrityOffset + 24 <= bytes.byteCount else { return false }
        var hmac = key.sha1
        let end = integrityOffset + 24
        bytes.withUnsafeBytes { STUNMessage.take($0, upTo: integrityOffset, end: end, into: &hmac) }
        let digest = hmac.finish()
        return bytes.extracting((integrityOffset + 4)..<end).withUnsafeBytes { digest.equals($0, count: 20) }
    }

    /// Takes in a message up to its integrity attribute, with the length that ends at `end`.
    static func take<Algorithm: BlockHash>(
        _ bytes: UnsafeRawBufferPointer, upTo start: Int, end: Int, into hmac: inout HMAC<Algorithm>
    ) {
        let count = UInt16(truncatingIfNeeded: end - headerCount)
        let head: (UInt8, UInt8, UInt8, UInt8) = (
            bytes[0], bytes[1], UInt8(count >> 8), UInt8(truncatingIfNeeded: count)
        )
        withUnsafeBytes(of: head) { hmac.update($0) }
        hmac.update(UnsafeRawBufferPointer(rebasing: bytes[4..<start]))
    }
}

extension RawSpan {
    /// A range of a message as text; bytes that are no UTF-8 are replaced.
    func text(_ range: Range<Int>) -> String {
        extracting(range).withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }
}
