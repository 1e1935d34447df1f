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
/// When the last reference goes, its sockets are closed.
package protocol LoopNetwork: AnyObject, Sendable {
    /// Sets who is called, or nobody with nil; held weakly. What arrives before is dropped.
    func attach(_ receiver: (any NetworkReceiver)?)
    /// Opens a UDP socket. Port 0: any free one, of `ports` where a range is given. Returns the address it is bound to.
    func openUDP(_ address: SocketAddress, in ports: PortRange?) throws(NetworkError) -> SocketAddress
    /// Accepts TCP connections; port 0: any free one. Returns the address it is bound to.
    func listenTCP(_ address: SocketAddress, in ports: PortRange?) throws(NetworkError) -> SocketAddress
    /// Begins a TCP connection from any local port; `connected` or `disconnected` follows with the path's final form,
    /// never during the call. Returns that path's local address.
    func connectTCP(from local: IPAddress, to remote: SocketAddress) throws(NetworkError) -> SocketAddress
    /// Closes a socket that `openUDP` or `listenTCP` returned the address of. Connections that a listener accepted stay.
    func close(_ transport: NetworkPath.Transport, _ address: SocketAddress)
    /// Closes one TCP connection, after what was queued for it has been offered to the kernel once more; nobody is told.
    func disconnect(_ path: NetworkPath)
    /// From now on datagrams over this UDP path wait for us in a queue of their own: a flood of a stranger's cannot push
    /// them out. Datagrams over other paths of that socket must look like STUN, DTLS, RTP or RTCP to be received at all
    /// (RFC 7983). Begins some tenths of a second later; where the system cannot, nothing changes.
    func reserve(_ path: NetworkPath)
    /// Ends that; closing the socket does too.
    func release(_ path: NetworkPath)
    /// Queues a datagram (copied) for the end of the loop's turn, or bytes for a TCP stream. What the kernel does not
    /// take is dropped and counted (UDP), or kept up to a bound, beyond which the connection is closed (TCP). `dscp`: a
    /// datagram's mark for routers (RFC 2474), 0…63; nil: that of all our sockets.
    func send(_ bytes: UnsafeRawBufferPointer, over path: NetworkPath, dscp: UInt8?)
    /// Addresses of this machine's interfaces, for host candidates; without loopback unless there is nothing else.
    func interfaceAddresses() -> [IPAddress]
    /// The addresses of the interfaces of these names.
    func addresses(ofInterfaces names: [String]) -> [IPAddress]
    /// Looks a host name up without holding the loop up; `answer` is called once, on the loop, empty when there is none.
    /// Names that end in `.local` are asked for by multicast (RFC 6762, section 5.1).
    func resolve(_ name: String, answer: @escaping @Sendable ([IPAddress]) -> Void)
    /// What was received, sent and lost since the set was made.
    var counters: NetworkCounters { get }
}

extension LoopNetwork {
    /// Sends without a mark of its own.
    package func send(_ bytes: UnsafeRawBufferPointer, over path: NetworkPath) { send(bytes, over: path, dscp: nil) }

    /// Opens a UDP socket on the port given, or any free one.
    package func openUDP(_ address: SocketAddress) throws(NetworkError) -> SocketAddress {
        try openUDP(address, in: nil)
    }

    /// Accepts TCP connections on the port given, or any free one.
    package func listenTCP(_ address: SocketAddress) throws(NetworkError) -> SocketAddress {
        try listenTCP(address, in: nil)
    }

    /// Opens two UDP sockets for RTP without multiplexed RTCP: an even port and the next (RFC 3550, section 11). The
    /// search begins at the pair of that number, so that ports just closed can rest.
    package func openUDPPair(
        _ ip: IPAddress, in ports: PortRange? = nil, from start: Int = 0
    ) throws(NetworkError) -> (rtp: SocketAddress, rtcp: SocketAddress) {
        let range = ports ?? .dynamic
        let first = Int(range.first) + Int(range.first & 1)
        let count = max(0, (Int(range.last) - first + 1) / 2)
        // Each pair is tried once; those that are taken cost one system call.
        for step in 0..<count {
            let lower = first + 2 * ((step + Int(start.magnitude % UInt(count))) % count)
            guard let rtp = try? openUDP(SocketAddress(ip, UInt16(lower)), in: nil) else { continue }
            if let rtcp = try? openUDP(SocketAddress(ip, UInt16(lower + 1)), in: nil) { return (rtp, rtcp) }
            close(.udp, rtp)
        }
        throw NetworkError("no two free UDP ports side by side on \(ip) in \(range)")
    }
}

