/// `a=fingerprint` (RFC 8122): the hash of a certificate.
package struct Fingerprint: Hashable, Sendable {
    /// In lower case, as in `sha-256`.
    package var algorithm: String
    package var bytes: [UInt8]
    package init(algorithm: String, bytes: [UInt8]) {
        self.algorithm = algorithm
        self.bytes = bytes
    }

    /// Upper case hexadecimal with colons.
    package var text: String {
        let digits = [Character]("0123456789ABCDEF")
        return bytes.map { "\(digits[Int($0 >> 4)])\(digits[Int($0 & 15)])" }.joined(separator: ":")
    }
}

/// `a=setup` (RFC 4145, 8842): who begins the DTLS handshake. `active` sends the ClientHello.
package enum SetupRole: String, Hashable, Sendable, CaseIterable { case active, passive, actpass, holdconn }

/// `a=crypto` (RFC 4568): a key for SRTP, in the clear.
package struct CryptoAttribute: Hashable, Sendable {
    package var tag: Int
    /// As in `AES_CM_128_HMAC_SHA1_80`.
    package var suite: String
    /// As in `inline:base64|2^20|1:4`; several are separated by semicolons.
    package var keyParameters: String
    package var sessionParameters: [String]
    package init(tag: Int, suite: String, keyParameters: String, sessionParameters: [String] = []) {
        self.tag = tag
        self.suite = suite
        self.keyParameters = keyParameters
        self.sessionParameters = sessionParameters
    }
}
