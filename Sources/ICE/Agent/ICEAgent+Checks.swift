import Core

/// A connectivity check on its way.
struct CheckTransaction {
    let id: STUNTransactionID
    let pairID: Int
    let generation: Int
    let role: ICERole
    let nominates: Bool
    let message: [UInt8]
    let way: Way
    let firstSentAt: Instant
    var sent = 1
    var rto: MediaTime
    var nextAt: Instant
    /// No longer retransmitted; a late answer still counts (RFC 8445, section 7.3.1.4).
    var isCancelled = false
    /// Never retransmitted: what led to it was not STUN, and leads to the next one.
    var isSingle = false
}

/// A check without retransmission: consent, and whether the way is still there (RFC 7675, section 5.1).
struct Ping {
    let id: STUNTransactionID
    let pairID: Int
    let way: Way
    let sentAt: Instant
    let role: ICERole
    let nominates: Bool
}

extension ICEAgent {
    /// RFC 8489, section 6.2.1, has seven transmissions in 31.5 s, the last one waited for sixteen times 500 ms. Ours take
    /// as long, but once 2 s lie between two it stays at that: of seven, a bad network loses all once in a thousand times.
    private static let transmissionsMax = 18
    private static let rtoMax = MediaTime.seconds(2)
    private static let lastWait = MediaTime.milliseconds(8000)

    /// Whether something waits for its turn at the pace Ta.
    var hasPacedWork: Bool {
        if !gatherQueue.isEmpty { return true }
        guard session.remoteKey != nil, !configuration.isLite else { return false }
        return !triggered.isEmpty || nextOrdinary() != nil
    }

    /// Sends one new transaction if its time has come.
    func pace(at now: Instant) {
        guard nextPacedAt.map({ $0 <= now }) ?? true, hasPacedWork else { return }
        nextPacedAt = now + max(configuration.pacing, MediaTime.milliseconds(5))
        if sendGathering(at: now) { return }
        while let id = triggered.popFirst() {
            guard let index = index(ofPair: id), pairs[index].generation == session.generation,
                pairs[index].state == .waiting || pairs[index].isNominating
            else { continue }
            if begin(index, at: now) { return }
        }
        if let index = nextOrdinary() { _ = begin(index, at: now) }
    }

    /// The pair whose turn it is (RFC 8445, section 6.1.4.2). Once a nominated pair is in use, only better ones are.
    private func nextOrdinary() -> Int? {
        let floor = selectedFloor
        var waiting: Int?
        var frozen: Int?
        var active: Set<Int> = []
        for (index, pair) in pairs.enumerated() where pair.generation == session.generation {
            if pair.state == .waiting || pair.state == .inProgress { active.insert(pair.foundation) }
            guard pair.priority > floor else { continue }
            if pair.state == .waiting, isReady(pair), waiting.map({ pairs[$0].priority < pair.priority }) ?? true {
                waiting = index
            }
        }
        if let waiting { return waiting }
        for (index, pair) in pairs.enumerated()
        where pair.generation == session.generation && pair.state == .frozen && pair.priority > floor {
            if !active.contains(pair.foundation), frozen.map({ pairs[$0].priority < pair.priority }) ?? true {
                frozen = index
            }
        }
        return frozen
    }

    /// The priority that a pair must have to be worth an ordinary check.
    var selectedFloor: UInt64 {
        guard !isDisconnected, let index = index(ofPair: selectedID), pairs[index].nomination > 0,
            pairs[index].generation == session.generation
        else { return 0 }
        return pairs[index].priority
    }

    /// Not one that waits for a TURN server's permission.
    private func isReady(_ pair: CandidatePair) -> Bool {
        guard case .relayed(let client, let peer) = pair.way else { return true }
        guard let turn = turns[client], turn.state == .allocated else { return false }
        return turn.isPermitted(peer.ip) || turn.permissions[peer.ip] == nil
    }

    /// Begins a check, or what must come before it. False if nothing was sent.
    private func begin(_ index: Int, at now: Instant) -> Bool {
        switch pairs[index].way {
        case .unconnected(let from, let to):
            pairs[index].state = .inProgress
            guard connections.count < ICELimits.connections else {
                pairs[index].state = .failed
                return false
            }
            open(.pair(pairs[index].id), .tcp, from: from.ip, to: to, framing: .length)
            return true
        case .relayed(let client, let peer) where turns[client]?.isPermitted(peer.ip) != true:
            pairs[index].state = .waiting
            turns[client]?.permit(peer.ip, at: now)
            return true
        default:
            sendCheck(index, at: now)
            return true
        }
    }

    /// Sends a check on a pair; a `single` one is not retransmitted.
    func sendCheck(_ index: Int, single: Bool = false, at now: Instant) {
        let id = nextTransactionID()
        let nominates = pairs[index].isNominating && role == .controlling
        guard let message = binding(pairs[index], id, nominates: nominates) else { return }
        if pairs[index].state != .succeeded { pairs[index].state = .inProgress }
        // RFC 8445, section 14.3.
        let open = pairs.count { $0.state == .waiting || $0.state == .inProgress }
        let paced = MediaTime(nanoseconds: configuration.pacing.nanoseconds &* Int64(open))
        let rto = max(MediaTime.milliseconds(500), paced)
        for other in transactions.indices where transactions[other].pairID == pairs[index].id {
            transactions[other].isCancelled = true
        }
        // Bounded by the pairs, each with one that is alive and the cancelled ones of its last seconds.
        if transactions.count > 4 * ICELimits.pairs { transactions.removeFirst() }
        let wait = single ? ICEAgent.singleLife : rto
        transactions.append(
            CheckTransaction(
                id: id, pairID: pairs[index].id, generation: session.generation, role: role, nominates: nominates,
                message: message, way: pairs[index].way, firstSentAt: now, rto: rto, nextAt: now + wait,
                isSingle: single))
        send(message, pairs[index].way)
    }

