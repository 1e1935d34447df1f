import Core

/// The carrier's handle on one connection. Everything is called on the server's executor.
package struct RPCConnection: Sendable {
    let number: Int
    let server: RPCServer

    /// A message of the client.
    package func receive(_ text: String) {
        let number = number
        server.assumeIsolated { $0.receive(text, on: number) }
    }

    /// The connection has gone. What its session owns stays until the collector comes.
    package func ended() {
        let number = number
        server.assumeIsolated { $0.disconnected(number) }
    }
}

/// What the server keeps of a connection. Owned by its actor.
final class ConnectionState {
    let number: Int
    let send: @Sendable (String) -> Void
    /// The session it is tied to: requests without one are this one's.
    var session: String?
    /// A request is being handled; others wait, so that answers come in order.
    var isBusy = false
    var waiting = Deque<String>()
    var waitingBytes = 0
    /// Requests that may still be made now.
    private var allowance: Double
    private var allowedAt: Instant

    init(number: Int, requestsPerSecond: Int, now: Instant, send: @escaping @Sendable (String) -> Void) {
        self.number = number
        self.send = send
        allowance = Double(requestsPerSecond)
        allowedAt = now
    }

    /// Counts a request; false if it is one too many for now. `rate`: requests per second, 0 for no limit.
    func mayAsk(_ rate: Int, at now: Instant) -> Bool {
        guard rate > 0 else { return true }
        allowance = min(Double(rate), allowance + Double(rate) * (now - allowedAt).seconds)
        allowedAt = now
        guard allowance >= 1 else { return false }
        allowance -= 1
        return true
    }
}
