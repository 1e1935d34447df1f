import COpenSSL

/// What TLS connections of one kind share: whom to trust, or whom to be. TLS 1.2 and 1.3.
package final class TLSContext: @unchecked Sendable {
    // Sendable: the SSL_CTX is set up in `init` and not changed later; OpenSSL locks what its connections share.
    let context: OpaquePointer
    let isServer: Bool

    /// Whom a client believes.
    package enum Trust: Hashable, Sendable {
        /// What the system's administrators trust.
        case system
        /// These certificates, in PEM, and nobody else.
        case only(pem: String)
    }

    private init(_ method: OpaquePointer?, isServer: Bool) throws(TransportError) {
        guard let context = SSL_CTX_new(method) else { throw .openSSL("SSL_CTX_new") }
        self.context = context
        self.isServer = isServer
        copenssl_keep_small(context)
        guard copenssl_require_tls_1_2(context) == 1 else { throw .openSSL("SSL_CTX_set_min_proto_version") }
    }

    deinit { SSL_CTX_free(context) }

    package convenience init(trusting trust: Trust) throws(TransportError) {
        try self.init(TLS_client_method(), isServer: false)
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        switch trust {
        case .system:
            guard SSL_CTX_set_default_verify_paths(context) == 1 else {
                throw .openSSL("SSL_CTX_set_default_verify_paths")
            }
        case .only(let pem):
            let certificates = Certificate.certificates(in: [UInt8](pem.utf8))
            defer { for certificate in certificates { X509_free(certificate) } }
            ERR_clear_error()
            guard !certificates.isEmpty,
                certificates.allSatisfy({ X509_STORE_add_cert(SSL_CTX_get_cert_store(context), $0) == 1 })
            else { throw TransportError(call: "X509_STORE_add_cert", text: "no certificate to trust") }
        }
    }

    package convenience init(server certificate: Certificate) throws(TransportError) {
        try self.init(TLS_server_method(), isServer: true)
        guard SSL_CTX_use_certificate(context, certificate.x509) == 1,
            SSL_CTX_use_PrivateKey(context, certificate.key) == 1,
            certificate.chain.allSatisfy({ copenssl_add_chain_certificate(context, $0) == 1 })
        else { throw .openSSL("SSL_CTX_use_certificate") }
    }
}
