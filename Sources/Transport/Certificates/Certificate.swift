import COpenSSL

/// A private key with its X.509 certificate and, where one was loaded, the chain above it.
///
/// Immutable, shared by all connections that present it. Making one with an RSA key takes up to a second: never on a
/// loop, but as a job on a worker; `Certificate` is `Sendable`, so the result is simply handed over.
package final class Certificate: @unchecked Sendable {
    // Sendable: the pointers are set in `init` and never again; OpenSSL only reads what they point to, and counts
    // references atomically.
    let key: OpaquePointer
    let x509: OpaquePointer
    let chain: [OpaquePointer]
    /// SHA-256, as it stands in our SDP.
    package let fingerprint: Fingerprint

    package enum KeyKind: Hashable, Sendable { case ecdsaP256, rsa2048 }

    /// Long enough that no server outlives it, short enough for peers that distrust long ones.
    package static let defaultDays = 365

    /// Takes over all references.
    private init(key: OpaquePointer, x509: OpaquePointer, chain: [OpaquePointer]) throws(TransportError) {
        guard let fingerprint = Fingerprint(.sha256, of: x509) else {
            EVP_PKEY_free(key)
            for certificate in [x509] + chain { X509_free(certificate) }
            throw .openSSL("X509_digest")
        }
        self.key = key
        self.x509 = x509
        self.chain = chain
        self.fingerprint = fingerprint
    }

    deinit {
        EVP_PKEY_free(key)
        for certificate in [x509] + chain { X509_free(certificate) }
    }

    /// A fresh key and a certificate signed with itself, valid from a day before `unixSeconds` for `days`.
    package static func selfSigned(
        _ kind: KeyKind = .ecdsaP256, name: String = "tessera", unixSeconds: Int64, days: Int = defaultDays
    ) throws(TransportError) -> Certificate {
        let made = kind == .ecdsaP256 ? copenssl_generate_p256() : copenssl_generate_rsa(2048)
        guard let key = made else { throw .openSSL("EVP_PKEY_generate") }
        guard let x509 = X509_new() else {
            EVP_PKEY_free(key)
            throw .openSSL("X509_new")
        }
        guard describe(x509, name: name, from: unixSeconds - 86400, to: unixSeconds + Int64(days) * 86400),
            X509_set_pubkey(x509, key) == 1, X509_sign(x509, key, EVP_sha256()) > 0
        else {
            EVP_PKEY_free(key)
            X509_free(x509)
            throw .openSSL("X509_sign")
        }
        return try Certificate(key: key, x509: x509, chain: [])
    }

    private static func describe(_ x509: OpaquePointer, name: String, from: Int64, to: Int64) -> Bool {
        guard let subject = X509_get_subject_name(x509) else { return false }
        var serial: UInt64 = 0
        // 63 random bits: positive, and different for each certificate of the same name.
        let random = withUnsafeMutableBytes(of: &serial) {
            RAND_bytes($0.baseAddress?.assumingMemoryBound(to: UInt8.self), 8)
        }
        return X509_set_version(x509, 2) == 1 && random == 1
            && ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509), serial >> 1 | 1) == 1
            && ASN1_TIME_set(X509_getm_notBefore(x509), Int(from)) != nil
            && ASN1_TIME_set(X509_getm_notAfter(x509), Int(to)) != nil
            && X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, name, -1, -1, 0) == 1
            && X509_set_issuer_name(x509, subject) == 1
    }

    /// The first private key and the first certificate in the text, in any order; further certificates are the chain.
    /// Keys with a password are refused.
    package convenience init(pem: String) throws(TransportError) {
        let text = [UInt8](pem.utf8)
        guard let keys = BIO_new_mem_buf(text, Int32(clamping: text.count)) else { throw .openSSL("BIO_new_mem_buf") }
        defer { BIO_free(keys) }
        guard let key = PEM_read_bio_PrivateKey(keys, nil, { _, _, _, _ in -1 }, nil) else {
            throw .openSSL("PEM_read_bio_PrivateKey")
        }
        let certificates = Certificate.certificates(in: text)
        guard let x509 = certificates.first, X509_check_private_key(x509, key) == 1 else {
            EVP_PKEY_free(key)
            for certificate in certificates { X509_free(certificate) }
            throw certificates.isEmpty
                ? .openSSL("PEM_read_bio_X509")
                : TransportError(call: "X509_check_private_key", text: "the certificate is not of this key")
        }
        ERR_clear_error()
        try self.init(key: key, x509: x509, chain: Array(certificates.dropFirst()))
    }

    /// No chain is longer; more is not read.
    private static let maxChain = 10

    static func certificates(in text: [UInt8]) -> [OpaquePointer] {
        guard let source = BIO_new_mem_buf(text, Int32(clamping: text.count)) else { return [] }
        defer { BIO_free(source) }
        var found: [OpaquePointer] = []
        while found.count < maxChain, let next = PEM_read_bio_X509(source, nil, { _, _, _, _ in -1 }, nil) {
            found.append(next)
        }
        return found
    }

    /// Private key (PKCS #8, not encrypted) and certificates as `init(pem:)` reads them.
    package func pem() throws(TransportError) -> String {
        guard let sink = BIO_new(BIO_s_mem()) else { throw .openSSL("BIO_new") }
        defer { BIO_free(sink) }
        guard PEM_write_bio_PKCS8PrivateKey(sink, key, nil, nil, 0, nil, nil) == 1,
            ([x509] + chain).allSatisfy({ PEM_write_bio_X509(sink, $0) == 1 })
        else { throw .openSSL("PEM_write_bio") }
        var start: UnsafeMutablePointer<CChar>?
        let count = copenssl_mem_bytes(sink, &start)
        guard let start, count > 0 else { throw .openSSL("BIO_get_mem_data") }
        return String(decoding: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self)
    }

    /// The certificate's digest by another algorithm than SHA-256.
    package func fingerprint(_ algorithm: Fingerprint.Algorithm) -> Fingerprint? { Fingerprint(algorithm, of: x509) }
}