    /// A Binding request for a pair, with the credentials of its generation.
    func binding(_ pair: CandidatePair, _ id: STUNTransactionID, nominates: Bool) -> [UInt8]? {
        let session = pair.generation == session.generation ? session : previous
        guard let session, let remote = session.remote, let key = session.remoteKey else { return nil }
        var writer = STUNWriter(.request, .binding, id)
        writer.add(.username, "\(remote.ufrag):\(session.local.ufrag)")
        writer.add(role == .controlling ? .iceControlling : .iceControlled, u64: tieBreaker)
        if nominates { writer.addFlag(.useCandidate) }
        // The priority of a peer-reflexive candidate that this check may bring to light (RFC 8445, section 7.1.1).
        let preference = Int(pair.local.candidate.priority >> 8 & 0xFFFF)
        let priority =
            pair.local.relay != nil
            ? ICECandidate.priority(.relay, .udp, nil, localPreference: preference)
            : ICECandidate.priority(.prflx, pair.local.candidate.transport, nil, localPreference: preference)
        writer.add(.priority, u32: priority)
        return writer.finish(key)
    }

    /// Sends a STUN message the way of a pair.
    func send(_ message: [UInt8], _ way: Way) {
        switch way {
        case .direct(let path): transmit(message, over: path)
        case .relayed(let client, let peer):
            guard let turn = turns[client] else { return }
            let route = turn.route(to: peer)
            transmit(route.wrap(message, id: random.next()), over: route.path)
        case .unconnected: break
        }
    }

    func retransmitChecks(at now: Instant) {
        for index in transactions.indices.reversed() where transactions[index].nextAt <= now {
            let transaction = transactions[index]
            let isStream: Bool
            if case .direct(let path) = transaction.way { isStream = path.transport == .tcp } else { isStream = false }
            if transaction.isSingle {
                transactions.remove(at: index)
                endSingle(transaction.pairID, at: now)
                continue
            }
            if transaction.sent >= ICEAgent.transmissionsMax || transaction.isCancelled {
                transactions.remove(at: index)
                if !transaction.isCancelled, let pair = self.index(ofPair: transaction.pairID) {
                    failPair(pair, at: now)
                }
                continue
            }
            transactions[index].sent += 1
            // More than that at the start, where many pairs take turns, stays.
            transactions[index].rto = max(transaction.rto, min(transaction.rto + transaction.rto, ICEAgent.rtoMax))
            let isLast = transaction.sent + 1 == ICEAgent.transmissionsMax
            transactions[index].nextAt = now + (isLast ? ICEAgent.lastWait : transactions[index].rto)
            // TCP repeats by itself; here only time passes.
            if !isStream { send(transaction.message, transaction.way) }
        }
    }

    /// A single check was not answered, and no other is on its way.
    private func endSingle(_ pairID: Int, at now: Instant) {
        guard !transactions.contains(where: { $0.pairID == pairID }), let index = index(ofPair: pairID),
            pairs[index].state == .inProgress
        else { return }
        failPair(index, at: now)
    }

    func failPair(_ index: Int, at now: Instant) {
        let id = pairs[index].id
        pairs[index].state = .failed
        pairs[index].nomination = 0
        pairs[index].isNominating = false
        for other in transactions.indices where transactions[other].pairID == id {
            transactions[other].isCancelled = true
        }
    }

    /// Makes a check on this pair the next thing to do (RFC 8445, section 7.3.1.4).
    func trigger(_ index: Int) {
        switch pairs[index].state {
        case .succeeded: return
        case .inProgress:
            if case .unconnected = pairs[index].way { return }
        default: break
        }
        pairs[index].state = .waiting
        for other in transactions.indices where transactions[other].pairID == pairs[index].id {
            transactions[other].isCancelled = true
        }
        let id = pairs[index].id
        _ = triggered.removeFirst { $0 == id }
        triggered.append(id)
    }

    /// A single check on a pair that works, or did.
    func ping(_ index: Int, at now: Instant) {
        let id = nextTransactionID()
        // A controlling side keeps saying which pair it chose: an answer that was lost is thereby made up for.
        let isChosen = pairs[index].isNominating || (pairs[index].id == selectedID && pairs[index].nomination > 0)
        let nominates = role == .controlling && isChosen
        guard let message = binding(pairs[index], id, nominates: nominates) else { return }
        if pings.count >= ICELimits.pings { _ = pings.popFirst() }
        pings.append(
            Ping(
                id: id, pairID: pairs[index].id, way: pairs[index].way, sentAt: now, role: role, nominates: nominates))
        if pairs[index].unansweredSince == nil { pairs[index].unansweredSince = now }
        send(message, pairs[index].way)
    }
}
