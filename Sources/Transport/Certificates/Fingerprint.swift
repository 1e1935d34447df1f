import COpenSSL

/// The digest of a certificate as SDP carries it (RFC 8122, section 5).
package struct Fingerprint: Hashable, Sendable, CustomStringConvertible {
    /// Weakest first. MD5 and MD2 are not accepted.
    package enum Algorithm: String, Hashable, Sendable, CaseIterable {
        case sha1 = "sha-1"
        case sha256 = "sha-256"
        case sha384 = "sha-384"
        case sha512 = "sha-512"

        package var byteCount: Int {
            switch self {
            case .sha1: 20
            case .sha256: 32
            case .sha384: 48
            case .sha512: 64
            }
        }
        var strength: Int { byteCount }
        var digest: OpaquePointer? {
            switch self {
            case .sha1: EVP_sha1()
            case .sha256: EVP_sha256()
            case .sha384: EVP_sha384()
            case .sha512: EVP_sha512()
            }
        }
    }

    package let algorithm: Algorithm
    package let bytes: [UInt8]

    /// `algorithm` as in SDP, in any case; `hex` pairs of digits with colons between. nil for anything else.
    package init?(algorithm: String, hex: String) {
        guard let algorithm = Algorithm(rawValue: algorithm.lowercased()) else { return nil }
        var bytes: [UInt8] = []
        for pair in hex.split(separator: ":", maxSplits: 64, omittingEmptySubsequences: false) {
            guard pair.utf8.count == 2, pair.utf8.allSatisfy({ $0 != 43 && $0 != 45 }),
                let byte = UInt8(pair, radix: 16)
            else { return nil }
            bytes.append(byte)
        }
        guard bytes.count == algorithm.byteCount else { return nil }
        self.algorithm = algorithm
        self.bytes = bytes
    }

    /// The value of `a=fingerprint`: `sha-256 4A:AD:…`.
    package init?(_ text: String) {
        let parts = text.split(separator: " ")
        guard parts.count == 2 else { return nil }
        self.init(algorithm: String(parts[0]), hex: String(parts[1]))
    }

    /// The digest of an X.509 certificate; nil only when memory ran out.
    init?(_ algorithm: Algorithm, of x509: OpaquePointer) {
        var bytes = [UInt8](repeating: 0, count: algorithm.byteCount)
        var length: UInt32 = 0
        guard X509_digest(x509, algorithm.digest, &bytes, &length) == 1, Int(length) == bytes.count else { return nil }
        self.algorithm = algorithm
        self.bytes = bytes
    }

    /// Colon-separated pairs in upper case.
    package var hex: String {
        let digits = [UInt8]("0123456789ABCDEF".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count * 3)
        for byte in bytes {
            if !text.isEmpty { text.append(UInt8(ascii: ":")) }
            text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
        return String(decoding: text, as: UTF8.self)
    }

    package var description: String { "\(algorithm.rawValue) \(hex)" }

    /// Whether a certificate is the one that was announced: it has one of the digests of the strongest algorithm among
    /// `announced` (RFC 8122, section 5). Without any, nothing matches.
    static func match(_ announced: [Fingerprint], _ x509: OpaquePointer) -> Bool {
        guard let strongest = announced.map(\.algorithm).max(by: { $0.strength < $1.strength }),
            let actual = Fingerprint(strongest, of: x509)
        else { return false }
        return announced.contains(actual)
    }
}
