import CLinux
import Core
import Glibc

/// A bound UDP socket of a loop. Receives in batches into the loop's slots, sends what the outbox hands it, and keeps
/// a bounded backlog while the kernel has no room. Owned by its set, touched only on the loop.
final class UDPSocket: LoopDescriptor {
    /// As bound; the address part is "any" where it takes datagrams for all of the machine's addresses.
    let local: SocketAddress
    private weak let network: SystemNetwork?
    private let engine: NetworkEngine
    /// -1 once closed.
    private(set) var descriptor: Int32
    private var token: WatchToken?
    /// For peers whose datagrams are to be apart from strangers'.
    private var reserved: ReservedPaths?
    private var backlog: DatagramBacklog?
    /// What the kernel has dropped, as far as it is counted.
    private var dropsCounted: (open: Int64, reserved: Int64) = (0, 0)
    private var segments: Bool
    /// Runs that only went datagram by datagram; after some the kernel is not asked again.
    private var segmentFailures = 0
    private static let segmentFailuresMax = 8
    /// An interrupted call, or an ICMP error that was waiting, says nothing about this datagram: again, so often.
    private static let retriesMax = 4

    init(_ address: SocketAddress, _ network: SystemNetwork, _ engine: NetworkEngine) throws(NetworkError) {
        var wanted = clinux_address(address, scope: engine.scope(of: address.ip))
        var options = engine.options.socketOptions
        descriptor = clinux_open_datagram(&wanted, &options)
        guard descriptor >= 0 else { throw NetworkError("cannot open UDP \(address)", code: descriptor) }
        var bound = clinux_address()
        _ = clinux_local_address(descriptor, &bound)
        local = bound.socketAddress
        self.network = network
        self.engine = engine
        segments = engine.options.segments
        token = engine.loop.watch(descriptor, EPOLLIN.rawValue, self)
        guard token != nil else {
            Glibc.close(descriptor)
            throw NetworkError("cannot open UDP \(address): the system watches no more descriptors")
        }
    }

    func close() {
        guard descriptor >= 0 else { return }
        countDrops()
        reserved?.close()
        reserved = nil
        if let token { engine.loop.unwatch(token, descriptor) }
        Glibc.close(descriptor)
        descriptor = -1
        backlog = nil
    }

    func ready(_ events: UInt32, at now: Instant) {
        if events & EPOLLOUT.rawValue != 0 { sendBacklog() }
        // ICMP errors (somebody's port is closed) come as an event without data; the failing call clears them.
        if events & ~EPOLLOUT.rawValue != 0 { receive(from: descriptor, at: now) }
    }

    // MARK: Reserving

    /// What comes over this path is queued apart, if the system lets us.
    func reserve(_ path: NetworkPath) {
        // Sockets of other loops on the same port have a say in where datagrams go.
        guard descriptor >= 0, !engine.options.sharesPorts else { return }
        let reserved = self.reserved ?? ReservedPaths(self, engine)
        self.reserved = reserved
        reserved.add(path)
    }

    func release(_ path: NetworkPath) { reserved?.remove(path) }

    var reservedCounts: [Int] { reserved.map { [$0.counts.listed, $0.counts.waiting] } ?? [0, 0] }

    /// Brings what the kernel has dropped up to date.
    func countDrops() {
        guard descriptor >= 0, let network else { return }
        let now = (open: max(0, clinux_socket_drops(descriptor)), reserved: reserved?.drops ?? 0)
        network.tally.droppedByKernelOpen += max(0, Int(now.open - dropsCounted.open))
        network.tally.droppedByKernelReserved += max(0, Int(now.reserved - dropsCounted.reserved))
        dropsCounted = now
    }

    func refused() { network?.tally.reservationsRefused += 1 }

    // MARK: Receiving

