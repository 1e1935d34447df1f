package import Core

/// Everything that is sent to one peer: its streams, the pacer over them, and the estimate of its line.
///
/// Owned by the peer, on the loop. In: frames (`enqueue`), RTCP from the peer (`receive`). Out: packets (`poll(into:)`
/// until it returns 0, after every input and at `deadline`), events (`pollEvent`), and reports (`appendReports`).
package final class RTPSender {
    /// What the owner is to know.
    package enum Event: Hashable, Sendable {
        /// The estimate has changed (bits/s): `RungSelector` says what to make of it.
        case target(Int)
        /// The stream's queue was dropped; it takes nothing but a key frame.
        case keyFrameNeeded(ssrc: UInt32)
    }

    /// Retransmissions may take this share of the target over `resendWindow`: beyond it repair makes the jam.
    private static let resendShare = 0.5
    private static let resendWindow = 0.5
    private static let resendPause = MediaTime.milliseconds(5)
    /// Time constant of the rates of repair and sound, in seconds.
    private static let rateTime = 1.0
    private static let outageMin = MediaTime.seconds(1)
    /// Sender reports: every second is often enough to sync within a second (RFC 3550 lets small groups do so).
    private static let reportInterval = MediaTime.seconds(1)
    /// More events than an owner that drains them ever leaves; what is beyond is dropped.
    private static let eventsMax = 64

    package private(set) var streams: [RTPSendStream] = []
    package private(set) var pacer: Pacer
    package private(set) var estimator: BandwidthEstimator
    /// Padding packets that probes wanted and no stream could give.
    package private(set) var emptyProbes = 0

    private var transportSequence: UInt16
    private var events = Deque<Event>()
    private var lastFeedbackAt: Instant?
    private var lastTarget: Int
    private var resendAllowance = 0.0
    private var allowanceTime: Instant?
    /// Bits per second of retransmissions and of sound, smoothed.
    private var repairRate = 0.0
    private var repairBytes = 0
    private var smoothedSound = 0.0
    private var soundBytes = 0
    private var lastReport: Instant?

    package init(limits: BandwidthEstimator.Limits = .init(), random: inout SeededRandom) {
        estimator = BandwidthEstimator(limits)
        pacer = Pacer(target: limits.start)
        lastTarget = limits.start
        transportSequence = UInt16(truncatingIfNeeded: random.next())
    }

    package func add(_ stream: RTPSendStream) { streams.append(stream) }

    package func remove(_ ssrc: UInt32) { streams.removeAll { $0.ssrc == ssrc } }

    /// Bits per second that the line carries, everything counted.
    package var target: Int { estimator.target }

    /// What of the target is left for new media: the rest goes into retransmissions.
    package var mediaTarget: Int { max(estimator.limits.minimum, estimator.target - Int(repairRate)) }

    /// What the sound takes, with its headers above UDP, in bits per second.
    package var soundRate: Int { Int(smoothedSound) }

    /// What could be used at most, for probes: the highest rung, sound and repair.
    package func setWish(_ rate: Int?) { estimator.wish = rate }

    // MARK: Frames

    /// Queues a frame on one of the streams; false: dropped. The policy of the queue: what would wait longer than
    /// `Pacer.queueTimeMax` is dropped, and the stream goes on with a key frame.
    package func enqueue(
        _ frame: OutgoingFrame, on stream: RTPSendStream, source: UInt32 = 0, at now: Instant
    ) -> Bool {
        if stream.configuration.kind == .video, stream.waitingPackets > 0, isStale(stream, plus: frame, at: now) {
            stream.dropWaiting()
            if !frame.packets.isKey { raise(.keyFrameNeeded(ssrc: stream.ssrc)) }
        }
        let awaited = stream.awaitsKeyFrame
        let isTaken = stream.enqueue(frame, source: source, at: now)
        if !isTaken, !awaited { raise(.keyFrameNeeded(ssrc: stream.ssrc)) }
        return isTaken
    }

    private func isStale(_ stream: RTPSendStream, plus frame: OutgoingFrame, at now: Instant) -> Bool {
        if let since = stream.waitingSince, now - since > Pacer.queueTimeMax { return true }
        // A key frame may be as large as it is: what counts is what stands before it.
        let added = frame.packets.isKey ? 0 : frame.size
        return pacer.time(for: stream.waitingBytes + added) > Pacer.queueTimeMax
    }

    // MARK: Packets

    /// Writes the next packet that may go now to the start of `buffer`, which has room for a datagram. Returns its
    /// length; 0: nothing until `deadline` or the next frame.
    package func poll(into buffer: UnsafeMutableRawBufferPointer, at now: Instant) -> Int {
        for stream in streams where stream.configuration.kind == .audio {
            let count = write(stream, .sound, into: buffer, .media, at: now)
            if count > 0 { return count }
            // What was lost of it is small, and of no use if it comes late.
            guard stream.hasRetransmission(at: now), mayResend(at: now) else { continue }
            let repaired = write(stream, .retransmission, into: buffer, .media, at: now)
            if repaired > 0 { return repaired }
        }
        if !pacer.isProbing, estimator.hasProbe, hasMedia, let cluster = estimator.pollProbe(at: now) {
            pacer.begin(cluster)
        }
        let turn = pacer.turn(at: now)
        guard turn != .wait else { return 0 }
        if mayResend(at: now) {
            for stream in streams where stream.hasRetransmission(at: now) {
                let count = write(stream, .retransmission, into: buffer, turn, at: now)
                if count > 0 { return count }
            }
        }
        while let stream = nextPicture() {
            let waiting = stream.waitingPackets
            let count = write(stream, .picture, into: buffer, turn, at: now)
            if count > 0 { return count }
            // Nothing was written and nothing left the queue: no way to go on with this one.
            if stream.waitingPackets == waiting { break }
        }
        guard case .probe = turn else { return 0 }
        for stream in streams where stream.configuration.kind == .video {
            let count = write(stream, .padding, into: buffer, turn, at: now)
            if count > 0 { return count }
        }
        pacer.endProbe()
        emptyProbes += 1
        return 0
    }

    private enum Kind { case sound, retransmission, picture, padding }

    private func write(
        _ stream: RTPSendStream, _ kind: Kind, into buffer: UnsafeMutableRawBufferPointer, _ turn: Pacer.Turn,
        at now: Instant
    ) -> Int {
        let isNumbered = stream.configuration.extensions[.transportSequenceNumber] != nil
        let sequence = isNumbered ? transportSequence : nil
        let count: Int
        switch kind {
        case .sound:
            count = stream.write(into: buffer, transportSequence: sequence, at: now)
            soundBytes += count
        case .picture: count = stream.write(into: buffer, transportSequence: sequence, at: now)
        case .retransmission:
            count = stream.writeRetransmission(into: buffer, transportSequence: sequence, at: now)
            resendAllowance -= Double(count)
            repairBytes += count
        case .padding:
            // Where delays jump, only many bytes measure anything.
            let wanted = estimator.isNoisy ? .max : pacer.probePacketSize
            count = stream.writePadding(into: buffer, transportSequence: sequence, wanted: wanted, at: now)
        }
        guard count > 0 else { return 0 }
        var probe: ProbeCluster.ID?
        if case .probe(let id) = turn { probe = id }
        if let sequence {
            estimator.sent(sequence, size: count, probe: probe, at: now)
            transportSequence &+= 1
        } else {
            estimator.sentUnnumbered(size: count, at: now)
        }
        pacer.sent(count, in: turn, at: now)
        return count
    }

    /// The picture packet that has waited longest.
    private func nextPicture() -> RTPSendStream? {
        var next: (stream: RTPSendStream, since: Instant)?
        for stream in streams where stream.configuration.kind != .audio {
            guard let since = stream.waitingSince else { continue }
            if let found = next, found.since <= since { continue }
            next = (stream, since)
        }
        return next?.stream
    }

    private var hasMedia: Bool { streams.contains { $0.configuration.kind == .video && $0.hasStarted } }

    private func mayResend(at now: Instant) -> Bool {
        measure(at: now)
        return resendAllowance > 0
    }

    /// Brings the rates of repair and sound up to date, and what repair may still take.
    private func measure(at now: Instant) {
        let most = Double(estimator.target) / 8 * Self.resendShare * Self.resendWindow
        let elapsed = allowanceTime.map { max(0, (now - $0).seconds) } ?? Self.resendWindow
        allowanceTime = now
        if elapsed > 0 {
            func smooth(_ rate: inout Double, _ bytes: inout Int) {
                rate *= max(0, 1 - elapsed / Self.rateTime)
                rate += Double(bytes * 8) / Self.rateTime
                bytes = 0
            }
            smooth(&repairRate, &repairBytes)
            smooth(&smoothedSound, &soundBytes)
        }
        resendAllowance = min(most, resendAllowance + elapsed * Double(estimator.target) / 8 * Self.resendShare)
    }

    // MARK: Deadlines

    /// When to call `expire` and `poll` again, whatever comes in.
    package func deadline(at now: Instant) -> Instant? {
        var next = estimator.deadline
        func add(_ time: Instant) { next = min(next ?? time, time) }
        let hasPackets = streams.contains { $0.waitingPackets > 0 }
        let hasRepair = streams.contains { $0.waitingRetransmissions > 0 }
        if hasPackets || pacer.isProbing || hasRepair && resendAllowance > 0 {
            add(pacer.deadline(at: now) ?? now)
        } else if hasRepair {
            // Retransmissions alone wait for their share to grow.
            add(now + Self.resendPause)
        }
        for stream in streams {
            let isSound = stream.configuration.kind == .audio
            if isSound, stream.waitingRetransmissions > 0, resendAllowance > 0 { add(now) }
            guard let due = stream.copyDue else { continue }
            let turn = isSound ? now : pacer.deadline(at: now) ?? now
            add(max(due, resendAllowance > 0 ? turn : now + Self.resendPause))
        }
        if estimator.hasProbe, hasMedia { add(now) }
        return next
    }

    /// A deadline has come.
    package func expire(at now: Instant) {
        estimator.expire(at: now)
        publish(at: now)
    }

    // MARK: Feedback

    /// One RTCP packet of the peer; what concerns nobody here is ignored.
    package func receive(_ packet: RTCPPacket, at now: Instant) {
        switch packet {
        case .transportFeedback(let feedback):
            noteOutage(at: now)
            estimator.feedbackBegan(feedback.feedbackCount, first: feedback.baseSequenceNumber)
            feedback.forEachPacket { estimator.acknowledge($0, arrival: $1) }
            estimator.feedbackEnded(at: now)
            pacer.isCautious = estimator.losesPackets
            for stream in streams {
                stream.setRoundTrip(estimator.roundTrip)
                stream.setLossy(estimator.isLossy, at: now)
            }
        case .nack(let nack):
            for stream in streams where stream.ssrc == nack.mediaSSRC { stream.receive(nack, at: now) }
        case .senderReport(let report): receive(report.reports, at: now)
        case .receiverReport(let report): receive(report.reports, at: now)
        case .remb(let remb): estimator.receive(remb: Int(clamping: remb.bitrate), at: now)
        case .pictureLossIndication(let loss):
            for stream in streams where stream.ssrc == loss.mediaSSRC { stream.receivePictureLoss() }
        case .fullIntraRequest(let request):
            for entry in request.entries {
                for stream in streams where stream.ssrc == entry.ssrc { stream.receiveFullIntraRequest() }
            }
        default: break
        }
        publish(at: now)
    }

    /// A receiver that said nothing for so long has got nothing: more is lost than can be sent again, and it would find
    /// that out, and ask for a key frame, only after a while (Chromium: after a second).
    private func noteOutage(at now: Instant) {
        if let lastFeedbackAt, now - lastFeedbackAt > Self.outageMin {
            for stream in streams where stream.configuration.kind == .video && stream.hasStarted {
                raise(.keyFrameNeeded(ssrc: stream.ssrc))
            }
        }
        lastFeedbackAt = now
    }

    /// Packets go another way from now on.
    package func routeChanged(at now: Instant) {
        estimator.routeChanged(at: now)
        publish(at: now)
    }

    private func receive(_ reports: [ReportBlock], at now: Instant) {
        for report in reports {
            for stream in streams {
                if let time = stream.receive(report, at: now), !estimator.hasFeedback {
                    estimator.receive(roundTrip: time)
                    stream.setRoundTrip(time)
                }
                if report.ssrc == stream.ssrc, stream.configuration.kind == .video {
                    estimator.receive(reportedLoss: Double(report.fractionLost) / 256, at: now)
                }
            }
        }
    }

    private func publish(at now: Instant) {
        pacer.setTarget(estimator.target, isLimitKnown: estimator.knowsCapacity, at: now)
        guard estimator.target != lastTarget else { return }
        lastTarget = estimator.target
        raise(.target(lastTarget))
    }

    private func raise(_ event: Event) {
        // A newer target makes the older one worthless; nothing else comes in numbers.
        if case .target = event { _ = events.removeFirst { if case .target = $0 { true } else { false } } }
        if events.count < Self.eventsMax { events.append(event) }
    }

    /// The next event, until nil.
    package func pollEvent() -> Event? { events.popFirst() }

    /// When the next sender reports are due; nil while nothing was sent.
    package var reportDeadline: Instant? { lastReport.map { $0 + Self.reportInterval } }

    /// Appends the sender reports of all streams that sent something, if they are due.
    package func appendReports(to packets: inout [RTCPPacket], at now: Instant) {
        if let lastReport, now - lastReport < Self.reportInterval { return }
        for stream in streams {
            guard let report = stream.report(at: now) else { continue }
            packets.append(.senderReport(report))
            lastReport = now
        }
    }
}
