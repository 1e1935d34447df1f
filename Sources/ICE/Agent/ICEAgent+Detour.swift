package import Core

/// A way that data of the peer's comes over, which is not the one in use.
struct Detour: Sendable {
    let path: NetworkPath
    let pairID: Int
    /// The last data over it.
    var heard: Instant
}

/// A NAT between us and the peer begins anew, and what the peer sends comes from another address. The peer does not know,
/// so its next check may be seconds away; its media is there at once. Media proves that the peer sent it, not that it
/// can be reached there: that takes a check of ours (RFC 8445, section 7.3.1.4, for checks), and before its answer, which
/// is consent too (RFC 7675), nothing else goes to that address.
extension ICEAgent {
    /// Between two of these checks. Each answers at least one packet of the peer's, so that whoever repeats packets
    /// from an address that is not his makes us send there no more than a few hundred bytes a second.
    private static let detourInterval = MediaTime.milliseconds(50)
    /// An answer that took longer is of no use: others have been asked for since.
    static let singleLife = MediaTime.milliseconds(2000)
    /// A pair in use that was silent for so long, while data came another way that was checked since, is not the peer's any
    /// more. Less than `quiet`, which is for those who know nothing else: feedback comes ten times a second or less.
    static let detourSilence = MediaTime.milliseconds(300)
    /// The way of another detour is forgotten when it said nothing for so long.
    private static let detourLife = MediaTime.milliseconds(500)

    /// Data that only the peer can have made (SRTP says so) came over a path that it has not proved to be its own.
    package func heardAuthentic(over path: NetworkPath, at now: Instant) {
        guard !isClosed, !configuration.isLite, path.transport == .udp, session.remoteKey != nil, selectedID != nil,
            !foreignPaths.contains(path)
        else { return }
        if detour?.path == path { detour?.heard = now }
        guard nextDetourCheckAt.map({ $0 <= now }) ?? true else { return }
        nextDetourCheckAt = now + ICEAgent.detourInterval
        let way = Way.direct(path)
        // As a check from there would say; nothing told us its own preference.
        let priority = ICECandidate.priority(.prflx, .udp, nil, localPreference: 65535)
        guard let index = pairIndex(way) ?? learn(way, path.remote, priority), pairs[index].id != selectedID else {
            return
        }
        if detour.map({ $0.path != path && now - $0.heard > ICEAgent.detourLife }) ?? true {
            detour = Detour(path: path, pairID: pairs[index].id, heard: now)
        }
        if pairs[index].state == .succeeded {
            ping(index, at: now)
        } else if !transactions.contains(where: { $0.pairID == pairs[index].id && !$0.isSingle && !$0.isCancelled }) {
            sendCheck(index, single: true, at: now)
        }
        settle(at: now)
    }

    /// The pair in use has fallen silent and the peer's data comes another way, which was checked since: to the peer it
    /// is the pair that was nominated, so here too.
    func followDetour(at now: Instant) {
        guard let detour, !configuration.isLite, let new = index(ofPair: detour.pairID),
            pairs[new].state == .succeeded, let old = index(ofPair: selectedID), old != new, !isFromBefore(new),
            !isFromBefore(old), pairs[old].nomination > 0, silence(old, at: now) >= ICEAgent.detourSilence,
            now - detour.heard < silence(old, at: now)
        else { return }
        if role == .controlling {
            // The peer must hear of it, like of any nomination; others that once worked are not better.
            guard !pairs.contains(where: { $0.isNominating }) else { return }
            pairs[new].isNominating = true
            nominationAskedAt = now
            triggered.append(pairs[new].id)
            return
        }
        pairs[old].nomination = 0
        nominate(new)
        // Should the peer's data come the old way again, that one is the detour.
        if let selectedPath {
            self.detour = Detour(path: selectedPath, pairID: pairs[old].id, heard: selectedHeard ?? now)
        }
    }

    /// When a detour that was checked may be followed.
    func nextDetour() -> Instant? {
        guard let detour, let new = index(ofPair: detour.pairID), pairs[new].state == .succeeded,
            let old = index(ofPair: selectedID), old != new
        else { return nil }
        return pairs[old].heard(selectedHeard).map { $0 + ICEAgent.detourSilence }
    }

    /// How long the way in use has said nothing; nil where there is none.
    package func silence(at now: Instant) -> MediaTime? { index(ofPair: selectedID).map { silence($0, at: now) } }
}
