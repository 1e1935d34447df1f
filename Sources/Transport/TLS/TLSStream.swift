import COpenSSL
package import Core

/// TLS over a byte stream that somebody else carries (TURN over TLS, and whatever speaks TLS later).
///
///     connecting ──handshake──▶ connected ──close_notify, close()──▶ closed
///         └────────▶ failed ◀────────┘
///
/// Owned by the loop. Input: `receive`, `send`, `expire`; after each, drain `pollOutput`, `pollReceived` and
/// `pollEvent`, and look at `deadline`. The end of the carrying stream without `closed` before it is a truncation; say
/// so with `carrierEnded`.
package final class TLSStream {
    package enum State: String, Hashable, Sendable { case connecting, connected, failed, closed }
    package enum Event: Hashable, Sendable {
        case connected
        /// In words: the peer's certificate, an alert, a broken record, too slow.
        case failed(String)
        case closed
    }

    package private(set) var state = State.connecting
    package private(set) var deadline: Instant?
    package static let handshakeTimeout = MediaTime.milliseconds(15_000)
    /// What may wait in either direction; a stream that holds more fails.
    package static let maxWaitingBytes = 1 << 20

    private let context: TLSContext
    private var ssl: OpaquePointer?
    // Owned by `ssl` once it has them.
    private var incoming: OpaquePointer?
    private var outgoing: OpaquePointer?
    private var received: [UInt8] = []
    private var unsent: [UInt8] = []
    private var events = Deque<Event>()

    /// A client's side. `host` is the name, or the address in text, that the server's certificate must be for;
    /// `unixSeconds` says when it must be valid.
    package convenience init(_ context: TLSContext, host: String, unixSeconds: Int64, at now: Instant) {
        precondition(!context.isServer, "a client needs a context that trusts somebody")
        self.init(context, at: now) { ssl in
            SSL_set_connect_state(ssl)
            let parameters = SSL_get0_param(ssl)
            X509_VERIFY_PARAM_set_time(parameters, Int(unixSeconds))
            if IPAddress(host) != nil { return X509_VERIFY_PARAM_set1_ip_asc(parameters, host) == 1 }
            return SSL_set1_host(ssl, host) == 1 && copenssl_set_server_name(ssl, host) == 1
        }
    }

    /// A server's side.
    package convenience init(server context: TLSContext, at now: Instant) {
        precondition(context.isServer, "a server needs a context with a certificate")
        self.init(context, at: now) { ssl in
            SSL_set_accept_state(ssl)
            return true
        }
    }

    private init(_ context: TLSContext, at now: Instant, prepare: (OpaquePointer) -> Bool) {
        self.context = context
        deadline = now + TLSStream.handshakeTimeout
        begin(prepare)
    }

    private func begin(_ prepare: (OpaquePointer) -> Bool) {
        guard let ssl = SSL_new(context.context) else { return fail("SSL_new") }
        self.ssl = ssl
        guard let incoming = BIO_new(BIO_s_mem()), let outgoing = BIO_new(BIO_s_mem()) else { return fail("BIO_new") }
        self.incoming = incoming
        self.outgoing = outgoing
        copenssl_mem_retries(incoming)
        SSL_set_bio(ssl, incoming, outgoing)
        guard prepare(ssl) else { return fail("the host's name is none") }
        advance()
    }

    deinit { SSL_free(ssl) }

    /// The next bytes of the carrying stream.
    package func receive(_ bytes: UnsafeRawBufferPointer) {
        guard state == .connecting || state == .connected, let incoming, bytes.count > 0 else { return }
        guard bytes.count <= TLSStream.maxWaitingBytes,
            BIO_write(incoming, bytes.baseAddress, Int32(bytes.count)) == bytes.count
        else { return fail("more arrived at once than may wait") }
        advance()
    }

    /// Queues bytes to be sent; before the handshake is done they wait. False: over, or too much waits.
    @discardableResult
    package func send(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard state == .connecting || state == .connected, unsent.count + bytes.count <= TLSStream.maxWaitingBytes
        else {
            return false
        }
        unsent.append(contentsOf: bytes)
        advance()
        return true
    }

    /// Says close_notify and ends.
    package func close() {
        guard state == .connecting || state == .connected else { return }
        ERR_clear_error()
        SSL_shutdown(ssl)
        ERR_clear_error()
        end(.closed, .closed)
    }

    /// The carrying stream has ended.
    package func carrierEnded() {
        if state == .connecting || state == .connected { fail("the connection ended without a goodbye") }
    }

    package func expire(at now: Instant) {
        if state == .connecting, let deadline, now >= deadline { fail("the handshake timed out") }
    }

    /// Takes all that is to be sent over the carrying stream; empty: nothing.
    package func pollOutput() -> [UInt8] {
        guard let outgoing else { return [] }
        let count = Int(BIO_ctrl_pending(outgoing))
        guard count > 0 else { return [] }
        return [UInt8](unsafeUninitializedCapacity: count) { memory, filled in
            filled = max(0, Int(BIO_read(outgoing, memory.baseAddress, Int32(clamping: count))))
        }
    }

    /// Takes all plain bytes that arrived; empty: none.
    package func pollReceived() -> [UInt8] {
        defer { received = [] }
        return received
    }

    package func pollEvent() -> Event? { events.popFirst() }

    // MARK: - Inside

    private func advance() {
        guard let ssl else { return }
        ERR_clear_error()
        if state == .connecting {
            let result = SSL_do_handshake(ssl)
            guard result == 1 else { return check(result) }
            state = .connected
            deadline = nil
            events.append(.connected)
        }
        write(ssl)
        read(ssl)
    }

    private func write(_ ssl: OpaquePointer) {
        var sent = 0
        while state == .connected, sent < unsent.count {
            let result = unsent.withUnsafeBytes { bytes in
                SSL_write(ssl, bytes.baseAddress.map { $0 + sent }, Int32(clamping: bytes.count - sent))
            }
            guard result > 0 else {
                check(result)
                break
            }
            sent += Int(result)
        }
        unsent.removeFirst(sent)
    }

    private func read(_ ssl: OpaquePointer) {
        // One record holds at most 16 KiB.
        withUnsafeTemporaryAllocation(byteCount: 16 * 1024, alignment: 1) { record in
            while state == .connected {
                let result = SSL_read(ssl, record.baseAddress, Int32(record.count))
                guard result > 0 else { return check(result) }
                received.append(contentsOf: record[..<Int(result)])
                if received.count > TLSStream.maxWaitingBytes { return fail("more arrived than may wait") }
            }
        }
    }

    private func check(_ result: Int32) {
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: break
        case SSL_ERROR_ZERO_RETURN: end(.closed, .closed)
        default:
            let verdict = SSL_get_verify_result(ssl)
            if verdict != Int(X509_V_OK), let text = X509_verify_cert_error_string(verdict) {
                fail("the certificate is not accepted: \(String(cString: text))")
            } else {
                fail(TransportError.openSSLText() ?? "unknown")
            }
        }
        ERR_clear_error()
    }

    private func fail(_ reason: String) { end(.failed, .failed(reason)) }

    private func end(_ final: State, _ event: Event) {
        state = final
        deadline = nil
        unsent = []
        events.append(event)
    }
}
