package import Core

extension ICEAgent {
    /// A datagram or a whole message of a stream (of a connection that was accepted, `path.local` is the address that
    /// listens). Application data costs a comparison and no memory.
    package func receive(_ bytes: RawSpan, over path: NetworkPath, at now: Instant) -> ICEDisposition {
        guard bytes.byteCount > 0, !isClosed else { return drop(.malformed) }
        for turn in turnPaths where turn.path == path { return receiveRelayed(bytes, turn.client, at: now) }
        if STUNMessage.isSTUN(bytes) { return receiveSTUN(bytes, .direct(path), at: now) }
        if path == selectedPath {
            heardData(at: now)
        } else if detour?.path == path {
            detour?.heard = now
        }
        return .application(0..<bytes.byteCount)
    }

    private func receiveRelayed(_ bytes: RawSpan, _ client: Int, at now: Instant) -> ICEDisposition {
        switch turns[client]?.receive(bytes, at: now) {
        case .data(let range, let peer):
            let data = bytes.extracting(range)
            let way = Way.relayed(client: client, peer: peer)
            if STUNMessage.isSTUN(data) {
                // The path is the server's: the peer's password proves nothing about it.
                let disposition = receiveSTUN(data, way, at: now)
                return disposition == .authenticated ? .consumed : disposition
            }
            if let index = index(ofPair: selectedID), pairs[index].way == way { heardData(at: now) }
            return .application(range)
        case .dropped(let reason): return drop(reason)
        case .consumed, nil:
            settle(at: now)
            return .consumed
        }
    }

    private func receiveSTUN(_ bytes: RawSpan, _ way: Way, at now: Instant) -> ICEDisposition {
        guard let message = try? STUNMessage(bytes) else { return drop(.malformed) }
        guard message.method == .binding else { return drop(.malformed) }
        let disposition: ICEDisposition
        switch message.kind {
        case .request: disposition = receiveRequest(message, bytes, way, at: now)
        case .success, .failure: disposition = receiveAnswer(message, bytes, way, at: now)
        // A keepalive (RFC 8445, section 11).
        case .indication: return .consumed
        }
        if disposition != .dropped { settle(at: now) }
        return disposition
    }

    // MARK: Requests

    private func receiveRequest(
        _ message: STUNMessage, _ bytes: RawSpan, _ way: Way, at now: Instant
    ) -> ICEDisposition {
        // Whoever does not know the password gets no answer: one would only help to find sessions, and to flood others.
        guard let username = message.username, message.hasIntegrity else { return drop(.wrongUser) }
        guard let session = session(of: bytes.extracting(username)) else { return drop(.wrongUser) }
        guard message.isProtected(by: session.localKey, in: bytes) else { return drop(.wrongIntegrity) }
        guard message.unknownRequired.isEmpty else {
            respond(message, way, session, 420, "Unknown Attribute")
            return .authenticated
        }
        guard let priority = message.priority, message.controlling != nil || message.controlled != nil else {
            respond(message, way, session, 400, "Bad Request")
            return .authenticated
        }
        if hasRoleConflict(message) {
            let theirs = message.controlling ?? message.controlled ?? 0
            // RFC 8445, section 7.3.1.1: the greater tie-breaker is, or becomes, controlling.
            if (role == .controlling) == (tieBreaker >= theirs) {
                respond(message, way, session, 487, "Role Conflict")
                return .authenticated
            }
            setRole(role == .controlling ? .controlled : .controlling)
        }
        guard let source = source(way) else { return drop(.unknownPath) }
        var answer = STUNWriter(.success, .binding, message.id)
        answer.addAddress(.xorMappedAddress, source)
        if session.generation != self.session.generation {
            send(answer.finish(session.localKey), way)
            if let index = pairs.firstIndex(where: { $0.way == way && $0.generation == session.generation }) {
                pairs[index].lastHeard = now
            }
            return .authenticated
        }
        guard let index = pairIndex(way) ?? learn(way, source, priority) else {
            return drop(localCandidate(of: way) == nil ? .unknownPath : .tooMany)
        }
        send(answer.finish(session.localKey), way)
        pairs[index].lastHeard = now
        checked(index, nominates: message.usesCandidate, at: now)
        return .authenticated
    }

