import COpenSSL

/// What all DTLS connections with one certificate share: ciphers, curves, SRTP profiles, the key itself.
///
/// Make one per certificate and keep it; a connection costs much less with it than without.
package final class DTLSContext: @unchecked Sendable {
    // Sendable: the SSL_CTX is set up in `init` and not changed later; OpenSSL locks what its connections share.
    let context: OpaquePointer
    package let certificate: Certificate

    /// In the order we prefer them. GCM first: libsrtp2 is several times faster with it than with AES-CM.
    private static let srtpProfiles =
        "SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM:SRTP_AES128_CM_SHA1_80:SRTP_AES128_CM_SHA1_32"
    /// Forward secrecy only. AES-CBC with SHA-1 is what some hardware phones still end at.
    private static let ciphers = """
        ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:\
        ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:\
        ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA
        """
    private static let groups = "X25519:P-256:P-384"

    package init(certificate: Certificate) throws(TransportError) {
        guard let context = SSL_CTX_new(DTLS_method()) else { throw .openSSL("SSL_CTX_new") }
        self.context = context
        self.certificate = certificate
        copenssl_keep_small(context)
        copenssl_read_ahead(context)
        _ = copenssl_write_at_most(context, 2048)
        guard copenssl_require_dtls_1_2(context) == 1, SSL_CTX_use_certificate(context, certificate.x509) == 1,
            SSL_CTX_use_PrivateKey(context, certificate.key) == 1,
            certificate.chain.allSatisfy({ copenssl_add_chain_certificate(context, $0) == 1 }),
            SSL_CTX_set_cipher_list(context, DTLSContext.ciphers) == 1,
            copenssl_set_groups(context, DTLSContext.groups) == 1,
            // This one function answers 0 for success.
            SSL_CTX_set_tlsext_use_srtp(context, DTLSContext.srtpProfiles) == 0
        else { throw .openSSL("SSL_CTX") }
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
        // Peers' certificates are signed by nobody we know: only the fingerprint counts (RFC 8827, section 6.5).
        SSL_CTX_set_cert_verify_callback(
            context, { store, _ in DatagramBIO.verify(store) ? 1 : 0 }, nil)
    }

    deinit { SSL_CTX_free(context) }
}
