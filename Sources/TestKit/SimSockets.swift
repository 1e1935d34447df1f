import Core

/// A set of sockets on a simulated machine. UDP goes as the lines let it; a TCP stream is reliable, in order and takes
/// a fixed time, whatever the lines are like: it carries signalling, not media.
final class SimSockets: LoopNetwork, @unchecked Sendable {
    // Sendable: touched only by the one thread that runs the simulation.
    private final class Stream {
        let path: NetworkPath
        weak var peer: Stream?
        weak var owner: SimSockets?
        var isOpen = false
        /// No piece arrives before the one sent earlier.
        var lastArrival = Instant(nanoseconds: 0)
        init(_ path: NetworkPath, _ owner: SimSockets) {
            self.path = path
            self.owner = owner
        }
    }
    private let machine: SimMachine
    private weak var receiver: (any NetworkReceiver)?
    private(set) var counters = NetworkCounters()
    private var datagramSockets: Set<SocketAddress> = []
    private var listeners: Set<SocketAddress> = []
    private(set) var reserved: Set<NetworkPath> = []
    private var streams: [NetworkPath: Stream] = [:]
    /// One way of a stream between two machines, whatever their lines are like.
    private static let streamDelay = MediaTime.milliseconds(25)
    /// What a datagram carries besides its payload (IPv4 and UDP).
    private static let headerBytes = 28

    init(_ machine: SimMachine) { self.machine = machine }

    func attach(_ receiver: (any NetworkReceiver)?) { self.receiver = receiver }

    // MARK: Opening and closing

    func openUDP(_ address: SocketAddress, in ports: PortRange?) throws(NetworkError) -> SocketAddress {
        let bound = try free(address, ports) { candidate in
            machine.allSockets.contains { $0.datagramSockets.contains { clashes($0, candidate) } }
        }
        datagramSockets.insert(bound)
        return bound
    }

    func listenTCP(_ address: SocketAddress, in ports: PortRange?) throws(NetworkError) -> SocketAddress {
        let bound = try free(address, ports) { candidate in
            machine.allSockets.contains { $0.listeners.contains { clashes($0, candidate) } }
        }
        listeners.insert(bound)
        return bound
    }

    private func clashes(_ a: SocketAddress, _ b: SocketAddress) -> Bool {
        a.port == b.port && a.ip.isV4 == b.ip.isV4 && (a.ip == b.ip || a.ip.isAny || b.ip.isAny)
    }

    private func free(
        _ address: SocketAddress, _ ports: PortRange?, _ isTaken: (SocketAddress) -> Bool
    ) throws(NetworkError) -> SocketAddress {
        guard address.ip.isAny || machine.addresses.contains(address.ip) else {
            throw NetworkError("cannot open \(address): Cannot assign requested address")
        }
        if address.port != 0 {
            guard !isTaken(address) else { throw NetworkError("cannot open \(address): Address already in use") }
            return address
        }
        let candidates = ports.map { Array($0.first...$0.last) } ?? machine.takePorts()
        for port in candidates where !isTaken(SocketAddress(address.ip, port)) {
            return SocketAddress(address.ip, port)
        }
        throw NetworkError("no free port on \(address.ip)")
    }

    func close(_ transport: NetworkPath.Transport, _ address: SocketAddress) {
        if transport == .udp { datagramSockets.remove(address) } else { listeners.remove(address) }
    }

    func reserve(_ path: NetworkPath) { reserved.insert(path) }
    func release(_ path: NetworkPath) { reserved.remove(path) }

    // MARK: Datagrams

    func send(_ bytes: UnsafeRawBufferPointer, over path: NetworkPath, dscp: UInt8?) {
        if path.transport == .tcp { return sendStream(Array(bytes), path) }
        guard
            let socket = datagramSockets.first(where: {
                $0.port == path.local.port
                    && ($0.ip == path.local.ip || ($0.ip.isAny && $0.ip.isV4 == path.local.ip.isV4))
            })
        else {
            counters.droppedNoSocket += 1
            return
        }
        var source = path.local
        if source.ip.isAny, let own = machine.addresses.first(where: { $0.isV4 == socket.ip.isV4 }) { source.ip = own }
        counters.datagramsSent += 1
        counters.bytesSent += bytes.count
        machine.send(
            SimNetwork.Packet(
                source: source, destination: path.remote, bytes: Array(bytes),
                size: bytes.count + Self.headerBytes))
    }

