import CLinux
import CWebSockets
package import Core
import Glibc

/// An HTTP/1.1 server with WebSocket text sessions, on a control thread. Requests go to one handler, sessions to who
/// accepts them at their path; both run on that thread, which is their executor, so they must not block. Lives from its
/// first `listen` until it is stopped.
package final class HTTPServer: @unchecked Sendable {
    // Sendable: constants, and state that is touched only on the control thread.

    /// Answers a request. Runs on the control thread; it may await.
    package typealias Handler = @Sendable (HTTPRequest) async -> HTTPResponse
    /// Sets a new session's callbacks. Runs on the control thread.
    package typealias Acceptor = @Sendable (WebSocketSession) -> Void
    /// Looks at a request that would become a WebSocket; an answer refuses it.
    package typealias Gate = @Sendable (HTTPRequest) -> HTTPResponse?

    let thread: ControlThread
    let options: HTTPServerOptions
    private let handler: Handler
    private let acceptors: [String: Acceptor]
    private let otherwise: Acceptor?
    private let gate: Gate
    private let log: Log
    private let protocols: ProtocolList
    private(set) var isStopping = false
    private var connections: [UInt64: HTTPConnection] = [:]
    private var ports: [HTTPPort] = []
    private var lastID: UInt64 = 0
    private var isSweeping = false
    /// Where what is written is put together.
    var scratch: [UInt8] = []

    /// - Parameters:
    ///   - sessions: WebSocket endpoints by path.
    ///   - gate: who may open sessions at all.
    ///   - otherwise: takes sessions at other paths; nil: their upgrade is refused with 404.
    package init(
        on thread: ControlThread, options: HTTPServerOptions = HTTPServerOptions(), log: Log,
        sessions: [String: Acceptor] = [:], otherwise: Acceptor? = nil,
        gate: @escaping Gate = { _ in nil }, handler: @escaping Handler
    ) {
        self.thread = thread
        self.options = options
        self.log = log
        self.handler = handler
        acceptors = sessions
        self.otherwise = otherwise
        self.gate = gate
        protocols = ProtocolList(options.subprotocols)
    }

    /// Begins to accept connections; port 0: any free one. Returns the address it is bound to.
    package func listen(_ listener: HTTPListener) async throws(NetworkError) -> SocketAddress {
        let result = await thread.run { [self] in
            Result { () throws(NetworkError) in
                let port = try HTTPPort(listener, server: self, protocols: protocols)
                ports.append(port)
                return port.local
            }
        }
        let address = try result.get()
        log.info("listening", [("address", address.description), ("tls", listener.isSecure ? "yes" : "no")])
        return address
    }

    /// Stops accepting, says good-bye to WebSocket clients (1001), lets requests that are being answered end, and cuts
    /// what is left after `grace`. The server cannot be used again.
    package func stop(grace: MediaTime = .seconds(2)) async {
        await withCheckedContinuation { continuation in
            thread.post { [self] in
                isStopping = true
                for port in ports { port.close() }
                for connection in connections.values {
                    connection.closeSession(1001, "the server is stopping")
                    if connection.isIdle { connection.kill() }
                }
                awaitEnd(until: thread.now() + grace) { continuation.resume() }
            }
        }
    }

    /// Looks every few milliseconds whether all connections are gone.
    private func awaitEnd(until deadline: Instant, _ done: @escaping @Sendable () -> Void) {
        if connections.isEmpty {
            for port in ports { port.destroy() }
            ports = []
            return done()
        }
        let now = thread.now()
        if now >= deadline { for connection in connections.values { connection.kill() } }
        _ = thread.schedule(at: now + .milliseconds(10)) { [self] in awaitEnd(until: deadline, done) }
    }

    /// Connections at present. Takes a hop to the control thread.
    package func connectionCount() async -> Int { await thread.run { [self] in connections.count } }

    // MARK: On the control thread

    func handle(_ request: HTTPRequest, _ id: UInt64, _ number: UInt64) {
        let timer = thread.schedule(at: thread.now() + options.handlerMax) { [self] in
            connections[id]?.respond(
                HTTPResponse(503, "text/plain; charset=utf-8", "The answer took too long.\n"), to: number)
        }
        Task(executorPreference: thread) { [self] in
            let response = await handler(request)
            thread.post { [self] in
                thread.cancel(timer)
                connections[id]?.respond(response, to: number)
            }
        }
    }

    /// Why a request may not become a WebSocket; nil if it may.
    func refusal(of request: HTTPRequest) -> HTTPResponse? {
        if isStopping { return HTTPResponse(503, "text/plain; charset=utf-8", "The server is stopping.\n") }
        guard acceptor(for: request.path) != nil else {
            return HTTPResponse(404, "text/plain; charset=utf-8", "There is no WebSocket at this path.\n")
        }
        return gate(request)
    }

    func acceptor(for path: String) -> Acceptor? { acceptors[path] ?? otherwise }

    func accepted(_ descriptor: Int32, on port: HTTPPort) {
        guard !isStopping, connections.count < options.connectionsMax else {
            Glibc.close(descriptor)
            return
        }
        var peer = clinux_address()
        let remote = clinux_remote_address(descriptor, &peer) == 0 ? peer.socketAddress : nil
        guard let host = port.host, let wsi = cwebsockets_adopt_connection(host, descriptor) else { return }
        lastID += 1
        let connection = HTTPConnection(wsi, id: lastID, server: self, port: port, remote: remote)
        connections[lastID] = connection
        if !isSweeping { sweep() }
        lws_set_opaque_user_data(wsi, Unmanaged.passRetained(LibraryObject.connection(connection).boxed).toOpaque())
    }

    /// Cuts clients that had their time and asks silent ones whether they are there, as long as there are any.
    private func sweep() {
        isSweeping = true
        let shortest = min(options.requestMax, options.keepAliveMax, options.pingInterval)
        let period = max(.milliseconds(50), shortest / 8)
        _ = thread.schedule(at: thread.now() + period) { [self] in
            let now = thread.now()
            for connection in connections.values { connection.expire(at: now) }
            isSweeping = false
            if !connections.isEmpty { sweep() }
        }
    }

    func ended(_ connection: HTTPConnection) {
        connections[connection.id] = nil
        connection.closed()
    }
}

