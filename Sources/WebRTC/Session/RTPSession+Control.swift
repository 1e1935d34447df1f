package import Core
import RTP
import SDP

/// When reports are due, and what they are to mention.
struct RTCPState {
    var allowsReducedSize = false
    var sendsReferenceTime = false
    /// The peer's last receiver reference time (RFC 3611, section 4.4), and when it came.
    var peerReference: (ssrc: UInt32, middle: UInt32, at: Instant)?
    private var nextReport: Instant?
    private var lastHeard: Instant?
    private(set) var isHeard = false
    private var seenFIR: [UInt32: UInt8] = [:]
    /// RFC 3550 wants at least 5 s for large groups and allows less for two.
    private static let interval = MediaTime.seconds(1)
    /// Before any media has come or gone.
    private static let firstInterval = MediaTime.milliseconds(300)
    static let silence = MediaTime.seconds(5)

    mutating func start(at now: Instant) {
        if nextReport == nil { nextReport = now + RTCPState.firstInterval }
    }

    func isDue(at now: Instant) -> Bool { nextReport.map { now >= $0 } ?? false }
    mutating func reported(at now: Instant) { nextReport = now + RTCPState.interval }

    var deadline: Instant? {
        guard isHeard, let lastHeard else { return nextReport }
        let silent = lastHeard + RTCPState.silence
        return nextReport.map { min($0, silent) } ?? silent
    }

    mutating func heard(at now: Instant, _ raise: (RTPSession.Event) -> Void) {
        lastHeard = now
        if !isHeard { raise(.reportsBegan) }
        isHeard = true
    }

    mutating func checkSilence(at now: Instant, _ raise: (RTPSession.Event) -> Void) {
        guard isHeard, let lastHeard, now - lastHeard >= RTCPState.silence else { return }
        ended(raise)
    }

    mutating func ended(_ raise: (RTPSession.Event) -> Void) {
        if isHeard { raise(.reportsEnded) }
        isHeard = false
    }

    /// Whether a full intra request is a new one: its number says so (RFC 5104, section 4.3.1.2).
    mutating func isNew(_ entry: FullIntraRequest.Entry) -> Bool {
        guard seenFIR[entry.ssrc] != entry.sequenceNumber else { return false }
        if seenFIR.count < RTPSession.routesMax || seenFIR[entry.ssrc] != nil {
            seenFIR[entry.ssrc] = entry.sequenceNumber
        }
        return true
    }
}

extension RTPSession {
    // MARK: In

    /// Takes one decrypted RTCP datagram; false: there is nothing in it that makes sense.
    @discardableResult
    package func receiveRTCP(_ datagram: RawSpan, at now: Instant) -> Bool {
        var packets: [RTCPPacket] = []
        swap(&packets, &parsed)
        defer {
            packets.removeAll(keepingCapacity: true)
            swap(&packets, &parsed)
        }
        do { try RTCPPacket.parse(datagram, into: &packets) } catch { counters.malformedRTCP += 1 }
        guard !packets.isEmpty else { return false }
        control.heard(at: now) { raise($0) }
        for packet in packets { receive(packet, at: now) }
        drainSender()
        return true
    }

    /// Whether RTCP of the peer arrives.
    package var hearsReports: Bool { control.isHeard }

    private func receive(_ packet: RTCPPacket, at now: Instant) {
        sender.receive(packet, at: now)
        switch packet {
        case .senderReport(let report):
            guard let route = routes[report.ssrc] else { break }
            senderReports[report.ssrc] = HeardReport(
                report: report, count: (senderReports[report.ssrc]?.count ?? 0) + 1)
            if let layer = route.layer { layer.stream.receive(report, at: now) }
            route.track.sound?.receive(report, at: now)
        case .pictureLossIndication(let loss): wantKeyFrame(loss.mediaSSRC)
        case .fullIntraRequest(let request):
            for entry in request.entries where control.isNew(entry) { wantKeyFrame(entry.ssrc) }
        case .goodbye(let goodbye):
            let ours = goodbye.ssrcs.filter { routes[$0] != nil }
            if !ours.isEmpty, Set(ours).isSuperset(of: routes.keys) { control.ended { raise($0) } }
        case .extendedReport(let report):
            if let time = report.referenceTime { control.peerReference = (report.ssrc, time.middle, now) }
            for entry in report.lastReports where entry.ssrc == localSSRC {
                roundTrip.receive(echoed: entry.lastReferenceTime, delay: entry.delay, at: time(now))
            }
        default: break
        }
        if let time = roundTripTime {
            for track in incoming {
                track.sound?.roundTrip = time
                for layer in track.layers { layer.stream.roundTrip = time }
            }
        }
    }

    private func wantKeyFrame(_ ssrc: UInt32) {
        if let track = outgoing.first(where: { $0.stream.ssrc == ssrc }) { raise(.keyFrameWanted(line: track.index)) }
    }

    /// Asks the peer for a key frame of the layer that is handed on.
    package func requestKeyFrame(_ track: IncomingTrack) {
        (track.current ?? track.layers.first)?.stream.requestKeyFrame()
    }

    // MARK: Out

    private func time(_ now: Instant) -> NTPTime { NTPTime(now, epochSeconds: configuration.epochSeconds) }

    /// Who reports: our first source, or what the description says receivers report as.
    private var localSSRC: UInt32 {
        outgoing.first?.stream.ssrc ?? incoming.first { $0.media.localSSRC != 0 }?.media.localSSRC ?? 1
    }

