/// One `a=crypto` line (RFC 4568): how RtpEndpoint exchanges keys without DTLS. Values only; who chooses is elsewhere.
package struct SDESKeys: Hashable, Sendable, CustomStringConvertible {
    /// 1 to 9 digits; the answer repeats the tag of the line it accepts.
    package var tag: Int
    package var key: SRTPKey
    /// Packets the key may protect, if the peer said so: a power of two, or a plain number.
    package var lifetime: UInt64?

    package enum ParseError: Error, Hashable, Sendable {
        case malformed
        case unknownSuite(String)
        /// Session parameters, several keys, or a master key identifier: we take none of these.
        case unsupported(String)
    }

    package init(tag: Int, key: SRTPKey, lifetime: UInt64? = nil) {
        self.tag = tag
        self.key = key
        self.lifetime = lifetime
    }

    /// A fresh key for our side of an offer or an answer; `random` is cryptographic outside of tests.
    package static func make(
        tag: Int, profile: SRTPProfile, using random: inout some RandomNumberGenerator
    ) -> SDESKeys? {
        let bytes = (0..<(profile.keyCount + profile.saltCount)).map { _ in UInt8.random(in: 0...255, using: &random) }
        return SRTPKey(profile, bytes).map { SDESKeys(tag: tag, key: $0) }
    }

    /// The value behind `a=crypto:`.
    package init(_ text: String) throws(ParseError) {
        let fields = text.split(separator: " ")
        guard fields.count >= 3, fields[0].utf8.count <= 9, let tag = Int(fields[0]), tag >= 0 else {
            throw .malformed
        }
        guard let profile = SRTPProfile(rawValue: String(fields[1])) else {
            throw .unknownSuite(String(fields[1].prefix(64)))
        }
        if fields.count > 3 { throw .unsupported(String(fields[3].prefix(64))) }
        guard fields[2].hasPrefix("inline:") else { throw .malformed }
        if fields[2].contains(";") { throw .unsupported("several keys") }
        let parts = fields[2].dropFirst(7).split(separator: "|", omittingEmptySubsequences: false)
        guard let encoded = parts.first, encoded.utf8.count <= 128, let bytes = Base64.decode(encoded),
            let key = SRTPKey(profile, bytes)
        else { throw .malformed }
        for part in parts.dropFirst() {
            if part.contains(":") { throw .unsupported("a master key identifier") }
            guard let value = SDESKeys.lifetime(part), lifetime == nil else { throw .malformed }
            lifetime = value
        }
        self.tag = tag
        self.key = key
    }

    private static func lifetime(_ text: Substring) -> UInt64? {
        guard text.hasPrefix("2^") else { return UInt64(text).flatMap { $0 > 0 ? $0 : nil } }
        return UInt64(text.dropFirst(2)).flatMap { $0 <= 48 ? 1 << $0 : nil }
    }

    package var description: String {
        var text = "\(tag) \(key.profile.rawValue) inline:\(Base64.encode(key.bytes))"
        if let lifetime {
            text += lifetime.nonzeroBitCount == 1 ? "|2^\(lifetime.trailingZeroBitCount)" : "|\(lifetime)"
        }
        return text
    }
}
