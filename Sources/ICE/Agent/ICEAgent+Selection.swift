import Core

extension ICEAgent {
    /// RFC 7675, section 5.1: consent ends 30 s after the last answer.
    private static let consentLife = MediaTime.milliseconds(30_000)
    /// Between checks that look whether an unsure way is there.
    static let probeInterval = MediaTime.milliseconds(500)
    /// So long may a selected pair say nothing before it is asked: so many times the usual gap between its datagrams,
    /// within these bounds, and the longest where nothing is usual.
    private static let quietGaps: Int64 = 4
    private static let quietMin = MediaTime.milliseconds(300)
    private static let quietMax = MediaTime.milliseconds(1500)
    /// Per datagram, the usual gap forgets one part in this many.
    private static let gapMemory: Int64 = 16
    /// Questions without an answer, and nothing else heard, for so long: disconnected.
    private static let unanswered = MediaTime.milliseconds(3000)
    /// Our questions get no answer, though something is heard.
    private static let deaf = MediaTime.milliseconds(10_000)
    /// A pair silent for so long is given up for another that is alive.
    private static let dead = MediaTime.milliseconds(2500)
    /// A lite agent hears checks at least every six seconds.
    private static let liteDisconnected = MediaTime.milliseconds(15_000)
    /// Ways that were proved, but are not in use, are kept open (NAT bindings last 15 s and more: RFC 8445, section 11).
    private static let backupInterval = MediaTime.milliseconds(15_000)
    private static let backups = 4
    /// `ready` does not wait longer than this for checks of better pairs.
    private static let conclusion = MediaTime.milliseconds(2000)

    /// A datagram that is not STUN has come on the selected pair.
    func heardData(at now: Instant) {
        if let last = selectedHeard {
            let usual = usualGap ?? .zero
            usualGap = max(now - last, usual - MediaTime(nanoseconds: usual.nanoseconds / ICEAgent.gapMemory))
        }
        selectedHeard = now
    }

    /// The selected pair is there although no data came: silence is usual on it.
    func answeredInSilence(at now: Instant) {
        if let usual = usualGap, let last = selectedHeard { usualGap = max(usual, now - last) }
    }

    /// How long the selected pair may say nothing before it is asked.
    var quiet: MediaTime {
        guard let usualGap else { return ICEAgent.quietMax }
        let gaps = MediaTime(nanoseconds: min(usualGap.nanoseconds, 1_000_000_000) * ICEAgent.quietGaps)
        return min(max(gaps, ICEAgent.quietMin), ICEAgent.quietMax)
    }

    /// Whether the selected pair, on which media came all the time, has suddenly fallen silent: reason enough to go over
    /// to another one that was heard since, not to give it up.
    private func isSilent(_ index: Int, at now: Instant) -> Bool {
        usualGap != nil && pairs[index].id == selectedID && silence(index, at: now) > quiet
    }

    /// How long a pair has said nothing.
    func silence(_ index: Int, at now: Instant) -> MediaTime {
        let pair = pairs[index]
        guard let heard = pair.heard(pair.id == selectedID ? selectedHeard : nil) else { return .infinity }
        return now - heard
    }

    /// Whether a pair has stopped working, as far as one can tell by now.
    private func isDead(_ index: Int, at now: Instant) -> Bool {
        let silence = silence(index, at: now)
        if silence > ICEAgent.dead { return true }
        guard let since = pairs[index].unansweredSince else { return false }
        let shortest = pairs[index].id == selectedID ? min(quiet, .milliseconds(1000)) : .milliseconds(1000)
        let patience = max(shortest, (pairs[index].roundTrip ?? .zero) + min(shortest, .milliseconds(500)))
        return now - since > patience && silence > patience
    }

    // MARK: Choosing

