import Core

/// A local candidate and what only we know of it.
struct LocalCandidate: Sendable {
    var candidate: ICECandidate
    /// What datagrams are sent from (RFC 8445, section 4): for relayed ones the relayed address.
    let base: SocketAddress
    /// For relayed ones the index of the TURN client.
    let relay: Int?
    /// Whether checks go out from it: server-reflexive ones stand behind their base, passive TCP ones wait.
    let isPaired: Bool
}

/// How datagrams between two candidates really go.
enum Way: Hashable, Sendable {
    case direct(NetworkPath)
    case relayed(client: Int, peer: SocketAddress)
    /// A TCP connection to be made when the pair's turn comes.
    case unconnected(from: SocketAddress, to: SocketAddress)
}

/// A local and a remote candidate, and what is known of the way between them (RFC 8445, section 6.1.2).
struct CandidatePair: Sendable {
    enum State: Sendable { case frozen, waiting, inProgress, succeeded, failed }
    let id: Int
    let generation: Int
    var local: LocalCandidate
    var remote: ICECandidate
    var way: Way
    var priority: UInt64
    /// Equal for pairs of equal foundations.
    let foundation: Int
    var state = State.frozen
    /// A check with USE-CANDIDATE succeeded; the count of nominations at that time, 0 if not.
    var nomination = 0
    /// Controlled side: the peer said USE-CANDIDATE before our own check succeeded.
    var isNominatedOnSuccess = false
    /// The next check is to nominate (controlling side).
    var isNominating = false
    /// Anything at all came over this pair that proves its sender.
    var lastHeard: Instant?
    /// The last answer to a check: consent (RFC 7675).
    var lastAnswer: Instant?
    /// The first check since then that is still without an answer.
    var unansweredSince: Instant?
    var roundTrip: MediaTime?

    /// RFC 8445, section 6.1.2.3. `G` is the controlling side's candidate.
    static func priority(_ local: UInt32, _ remote: UInt32, _ role: ICERole) -> UInt64 {
        let (g, d) = role == .controlling ? (UInt64(local), UInt64(remote)) : (UInt64(remote), UInt64(local))
        return min(g, d) << 32 &+ 2 &* max(g, d) &+ (g > d ? 1 : 0)
    }

    /// Whether a check from `local` to `remote` makes sense, and the way it goes.
    static func way(_ local: LocalCandidate, _ remote: ICECandidate) -> Way? {
        guard local.isPaired, remote.component == 1, let address = remote.address, address.port > 0 || isPassive(local),
            address.ip.isV4 == local.base.ip.isV4, !address.ip.isAny,
            address.ip.isV4 || address.ip.isLinkLocal == local.base.ip.isLinkLocal
        else { return nil }
        if let client = local.relay {
            return remote.transport == .udp ? .relayed(client: client, peer: address) : nil
        }
        switch (local.candidate.transport, remote.transport) {
        case (.udp, .udp): return .direct(NetworkPath(.udp, local: local.base, remote: address))
        case (.tcp, .tcp):
            // RFC 6544, section 6.2: only active ones call, and only those who listen.
            guard local.candidate.tcpType == .active, remote.tcpType != .active else { return nil }
            return .unconnected(from: local.base, to: address)
        default: return nil
        }
    }

    private static func isPassive(_ local: LocalCandidate) -> Bool { local.candidate.tcpType == .passive }

    /// Whether this is a better kind of way than `other`, so much that a nominated pair is given up for it: not through
    /// a relay, and by UDP.
    func isBetterKind(than other: CandidatePair) -> Bool { kindRank > other.kindRank }
    private var kindRank: Int {
        guard case .direct(let path) = way else { return 0 }
        return (path.transport == .udp ? 2 : 1) + (remote.kind == .relay ? 0 : 2)
    }

    /// The later of what came over STUN and what came otherwise.
    func heard(_ data: Instant?) -> Instant? {
        guard let lastHeard else { return data }
        return max(lastHeard, data ?? lastHeard)
    }
}
