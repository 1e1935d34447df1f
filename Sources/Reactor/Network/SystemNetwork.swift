import CLinux
import Core
import Glibc

/// A set of real sockets on a loop thread. Every call is made on that loop; the last reference may go anywhere.
final class SystemNetwork: LoopNetwork, @unchecked Sendable {
    // Sendable: everything mutable is touched only on the loop's thread, which every call checks; `deinit` posts the
    // sockets there to be closed.
    private let engine: NetworkEngine
    private(set) weak var receiver: (any NetworkReceiver)?
    /// Counted by the sockets as they go; what the kernel has dropped is asked for by `counters`.
    var tally = NetworkCounters()
    var isTouched = false
    private var datagramSockets: [SocketAddress: UDPSocket] = [:]
    private var listeners: [SocketAddress: TCPListener] = [:]
    private var connections: [NetworkPath: TCPConnection] = [:]
    /// The socket last sent through: most packets of a turn go through one.
    private var lastUsed: (local: SocketAddress, socket: UDPSocket)?
    private var isWatchingIdle = false

    init(_ engine: NetworkEngine) { self.engine = engine }

    var counters: NetworkCounters {
        engine.loop.checkIsolated()
        for socket in datagramSockets.values { socket.countDrops() }
        return tally
    }

    deinit {
        let sockets = (datagramSockets, listeners, connections)
        let remains = Remains(
            datagram: Array(sockets.0.values), listeners: Array(sockets.1.values),
            connections: Array(sockets.2.values))
        engine.loop.post { remains.close() }
    }

    /// What a set leaves behind.
    private struct Remains: @unchecked Sendable {
        // Sendable: made when nobody else refers to the sockets any more, and used on their loop.
        let datagram: [UDPSocket]
        let listeners: [TCPListener]
        let connections: [TCPConnection]
        func close() {
            for socket in datagram { socket.close() }
            for listener in listeners { listener.close() }
            for connection in connections { connection.close() }
        }
    }

    func attach(_ receiver: (any NetworkReceiver)?) {
        engine.loop.checkIsolated()
        self.receiver = receiver
    }

    // MARK: Opening and closing

    func openUDP(_ address: SocketAddress, in ports: PortRange?) throws(NetworkError) -> SocketAddress {
        engine.loop.checkIsolated()
        let socket = try onFreePort(address, ports) { address throws(NetworkError) in
            try UDPSocket(address, self, engine)
        }
        datagramSockets[socket.local] = socket
        return socket.local
    }

    func listenTCP(_ address: SocketAddress, in ports: PortRange?) throws(NetworkError) -> SocketAddress {
        engine.loop.checkIsolated()
        let listener = try onFreePort(address, ports) { address throws(NetworkError) in
            try TCPListener(address, self, engine)
        }
        listeners[listener.local] = listener
        return listener.local
    }

    /// Opens on the port given; with port 0 and a range on one of its ports, beginning anywhere in it, so that ports
    /// just closed rest.
    private func onFreePort<Socket>(
        _ address: SocketAddress, _ ports: PortRange?, _ open: (SocketAddress) throws(NetworkError) -> Socket
    ) throws(NetworkError) -> Socket {
        guard address.port == 0, let ports = ports ?? engine.options.ports else { return try open(address) }
        let start = Int.random(in: 0..<ports.count)
        var last = NetworkError("no free port on \(address.ip) in \(ports)")
        for step in 0..<ports.count {
            let port = UInt16(clamping: Int(ports.first) + (start + step) % ports.count)
            do throws(NetworkError) { return try open(SocketAddress(address.ip, port)) } catch { last = error }
        }
        throw NetworkError("no free port on \(address.ip) in \(ports); the last try: \(last)")
    }

    func connectTCP(from local: IPAddress, to remote: SocketAddress) throws(NetworkError) -> SocketAddress {
        engine.loop.checkIsolated()
        guard connections.count < engine.options.connectionsMax else {
            tally.connectionsRefused += 1
            throw NetworkError("cannot connect to \(remote): there are \(connections.count) connections already")
        }
        let scope = engine.scope(of: local)
        var from = clinux_address(SocketAddress(local, 0), scope: scope)
        var to = clinux_address(remote, scope: scope)
        var options = TCPConnection.socketOptions(engine.options)
        let descriptor = clinux_open_connection(&from, &to, &options)
        guard descriptor >= 0 else { throw NetworkError("cannot connect to \(remote)", code: descriptor) }
        guard
            let connection = TCPConnection(
                descriptor, remote: remote, isConnected: false, self, engine, at: engine.loop.now())
        else { throw NetworkError("cannot connect to \(remote): the system watches no more descriptors") }
        add(connection)
        return connection.path.local
    }

    func close(_ transport: NetworkPath.Transport, _ address: SocketAddress) {
        engine.loop.checkIsolated()
        switch transport {
        case .udp:
            guard let socket = datagramSockets.removeValue(forKey: address) else { return }
            lastUsed = nil
            engine.outbox.flush()
            socket.close()
        case .tcp: listeners.removeValue(forKey: address)?.close()
        }
    }

