package import Core
package import RTP
package import SDP

/// RTP and RTCP with one peer over one transport: streams in and out, feedback, reports, pacing. Knows nothing of ICE,
/// DTLS or SRTP: packets are in the clear here.
///
/// Owned by a `Peer` or a plain RTP endpoint, on the loop. In: `receiveRTP`, `receiveRTCP`, `send`, `expire`. Out:
/// `poll(into:)` until nil, `pollMedia`, `pollEvent`; then look at `deadline`.
package final class RTPSession {
    package struct Configuration: Sendable {
        /// Sequence numbers and timestamps begin at what comes from it.
        package var seed: UInt64
        /// The instant that media time 0 stands for.
        package var origin: Instant
        /// What to add to the host's clock for wall-clock time, in seconds since 1900.
        package var epochSeconds: UInt32
        package var cname: String
        /// What may be sent, in bits per second.
        package var sendLimits = BandwidthEstimator.Limits()
        /// What the peer may be asked to send, in bits per second.
        package var receiveLimits: ClosedRange<Int64> = 30_000...50_000_000

        package init(seed: UInt64, origin: Instant, epochSeconds: UInt32, cname: String) {
            self.seed = seed
            self.origin = origin
            self.epochSeconds = epochSeconds
            self.cname = cname
        }
    }

    /// Something that came from the peer.
    package enum IncomingMedia {
        case picture(IncomingTrack, IncomingTrack.Layer, ReceivedFrame, due: Instant)
        /// `due`: when it would be heard if handed on as it is.
        case sound(IncomingTrack, SoundPacket, due: Instant)
        case key(IncomingTrack, TelephoneEvent)
    }

    package enum Event: Hashable, Sendable {
        /// What the line carries, in bits per second.
        case target(Int)
        /// The peer, or our own queue, needs a key frame on the m-line.
        case keyFrameWanted(line: Int)
        /// The first RTCP of the peer, or the first after a silence.
        case reportsBegan
        /// No RTCP for five seconds, or BYE.
        case reportsEnded
    }

    package let configuration: Configuration
    package private(set) var incoming: [IncomingTrack] = []
    package private(set) var outgoing: [OutgoingTrack] = []
    package let sender: RTPSender
    package internal(set) var extensions = RTP.ExtensionMap()
    package internal(set) var bitrateLimit: RemoteBitrateLimit
    package internal(set) var counters = RTPSessionCounters()
    /// What the peer is asked for by the losses of what it sends; nil: its own estimate rules.
    package private(set) var receiveRate: ReceiveRateControl?
    var feedbackGenerator = TransportFeedbackGenerator()
    /// Round trips measured without sending media.
    package internal(set) var roundTrip = RoundTripMeter()
    /// The last sender report of each source that comes in; as many as there are routes.
    package internal(set) var senderReports: [UInt32: HeardReport] = [:]
    var routes: [UInt32: Route] = [:]
    var random: SeededRandom
    let pool: PacketPool
    var media = Deque<IncomingMedia>()
    var events = Deque<Event>()
    var control = RTCPState()
    /// Memory for the packets of one datagram.
    var parsed: [RTCPPacket] = []
    var usesREMB = false

    /// A sender report of the peer, and how many of that source have come.
    package struct HeardReport: Sendable {
        package let report: SenderReport
        package let count: Int
    }

    /// Where packets of an SSRC go.
    struct Route {
        let track: IncomingTrack
        let layer: IncomingTrack.Layer?
    }

    /// Media that nobody fetched; the oldest goes.
    private static let mediaQueueMax = 1024
    /// Sources of one peer: more are somebody's attack.
    static let routesMax = 64

    package init(_ configuration: Configuration, pool: PacketPool) {
        self.configuration = configuration
        self.pool = pool
        var random = SeededRandom(seed: configuration.seed)
        sender = RTPSender(limits: configuration.sendLimits, random: &random)
        bitrateLimit = RemoteBitrateLimit(allowed: configuration.receiveLimits)
        self.random = random
    }

    // MARK: Agreement

    /// What was agreed on, first or again: lines keep their tracks where they keep their meaning.
    package func apply(_ session: NegotiatedSession, transport: Int = 0, at now: Instant) {
        extensions = RTP.ExtensionMap()
        usesREMB = false
        for media in session.media where media.transport == transport && media.isActive {
            guard let kind = media.kind, kind != .data else { continue }
            for entry in media.extensions {
                guard let kind = RTPExtensionKind(uri: entry.uri), let id = UInt8(exactly: entry.id) else { continue }
                extensions[kind] = id
            }
            if kind == .video, media.codecs.contains(where: { $0.feedback.contains("goog-remb") }) { usesREMB = true }
        }
        // A refused line has no transport, and ends what it had.
        for media in session.media where media.transport == transport || !media.isActive {
            guard let kind = media.kind, kind != .data else { continue }
            applyIncoming(media, kind)
            applyOutgoing(media, kind)
        }
        control.allowsReducedSize = session.media.contains { $0.isActive && $0.allowsReducedSizeRTCP }
        control.sendsReferenceTime = session.media.contains { $0.isActive && $0.allowsReceiverReferenceTime }
        control.start(at: now)
    }

    private func applyIncoming(_ media: NegotiatedMedia, _ kind: MediaKind) {
        let old = incoming.firstIndex { $0.index == media.index }
        guard media.isActive, media.direction.receives else {
            if let old { remove(incoming.remove(at: old)) }
            return
        }
        if let old {
            incoming[old].media = media
            return
        }
        incoming.append(IncomingTrack(index: media.index, kind: kind, media: media))
    }

    private func applyOutgoing(_ media: NegotiatedMedia, _ kind: MediaKind) {
        let old = outgoing.firstIndex { $0.index == media.index }
        guard media.isActive, let codec = media.sendCodec else {
            if let old { sender.remove(outgoing.remove(at: old).stream.ssrc) }
            return
        }
        if let old {
            outgoing[old].media = media
            return
        }
        var settings = RTPSendConfiguration(
            kind: kind, ssrc: media.localSSRC, payloadType: codec.payloadType, clockRate: codec.clockRate,
            retransmissionSSRC: media.localRTXSSRC, retransmissionPayloadType: codec.rtxPayloadType,
            answersNACK: codec.feedback.contains("nack"), mid: media.mid.flatMap { StreamLabel($0) },
            origin: configuration.origin, epochSeconds: configuration.epochSeconds)
        let written = [RTPExtensionKind.mid, .absoluteSendTime, .transportSequenceNumber, .audioLevel, .playoutDelay]
        for kind in written {
            if let id = media.sendExtension(kind.uri) { settings.extensions[kind] = UInt8(exactly: id) }
        }
        let stream = RTPSendStream(settings, random: &random)
        sender.add(stream)
        outgoing.append(OutgoingTrack(index: media.index, kind: kind, media: media, codec: codec, stream: stream))
    }

    private func remove(_ track: IncomingTrack) {
        routes = routes.filter { $0.value.track !== track }
    }

    package func incoming(_ kind: MediaKind) -> IncomingTrack? { incoming.first { $0.kind == kind } }
    package func outgoing(_ kind: MediaKind) -> OutgoingTrack? { outgoing.first { $0.kind == kind } }

    // MARK: Limits

    /// What the peer may be asked to send, in bits per second; from the next message on.
    package func allowReceiving(_ range: ClosedRange<Int64>) { bitrateLimit.allow(range) }

    /// Judges the line by what comes from now on, and tells the peer.
    package func controlReceiving(_ settings: ReceiveRateControl.Settings) {
        if receiveRate == nil { receiveRate = ReceiveRateControl(settings) } else { receiveRate?.change(settings) }
        bitrateLimit.want(receiveRate?.rate ?? .max)
    }

    /// Looks at what has come, if it is time to.
    func updateReceiveRate(at now: Instant) {
        guard receiveRate != nil else { return }
        var totals = ReceiveRateControl.Totals()
        for track in incoming {
            for layer in track.layers {
                totals.packetsExpected += layer.stream.reception.expected
                totals.packetsReceived += layer.stream.reception.received
                let counts = layer.stream.statistics
                totals.bytesReceived += Int64(counts.bytesReceived + counts.headerBytesReceived)
            }
        }
        if receiveRate?.update(totals, at: now) == true, let rate = receiveRate?.rate { bitrateLimit.want(rate) }
    }

    // MARK: Sending

    /// Queues a frame on a track; false: dropped, and a key frame is asked for.
    @discardableResult
    package func send(_ frame: OutgoingFrame, on track: OutgoingTrack, source: UInt32 = 0, at now: Instant) -> Bool {
        let isTaken = sender.enqueue(frame, on: track.stream, source: source, at: now)
        drainSender()
        return isTaken
    }

    /// A packet ready to be protected and sent.
    package enum Packet: Hashable, Sendable { case rtp(Int), rtcp(Int) }

    /// Writes the next packet that may go now; nil: nothing until `deadline`.
    package func poll(into buffer: UnsafeMutableRawBufferPointer, at now: Instant) -> Packet? {
        if let count = pollControl(into: buffer, at: now) { return .rtcp(count) }
        let count = sender.poll(into: buffer, at: now)
        return count > 0 ? .rtp(count) : nil
    }

    /// Packets go another way from now on.
    func routeChanged(at now: Instant) {
        sender.routeChanged(at: now)
        drainSender()
    }

    func drainSender() {
        while let event = sender.pollEvent() {
            switch event {
            case .target(let rate): raise(.target(rate))
            case .keyFrameNeeded(let ssrc):
                if let track = outgoing.first(where: { $0.stream.ssrc == ssrc }) {
                    raise(.keyFrameWanted(line: track.index))
                }
            }
        }
    }

    // MARK: Output

    package func pollMedia() -> IncomingMedia? { media.popFirst() }
    package func pollEvent() -> Event? { events.popFirst() }

    func push(_ item: IncomingMedia) {
        if media.count >= RTPSession.mediaQueueMax {
            _ = media.popFirst()
            counters.mediaDropped += 1
        }
        media.append(item)
    }

    func raise(_ event: Event) {
        if events.count < 256 { events.append(event) }
    }

    // MARK: Time

    package func deadline(at now: Instant) -> Instant? {
        var next = sender.deadline(at: now)
        func add(_ time: Instant?) { if let time { next = min(next ?? time, time) } }
        for track in incoming {
            for layer in track.layers { add(layer.stream.deadline) }
            add(track.sound?.deadline)
        }
        add(feedbackGenerator.deadline)
        if usesREMB, !bitrateLimit.ssrcs.isEmpty {
            add(bitrateLimit.deadline)
            add(receiveRate?.deadline)
        }
        add(control.deadline)
        return next
    }

    package func expire(at now: Instant) {
        sender.expire(at: now)
        for track in incoming {
            for layer in track.layers {
                layer.stream.expire(at: now)
                collect(track, layer, at: now)
            }
            track.sound?.expire(at: now)
        }
        control.checkSilence(at: now) { raise($0) }
        drainSender()
    }
}

/// What came and could not be used, by reason.
package struct RTPSessionCounters: Hashable, Sendable {
    package var malformedRTP = 0
    package var malformedRTCP = 0
    /// Packets of sources that belong to no m-line.
    package var unknownSource = 0
    /// Sources beyond the limit.
    package var tooManySources = 0
    /// Media that the owner did not fetch in time.
    package var mediaDropped = 0
    package init() {}
}
