package import Core

/// What SDP agreed on for one outgoing stream, and where its times begin.
package struct RTPSendConfiguration: Sendable {
    /// Sound is sent at once, pictures are paced.
    package var kind: MediaKind
    package var ssrc: UInt32
    package var payloadType: UInt8
    /// Ticks per second of the timestamps.
    package var clockRate: Int
    /// The stream that carries retransmissions and padding (RFC 4588); nil: packets are sent again as they were.
    package var retransmissionSSRC: UInt32?
    package var retransmissionPayloadType: UInt8?
    /// Whether lost packets are sent again at all.
    package var answersNACK: Bool
    package var mid: StreamLabel?
    package var rid: StreamLabel?
    package var extensions: ExtensionMap
    /// The instant that pipeline time 0 stands for; equal for all streams that are to be in sync.
    package var origin: Instant
    /// What to add to the host's clock to get wall-clock time in sender reports.
    package var epochSeconds: UInt32

    package init(
        kind: MediaKind, ssrc: UInt32, payloadType: UInt8, clockRate: Int, retransmissionSSRC: UInt32? = nil,
        retransmissionPayloadType: UInt8? = nil, answersNACK: Bool = true, mid: StreamLabel? = nil,
        rid: StreamLabel? = nil, extensions: ExtensionMap = ExtensionMap(), origin: Instant, epochSeconds: UInt32 = 0
    ) {
        self.kind = kind
        self.ssrc = ssrc
        self.payloadType = payloadType
        self.clockRate = max(1, clockRate)
        self.retransmissionSSRC = retransmissionSSRC
        self.retransmissionPayloadType = retransmissionPayloadType
        self.answersNACK = answersNACK
        self.mid = mid
        self.rid = rid
        self.extensions = extensions
        self.origin = origin
        self.epochSeconds = epochSeconds
    }
}

