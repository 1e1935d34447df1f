import Core

/// Which packets of a stream are missing, when to ask for them and when to stop (RFC 4585, section 6.2.1).
///
/// A packet is asked for as soon as the reordering seen on this path is unlikely to explain its absence, then again
/// about once per round trip. On a line that loses many packets each request is said twice, somewhat apart: requests are
/// lost too, and they are small. Numbers rise in the list, so all work on it is a walk or a binary search over a bounded
/// array; nothing is allocated after the start.
struct NACKGenerator {
    private struct Missing {
        let sequence: Int64
        let noticed: Instant
        var next: Instant
        var tries: Int
        /// When the last request is said once more.
        var echo: Instant?
    }

    /// Packets missed at one time. What leaves a larger hole is not repaired but replaced by a key frame.
    static let listLimit = 250
    /// Requests per packet: with 20 % loss each way, ten fail together once in 10^4.
    static let triesLimit = 10
    /// After the last request: on a short way the tries are soon spent, but the answers may still be under way.
    static let patience = MediaTime.milliseconds(500)
    /// Nobody plays what comes later than this after it was noticed missing.
    static let ageLimit = MediaTime.milliseconds(1000)
    /// Between two requests for a packet, however short the round trip: feedback is batched, retransmissions are paced.
    static let shortestRetry = MediaTime.milliseconds(20)
    /// A request is said again after this time, or a quarter of a round trip: senders take it for the same one.
    static let echoDelay = MediaTime.milliseconds(10)
    /// From this share of missing packets on, of the last 256 or so.
    static let lossyShare = 0.02
    private static let lossMemory = 256.0
    /// Before the first measurement of a round trip.
    static let assumedRoundTrip = MediaTime.milliseconds(100)
    /// Without requests: how long a missing packet may have been overtaken on a path that showed no reordering so far.
    static let silentWait = MediaTime.milliseconds(20)
    /// The longest a first request is held back for reordering.
    static let longestReorderWait = MediaTime.milliseconds(100)

    private var missing: [Missing] = []
    /// The share of packets that were missing lately.
    private var lossShare = 0.0
    /// Since when packets are seen to overtake others by this much; decays with packets that come in order.
    private var reorderNanoseconds: Int64 = 0
    var roundTrip = NACKGenerator.assumedRoundTrip
    /// Sequence numbers asked for, again ones included.
    private(set) var requested = 0
    /// Packets no longer asked for: too many tries or too old.
    private(set) var abandoned = 0

    /// False: nothing is asked for, the list only says how long to wait for packets that were overtaken.
    private let isAsking: Bool

    private let ageLimit: MediaTime

    init(isAsking: Bool, ageLimit: MediaTime = NACKGenerator.ageLimit) {
        self.isAsking = isAsking
        self.ageLimit = ageLimit
        missing.reserveCapacity(NACKGenerator.listLimit)
    }

    var count: Int { missing.count }
    var isEmpty: Bool { missing.isEmpty }
    /// When a packet that is still hoped for was noticed missing; nil if it is not on the list.
    func noticed(_ sequence: Int64) -> Instant? { index(of: sequence).map { missing[$0].noticed } }

    /// When `poll` has something to do; nil with an empty list.
    var deadline: Instant? {
        var earliest: Instant?
        for entry in missing {
            let isSpent = !isAsking || entry.tries >= NACKGenerator.triesLimit
            var due = isSpent ? hopeless(entry) : min(entry.next, hopeless(entry))
            if let echo = entry.echo { due = min(due, echo) }
            if earliest.map({ due < $0 }) ?? true { earliest = due }
        }
        return earliest
    }

    /// Notes a hole. False if it does not fit: the list is then empty, and only a key frame helps.
    mutating func add(_ hole: Range<Int64>, at now: Instant) -> Bool {
        guard missing.count + hole.count <= NACKGenerator.listLimit else {
            abandoned += missing.count + hole.count
            missing.removeAll(keepingCapacity: true)
            return false
        }
        let isBehind = (missing.last?.sequence ?? .min) < hole.lowerBound
        for sequence in hole {
            lossShare += (1 - lossShare) / Self.lossMemory
            missing.append(Missing(sequence: sequence, noticed: now, next: now + reorderWait, tries: 0))
        }
        // Only at the start of a stream may a hole open before others.
        if !isBehind { missing.sort { $0.sequence < $1.sequence } }
        return true
    }

