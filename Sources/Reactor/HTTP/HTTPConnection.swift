import CLinux
import CWebSockets
import Core

/// One connection to an HTTP server: requests one after the other, or, once upgraded, a WebSocket. The library's
/// callbacks are its input, its output waits until the library can take it. Touched only on the control thread.
final class HTTPConnection {
    private enum State {
        case idle
        case receiving(HTTPRequest)
        case handling
        case responding
        case webSocket(WebSocketSession)
        case closed
    }

    let id: UInt64
    private let wsi: OpaquePointer
    private let server: HTTPServer
    /// Kept: the library looks at the port's host as long as the connection lives.
    private let port: HTTPPort
    private var isSecure: Bool { port.isSecure }
    private let remote: SocketAddress?
    private var state = State.idle
    /// When the request that is coming in began; without one, when the connection was made or the last answer given.
    private var began: Instant
    private var isHead = false
    private var closesAfter = false
    /// Counts requests, so that an answer that comes too late is not taken for the next one's.
    private var requestNumber: UInt64 = 0
    /// The request whose upgrade the library is about to confirm.
    private var upgrading: HTTPRequest?

    // What is to be sent: an answer's bytes from `sent` on, or messages.
    private var output: [UInt8] = []
    private var sent = 0
    private var messages = Deque<[UInt8]>()
    private var queuedBytes = 0
    private var closing: (code: Int, reason: String)?
    private var mustPing = false
    /// When a WebSocket's client was last heard, and whether it was asked since then.
    private var heard: Instant
    private var isPinged = false
    /// When a WebSocket that was told to close is cut.
    private var closesBy: Instant?

    private var maskCheck: MaskCheck?
    // The message that is coming in.
    private var incoming: [UInt8] = []
    /// What came after we have said that we close.
    private var forgottenBytes = 0
    private var peerClose: (code: Int, reason: String)?

    /// Given to the library per call: more would only wait in its buffers.
    private static let writeBytes = 64 << 10
    /// Comes back in the pong; the library says nothing of one that is empty (see `lookForBytes`).
    private static let ping = Array("there?".utf8)
    /// A close frame's reason is at most so long (RFC 6455, section 5.5).
    private static let closeReasonMax = 123

    init(_ wsi: OpaquePointer, id: UInt64, server: HTTPServer, port: HTTPPort, remote: SocketAddress?) {
        self.wsi = wsi
        self.id = id
        self.server = server
        self.port = port
        self.remote = remote
        began = server.thread.now()
        heard = began
    }

    var session: WebSocketSession? {
        if case .webSocket(let session) = state { return session }
        return nil
    }

    /// Whether nothing would be lost if the connection ended now.
    var isIdle: Bool {
        if case .idle = state { return true }
        return false
    }

    /// Looks at the time, some times a second for all connections. The library's own timers are one sorted list, in which
    /// thousands of connections would each walk past all others.
    func expire(at now: Instant) {
        if isOverdue(at: now) { return kill() }
        guard case .webSocket = state else { return }
        if now - heard >= server.options.pingInterval { lookForBytes(at: now) }
        let silence = now - heard
        if silence >= server.options.pingInterval + server.options.pingInterval / 2 {
            kill()
        } else if silence >= server.options.pingInterval, !isPinged {
            isPinged = true
            mustPing = true
            lws_callback_on_writable(wsi)
        }
    }

    /// The library does not tell of everything that a client says: not of an empty pong, as some answer any ping with, nor
    /// of pings. The system knows when the last bytes came.
    private func lookForBytes(at now: Instant) {
        let milliseconds = clinux_receive_silence(lws_get_socket_fd(wsi))
        guard milliseconds >= 0 else { return }
        let latest = now + MediaTime.milliseconds(-Int(milliseconds))
        guard latest > heard else { return }
        heard = latest
        isPinged = false
    }

    /// A WebSocket's client has said something, be it only that it is there.
    func isHeard() -> Int32 {
        heard = server.thread.now()
        isPinged = false
        return 0
    }

    /// Whether the client has had its time: for a request, headers and body, or for the next one, or to take a good-bye.
    /// Whatever trickles in meanwhile does not count, so a slow one keeps nothing open.
    private func isOverdue(at now: Instant) -> Bool {
        switch state {
        case .idle:
            let options = server.options
            return now - began > (requestNumber == 0 ? options.requestMax : options.keepAliveMax)
        case .receiving: return now - began > server.options.requestMax
        case .webSocket: return closesBy.map { now >= $0 } ?? false
        case .handling, .responding, .closed: return false
        }
    }

    private func setTimeout(_ reason: pending_timeout, _ time: MediaTime) {
        lws_set_timeout(wsi, reason, Int32(clamping: max(1, time.nanoseconds / 1_000_000_000)))
    }

    // MARK: A request

