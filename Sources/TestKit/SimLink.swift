package import Core

/// One direction of a simulated line: a bottleneck with a bounded queue, then loss, delay, jitter and duplication, all
/// from a seed. Carries any token; of what is sent it needs only the size. A plain value in virtual time.
///
/// Send with rising times; then poll up to now before the next send. What the queue does not take, an outage swallows or
/// loss picks is counted and gone.
package struct SimLink<Token> {
    /// What was sent, and what became of it.
    package struct Counters: Hashable, Sendable {
        package var sent = 0
        package var sentBytes = 0
        package var delivered = 0
        package var deliveredBytes = 0
        package var duplicated = 0
        /// Dropped by `LinkConditions.loss`.
        package var lost = 0
        /// Dropped because the bottleneck's queue was full.
        package var overflowed = 0
        /// Dropped because the line was down.
        package var cut = 0
    }

    private struct Waiting {
        let token: Token
        let size: Int
        let enqueued: Instant
        var remainingBits: Double
    }

    package private(set) var counters = Counters()
    /// The longest time a packet waited for and in the bottleneck since `resetQueueDelay`.
    package private(set) var longestQueueDelay = MediaTime.zero
    package private(set) var conditions: LinkConditions
    private var schedule: [(at: Instant, conditions: LinkConditions)]
    private var nextChange = 0
    private var random: SeededRandom
    private var isInBurst = false
    private var queue = Deque<Waiting>()
    private var inService: Waiting?
    private var queuedBytes = 0
    /// Up to here the bottleneck has served.
    private var served: Instant?
    private var flying = TimerQueue<(token: Token, size: Int)>()
    private var lastArrival = Instant(nanoseconds: .min)

    /// `schedule` changes the line at the given times, which rise.
    package init(
        seed: UInt64, _ conditions: LinkConditions, schedule: [(at: Instant, conditions: LinkConditions)] = []
    ) {
        self.random = SeededRandom(seed: seed)
        self.conditions = conditions
        self.schedule = schedule
    }

    /// Bytes that wait at the bottleneck.
    package var backlog: Int { queuedBytes }

    /// How long a packet sent now would wait at the bottleneck.
    package var queueDelay: MediaTime {
        guard let rate = conditions.bitsPerSecond else { return .zero }
        return .seconds(Double(queuedBytes * 8) / Double(max(1, rate)))
    }

    /// From now on the line is like that; what waits or flies stays on its way. `seed`: its luck begins anew.
    package mutating func change(to conditions: LinkConditions, seed: UInt64? = nil, at now: Instant) {
        advance(to: now)
        self.conditions = conditions
        if conditions.bitsPerSecond == nil { flush(at: now) }
        if let seed { (random, isInBurst) = (SeededRandom(seed: seed), false) }
    }

    package mutating func resetQueueDelay() { longestQueueDelay = .zero }

    /// Puts a packet of `size` bytes on the line.
    package mutating func send(_ token: Token, size: Int, at now: Instant) {
        advance(to: now)
        counters.sent += 1
        counters.sentBytes += size
        guard !conditions.isDown else {
            counters.cut += 1
            return
        }
        guard conditions.bitsPerSecond != nil else { return launch(token, size: size, at: now) }
        guard queuedBytes + size <= conditions.queueBytes || inService == nil else {
            counters.overflowed += 1
            return
        }
        queuedBytes += size
        let waiting = Waiting(token: token, size: size, enqueued: now, remainingBits: Double(size * 8))
        if inService == nil { inService = waiting } else { queue.append(waiting) }
    }

    /// When something may arrive next: ask again after each poll, for what waits at the bottleneck is known only
    /// roughly before it leaves.
    package var nextArrival: Instant? {
        mutating get {
            let landing = flying.nextDeadline
            guard let inService, let served, let rate = conditions.bitsPerSecond, rate > 0 else {
                return [landing, nextChangeMatters].compactMap { $0 }.min()
            }
            let leaves = served + .seconds(inService.remainingBits / Double(rate)) + MediaTime(nanoseconds: 1)
            return [landing, leaves, nextChangeMatters].compactMap { $0 }.min()
        }
    }

    /// What has arrived at `now`, one packet per call.
    package mutating func poll(at now: Instant) -> Token? {
        advance(to: now)
        guard let (token, size) = flying.popDue(at: now) else { return nil }
        counters.delivered += 1
        counters.deliveredBytes += size
        return token
    }

    /// A change of the line wakes what waits at a bottleneck that stood still.
    private var nextChangeMatters: Instant? {
        inService != nil && nextChange < schedule.count ? schedule[nextChange].at : nil
    }

    private mutating func advance(to now: Instant) {
        while nextChange < schedule.count, schedule[nextChange].at <= now {
            serve(until: schedule[nextChange].at)
            conditions = schedule[nextChange].conditions
            nextChange += 1
            if conditions.bitsPerSecond == nil { flush(at: schedule[nextChange - 1].at) }
        }
        serve(until: now)
    }

    /// Lets the bottleneck work at the present rate up to `end`.
    private mutating func serve(until end: Instant) {
        guard var time = served, end > time else {
            served = max(served ?? end, end)
            return
        }
        served = end
        guard let rate = conditions.bitsPerSecond, rate > 0 else { return }
        while var packet = inService {
            let leaves = time + .seconds(packet.remainingBits / Double(rate))
            guard leaves <= end else {
                packet.remainingBits -= (end - time).seconds * Double(rate)
                inService = packet
                return
            }
            time = leaves
            leave(packet, at: time)
        }
    }

    private mutating func flush(at now: Instant) {
        while let packet = inService { leave(packet, at: now) }
    }

    private mutating func leave(_ packet: Waiting, at time: Instant) {
        queuedBytes -= packet.size
        longestQueueDelay = max(longestQueueDelay, time - packet.enqueued)
        inService = queue.popFirst()
        launch(packet.token, size: packet.size, at: time)
    }

    /// A packet behind the bottleneck: lost, or on its way.
    private mutating func launch(_ token: Token, size: Int, at now: Instant) {
        guard !conditions.isDown else {
            counters.cut += 1
            return
        }
        guard !isLost() else {
            counters.lost += 1
            return
        }
        land(token, size: size, at: now)
        if conditions.duplication > 0, chance() < conditions.duplication {
            counters.duplicated += 1
            land(token, size: size, at: now)
        }
    }

    private mutating func land(_ token: Token, size: Int, at now: Instant) {
        var arrival = now + conditions.delay
        if conditions.jitter > .zero { arrival = arrival + .seconds(conditions.jitter.seconds * chance()) }
        if conditions.keepsOrder { arrival = max(arrival, lastArrival) }
        lastArrival = max(lastArrival, arrival)
        _ = flying.add(arrival, (token, size))
    }

    private mutating func isLost() -> Bool {
        switch conditions.loss {
        case .none: return false
        case .independent(let share): return chance() < share
        case .bursts(let begin, let end, let share):
            if chance() < (isInBurst ? end : begin) { isInBurst.toggle() }
            return isInBurst && chance() < share
        }
    }

    private mutating func chance() -> Double { Double(random.next() >> 11) * 0x1p-53 }
}