    /// Notes that a missing packet came; the number of requests that were made for it, nil if it was not missed.
    mutating func arrived(_ sequence: Int64, isRetransmission: Bool, at now: Instant) -> Int? {
        guard let index = index(of: sequence) else { return nil }
        let entry = missing.remove(at: index)
        // Late on its own account: either nothing was asked for, or it came sooner than an answer could.
        let late = (now - entry.noticed).nanoseconds
        // It was overtaken, not lost.
        if entry.tries == 0 { lossShare = max(0, lossShare - 1 / Self.lossMemory) }
        if !isRetransmission, entry.tries == 0 || late < roundTrip.nanoseconds / 2 {
            reorderNanoseconds = max(reorderNanoseconds, late)
        }
        return entry.tries
    }

    /// Notes a packet that came in its place: without reordering the wait fades, to a half in about 350 packets.
    mutating func arrivedInOrder() {
        reorderNanoseconds -= reorderNanoseconds / 512
        lossShare -= lossShare / Self.lossMemory
    }

    /// Forgets what lies before `sequence`: it is played or given up.
    mutating func forget(before sequence: Int64) {
        guard let first = missing.first, first.sequence < sequence else { return }
        missing.removeFirst(missing.firstIndex { $0.sequence >= sequence } ?? missing.count)
    }

    mutating func removeAll() { missing.removeAll(keepingCapacity: true) }

    /// Drops the packets that are past hope. Whether there were any.
    mutating func expire(at now: Instant) -> Bool {
        guard missing.contains(where: { hopeless($0) <= now }) else { return false }
        let before = missing.count
        for index in missing.indices.reversed() where hopeless(missing[index]) <= now { missing.remove(at: index) }
        abandoned += before - missing.count
        return true
    }

    /// Appends to `list` the packets to ask for now, rising.
    mutating func poll(at now: Instant, into list: inout [UInt16]) {
        guard isAsking else { return }
        let retry = self.retry
        let echo = lossShare > Self.lossyShare ? now + echoDelay : nil
        for index in missing.indices {
            if missing[index].next <= now, missing[index].tries < NACKGenerator.triesLimit {
                missing[index].tries += 1
                missing[index].next = now + retry
                missing[index].echo = echo
            } else if let due = missing[index].echo, due <= now {
                missing[index].echo = nil
            } else {
                continue
            }
            requested += 1
            list.append(UInt16(truncatingIfNeeded: missing[index].sequence))
        }
    }

    private var echoDelay: MediaTime { min(Self.echoDelay, MediaTime(nanoseconds: roundTrip.nanoseconds / 4)) }

    /// Between two requests for one packet: a quarter more than a round trip.
    var retry: MediaTime {
        max(NACKGenerator.shortestRetry, MediaTime(nanoseconds: roundTrip.nanoseconds + roundTrip.nanoseconds / 4))
    }

    /// When a packet that has not come by then is given up.
    private func hopeless(_ entry: Missing) -> Instant {
        guard isAsking else { return entry.noticed + max(NACKGenerator.silentWait, reorderWait) }
        let old = entry.noticed + ageLimit
        if entry.tries < NACKGenerator.triesLimit { return old }
        return min(old, max(entry.next, entry.noticed + NACKGenerator.patience))
    }

    /// A quarter more than the reordering seen; nothing on a path that keeps the order, where packets of one batch
    /// settle before anybody polls.
    var reorderWait: MediaTime {
        let wait = MediaTime(nanoseconds: reorderNanoseconds + reorderNanoseconds / 4)
        return wait < .milliseconds(1) ? .zero : min(wait, NACKGenerator.longestReorderWait)
    }

    private func index(of sequence: Int64) -> Int? {
        var (low, high) = (0, missing.count)
        while low < high {
            let middle = (low + high) / 2
            if missing[middle].sequence < sequence { low = middle + 1 } else { high = middle }
        }
        return low < missing.count && missing[low].sequence == sequence ? low : nil
    }
}