    /// Hands over a batch of our own descriptor, or of the one for reserved paths.
    func receive(from descriptor: Int32, at now: Instant) {
        let count = clinux_receive_batch(descriptor, engine.slots, UInt32(NetworkEngine.batchMax))
        guard count > 0, let network else { return }
        let receiver = network.receiver
        var path = NetworkPath(.udp, local: local, remote: local)
        for index in 0..<UInt32(count) {
            let datagram = clinux_slot(engine.slots, index).pointee
            network.tally.datagramsReceived += 1
            if descriptor != self.descriptor { network.tally.datagramsReserved += 1 }
            network.tally.bytesReceived += Int(datagram.count)
            guard datagram.is_truncated == 0 else {
                network.tally.droppedTooLong += 1
                continue
            }
            guard let receiver else {
                network.tally.droppedUnattached += 1
                continue
            }
            if datagram.local_high | datagram.local_low != 0 {
                path.local.ip = IPAddress(datagram.local_high, datagram.local_low)
            }
            path.remote = SocketAddress(IPAddress(datagram.remote.high, datagram.remote.low), datagram.remote.port)
            receiver.receive(
                UnsafeMutableRawBufferPointer(start: datagram.bytes, count: Int(datagram.count)), over: path, at: now)
            // The receiver may have closed this very socket.
            if self.descriptor < 0 { break }
        }
        engine.touch(network)
    }

    // MARK: Sending

    /// Sends datagrams in order; what the kernel has no room for goes to the backlog.
    func transmit(_ items: UnsafeMutablePointer<clinux_outgoing>, _ count: Int) {
        guard descriptor >= 0 else { return }
        let sent = backlog?.isEmpty ?? true ? write(items, count) : 0
        if sent < count { keep(UnsafeMutableBufferPointer(start: items + sent, count: count - sent)) }
    }

    /// How many were dealt with: sent, or refused and counted. Fewer than `count`: the kernel has no room.
    private func write(_ items: UnsafeMutablePointer<clinux_outgoing>, _ count: Int) -> Int {
        var done = 0
        var retries = 0
        // Datagrams before this one go one by one, because the kernel did not take them as a run.
        var singleUntil = 0
        while done < count {
            let inSingles = done < singleUntil
            let most = inSingles ? singleUntil - done : count - done
            var head: UInt32 = 1
            let result = clinux_send_batch(
                descriptor, items + done, UInt32(most), segments && !inSingles ? 1 : 0, &head)
            if result > 0 {
                countSent(items + done, Int(result))
                done += Int(result)
                retries = 0
                continue
            }
            switch -result {
            case EAGAIN: return done
            case EINTR where retries < Self.retriesMax, ECONNREFUSED where retries < Self.retriesMax: retries += 1
            default:
                if head > 1 {
                    singleUntil = done + Int(head)
                    segmentFailures += 1
                    if segmentFailures >= Self.segmentFailuresMax { segments = false }
                } else {
                    network?.tally.droppedRefused += 1
                    done += 1
                }
            }
        }
        return done
    }

    private func countSent(_ items: UnsafeMutablePointer<clinux_outgoing>, _ count: Int) {
        guard let network else { return }
        var bytes = 0
        for index in 0..<count { bytes += Int(items[index].count) }
        network.tally.datagramsSent += count
        network.tally.bytesSent += bytes
    }

    private func keep(_ items: UnsafeMutableBufferPointer<clinux_outgoing>) {
        let backlog = self.backlog ?? DatagramBacklog()
        self.backlog = backlog
        let wasEmpty = backlog.isEmpty
        for item in items where !backlog.append(item) { network?.tally.droppedQueueFull += 1 }
        if wasEmpty, !backlog.isEmpty, let token {
            engine.loop.rewatch(token, descriptor, EPOLLIN.rawValue | EPOLLOUT.rawValue)
        }
    }

    private func sendBacklog() {
        guard let backlog, let base = backlog.pending.baseAddress else { return }
        backlog.removeFirst(write(base, backlog.pending.count))
        if backlog.isEmpty, let token { engine.loop.rewatch(token, descriptor, EPOLLIN.rawValue) }
    }
}
