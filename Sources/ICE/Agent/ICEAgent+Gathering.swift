package import Core

/// A Binding request to a STUN server.
struct GatherTransaction {
    let id: STUNTransactionID
    let path: NetworkPath
    var sent = 0
    var rto = TURNClient.rto
    var nextAt: Instant?
}

/// What a socket was asked for.
enum ConnectionPurpose {
    case turn(Int)
    case pair(Int)
}

extension ICEAgent {
    /// A socket of ours that the peer may reach, or, with `tcpType: .active` and port 9, an address we may call from.
    package func addLocalHost(
        _ address: SocketAddress, _ transport: NetworkPath.Transport = .udp, tcpType: ICECandidate.TCPType? = nil,
        at now: Instant
    ) {
        guard !isClosed, locals.count < ICELimits.localCandidates, !address.ip.isAny else { return }
        let tcpType = transport == .tcp ? tcpType ?? .passive : nil
        let external = configuration.externalAddresses[address.ip]
        var told = external.map { [$0] } ?? [address.ip]
        if external != nil, configuration.advertisesInternalAddresses { told.append(address.ip) }
        for (order, ip) in told.enumerated() {
            add(
                .host, SocketAddress(ip, tcpType == .active ? 9 : address.port), base: address, transport, tcpType,
                isPaired: order == 0 && tcpType != .passive, at: now)
        }
        if isGathering, transport == .udp { queueServerReflexive(address) }
        settle(at: now)
    }

    /// Begins to ask STUN and TURN servers. Host candidates are to be there already; later ones are welcome.
    package func gather(at now: Instant) {
        guard !isClosed, !isGathering, !isGathered else { return }
        isGathering = true
        gatheringEndsAt = now + configuration.gatheringTimeout
        for local in locals where local.candidate.kind == .host && local.candidate.transport == .udp {
            queueServerReflexive(local.base)
        }
        for (index, server) in configuration.turnServers.enumerated() {
            turns.append(nil)
            let isUDP = server.transport == .udp
            var name: String?
            if case .tls(let certificate) = server.transport { name = certificate }
            open(
                .turn(index), isUDP ? .udp : .tcp, from: nil, to: server.address, tls: name,
                framing: isUDP ? nil : .turn)
        }
        settle(at: now)
    }

    private func queueServerReflexive(_ base: SocketAddress) {
        guard !configuration.isLite else { return }
        for server in configuration.stunServers where server.ip.isV4 == base.ip.isV4 {
            let path = NetworkPath(.udp, local: base, remote: server)
            guard gatherQueue.count < ICELimits.localCandidates, !gathering.contains(where: { $0.path == path }) else {
                continue
            }
            gatherQueue.append(GatherTransaction(id: nextTransactionID(), path: path))
        }
    }

    func nextTransactionID() -> STUNTransactionID { STUNTransactionID(tag: transactionTag, random.next()) }

    func open(
        _ purpose: ConnectionPurpose, _ transport: NetworkPath.Transport, from: IPAddress?, to remote: SocketAddress,
        tls: String? = nil, framing: StreamFramer.Framing?
    ) {
        connections[nextConnectionID] = purpose
        emit(
            .open(
                ICEConnection(
                    id: nextConnectionID, transport: transport, local: from, remote: remote, tlsName: tls,
                    framing: framing)))
        nextConnectionID += 1
    }

    /// The socket that `ICEEvent.open` asked for is there, TLS spoken if it was asked for.
    package func connected(_ id: Int, over path: NetworkPath, at now: Instant) {
        guard !isClosed, let purpose = connections.removeValue(forKey: id) else { return emit(.close(path)) }
        switch purpose {
        case .turn(let index):
            guard isGathering else { return emit(.close(path)) }
            var client = TURNClient(
                configuration.turnServers[index], path: path, tag: transactionTag, seed: random.next())
            client.start(at: now)
            turns[index] = client
            turnPaths.append((index, path))
        case .pair(let id):
            guard let index = index(ofPair: id) else { return emit(.close(path)) }
            pairs[index].way = .direct(path)
            pairs[index].state = .waiting
            triggered.append(id)
        }
        settle(at: now)
    }

    package func connectionFailed(_ id: Int, reason: String, at now: Instant) {
        guard !isClosed, let purpose = connections.removeValue(forKey: id) else { return }
        switch purpose {
        case .turn(let index):
            emit(.warning("TURN server \(configuration.turnServers[index].address): \(reason)"))
        case .pair(let id):
            if let index = index(ofPair: id) { pairs[index].state = .failed }
        }
        settle(at: now)
    }

    /// A TCP connection in use ended.
    package func disconnected(_ path: NetworkPath, at now: Instant) {
        guard !isClosed else { return }
        for index in turns.indices where turns[index]?.path == path { turns[index]?.fail("the connection ended") }
        for index in pairs.indices where pairs[index].way == .direct(path) { failPair(index, at: now) }
        settle(at: now)
    }

    /// One transaction of gathering, if any waits; at the pace of all others.
    func sendGathering(at now: Instant) -> Bool {
        guard var next = gatherQueue.popFirst() else { return false }
        send(&next, at: now)
        gathering.append(next)
        return true
    }

