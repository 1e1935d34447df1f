package import Core

/// A leaky bucket over all that one peer is sent: says when the next packet may go, and of which kind.
///
/// Sound goes at once and counts; retransmissions go before pictures, padding only in probes. The bucket leaks at 2.5
/// times the target, on a narrow line whose limit has been met at 1.25 times: what does not wait here waits there, and
/// sound behind it. On a wide line what three frames have on average at the target leaves at once, since spreading it
/// would only make pictures late. A plain value; owned by `RTPSender`.
package struct Pacer: Sendable {
    /// How much faster than the target packets may leave (the margin for frames that exceed their share).
    private static let factor = 2.5
    /// The same on a narrow line that is known to be full above the target: a frame of 200 kbit/s takes 20 of its 33 ms
    /// at 300 kbit/s, and a key frame a tenth of a second, in which sound passes by.
    private static let fullFactor = 1.25
    /// What may leave at once, in seconds of the pacing rate: 100 ms of the target, three frames at 30 a second, as
    /// browsers do it. Key frames are spread. With less, every frame above the average is spread, and a receiver takes
    /// that for the speed of the network: it holds back all pictures as long as its largest one would need.
    private static let wideBurst = 0.04
    /// On narrow lines and where packets are lost: 15 ms of the target, half a frame at 30 a second. A whole one overflows
    /// queues of 30 ms.
    private static let narrowBurst = 0.006
    /// A target below this, in bit/s, is for narrow lines.
    private static let narrowTarget = 1_000_000
    /// The line has lost packets of late.
    package var isCautious = false
    private var burst: Double { isCautious || isNarrow ? Self.narrowBurst : Self.wideBurst }
    /// What waits longer than this at the pacing rate is stale: the sender drops it and asks for a key frame.
    package static let queueTimeMax = MediaTime.seconds(1)
    /// A probe lags behind its times by no more than this before it is cut off: a host that did not turn for long.
    private static let probeLagMax = MediaTime.milliseconds(20)

    /// What may be sent now.
    package enum Turn: Hashable, Sendable {
        /// Nothing paced; wait for `deadline`.
        case wait
        /// Retransmissions, then pictures.
        case media
        /// The same, and padding if there are none; the packet belongs to this cluster.
        case probe(ProbeCluster.ID)
    }

    /// Bits per second at which the bucket leaks.
    package private(set) var rate: Double
    private var isNarrow: Bool
    /// Bytes in the bucket.
    private var debt = 0.0
    private var updated: Instant?
    /// The bucket was full: wait until it is empty, so that packets leave in runs.
    private var isFull = false
    private var probe: (cluster: ProbeCluster, began: Instant?, packets: Int, bytes: Int)?

    package init(target: Int) {
        rate = Double(target) * Self.factor
        isNarrow = target < Self.narrowTarget
    }

    /// `isLimitKnown`: the line's limit has been met, and is near the target.
    package mutating func setTarget(_ target: Int, isLimitKnown: Bool = false, at now: Instant) {
        leak(at: now)
        isNarrow = target < Self.narrowTarget
        rate = max(1000, Double(target) * (isNarrow && isLimitKnown ? Self.fullFactor : Self.factor))
    }

    package var isProbing: Bool { probe != nil }
    /// How large the packets of the probe under way are to be, in bytes.
    package var probePacketSize: Int { probe.map { $0.cluster.bytesMin / max(1, $0.cluster.packetsMin) } ?? .max }

    /// Begins a probe; one that is under way is cut off.
    package mutating func begin(_ cluster: ProbeCluster) { probe = (cluster, nil, 0, 0) }

    /// What may be sent at `now`.
    package mutating func turn(at now: Instant) -> Turn {
        if let probe {
            guard let due = probeDue(probe.cluster) else { return .probe(probe.cluster.id) }
            if now - due > Self.probeLagMax {
                self.probe = nil
            } else {
                return now >= due ? .probe(probe.cluster.id) : .wait
            }
        }
        leak(at: now)
        if isFull, debt > 0 { return .wait }
        isFull = false
        return .media
    }

    /// A packet of `size` bytes has left.
    package mutating func sent(_ size: Int, in turn: Turn, at now: Instant) {
        leak(at: now)
        debt += Double(size)
        if debt >= rate / 8 * burst { isFull = true }
        guard case .probe(let id) = turn, var run = probe, run.cluster.id == id else { return }
        run.began = run.began ?? now
        run.packets += 1
        run.bytes += size
        let isDone = run.packets >= run.cluster.packetsMin && run.bytes >= run.cluster.bytesMin
        probe = isDone ? nil : run
    }

    /// Nothing was there to send in a probe: it ends.
    package mutating func endProbe() { probe = nil }

    /// When `turn` says something else than `wait`; nil: it does already.
    package func deadline(at now: Instant) -> Instant? {
        if let probe { return probeDue(probe.cluster).map { max($0, now) } }
        guard isFull, let updated else { return nil }
        let time = updated + .seconds(debt * 8 / rate) + MediaTime(nanoseconds: 1)
        return time > now ? time : nil
    }

    /// How long `bytes` take at the pacing rate.
    package func time(for bytes: Int) -> MediaTime { .seconds(Double(bytes * 8) / rate) }

    private func probeDue(_ cluster: ProbeCluster) -> Instant? {
        guard let probe, let began = probe.began else { return nil }
        return began + .seconds(Double(probe.bytes * 8) / Double(max(1, cluster.rate)))
    }

    private mutating func leak(at now: Instant) {
        if let updated, now > updated { debt = max(0, debt - (now - updated).seconds * rate / 8) }
        updated = max(updated ?? now, now)
    }
}
