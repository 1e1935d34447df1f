import Core
import ICE
import Media
import RTP
import SDP
import WebRTC

/// Reads the statistics of one endpoint off its machines.
struct StatisticsReader {
    /// Milliseconds since 1970, and the host's clock at the same moment.
    let timestamp: Int64
    let now: Instant
    private(set) var all: [Statistics] = []
    private var codecs: Set<String> = []

    init(timestamp: Int64, now: Instant) {
        self.timestamp = timestamp
        self.now = now
    }

    mutating func add(_ type: StatisticsType, id: String, _ fill: (inout Statistics) -> Void) {
        var statistics = Statistics(type, id: id, timestamp: timestamp)
        fill(&statistics)
        all.append(statistics)
    }

    private func milliseconds(_ time: Instant) -> Int { Int(timestamp - (now - time).nanoseconds / 1_000_000) }

    // MARK: Streams

    /// Everything of one session; `transport` is the id of its transport. `sound` is what the sound's receiver counts.
    mutating func read(_ session: RTPSession, transport: String, kinds: Set<MediaKind>, sound: SoundStatistics?) {
        for track in session.incoming where kinds.contains(track.kind) {
            for layer in track.layers { read(layer, track, session, transport) }
            if let queue = track.sound { read(queue, track, session, transport, sound) }
        }
        for track in session.outgoing where kinds.contains(track.kind) { read(track, session, transport) }
    }

    private mutating func stream(
        _ statistics: inout Statistics, _ ssrc: UInt32, _ kind: MediaKind, _ transport: String, codec: String?
    ) {
        statistics.set(.ssrc, Int(ssrc))
        statistics.set(.kind, kind.rawValue)
        statistics.set(.transportId, transport)
        statistics.set(.codecId, codec)
    }

    private mutating func read(
        _ layer: IncomingTrack.Layer, _ track: IncomingTrack, _ session: RTPSession, _ transport: String
    ) {
        let (counts, reception) = (layer.stream.statistics, layer.stream.reception)
        let codec = codec(receivedOn: track, transport)
        let remote = session.senderReports[layer.ssrc]
        var inbound = Statistics(.inboundRTP, id: "inbound-rtp-\(layer.ssrc)", timestamp: timestamp)
        stream(&inbound, layer.ssrc, .video, transport, codec: codec)
        inbound.set(.mid, track.media.mid)
        inbound.set(.remoteId, remote.map { _ in "remote-outbound-rtp-\(layer.ssrc)" })
        inbound.set(.packetsReceived, counts.packetsReceived)
        inbound.set(.packetsLost, Int(reception.lost))
        inbound.set(.jitter, reception.jitter)
        inbound.set(.bytesReceived, counts.bytesReceived)
        inbound.set(.headerBytesReceived, counts.headerBytesReceived)
        inbound.set(.packetsDiscarded, counts.packetsDiscarded)
        inbound.set(.lastPacketReceivedTimestamp, counts.lastPacketReceived.map(milliseconds))
        inbound.set(.nackCount, counts.nackCount)
        inbound.set(.retransmittedPacketsReceived, counts.retransmittedPacketsReceived)
        inbound.set(.retransmittedBytesReceived, counts.retransmittedBytesReceived)
        inbound.set(.rtxSsrc, layer.retransmissionSSRC.map { Int($0) })
        inbound.set(.firCount, counts.firCount)
        inbound.set(.pliCount, counts.pliCount)
        inbound.set(.framesReceived, counts.framesReceived)
        inbound.set(.framesDropped, counts.framesDropped)
        inbound.set(.frameWidth, counts.frameWidth)
        inbound.set(.frameHeight, counts.frameHeight)
        inbound.set(.freezeCount, counts.freezeCount)
        inbound.set(.totalFreezesDuration, counts.totalFreezesDuration)
        inbound.set(.totalInterFrameDelay, counts.totalInterFrameDelay)
        inbound.set(.totalSquaredInterFrameDelay, counts.totalSquaredInterFrameDelay)
        all.append(inbound)
        if let remote { read(remote, layer.ssrc, .video, session, transport, codec) }
    }

