package import Core
package import ICE
package import Transport

/// Whoever has a peer behind a mux. Called on the loop.
package protocol MuxClient: AnyObject {
    var peer: Peer { get }
    /// The peer has taken something in: fetch its events and media. What it wants sent is drained afterwards.
    func peerChanged(at now: Instant)
    /// The peer was asked for over a path that is another peer's: it needs sockets of its own (`openOwnSockets`).
    func pathIsTaken(_ path: NetworkPath, at now: Instant)
}

/// Shares one UDP and one TCP port among all peers of a loop: finds the peer a datagram belongs to, by its path once
/// that is proved, else by the STUN user name or the transaction; and gives each its timer.
///
/// One per loop and port; lives on the loop.
package final class UDPMux: NetworkReceiver, @unchecked Sendable {
    // Sendable: every call is made on `loop`, which `checkIsolated` in the entry points proves.
    private let loop: any Loop
    let network: any LoopNetwork
    private let clock: @Sendable () -> Instant
    private let unixSeconds: @Sendable () -> Int64
    /// Whom TURN servers over TLS must be certified by.
    private let trust: TLSContext.Trust
    /// Where free ports are taken from; nil: the network's own.
    private let ports: PortRange?
    private lazy var tlsContext = try? TLSContext(trusting: trust)
    /// Where peers can reach us: one address per interface.
    package private(set) var udpAddresses: [SocketAddress] = []
    package private(set) var tcpAddresses: [SocketAddress] = []
    package internal(set) var counters = UDPMuxCounters()
    /// Of the sockets. Asks the system: not for every packet.
    package var networkCounters: NetworkCounters { network.counters }

    private struct Stream {
        var framer: StreamFramer
        /// Whom it was opened for.
        var entry: Int?
        /// Spoken to a TURN server that wants it.
        var tls: TLSStream?
        /// What it was opened for, until TLS is there.
        var connection: ICEConnection?
    }

    private var entries: [Int: MuxEntry] = [:]
    private var byUfrag: [String: MuxEntry] = [:]
    private var byPath: [NetworkPath: MuxEntry] = [:]
    private var byTag: [UInt32: MuxEntry] = [:]
    /// Who was first to have that address on its other side.
    private var claims: [SocketAddress: MuxEntry] = [:]
    var sources = MuxSources()
    /// What packets of shared SSRCs may still cost.
    var strayBudget = SecondBudget()
    private var streams: [NetworkPath: Stream] = [:]
    /// TCP connections being made, by their local address.
    private var opening: [SocketAddress: (entry: Int, connection: ICEConnection)] = [:]
    private var changed: [MuxEntry] = []
    private var lastNumber = 0
    private var isTurning = false
    /// Paths of one peer: it may ask from as many ports as it has. More than the pairs its agent keeps.
    private static let pathsMax = 2 * ICELimits.pairs

    /// Opens the sockets. `port` 0: any. `interfaces`: addresses to listen at; empty: those of all interfaces, IPv4 and
    /// IPv6. To be called on `loop`.
    package init(
        loop: any Loop, network: any LoopNetwork, clock: @escaping @Sendable () -> Instant, port: UInt16 = 0,
        ports: PortRange? = nil, addresses: [IPAddress] = [], listensTCP: Bool = true,
        trust: TLSContext.Trust = .system, unixSeconds: @escaping @Sendable () -> Int64 = { 0 }
    ) throws(NetworkError) {
        self.loop = loop
        self.trust = trust
        self.ports = ports
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

    /// Those of the interfaces of these names.
    package func addresses(ofInterfaces names: [String]) -> Set<IPAddress> {
        Set(network.addresses(ofInterfaces: names))
    }

    /// From now on the client's peer gets its packets and timers. Weak: remove it before it goes.
    package func add(_ client: any MuxClient) -> Int {
        loop.checkIsolated()
        lastNumber += 1
        let entry = MuxEntry(number: lastNumber, client: client)
        entries[entry.number] = entry
        let number = entry.number
        entry.onTimer = { [weak self] in self?.expire(number) }
        byUfrag[entry.ufrag] = entry
        byTag[client.peer.ice.transactionTag] = entry
        return entry.number
    }

    /// Sends what the peer still wants to say and forgets it.
    package func remove(_ number: Int, at now: Instant) {
        loop.checkIsolated()
        guard let entry = entries.removeValue(forKey: number) else { return }
        if let client = entry.client {
            client.peer.drain(at: now) { [mark = client.peer.dscp] in send($0, $1, mark) }
            byTag[client.peer.ice.transactionTag] = nil
        }
        reserve(nil, for: entry)
        sources.set([], of: entry)
        if let timer = entry.timer { loop.cancel(timer.id) }
        byUfrag[entry.ufrag] = nil
        if let old = entry.previousUfrag { byUfrag[old] = nil }
        for path in entry.paths { byPath[path] = nil }
        for address in entry.claims { claims[address] = nil }
        for path in entry.sockets { closeSocket(path) }
        // Those that TLS is still being spoken over. What is not even there yet is closed when it comes (`connected`).
        for (path, stream) in streams where stream.connection != nil && stream.entry == number { closeSocket(path) }
        for address in entry.ownSockets { network.close(.udp, address) }
    }

    /// The client did something to its peer: drains it and sets its timer. After new credentials too.
    package func touch(_ number: Int) {
        loop.checkIsolated()
        guard let entry = entries[number] else { return }
        note(entry)
        if !isTurning { settle(at: clock()) }
    }

    func note(_ entry: MuxEntry) {
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
            nameAnew(entry, peer)
            client.peerChanged(at: now)
            guard entries[entry.number] != nil else { continue }
            peer.drain(at: now) { [mark = peer.dscp] in send($0, $1, mark) }
            reserve(peer.ice.selectedRoute?.path, for: entry)
            if entry.sourcesRevision != peer.sourcesRevision {
                entry.sourcesRevision = peer.sourcesRevision
                sources.set(peer.srtp.sources, of: entry)
            }
            setTimer(entry, peer, at: now)
        }
        changed.removeAll(keepingCapacity: true)
        isTurning = false
    }

    private func setTimer(_ entry: MuxEntry, _ peer: Peer, at now: Instant) {
        guard let deadline = peer.deadline(at: now) else { return }
        // A timer that fires too early finds nothing due and is set anew: cheaper than moving it with every packet.
        if let timer = entry.timer {
            if timer.at <= deadline { return }
            loop.cancel(timer.id)
        }
        // Never at once: a deadline that does not move must not stop the loop.
        let at = max(deadline, now + MediaTime(nanoseconds: 200_000))
        entry.timer = (loop.schedule(at: at, entry.onTimer), at)
    }

    private func expire(_ number: Int) {
        guard let entry = entries[number], let client = entry.client else { return }
        entry.timer = nil
        client.peer.expire(at: clock())
        touch(number)
    }

    // MARK: ICE's wishes

    /// A restart gives the peer a new name. The old one stays until the peer has gone over, or restarts once more: a peer
    /// has two names at most, however often it restarts.
    private func nameAnew(_ entry: MuxEntry, _ peer: Peer) {
        let (current, previous) = (peer.ice.local.ufrag, peer.ice.previousLocal?.ufrag)
        guard current != entry.ufrag || previous != entry.previousUfrag else { return }
        byUfrag[entry.ufrag] = nil
        if let old = entry.previousUfrag { byUfrag[old] = nil }
        entry.ufrag = current
        entry.previousUfrag = previous
        byUfrag[current] = entry
        if let previous { byUfrag[previous] = entry }
    }

    /// Names by which peers are found; tests watch it.
    package var nameCount: Int { byUfrag.count }
    /// TCP connections with somebody at the other end, or on the way there; tests watch it.
    package var streamCount: Int { streams.count + opening.count }

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

    /// The paths from our shared ports to `remote`, an address that the client's other side told of, as far as they are
    /// another peer's. If they are nobody's, they are this client's from now on.
    ///
    /// Another server has one port for all its peers, as we do. Of several of its peers with several of ours only the
    /// first pair can use both ports: STUN names whom it is for, DTLS and SRTP do not.
    package func foreignPaths(to remote: SocketAddress, for number: Int) -> [NetworkPath] {
        guard let entry = entries[number] else { return [] }
        let holder = claims[remote]
        let isTaken = holder.map { $0 !== entry && isLive($0) } ?? false
        if !isTaken, holder !== entry, entry.claims.count < ICELimits.remoteCandidates {
            holder?.claims.remove(remote)
            claims[remote] = entry
            entry.claims.insert(remote)
        }
        return udpAddresses.compactMap { local in
            guard local.ip.isV4 == remote.ip.isV4 else { return nil }
            let path = NetworkPath(.udp, local: local, remote: remote)
            return isForeign(path, to: entry) ? path : nil
        }
    }

    /// Whether what comes over a path is, or is going to be, for another peer that is there.
    private func isForeign(_ path: NetworkPath, to entry: MuxEntry) -> Bool {
        guard path.transport == .udp, udpAddresses.contains(path.local),
            let holder = byPath[path] ?? claims[path.remote]
        else { return false }
        return holder !== entry && isLive(holder)
    }

    /// Whoever has lost its other side holds nothing against those who come: perhaps it is the same, begun anew.
    private func isLive(_ entry: MuxEntry) -> Bool {
        guard let state = entry.client?.peer.ice.state else { return false }
        return state != .failed && state != .disconnected
    }

    /// UDP sockets that one client has alone, an address per interface.
    package func openOwnSockets(for number: Int) -> [SocketAddress] {
        guard let entry = entries[number] else { return [] }
        var opened: [SocketAddress] = []
        for address in udpAddresses {
            guard let bound = try? network.openUDP(SocketAddress(address.ip, 0), in: ports) else { continue }
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
        } else if streams[path] != nil {
            // Else a message was the last one: its peer has closed the connection.
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
        guard let number, let entry = entries[number], let client = entry.client else { return closeSocket(path) }
        entry.sockets.insert(path)
        entry.paths.insert(path)
        byPath[path] = entry
        client.peer.ice.connected(connection.id, over: path, at: now)
        touch(number)
    }

    private func route(_ bytes: UnsafeMutableRawBufferPointer, over path: NetworkPath, at now: Instant) {
        guard bytes.count > 0 else { return }
        let known = byPath[path]
        if bytes[0] > 3 {
            // Only STUN can tell whom it is for where nobody is known, and media of a source that is: a flood of
            // anything else ends here.
            guard let known else {
                if !takeStray(bytes, over: path, at: now) { counters.unknownPeer += 1 }
                return
            }
            known.client?.peer.receive(bytes, over: path, at: now)
            note(known)
            return
        }
        let span = UnsafeRawBufferPointer(bytes).bytes
        // A request names its peer even where the path belonged to another one before.
        let named = STUNRouting.localUfrag(span).flatMap { byUfrag[$0] } ?? STUNRouting.tag(span).flatMap { byTag[$0] }
        guard let entry = named ?? known else {
            counters.unknownPeer += 1
            return
        }
        guard let client = entry.client else { return }
        if byPath[path] !== entry, isForeign(path, to: entry) {
            counters.takenPath += 1
            client.pathIsTaken(path, at: now)
        } else if client.peer.receive(bytes, over: path, at: now), byPath[path] !== entry {
            take(path, entry)
        }
        note(entry)
    }

    private func take(_ path: NetworkPath, _ entry: MuxEntry) {
        byPath[path]?.paths.remove(path)
        byPath[path] = entry
        if entry.paths.count >= UDPMux.pathsMax, let old = entry.paths.first(where: { isIdle($0, entry) }) {
            entry.paths.remove(old)
            byPath[old] = nil
        }
        entry.paths.insert(path)
    }

    private func isIdle(_ path: NetworkPath, _ entry: MuxEntry) -> Bool {
        path.transport == .udp && !entry.sockets.contains(path) && entry.client?.peer.ice.selectedRoute?.path != path
    }

    package func batchEnded(at now: Instant) { settle(at: now) }

    package func connected(_ path: NetworkPath, at now: Instant) {
        guard let (number, connection) = opening.removeValue(forKey: path.local) else {
            streams[path] = Stream(framer: StreamFramer(.length), entry: nil)
            return
        }
        guard entries[number] != nil else { return network.disconnect(path) }
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
        if let deadline = tls.deadline {
            _ = loop.schedule(at: deadline) { [weak self] in self?.expireTLS(path) }
        }
    }

    /// A server that took the connection and does not speak TLS would hold the socket for good.
    private func expireTLS(_ path: NetworkPath) {
        guard var stream = streams[path], let tls = stream.tls else { return }
        let now = clock()
        tls.expire(at: now)
        _ = serve(tls, path, &stream, at: now)
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

    private func send(_ bytes: UnsafeRawBufferPointer, _ path: NetworkPath, _ dscp: UInt8?) {
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
        network.send(bytes, over: path, dscp: dscp)
    }
}
