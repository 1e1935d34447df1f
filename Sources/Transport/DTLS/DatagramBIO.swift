import COpenSSL

/// What stands between OpenSSL and the network for one connection: one read or write is one datagram, and OpenSSL's
/// questions about certificate and timer are answered here.
///
/// Owned by its `DTLSConnection`, which outlives the SSL object that points to it.
final class DatagramBIO {
    /// The datagram in hand, valid during the call that brought it; OpenSSL takes it once.
    var incoming: UnsafeRawBufferPointer?
    var outgoing = DatagramQueue(maxBytes: DatagramBIO.maxOutgoingBytes)
    var fingerprints: [Fingerprint] = []
    var isFingerprintWrong = false
    /// Set by OpenSSL's question how long the flight timer shall run.
    var flightMicroseconds: UInt32?

    /// A handshake's flights with an RSA chain are below 8 kB; the rest is for data between two drains.
    private static let maxOutgoingBytes = 256 * 1024
    /// First retransmission. Twice a good mobile round trip; RFC 6347, section 4.2.4.1 asks for a second, which costs a
    /// caller with one lost packet that second of black picture.
    private static let firstFlightMicroseconds: UInt32 = 150_000
    private static let lastFlightMicroseconds: UInt32 = 2_000_000

    // Sendable: made once, before its first use, and only read afterwards.
    nonisolated(unsafe) private static let method: OpaquePointer? = {
        let kind = BIO_get_new_index() | copenssl_BIO_TYPE_SOURCE_SINK
        guard let method = BIO_meth_new(kind, "datagrams") else { return nil }
        BIO_meth_set_create(
            method,
            { bio in
                BIO_set_init(bio, 1)
                return 1
            })
        BIO_meth_set_write(
            method,
            { bio, bytes, count in
                guard let owner = DatagramBIO.of(bio), let bytes, count > 0 else { return -1 }
                // Full: lost, as on a network.
                owner.outgoing.append(UnsafeRawBufferPointer(start: bytes, count: Int(count)))
                return count
            })
        BIO_meth_set_read(
            method,
            { bio, bytes, capacity in
                copenssl_clear_retry(bio)
                guard let owner = DatagramBIO.of(bio), let bytes, capacity > 0, let datagram = owner.incoming else {
                    copenssl_set_retry_read(bio)
                    return -1
                }
                owner.incoming = nil
                let count = min(Int(capacity), datagram.count)
                UnsafeMutableRawBufferPointer(start: bytes, count: count)
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: datagram[..<count]))
                return Int32(count)
            })
        BIO_meth_set_ctrl(method, { _, command, _, _ in command == copenssl_BIO_CTRL_FLUSH ? 1 : 0 })
        return method
    }()

    /// Gives `ssl` a BIO that leads here.
    func attach(to ssl: OpaquePointer) throws(TransportError) {
        guard let method = DatagramBIO.method, let bio = BIO_new(method) else { throw .openSSL("BIO_new") }
        BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
        SSL_set_bio(ssl, bio, bio)
        DTLS_set_timer_cb(
            ssl, { ssl, previous in DatagramBIO.of(SSL_get_rbio(ssl))?.nextFlight(after: previous) ?? previous })
    }

    private static func of(_ bio: OpaquePointer?) -> DatagramBIO? {
        guard let bio, let data = BIO_get_data(bio) else { return nil }
        return Unmanaged<DatagramBIO>.fromOpaque(data).takeUnretainedValue()
    }

    private func nextFlight(after previous: UInt32) -> UInt32 {
        let next =
            previous == 0
            ? DatagramBIO.firstFlightMicroseconds : min(previous &* 2, DatagramBIO.lastFlightMicroseconds)
        flightMicroseconds = next
        return next
    }

    /// Whether the peer's certificate in `store` is the announced one.
    static func verify(_ store: OpaquePointer?) -> Bool {
        guard let store, let ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()),
            let owner = of(SSL_get_rbio(OpaquePointer(ssl))), let leaf = X509_STORE_CTX_get0_cert(store)
        else { return false }
        if Fingerprint.match(owner.fingerprints, leaf) { return true }
        owner.isFingerprintWrong = true
        X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED)
        return false
    }
}