    private func send(_ transaction: inout GatherTransaction, at now: Instant) {
        transaction.sent += 1
        transaction.nextAt = now + (transaction.sent >= 7 ? MediaTime.milliseconds(8000) : transaction.rto)
        transaction.rto = transaction.rto + transaction.rto
        transmit(STUNWriter(.request, .binding, transaction.id).finish(), over: transaction.path)
    }

    func expireGathering(at now: Instant) {
        for index in gathering.indices.reversed() {
            guard let at = gathering[index].nextAt, at <= now else { continue }
            if gathering[index].sent >= 7 {
                gathering.remove(at: index)
            } else {
                send(&gathering[index], at: now)
            }
        }
        guard isGathering, let end = gatheringEndsAt, end <= now else { return }
        for transaction in gathering { emit(.warning("STUN server \(transaction.path.remote): no answer")) }
        gathering = []
        gatherQueue.removeAll()
        for index in turns.indices where turns[index]?.state == .allocating {
            turns[index]?.fail("no answer in time")
        }
        connections = connections.filter {
            guard case .turn = $0.value else { return true }
            return false
        }
    }

    /// An answer to a Binding request of gathering; nil if it is none.
    func receiveGathering(_ message: STUNMessage, over path: NetworkPath, at now: Instant) -> ICEDisposition? {
        guard let index = gathering.firstIndex(where: { $0.id == message.id }) else { return nil }
        let transaction = gathering[index]
        guard transaction.path == path else { return drop(.asymmetric) }
        gathering.remove(at: index)
        if message.kind == .success, let mapped = message.mappedAddress, mapped.ip.isV4 == path.local.ip.isV4 {
            let isKnown = locals.contains { $0.candidate.address == mapped && $0.base == path.local }
            if !isKnown {
                add(.srflx, mapped, base: path.local, server: path.remote.ip, .udp, nil, isPaired: false, at: now)
            }
        }
        return .consumed
    }

    func finishGathering(at now: Instant) {
        guard isGathering, gathering.isEmpty, gatherQueue.isEmpty,
            !turns.contains(where: { $0?.state == .allocating }),
            !connections.values.contains(where: {
                guard case .turn = $0 else { return false }
                return true
            })
        else { return }
        isGathering = false
        isGathered = true
        emit(.gatheringDone)
    }

    /// Hands out what TURN clients want sent and said.
    func drainTURN(at now: Instant) {
        for index in turns.indices {
            while let event = turns[index]?.pollEvent() { handle(event, index, at: now) }
            guard let path = turns[index]?.path else { continue }
            while let message = turns[index]?.pollTransmit() { transmit(message, over: path) }
        }
    }

    private func handle(_ event: TURNClient.Event, _ client: Int, at now: Instant) {
        switch event {
        case .allocated(let relayed, let mapped):
            guard let turn = turns[client] else { return }
            add(
                .relay, relayed, base: relayed, server: turn.server.address.ip, relay: client,
                related: mapped ?? turn.path.local, turn.path.transport, nil, isPaired: true, at: now)
        case .failed(let reason):
            emit(.warning(reason))
            for index in pairs.indices {
                if case .relayed(client, _) = pairs[index].way { failPair(index, at: now) }
            }
            locals.removeAll { $0.relay == client }
            if let path = turns[client]?.path { emit(.close(path)) }
        case .permitted(let peer):
            for pair in pairs where pair.state == .waiting {
                if case .relayed(client, let address) = pair.way, address.ip == peer { triggered.append(pair.id) }
            }
        case .refused(let peer, let reason):
            emit(.warning("TURN server does not relay to \(peer): \(reason)"))
            for index in pairs.indices {
                if case .relayed(client, let address) = pairs[index].way, address.ip == peer {
                    failPair(index, at: now)
                }
            }
        case .bound: refreshRoute()
        }
    }

    /// Adds a local candidate, tells it, and pairs it.
    private func add(
        _ kind: ICECandidate.Kind, _ address: SocketAddress, base: SocketAddress, server: IPAddress? = nil,
        relay: Int? = nil, related: SocketAddress? = nil, _ transport: NetworkPath.Transport,
        _ tcpType: ICECandidate.TCPType?, isPaired: Bool, at now: Instant
    ) {
        guard locals.count < ICELimits.localCandidates,
            !locals.contains(where: {
                $0.candidate.address == address && $0.candidate.kind == kind && $0.base == base
                    && $0.candidate.tcpType == tcpType
            })
        else { return }
        var candidate = ICECandidate(
            foundation: ICECandidate.foundation(kind, base: base.ip, server: server, transport: transport, tcpType),
            // Relayed candidates are UDP, however their server is reached.
            transport: kind == .relay ? .udp : transport,
            priority: ICECandidate.priority(kind, transport, tcpType, localPreference: 65_535 - locals.count),
            host: .ip(address.ip), port: address.port, kind: kind,
            related: kind == .host ? nil : related ?? base, tcpType: tcpType)
        candidate.ufrag = session.local.ufrag
        let local = LocalCandidate(candidate: candidate, base: base, relay: relay, isPaired: isPaired)
        locals.append(local)
        emit(.candidate(candidate))
        for remote in remotes { pair(local, remote, at: now) }
    }
}