    private mutating func read(
        _ queue: AudioPacketQueue, _ track: IncomingTrack, _ session: RTPSession, _ transport: String,
        _ sound: SoundStatistics?
    ) {
        let (counts, reception, ssrc) = (queue.statistics, queue.reception, queue.configuration.ssrc)
        let codec = codec(receivedOn: track, transport)
        let remote = session.senderReports[ssrc]
        var inbound = Statistics(.inboundRTP, id: "inbound-rtp-\(ssrc)", timestamp: timestamp)
        stream(&inbound, ssrc, .audio, transport, codec: codec)
        inbound.set(.mid, track.media.mid)
        inbound.set(.remoteId, remote.map { _ in "remote-outbound-rtp-\(ssrc)" })
        inbound.set(.packetsReceived, counts.packetsReceived)
        inbound.set(.packetsLost, Int(reception.lost))
        inbound.set(.jitter, reception.jitter)
        inbound.set(.bytesReceived, counts.bytesReceived)
        inbound.set(.headerBytesReceived, counts.headerBytesReceived)
        inbound.set(.packetsDiscarded, counts.packetsDiscarded + (sound?.packetsDiscarded ?? 0))
        inbound.set(.lastPacketReceivedTimestamp, counts.lastPacketReceived.map(milliseconds))
        inbound.set(.nackCount, counts.nackCount)
        inbound.set(.retransmittedPacketsReceived, counts.retransmittedPacketsReceived)
        if let sound { read(sound, &inbound) }
        all.append(inbound)
        if let remote { read(remote, ssrc, .audio, session, transport, codec) }
    }

    private func read(_ sound: SoundStatistics, _ inbound: inout Statistics) {
        inbound.set(.jitterBufferDelay, sound.jitterBufferDelay)
        inbound.set(.jitterBufferTargetDelay, sound.jitterBufferTargetDelay)
        inbound.set(.jitterBufferMinimumDelay, sound.jitterBufferMinimumDelay)
        inbound.set(.jitterBufferEmittedCount, sound.jitterBufferEmittedCount)
        inbound.set(.totalSamplesReceived, sound.totalSamplesReceived)
        inbound.set(.concealedSamples, sound.concealedSamples)
        inbound.set(.silentConcealedSamples, sound.silentConcealedSamples)
        inbound.set(.concealmentEvents, sound.concealmentEvents)
        inbound.set(.insertedSamplesForDeceleration, sound.insertedSamplesForDeceleration)
        inbound.set(.removedSamplesForAcceleration, sound.removedSamplesForAcceleration)
        inbound.set(.fecPacketsReceived, sound.fecPacketsReceived)
        inbound.set(.fecPacketsDiscarded, sound.fecPacketsDiscarded)
        inbound.set(.audioLevel, sound.audioLevel)
        inbound.set(.totalAudioEnergy, sound.totalAudioEnergy)
        inbound.set(.totalSamplesDuration, sound.totalSamplesDuration)
    }

    /// What the peer's sender reports say of a stream.
    private mutating func read(
        _ heard: RTPSession.HeardReport, _ ssrc: UInt32, _ kind: MediaKind, _ session: RTPSession,
        _ transport: String, _ codec: String?
    ) {
        var remote = Statistics(.remoteOutboundRTP, id: "remote-outbound-rtp-\(ssrc)", timestamp: timestamp)
        stream(&remote, ssrc, kind, transport, codec: codec)
        remote.set(.localId, "inbound-rtp-\(ssrc)")
        remote.set(.packetsSent, Int(heard.report.packetCount))
        remote.set(.bytesSent, Int(heard.report.octetCount))
        remote.set(.reportsSent, heard.count)
        // Seconds from 1900 to 1970; a sender that does not know the time sends zero.
        let bits = heard.report.ntpTime.bits
        if bits >> 32 > 2_208_988_800 {
            let fraction = Double(bits & 0xFFFF_FFFF) / 4_294_967_296
            remote.set(.remoteTimestamp, (Double(bits >> 32) - 2_208_988_800 + fraction) * 1000)
        }
        if session.roundTrip.count > 0 {
            remote.set(.roundTripTime, session.roundTrip.last)
            remote.set(.totalRoundTripTime, session.roundTrip.total)
            remote.set(.roundTripTimeMeasurements, session.roundTrip.count)
        }
        all.append(remote)
    }

