package import Core
package import RTP
package import SDP

/// What the peer sends on one m-line: one stream of sound, or the layers of one picture.
///
/// Owned by an `RTPSession`. Streams are made when their first packet tells their SSRC.
package final class IncomingTrack {
    /// One stream of pictures: the only one, or a layer of a simulcast.
    package final class Layer {
        /// nil without simulcast.
        package let rid: StreamLabel?
        package internal(set) var stream: VideoReceiveStream
        /// When its pictures are due.
        package internal(set) var playout = PlayoutClock(clockRate: 90_000)
        package internal(set) var lastFrame: Instant?
        package var rate = RateMeter()
        package internal(set) var retransmissionSSRC: UInt32?
        /// Repairs losses where the peer sends redundancy: ulpfec inside RED, flexfec as a stream of its own.
        private var repair: FECReceiver?

        init(rid: StreamLabel?, stream: VideoReceiveStream) {
            self.rid = rid
            self.stream = stream
        }

        package var ssrc: UInt32 { stream.configuration.ssrc }
        /// Packets made good by forward error correction.
        package var packetsRecovered: Int { repair?.recoveredCount ?? 0 }

        /// Takes a packet of the layer, whatever it is wrapped in.
        func receive(
            _ packet: RawSpan, _ header: RTPHeader, _ formats: [UInt8: PayloadFormat],
            hints: PictureHints, at now: Instant
        ) {
            switch formats[header.payloadType]?.role {
            case .redundancy: receiveRedundant(packet, header, formats, hints, at: now)
            case .forwardErrorCorrection:
                prepareRepair(.flexfec)
                repair?.receiveRepair(packet.extracting(header.payload))
            case .retransmission(let original) where formats[original]?.role == .redundancy:
                receiveRedundantRetransmission(packet, header, formats, hints, at: now)
            default:
                stream.receive(packet, header, hints: hints, at: now)
                repair?.receiveMedia(packet, header: header)
            }
            while let recovered = repair?.poll() {
                let span = recovered.span.bytes
                guard let header = try? RTPHeader(span) else { continue }
                stream.receive(span, header, at: now)
            }
        }

        /// RED with one block (RFC 2198), as browsers send pictures: one byte in front of media or of ulpfec.
        private func receiveRedundant(
            _ packet: RawSpan, _ header: RTPHeader, _ formats: [UInt8: PayloadFormat],
            _ hints: PictureHints, at now: Instant
        ) {
            guard let block = RedundantBlock(only: packet.extracting(header.payload)) else { return }
            var inner = header
            inner.payloadType = block.payloadType
            switch formats[block.payloadType]?.role {
            case .media:
                inner.payload = (header.payload.lowerBound + 1)..<header.payload.upperBound
                stream.receive(packet, inner, hints: hints, at: now)
                repair?.receiveMedia(packet, header: header, block: block)
            case .forwardErrorCorrection:
                prepareRepair(.ulpfec)
                repair?.receiveRepair(packet.extracting((header.payload.lowerBound + 1)..<header.payload.upperBound))
                // It has a number of the media's: without it the stream would miss one.
                guard let media = formats.first(where: { $0.value.role == .media }) else { return }
                inner.payloadType = media.key
                inner.payload = header.payload.upperBound..<header.payload.upperBound
                stream.receive(packet, inner, at: now)
            default: return
            }
        }

        /// RTX of a RED packet: the byte of RED goes, and the payload type becomes that of the media's own RTX. Seldom,
        /// so it may copy.
        private func receiveRedundantRetransmission(
            _ packet: RawSpan, _ header: RTPHeader, _ formats: [UInt8: PayloadFormat],
            _ hints: PictureHints, at now: Instant
        ) {
            guard header.payload.count > 3 else { return }
            var bytes = packet.withUnsafeBytes { [UInt8]($0[..<header.payload.upperBound]) }
            let type = bytes.remove(at: header.payload.lowerBound + 2)
            guard type & 0x80 == 0,
                let own = formats.first(where: { $0.value.role == .retransmission(of: type) })
            else { return }
            var inner = header
            inner.payloadType = own.key
            inner.payload = header.payload.lowerBound..<(header.payload.upperBound - 1)
            stream.receive(bytes.span.bytes, inner, hints: hints, at: now)
        }

        private func prepareRepair(_ scheme: FECScheme) {
            if repair == nil { repair = FECReceiver(scheme: scheme, ssrc: ssrc) }
        }

        /// Whether pictures have come within the last two seconds.
        package func isAlive(at now: Instant) -> Bool { lastFrame.map { now - $0 < .seconds(2) } ?? false }
    }

    /// Place of its m-line.
    package let index: Int
    package let kind: MediaKind
    package internal(set) var media: NegotiatedMedia
    /// In the order of the description, or of their first packets.
    package internal(set) var layers: [Layer] = []
    package internal(set) var sound: AudioPacketQueue?
    package internal(set) var soundPlayout = PlayoutClock(clockRate: 48_000)
    package internal(set) var soundRate = RateMeter()
    /// The layer that is handed on; nil: the best one that lives.
    package var wantedRID: StreamLabel?
    /// The layer that is handed on now.
    package internal(set) var current: Layer?
    package internal(set) var lipSync = LipSync()
    /// What the sound receiver adds to the network's delay, told by whoever owns it.
    package var soundDelay = MediaTime.zero

    init(index: Int, kind: MediaKind, media: NegotiatedMedia) {
        self.index = index
        self.kind = kind
        self.media = media
    }

    /// Payload types of codecs that we decode or hand on.
    var videoCodecs: [UInt8: VideoCodec] {
        media.receive.compactMapValues { format in
            format.role == .media ? VideoCodec(rawValue: format.name.lowercased()) : nil
        }
    }
    var retransmissions: [UInt8: UInt8] {
        media.receive.compactMapValues { format in
            if case .retransmission(let original) = format.role { original } else { nil }
        }
    }
    func knowsFeedback(_ name: String) -> Bool { media.codecs.contains { $0.feedback.contains(name) } }
}

/// Bits per second over the last second, from byte counts.
package struct RateMeter: Sendable {
    private var windowStart: Instant?
    private var bytes = 0
    /// Of the last whole second.
    package private(set) var bitsPerSecond = 0

    package init() {}

    package mutating func add(_ count: Int, at now: Instant) {
        guard let start = windowStart else {
            windowStart = now
            bytes = count
            return
        }
        let span = now - start
        if span >= .seconds(1) {
            bitsPerSecond = Int(Double(bytes * 8) / span.seconds)
            windowStart = now
            bytes = 0
        }
        bytes += count
    }
}