    /// What a valid check of the peer's means for its pair.
    private func checked(_ index: Int, nominates: Bool, at now: Instant) {
        if configuration.isLite {
            // A lite agent sends no checks: what the peer nominates is valid (RFC 8445, section 7.3.2).
            guard nominates || pairs[index].state != .succeeded else { return }
            pairs[index].state = .succeeded
            if firstValidAt == nil { firstValidAt = now }
            if nominates { nominate(index) }
            return
        }
        if nominates, role == .controlled {
            if pairs[index].state == .succeeded { nominate(index) } else { pairs[index].isNominatedOnSuccess = true }
        }
        trigger(index)
        // A peer that asks over a new way has perhaps lost the old one: look at once.
        if let selected = self.index(ofPair: selectedID), selected != index, pairs[selected].unansweredSince == nil,
            silence(selected, at: now) > min(quiet, MediaTime.milliseconds(500))
        {
            ping(selected, at: now)
            nextProbeAt = now + ICEAgent.probeInterval
        }
    }

    /// Gives a pair the latest nomination; repeating that of the latest changes nothing.
    func nominate(_ index: Int) {
        guard pairs[index].nomination == 0 || pairs[index].nomination != nominations else { return }
        nominations += 1
        pairs[index].nomination = nominations
    }

    private func hasRoleConflict(_ message: STUNMessage) -> Bool {
        guard !configuration.isLite else { return false }
        return role == .controlling ? message.controlling != nil : message.controlled != nil
    }

    /// Whose ufrag stands before the colon.
    private func session(of username: RawSpan) -> Session? {
        let isFor = { (ufrag: String, username: RawSpan) in
            let count = ufrag.utf8.count
            guard username.byteCount > count else { return false }
            return username.withUnsafeBytes {
                $0[count] == UInt8(ascii: ":") && $0.prefix(count).elementsEqual(ufrag.utf8)
            }
        }
        if isFor(session.local.ufrag, username) { return session }
        if let previous, isFor(previous.local.ufrag, username) { return previous }
        return nil
    }

    private func source(_ way: Way) -> SocketAddress? {
        switch way {
        case .direct(let path): path.remote
        case .relayed(_, let peer): peer
        case .unconnected: nil
        }
    }

    func pairIndex(_ way: Way) -> Int? {
        pairs.firstIndex { $0.way == way && $0.generation == session.generation }
    }

    /// The local candidate that datagrams of this way come to.
    private func localCandidate(of way: Way) -> LocalCandidate? {
        switch way {
        case .direct(let path):
            locals.first {
                $0.candidate.kind == .host && $0.base == path.local && $0.candidate.transport == path.transport
                    && $0.candidate.tcpType != .active
            }
        case .relayed(let client, _): locals.first { $0.relay == client }
        case .unconnected: nil
        }
    }

    /// A pair for a check from an address or over a way that was not known (RFC 8445, section 7.3.1.3).
    func learn(_ way: Way, _ source: SocketAddress, _ priority: UInt32) -> Int? {
        guard let local = localCandidate(of: way) else { return nil }
        let transport = local.candidate.transport
        let isTCP = transport == .tcp
        // Connections come from ports that nobody tells, so for TCP each is a candidate of its own.
        let known = isTCP ? nil : remotes.first { $0.address == source && $0.transport == .udp }
        guard let known else {
            let remote = ICECandidate(
                foundation: "p\(source.ip)".prefix(32).description, transport: transport, priority: priority,
                host: .ip(source.ip), port: source.port, kind: .prflx, tcpType: isTCP ? .active : nil)
            if remotes.count >= 2 * ICELimits.remoteCandidates {
                // Authenticated, so the peer's own doing; it moves often, and what it used first is gone.
                guard let old = remotes.firstIndex(where: { $0.kind == .prflx }) else { return nil }
                remotes.remove(at: old)
            }
            remotes.append(remote)
            return insert(local, remote, way)
        }
        return insert(local, known, way)
    }

    private func respond(_ message: STUNMessage, _ way: Way, _ session: Session, _ code: Int, _ reason: String) {
        var answer = STUNWriter(.failure, .binding, message.id)
        answer.addError(code, reason)
        if code == 420 { answer.addUnknownAttributes(message.unknownRequired) }
        send(answer.finish(session.localKey), way)
    }

    // MARK: Answers

