package import Core
package import RTP

/// Senders with all their machinery on one simulated line, in virtual time: for closed-loop tests of bandwidth
/// estimation, pacing and repair. Each flow sends pictures and sound; its receiver answers with transport-wide feedback
/// every 50 ms, NACKs and receiver reports, over a line of their own.
package final class LineRig {
    /// What a flow sends.
    package enum Source: Hashable, Sendable {
        /// An encoder of its own that follows the target, up to this rate.
        case adaptive(maximum: Int)
        /// Renditions of these rates, one of which the flow's `RungSelector` picks.
        case ladder([Int])
    }

    /// What passes over the line.
    struct Packet {
        var flow: Int
        var transport: UInt16
        var ssrc: UInt32
        var sequence: UInt16
        var size: Int
    }

    package struct Sample: Sendable {
        /// Seconds since the begin.
        package var time: Double
        /// Bits per second, over the interval of the sample.
        package var delivered: Int
        package var target: Int
        package var rung: Int
        package var bound: Int?
        package var inherentLoss: Double
        package var isNoisy: Bool
    }

    package static let sampleInterval = MediaTime.milliseconds(100)
    private static let frameInterval = MediaTime(nanoseconds: 33_333_333)
    private static let soundInterval = MediaTime.milliseconds(20)
    private static let soundSize = 80
    private static let payloadSize = 1160

    package private(set) var link: SimLinkOfPackets
    package private(set) var flows: [LineFlow] = []
    package private(set) var now = Instant(nanoseconds: 1_000_000_000)
    private let begin = Instant(nanoseconds: 1_000_000_000)
    /// The queue's delay as each packet found it, with the time.
    package private(set) var queueDelays: [(time: Double, delay: Double)] = []
    private var random: SeededRandom
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1500, alignment: 8)
    private var nextSample: Instant
    private let returnDelay: MediaTime

    deinit { buffer.deallocate() }

    /// `schedule` in seconds since the begin. Feedback takes `returnDelay`.
    package init(
        seed: UInt64, _ conditions: LinkConditions, schedule: [(Double, LinkConditions)] = [],
        returnDelay: MediaTime = .milliseconds(25)
    ) {
        random = SeededRandom(seed: seed)
        let start = begin
        link = SimLinkOfPackets(
            SimLink(
                seed: random.next(), conditions, schedule: schedule.map { (start + .seconds($0.0), $0.1) }))
        nextSample = begin + Self.sampleInterval
        self.returnDelay = returnDelay
    }

    /// Adds a flow that begins to send `after` seconds.
    package func add(
        _ source: Source, limits: BandwidthEstimator.Limits = .init(), after: Double = 0, hasSound: Bool = true
    ) {
        let start = begin + .seconds(after)
        flows.append(
            LineFlow(
                index: flows.count, source, limits: limits, start: start, hasSound: hasSound, seed: random.next(),
                returnDelay: returnDelay))
    }

    package var seconds: Double { (now - begin).seconds }

    /// Runs up to `end` seconds since the begin.
    package func run(until end: Double) {
        let end = begin + .seconds(end)
        while now < end {
            step()
            var next = min(end, nextSample)
            if let arrival = link.line.nextArrival { next = min(next, arrival) }
            for flow in flows { next = min(next, flow.nextTime(at: now)) }
            now = max(now, next)
        }
    }

    private func step() {
        while let packet = link.line.poll(at: now) { flows[packet.flow].arrived(packet, at: now) }
        for flow in flows {
            flow.turn(at: now)
            while case let count = flow.sender.poll(into: buffer, at: now), count > 0 {
                guard let packet = flow.packet(of: UnsafeRawBufferPointer(rebasing: buffer[..<count])) else { continue }
                queueDelays.append((seconds, link.line.queueDelay.seconds))
                link.line.send(packet, size: count, at: now)
            }
        }
        if now >= nextSample {
            for flow in flows { flow.sample(at: seconds) }
            nextSample = nextSample + Self.sampleInterval
        }
    }

    /// Mean of the queue's delay over spans of `length` seconds that begin every `step` seconds.
    package func meanQueueDelays(per length: Double, step: Double, until end: Double) -> [Double] {
        var sums = [(sum: Double, count: Double)](repeating: (0, 0), count: Int(end / step) + 1)
        for entry in queueDelays where entry.time < end {
            sums[Int(entry.time / step)].sum += entry.delay
            sums[Int(entry.time / step)].count += 1
        }
        let steps = Int((length / step).rounded())
        return sums.indices.map { begin in
            let span = sums[begin..<min(sums.count, begin + steps)]
            return span.reduce(0) { $0 + $1.sum } / max(1, span.reduce(0) { $0 + $1.count })
        }
    }

    /// The share of queue delays, in seconds, that the given share of packets stayed below, between two times.
    package func queueDelay(_ share: Double, from: Double, to: Double) -> Double {
        let found = queueDelays.filter { $0.time >= from && $0.time < to }.map(\.delay).sorted()
        return found.isEmpty ? 0 : found[min(found.count - 1, Int(Double(found.count) * share))]
    }
}