    /// Chooses among the pairs that work.
    func reselect(at now: Instant) {
        followDetour(at: now)
        let current = index(ofPair: selectedID)
        var best: Int?
        for index in pairs.indices
        where pairs[index].state == .succeeded && pairs[index].generation == session.generation {
            guard let other = best else {
                best = index
                continue
            }
            if precedes(index, other, current, at: now) { best = index }
        }
        guard let best else {
            if let current, pairs[current].state != .succeeded { deselect() }
            return
        }
        if let current, pairs[current].generation != session.generation, pairs[current].state == .succeeded,
            pairs[best].nomination == 0, !isDead(current, at: now)
        {
            return
        }
        if current != best { select(best, at: now) }
    }

    /// Nominated before others; the controlling side follows its last word; the controlled side takes the nominated
    /// pair of highest priority that is alive (which is right for aggressive nomination too), so it leaves the one in
    /// use for a lower one only once that is silent.
    private func precedes(_ a: Int, _ b: Int, _ current: Int?, at now: Instant) -> Bool {
        let (x, y) = (pairs[a], pairs[b])
        let (xDead, yDead) = (isOut(a, current, at: now), isOut(b, current, at: now))
        if isDisconnected, xDead != yDead { return yDead }
        if (x.nomination > 0) != (y.nomination > 0) { return x.nomination > 0 }
        if x.nomination > 0, role == .controlling, !configuration.isLite { return x.nomination > y.nomination }
        if xDead != yDead { return yDead }
        if x.nomination > 0, x.priority == y.priority { return x.nomination > y.nomination }
        return x.priority > y.priority
    }

    /// Only the pair in use is watched closely; others count as dead when nothing was heard since it fell silent.
    private func isOut(_ index: Int, _ current: Int?, at now: Instant) -> Bool {
        guard let current, isDead(current, at: now) || isSilent(current, at: now) else { return false }
        return index == current || silence(index, at: now) >= silence(current, at: now)
    }

    private func select(_ index: Int, at now: Instant) {
        let id = pairs[index].id
        // One that fell silent must prove itself again, else it would win by its rank at once.
        if let old = self.index(ofPair: selectedID), isDead(old, at: now) { failPair(old, at: now) }
        if previous != nil {
            previous = nil
            removePairs { $0.generation != session.generation }
        }
        guard let index = self.index(ofPair: id) else { return }
        use(pairs[index], at: now)
    }

    private func use(_ pair: CandidatePair, at now: Instant) {
        selectedID = pair.id
        selectedHeard = nil
        usualGap = nil
        selectedSince = now
        isDisconnected = false
        isFailed = false
        nextConsentAt = now + consentInterval()
        nextProbeAt = nil
        if nextBackupAt == nil { nextBackupAt = now + ICEAgent.backupInterval }
        if case .direct(let path) = pair.way { selectedPath = path } else { selectedPath = nil }
        if case .relayed(let client, let peer) = pair.way { turns[client]?.bind(peer, at: now) }
        refreshRoute()
        emit(.selectedPair(local: pair.local.candidate, remote: pair.remote))
        drainTURN(at: now)
    }

    private func deselect() {
        selectedID = nil
        selectedPath = nil
        selectedHeard = nil
        selectedRoute = nil
        nextConsentAt = nil
        nextProbeAt = nil
    }

    func refreshRoute() {
        guard let index = index(ofPair: selectedID) else {
            selectedRoute = nil
            return
        }
        switch pairs[index].way {
        case .direct(let path): selectedRoute = ICERoute(path: path)
        case .relayed(let client, let peer): selectedRoute = turns[client]?.route(to: peer)
        case .unconnected: selectedRoute = nil
        }
    }

    // MARK: Nominating (RFC 8445, section 8.1.1)

    private func nominationTime() -> Instant? {
        guard let first = firstValidAt else { return nil }
        let isRelayed = !pairs.contains { $0.state == .succeeded && $0.local.relay == nil && $0.remote.kind != .relay }
        return first + (isRelayed ? configuration.relayNominationDelay : configuration.nominationDelay)
    }