    private mutating func read(_ track: OutgoingTrack, _ session: RTPSession, _ transport: String) {
        let (counts, remote, ssrc) = (track.stream.statistics, track.stream.remote, track.stream.ssrc)
        let codec = codec(sentOn: track, transport)
        var outbound = Statistics(.outboundRTP, id: "outbound-rtp-\(ssrc)", timestamp: timestamp)
        stream(&outbound, ssrc, track.kind, transport, codec: codec)
        outbound.set(.mid, track.media.mid)
        outbound.set(.remoteId, remote.reports > 0 ? "remote-inbound-rtp-\(ssrc)" : nil)
        outbound.set(.active, track.media.direction.sends)
        outbound.set(.packetsSent, counts.packetsSent)
        outbound.set(.bytesSent, counts.bytesSent)
        outbound.set(.headerBytesSent, counts.headerBytesSent)
        outbound.set(.retransmittedPacketsSent, counts.retransmittedPacketsSent)
        outbound.set(.retransmittedBytesSent, counts.retransmittedBytesSent)
        outbound.set(.rtxSsrc, track.stream.configuration.retransmissionSSRC.map { Int($0) })
        if track.kind == .video { outbound.set(.targetBitrate, Double(session.sender.mediaTarget)) }
        outbound.set(.totalPacketSendDelay, counts.totalPacketSendDelay)
        outbound.set(.nackCount, counts.nackCount)
        if track.kind == .video {
            outbound.set(.firCount, counts.firCount)
            outbound.set(.pliCount, counts.pliCount)
            outbound.set(.framesSent, counts.framesSent)
        }
        all.append(outbound)
        guard remote.reports > 0 else { return }
        var inbound = Statistics(.remoteInboundRTP, id: "remote-inbound-rtp-\(ssrc)", timestamp: timestamp)
        stream(&inbound, ssrc, track.kind, transport, codec: codec)
        inbound.set(.localId, "outbound-rtp-\(ssrc)")
        inbound.set(.packetsReceived, remote.packetsReceived)
        inbound.set(.packetsLost, remote.packetsLost)
        inbound.set(.jitter, remote.jitter)
        inbound.set(.fractionLost, remote.fractionLost)
        inbound.set(.roundTripTime, remote.roundTripTime)
        inbound.set(.totalRoundTripTime, remote.totalRoundTripTime)
        inbound.set(.roundTripTimeMeasurements, remote.roundTripTimeMeasurements)
        all.append(inbound)
    }

    // MARK: Codecs

    private mutating func codec(sentOn track: OutgoingTrack, _ transport: String) -> String {
        codec(
            track.codec.payloadType, track.codec, track.kind, transport, "send",
            parameters: track.codec.remoteParameters)
    }

    /// The first of the line: nothing tells which one the last packet had.
    private mutating func codec(receivedOn track: IncomingTrack, _ transport: String) -> String? {
        guard let codec = track.media.codecs.first, track.media.codecs.count == 1 else { return nil }
        return self.codec(
            codec.receivePayloadType, codec, track.kind, transport, "receive", parameters: codec.localParameters)
    }

    private mutating func codec(
        _ payloadType: UInt8, _ codec: NegotiatedCodec, _ kind: MediaKind, _ transport: String, _ way: String,
        parameters: FormatParameters
    ) -> String {
        let id = "codec-\(way)-\(transport)-\(payloadType)"
        guard codecs.insert(id).inserted else { return id }
        add(.codec, id: id) { statistics in
            statistics.set(.payloadType, Int(payloadType))
            statistics.set(.transportId, transport)
            statistics.set(.mimeType, "\(kind.rawValue)/\(codec.name)")
            statistics.set(.clockRate, codec.clockRate)
            if kind == .audio { statistics.set(.channels, codec.channels) }
            if !parameters.isEmpty { statistics.set(.sdpFmtpLine, parameters.text) }
        }
        return id
    }
}
