package import Core

/// Estimates what one peer's line carries, from the feedback on what was sent (`docs/bandwidth.md`).
///
/// Owned by the peer's sender; a plain value without a clock. Input: every sent packet, and per packet what the
/// transport-wide feedback says of it (draft-holmer-rmcat-transport-wide-cc-extensions-01). Output: `target`, and probe
/// clusters for the pacer. Where a peer gives no such feedback, REMB and receiver reports bound the target.
package struct BandwidthEstimator: Sendable {
    /// Bits per second.
    package struct Limits: Hashable, Sendable {
        package var minimum: Int
        package var maximum: Int
        package var start: Int
        package init(minimum: Int = 30_000, maximum: Int = 20_000_000, start: Int = 300_000) {
            self.minimum = max(1000, minimum)
            self.maximum = max(self.minimum, maximum)
            self.start = min(max(start, self.minimum), self.maximum)
        }
    }

    /// No feedback for this long, though packets were sent: the line is down.
    private static let outageTime = MediaTime.milliseconds(700)
    /// Without feedback the target halves in each of these.
    private static let outageStep = MediaTime.seconds(1)
    /// Sending less than this share of the target says nothing about more.
    private static let limitedShare = 0.65
    /// Sending more than this share of it fills the line, if the target is right.
    private static let saturatedShare = 0.85
    /// So long after the begin a probe may lower the rate, if it finds less than this share of it.
    private static let startTime = MediaTime.seconds(2)
    private static let startDoubt = 0.8
    /// Milliseconds of a standing queue, and the share of what is sent that arrives, that are a jam.
    private static let jamQueue = 150.0
    private static let jamShare = 0.85
    /// While such a queue is left of an outage, so much of what the line carries is used.
    private static let backlogShare = 0.75
    /// The same where no queue stands yet, but delays grow: the line has just become much narrower.
    private static let fallShare = 0.6
    private static let noisyFallShare = 0.5
    /// From this share of lost packets on, of the last `lossMemory` or so, a line is lossy, if no queue longer than this
    /// stands in it (milliseconds).
    private static let lossyShare = 0.02
    private static let lossMemory = 128.0
    private static let calmQueue = 60.0
    /// Loss never speaks for less than this share of what is delivered.
    private static let deliveredShare = 0.9
    /// A standing queue below this (milliseconds) is none.
    private static let noQueue = 10.0
    /// A probe raises the target by this factor at most where it may be wrong.
    private static let carefulStep = 1.3
    /// Time constant of the sent rate.
    private static let sentTime = 0.5
    /// Longest time to wait for a late packet before it counts as lost.
    private static let latenessMax = MediaTime.milliseconds(500)
    private static let latenessMin = MediaTime.milliseconds(20)

    package let limits: Limits
    /// Bits per second for everything that is sent: media, repair and headers above UDP.
    package private(set) var target: Int
    /// What the sender could use at most; probes do not go beyond. Nil: as much as there is.
    package var wish: Int?
    /// Smoothed round trip, from the feedback or from receiver reports.
    package private(set) var roundTrip = MediaTime.milliseconds(100)
    /// Whether the peer has ever given transport-wide feedback.
    package private(set) var hasFeedback = false
    package private(set) var isDown = false

    private var packets = SentPackets()
    private var trend = DelayTrend()
    private var acknowledged = AcknowledgedRate()
    private var control: RateControl
    private var loss = LossEstimate()
    private var probing = Probing()
    private var remb: Int?
    private var reportBound: Double?
    private var reportTime: Instant?
    private var hasReportedLoss = false
    private var began: Instant?
    private var lastFeedback: Instant?
    private var lastStep: Instant?
    private var beforeOutage: Double?
    /// The outage has just ended: its probe asks for no more than there was.
    private var isRecovering = false
    private var beforeFall: (rate: Double, at: Instant)?
    private var sentRate = 0.0
    private var lastSent: Instant?
    private var packetSize = 1000.0
    /// The first packet whose verdict is not final.
    private var unsettled: Int64 = 0
    private var newestAcknowledged: Int64 = -1
    private var lastFeedbackCount: UInt8?
    /// Of packets before this one that no message speaks of, a lost one may have spoken.
    private var unknownBefore: Int64 = 0
    /// The share of packets lately that feedback spoke of.
    private var covered = 1.0
    private var lateness = latenessMin
    private var hasArrivals = false
    /// The share of packets lost lately, whatever the reason.
    private var lostShare = 0.0
    private var roundTripSample: MediaTime?
    /// The shortest round trip on this route.
    private var roundTripLeast = MediaTime.infinity

    package init(_ limits: Limits = Limits()) {
        self.limits = limits
        target = limits.start
        control = RateControl(rate: Double(limits.start))
    }

    /// Bytes sent on which there is no verdict yet.
    package var bytesInFlight: Int { packets.bytesInFlight }
    /// The share of packets that the line loses whatever the rate.
    package var inherentLoss: Double { loss.inherent }
    /// The line loses many packets, and not because it is full or because they are only late: repair may cost more.
    package var isLossy: Bool {
        min(lostShare, loss.inherent) >= Self.lossyShare && usage != .overuse && !trend.isNoisy
            && trend.standing < Self.calmQueue
    }
    /// Packets were lost of late, for whatever reason: bursts of ours may be it.
    package var losesPackets: Bool { lostShare >= Self.losingShare }
    private static let losingShare = 0.005
    /// Bits per second delivered lately, 0 while unknown.
    package var delivered: Int { Int(acknowledged.long ?? 0) }
    package var usage: BandwidthUsage { trend.usage }

    /// Why the target is what it is, for tests and for whoever looks for a fault.
    package var lossBound: Int? { loss.bound.map { Int($0) } }
    package var isNoisy: Bool { trend.isNoisy }
    /// The line's limit has been met, and the target is near it.
    package var knowsCapacity: Bool { control.knowsCapacity }

    // MARK: Sending

    /// A packet goes, with this transport-wide sequence number; numbers follow each other.
    package mutating func sent(_ sequence: UInt16, size: Int, probe: ProbeCluster.ID? = nil, at now: Instant) {
        if began == nil {
            began = now
            lastFeedback = now
        }
        noteSent(size, at: now)
        packetSize += (Double(size) - packetSize) / 64
        packets.append(sequence, size: size, probe: probe ?? 0, at: now)
        if let probe { probing.sent(probe, size: size, at: now) }
        probing.begin(start: Double(limits.start), maximum: probeMaximum, at: now)
    }

    /// A packet goes that carries no transport-wide number; it counts for the sent rate only.
    package mutating func sentUnnumbered(size: Int, at now: Instant) { noteSent(size, at: now) }

    private mutating func noteSent(_ size: Int, at now: Instant) {
        decaySentRate(at: now)
        sentRate += Double(size * 8) / Self.sentTime
    }

    private mutating func decaySentRate(at now: Instant) {
        if let lastSent {
            let elapsed = max(0, (now - lastSent).seconds)
            sentRate *= max(0, 1 - elapsed / Self.sentTime)
        }
        lastSent = max(lastSent ?? now, now)
    }

    /// A probe waits to be sent.
    package var hasProbe: Bool { !isDown && probing.hasWaiting }

    /// The next probe to send, until nil.
    package mutating func pollProbe(at now: Instant) -> ProbeCluster? {
        isDown ? nil : probing.poll()
    }

    // MARK: Feedback

    /// What a feedback message says of one packet; `arrival` is by the receiver's clock, nil: not received. Packets come
    /// in the message's order, then `feedbackEnded`.
    package mutating func acknowledge(_ sequence: UInt16, arrival: MediaTime?) {
        guard let number = packets.find(sequence), let packet = packets[number] else { return }
        guard let arrival else {
            if packet.verdict == .none { packets.setVerdict(.lost, of: number) }
            return
        }
        guard packet.verdict == .none || packet.verdict == .lost || packet.verdict == .settled else { return }
        if number < newestAcknowledged, let newest = packets[newestAcknowledged] {
            lateness = min(max(lateness, newest.sentAt - packet.sentAt + .milliseconds(10)), Self.latenessMax)
        }
        if packet.verdict != .settled { packets.setVerdict(.received, of: number) }
        newestAcknowledged = max(newestAcknowledged, number)
        hasArrivals = true
        if number == newestAcknowledged { newestSent = packet.sentAt }
        trend.add(sent: packet.sentAt, arrival: arrival)
        acknowledged.add(Int(packet.size), arrival: arrival)
        if packet.probe != 0 {
            probing.received(packet.probe, size: Int(packet.size), sent: packet.sentAt, arrival: arrival)
        }
    }

    private var newestSent: Instant?

    /// The feedback message has ended: decide.
    package mutating func feedbackEnded(at now: Instant) {
        hasFeedback = true
        guard hasArrivals else { return }
        hasArrivals = false
        if let newestSent { receive(roundTrip: now - newestSent) }
        let gap = lastFeedback.map { now - $0 } ?? .zero
        lastFeedback = now
        if isDown || gap > Self.outageTime { return outageEnded(at: now) }
        settle()
        round(at: now)
    }

    /// A round trip measured elsewhere (receiver reports), or by the feedback.
    package mutating func receive(roundTrip sample: MediaTime) {
        guard sample > .zero, sample < .seconds(10) else { return }
        let change = (sample.nanoseconds - roundTrip.nanoseconds) / 8
        roundTrip = roundTripSample == nil ? sample : MediaTime(nanoseconds: roundTrip.nanoseconds + change)
        roundTripSample = sample
        roundTripLeast = min(roundTripLeast, sample)
    }

    /// The receiver's own estimate (draft-alvestrand-rmcat-remb-03). Counts only without transport-wide feedback.
    package mutating func receive(remb: Int, at now: Instant) {
        self.remb = max(0, remb)
        if !hasFeedback { publish() }
    }

    /// The share of packets lost, of a receiver report. Counts only without transport-wide feedback: below 2 % the
    /// target grows, above 10 % it falls (draft-ietf-rmcat-gcc-02, section 6). Before the first loss it grows faster: no
    /// probe finds out what such a line carries.
    package mutating func receive(reportedLoss share: Double, at now: Instant) {
        guard !hasFeedback else { return }
        defer { reportTime = now }
        let elapsed = min(max(0, reportTime.map { (now - $0).seconds } ?? 0), 5)
        var rate = reportBound ?? Double(limits.start)
        if share >= 0.02 { hasReportedLoss = true }
        let growth = hasReportedLoss ? 0.08 : 0.5
        if share < 0.02 { rate *= 1 + growth * elapsed } else if share > 0.1 { rate *= 1 - 0.5 * min(share, 1) }
        reportBound = min(max(rate, Double(limits.minimum)), Double(limits.maximum))
        publish()
    }

    /// A feedback message begins, with its count and the first number it speaks of; before its packets. What only a
    /// message that was lost could tell is not known, which is not the same as lost.
    package mutating func feedbackBegan(_ count: UInt8, first: UInt16) {
        guard let last = lastFeedbackCount else {
            lastFeedbackCount = count
            return
        }
        let ahead = Int8(bitPattern: count &- last &- 1)
        if ahead > 0, let number = packets.find(first) { unknownBefore = max(unknownBefore, number) }
        if ahead >= 0 { lastFeedbackCount = count }
    }

    /// Packets go another way from now on: what was learned of delays and losses was the old one's.
    package mutating func routeChanged(at now: Instant) {
        roundTripLeast = .infinity
        guard hasFeedback else { return }
        lastFeedback = now
        outageEnded(at: now)
    }

    // MARK: Deadlines

    /// When `expire` has something to do.
    package var deadline: Instant? {
        guard hasFeedback, let lastFeedback, packets.bytesInFlight > 0 else { return nil }
        return (lastStep ?? lastFeedback) + (isDown ? Self.outageStep : Self.outageTime)
    }

    /// Looks whether feedback has stopped.
    package mutating func expire(at now: Instant) {
        guard hasFeedback, let lastFeedback, packets.bytesInFlight > 0, now - lastFeedback >= Self.outageTime,
            let newest = packets.newest, newest.sentAt > lastFeedback
        else { return }
        if !isDown {
            isDown = true
            beforeOutage = Double(target)
            lastStep = now
            return
        }
        guard let lastStep, now - lastStep >= Self.outageStep else { return }
        self.lastStep = now
        control.set(max(control.rate / 2, Double(limits.minimum)), at: now)
        publish()
    }

    private mutating func outageEnded(at now: Instant) {
        isDown = false
        lastStep = nil
        trend.reset()
        acknowledged.reset()
        loss.reset()
        // What was sent meanwhile says nothing about rates.
        unsettled = packets.end
        let former = beforeOutage ?? Double(target)
        beforeOutage = nil
        control.set(max(control.rate, former / 2), at: now)
        isRecovering = true
        probing.restart(min(former, probeMaximum), at: now)
        publish()
    }

    // MARK: Deciding

    private var probeMaximum: Double {
        min(Double(limits.maximum), wish.map { Double($0) * 1.1 } ?? .infinity)
    }

    /// Makes verdicts final that no late packet can change any more.
    private mutating func settle() {
        guard let newest = packets[newestAcknowledged] else { return }
        unsettled = max(unsettled, packets.start)
        loss.isCalm = usage != .overuse && trend.standing < Self.noQueue
        while unsettled < newestAcknowledged, let packet = packets[unsettled],
            newest.sentAt - packet.sentAt > lateness
        {
            let isUnknown = packet.verdict == .none && unsettled < unknownBefore
            covered += ((isUnknown ? 0 : 1) - covered) / 256
            if !isUnknown {
                lostShare += ((packet.verdict == .received ? 0 : 1) - lostShare) / Self.lossMemory
                loss.add(
                    sent: packet.sentAt, size: Int(packet.size), isLost: packet.verdict != .received,
                    target: Double(target))
            }
            packets.setVerdict(.settled, of: unsettled)
            unsettled += 1
        }
        // Forgets slowly how late packets can be: a second at 20 rounds per second.
        lateness = max(Self.latenessMin, MediaTime(nanoseconds: lateness.nanoseconds * 63 / 64))
    }

    private mutating func round(at now: Instant) {
        decaySentRate(at: now)
        let kept = max(0.7, 1 - loss.inherent) * max(0.7, covered)
        let isLimited = sentRate < Self.limitedShare * Double(target)
        let round = RateControl.Round(
            usage: trend.usage, acknowledged: acknowledged.long.map { $0 / kept },
            acknowledgedShort: acknowledged.short.map { $0 / kept }, roundTrip: roundTrip,
            isApplicationLimited: isLimited,
            isSaturated: sentRate > Self.saturatedShare * Double(target) || isJammed(kept),
            standingQueue: trend.standing, packetSize: packetSize)
        let former = control.rate
        if control.update(round, at: now) {
            if beforeFall == nil || control.rate < 0.6 * former { beforeFall = (former, now) }
            probing.lowered(at: now)
        }
        let result = probing.result(loss: loss.inherent, maximum: probeMaximum, known: control.rate, at: now)
        if let result, let began, now - began < Self.startTime, result < Self.startDoubt * control.rate {
            // Nothing but the first probes speaks of the line yet: a start rate far above it fills the queue.
            control.set(max(result, control.rate / 2), at: now)
        } else if let result, trend.usage != .overuse, result > control.rate {
            // Jitter makes packets arrive in bunches, and a short run measures what the line can, not what others leave:
            // where its limit has been met, small steps with time between them for a queue to show.
            let isCareful = (trend.isNoisy || control.knowsCapacity) && !isRecovering
            let share = isRecovering && hasBacklog ? Self.backlogShare : 1
            control.set(isCareful ? min(result, Self.carefulStep * control.rate) : share * result, at: now)
            if isCareful { probing.rest(at: now) }
            isRecovering = false
        }
        control.clamp(to: Double(limits.minimum)...Double(limits.maximum))
        if let bound = loss.bound {
            // Few packets may say much less than what has just come through.
            let limit = max(bound, Self.deliveredShare * (acknowledged.long ?? 0))
            if control.rate > limit { control.set(limit, at: now) }
        }
        publish()
        probe(isLimited: isLimited, at: now)
    }

    /// What piled up during an outage still waits; to the delays, which began anew, it looks like the line itself.
    private var hasBacklog: Bool {
        guard let roundTripSample, roundTripLeast < .infinity else { return false }
        return (roundTripSample - roundTripLeast).seconds * 1e3 > Self.jamQueue
    }

    /// A queue stands or grows, and much less arrives than is sent: the line is full, however high the target is.
    private func isJammed(_ kept: Double) -> Bool {
        if trend.standing > Self.jamQueue, let arrived = acknowledged.long {
            return arrived / kept < Self.jamShare * sentRate
        }
        // Where delays jump, nothing may arrive for 200 ms.
        let window = trend.isNoisy ? acknowledged.long : acknowledged.short
        guard trend.usage == .overuse, let window else { return false }
        return window / kept < (trend.isNoisy ? Self.noisyFallShare : Self.fallShare) * sentRate
    }

    private mutating func probe(isLimited: Bool, at now: Instant) {
        guard trend.usage != .overuse else { return }
        let rate = Double(target)
        // Twice as much is tried where the sender cannot show by its media that there is more, and some seconds after
        // a deep fall, because growth by 8 % a second takes long to come back.
        if isLimited || !control.knowsCapacity || control.isUnproved
            || beforeFall.map({ now - $0.at > .seconds(3) && rate < $0.rate * 0.8 }) == true
        {
            probing.wish(for: probeMaximum, target: rate, at: now)
        }
        if let fall = beforeFall, rate >= fall.rate * 0.8 || now - fall.at > .seconds(60) { beforeFall = nil }
    }

    private mutating func publish() {
        var rate = control.rate
        if !hasFeedback {
            rate = min(reportBound ?? rate, remb.map { Double($0) } ?? .infinity)
            if let remb, reportBound == nil { rate = Double(remb) }
        }
        target = Int(min(max(rate, Double(limits.minimum)), Double(limits.maximum)))
    }
}

extension ProbeCluster {
    /// Which cluster a packet belongs to.
    package typealias ID = Int32
}