    func nextNominationDeadline() -> Instant? {
        guard role == .controlling, !configuration.isLite, !pairs.contains(where: { $0.isNominating }),
            let index = index(ofPair: selectedID), pairs[index].nomination == 0 || isFromBefore(index)
        else { return nil }
        return nominationTime()
    }

    /// When `ready` may be said though better pairs are still being tried.
    func nextConclusion() -> Instant? { state == .connected ? selectedSince.map { $0 + ICEAgent.conclusion } : nil }

    func isFromBefore(_ index: Int) -> Bool { pairs[index].generation != session.generation }

    /// The controlling side's decision: the best pair that works, once nothing better is to be expected soon; and again
    /// when the chosen one dies or a better kind of way turns up.
    func considerNomination(at now: Instant) {
        guard role == .controlling, !configuration.isLite, session.remoteKey != nil else { return }
        if let asked = pairs.firstIndex(where: { $0.isNominating }) {
            // One that takes this long has lost its way; another may be tried.
            guard isDead(asked, at: now), nominationAskedAt.map({ now - $0 > .seconds(3) }) ?? true else { return }
            pairs[asked].isNominating = false
        }
        var best: Int?
        for index in pairs.indices where pairs[index].state == .succeeded && !isFromBefore(index) {
            if silence(index, at: now) > ICEAgent.backupInterval + .seconds(5) { continue }
            if isDead(index, at: now) || isSilent(index, at: now), index == self.index(ofPair: selectedID) { continue }
            if best.map({ pairs[index].priority > pairs[$0].priority }) ?? true { best = index }
        }
        guard let best else { return }
        let chosen = index(ofPair: selectedID)
        if let chosen, pairs[chosen].nomination > 0, !isFromBefore(chosen) {
            guard chosen != best else { return }
            let isOver = isDead(chosen, at: now) || isSilent(chosen, at: now)
            let isLost = isOver && silence(best, at: now) < silence(chosen, at: now)
            guard isLost || pairs[best].isBetterKind(than: pairs[chosen]) else { return }
        } else {
            let mayImprove = pairs.contains {
                !isFromBefore($0) && $0.priority > pairs[best].priority
                    && [.frozen, .waiting, .inProgress].contains($0.state)
            }
            guard !mayImprove || (nominationTime().map { $0 <= now } ?? false) else { return }
        }
        pairs[best].isNominating = true
        nominationAskedAt = now
        triggered.append(pairs[best].id)
    }

    private func isFromBefore(_ pair: CandidatePair) -> Bool { pair.generation != session.generation }

    // MARK: Keeping

    /// 5 s ± 20 % (RFC 7675, section 5.1).
    private func consentInterval() -> MediaTime {
        MediaTime.milliseconds(Int.random(in: 4000...6000, using: &random))
    }

    /// The next moment at which the selected pair needs a look.
    func nextMaintenance() -> Instant? {
        guard let index = index(ofPair: selectedID) else { return nil }
        let pair = pairs[index]
        let heard = pair.heard(selectedHeard)
        if configuration.isLite {
            let limit = isDisconnected ? ICEAgent.consentLife : ICEAgent.liteDisconnected
            return heard.map { $0 + limit }
        }
        var first = nextConsentAt
        func take(_ time: Instant?) {
            if let time { first = min(first ?? time, time) }
        }
        take(nextBackupAt)
        if let heard, !isDisconnected || nextProbeAt != nil { take(max(heard + quiet, nextProbeAt ?? heard)) }
        if let since = pair.unansweredSince {
            take(nextProbeAt)
            if !isDisconnected { take(max(since + ICEAgent.unanswered, (nextProbeAt ?? since))) }
        }
        take(pair.lastAnswer.map { $0 + ICEAgent.consentLife })
        return first
    }