    /// Whether a socket of this set takes datagrams for that address.
    func receive(_ bytes: [UInt8], to local: SocketAddress, from remote: SocketAddress, at now: Instant) -> Bool {
        guard datagramSockets.contains(local) || datagramSockets.contains(any(local)) else { return false }
        counters.datagramsReceived += 1
        counters.bytesReceived += bytes.count
        hand(bytes, NetworkPath(.udp, local: local, remote: remote), at: now)
        return true
    }

    private func any(_ address: SocketAddress) -> SocketAddress {
        SocketAddress(address.ip.isV4 ? .anyV4 : .anyV6, address.port)
    }

    private func hand(_ bytes: [UInt8], _ path: NetworkPath, at now: Instant) {
        guard let receiver else {
            counters.droppedUnattached += 1
            return
        }
        var bytes = bytes
        bytes.withUnsafeMutableBytes { receiver.receive($0, over: path, at: now) }
        receiver.batchEnded(at: now)
    }

    // MARK: Streams

    func connectTCP(from local: IPAddress, to remote: SocketAddress) throws(NetworkError) -> SocketAddress {
        guard let own = local.isAny ? machine.addresses.first(where: { $0.isV4 == remote.ip.isV4 }) : local,
            machine.addresses.contains(own), let port = machine.takePorts().first
        else { throw NetworkError("cannot connect to \(remote): Cannot assign requested address") }
        let path = NetworkPath(.tcp, local: SocketAddress(own, port), remote: remote)
        let stream = Stream(path, self)
        streams[path] = stream
        // One way for the question, one for the answer.
        after(Self.streamDelay) { [weak self] now in self?.arrived(stream, at: now) }
        return path.local
    }

    private func arrived(_ stream: Stream, at now: Instant) {
        let remote = stream.path.remote
        let there = machine.network.machine(at: remote.ip, for: machine)
        guard let there,
            let acceptor = there.allSockets.first(where: {
                $0.listeners.contains(remote) || $0.listeners.contains(any(remote))
            })
        else {
            return after(Self.streamDelay) { [weak self] now in self?.end(stream, "Connection refused", at: now) }
        }
        var source = stream.path.local
        if let nat = machine.nat, there.nat !== nat { source = nat.out(source, to: remote, at: now) }
        let other = Stream(NetworkPath(.tcp, local: remote, remote: source), acceptor)
        other.peer = stream
        other.isOpen = true
        stream.peer = other
        acceptor.streams[other.path] = other
        acceptor.receiver?.connected(other.path, at: now)
        after(Self.streamDelay) { now in
            guard let owner = stream.owner, owner.streams[stream.path] === stream else { return }
            stream.isOpen = true
            owner.receiver?.connected(stream.path, at: now)
        }
    }

    private func sendStream(_ bytes: [UInt8], _ path: NetworkPath) {
        guard let stream = streams[path], stream.isOpen, let peer = stream.peer else { return }
        counters.bytesSent += bytes.count
        inOrder(peer) { now in
            guard let owner = peer.owner, owner.streams[peer.path] === peer else { return }
            owner.counters.bytesReceived += bytes.count
            owner.hand(bytes, peer.path, at: now)
        }
    }

    func disconnect(_ path: NetworkPath) {
        guard let stream = streams.removeValue(forKey: path), let peer = stream.peer else { return }
        inOrder(peer) { now in peer.owner?.end(peer, "closed by the other side", at: now) }
    }

    private func end(_ stream: Stream, _ reason: String, at now: Instant) {
        guard streams[stream.path] === stream else { return }
        streams[stream.path] = nil
        receiver?.disconnected(stream.path, reason: reason, at: now)
    }

    private func inOrder(_ peer: Stream, _ body: @escaping (Instant) -> Void) {
        peer.lastArrival = max(peer.lastArrival, machine.now() + Self.streamDelay)
        after(peer.lastArrival - machine.now(), body)
    }

    private func after(_ delay: MediaTime, _ body: @escaping (Instant) -> Void) {
        let carried = Carried(body: body)
        let machine = machine
        _ = machine.schedule(at: machine.now() + delay) { carried.body(machine.now()) }
    }

    private struct Carried: @unchecked Sendable {
        // Sendable: made and run by the one thread that runs the simulation.
        let body: (Instant) -> Void
    }

    // MARK: Names

    func interfaceAddresses() -> [IPAddress] { machine.addresses }

    func resolve(_ name: String, answer: @escaping @Sendable ([IPAddress]) -> Void) {
        let found = IPAddress(name).map { [$0] } ?? machine.network.addresses(of: name)
        machine.post { answer(found) }
    }
}
