import COpenSSL
package import Core

/// One DTLS 1.2 association (RFC 6347, RFC 5764): handshake, keys for SRTP, and datagrams of application data (SCTP).
///
///     new ──start──▶ connecting ──handshake──▶ connected ──close_notify, close()──▶ closed
///                        └──────────▶ failed ◀──────────┘
///
/// Owned by the loop. Input: `receive`, `send`, `expire`; after each, drain `pollDatagram`, `pollApplicationData` and
/// `pollEvent`, and look at `deadline`. `failed` and `closed` are final: nothing is accepted after them, but what was
/// queued (an alert) is still to be sent.
package final class DTLSConnection {
    /// Who sends the ClientHello: `a=setup:active` is the client (RFC 5763, section 5).
    package enum Role: Hashable, Sendable { case client, server }
    package enum State: String, Hashable, Sendable { case new, connecting, connected, failed, closed }
    package enum Failure: Error, Hashable, Sendable, CustomStringConvertible {
        /// The peer's certificate has none of the announced fingerprints.
        case wrongFingerprint
        case timedOut
        /// A fatal alert or a broken handshake, in OpenSSL's words.
        case handshake(String)
        package var description: String {
            switch self {
            case .wrongFingerprint: "the peer's certificate has not the announced fingerprint"
            case .timedOut: "the handshake timed out"
            case .handshake(let reason): "the handshake failed: \(reason)"
            }
        }
    }
    package enum Event: Hashable, Sendable {
        /// The peer is who it was announced to be. No keys: it did not offer SRTP, only data can flow.
        case connected(SRTPKeys?)
        case failed(Failure)
        /// The peer said close_notify, or we did.
        case closed
    }
    /// What was not processed, by reason; and what it took.
    package struct Counters: Hashable, Sendable {
        /// Not a DTLS record by its first byte and length.
        package var notDTLS = 0
        /// Arrived before `start` and did not fit among the datagrams held for it.
        package var early = 0
        /// Arrived after the end.
        package var late = 0
        /// Application data that nobody took in time.
        package var undelivered = 0
        /// `send` before the handshake was done, after the end, or too large for a datagram.
        package var unsent = 0
        package var retransmissions = 0
    }

    package private(set) var state = State.new
    package private(set) var counters = Counters()
    /// When to call `expire` next; nil: nothing is awaited.
    package private(set) var deadline: Instant?
    /// No handshake takes longer: by then every flight was sent eleven times.
    package static let handshakeTimeout = MediaTime.milliseconds(30_000)
    /// Largest datagram of a handshake: what passes every path in use (RFC 8261, section 5), headers of TURN included.
    package static let mtu = 1200
    /// Bytes DTLS adds to application data, at most: record header, explicit nonce, tag; CBC with SHA-1 needs the most.
    package static let overhead = 13 + 16 + 20 + 16

    private let context: DTLSContext
    private let bio = DatagramBIO()
    private var ssl: OpaquePointer?
    private var received = DatagramQueue(maxBytes: 512 * 1024)
    /// The ClientHello may come before the answer that says whose it is. Two flights' worth.
    private var early = DatagramQueue(maxBytes: 8 * 1024)
    private var events = Deque<Event>()
    private var flightDeadline: Instant?
    private var handshakeDeadline: Instant?
    /// OpenSSL reads a wall clock, we a monotonic one: if they disagree we ask again this much later.
    private static let clockSlack = MediaTime.milliseconds(20)

    package init(context: DTLSContext) { self.context = context }

    deinit { SSL_free(ssl) }

    /// Begins the handshake; `fingerprints` are those of the peer's description. Datagrams that came before are now
    /// processed. Only once.
    package func start(_ role: Role, fingerprints: [Fingerprint], at now: Instant) {
        precondition(state == .new, "a DTLS connection starts once")
        guard let ssl = SSL_new(context.context) else {
            fail(.handshake(TransportError.openSSL("SSL_new").text))
            return
        }
        self.ssl = ssl
        bio.fingerprints = fingerprints
        do throws(TransportError) {
            try bio.attach(to: ssl)
        } catch {
            fail(.handshake(error.text))
            return
        }
        _ = copenssl_set_mtu(ssl, DTLSConnection.mtu)
        if role == .client { SSL_set_connect_state(ssl) } else { SSL_set_accept_state(ssl) }
        state = .connecting
        handshakeDeadline = now + DTLSConnection.handshakeTimeout
        LibraryClock.at(now) { advance() }
        settle(at: now)
        // Taken out first: a failure on the way empties what is held.
        var held = DatagramQueue(maxBytes: 0)
        swap(&held, &early)
        while held.pop({ receive($0, at: now) }) != nil {}
    }

    /// One datagram from the peer.
    package func receive(_ datagram: UnsafeRawBufferPointer, at now: Instant) {
        // RFC 7983: first bytes 20 to 63; a record header has 13 bytes.
        guard datagram.count >= 13, (20...63).contains(datagram[0]) else {
            counters.notDTLS += 1
            return
        }
        switch state {
        case .new: if !early.append(datagram) { counters.early += 1 }
        case .failed, .closed: counters.late += 1
        case .connecting, .connected:
            LibraryClock.at(now) {
                bio.incoming = datagram
                advance()
                bio.incoming = nil
            }
            settle(at: now)
        }
    }

    /// Sends application data as one datagram; false when it was not (not connected, or too large): counted.
    @discardableResult
    package func send(_ bytes: UnsafeRawBufferPointer, at now: Instant) -> Bool {
        guard state == .connected, let ssl, bytes.count > 0, bytes.count <= DTLSConnection.mtu else {
            counters.unsent += 1
            return false
        }
        ERR_clear_error()
        let written = LibraryClock.at(now) { SSL_write(ssl, bytes.baseAddress, Int32(bytes.count)) }
        if written != bytes.count { counters.unsent += 1 }
        return written == bytes.count
    }

    /// Says close_notify and ends.
    package func close(at now: Instant) {
        switch state {
        case .failed, .closed: return
        case .new: break
        case .connecting, .connected:
            ERR_clear_error()
            LibraryClock.at(now) { _ = SSL_shutdown(ssl) }
            ERR_clear_error()
        }
        end(.closed, .closed)
    }

    /// To be called at `deadline` or later: sends a flight again, or gives up.
    package func expire(at now: Instant) {
        guard state == .connecting, let ssl else { return }
        if let handshakeDeadline, now >= handshakeDeadline {
            fail(.timedOut)
            return
        }
        guard let flightDeadline, now >= flightDeadline else { return }
        ERR_clear_error()
        switch LibraryClock.at(now, { copenssl_handle_timeout(ssl) }) {
        case 0: self.flightDeadline = now + DTLSConnection.clockSlack
        case 1: counters.retransmissions += 1
        default: fail(.timedOut)
        }
        settle(at: now)
    }

    /// The next datagram to send; `body` must not call this connection.
    package func pollDatagram<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R? { bio.outgoing.pop(body) }
    /// The next message of application data that arrived; `body` must not call this connection.
    package func pollApplicationData<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R? { received.pop(body) }
    package func pollEvent() -> Event? { events.popFirst() }

    // MARK: - Inside

    /// Lets OpenSSL work on what is there.
    private func advance() {
        guard let ssl else { return }
        ERR_clear_error()
        if state == .connecting {
            let result = SSL_do_handshake(ssl)
            guard result == 1 else {
                check(ssl, result)
                return
            }
            connect(ssl)
        }
        guard state == .connected else { return }
        readAll(ssl)
    }

    private func connect(_ ssl: OpaquePointer) {
        state = .connected
        handshakeDeadline = nil
        flightDeadline = nil
        events.append(.connected(SRTPKeys(exportedFrom: ssl)))
    }

    /// Application data of at most one datagram; also what makes OpenSSL repeat its last flight when the peer does.
    private func readAll(_ ssl: OpaquePointer) {
        while state == .connected {
            var result: Int32 = 0
            let pending = bio.incoming?.count ?? Int(SSL_pending(ssl))
            let dropped = received.dropped
            let isRead = received.append(capacity: max(pending, 64)) { memory in
                result = SSL_read(ssl, memory.baseAddress, Int32(clamping: memory.count))
                return Int(result)
            }
            if received.dropped > dropped {
                counters.undelivered += 1
                return
            }
            if !isRead {
                check(ssl, result)
                return
            }
        }
    }

    /// What a result below 1 means.
    private func check(_ ssl: OpaquePointer, _ result: Int32) {
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: break
        case SSL_ERROR_ZERO_RETURN: end(.closed, .closed)
        default:
            let text = TransportError.openSSLText() ?? "unknown"
            fail(bio.isFingerprintWrong ? .wrongFingerprint : .handshake(text))
        }
        ERR_clear_error()
    }

    private func fail(_ failure: Failure) { end(.failed, .failed(failure)) }

    private func end(_ final: State, _ event: Event) {
        state = final
        events.append(event)
        early.removeAll()
        handshakeDeadline = nil
        flightDeadline = nil
        deadline = nil
    }

    /// Brings our timers in line with what OpenSSL did.
    private func settle(at now: Instant) {
        guard state == .connecting, let ssl else {
            deadline = nil
            bio.flightMicroseconds = nil
            return
        }
        if let microseconds = bio.flightMicroseconds {
            flightDeadline = now + MediaTime(nanoseconds: Int64(microseconds) * 1000)
            bio.flightMicroseconds = nil
        } else if copenssl_flight_timer_runs(ssl) == 0 {
            flightDeadline = nil
        }
        deadline = [flightDeadline, handshakeDeadline].compactMap { $0 }.min()
    }
}