extension HTTPListener {
    var isSecure: Bool {
        if case .none = security { return false }
        return true
    }
}

/// What the library keeps a reference to for us with each descriptor it watches.
enum LibraryObject {
    case connection(HTTPConnection)
    case port(HTTPPort)

    final class Box {
        let object: LibraryObject
        init(_ object: LibraryObject) { self.object = object }
    }
    var boxed: Box { Box(self) }

    static func of(_ wsi: OpaquePointer) -> LibraryObject? {
        lws_get_opaque_user_data(wsi).map { Unmanaged<Box>.fromOpaque($0).takeUnretainedValue().object }
    }

    /// Every event of every descriptor comes here.
    static let callback:
        @convention(c) (
            OpaquePointer?, lws_callback_reasons, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, Int
        ) -> Int32 = { wsi, reason, _, input, count in
            guard let wsi, let object = LibraryObject.of(wsi) else { return 0 }
            if reason == LWS_CALLBACK_WSI_DESTROY {
                if case .connection(let connection) = object { connection.ended() }
                if let box = lws_get_opaque_user_data(wsi) { Unmanaged<Box>.fromOpaque(box).release() }
                lws_set_opaque_user_data(wsi, nil)
                return 0
            }
            switch object {
            case .connection(let connection):
                return connection.event(reason, UnsafeRawBufferPointer(start: input, count: input == nil ? 0 : count))
            case .port(let port):
                if reason == LWS_CALLBACK_RAW_RX_FILE { port.acceptConnections() }
                return 0
            }
        }
}

extension HTTPConnection {
    func event(_ reason: lws_callback_reasons, _ bytes: UnsafeRawBufferPointer) -> Int32 {
        switch reason {
        case LWS_CALLBACK_HTTP: headersArrived()
        case LWS_CALLBACK_HTTP_BODY: bodyArrived(bytes)
        case LWS_CALLBACK_HTTP_BODY_COMPLETION: bodyEnded()
        case LWS_CALLBACK_HTTP_WRITEABLE, LWS_CALLBACK_SERVER_WRITEABLE: writable()
        case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE: confirmUpgrade()
        case LWS_CALLBACK_ESTABLISHED: upgraded()
        case LWS_CALLBACK_RECEIVE_PONG: isHeard()
        case LWS_CALLBACK_RECEIVE: messageArrived(bytes)
        case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE: peerCloses(bytes)
        default: 0
        }
    }
}

/// The library's table of protocols: the first serves HTTP and sessions without a subprotocol. Lives as long as its
/// server, whose hosts point into it.
final class ProtocolList {
    let table: UnsafeMutablePointer<lws_protocols>
    private let names: [UnsafeMutablePointer<CChar>?]
    /// Read from a socket at a time.
    private static let readBytes = 64 << 10

    init(_ subprotocols: [String]) {
        names = (["http"] + subprotocols).map { strdup($0) }
        table = .allocate(capacity: names.count + 1)
        table.initialize(repeating: lws_protocols(), count: names.count + 1)
        for (index, name) in names.enumerated() {
            table[index].name = UnsafePointer(name)
            table[index].callback = LibraryObject.callback
            table[index].rx_buffer_size = Self.readBytes
        }
    }

    deinit {
        for name in names { free(name) }
        table.deallocate()
    }
}