    /// Writes the next RTCP datagram if one is due.
    func pollControl(into buffer: UnsafeMutableRawBufferPointer, at now: Instant) -> Int? {
        var packets = control.isDue(at: now) ? reports(at: now) : []
        appendFeedback(to: &packets, at: now)
        guard !packets.isEmpty else { return nil }
        if !control.allowsReducedSize, !packets[0].isReport {
            packets.insert(.receiverReport(ReceiverReport(ssrc: localSSRC)), at: 0)
        }
        var writer = ByteWriter(capacity: 512)
        for packet in packets { packet.write(to: &writer) }
        // Feedback is bounded per packet; all of it together hardly ever fills a datagram.
        guard writer.count <= buffer.count else {
            counters.malformedRTCP += 1
            return nil
        }
        writer.bytes.withUnsafeBytes { buffer.copyMemory(from: $0) }
        return writer.count
    }

    private func reports(at now: Instant) -> [RTCPPacket] {
        control.reported(at: now)
        syncLips()
        var blocks: [ReportBlock] = []
        for track in incoming {
            for layer in track.layers { if let block = layer.stream.reportBlock(at: now) { blocks.append(block) } }
            if let block = track.sound?.reportBlock(at: now) { blocks.append(block) }
        }
        blocks = Array(blocks.prefix(ReportBlock.countMax))
        var packets: [RTCPPacket] = []
        sender.appendReports(to: &packets, at: now)
        if case .senderReport(var first)? = packets.first {
            first.reports = blocks
            packets[0] = .senderReport(first)
        } else {
            guard !blocks.isEmpty || !packets.isEmpty || !outgoing.isEmpty || !incoming.isEmpty else { return [] }
            packets.insert(.receiverReport(ReceiverReport(ssrc: localSSRC, reports: blocks)), at: 0)
        }
        let sources = outgoing.isEmpty ? [localSSRC] : outgoing.map(\.stream.ssrc)
        packets.append(
            .sourceDescription(
                SourceDescription(chunks: sources.map { .init(ssrc: $0, cname: configuration.cname) })))
        if let extended = extendedReport(at: now) { packets.append(.extendedReport(extended)) }
        return packets
    }

    private func extendedReport(at now: Instant) -> ExtendedReport? {
        var report = ExtendedReport(ssrc: localSSRC)
        if control.sendsReferenceTime { report.referenceTime = time(now) }
        if let peer = control.peerReference {
            report.lastReports = [
                .init(ssrc: peer.ssrc, lastReferenceTime: peer.middle, delay: (now - peer.at).inNTPShort)
            ]
        }
        return report.referenceTime == nil && report.lastReports.isEmpty ? nil : report
    }

    private func appendFeedback(to packets: inout [RTCPPacket], at now: Instant) {
        let local = localSSRC
        for track in incoming {
            for layer in track.layers {
                while packets.count < RTCPPacket.countMax, let feedback = layer.stream.pollFeedback(at: now) {
                    packets.append(packet(feedback, local, layer.ssrc))
                }
            }
            if let sound = track.sound, let lost = sound.pollRequests(at: now) {
                packets.append(
                    .nack(GenericNACK(senderSSRC: local, mediaSSRC: sound.configuration.ssrc, lost: lost)))
            }
        }
        let newest = incoming.lazy.compactMap { $0.layers.first?.ssrc ?? $0.sound?.configuration.ssrc }.first ?? 0
        while packets.count < 8, let report = feedbackGenerator.poll(at: now, senderSSRC: local, mediaSSRC: newest) {
            packets.append(.transportFeedback(report))
        }
        if usesREMB { updateReceiveRate(at: now) }
        if usesREMB, let limit = bitrateLimit.poll(at: now, senderSSRC: local) { packets.append(.remb(limit)) }
    }

    private func packet(_ feedback: VideoFeedback, _ local: UInt32, _ ssrc: UInt32) -> RTCPPacket {
        switch feedback {
        case .nack(let lost): .nack(GenericNACK(senderSSRC: local, mediaSSRC: ssrc, lost: lost))
        case .pictureLoss: .pictureLossIndication(PictureLossIndication(senderSSRC: local, mediaSSRC: ssrc))
        case .fullIntra(let number):
            .fullIntraRequest(
                FullIntraRequest(senderSSRC: local, entries: [.init(ssrc: ssrc, sequenceNumber: number)]))
        }
    }

    /// Lays sound and picture of the peer side by side.
    private func syncLips() {
        if let video = incoming(.video), let audio = incoming(.audio) { video.syncLips(with: audio) }
    }

    /// Writes the RTCP datagram with which our sources leave (RFC 3550, section 6.6); 0: there are none.
    package func writeGoodbye(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let sources = outgoing.map(\.stream.ssrc)
        guard !sources.isEmpty else { return 0 }
        var writer = ByteWriter(capacity: 64)
        RTCPPacket.receiverReport(ReceiverReport(ssrc: localSSRC)).write(to: &writer)
        RTCPPacket.goodbye(Goodbye(ssrcs: sources)).write(to: &writer)
        guard writer.count <= buffer.count else { return 0 }
        writer.bytes.withUnsafeBytes { buffer.copyMemory(from: $0) }
        return writer.count
    }
}

extension IncomingTrack {
    /// Lays this picture and a sound of the same peer side by side, by the wall-clock times of its reports.
    package func syncLips(with audio: IncomingTrack) {
        guard let layer = current, let sound = audio.sound else { return }
        let heard = audio.soundPlayout.naturalOffset(sound.senderClock).map { $0 + audio.soundDelay }
        lipSync.update(video: layer.playout.naturalOffset(layer.stream.senderClock), audio: heard)
        layer.playout.extraDelay = lipSync.videoDelay
    }
}

extension RTCPPacket {
    /// What a compound packet begins with.
    fileprivate var isReport: Bool {
        switch self {
        case .senderReport, .receiverReport: true
        default: false
        }
    }
}
