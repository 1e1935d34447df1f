package import Core

/// Limits of an HTTP server. Each is there because somebody will try.
package struct HTTPServerOptions: Sendable {
    /// Connections at a time, over all listeners.
    package var connectionsMax = 1024
    /// A longer body is refused with 413.
    package var bodyBytesMax = 1 << 20
    /// A request must have come whole by then; a slow one is cut.
    package var requestMax = MediaTime.seconds(20)
    /// A handler that has not answered by then is answered for with 503.
    package var handlerMax = MediaTime.seconds(60)
    /// A client that does not read its answer for so long is cut.
    package var writeMax = MediaTime.seconds(20)
    /// A connection without a request is closed after this.
    package var keepAliveMax = MediaTime.seconds(30)
    /// Subprotocols that WebSocket clients may ask for; a client that asks for none gets none.
    package var subprotocols: [String] = []
    /// A longer WebSocket message ends its session (1009).
    package var messageBytesMax = 4 << 20
    /// What may wait to be sent to one WebSocket client; one that does not read ends (1008).
    package var sessionQueueBytesMax = 8 << 20
    /// A WebSocket on which nothing came for so long is pinged, and after half as long again without an answer closed.
    package var pingInterval = MediaTime.seconds(20)
    /// Headers that are no common ones and that handlers want to see, lower case.
    package var extraHeaders = ["x-forwarded-proto", "x-forwarded-host", "x-request-id", "x-http-method-override"]

    package init() {}
}

/// One address an HTTP server listens on.
package struct HTTPListener: Sendable {
    package enum Security: Sendable {
        case none
        /// A certificate chain and its key, PEM text.
        case pem(certificate: String, key: String)
        /// A certificate made now, for these host names and addresses; clients must be told to trust it.
        case selfSigned(names: [String])
    }
    package var address: SocketAddress
    package var security: Security

    package init(_ address: SocketAddress, security: Security = .none) {
        self.address = address
        self.security = security
    }
}