/// One outgoing stream of one viewer: shared frames in, packets out (RFC 3550, RFC 4588).
///
/// Owned by the viewer's `RTPSender`, on the loop. Sequence numbers, timestamps and picture numbers run on across all
/// frames it is given, whichever encoder they come from. Per packet it allocates nothing; the one copy is from the
/// shared payload into the datagram.
package final class RTPSendStream {
    /// What is sent may be asked for again for this long; longer where the round trip is long.
    private static let cacheTime = MediaTime.seconds(1)
    private static let cacheTimeMax = MediaTime.seconds(2)
    /// The cache of a new stream; it grows as it is used.
    private static let capacityStart = 64
    /// Most that one padding packet can carry (RFC 3550, section 5.1).
    private static let paddingMax = 255
    /// Packets of a probe that are to be smaller than this are bare padding: repeated ones would be more than the line
    /// that is looked for carries in the time of a probe.
    private static let repeatMin = 800
    /// A packet is not sent again more often than this.
    private static let resendsMax: UInt8 = 16

    package private(set) var configuration: RTPSendConfiguration
    package private(set) var statistics = OutboundRTPStatistics()
    package private(set) var remote = RemoteInboundRTPStatistics()

    private var cache: PacketCache
    private var resends = RetransmissionQueue()
    private var numbers: PictureNumbers
    private var timestampOffset: UInt32
    private var lastTimestamp: UInt32?
    private var lastSource: UInt32 = 0
    private var retransmissionSequence: UInt16
    private var isAcknowledged = false
    private var isRetransmissionAcknowledged = false
    private var octets: UInt32 = 0
    private var packets: UInt32 = 0
    private var roundTrip = MediaTime.milliseconds(100)
    /// How long the receiver is asked to hold pictures on a line that loses packets, so that what is sent again comes in
    /// time for them: browsers adapt to what they see being late, and drop pictures meanwhile. nil until there was loss.
    private var playoutDelay: PlayoutDelay?
    private var lossyUntil: Instant?
    private static let lossMemory = MediaTime.seconds(10)
    /// In steps of 10 ms.
    private static let playoutDelayMax = 40
    /// Frames are dropped until the next key frame.
    package private(set) var awaitsKeyFrame = false

    /// Random first values from `random` (RFC 3550, section 5.1).
    package init(_ configuration: RTPSendConfiguration, random: inout SeededRandom) {
        self.configuration = configuration
        let bits = random.next()
        // Below 2^15, so that the first numbers do not wrap: RFC 3711 receivers guess the rollover from them.
        cache = PacketCache(first: UInt16(truncatingIfNeeded: bits) & 0x7FFF, capacity: Self.capacityStart)
        retransmissionSequence = UInt16(truncatingIfNeeded: bits >> 16) & 0x7FFF
        timestampOffset = UInt32(truncatingIfNeeded: bits >> 32)
        let more = random.next()
        numbers = PictureNumbers(
            pictureID: UInt16(truncatingIfNeeded: more) & 0x7FFF, tl0PictureIndex: UInt8(truncatingIfNeeded: more >> 16)
        )
    }

    package var ssrc: UInt32 { configuration.ssrc }
    /// Packets that wait to be sent for the first time, and their payload bytes.
    package var waitingPackets: Int { cache.waiting }
    package var waitingBytes: Int { cache.waitingBytes }
    package var waitingRetransmissions: Int { resends.count }
    /// When the next second copy of a retransmission is to go.
    var copyDue: Instant? { resends.copyDue }
    /// Whether there is a retransmission to send at `now`.
    func hasRetransmission(at now: Instant) -> Bool { resends.hasNext(at: now) }
    /// The line loses so many packets that retransmissions go twice.
    func setLossy(_ isLossy: Bool, at now: Instant) {
        resends.makesCopies = isLossy
        guard configuration.kind == .video else { return }
        if isLossy { lossyUntil = now + RTPSendStream.lossMemory }
        guard let lossyUntil else { return }
        // Asked for at once, lost once more, and on its way again.
        let wait = Int(clamping: 3 * roundTrip.nanoseconds / 10_000_000) + 3
        let patience = now < lossyUntil ? min(wait, RTPSendStream.playoutDelayMax) : 0
        let told = Int(playoutDelay?.minimum ?? 0)
        // A receiver changes its delay slowly: what it was told stays while it is about right.
        guard abs(patience - told) > told / 4 else { return }
        playoutDelay = PlayoutDelay(minimum: UInt16(patience), maximum: 4095)
    }
    /// Something was sent of it.
    package var hasStarted: Bool { packets > 0 }
    /// When the packet that is next was queued.
    package var waitingSince: Instant? { cache.next?.queuedAt }

    /// A codec of another payload type comes from the next frame on.
    package func setPayloadType(_ payloadType: UInt8, retransmission: UInt8?) {
        configuration.payloadType = payloadType
        configuration.retransmissionPayloadType = retransmission
    }

    // MARK: Frames

    /// Queues a frame. `source` says which rendition it comes from; after a change the timestamps go on rising. Returns
    /// false if it was dropped: it waits for a key frame, or the queue is full, and then for a key frame from now on.
    package func enqueue(_ frame: OutgoingFrame, source: UInt32 = 0, at now: Instant) -> Bool {
        if awaitsKeyFrame, !frame.packets.isKey {
            statistics.framesDropped += 1
            return false
        }
        guard PacketCache.capacityMax - cache.waiting > frame.packets.slices.count else {
            dropWaiting()
            statistics.framesDropped += 1
            return false
        }
        awaitsKeyFrame = false
        var packet = CachedPacket(
            frame: frame, timestamp: timestamp(of: frame, source: source), numbers: numbers,
            payloadType: configuration.payloadType, queuedAt: now)
        for index in frame.packets.slices.indices {
            packet.slice = Int32(truncatingIfNeeded: index)
            // There is room: asked above, and what was sent gives way.
            _ = cache.append(packet)
        }
        numbers.advance()
        return true
    }

    /// Drops the frames that wait, whole ones only, and takes none but a key frame from now on: the queue's policy.
    package func dropWaiting() {
        let dropped = cache.dropWaiting()
        statistics.framesDropped += dropped.frames
        if let first = dropped.numbers { numbers = first }
        awaitsKeyFrame = configuration.kind == .video
    }

    private func timestamp(of frame: OutgoingFrame, source: UInt32) -> UInt32 {
        let ticks = UInt32(truncatingIfNeeded: frame.pts.samples(rate: configuration.clockRate))
        if let lastTimestamp, source != lastSource {
            let step = Int32(bitPattern: ticks &+ timestampOffset &- lastTimestamp)
            // Two encoders need not be equally far. Sender reports follow the offset, so sync stays right.
            if step <= 0 { timestampOffset = lastTimestamp &+ 1 &- ticks }
        }
        lastSource = source
        let timestamp = ticks &+ timestampOffset
        lastTimestamp = timestamp
        return timestamp
    }

    // MARK: Packets

    /// Writes the next packet that waits to the start of `buffer`. `transportSequence` goes into the header where that
    /// was agreed. Returns its length, 0 if none waits or it does not fit.
    package func write(
        into buffer: UnsafeMutableRawBufferPointer, transportSequence: UInt16?, at now: Instant
    ) -> Int {
        guard let packet = cache.next, let frame = packet.frame else { return 0 }
        let slice = frame.packets.slices[Int(packet.slice)]
        let isMarked = configuration.kind == .video ? slice.isLast : frame.beginsTalk
        let header = RTPHeader(
            marker: isMarked, payloadType: packet.payloadType,
            sequenceNumber: UInt16(truncatingIfNeeded: cache.cursor), timestamp: packet.timestamp, ssrc: ssrc)
        var values = extensions(transportSequence, at: now)
        values.audioLevel = frame.audioLevel
        if !isAcknowledged {
            values.mid = configuration.mid
            values.rid = configuration.rid
        }
        guard let start = header.write(extensions: values, map: configuration.extensions, into: buffer),
            let count = frame.packets.write(slice, packet.numbers, into: buffer.after(start))
        else { return skipUnwritable(at: now) }
        cache.markSent(at: now)
        if configuration.answersNACK { forget(at: now) } else { cache.forget(sentBefore: now + .milliseconds(1)) }
        statistics.packetsSent += 1
        statistics.bytesSent += count
        statistics.headerBytesSent += start
        statistics.totalPacketSendDelay += now - packet.queuedAt
        if slice.isLast {
            statistics.framesSent += 1
            if frame.packets.isKey { statistics.keyFramesSent += 1 }
        }
        packets &+= 1
        octets &+= UInt32(truncatingIfNeeded: count)
        return start + count
    }

    /// Writes the next retransmission. Returns its length, 0 if none waits.
    package func writeRetransmission(
        into buffer: UnsafeMutableRawBufferPointer, transportSequence: UInt16?, at now: Instant
    ) -> Int {
        while let number = resends.popFirst(at: now) {
            guard let packet = cache[number], packet.frame != nil, number < cache.cursor else {
                statistics.nacksTooOld += 1
                continue
            }
            let count = resend(packet, number, into: buffer, transportSequence, at: now)
            guard count.total > 0 else { continue }
            statistics.retransmittedPacketsSent += 1
            statistics.retransmittedBytesSent += count.payload
            return count.total
        }
        return 0
    }

    /// Writes a packet that carries nothing new, for probing: the newest packet once more, or bare padding where that is
    /// all that is wanted. `wanted` is in bytes. Returns its length, 0 if there is nothing that may be sent.
    package func writePadding(
        into buffer: UnsafeMutableRawBufferPointer, transportSequence: UInt16?, wanted: Int = .max, at now: Instant
    ) -> Int {
        guard configuration.retransmissionSSRC != nil, wanted >= Self.repeatMin else {
            return writeBarePadding(into: buffer, transportSequence, at: now)
        }
        var number = cache.cursor - 1
        // The newest that is of some size: frames often end in a small packet.
        while number >= cache.start, number > cache.cursor - 8 {
            if let packet = cache[number], let frame = packet.frame,
                frame.packets.slices[Int(packet.slice)].count >= 400
            {
                let count = resend(packet, number, into: buffer, transportSequence, at: now)
                notePadding(count.total)
                return count.total
            }
            number -= 1
        }
        return writeBarePadding(into: buffer, transportSequence, at: now)
    }

    private func extensions(_ transportSequence: UInt16?, at now: Instant) -> RTPHeaderExtensions {
        var values = RTPHeaderExtensions()
        values.transportSequenceNumber = transportSequence
        if configuration.extensions[.absoluteSendTime] != nil {
            // 6.18 bits of seconds.
            let part = UInt64(max(0, now.nanoseconds)) % 64_000_000_000
            values.absoluteSendTime = UInt32(truncatingIfNeeded: (part << 18) / 1_000_000_000)
        }
        values.playoutDelay = playoutDelay
        return values
    }

    /// A packet that no buffer takes must not stop the stream.
    private func skipUnwritable(at now: Instant) -> Int {
        cache.markSent(at: now)
        return 0
    }

    private func resend(
        _ packet: CachedPacket, _ number: Int64, into buffer: UnsafeMutableRawBufferPointer,
        _ transportSequence: UInt16?, at now: Instant
    ) -> (total: Int, payload: Int) {
        guard let frame = packet.frame else { return (0, 0) }
        let slice = frame.packets.slices[Int(packet.slice)]
        let sequence = UInt16(truncatingIfNeeded: number)
        var header = RTPHeader(
            marker: configuration.kind == .video ? slice.isLast : frame.beginsTalk, payloadType: packet.payloadType,
            sequenceNumber: sequence, timestamp: packet.timestamp, ssrc: ssrc)
        var values = extensions(transportSequence, at: now)
        var original = 0
        if let ssrc = configuration.retransmissionSSRC, let type = configuration.retransmissionPayloadType {
            header.ssrc = ssrc
            header.payloadType = type
            header.sequenceNumber = retransmissionSequence
            original = 2
            if !isRetransmissionAcknowledged {
                values.mid = configuration.mid
                values.repairedRID = configuration.rid
            }
        }
        guard let start = header.write(extensions: values, map: configuration.extensions, into: buffer),
            buffer.count >= start + original,
            let count = frame.packets.write(slice, packet.numbers, into: buffer.after(start + original))
        else { return (0, 0) }
        if original > 0 {
            // The original sequence number goes in front of the payload (RFC 4588, section 4).
            buffer.storeBytes(of: sequence.bigEndian, toByteOffset: start, as: UInt16.self)
            retransmissionSequence &+= 1
        }
        return (start + original + count, count)
    }

    private func writeBarePadding(
        into buffer: UnsafeMutableRawBufferPointer, _ transportSequence: UInt16?, at now: Instant
    ) -> Int {
        var header = RTPHeader(
            payloadType: configuration.payloadType, sequenceNumber: 0, timestamp: lastTimestamp ?? timestampOffset,
            ssrc: ssrc)
        let hasOwnStream: Bool
        if let ssrc = configuration.retransmissionSSRC, let type = configuration.retransmissionPayloadType {
            header.ssrc = ssrc
            header.payloadType = type
            header.sequenceNumber = retransmissionSequence
            hasOwnStream = true
        } else {
            // On the media's own stream padding may stand only between frames.
            guard cache.waiting == 0, cache.sent > 0 else { return 0 }
            header.sequenceNumber = UInt16(truncatingIfNeeded: cache.cursor)
            hasOwnStream = false
        }
        let values = extensions(transportSequence, at: now)
        guard let start = header.write(extensions: values, map: configuration.extensions, into: buffer) else {
            return 0
        }
        let count = min(Self.paddingMax, buffer.count - start)
        guard count > 0 else { return 0 }
        UnsafeMutableRawBufferPointer(rebasing: buffer[start..<(start + count)]).initializeMemory(
            as: UInt8.self, repeating: 0)
        buffer[start + count - 1] = UInt8(count)
        buffer[0] |= 0x20
        if hasOwnStream {
            retransmissionSequence &+= 1
        } else {
            _ = cache.append(CachedPacket(frame: nil, queuedAt: now))
            cache.markSent(at: now)
        }
        notePadding(start + count)
        return start + count
    }

    private func notePadding(_ size: Int) {
        guard size > 0 else { return }
        statistics.paddingPacketsSent += 1
        statistics.paddingBytesSent += size
    }

    private func forget(at now: Instant) {
        let time = min(max(Self.cacheTime, roundTrip + roundTrip + roundTrip), Self.cacheTimeMax)
        cache.forget(sentBefore: now + -time)
    }

    // MARK: Feedback

    /// A NACK names these packets. Each is sent again at most once per round trip.
    package func receive(_ nack: GenericNACK, at now: Instant) {
        guard configuration.answersNACK else { return }
        statistics.nackCount += 1
        forget(at: now)
        nack.forEachLost { resend($0, at: now) }
    }

    private func resend(_ sequence: UInt16, at now: Instant) {
        statistics.nackedPackets += 1
        guard let number = cache.find(sequence), let packet = cache[number], packet.frame != nil else {
            statistics.nacksTooOld += 1
            return
        }
        // `Instant.min` minus anything would wrap: the comparison adds instead.
        guard packet.resentAt == Instant(nanoseconds: .min) || now >= packet.resentAt + roundTrip,
            packet.resends < Self.resendsMax
        else {
            statistics.nacksTooSoon += 1
            return
        }
        guard resends.append(number) else {
            statistics.nacksOverflowed += 1
            return
        }
        // Marked now, so that a second NACK before the pacer's turn does not queue it twice.
        cache.markResent(number, at: now)
    }

    package func receivePictureLoss() { statistics.pliCount += 1 }
    package func receiveFullIntraRequest() { statistics.firCount += 1 }

    /// A receiver's report on this stream or its retransmissions. Returns the round trip if it tells.
    package func receive(_ report: ReportBlock, at now: Instant) -> MediaTime? {
        if report.ssrc == configuration.retransmissionSSRC {
            isRetransmissionAcknowledged = true
            return nil
        }
        guard report.ssrc == ssrc else { return nil }
        isAcknowledged = true
        remote.reports += 1
        remote.fractionLost = Double(report.fractionLost) / 256
        remote.packetsLost = Int(report.cumulativeLost)
        remote.packetsReceived = max(0, statistics.packetsSent - Int(report.cumulativeLost))
        remote.jitter = MediaTime(samples: Int64(report.jitter), rate: configuration.clockRate)
        guard report.lastSenderReport != 0 else { return nil }
        let ticks =
            NTPTime(now, epochSeconds: configuration.epochSeconds).middle &- report.lastSenderReport
            &- report.delaySinceLastSenderReport
        // Half of the range: a receiver whose clock runs fast makes it slightly negative; then it says nothing.
        guard ticks < 0x8000_0000, ticks > 0 else { return nil }
        let time = MediaTime(ntpShort: ticks)
        guard time < .seconds(60) else { return nil }
        remote.roundTripTime = time
        remote.totalRoundTripTime += time
        remote.roundTripTimeMeasurements += 1
        return time
    }

    /// The round trip as the sender knows it: how often a packet may be sent again, and how long it is kept.
    package func setRoundTrip(_ time: MediaTime) { roundTrip = max(time, .milliseconds(5)) }

    /// The sender's report of now (RFC 3550, section 6.4.1); nil before anything was sent.
    package func report(at now: Instant) -> SenderReport? {
        guard packets > 0 else { return nil }
        let ticks = (now - configuration.origin).samples(rate: configuration.clockRate)
        return SenderReport(
            ssrc: ssrc, ntpTime: NTPTime(now, epochSeconds: configuration.epochSeconds),
            rtpTimestamp: UInt32(truncatingIfNeeded: ticks) &+ timestampOffset, packetCount: packets,
            octetCount: octets)
    }
}

extension UnsafeMutableRawBufferPointer {
    /// What lies behind the first `count` bytes.
    fileprivate func after(_ count: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: self[(count < self.count ? count : self.count)...])
    }
}
