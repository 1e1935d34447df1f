package import Core

/// Receives one sound stream on the loop and hands its packets to the thread that decodes: duplicates dropped, one
/// batch put in order, redundancy (RFC 2198) unpacked, telephone keys taken out, missing packets asked for if that was
/// negotiated. It waits for nothing: the jitter buffer is the decoder's.
///
/// Owned by a loop. The payload of each packet is copied once, into the `Payload` that crosses the threads.
package final class AudioPacketQueue {
    /// What a payload type is.
    package enum Format: Hashable, Sendable {
        /// A codec, comfort noise included: goes to the decoder as it is.
        case sound
        /// RED (RFC 2198); its blocks have payload types of their own.
        case redundancy
        /// Keys (RFC 4733).
        case telephoneEvent
        /// RTX (RFC 4588) of the given payload type.
        case retransmission(of: UInt8)
    }

    package struct Configuration: Sendable {
        package var ssrc: UInt32
        package var formats: [UInt8: Format]
        /// Of the stream's timestamps, ticks per second.
        package var clockRate: Int
        package var sendsNACK: Bool

        package init(ssrc: UInt32, formats: [UInt8: Format], clockRate: Int = 48_000, sendsNACK: Bool = false) {
            self.ssrc = ssrc
            self.formats = formats
            self.clockRate = clockRate
            self.sendsNACK = sendsNACK
        }
    }

    /// A telephone key went down or up.
    package struct Key: Hashable, Sendable {
        package var event: TelephoneEvent
        /// When it went down, in the stream's timestamps, unwrapped.
        package var timestamp: Int64
    }

    /// In the words of `RTCInboundRtpStreamStats`; loss and jitter are in `reception`.
    package struct Statistics: Hashable, Sendable {
        package var packetsReceived = 0
        package var bytesReceived = 0
        package var headerBytesReceived = 0
        package var retransmittedPacketsReceived = 0
        package var packetsDiscarded = 0
        package var duplicatesReceived = 0
        package var nackCount = 0
        /// Packets of which a redundant block came first.
        package var packetsRecovered = 0
        package var malformedPayloads = 0
        package var unknownPayloadTypes = 0
        package var restarts = 0
        /// Packets that nobody polled in time.
        package var packetsDropped = 0
        package var keysReceived = 0
        package var lastPacketReceived: Instant?
    }

    /// Packets that wait to be polled: five seconds of 20 ms. Beyond, the oldest go.
    private static let queueLimit = 256
    private static let keyLimit = 32
    /// A retransmission after this finds the sound concealed.
    private static let nackAge = MediaTime.milliseconds(200)

    package let configuration: Configuration
    package private(set) var reception: ReceptionStatistics
    package private(set) var senderClock: SenderClock
    package private(set) var statistics = Statistics()

    private var formats = [Format?](repeating: nil, count: 128)
    private var tracker = SequenceTracker()
    private var timestamps = TimestampUnwrapper()
    private var newestTimestamp: Int64?
    private var seen = SequenceWindow()
    private var nacks: NACKGenerator
    private var requestList: [UInt16] = []
    /// Rising by sequence, the next one at the end.
    private var waiting: [SoundPacket] = []
    private var keys = Deque<Key>()
    /// 20 ms of Opus at 80 kbit/s, G.722 and G.711 fit; a second is in the caches of those it is passed on to.
    private var payloads = PayloadRing(bytesMax: 200, countMax: 256)
    private var lastKey: Key?

    package init(_ configuration: Configuration) {
        self.configuration = configuration
        reception = ReceptionStatistics(ssrc: configuration.ssrc, clockRate: configuration.clockRate)
        senderClock = SenderClock(clockRate: configuration.clockRate)
        nacks = NACKGenerator(isAsking: configuration.sendsNACK, ageLimit: AudioPacketQueue.nackAge)
        for (type, format) in configuration.formats where type < 128 { formats[Int(type)] = format }
        waiting.reserveCapacity(AudioPacketQueue.queueLimit)
    }

    /// The smoothed round trip to the sender.
    package var roundTrip: MediaTime {
        get { nacks.roundTrip }
        set { nacks.roundTrip = min(max(newValue, .zero), .seconds(10)) }
    }

    /// Takes a packet of the stream or of its retransmission stream; `header` was read from `packet`.
    package func receive(_ packet: RawSpan, _ header: RTPHeader, level: VoiceLevel? = nil, at now: Instant) {
        guard header.payload.upperBound <= packet.byteCount else { return }
        statistics.packetsReceived += 1
        statistics.bytesReceived += header.payload.count
        statistics.headerBytesReceived += packet.byteCount - header.payload.count
        statistics.lastPacketReceived = now
        let payload = packet.extracting(header.payload)
        switch formats[Int(header.payloadType & 0x7F)] {
        case .none:
            statistics.unknownPayloadTypes += 1
        case .retransmission(let original):
            statistics.retransmittedPacketsReceived += 1
            var reader = ByteReader(payload)
            guard let number = try? reader.u16(), let sequence = tracker.number(of: number) else { return }
            var media = header
            media.payloadType = original
            let inner = payload.extracting(2..<payload.byteCount)
            if case .retransmission = formats[Int(original & 0x7F)] { return }
            accept(sequence, inner, media, level: level, isRecovered: true, at: now)
        case .sound, .redundancy, .telephoneEvent:
            reception.receive(header, at: now)
            guard let sequence = place(header, at: now) else { return }
            accept(sequence, payload, header, level: level, isRecovered: false, at: now)
        }
    }

    /// Takes a sender report of the stream.
    package func receive(_ report: SenderReport, at now: Instant) {
        guard report.ssrc == configuration.ssrc else { return }
        reception.receive(report, at: now)
        senderClock.receive(report, newest: newestTimestamp)
    }

    /// What to report about the stream now; nil before the first packet.
    package func reportBlock(at now: Instant) -> ReportBlock? { reception.reportBlock(at: now) }

    /// Numbers a packet of the stream itself and notes what is missing before it. A first packet after a jump is held
    /// for no one: sound goes on with the second.
    private func place(_ header: RTPHeader, at now: Instant) -> Int64? {
        let newest = tracker.newest
        switch tracker.place(header.sequenceNumber) {
        case .number(let sequence):
            if let newest, sequence > newest + 1 { _ = nacks.add((newest + 1)..<sequence, at: now) }
            return sequence
        case .suspect:
            statistics.packetsDiscarded += 1
            return nil
        case .restarted(let sequence):
            statistics.restarts += 1
            nacks.removeAll()
            return sequence
        }
    }

    private func accept(
        _ sequence: Int64, _ payload: RawSpan, _ header: RTPHeader, level: VoiceLevel?, isRecovered: Bool,
        at now: Instant
    ) {
        if nacks.arrived(sequence, isRetransmission: isRecovered, at: now) == nil { nacks.arrivedInOrder() }
        guard seen.insert(sequence) else {
            statistics.duplicatesReceived += 1
            statistics.packetsDiscarded += 1
            return
        }
        // Padding that probes the line.
        guard payload.byteCount > 0 else { return }
        let timestamp = timestamps.unwrap(header.timestamp)
        if newestTimestamp == nil { senderClock.begin(at: timestamp) }
        newestTimestamp = max(newestTimestamp ?? timestamp, timestamp)
        switch formats[Int(header.payloadType & 0x7F)] {
        case .redundancy:
            unpack(sequence, timestamp, payload, level: level, isRecovered: isRecovered, at: now)
        case .telephoneEvent:
            takeKey(payload, timestamp)
        default:
            queue(sequence, timestamp, payload, header.payloadType, level, isRecovered: isRecovered, at: now)
        }
    }

    /// The packet's own block, and of the earlier ones those that have not come. Blocks repeat the packets just before.
    private func unpack(
        _ sequence: Int64, _ timestamp: Int64, _ payload: RawSpan, level: VoiceLevel?, isRecovered: Bool,
        at now: Instant
    ) {
        var count: Int64 = 0
        do {
            try RedundantPayload.forEachBlock(payload) { _ in count += 1 }
            var behind = count
            try RedundantPayload.forEachBlock(payload) { block in
                behind -= 1
                guard !block.range.isEmpty, case .sound = formats[Int(block.payloadType & 0x7F)] else { return }
                let bytes = payload.extracting(block.range)
                if block.isPrimary {
                    queue(sequence, timestamp, bytes, block.payloadType, level, isRecovered: isRecovered, at: now)
                } else if block.timestampOffset > 0, seen.isOpen(sequence - behind) {
                    _ = seen.insert(sequence - behind)
                    statistics.packetsRecovered += 1
                    _ = nacks.arrived(sequence - behind, isRetransmission: true, at: now)
                    queue(
                        sequence - behind, timestamp - Int64(block.timestampOffset), bytes, block.payloadType, nil,
                        isRecovered: true, at: now)
                }
            }
        } catch {
            statistics.malformedPayloads += 1
        }
    }

    private func queue(
        _ sequence: Int64, _ timestamp: Int64, _ payload: RawSpan, _ payloadType: UInt8, _ level: VoiceLevel?,
        isRecovered: Bool, at now: Instant
    ) {
        if waiting.count == AudioPacketQueue.queueLimit {
            waiting.removeLast()
            statistics.packetsDropped += 1
        }
        let packet = SoundPacket(
            sequence: sequence, timestamp: timestamp, payload: payload.withUnsafeBytes { payloads.copy($0) },
            arrival: now, payloadType: payloadType, level: level, isRecovered: isRecovered)
        // The newest stands first: a packet in its turn moves the few of its batch.
        waiting.insert(packet, at: waiting.firstIndex { $0.sequence < sequence } ?? waiting.count)
    }

    /// Each key is sent many times: told once when it goes down and once when it goes up.
    private func takeKey(_ payload: RawSpan, _ timestamp: Int64) {
        guard let event = try? TelephoneEvent(payload) else {
            statistics.malformedPayloads += 1
            return
        }
        let isSame = lastKey?.timestamp == timestamp && lastKey?.event.event == event.event
        if isSame, lastKey?.event.isEnd ?? false || !event.isEnd { return }
        guard isSame || lastKey.map({ timestamp > $0.timestamp }) ?? true else { return }
        let key = Key(event: event, timestamp: timestamp)
        if !isSame { statistics.keysReceived += 1 }
        lastKey = key
        if keys.count == AudioPacketQueue.keyLimit { _ = keys.popFirst() }
        keys.append(key)
    }

    // MARK: what comes out

    /// The next packet of the batch, rising by sequence; call until nil at the end of a batch.
    package func pollPacket() -> SoundPacket? { waiting.popLast() }

    /// The next key that went down, or up (`event.isEnd`).
    package func pollKey() -> Key? { keys.popFirst() }

    /// Sequence numbers to ask for by a generic NACK; nil if there are none.
    package func pollRequests(at now: Instant) -> [UInt16]? {
        requestList.removeAll(keepingCapacity: true)
        nacks.poll(at: now, into: &requestList)
        guard !requestList.isEmpty else { return nil }
        statistics.nackCount += 1
        return requestList
    }

    /// When `expire` or `pollRequests` has something to do.
    package var deadline: Instant? { nacks.deadline }

    package func expire(at now: Instant) { _ = nacks.expire(at: now) }
}