    func reserve(_ path: NetworkPath) {
        engine.loop.checkIsolated()
        if path.transport == .udp { socket(for: path.local)?.reserve(path) }
    }

    func release(_ path: NetworkPath) {
        engine.loop.checkIsolated()
        if path.transport == .udp { socket(for: path.local)?.release(path) }
    }

    /// Paths of a socket that are kept apart, and those that wait for a place; tests watch it.
    func reserved(at local: SocketAddress) -> [Int] { datagramSockets[local]?.reservedCounts ?? [] }

    func disconnect(_ path: NetworkPath) {
        engine.loop.checkIsolated()
        guard let connection = connections.removeValue(forKey: path) else { return }
        connection.writeQueue()
        connection.close()
    }

    // MARK: Sending

    func send(_ bytes: UnsafeRawBufferPointer, over path: NetworkPath, dscp: UInt8?) {
        engine.loop.checkIsolated()
        guard path.transport == .udp else {
            connections[path]?.send(bytes)
            return
        }
        guard bytes.count <= Outbox.datagramBytesMax else {
            tally.droppedRefused += 1
            return
        }
        guard let socket = socket(for: path.local) else {
            tally.droppedNoSocket += 1
            return
        }
        // A socket that is bound to one address sends from it anyway.
        let from = socket.local.ip.isAny && !path.local.ip.isAny ? path.local.ip : nil
        engine.outbox.add(
            bytes, through: socket, from: from, to: clinux_address(path.remote, scope: engine.scope(of: path.local.ip)),
            dscp: dscp)
    }

    private func socket(for local: SocketAddress) -> UDPSocket? {
        if let lastUsed, lastUsed.local == local { return lastUsed.socket }
        let any = SocketAddress(local.ip.isV4 ? .anyV4 : .anyV6, local.port)
        guard let socket = datagramSockets[local] ?? datagramSockets[any] else { return nil }
        lastUsed = (local, socket)
        return socket
    }

    // MARK: Names

    func interfaceAddresses() -> [IPAddress] {
        engine.loop.checkIsolated()
        let offered = engine.allInterfaces().filter { engine.options.offers(interface: $0.name) }
        let reachable = offered.filter { !$0.isLoopback }
        return (reachable.isEmpty ? offered : reachable).map(\.ip)
    }

    func addresses(ofInterfaces names: [String]) -> [IPAddress] {
        engine.loop.checkIsolated()
        return engine.allInterfaces().filter { names.contains($0.name) }.map(\.ip)
    }

    func resolve(_ name: String, answer: @escaping @Sendable ([IPAddress]) -> Void) {
        engine.loop.checkIsolated()
        engine.resolver.resolve(name, answer: answer)
    }

    // MARK: From the connections

    /// Takes over an accepted descriptor, or closes it where there are too many.
    func accepted(_ descriptor: Int32, at now: Instant) {
        guard connections.count < engine.options.connectionsMax else {
            tally.connectionsRefused += 1
            Glibc.close(descriptor)
            return
        }
        guard let connection = TCPConnection(descriptor, remote: nil, isConnected: true, self, engine, at: now) else {
            return
        }
        add(connection)
        isThere(connection, at: now)
    }

    private func add(_ connection: TCPConnection) {
        connections[connection.path] = connection
        if !isWatchingIdle { watchIdle() }
    }

    func isThere(_ connection: TCPConnection, at now: Instant) {
        receiver?.connected(connection.path, at: now)
        engine.touch(self)
    }

    func received(_ bytes: UnsafeMutableRawBufferPointer, over path: NetworkPath, at now: Instant) {
        tally.bytesReceived += bytes.count
        receiver?.receive(bytes, over: path, at: now)
        engine.touch(self)
    }

    func ended(_ connection: TCPConnection, reason: String, at now: Instant) {
        guard connections[connection.path] === connection else { return }
        connections[connection.path] = nil
        connection.close()
        receiver?.disconnected(connection.path, reason: reason, at: now)
    }

    /// Looks for connections on which nothing moves, as long as there are any.
    private func watchIdle() {
        isWatchingIdle = true
        let idleMax = engine.options.connectionIdleMax
        let network = Weak(self)
        // A connection lives at most an eighth longer than it may.
        _ = engine.loop.schedule(at: engine.loop.now() + max(.milliseconds(10), idleMax / 8)) {
            guard let network = network.value else { return }
            let now = network.engine.loop.now()
            for connection in network.connections.values where now - connection.lastActivity > idleMax {
                network.tally.connectionsIdled += 1
                network.ended(connection, reason: "nothing was sent or received for \(idleMax)", at: now)
            }
            network.isWatchingIdle = false
            if !network.connections.isEmpty { network.watchIdle() }
        }
    }
}
