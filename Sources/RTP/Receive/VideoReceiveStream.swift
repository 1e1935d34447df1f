package import Core

/// Receives one video stream (one SSRC and its retransmission SSRC; one simulcast layer): orders packets, has missing
/// ones repaired, and hands on whole frames in decoding order, each of which can be decoded after those before it.
///
/// Owned by a loop. In: packets and deadlines. Out: `pollFrame`, `pollFeedback`. A hole is waited for as long as
/// retransmission has a chance; when several attempts have failed, a key frame is asked for, and whichever comes
/// first, repair or key frame, goes on. Nothing is held back without a hole in front of it.
package final class VideoReceiveStream {
    package struct Configuration: Sendable {
        package var ssrc: UInt32
        /// Codecs by payload type, and by RTX payload type the one that is retransmitted (`apt`, RFC 4588).
        package var codecs: [UInt8: VideoCodec]
        package var retransmissions: [UInt8: UInt8]
        /// What was negotiated by `a=rtcp-fb`: `nack`, `nack pli`, `ccm fir`.
        package var sendsNACK: Bool
        package var sendsPLI: Bool
        package var sendsFIR: Bool

        package init(
            ssrc: UInt32, codecs: [UInt8: VideoCodec], retransmissions: [UInt8: UInt8] = [:], sendsNACK: Bool = true,
            sendsPLI: Bool = true, sendsFIR: Bool = false
        ) {
            self.ssrc = ssrc
            self.codecs = codecs
            self.retransmissions = retransmissions
            self.sendsNACK = sendsNACK
            self.sendsPLI = sendsPLI
            self.sendsFIR = sendsFIR
        }
    }

    /// What a payload type is.
    private enum Kind {
        case unknown
        case media(VideoCodec)
        case retransmission(of: UInt8)
    }

    /// Frames that wait to be polled; who does not poll loses the newest.
    static let frameQueueLimit = 64
    /// After a silence this long a hole of more than `shortHole` packets is not repaired: senders forget, and nobody
    /// wants to see it any more.
    static let outage = MediaTime.milliseconds(1000)
    static let shortHole = 10
    /// Bounds of how long a hole is waited for before a key frame is asked for.
    static let repairWaits = MediaTime.milliseconds(120)...MediaTime.milliseconds(600)

    package let configuration: Configuration
    /// Loss and jitter of the media stream.
    package private(set) var reception: ReceptionStatistics
    /// The sender's wall clock by its reports.
    package private(set) var senderClock = SenderClock(clockRate: 90_000)
    package internal(set) var statistics = VideoReceiveStatistics()

    private let pool: PacketPool
    private var kinds = [Kind](repeating: .unknown, count: 128)
    private var tracker = SequenceTracker()
    private var timestamps = TimestampUnwrapper()
    private var newestTimestamp: Int64?
    /// The packet that looked like a restart, until the next one says so.
    private var suspect: BufferedPacket?
    private var hasStarted = false
    private var fullIntraNumber: UInt8 = 0
    private var requestList: [UInt16] = []

    var assembler: FrameAssembler
    var nacks: NACKGenerator
    var keyRequests = KeyFrameRequester()
    var depacketizers: [UInt8: DepacketizerBox] = [:]
    var frames = Deque<ReceivedFrame>()
    var scratch: [FramePacket] = []
    var freezes = FreezeMeter()
    /// All up to the last frame was handed on, or is not missed.
    var isContinuous = false
    /// The hole at the head has been waited for long enough; a key frame was asked for.
    var isRepairOverdue = false
    /// Of the last frame handed on.
    var lastInfo: PayloadInfo?
    var lastPayloadType: UInt8?
    /// Temporal layers above this one miss something.
    var layerCeiling = UInt8.max
    /// Somebody downstream wants a key frame, whatever the network does.
    var isKeyWanted = false
    var rotation = 0
    var colour: VideoColour?

    package init(_ configuration: Configuration, pool: PacketPool) {
        self.configuration = configuration
        self.pool = pool
        reception = ReceptionStatistics(ssrc: configuration.ssrc, clockRate: 90_000)
        nacks = NACKGenerator(isAsking: configuration.sendsNACK)
        assembler = FrameAssembler(pool: pool, first: 0)
        for (type, codec) in configuration.codecs where type < 128 {
            kinds[Int(type)] = .media(codec)
            depacketizers[type] = DepacketizerBox(VideoDepacketizer(codec: codec))
        }
        for (type, original) in configuration.retransmissions where type < 128 {
            kinds[Int(type)] = .retransmission(of: original)
        }
        requestList.reserveCapacity(NACKGenerator.listLimit)
    }

    deinit { dropSuspect() }

    /// The smoothed round trip to the sender, which paces all requests.
    package var roundTrip: MediaTime {
        get { nacks.roundTrip }
        set { nacks.roundTrip = min(max(newValue, .zero), .seconds(10)) }
    }

    /// Takes parameter sets that came outside the stream (SDP).
    package func learn(parameterSet: [UInt8], payloadType: UInt8) {
        depacketizers[payloadType]?.value.learn(parameterSet: parameterSet)
    }

    /// Takes a packet of the stream or of its retransmission stream, which the payload type tells. `header` was read
    /// from `packet`; the payload is copied once, into a slot of the pool.
    package func receive(
        _ packet: RawSpan, _ header: RTPHeader, hints: PictureHints = PictureHints(), at now: Instant
    ) {
        guard header.payload.upperBound <= packet.byteCount else { return }
        statistics.packetsReceived += 1
        statistics.bytesReceived += header.payload.count
        statistics.headerBytesReceived += packet.byteCount - header.payload.count
        let payload = packet.extracting(header.payload)
        switch kinds[Int(header.payloadType & 0x7F)] {
        case .media(let codec):
            reception.receive(header, at: now)
            let silence = statistics.lastPacketReceived.map { now - $0 } ?? .zero
            let fresh = buffered(header, payload, codec, hints, at: now)
            receiveMedia(header.sequenceNumber, payload, fresh, silence: silence, at: now)
        case .retransmission(let original):
            receiveRetransmission(header, payload, of: original, hints: hints, at: now)
        case .unknown:
            statistics.unknownPayloadTypes += 1
            return
        }
        statistics.lastPacketReceived = now
        keyRequests.heard()
        advance(at: now)
    }

    /// Takes a sender report of the stream.
    package func receive(_ report: SenderReport, at now: Instant) {
        guard report.ssrc == configuration.ssrc else { return }
        reception.receive(report, at: now)
        senderClock.receive(report, newest: newestTimestamp)
    }

    /// What to report about the stream now; nil before the first packet.
    package func reportBlock(at now: Instant) -> ReportBlock? { reception.reportBlock(at: now) }

    private func receiveMedia(
        _ number: UInt16, _ payload: RawSpan, _ packet: BufferedPacket, silence: MediaTime, at now: Instant
    ) {
        switch tracker.place(number) {
        case .number(let sequence):
            start(at: sequence, with: packet.info)
            accept(sequence, payload, packet, silence: silence, isRetransmission: false, at: now)
        case .suspect:
            dropSuspect()
            var kept = packet
            guard store(payload, &kept) else { return }
            suspect = kept
        case .restarted(let sequence):
            statistics.restarts += 1
            let before = suspect
            suspect = nil
            beginAnew(at: before == nil ? sequence : sequence - 1)
            if var before {
                before.sequence = sequence - 1
                assembler.insert(before)
            }
            accept(sequence, payload, packet, silence: .zero, isRetransmission: false, at: now)
        }
    }

    /// RFC 4588, section 4: the original's sequence number, then its payload.
    private func receiveRetransmission(
        _ header: RTPHeader, _ payload: RawSpan, of original: UInt8, hints: PictureHints, at now: Instant
    ) {
        statistics.retransmittedPacketsReceived += 1
        statistics.retransmittedBytesReceived += payload.byteCount
        guard case .media(let codec) = kinds[Int(original & 0x7F)] else {
            statistics.unknownPayloadTypes += 1
            return
        }
        var reader = ByteReader(payload)
        // Without a payload it only probes the line.
        guard let number = try? reader.u16(), let sequence = tracker.number(of: number), hasStarted else { return }
        var media = header
        media.payloadType = original
        let inner = payload.extracting(2..<payload.byteCount)
        var packet = buffered(media, inner, codec, hints, at: now)
        packet.wasRetransmitted = true
        accept(sequence, inner, packet, silence: .zero, isRetransmission: true, at: now)
    }

    /// What is known of a packet before it is placed and stored.
    private func buffered(
        _ header: RTPHeader, _ payload: RawSpan, _ codec: VideoCodec, _ hints: PictureHints, at now: Instant
    ) -> BufferedPacket {
        let timestamp = timestamps.unwrap(header.timestamp)
        if newestTimestamp == nil { senderClock.begin(at: timestamp) }
        newestTimestamp = max(newestTimestamp ?? timestamp, timestamp)
        var packet = BufferedPacket(
            sequence: 0, timestamp: timestamp, arrival: now, slot: nil,
            count: payload.byteCount, payloadType: header.payloadType, marker: header.marker,
            hints: hints, info: PayloadInfo(start: .no, isEnd: header.marker, media: 0..<0))
        if payload.byteCount > 0 {
            do {
                packet.info = try VideoDepacketizer.info(payload, codec: codec, marker: header.marker)
            } catch {
                statistics.malformedPayloads += 1
                packet.isBroken = true
            }
        }
        return packet
    }

    /// Puts a packet into its place, if it is new, and notes what is missing before it.
    private func accept(
        _ sequence: Int64, _ payload: RawSpan, _ packet: BufferedPacket, silence: MediaTime, isRetransmission: Bool,
        at now: Instant
    ) {
        let base = assembler.packets.base
        switch assembler.judge(sequence) {
        case .stored: break
        case .duplicate:
            statistics.duplicatesReceived += 1
            statistics.packetsDiscarded += 1
            return
        case .tooOld:
            statistics.packetsDiscarded += 1
            return
        case .tooNew:
            // The buffer is full of what waits for one packet: only a key frame helps.
            abandonAll(at: sequence)
        }
        if sequence < base { _ = nacks.add((sequence + 1)..<base, at: now) }
        if sequence > assembler.end { note(assembler.end..<sequence, silence: silence, at: now) }
        var kept = packet
        kept.sequence = sequence
        if !store(payload, &kept) {
            // Whoever finds the pool full gives back what it holds itself.
            abandonAll(at: sequence)
            guard store(payload, &kept) else {
                statistics.packetsDiscarded += 1
                return
            }
        }
        if nacks.arrived(sequence, isRetransmission: isRetransmission, at: now) == nil { nacks.arrivedInOrder() }
        if kept.info.isKey { keyRequests.keyFrameBegan(hopeUntil: now + repairWait) }
        assembler.insert(kept)
        // The stream's first packet begins no frame: the one before it may have been overtaken.
        if sequence == assembler.packets.base, kept.info.start == .no, kept.slot != nil,
            assembler.lower(to: sequence - 1)
        {
            _ = nacks.add((sequence - 1)..<sequence, at: now)
        }
    }

    private func note(_ hole: Range<Int64>, silence: MediaTime, at now: Instant) {
        let isOutage = silence >= VideoReceiveStream.outage && hole.count > VideoReceiveStream.shortHole
        if isOutage || !nacks.add(hole, at: now) { abandonAll(at: hole.upperBound) }
    }

    private func store(_ payload: RawSpan, _ packet: inout BufferedPacket) -> Bool {
        guard payload.byteCount > 0, !packet.isBroken else { return true }
        packet.slot = pool.store(payload)
        return packet.slot != nil
    }

    private func start(at sequence: Int64, with info: PayloadInfo) {
        guard !hasStarted else { return }
        hasStarted = true
        assembler = FrameAssembler(pool: pool, first: sequence)
        // In the middle of the stream: no need to wait for the end of a frame to know it.
        if !info.isKey, info.start != .possible, !info.media.isEmpty { keyRequests.request() }
    }

    /// Gives up all that waits; the stream goes on at `sequence` with a key frame.
    private func abandonAll(at sequence: Int64) {
        statistics.holesAbandoned += 1
        beginAnew(at: sequence)
        keyRequests.request()
    }

    private func beginAnew(at sequence: Int64) {
        nacks.removeAll()
        assembler = FrameAssembler(pool: pool, first: sequence)
        isContinuous = false
        // What picture ids and layers said ends here.
        lastInfo = nil
    }

    private func dropSuspect() {
        if let slot = suspect?.slot { pool.release(slot) }
        suspect = nil
    }

    // MARK: what comes out

    /// The next frame in decoding order.
    package func pollFrame() -> ReceivedFrame? { frames.popFirst() }

    /// The next RTCP message to send; call until nil, best once per batch of packets: what a batch settles by itself
    /// is not asked for.
    package func pollFeedback(at now: Instant) -> VideoFeedback? {
        if configuration.sendsPLI || configuration.sendsFIR, keyRequests.poll(at: now, roundTrip: roundTrip) {
            if configuration.sendsPLI {
                statistics.pliCount += 1
                return .pictureLoss
            }
            statistics.firCount += 1
            fullIntraNumber &+= 1
            return .fullIntra(fullIntraNumber)
        }
        requestList.removeAll(keepingCapacity: true)
        nacks.poll(at: now, into: &requestList)
        guard !requestList.isEmpty else { return nil }
        statistics.nackCount += 1
        statistics.packetsRequested += requestList.count
        return .nack(requestList)
    }

    /// Asks the sender for a key frame because somebody downstream needs one, until one comes.
    package func requestKeyFrame() {
        isKeyWanted = true
        keyRequests.request()
    }

    /// When `expire` or `pollFeedback` has something to do, if no packet comes before.
    package var deadline: Instant? {
        var earliest = nacks.deadline
        if configuration.sendsPLI || configuration.sendsFIR {
            earliest = .earlier(earliest, keyRequests.deadline(roundTrip: roundTrip))
        }
        return .earlier(earliest, repairDeadline)
    }

    /// Gives up what has waited long enough.
    package func expire(at now: Instant) {
        let isHopeless = nacks.expire(at: now)
        if isHopeless || repairDeadline.map({ $0 <= now }) ?? false { advance(at: now) }
    }
}