/// What a simulated line does to packets at one time.
package struct LinkConditions: Hashable, Sendable {
    package enum Loss: Hashable, Sendable {
        case none
        /// Each packet on its own, with this chance.
        case independent(Double)
        /// Gilbert–Elliott: the chances, per packet, to enter and to leave a burst, and the loss inside it.
        case bursts(begin: Double, end: Double, loss: Double)
    }

    /// Rate of the bottleneck; nil: none; 0: it stands still and its queue fills.
    package var bitsPerSecond: Int?
    /// What may wait at the bottleneck; more is dropped at its tail.
    package var queueBytes: Int
    /// One-way time behind the bottleneck.
    package var delay: MediaTime
    /// Up to this much is added to each packet's delay, uniformly.
    package var jitter: MediaTime
    /// Whether jitter leaves packets in order (each waits for the one before).
    package var keepsOrder: Bool
    package var loss: Loss
    /// The chance of a packet to arrive twice.
    package var duplication: Double
    /// Nothing gets through; what enters is gone.
    package var isDown: Bool

    package init(
        bitsPerSecond: Int? = nil, queueBytes: Int = 64_000, delay: MediaTime = .milliseconds(25),
        jitter: MediaTime = .zero, keepsOrder: Bool = true, loss: Loss = .none, duplication: Double = 0,
        isDown: Bool = false
    ) {
        self.bitsPerSecond = bitsPerSecond
        self.queueBytes = queueBytes
        self.delay = delay
        self.jitter = jitter
        self.keepsOrder = keepsOrder
        self.loss = loss
        self.duplication = duplication
        self.isDown = isDown
    }
}