/// Ports that may be used, both ends included.
package struct PortRange: Hashable, Sendable, CustomStringConvertible {
    package let first: UInt16
    package let last: UInt16

    /// Nil where `last` comes before `first`, or port 0 is among them.
    package init?(_ first: UInt16, _ last: UInt16) {
        guard first > 0, first <= last else { return nil }
        self.init(unchecked: first, last)
    }

    private init(unchecked first: UInt16, _ last: UInt16) {
        self.first = first
        self.last = last
    }

    /// The dynamic ports of RFC 6335, section 6.
    package static let dynamic = PortRange(unchecked: 49152, 65535)

    package var count: Int { Int(last) - Int(first) + 1 }
    package func contains(_ port: UInt16) -> Bool { first <= port && port <= last }
    package var description: String { "\(first)–\(last)" }
}

/// What went through a set of sockets, and what was lost on our side of them and why.
package struct NetworkCounters: Hashable, Sendable {
    package var datagramsReceived = 0
    package var bytesReceived = 0
    /// Of `datagramsReceived` those that came by places reserved for known peers.
    package var datagramsReserved = 0
    package var datagramsSent = 0
    package var bytesSent = 0
    /// Received, but longer than a slot: cut off by the kernel, so not handed over.
    package var droppedTooLong = 0
    /// Received while nobody was attached.
    package var droppedUnattached = 0
    /// Not received: the kernel's buffer for known peers was full.
    package var droppedByKernelReserved = 0
    /// Not received: the kernel's buffer that strangers fill too was full, or what came can be no peer's.
    package var droppedByKernelOpen = 0
    /// Not sent: the kernel's buffer and our queue behind it were full.
    package var droppedQueueFull = 0
    /// Not sent: no socket has the path's local address.
    package var droppedNoSocket = 0
    /// Not sent: the kernel refused (no route, too long for the interface, a firewall).
    package var droppedRefused = 0
    /// Times that the system would not keep reserved paths apart.
    package var reservationsRefused = 0
    /// TCP connections closed at the limit of how many there may be.
    package var connectionsRefused = 0
    /// TCP connections closed because the other side did not read what was queued for it.
    package var connectionsOverflowed = 0
    /// TCP connections closed because nothing moved on them.
    package var connectionsIdled = 0

    package init() {}
}

/// An operation on sockets that the system refused.
package struct NetworkError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// The network of a loop that has none: every opening is refused in words, and sending does nothing.
package final class NoNetwork: LoopNetwork {
    private let reason: String
    private let loop: any Loop

    package init(_ loop: any Loop, reason: String) {
        self.loop = loop
        self.reason = reason
    }

    package func attach(_ receiver: (any NetworkReceiver)?) {}
    package func openUDP(_ address: SocketAddress, in ports: PortRange?) throws(NetworkError) -> SocketAddress {
        throw NetworkError(reason)
    }
    package func listenTCP(_ address: SocketAddress, in ports: PortRange?) throws(NetworkError) -> SocketAddress {
        throw NetworkError(reason)
    }
    package func connectTCP(from local: IPAddress, to remote: SocketAddress) throws(NetworkError) -> SocketAddress {
        throw NetworkError(reason)
    }
    package func close(_ transport: NetworkPath.Transport, _ address: SocketAddress) {}
    package func disconnect(_ path: NetworkPath) {}
    package func send(_ bytes: UnsafeRawBufferPointer, over path: NetworkPath, dscp: UInt8?) {}
    package func interfaceAddresses() -> [IPAddress] { [] }
    package func resolve(_ name: String, answer: @escaping @Sendable ([IPAddress]) -> Void) { loop.post { answer([]) } }
    package var counters: NetworkCounters { NetworkCounters() }
}

extension LoopNetwork {
    /// Where there are no floods.
    package func reserve(_ path: NetworkPath) {}
    package func release(_ path: NetworkPath) {}
    /// Where interfaces have no names.
    package func addresses(ofInterfaces names: [String]) -> [IPAddress] { [] }
}
