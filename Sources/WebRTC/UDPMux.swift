package import Core
package import ICE
package import Transport

/// Whoever has a peer behind a mux. Called on the loop.
package protocol MuxClient: AnyObject {
    var peer: Peer { get }
    /// The peer has taken something in: fetch its events and media. What it wants sent is drained afterwards.
    func peerChanged(at now: Instant)
}

/// Shares one UDP and one TCP port among all peers of a loop: finds the peer a datagram belongs to, by its path once
/// that is proved, else by the STUN user name or the transaction; and gives each its timer.
///
/// One per loop and port; lives on the loop.
package final class UDPMux: NetworkReceiver, @unchecked Sendable {
    // Sendable: every call is made on `loop`, which `checkIsolated` in the entry points proves.
    private let loop: any Loop
    private let network: any LoopNetwork
    private let clock: @Sendable () -> Instant
    private let unixSeconds: @Sendable () -> Int64
    /// Whom TURN servers over TLS must be certified by.
    private let trust: TLSContext.Trust
    private lazy var tlsContext = try? TLSContext(trusting: trust)
    /// Where peers can reach us: one address per interface.
    package private(set) var udpAddresses: [SocketAddress] = []
    package private(set) var tcpAddresses: [SocketAddress] = []
    package private(set) var counters = UDPMuxCounters()

    private final class Entry {
        let number: Int
        weak var client: (any MuxClient)?
        var paths: Set<NetworkPath> = []
        var sockets: Set<NetworkPath> = []
        var ownSockets: [SocketAddress] = []
        var ufrag: String
        var timer: (id: TimerID, at: Instant)?
        var isChanged = false
        init(number: Int, client: any MuxClient) {
            self.number = number
            self.client = client
            ufrag = client.peer.ice.local.ufrag
        }
    }
    private struct Stream {
        var framer: StreamFramer
        /// Whom it was opened for.
        var entry: Int?
        /// Spoken to a TURN server that wants it.
        var tls: TLSStream?
        /// What it was opened for, until TLS is there.
        var connection: ICEConnection?
    }

    private var entries: [Int: Entry] = [:]
    private var byUfrag: [String: Entry] = [:]
    private var byPath: [NetworkPath: Entry] = [:]
    private var byTag: [UInt32: Entry] = [:]
    private var streams: [NetworkPath: Stream] = [:]
    /// TCP connections being made, by their local address.
    private var opening: [SocketAddress: (entry: Int, connection: ICEConnection)] = [:]
    private var changed: [Entry] = []
    private var lastNumber = 0
    private var isTurning = false

    /// Opens the sockets. `port` 0: any. `interfaces`: addresses to listen at; empty: those of all interfaces, IPv4 and
    /// IPv6. To be called on `loop`.
    package init(
        loop: any Loop, network: any LoopNetwork, clock: @escaping @Sendable () -> Instant, port: UInt16 = 0,
        ports: PortRange? = nil, addresses: [IPAddress] = [], listensTCP: Bool = true,
        trust: TLSContext.Trust = .system, unixSeconds: @escaping @Sendable () -> Int64 = { 0 }
    ) throws(NetworkError) {
        self.loop = loop
        self.trust = trust
        self.unixSeconds = unixSeconds
        self.network = network
        self.clock = clock
        network.attach(self)
        let candidates = addresses.isEmpty ? network.interfaceAddresses() : addresses
        var port = port
        for address in candidates.isEmpty ? [IPAddress.loopbackV4] : candidates where !address.isLinkLocal {
            let bound = try network.openUDP(SocketAddress(address, port), in: port == 0 ? ports : nil)
            port = bound.port
            udpAddresses.append(bound)
            if listensTCP, let tcp = try? network.listenTCP(SocketAddress(address, port), in: nil) {
                tcpAddresses.append(tcp)
            }
        }
    }

    // MARK: Clients

    /// From now on the client's peer gets its packets and timers. Weak: remove it before it goes.
    package func add(_ client: any MuxClient) -> Int {
        loop.checkIsolated()
        lastNumber += 1
        let entry = Entry(number: lastNumber, client: client)
        entries[entry.number] = entry
        byUfrag[entry.ufrag] = entry
        byTag[client.peer.ice.transactionTag] = entry
        return entry.number
    }

    /// Sends what the peer still wants to say and forgets it.
    package func remove(_ number: Int, at now: Instant) {
        loop.checkIsolated()
        guard let entry = entries.removeValue(forKey: number) else { return }
        if let client = entry.client {
            client.peer.drain(at: now) { send($0, $1) }
            byTag[client.peer.ice.transactionTag] = nil
        }
        if let timer = entry.timer { loop.cancel(timer.id) }
        byUfrag = byUfrag.filter { $0.value !== entry }
        for path in entry.paths { byPath[path] = nil }
        for path in entry.sockets { closeSocket(path) }
        for address in entry.ownSockets { network.close(.udp, address) }
    }

    /// The client did something to its peer: drains it and sets its timer. After new credentials too.
    package func touch(_ number: Int) {
        loop.checkIsolated()
        guard let entry = entries[number] else { return }
        note(entry)
        if !isTurning { settle(at: clock()) }
    }

    private func note(_ entry: Entry) {
        guard !entry.isChanged else { return }
        entry.isChanged = true
        changed.append(entry)
    }

    /// Lets every peer that took something in hand it on, and sends what they want sent.
    private func settle(at now: Instant) {
        isTurning = true
        var index = 0
        while index < changed.count {
            let entry = changed[index]
            index += 1
            entry.isChanged = false
            guard entries[entry.number] != nil, let client = entry.client else { continue }
            let peer = client.peer
            serveICE(entry, peer, at: now)
            client.peerChanged(at: now)
            guard entries[entry.number] != nil else { continue }
            peer.drain(at: now) { send($0, $1) }
            setTimer(entry, peer, at: now)
        }
        changed.removeAll(keepingCapacity: true)
        isTurning = false
    }

    private func setTimer(_ entry: Entry, _ peer: Peer, at now: Instant) {
        guard let deadline = peer.deadline(at: now) else { return }
        // A timer that fires too early finds nothing due and is set anew: cheaper than moving it with every packet.
        if let timer = entry.timer {
            if timer.at <= deadline { return }
            loop.cancel(timer.id)
        }
        let number = entry.number
        // Never at once: a deadline that does not move must not stop the loop.
        let at = max(deadline, now + MediaTime(nanoseconds: 200_000))
        entry.timer = (loop.schedule(at: at) { [weak self] in self?.expire(number) }, at)
    }

    private func expire(_ number: Int) {
        guard let entry = entries[number], let client = entry.client else { return }
        entry.timer = nil
        client.peer.expire(at: clock())
        touch(number)
    }

    // MARK: ICE's wishes

    private func serveICE(_ entry: Entry, _ peer: Peer, at now: Instant) {
        if peer.ice.local.ufrag != entry.ufrag {
            // The old name stays valid until the peer has gone over.
            entry.ufrag = peer.ice.local.ufrag
            byUfrag[entry.ufrag] = entry
        }
    }

    /// A socket that the agent of a client asks for.
    package func open(_ connection: ICEConnection, for number: Int, at now: Instant) {
        guard let entry = entries[number], let client = entry.client else { return }
        let local = connection.local ?? udpAddresses.first { $0.ip.isV4 == connection.remote.ip.isV4 }?.ip
        guard let local else {
            client.peer.ice.connectionFailed(connection.id, reason: "no address of its family", at: now)
            return
        }
        do throws(NetworkError) {
            switch connection.transport {
            case .udp:
                let bound = try network.openUDP(SocketAddress(local, 0))
                let path = NetworkPath(.udp, local: bound, remote: connection.remote)
                entry.sockets.insert(path)
                entry.paths.insert(path)
                byPath[path] = entry
                client.peer.ice.connected(connection.id, over: path, at: now)
            case .tcp:
                let bound = try network.connectTCP(from: local, to: connection.remote)
                opening[bound] = (number, connection)
            }
        } catch {
            client.peer.ice.connectionFailed(connection.id, reason: error.description, at: now)
        }
        note(entry)
    }

    /// UDP sockets that one client has alone, an address per interface.
    package func openOwnSockets(for number: Int) -> [SocketAddress] {
        guard let entry = entries[number] else { return [] }
        var opened: [SocketAddress] = []
        for address in udpAddresses {
            guard let bound = try? network.openUDP(SocketAddress(address.ip, 0)) else { continue }
            opened.append(bound)
            entry.ownSockets.append(bound)
        }
        return opened
    }

    package func close(_ path: NetworkPath, for number: Int) {
        entries[number]?.sockets.remove(path)
        entries[number]?.paths.remove(path)
        byPath[path] = nil
        closeSocket(path)
    }

    private func closeSocket(_ path: NetworkPath) {
        switch path.transport {
        case .udp: network.close(.udp, path.local)
        case .tcp:
            streams[path] = nil
            network.disconnect(path)
        }
    }

    /// Looks a name up for a client's agent.
    package func resolve(_ name: String, for number: Int) {
        let clock = clock
        network.resolve(name) { [weak self] addresses in
            guard let self, let entry = entries[number], let client = entry.client else { return }
            client.peer.ice.resolved(name, addresses, at: clock())
            touch(number)
        }
    }

    // MARK: NetworkReceiver

    package func receive(_ bytes: UnsafeMutableRawBufferPointer, over path: NetworkPath, at now: Instant) {
        guard path.transport == .tcp else { return route(bytes, over: path, at: now) }
        guard var stream = streams[path] else { return }
        if let tls = stream.tls {
            tls.receive(UnsafeRawBufferPointer(bytes))
            guard serve(tls, path, &stream, at: now) else { return }
            let plain = tls.pollReceived()
            stream.framer.receive(plain.span.bytes)
        } else {
            stream.framer.receive(UnsafeRawBufferPointer(bytes).bytes)
        }
        while var message = stream.framer.next() {
            message.withUnsafeMutableBytes { route($0, over: path, at: now) }
        }
        if stream.framer.isBroken {
            counters.brokenStreams += 1
            disconnected(path, reason: "the stream makes no sense", at: now)
            network.disconnect(path)
        } else {
            streams[path] = stream
        }
    }

    /// Sends what TLS wants sent, and tells the agent once the handshake is over. False: the connection is gone.
    private func serve(_ tls: TLSStream, _ path: NetworkPath, _ stream: inout Stream, at now: Instant) -> Bool {
        while let event = tls.pollEvent() {
            switch event {
            case .connected:
                guard let connection = stream.connection else { continue }
                stream.connection = nil
                streams[path] = stream
                join(path, connection, stream.entry, at: now)
            case .failed(let reason):
                disconnected(path, reason: "TLS: \(reason)", at: now)
                network.disconnect(path)
                return false
            case .closed:
                disconnected(path, reason: "closed by the server", at: now)
                network.disconnect(path)
                return false
            }
        }
        flush(tls, path)
        return true
    }

    private func flush(_ tls: TLSStream, _ path: NetworkPath) {
        let output = tls.pollOutput()
        if !output.isEmpty { output.withUnsafeBytes { network.send($0, over: path) } }
    }

    private func join(_ path: NetworkPath, _ connection: ICEConnection, _ number: Int?, at now: Instant) {
        guard let number, let entry = entries[number], let client = entry.client else {
            return network.disconnect(path)
        }
        entry.sockets.insert(path)
        entry.paths.insert(path)
        byPath[path] = entry
        client.peer.ice.connected(connection.id, over: path, at: now)
        touch(number)
    }

    private func route(_ bytes: UnsafeMutableRawBufferPointer, over path: NetworkPath, at now: Instant) {
        guard bytes.count > 0 else { return }
        if let entry = byPath[path], bytes[0] > 3 {
            entry.client?.peer.receive(bytes, over: path, at: now)
            note(entry)
            return
        }
        let span = UnsafeRawBufferPointer(bytes).bytes
        // A request names its peer even where the path belonged to another one before.
        let named = STUNRouting.localUfrag(span).flatMap { byUfrag[$0] } ?? STUNRouting.tag(span).flatMap { byTag[$0] }
        guard let entry = named ?? byPath[path] else {
            counters.unknownPeer += 1
            return
        }
        guard let client = entry.client else { return }
        if client.peer.receive(bytes, over: path, at: now), byPath[path] !== entry {
            byPath[path]?.paths.remove(path)
            byPath[path] = entry
            entry.paths.insert(path)
        }
        note(entry)
    }

    package func batchEnded(at now: Instant) { settle(at: now) }

    package func connected(_ path: NetworkPath, at now: Instant) {
        guard let (number, connection) = opening.removeValue(forKey: path.local) else {
            streams[path] = Stream(framer: StreamFramer(.length), entry: nil)
            return
        }
        var stream = Stream(framer: StreamFramer(connection.framing ?? .length), entry: number)
        guard let name = connection.tlsName else {
            streams[path] = stream
            return join(path, connection, number, at: now)
        }
        guard let tlsContext else {
            entries[number]?.client?.peer.ice.connectionFailed(
                connection.id, reason: "the system's certificates cannot be read", at: now)
            network.disconnect(path)
            return touch(number)
        }
        let tls = TLSStream(tlsContext, host: name, unixSeconds: unixSeconds(), at: now)
        stream.tls = tls
        stream.connection = connection
        streams[path] = stream
        flush(tls, path)
    }

    package func disconnected(_ path: NetworkPath, reason: String, at now: Instant) {
        if let stream = streams.removeValue(forKey: path), let connection = stream.connection,
            let number = stream.entry
        {
            entries[number]?.client?.peer.ice.connectionFailed(connection.id, reason: reason, at: now)
            touch(number)
        }
        if let (number, connection) = opening.removeValue(forKey: path.local) {
            entries[number]?.client?.peer.ice.connectionFailed(connection.id, reason: reason, at: now)
            touch(number)
        }
        guard let entry = byPath.removeValue(forKey: path) else { return }
        entry.paths.remove(path)
        entry.sockets.remove(path)
        entry.client?.peer.ice.disconnected(path, at: now)
        touch(entry.number)
    }

    // MARK: Sending

    private func send(_ bytes: UnsafeRawBufferPointer, _ path: NetworkPath) {
        if path.transport == .tcp, let tls = streams[path]?.tls {
            _ = tls.send(bytes)
            return flush(tls, path)
        }
        if path.transport == .tcp, let stream = streams[path],
            let (high, low) = StreamFramer.prefix(stream.framer.framing, count: bytes.count)
        {
            withUnsafeTemporaryAllocation(byteCount: bytes.count + 2, alignment: 1) { whole in
                whole[0] = high
                whole[1] = low
                UnsafeMutableRawBufferPointer(rebasing: whole[2...]).copyMemory(from: bytes)
                network.send(UnsafeRawBufferPointer(whole), over: path)
            }
            return
        }
        network.send(bytes, over: path)
    }
}

/// What came to the port and belonged to nobody, by reason.
package struct UDPMuxCounters: Hashable, Sendable {
    package var unknownPeer = 0
    package var brokenStreams = 0
    package init() {}
}
