/// The way a datagram, or a piece of a byte stream, came or is to go: one pair of addresses over one transport.
package struct NetworkPath: Hashable, Sendable, CustomStringConvertible {
    package enum Transport: String, Hashable, Sendable { case udp, tcp }
    package var transport: Transport
    /// Our address, as the socket is bound; for UDP bound to any address, the one the datagram was sent to.
    package var local: SocketAddress
    package var remote: SocketAddress

    package init(_ transport: Transport = .udp, local: SocketAddress, remote: SocketAddress) {
        self.transport = transport
        self.local = local
        self.remote = remote
    }

    package var description: String { "\(transport.rawValue) \(local) → \(remote)" }
}

/// Whoever gets what arrives at a loop's sockets. Called on the loop only.
package protocol NetworkReceiver: AnyObject {
    /// One datagram, or the next bytes of a TCP stream. The memory is the loop's: it may be changed in place (SRTP is),
    /// and is valid during the call. `now` was read once for the whole batch.
    func receive(_ bytes: UnsafeMutableRawBufferPointer, over path: NetworkPath, at now: Instant)
    /// All that was ready has been handed over: the moment to send what it led to.
    func batchEnded(at now: Instant)
    /// A TCP connection was accepted, or one asked for with `connect` is there.
    func connected(_ path: NetworkPath, at now: Instant)
    /// A TCP connection ended or could not be made; `reason` says how.
    func disconnected(_ path: NetworkPath, reason: String, at now: Instant)
}

/// A set of sockets served by one loop: every call is made on that loop, and its receiver is called there.
///
/// Real ones are in Reactor (epoll, `recvmmsg`, `sendmmsg`), simulated ones in TestKit (latency, loss, NAT, a seed).
package protocol LoopNetwork: AnyObject, Sendable {
    /// Sets who is called. Nothing is handed over before.
    func attach(_ receiver: any NetworkReceiver)
    /// Opens a UDP socket; port 0: any free one. Returns the address it is bound to.
    func openUDP(_ address: SocketAddress) throws(NetworkError) -> SocketAddress
    /// Accepts TCP connections; port 0: any free one. Returns the address it is bound to.
    func listenTCP(_ address: SocketAddress) throws(NetworkError) -> SocketAddress
    /// Begins a TCP connection from any local port; `connected` or `disconnected` follows with the path's final form.
    /// Returns that path's local address.
    func connectTCP(from local: IPAddress, to remote: SocketAddress) throws(NetworkError) -> SocketAddress
    /// Closes a socket that `openUDP` or `listenTCP` returned the address of.
    func close(_ transport: NetworkPath.Transport, _ address: SocketAddress)
    /// Closes one TCP connection.
    func disconnect(_ path: NetworkPath)
    /// Queues a datagram (copied) for the end of the loop's turn, or bytes for a TCP stream. What the kernel does not
    /// take is dropped and counted (UDP), or kept up to a bound, beyond which the connection is closed (TCP).
    func send(_ bytes: UnsafeRawBufferPointer, over path: NetworkPath)
    /// Addresses of this machine's interfaces, for host candidates; without loopback unless there is nothing else.
    func interfaceAddresses() -> [IPAddress]
    /// Looks a host name up without holding the loop up; `answer` is called on the loop, empty when there is none.
    func resolve(_ name: String, answer: @escaping @Sendable ([IPAddress]) -> Void)
}

/// An operation on sockets that the system refused.
package struct NetworkError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}
