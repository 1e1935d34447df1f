package import Core

/// One ICE session with one component (RFC 8445, 8838, 8863, 7675). Owned by the loop of its pipeline.
///
/// After every call drain `pollTransmit` and `pollEvent`, then look at `deadline` again. Over TCP the agent takes and
/// gives whole messages; the owner of the connection frames them (`StreamFramer`).
package final class ICEAgent {
    /// Credentials of both sides; a restart makes new ones.
    struct Session {
        let generation: Int
        let local: ICECredentials
        let localKey: STUNKey
        var remote: ICECredentials?
        var remoteKey: STUNKey?
        var remoteIsLite = false
    }

    let configuration: ICEConfiguration
    package internal(set) var role: ICERole
    package internal(set) var state = ICEState.new
    /// The first 32 bits of all our transaction ids: answers to them are ours, from wherever they come.
    package let transactionTag: UInt32
    /// Where application data goes; nil as long as none may be sent. Changes with `ICEEvent.selectedPair`, and when a
    /// TURN channel is bound.
    package internal(set) var selectedRoute: ICERoute?
    /// Messages dropped, by reason.
    package internal(set) var drops = [Int](repeating: 0, count: ICEDrop.allCases.count)
    /// Remote candidates that were passed over: names without an address, kinds we do not speak, too many.
    package internal(set) var ignoredCandidates = 0

    var session: Session
    /// What the pair in use since before a restart is checked with.
    var previous: Session?
    var tieBreaker: UInt64
    var random: SecretRandom

    var locals: [LocalCandidate] = []
    var remotes: [ICECandidate] = []
    var names: [String: [ICECandidate]] = [:]
    /// With a ufrag that is not the current one; `setRemote` sorts them.
    var early: [ICECandidate] = []
    var pairs: [CandidatePair] = []
    /// Those that `exclude` was called with in this generation.
    var foreignPaths: Set<NetworkPath> = []
    var foundations: [String: Int] = [:]
    var nextPairID = 1
    var triggered = Deque<Int>()
    var transactions: [CheckTransaction] = []
    var pings = Deque<Ping>()
    var nominations = 0
    /// When the controlling side last began to nominate.
    var nominationAskedAt: Instant?

    var turns: [TURNClient?] = []
    /// Paths of `turns`, by their index; what comes over any other is a peer's.
    var turnPaths: [(client: Int, path: NetworkPath)] = []
    var connections: [Int: ConnectionPurpose] = [:]
    var nextConnectionID = 1
    var gatherQueue = Deque<GatherTransaction>()
    var gathering: [GatherTransaction] = []
    var isGathering = false
    var isGathered = false
    var gatheringEndsAt: Instant?

    var selectedID: Int?
    /// The selected pair's path, for telling its data at once.
    var selectedPath: NetworkPath?
    /// The last application data on it.
    var selectedHeard: Instant?
    /// The longest gap between datagrams on it lately; nil until there were two.
    var usualGap: MediaTime?
    var selectedSince: Instant?
    /// Where the peer's data comes from of late, if that is not the selected pair.
    var detour: Detour?
    var nextDetourCheckAt: Instant?
    var firstValidAt: Instant?
    var nextConsentAt: Instant?
    var nextProbeAt: Instant?
    var nextBackupAt: Instant?
    var nextPacedAt: Instant?
    /// RFC 8863: no failure before this.
    var patienceEndsAt: Instant?
    var isDisconnected = false
    var isFailed = false
    var isClosed = false
    var lastExpiredAt = Instant(nanoseconds: .min)

    private var outgoing = Deque<ICETransmit>()
    private var events = Deque<ICEEvent>()
    private var cachedDeadline: Instant?
    private var isDeadlineStale = true

    /// `seed` must be unpredictable: passwords come from it. `credentials` if they were told to the peer already.
    package init(_ configuration: ICEConfiguration, role: ICERole, seed: UInt64, credentials: ICECredentials? = nil) {
        self.configuration = configuration
        // A lite agent is never the one who decides (RFC 8445, section 6.1.1).
        self.role = configuration.isLite ? .controlled : role
        random = SecretRandom(seed: seed)
        transactionTag = UInt32(truncatingIfNeeded: random.next())
        tieBreaker = random.next()
        session = ICEAgent.makeSession(0, credentials, &random)
    }

    private static func makeSession(
        _ generation: Int, _ given: ICECredentials?, _ random: inout SecretRandom
    ) -> Session {
        let local = given ?? ICECredentials(ufrag: random.iceText(8), password: random.iceText(24))
        return Session(generation: generation, local: local, localKey: STUNKey(password: local.password))
    }

    /// What our side of the description says.
    package var local: ICECredentials { session.local }
    package var remote: ICECredentials? { session.remote }
    /// Those of before a restart, as long as the pair in use is checked with them.
    package var previousLocal: ICECredentials? { previous?.local }

    /// Candidates found so far, with the current ufrag.
    package var localCandidates: [ICECandidate] { locals.map(\.candidate).filter { $0.kind != .prflx } }

    /// The earliest moment at which `expire` has something to do; nil: never.
    package var deadline: Instant? {
        if isDeadlineStale {
            cachedDeadline = isClosed ? nil : nextDeadline()
            isDeadlineStale = false
        }
        return cachedDeadline
    }

    package func pollTransmit() -> ICETransmit? { outgoing.popFirst() }
    package func pollEvent() -> ICEEvent? { events.popFirst() }

    func emit(_ event: ICEEvent) {
        if events.count >= ICELimits.queue { _ = events.popFirst() }
        events.append(event)
    }

    func transmit(_ bytes: [UInt8], over path: NetworkPath) {
        if outgoing.count >= ICELimits.queue {
            _ = outgoing.popFirst()
            drop(.tooMany)
        }
        outgoing.append(ICETransmit(bytes: bytes, path: path))
    }

    @discardableResult
    func drop(_ reason: ICEDrop) -> ICEDisposition {
        drops[reason.rawValue] &+= 1
        return .dropped
    }

    /// To be called after everything that changed something: brings selection, state and deadline in line.
    func settle(at now: Instant) {
        guard !isClosed else { return }
        drainTURN(at: now)
        pace(at: now)
        reselect(at: now)
        considerNomination(at: now)
        pace(at: now)
        finishGathering(at: now)
        updateState(at: now)
        isDeadlineStale = true
    }

    // MARK: The session

    /// The peer's credentials. Different ones than before are a restart by the peer: candidates and pairs of before are
    /// forgotten, but the selected pair stays in use until another is selected.
    package func setRemote(_ credentials: ICECredentials, isLite: Bool = false, at now: Instant) {
        guard !isClosed, credentials != session.remote else { return }
        if session.remote != nil { renew(keepingLocal: true, at: now) }
        session.remote = credentials
        session.remoteKey = STUNKey(password: credentials.password)
        session.remoteIsLite = isLite
        if isLite, !configuration.isLite, role != .controlling { setRole(.controlling) }
        patienceEndsAt = now + configuration.patience
        takeEarly(at: now)
        settle(at: now)
    }

    /// New local credentials (RFC 8445, section 9); `setRemote` with the peer's new ones is to follow. Local
    /// candidates are told again.
    package func restart(at now: Instant) {
        guard !isClosed else { return }
        renew(keepingLocal: false, at: now)
        for index in locals.indices {
            locals[index].candidate.ufrag = session.local.ufrag
            if locals[index].candidate.kind != .prflx { emit(.candidate(locals[index].candidate)) }
        }
        if isGathered { emit(.gatheringDone) }
        settle(at: now)
    }

    private func renew(keepingLocal: Bool, at now: Instant) {
        let kept = pairs.first { $0.id == selectedID }
        if let kept, kept.generation == session.generation { previous = session }
        let given = keepingLocal ? session.local : nil
        session = ICEAgent.makeSession(session.generation + 1, given, &random)
        removePairs { $0.id != kept?.id }
        for index in pairs.indices { pairs[index].isNominating = false }
        remotes = []
        foreignPaths = []
        names = [:]
        transactions = []
        triggered.removeAll()
        firstValidAt = nil
        patienceEndsAt = nil
        isFailed = false
    }

    /// Ends the session: relays are given back, nothing is sent any more but what `pollTransmit` still has.
    package func close(at now: Instant) {
        guard !isClosed else { return }
        for index in turns.indices {
            turns[index]?.close(at: now)
            while let message = turns[index]?.pollTransmit() {
                if let path = turns[index]?.path { transmit(message, over: path) }
            }
            if let path = turns[index]?.path { emit(.close(path)) }
        }
        for pair in pairs {
            if case .direct(let path) = pair.way, path.transport == .tcp { emit(.close(path)) }
        }
        isClosed = true
        selectedRoute = nil
        selectedPath = nil
        isDeadlineStale = true
    }

    func setRole(_ new: ICERole) {
        role = new
        for index in pairs.indices {
            pairs[index].priority = CandidatePair.priority(
                pairs[index].local.candidate.priority, pairs[index].remote.priority, new)
            pairs[index].isNominating = false
        }
    }

    // MARK: Time

    /// Does what is due.
    package func expire(at now: Instant) {
        guard !isClosed else { return }
        lastExpiredAt = now
        for index in turns.indices { turns[index]?.expire(at: now) }
        expireGathering(at: now)
        retransmitChecks(at: now)
        maintainSelected(at: now)
        settle(at: now)
    }

    private func nextDeadline() -> Instant? {
        var first: Instant?
        func take(_ time: Instant?) {
            if let time { first = min(first ?? time, time) }
        }
        if hasPacedWork { take(nextPacedAt ?? Instant(nanoseconds: .min)) }
        for transaction in transactions { take(transaction.nextAt) }
        for transaction in gathering { take(transaction.nextAt) }
        for turn in turns { take(turn?.deadline) }
        if isGathering { take(gatheringEndsAt) }
        // What is over and changed nothing waits for something else to happen.
        func takeOnce(_ time: Instant?) {
            if let time, time > lastExpiredAt { take(time) }
        }
        takeOnce(selectedID == nil && !isFailed ? patienceEndsAt : nil)
        takeOnce(nextNominationDeadline())
        takeOnce(nextConclusion())
        takeOnce(nextDetour())
        take(nextMaintenance())
        // Whatever is still due after `expire` had its turn is late by a millisecond rather than a loop without end.
        let soonest = Instant(nanoseconds: lastExpiredAt.nanoseconds &+ 1_000_000)
        return first.map { lastExpiredAt.nanoseconds == .min ? $0 : max($0, soonest) }
    }

    /// Removes pairs, and closes the connections that were theirs alone.
    func removePairs(_ isGone: (CandidatePair) -> Bool) {
        for pair in pairs where isGone(pair) {
            if case .direct(let path) = pair.way, path.transport == .tcp { emit(.close(path)) }
        }
        pairs.removeAll(where: isGone)
    }

    /// The pair with this number.
    func index(ofPair id: Int?) -> Int? {
        guard let id else { return nil }
        return pairs.firstIndex { $0.id == id }
    }
}
