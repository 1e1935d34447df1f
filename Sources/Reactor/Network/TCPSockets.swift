import CLinux
import Core
import Glibc

/// A listening TCP socket. Owned by its set, touched only on the loop.
final class TCPListener: LoopDescriptor {
    let local: SocketAddress
    private weak let network: SystemNetwork?
    private let engine: NetworkEngine
    private var descriptor: Int32
    private var token: WatchToken?
    /// Connections accepted per turn, so that a flood of them does not hold the loop up.
    private static let acceptsPerTurn = 16
    private static let backlog: Int32 = 1024
    /// With no descriptors left, a listener would be ready for ever: it looks away for so long.
    private static let pause = MediaTime.milliseconds(100)

    init(_ address: SocketAddress, _ network: SystemNetwork, _ engine: NetworkEngine) throws(NetworkError) {
        var wanted = clinux_address(address, scope: engine.scope(of: address.ip))
        descriptor = clinux_open_listener(&wanted, Self.backlog)
        guard descriptor >= 0 else { throw NetworkError("cannot listen on TCP \(address)", code: descriptor) }
        var bound = clinux_address()
        _ = clinux_local_address(descriptor, &bound)
        local = bound.socketAddress
        self.network = network
        self.engine = engine
        token = engine.loop.watch(descriptor, EPOLLIN.rawValue, self)
        guard token != nil else {
            Glibc.close(descriptor)
            throw NetworkError("cannot listen on TCP \(address): the system watches no more descriptors")
        }
    }

    func close() {
        guard descriptor >= 0 else { return }
        if let token { engine.loop.unwatch(token, descriptor) }
        Glibc.close(descriptor)
        descriptor = -1
    }

    func ready(_ events: UInt32, at now: Instant) {
        for _ in 0..<Self.acceptsPerTurn {
            guard descriptor >= 0, let network else { return }
            var options = TCPConnection.socketOptions(engine.options)
            let accepted = clinux_accept(descriptor, &options)
            if accepted >= 0 {
                network.accepted(accepted, at: now)
            } else if accepted == -EMFILE || accepted == -ENFILE || accepted == -ENOBUFS || accepted == -ENOMEM {
                lookAway(at: now)
                return
            } else if accepted == -EAGAIN {
                return
            }
        }
    }

    private func lookAway(at now: Instant) {
        guard let token else { return }
        engine.loop.rewatch(token, descriptor, 0)
        let again = Weak(self)
        _ = engine.loop.schedule(at: now + Self.pause) {
            guard let listener = again.value, listener.descriptor >= 0 else { return }
            listener.engine.loop.rewatch(token, listener.descriptor, EPOLLIN.rawValue)
        }
    }
}

/// Carries an object of the loop through a timer or a post of the same loop.
struct Weak<Object: AnyObject>: @unchecked Sendable {
    // Sendable: made and read on one loop only; in between it is not looked at.
    private(set) weak var value: Object?
    init(_ value: Object) { self.value = value }
}

/// One TCP connection: bytes in as they come, bytes out through a bounded queue. Owned by its set, touched only on the
/// loop.
final class TCPConnection: LoopDescriptor {
    let path: NetworkPath
    var isDirty = false
    private(set) var lastActivity: Instant
    private weak let network: SystemNetwork?
    private let engine: NetworkEngine
    private var descriptor: Int32
    private var token: WatchToken?
    private var isConnected: Bool
    private var hasFailed = false
    /// What is to be written, from `written` on.
    private var queue: [UInt8] = []
    private var written = 0
    /// A queue that has grown beyond this gives its memory back when it is empty.
    private static let keptCapacity = 64 << 10

    /// Streams keep the kernel's own buffers: it fits them to the line.
    static func socketOptions(_ options: NetworkOptions) -> clinux_socket_options {
        var options = options.socketOptions
        options.buffer_bytes = 0
        return options
    }