    /// The headers are there. What is returned goes back to the library: non-zero ends the connection.
    func headersArrived() -> Int32 {
        guard case .idle = state else { return -1 }
        requestNumber += 1
        began = server.thread.now()
        let extra = server.options.extraHeaders
        guard var request = HTTPWire.request(wsi, extraHeaders: extra, isSecure: isSecure) else {
            return refuse(HTTPResponse(501, "text/plain; charset=utf-8", "This method is not known here.\n"))
        }
        request.remote = remote
        isHead = request.method == "HEAD"
        closesAfter = server.isStopping || request.header("connection")?.lowercased() == "close"
        if request.header("transfer-encoding") != nil {
            return refuse(HTTPResponse(411, "text/plain; charset=utf-8", "A body must come with its content-length.\n"))
        }
        // Without a length there is no body (RFC 9112, section 6.3), but the library would wait for one.
        if request.header("content-length") == nil, ["POST", "PUT", "PATCH"].contains(request.method) {
            closesAfter = true
        }
        guard let length = Int(request.header("content-length") ?? "0"), length >= 0 else {
            return refuse(HTTPResponse(400, "text/plain; charset=utf-8", "content-length is no number.\n"))
        }
        guard length <= server.options.bodyBytesMax else {
            return refuse(
                HTTPResponse(
                    413, "text/plain; charset=utf-8",
                    "The body has \(length) bytes; at most \(server.options.bodyBytesMax) are taken.\n"))
        }
        if length == 0 {
            handle(request)
            return 0
        }
        state = .receiving(request)
        if request.header("expect")?.lowercased() == "100-continue" {
            return write(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)[...], LWS_WRITE_HTTP)
        }
        return 0
    }

    func bodyArrived(_ bytes: UnsafeRawBufferPointer) -> Int32 {
        // What was refused still comes for a while; it is read and forgotten.
        guard case .receiving(var request) = state else { return 0 }
        guard request.body.count + bytes.count <= server.options.bodyBytesMax,
            server.thread.now() - began <= server.options.requestMax
        else { return -1 }
        state = .idle
        request.body.append(contentsOf: bytes)
        state = .receiving(request)
        return 0
    }

    func bodyEnded() -> Int32 {
        if case .receiving(let request) = state { handle(request) }
        return 0
    }

    private func handle(_ request: HTTPRequest) {
        state = .handling
        // The next request of the same connection waits in the kernel.
        lws_rx_flow_control(wsi, 0)
        lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0)
        server.handle(request, id, requestNumber)
    }

    /// The handler's answer, or ours in its place. Late ones are ignored.
    func respond(_ response: HTTPResponse, to number: UInt64) {
        guard case .handling = state, number == requestNumber else { return }
        begin(response)
    }

    private func refuse(_ response: HTTPResponse) -> Int32 {
        // What follows is not worth telling apart from a next request.
        closesAfter = true
        begin(response)
        return 0
    }

    private func begin(_ response: HTTPResponse) {
        if server.isStopping { closesAfter = true }
        output = HTTPWire.bytes(response, withBody: !isHead, closes: closesAfter)
        sent = 0
        state = .responding
        setTimeout(PENDING_TIMEOUT_HTTP_CONTENT, server.options.writeMax)
        // The library writes nothing where it may not read.
        lws_rx_flow_control(wsi, 1)
        lws_callback_on_writable(wsi)
    }

    /// The library can take more.
    func writable() -> Int32 {
        if case .webSocket = state { return writeMessage() }
        guard case .responding = state else { return 0 }
        let end = min(output.count, sent + Self.writeBytes)
        let isLast = end == output.count
        if write(output[sent..<end], isLast ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) != 0 { return -1 }
        sent = end
        guard isLast else {
            setTimeout(PENDING_TIMEOUT_HTTP_CONTENT, server.options.writeMax)
            lws_callback_on_writable(wsi)
            return 0
        }
        output = []
        state = .idle
        began = server.thread.now()
        if closesAfter { return -1 }
        return lws_http_transaction_completed(wsi) == 0 ? 0 : -1
    }

    private func write(_ bytes: ArraySlice<UInt8>, _ kind: lws_write_protocol) -> Int32 {
        // The one copy: the library writes its frame before what it is given.
        server.scratch.removeAll(keepingCapacity: true)
        server.scratch.append(contentsOf: repeatElement(0, count: cwebsockets_pre))
        server.scratch.append(contentsOf: bytes)
        let count = bytes.count
        let result = server.scratch.withUnsafeMutableBufferPointer {
            lws_write(wsi, $0.baseAddress.map { $0 + cwebsockets_pre }, count, kind)
        }
        return result < Int32(count) ? -1 : 0
    }

    // MARK: A WebSocket

    /// Whether the request may become a WebSocket: 0 yes, 1 no and it was answered.
    func confirmUpgrade() -> Int32 {
        guard case .idle = state,
            var request = HTTPWire.request(wsi, extraHeaders: server.options.extraHeaders, isSecure: isSecure)
        else { return -1 }
        request.remote = remote
        guard let refusal = server.refusal(of: request) else {
            upgrading = request
            return 0
        }
        isHead = false
        let answer = HTTPWire.bytes(refusal, withBody: true, closes: false)
        return write(answer[...], LWS_WRITE_HTTP_FINAL) == 0 ? 1 : -1
    }

    func upgraded() -> Int32 {
        guard let request = upgrading, let accept = server.acceptor(for: request.path) else { return -1 }
        upgrading = nil
        let agreed =
            request.header("sec-websocket-protocol") == nil
            ? nil : lws_get_protocol(wsi)?.pointee.name.map { String(cString: $0) }
        let session = WebSocketSession(self, request: request, subprotocol: agreed, thread: server.thread)
        state = .webSocket(session)
        _ = isHeard()
        if !isSecure { maskCheck = MaskCheck(lws_get_socket_fd(wsi)) }
        accept(session)
        return 0
    }

    func messageArrived(_ bytes: UnsafeRawBufferPointer) -> Int32 {
        guard case .webSocket(let session) = state else { return 0 }
        _ = isHeard()
        guard closing == nil else {
            // What was under way is read and forgotten. Who goes on and on does not hear us: the connection is cut.
            incoming = []
            forgottenBytes += bytes.count
            return forgottenBytes <= server.options.messageBytesMax ? 0 : -1
        }
        if lws_is_first_fragment(wsi) != 0 {
            incoming.removeAll(keepingCapacity: incoming.capacity <= Self.writeBytes)
            if lws_frame_is_binary(wsi) != 0 {
                closeSession(1003, "only text messages are understood")
                return 0
            }
        }
        guard incoming.count + bytes.count <= server.options.messageBytesMax else {
            closeSession(1009, "a message may have \(server.options.messageBytesMax) bytes")
            return 0
        }
        incoming.append(contentsOf: bytes)
        guard lws_is_final_fragment(wsi) != 0, lws_remaining_packet_payload(wsi) == 0 else { return 0 }
        if maskCheck?.isViolated(after: incoming.count) == true {
            closeSession(1002, "frames must be masked")
            return 0
        }
        let text = String(decoding: incoming, as: UTF8.self)
        if incoming.count > Self.writeBytes { incoming = [] } else { incoming.removeAll(keepingCapacity: true) }
        session.received(text)
        return 0
    }

    func peerCloses(_ bytes: UnsafeRawBufferPointer) -> Int32 {
        if bytes.count == 1 {
            // Half a code (RFC 6455, section 5.5.1).
            peerClose = (1002, "")
            lws_close_reason(wsi, LWS_CLOSE_STATUS_PROTOCOL_ERR, nil, 0)
            return -1
        }
        // What was asked before the good-bye is answered before ours.
        while let message = messages.popFirst() {
            queuedBytes -= message.count
            if write(message[...], LWS_WRITE_TEXT) != 0 { return -1 }
        }
        let code = bytes.count >= 2 ? Int(bytes[0]) << 8 | Int(bytes[1]) : 1005
        peerClose = (code, String(decoding: bytes.dropFirst(2), as: UTF8.self))
        return 0
    }

    func send(_ text: String) {
        guard case .webSocket = state, closing == nil else { return }
        let bytes = Array(text.utf8)
        guard queuedBytes + bytes.count <= server.options.sessionQueueBytesMax else {
            messages.removeAll()
            queuedBytes = 0
            return closeSession(1008, "messages are not read")
        }
        messages.append(bytes)
        queuedBytes += bytes.count
        lws_callback_on_writable(wsi)
    }

    func closeSession(_ code: Int, _ reason: String) {
        guard case .webSocket = state, closing == nil else { return }
        closing = (code, reason)
        lws_rx_flow_control(wsi, 1)
        lws_callback_on_writable(wsi)
        // A client that reads nothing does not get to hear it either.
        closesBy = server.thread.now() + server.options.writeMax
    }

    private func writeMessage() -> Int32 {
        if mustPing {
            // One frame at a time.
            mustPing = false
            if !messages.isEmpty || closing != nil { lws_callback_on_writable(wsi) }
            return write(Self.ping[...], LWS_WRITE_PING)
        }
        if let message = messages.popFirst() {
            queuedBytes -= message.count
            if write(message[...], LWS_WRITE_TEXT) != 0 { return -1 }
        }
        if !messages.isEmpty {
            lws_callback_on_writable(wsi)
        } else if let closing {
            var reason = Array(closing.reason.utf8.prefix(Self.closeReasonMax))
            lws_close_reason(wsi, lws_close_status(UInt32(clamping: closing.code)), &reason, reason.count)
            return -1
        }
        return 0
    }

    // MARK: The end

    /// The library has closed the connection.
    func closed() {
        let session = session
        state = .closed
        messages.removeAll()
        output = []
        let end = peerClose ?? closing ?? (1006, "")
        session?.ended(end.code, end.reason)
    }

    /// The library forgets the connection: the last that is heard of it.
    func ended() { server.ended(self) }

    /// Ends the connection now; nothing more is sent.
    func kill() {
        if case .closed = state { return }
        lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC)
    }
}