    /// Consent, probes, and what follows when there are no answers.
    func maintainSelected(at now: Instant) {
        guard let index = index(ofPair: selectedID) else { return }
        guard !configuration.isLite else { return maintainLite(index, at: now) }
        let silence = silence(index, at: now)
        if let answer = pairs[index].lastAnswer, now - answer >= ICEAgent.consentLife {
            emit(.warning("no consent on \(pairs[index].local.candidate.host) for 30 s"))
            failPair(index, at: now)
            deselect()
            isFailed = true
            return
        }
        let isUnsure = silence >= quiet || pairs[index].unansweredSince != nil
        if let at = nextConsentAt, at <= now {
            nextConsentAt = now + consentInterval()
            nextProbeAt = now + probeDelay(index)
            ping(index, at: now)
        } else if isUnsure, nextProbeAt.map({ $0 <= now }) ?? true {
            nextProbeAt = now + probeDelay(index)
            ping(index, at: now)
            if isDead(index, at: now) { pingBackups(index, at: now) }
        }
        if let at = nextBackupAt, at <= now {
            nextBackupAt = now + ICEAgent.backupInterval
            pingBackups(index, at: now)
        }
        guard let since = pairs[index].unansweredSince else {
            isDisconnected = false
            return
        }
        let waited = now - since
        let isLost = (waited >= ICEAgent.unanswered && silence >= ICEAgent.unanswered) || waited >= ICEAgent.deaf
        if isLost, !isDisconnected { recheck(index) }
        isDisconnected = isLost
    }

    private func probeDelay(_ index: Int) -> MediaTime {
        let roundTrip = pairs[index].roundTrip ?? .zero
        return max(min(quiet, ICEAgent.probeInterval), roundTrip + roundTrip)
    }

    private func maintainLite(_ index: Int, at now: Instant) {
        let silence = silence(index, at: now)
        isDisconnected = silence >= ICEAgent.liteDisconnected
        guard silence >= ICEAgent.consentLife else { return }
        pairs[index].state = .failed
        deselect()
        isFailed = true
    }

    /// Asks the best of the other pairs that work.
    private func pingBackups(_ selected: Int, at now: Instant) {
        let others = pairs.indices.filter { $0 != selected && pairs[$0].state == .succeeded && !isFromBefore($0) }
            .sorted { pairs[$0].priority > pairs[$1].priority }
        for index in others.prefix(ICEAgent.backups) {
            if let since = pairs[index].unansweredSince, now - since > ICEAgent.consentLife {
                failPair(index, at: now)
            } else {
                ping(index, at: now)
            }
        }
    }

    /// The way in use is lost: every other is worth a new try.
    private func recheck(_ selected: Int) {
        for index in pairs.indices where index != selected && !isFromBefore(index) {
            if case .unconnected = pairs[index].way { continue }
            if pairs[index].state == .failed || pairs[index].state == .frozen { pairs[index].state = .waiting }
        }
    }

    // MARK: State

    func updateState(at now: Instant) {
        if selectedID == nil, !isFailed, let end = patienceEndsAt, end <= now,
            !pairs.contains(where: { $0.state == .waiting || $0.state == .inProgress })
        {
            isFailed = true
        }
        let new = currentState(at: now)
        guard new != state else { return }
        state = new
        emit(.state(new))
    }

    private func currentState(at now: Instant) -> ICEState {
        if let index = index(ofPair: selectedID) {
            if isDisconnected { return .disconnected }
            let isChosen = pairs[index].nomination > 0 && !isFromBefore(index) && (isGathered || !isGathering)
            guard isChosen, let since = selectedSince else { return .connected }
            if state == .ready { return .ready }
            let isOpen = pairs.contains {
                $0.priority > pairs[index].priority && [.frozen, .waiting, .inProgress].contains($0.state)
            }
            return isOpen && now - since < ICEAgent.conclusion ? .connected : .ready
        }
        if isFailed { return .failed }
        if !remotes.isEmpty || !names.isEmpty || !pairs.isEmpty { return .connecting }
        return isGathering || isGathered ? .gathering : .new
    }
}