    private func receiveAnswer(
        _ message: STUNMessage, _ bytes: RawSpan, _ way: Way, at now: Instant
    ) -> ICEDisposition {
        if case .direct(let path) = way, let disposition = receiveGathering(message, over: path, at: now) {
            return disposition
        }
        if let ping = pings.removeFirst(where: { $0.id == message.id }) {
            guard let index = index(ofPair: ping.pairID) else { return .consumed }
            guard isProtected(message, bytes, pairs[index].generation) else { return drop(.wrongIntegrity) }
            guard ping.way == way else { return drop(.asymmetric) }
            guard message.kind == .success else {
                if message.errorCode == 487 { switchRole(from: ping.role) }
                return .authenticated
            }
            answered(index, since: ping.sentAt, at: now)
            if ping.nominates, role == .controlling, pairs[index].isNominating, pairs[index].state == .succeeded {
                pairs[index].isNominating = false
                nominate(index)
            }
            return .authenticated
        }
        guard let place = transactions.firstIndex(where: { $0.id == message.id }) else {
            return drop(.unknownTransaction)
        }
        let transaction = transactions[place]
        guard isProtected(message, bytes, transaction.generation) else { return drop(.wrongIntegrity) }
        transactions.remove(at: place)
        guard let index = index(ofPair: transaction.pairID) else { return .consumed }
        guard transaction.way == way else {
            failPair(index, at: now)
            return drop(.asymmetric)
        }
        if message.kind == .failure {
            if message.errorCode == 487 {
                switchRole(from: transaction.role)
                pairs[index].state = .waiting
                trigger(index)
            } else if !transaction.isCancelled {
                failPair(index, at: now)
            }
            return .authenticated
        }
        if transaction.sent == 1 {
            answered(index, since: transaction.firstSentAt, at: now)
        } else {
            answered(index, since: nil, at: now)
        }
        succeeded(index, transaction, message, at: now)
        return .authenticated
    }

    private func isProtected(_ message: STUNMessage, _ bytes: RawSpan, _ generation: Int) -> Bool {
        let key = generation == session.generation ? session.remoteKey : previous?.remoteKey
        return key.map { message.isProtected(by: $0, in: bytes) } ?? false
    }

    /// RFC 8445, section 7.2.5.1: only once for all checks that were sent in the old role.
    private func switchRole(from old: ICERole) {
        guard old == role else { return }
        setRole(role == .controlling ? .controlled : .controlling)
        tieBreaker = random.next()
    }

    /// Consent is renewed, the way is there.
    private func answered(_ index: Int, since sent: Instant?, at now: Instant) {
        if pairs[index].id == selectedID { answeredInSilence(at: now) }
        pairs[index].lastHeard = now
        pairs[index].lastAnswer = now
        pairs[index].unansweredSince = nil
        if let sent { pairs[index].roundTrip = now - sent }
    }

    private func succeeded(
        _ index: Int, _ transaction: CheckTransaction, _ message: STUNMessage, at now: Instant
    ) {
        pairs[index].state = .succeeded
        if firstValidAt == nil { firstValidAt = now }
        // The question is answered; one that nominates is another question.
        for other in transactions.indices
        where transactions[other].pairID == pairs[index].id && !transactions[other].nominates {
            transactions[other].isCancelled = true
        }
        // RFC 8445, section 7.2.5.3.3: pairs of the same foundations are likely to work too.
        let foundation = pairs[index].foundation
        for other in pairs.indices where pairs[other].foundation == foundation && pairs[other].state == .frozen {
            pairs[other].state = .waiting
        }
        if let mapped = message.mappedAddress, pairs[index].local.relay == nil { correctLocal(index, mapped) }
        if transaction.nominates, role == .controlling {
            pairs[index].isNominating = false
            nominate(index)
        } else if pairs[index].isNominatedOnSuccess, role == .controlled {
            nominate(index)
        }
    }

    /// The peer sees another address of ours: the pair's local candidate is that one (RFC 8445, section 7.2.5.3.1).
    private func correctLocal(_ index: Int, _ mapped: SocketAddress) {
        let local = pairs[index].local
        guard local.candidate.address != mapped else { return }
        if let known = locals.first(where: { $0.base == local.base && $0.candidate.address == mapped }) {
            pairs[index].local.candidate = known.candidate
            return
        }
        let own = local.candidate
        let preference = Int(own.priority >> 8 & 0xFFFF)
        var candidate = ICECandidate(
            foundation: ICECandidate.foundation(
                .prflx, base: local.base.ip, server: nil, transport: own.transport, own.tcpType),
            transport: own.transport,
            priority: ICECandidate.priority(.prflx, own.transport, nil, localPreference: preference),
            host: .ip(mapped.ip), port: mapped.port, kind: .prflx, related: local.base, tcpType: own.tcpType)
        candidate.ufrag = session.local.ufrag
        pairs[index].local.candidate = candidate
    }
}
