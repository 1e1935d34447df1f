import Core

/// A short run of packets at a higher rate, to learn whether the line carries it.
package struct ProbeCluster: Hashable, Sendable {
    /// Counts up from 1.
    package var id: Int32
    /// Bits per second to send at.
    package var rate: Int
    /// The run ends when both are reached.
    package var packetsMin: Int
    package var bytesMin: Int
}

/// Decides when to probe, and what the probes' results are.
struct Probing: Sendable {
    /// A run lasts so long at its rate, and has at least so many packets.
    static let time = 0.015
    static let packetsMin = 5
    /// Rates of the first runs, times the start rate.
    private static let firstFactors = [3.0, 6.0]
    /// While a result reaches this share of what was asked, the next run asks for more.
    private static let successShare = 0.7
    private static let nextFactor = 2.0
    /// … and says something new.
    private static let newsShare = 1.02
    /// A line that delivered less than was sent is full: of such a result, a bit is left alone.
    private static let fullShare = 0.9
    private static let fullResult = 0.95
    /// Wish runs: the first after this time, each failure doubles it up to the longest.
    private static let wishInterval = MediaTime.seconds(2)
    private static let wishIntervalMax = MediaTime.seconds(6)
    /// So much of a run must have arrived: fewer packets measure nothing.
    private static let receivedShare = 0.6
    /// A wish comes so much sooner after a result that was not taken in full.
    private static let restTime = MediaTime.seconds(1)
    /// A run without a result after this time has failed.
    private static let timeout = MediaTime.seconds(1)

    private struct Run {
        var id: Int32
        var rate: Double
        var began: Instant
        var bytesMin: Int
        // Of those sent…
        var sent = 0
        var firstSent: Instant?
        var lastSent: Instant?
        var lastSize = 0
        // … and of those that arrived.
        var received = 0
        var receivedBytes = 0
        var firstArrival = MediaTime.infinity
        var firstArrivalSize = 0
        var lastArrival = MediaTime.distantPast
        var firstReceivedSent: Instant?
        var lastReceivedSent: Instant?
        var lastReceivedSize = 0
        var isDone = false
    }

    private var runs: [Run] = []
    private var waiting: [ProbeCluster] = []
    private var lastID: Int32 = 0
    private var hasBegun = false
    private var isExploring = false
    private var lastWish: Instant?
    private var interval = wishInterval

    init() {}

    var hasWaiting: Bool { !waiting.isEmpty }

    /// The next run to send.
    mutating func poll() -> ProbeCluster? { waiting.isEmpty ? nil : waiting.removeFirst() }

    /// The first packet goes: so do the first runs.
    mutating func begin(start: Double, maximum: Double, at now: Instant) {
        guard !hasBegun else { return }
        hasBegun = true
        isExploring = true
        var last = start
        for factor in Self.firstFactors where min(start * factor, maximum) > last {
            // Never below what is sent anyway, and the maximum only once.
            last = min(start * factor, maximum)
            request(last, at: now)
        }
    }

    /// Asks for one run. Those that wait are not more than a few: a newer wish replaces an older one.
    mutating func request(_ rate: Double, at now: Instant) {
        if waiting.count >= 3 { waiting.removeFirst() }
        if runs.count >= 8 { runs.removeFirst() }
        lastID &+= 1
        let bytes = Int(rate * Self.time / 8)
        waiting.append(
            ProbeCluster(id: lastID, rate: Int(rate), packetsMin: Self.packetsMin, bytesMin: bytes))
        runs.append(Run(id: lastID, rate: rate, began: now, bytesMin: bytes))
    }

    /// The application could use more than it has: now and then it is looked whether the line has more.
    mutating func wish(for rate: Double, target: Double, at now: Instant) {
        guard hasBegun, rate > target, waiting.isEmpty, !runs.contains(where: { !$0.isDone }) else { return }
        if let lastWish, now - lastWish < interval { return }
        lastWish = now
        request(min(rate, target * Self.nextFactor), at: now)
    }