/// The line of a rig; hides what its packets are.
package struct SimLinkOfPackets {
    var line: SimLink<LineRig.Packet>
    init(_ line: SimLink<LineRig.Packet>) { self.line = line }
    package var lost: Int { line.counters.lost }
    package var overflowed: Int { line.counters.overflowed }
    package var sent: Int { line.counters.sent }
}

/// One sender and its receiver on a `LineRig`.
package final class LineFlow {
    private static let feedbackInterval = MediaTime.milliseconds(50)
    private static let reportInterval = MediaTime.seconds(1)
    private static let frameInterval = MediaTime(nanoseconds: 33_333_333)
    private static let soundInterval = MediaTime.milliseconds(20)
    private static let nackRetry = MediaTime.milliseconds(100)
    private static let framesPerKey = 300
    private static let payloadSize = 1160
    package static let videoSSRC: UInt32 = 1000
    package static let repairSSRC: UInt32 = 1001
    package static let soundSSRC: UInt32 = 2000

    package let sender: RTPSender
    package let video: RTPSendStream
    package let sound: RTPSendStream
    package private(set) var samples: [LineRig.Sample] = []
    package private(set) var rung = 0
    package private(set) var rungChanges = 0
    package private(set) var keyFramesAsked = 0
    /// Media packets that arrived, first time or repaired, and those given up.
    package private(set) var received = 0
    package private(set) var missing = 0

    private let index: Int
    private let source: LineRig.Source
    private var selector: RungSelector?
    private let start: Instant
    private let hasSound: Bool
    private var random: SeededRandom
    private var nextFrame: Instant
    private var nextSound: Instant
    private var nextFeedback: Instant
    private var nextReport: Instant
    private var frames = 0
    private var wantsKey = true
    private var hasStarted: Bool { frames > 0 }
    private let map: ExtensionMap
    /// What is on its way back.
    private var returning: SimLink<RTCPPacket>
    // The receiver.
    private var unwrapper = SequenceUnwrapper()
    private var arrivals: [Int64: Instant] = [:]
    private var reported: Int64?
    private var newest: Int64?
    private var feedbackCount: UInt8 = 0
    private var mediaUnwrapper = SequenceUnwrapper()
    private var mediaNewest: Int64?
    private var lost: [Int64: (asked: Instant?, tries: Int)] = [:]
    private var delivered = 0
    private var lastSampleTime = 0.0

    init(
        index: Int, _ source: LineRig.Source, limits: BandwidthEstimator.Limits, start: Instant, hasSound: Bool,
        seed: UInt64, returnDelay: MediaTime
    ) {
        self.index = index
        self.source = source
        self.start = start
        self.hasSound = hasSound
        random = SeededRandom(seed: seed)
        map = ExtensionMap([.transportSequenceNumber: 3, .absoluteSendTime: 2, .mid: 4])
        sender = RTPSender(limits: limits, random: &random)
        video = RTPSendStream(
            RTPSendConfiguration(
                kind: .video, ssrc: Self.videoSSRC, payloadType: 96, clockRate: 90_000,
                retransmissionSSRC: Self.repairSSRC, retransmissionPayloadType: 97, mid: StreamLabel("1"),
                extensions: map, origin: start), random: &random)
        sound = RTPSendStream(
            RTPSendConfiguration(
                kind: .audio, ssrc: Self.soundSSRC, payloadType: 111, clockRate: 48_000, mid: StreamLabel("0"),
                extensions: map, origin: start), random: &random)
        sender.add(video)
        sender.add(sound)
        if case .ladder(let rates) = source {
            // As `RTPSink` does.
            var selector = RungSelector(rates: rates, overhead: 60_000)
            selector.begin(estimate: sender.mediaTarget)
            sender.setWish(selector.ceiling)
            rung = selector.rung
            self.selector = selector
        }
        if case .adaptive(let maximum) = source { sender.setWish(maximum) }
        nextFrame = start
        nextSound = start
        nextFeedback = start + Self.feedbackInterval
        nextReport = start + Self.reportInterval
        returning = SimLink(seed: random.next(), LinkConditions(delay: returnDelay))
    }

    func nextTime(at now: Instant) -> Instant {
        var next = min(nextFrame, nextFeedback, nextReport)
        if hasSound { next = min(next, nextSound) }
        if let arrival = returning.nextArrival { next = min(next, arrival) }
        if let deadline = sender.deadline(at: now) { next = min(next, max(deadline, now + .milliseconds(1))) }
        return max(next, now + MediaTime(nanoseconds: 1000))
    }

    func turn(at now: Instant) {
        while let packet = returning.poll(at: now) { sender.receive(packet, at: now) }
        if now >= nextFeedback { sendFeedback(at: now) }
        if now >= nextReport { sendReport(at: now) }
        if let deadline = sender.deadline(at: now), deadline <= now { sender.expire(at: now) }
        while let event = sender.pollEvent() {
            if case .keyFrameNeeded = event {
                wantsKey = true
                keyFramesAsked += 1
            }
        }
        if var selector {
            if let rung = selector.update(estimate: sender.mediaTarget, at: now) {
                self.rung = rung
                rungChanges += 1
                wantsKey = true
                sender.setWish(selector.wish ?? selector.ceiling)
            }
            self.selector = selector
        }
        if hasSound, now >= nextSound { makeSound(at: now) }
        if now >= nextFrame { makeFrame(at: now) }
    }

    // MARK: The sender's media

    private func makeSound(at now: Instant) {
        let frame = OutgoingFrame(sound: LineFlow.soundPayload, pts: now - start)
        _ = sender.enqueue(frame, on: sound, at: now)
        nextSound = nextSound + Self.soundInterval
    }

    private func makeFrame(at now: Instant) {
        let rate: Int
        switch source {
        case .adaptive(let maximum):
            // An encoder of its own leaves room for sound and repair.
            rate = max(30_000, min(maximum, sender.mediaTarget - (hasSound ? 45_000 : 0)))
        case .ladder(let rates): rate = rates[rung]
        }
        let average = Double(rate) / 8 * Self.frameInterval.seconds
        let noise = 0.7 + 0.6 * Double(random.next() >> 11) * 0x1p-53
        let isKey = wantsKey || frames % Self.framesPerKey == 0
        let size = max(60, Int(average * (isKey ? 4 : noise * 0.98)))
        wantsKey = false
        frames += 1
        nextFrame = nextFrame + Self.frameInterval
        let encoded = EncodedFrame(payload: Payload(count: size) { _ in }, pts: now - start, isKey: isKey)
        let format = VideoFormat(codec: .vp8, width: 640, height: 360)
        guard
            let cut = try? Packetizer(codec: .vp8).packetize(encoded, format: format, sizeMax: Self.payloadSize)
        else { return }
        _ = sender.enqueue(OutgoingFrame(cut, pts: encoded.pts), on: video, source: UInt32(rung), at: now)
    }

    private static let soundPayload = Payload(count: 80) { _ in }

    func packet(of bytes: UnsafeRawBufferPointer) -> LineRig.Packet? {
        let span = bytes.bytes
        guard let header = try? RTPHeader(span) else { return nil }
        let values = RTPHeaderExtensions(span, header: header, map: map)
        guard let transport = values.transportSequenceNumber else { return nil }
        var (ssrc, sequence) = (header.ssrc, header.sequenceNumber)
        if ssrc == Self.repairSSRC {
            if header.payload.count >= 2 {
                sequence = UInt16(bytes[header.payload.lowerBound]) << 8 | UInt16(bytes[header.payload.lowerBound + 1])
            } else {
                ssrc = 0
            }
        }
        return LineRig.Packet(flow: index, transport: transport, ssrc: ssrc, sequence: sequence, size: bytes.count)
    }

    // MARK: The receiver

    func arrived(_ packet: LineRig.Packet, at now: Instant) {
        delivered += packet.size
        let number = unwrapper.unwrap(packet.transport)
        if arrivals[number] == nil { arrivals[number] = now }
        newest = max(newest ?? number, number)
        if let next = reported { reported = min(next, number) } else { reported = number }
        guard packet.ssrc == Self.videoSSRC || packet.ssrc == Self.repairSSRC else { return }
        if packet.ssrc == Self.repairSSRC {
            let number = mediaUnwrapper.unwrap(packet.sequence)
            if lost.removeValue(forKey: number) != nil { received += 1 }
            return
        }
        let media = mediaUnwrapper.unwrap(packet.sequence)
        received += 1
        if let mediaNewest, media > mediaNewest {
            for gap in (mediaNewest + 1)..<max(mediaNewest + 1, media) { lost[gap] = (nil, 0) }
        } else {
            lost[media] = nil
        }
        mediaNewest = max(mediaNewest ?? media, media)
    }

    private func sendFeedback(at now: Instant) {
        nextFeedback = nextFeedback + Self.feedbackInterval
        sendNACK(at: now)
        guard let first = reported, let newest, first <= newest,
            let start = (first...newest).first(where: { arrivals[$0] != nil })
        else { return }
        guard let arrival = arrivals[start] else { return }
        func begin(_ number: Int64, _ arrival: Instant) -> TransportFeedback {
            feedbackCount &+= 1
            return TransportFeedback(
                senderSSRC: 1, mediaSSRC: Self.videoSSRC, feedbackCount: feedbackCount,
                baseSequenceNumber: UInt16(truncatingIfNeeded: number), arrival: arrival)
        }
        var feedback = begin(start, arrival)
        var number = start + 1
        while number <= newest {
            if !feedback.append(arrival: arrivals[number]) {
                returning.send(.transportFeedback(feedback), size: 100, at: now)
                guard let arrival = arrivals[number] else { break }
                feedback = begin(number, arrival)
            }
            number += 1
        }
        returning.send(.transportFeedback(feedback), size: 100, at: now)
        reported = newest + 1
        // A late one moves the next feedback's begin back; what lies far behind is not reported again.
        arrivals = arrivals.filter { $0.key > newest - 400 }
    }

    private func sendNACK(at now: Instant) {
        var asked: [UInt16] = []
        for (number, state) in lost.sorted(by: { $0.key < $1.key }) {
            if let time = state.asked, now - time < Self.nackRetry { continue }
            if state.tries >= 10 {
                lost[number] = nil
                missing += 1
                continue
            }
            lost[number] = (now, state.tries + 1)
            asked.append(UInt16(truncatingIfNeeded: number))
        }
        guard !asked.isEmpty else { return }
        returning.send(
            .nack(GenericNACK(senderSSRC: 1, mediaSSRC: Self.videoSSRC, lost: asked)), size: 50, at: now)
    }

    private func sendReport(at now: Instant) {
        nextReport = nextReport + Self.reportInterval
        guard newest != nil else { return }
        let report = ReceiverReport(ssrc: 1, reports: [ReportBlock(ssrc: Self.videoSSRC)])
        returning.send(.receiverReport(report), size: 60, at: now)
    }

    func sample(at time: Double) {
        let elapsed = max(time - lastSampleTime, 1e-9)
        lastSampleTime = time
        samples.append(
            LineRig.Sample(
                time: time, delivered: Int(Double(delivered * 8) / elapsed), target: sender.target, rung: rung,
                bound: sender.estimator.lossBound, inherentLoss: sender.estimator.inherentLoss,
                isNoisy: sender.estimator.isNoisy))
        delivered = 0
    }

    /// Bits per second that arrived between two times.
    package func delivered(from: Double, to: Double) -> Double {
        let found = samples.filter { $0.time > from && $0.time <= to + 0.001 }
        return found.isEmpty ? 0 : found.reduce(0) { $0 + Double($1.delivered) } / Double(found.count)
    }

    /// Mean of the target between two times.
    package func target(from: Double, to: Double) -> Double {
        let found = samples.filter { $0.time > from && $0.time <= to + 0.001 }
        return found.isEmpty ? 0 : found.reduce(0) { $0 + Double($1.target) } / Double(found.count)
    }
}