/// Which of the last 512 sequence numbers have come.
struct SequenceWindow {
    private static let size: Int64 = 512
    private var words: InlineArray<8, UInt64> = .init(repeating: 0)
    /// Behind the newest; nil before the first.
    private var end: Int64?

    /// Notes a number. False if it came before, or is too old to know.
    mutating func insert(_ sequence: Int64) -> Bool {
        let size = SequenceWindow.size
        guard let end else {
            self.end = sequence + 1
            set(sequence, true)
            return true
        }
        if sequence >= end {
            for number in max(end, sequence - size + 1)..<(sequence + 1) { set(number, false) }
            self.end = sequence + 1
        } else if sequence < end - size || isSet(sequence) {
            return false
        }
        set(sequence, true)
        return true
    }

    /// Whether a number in the window has not come.
    func isOpen(_ sequence: Int64) -> Bool {
        guard let end else { return false }
        return sequence < end && sequence >= end - SequenceWindow.size && !isSet(sequence)
    }

    private func isSet(_ sequence: Int64) -> Bool {
        let bit = Int(truncatingIfNeeded: sequence & (SequenceWindow.size - 1))
        return words[bit / 64] & (1 << UInt64(bit % 64)) != 0
    }

    private mutating func set(_ sequence: Int64, _ value: Bool) {
        let bit = Int(truncatingIfNeeded: sequence & (SequenceWindow.size - 1))
        if value { words[bit / 64] |= 1 << UInt64(bit % 64) } else { words[bit / 64] &= ~(1 << UInt64(bit % 64)) }
    }
}