    /// The target was lowered: what was asked for is out of reach for a while.
    mutating func lowered(at now: Instant) {
        isExploring = false
        waiting.removeAll(keepingCapacity: true)
        lastWish = now
    }

    /// The next wish waits for a while.
    mutating func rest(at now: Instant) { lastWish = now + -Self.restTime }

    /// The line is back after an outage, or its capacity seems to have returned: one run now.
    mutating func restart(_ rate: Double, at now: Instant) {
        waiting.removeAll(keepingCapacity: true)
        isExploring = true
        interval = Self.wishInterval
        lastWish = now
        request(rate, at: now)
    }

    mutating func sent(_ id: Int32, size: Int, at now: Instant) {
        guard let index = runs.firstIndex(where: { $0.id == id }) else { return }
        runs[index].sent += 1
        if runs[index].firstSent == nil { runs[index].firstSent = now }
        runs[index].lastSent = now
    }

    mutating func received(_ id: Int32, size: Int, sent: Instant, arrival: MediaTime) {
        guard let index = runs.firstIndex(where: { $0.id == id }), !runs[index].isDone else { return }
        runs[index].received += 1
        runs[index].receivedBytes += size
        if arrival < runs[index].firstArrival {
            runs[index].firstArrival = arrival
            runs[index].firstArrivalSize = size
        }
        runs[index].lastArrival = max(runs[index].lastArrival, arrival)
        if runs[index].firstReceivedSent == nil { runs[index].firstReceivedSent = sent }
        if sent >= runs[index].lastReceivedSent ?? sent {
            runs[index].lastReceivedSent = sent
            runs[index].lastReceivedSize = size
        }
    }

    /// A finished run's result in bits/s, after a round of feedback; the newest if there are several. `loss` is the
    /// share that the line loses at any rate, `known` the rate without it.
    mutating func result(loss: Double, maximum: Double, known: Double, at now: Instant) -> Double? {
        var result: Double?
        for index in runs.indices where !runs[index].isDone {
            let run = runs[index]
            if now - run.began > Self.timeout {
                runs[index].isDone = true
                failed()
                continue
            }
            guard run.sent >= Self.packetsMin, Double(run.received) >= Self.receivedShare * Double(run.sent),
                Double(run.receivedBytes) >= Self.receivedShare * Double(run.bytesMin), let rate = measure(run, loss)
            else { continue }
            runs[index].isDone = true
            result = max(result ?? 0, rate)
            if rate >= Self.successShare * run.rate, run.rate <= known || rate > Self.newsShare * known {
                interval = Self.wishInterval
                lastWish = nil
                if isExploring, run.rate < maximum { request(min(rate * Self.nextFactor, maximum), at: now) }
            } else {
                failed()
            }
        }
        runs.removeAll { $0.isDone }
        return result
    }

    private mutating func failed() {
        isExploring = false
        interval = min(MediaTime(nanoseconds: interval.nanoseconds * 2), Self.wishIntervalMax)
    }

    private func measure(_ run: Run, _ loss: Double) -> Double? {
        guard let first = run.firstReceivedSent, let last = run.lastReceivedSent, last > first,
            run.lastArrival > run.firstArrival
        else { return nil }
        // n packets span n − 1 gaps: the last one's size belongs to no gap of the sending, the first one's to none of
        // the arrival.
        let sent = Double((run.receivedBytes - run.lastReceivedSize) * 8) / (last - first).seconds / (1 - loss)
        let received =
            Double((run.receivedBytes - run.firstArrivalSize) * 8)
            / (run.lastArrival - run.firstArrival).seconds / (1 - loss)
        // Packets that arrive much closer than they were sent were held up together somewhere: no measure of a line.
        guard received <= 2 * sent else { return nil }
        return received < Self.fullShare * sent ? Self.fullResult * received : min(sent, received)
    }
}
