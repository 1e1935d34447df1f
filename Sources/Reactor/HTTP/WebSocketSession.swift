package import Core

/// One WebSocket connection that carries text messages (RFC 6455). Made by an `HTTPServer`; its callbacks run on the
/// control thread, its methods may be called anywhere. Set the callbacks where the session is accepted: nothing comes
/// before that returns.
package final class WebSocketSession: Sendable {
    private struct State {
        var onMessage: @Sendable (String) -> Void = { _ in }
        var onClose: @Sendable (_ code: Int, _ reason: String) -> Void = { _, _ in }
    }
    /// The request that was upgraded: path, query, headers, who asks.
    package let request: HTTPRequest
    /// The one agreed on; nil if the client asked for none.
    package let subprotocol: String?
    private let state = Lock(State())
    private let thread: ControlThread
    private let connection: Weak<HTTPConnection>

    init(_ connection: HTTPConnection, request: HTTPRequest, subprotocol: String?, thread: ControlThread) {
        self.connection = Weak(connection)
        self.request = request
        self.subprotocol = subprotocol
        self.thread = thread
    }

    /// Called with each whole message.
    package func onMessage(_ body: @escaping @Sendable (String) -> Void) { state.withLock { $0.onMessage = body } }

    /// Called once, when the connection is gone, whoever ended it; 1006 where nobody said why.
    package func onClose(_ body: @escaping @Sendable (_ code: Int, _ reason: String) -> Void) {
        state.withLock { $0.onClose = body }
    }

    /// Queues a message. A client that lets more than the server's bound pile up is closed (1008).
    package func send(_ text: String) { onThread { $0.send(text) } }

    /// Ends the session after what is queued.
    package func close(code: Int = 1000, reason: String = "") { onThread { $0.closeSession(code, reason) } }

    private func onThread(_ body: @escaping @Sendable (HTTPConnection) -> Void) {
        let connection = connection
        if thread.isIsolatingCurrentContext() == true {
            connection.value.map(body)
        } else {
            thread.post { connection.value.map(body) }
        }
    }

    func received(_ text: String) { state.withLock { $0.onMessage }(text) }

    /// Tells of the end and lets go of whoever was told.
    func ended(_ code: Int, _ reason: String) {
        let onClose = state.withLock { state in
            defer { state = State() }
            return state.onClose
        }
        onClose(code, reason)
    }
}