    /// Takes over a descriptor; nil, and the descriptor is closed, if it is gone already or cannot be watched.
    init?(
        _ descriptor: Int32, remote: SocketAddress?, isConnected: Bool, _ network: SystemNetwork,
        _ engine: NetworkEngine, at now: Instant
    ) {
        var local = clinux_address()
        var peer = remote.map { clinux_address($0) } ?? clinux_address()
        let isGone =
            clinux_local_address(descriptor, &local) < 0
            || (remote == nil && clinux_remote_address(descriptor, &peer) < 0)
        path = NetworkPath(.tcp, local: local.socketAddress, remote: peer.socketAddress)
        self.descriptor = descriptor
        self.network = network
        self.engine = engine
        self.isConnected = isConnected
        lastActivity = now
        token = isGone ? nil : engine.loop.watch(descriptor, (isConnected ? EPOLLIN : EPOLLOUT).rawValue, self)
        if token == nil {
            Glibc.close(descriptor)
            return nil
        }
    }

    func close() {
        guard descriptor >= 0 else { return }
        if let token { engine.loop.unwatch(token, descriptor) }
        Glibc.close(descriptor)
        descriptor = -1
        queue = []
    }

    func ready(_ events: UInt32, at now: Instant) {
        if !isConnected {
            let error = clinux_socket_error(descriptor)
            guard error == 0 else { return fail(systemErrorText(error), at: now) }
            isConnected = true
            lastActivity = now
            watchAsNeeded()
            network?.isThere(self, at: now)
            return
        }
        if events & EPOLLOUT.rawValue != 0 { writeQueue() }
        if events & ~EPOLLOUT.rawValue != 0, descriptor >= 0 { read(at: now) }
    }

    private func read(at now: Instant) {
        let buffer = engine.streamBuffer
        let count = clinux_receive_stream(descriptor, buffer.baseAddress, UInt64(buffer.count))
        if count > 0 {
            lastActivity = now
            network?.received(UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(count)]), over: path, at: now)
        } else if count == 0 {
            fail("closed by the other side", at: now)
        } else if count != -Int64(EAGAIN), count != -Int64(EINTR) {
            fail(systemErrorText(Int32(clamping: count)), at: now)
        }
    }

    /// Queues bytes for the end of the turn; a connection whose queue is full ends, and its set is told later.
    func send(_ bytes: UnsafeRawBufferPointer) {
        guard descriptor >= 0, !hasFailed else { return }
        guard queue.count - written + bytes.count <= engine.options.connectionQueueBytesMax else {
            network?.tally.connectionsOverflowed += 1
            return failLater(
                "more than \(engine.options.connectionQueueBytesMax) bytes wait to be read by the other side")
        }
        queue.append(contentsOf: bytes)
        engine.markDirty(self)
    }

    func writeQueue() {
        guard descriptor >= 0, isConnected, written < queue.count else { return }
        let sent = queue.withUnsafeBytes { bytes in
            clinux_send_stream(descriptor, bytes.baseAddress.map { $0 + written }, UInt64(bytes.count - written))
        }
        if sent < 0, sent != -Int64(EAGAIN), sent != -Int64(EINTR) {
            return failLater(systemErrorText(Int32(clamping: sent)))
        }
        if sent > 0 {
            network?.tally.bytesSent += Int(sent)
            written += Int(sent)
            lastActivity = engine.loop.now()
        }
        if written == queue.count {
            if queue.capacity > Self.keptCapacity { queue = [] } else { queue.removeAll(keepingCapacity: true) }
            written = 0
        } else if written > queue.count / 2 {
            queue.removeFirst(written)
            written = 0
        }
        watchAsNeeded()
    }

    private func watchAsNeeded() {
        guard let token else { return }
        let wanted = written < queue.count ? EPOLLIN.rawValue | EPOLLOUT.rawValue : EPOLLIN.rawValue
        if wanted == watching { return }
        watching = wanted
        engine.loop.rewatch(token, descriptor, wanted)
    }
    private var watching: UInt32 = 0

    func fail(_ reason: String, at now: Instant) {
        hasFailed = true
        network?.ended(self, reason: reason, at: now)
    }

    /// From within a call of the set's user, who must not be called back before it returns.
    private func failLater(_ reason: String) {
        hasFailed = true
        let connection = Weak(self)
        engine.loop.post { connection.value.map { $0.fail(reason, at: $0.engine.loop.now()) } }
    }
}
