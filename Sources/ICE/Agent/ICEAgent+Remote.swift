package import Core

extension ICEAgent {
    /// A candidate of the peer's, at any time, also before `setRemote`. Names are asked for with `ICEEvent.resolve`.
    package func addRemote(_ candidate: ICECandidate, at now: Instant) {
        guard !isClosed, candidate.component == 1 else { return }
        if let ufrag = candidate.ufrag, let known = session.remote?.ufrag ?? previous?.remote?.ufrag,
            (ufrag == known) == (session.remote == nil)
        {
            // Of a generation that is over, or of one whose description is still on its way.
            if early.count < ICELimits.remoteCandidates { early.append(candidate) } else { ignoredCandidates += 1 }
            return
        }
        switch candidate.host {
        case .name(let name):
            // Only mDNS: other names would let a peer make us ask anybody's name server.
            let isFull = names.count >= ICELimits.names && names[name] == nil
            guard name.lowercased().hasSuffix(".local"), !isFull, names[name, default: []].count < 8 else {
                ignoredCandidates += 1
                return
            }
            names[name, default: []].append(candidate)
            if names[name]?.count == 1 { emit(.resolve(name)) }
        case .ip: learn(candidate, at: now)
        }
        settle(at: now)
    }

    /// Candidates that came before the description that they belong to; the rest of them is out of date.
    func takeEarly(at now: Instant) {
        let waiting = early
        early = []
        for candidate in waiting {
            if candidate.ufrag == session.remote?.ufrag {
                addRemote(candidate, at: now)
            } else {
                ignoredCandidates += 1
            }
        }
    }

    /// The addresses of a name that was asked for; none: it is passed over.
    package func resolved(_ name: String, _ addresses: [IPAddress], at now: Instant) {
        guard !isClosed, let waiting = names.removeValue(forKey: name) else { return }
        guard let first = addresses.first else {
            ignoredCandidates += waiting.count
            return
        }
        for var candidate in waiting {
            candidate.host = .ip(first)
            learn(candidate, at: now)
        }
        settle(at: now)
    }

    /// The peer has no more candidates. Failure is not concluded from it (RFC 8863): checks from addresses nobody told
    /// may still come.
    package func endOfRemoteCandidates(at now: Instant) {
        guard !isClosed else { return }
        settle(at: now)
    }

    private func learn(_ candidate: ICECandidate, at now: Instant) {
        if let known = remotes.firstIndex(where: {
            $0.address == candidate.address && $0.transport == candidate.transport && $0.tcpType == candidate.tcpType
        }) {
            // Learned from a check before it was told (RFC 8838, section 11.4): now its type and priority are known.
            if remotes[known].kind == .prflx { replace(known, candidate) }
            return
        }
        guard remotes.count < ICELimits.remoteCandidates else {
            ignoredCandidates += 1
            return
        }
        remotes.append(candidate)
        for local in locals { pair(local, candidate, at: now) }
    }

    private func replace(_ index: Int, _ candidate: ICECandidate) {
        remotes[index] = candidate
        for pair in pairs.indices
        where pairs[pair].generation == session.generation && pairs[pair].remote.address == candidate.address
            && pairs[pair].remote.transport == candidate.transport
        {
            pairs[pair].remote = candidate
            pairs[pair].priority = CandidatePair.priority(
                pairs[pair].local.candidate.priority, candidate.priority, role)
        }
    }

    /// Forms a pair and gives it its first state (RFC 8445, section 6.1.2; RFC 8838, section 12).
    func pair(_ local: LocalCandidate, _ remote: ICECandidate, at now: Instant) {
        guard !configuration.isLite, let way = CandidatePair.way(local, remote) else { return }
        if case .direct(let path) = way, foreignPaths.contains(path) { return }
        guard !pairs.contains(where: { $0.way == way && $0.generation == session.generation }) else { return }
        guard let index = insert(local, remote, way) else { return }
        let foundation = pairs[index].foundation
        var isAlone = true
        var isKnownGood = false
        for other in pairs where other.foundation == foundation && other.id != pairs[index].id {
            isAlone = false
            if other.state == .succeeded { isKnownGood = true }
        }
        pairs[index].state = isAlone || isKnownGood ? .waiting : .frozen
        // The peer's checks through its own relay come early, and would be turned away.
        if case .relayed(let client, let peer) = way { turns[client]?.permit(peer.ip, at: now) }
    }

    /// This path belongs to another session that uses the same socket: no checks of ours go over it, until a restart.
    package func exclude(_ path: NetworkPath, at now: Instant) {
        guard !isClosed, foreignPaths.count < ICELimits.pairs, foreignPaths.insert(path).inserted else { return }
        for pair in pairs where pair.way == .direct(path) && pair.id != selectedID {
            for index in transactions.indices where transactions[index].pairID == pair.id {
                transactions[index].isCancelled = true
            }
        }
        removePairs { $0.way == .direct(path) && $0.id != selectedID }
        settle(at: now)
    }

    /// Adds a pair; if there are too many, the least of those that were not tried makes room. Nil if it is the least.
    func insert(_ local: LocalCandidate, _ remote: ICECandidate, _ way: Way) -> Int? {
        let priority = CandidatePair.priority(local.candidate.priority, remote.priority, role)
        if pairs.count >= ICELimits.pairs {
            let idle = pairs.indices.filter { [.frozen, .waiting, .failed].contains(pairs[$0].state) }
            guard let least = idle.min(by: { pairs[$0].priority < pairs[$1].priority }),
                pairs[least].priority < priority || pairs[least].state == .failed, pairs[least].id != selectedID
            else { return nil }
            pairs.remove(at: least)
        }
        let key = "\(local.candidate.foundation) \(remote.foundation)"
        let foundation = foundations[key] ?? foundations.count
        // As many as there were pairs in all; a peer that makes up more shares one.
        if foundations.count < 1000 { foundations[key] = foundation }
        pairs.append(
            CandidatePair(
                id: nextPairID, generation: session.generation, local: local, remote: remote, way: way,
                priority: priority, foundation: foundation))
        nextPairID += 1
        return pairs.count - 1
    }
}
