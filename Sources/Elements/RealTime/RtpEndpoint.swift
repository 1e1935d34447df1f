package import Core
package import Media
package import RTP
package import SDP
import Transport
import WebRTC

/// A peer that speaks plain RTP, or SRTP with keys in the description: gateways, cameras, command line tools. Has a pair
/// of ports of its own for each kind of media. Lives on the pipeline's loop.
package final class RtpEndpoint: BaseRtpEndpoint {
    package struct Options: Sendable {
        /// SRTP with these keys of ours, one per suite, in the order of preference; empty: no encryption.
        package var crypto: [SDESKey] = []
        package var usesIPv6 = false
        /// Whether an offer of RTP and RTCP on one port is accepted.
        package var acceptsRTCPMux = true
        /// Codecs in the order of preference; nil: all we know.
        package var audioCodecs: [CodecCapability]?
        package var videoCodecs: [CodecCapability]?
        /// Bits per second; what the peer says in `b=` lowers the maximum.
        package var sendLimits = BandwidthEstimator.Limits(start: 1_000_000)
        /// Packets after which `OnKeySoftLimit` is raised.
        package var keySoftLimit = SRTPContext.defaultSoftLimit
        package init() {}

        /// One key by Kurento's name of its suite (`AES_128_CM_HMAC_SHA1_80` if left out), as text, as base64, or at
        /// random. Throws what does not fit.
        package mutating func setKey(
            suite name: String?, key: String?, keyBase64: String?, host: any Host
        ) throws(GraphError) {
            let name = name ?? "AES_128_CM_HMAC_SHA1_80"
            guard let suite = Options.suites[name] else { throw GraphError("crypto \(name) is not known") }
            var bytes: [UInt8]?
            if let keyBase64, !keyBase64.isEmpty {
                bytes = Base64.decode(keyBase64[...]) ?? []
            } else if let key, !key.isEmpty {
                bytes = Array(key.utf8)
            }
            guard let bytes else {
                crypto = [RtpEndpoint.randomKey(suite, host: host)]
                return
            }
            guard bytes.count == suite.keyBytes else {
                throw GraphError("a key for \(name) has \(suite.keyBytes) bytes, not \(bytes.count)")
            }
            crypto = [SDESKey(suite: suite, key: bytes)]
        }

        private static let suites: [String: SRTPSuite] = [
            "AES_128_CM_HMAC_SHA1_32": .aes128SHA1x32, "AES_128_CM_HMAC_SHA1_80": .aes128SHA1x80,
            "AES_256_CM_HMAC_SHA1_32": .aes256SHA1x32, "AES_256_CM_HMAC_SHA1_80": .aes256SHA1x80,
        ]
    }

    /// The ports of one kind of media.
    private struct Ports {
        let rtp: SocketAddress
        let rtcp: SocketAddress
        var ends: PortPair { PortPair(rtp: rtp.port, rtcp: rtcp.port) }
    }

    package let options: Options
    package private(set) var agreement: Agreement?
    private var pendingOffer: SessionDescription?
    private let network: any LoopNetwork
    private let pool: PacketPool
    private let seed: UInt64
    /// What the sockets are bound to, and what descriptions say.
    private let address: (bound: IPAddress, told: IPAddress)
    private var ports: [MediaKind: Ports] = [:]
    private var peers: [MediaKind: PlainPeer] = [:]
    private var timer: (handle: PipelineContext.Timer, at: Instant)?
    private var nextLipSync: Instant?
    private var isTurning = false
    private var nextKeyFrame: Instant?
    private static let lipSyncInterval = MediaTime.seconds(1)
    /// A peer that cannot ask for key frames gets one that often: when it begins late or loses a packet, its picture is
    /// broken no longer than this. More often would cost all who share the encoder.
    private static let keyFrameInterval = MediaTime.seconds(4)

    package init(
        _ context: PipelineContext, name: String, services: RealTimeServices, options: Options = Options()
    ) throws(GraphError) {
        for key in options.crypto where key.key.count != key.suite.keyBytes {
            throw GraphError(
                "\(name) (RtpEndpoint): a key for \(key.suite.rawValue) has \(key.suite.keyBytes) bytes, "
                    + "not \(key.key.count)")
        }
        let network = context.loop.makeNetwork()
        let own = services.options.addresses.isEmpty ? network.interfaceAddresses() : services.options.addresses
        let chosen = own.first { $0.isV4 != options.usesIPv6 && !$0.isLinkLocal }
        guard let chosen = chosen ?? (options.usesIPv6 ? nil : .loopbackV4) else {
            throw GraphError("\(name) (RtpEndpoint): this machine has no IPv6 address")
        }
        let any: IPAddress = chosen.isV4 ? .anyV4 : .anyV6
        address = (
            services.options.addresses.isEmpty ? any : chosen, services.options.externalAddresses[chosen] ?? chosen
        )
        self.options = options
        self.network = network
        seed = context.host.seed()
        let loopServices = services.services(on: context.loop)
        pool = loopServices.pool
        super.init(context, name: name, className: "RtpEndpoint", services: services, cutter: loopServices.cutter)
        network.attach(self)
    }

    /// A key nobody can guess.
    package static func randomKey(_ suite: SRTPSuite, host: any Host) -> SDESKey {
        var key: [UInt8] = []
        while key.count < suite.keyBytes { withUnsafeBytes(of: host.seed()) { key += $0 } }
        return SDESKey(suite: suite, key: Array(key.prefix(suite.keyBytes)))
    }

    private var now: Instant { context.host.now() }
    /// Tools of plain RTP read VP9 by older drafts (ffmpeg 5.1).
    override var vp9Mode: Packetizer.VP9Mode { .nonFlexible }

    override func isConnected(_ session: RTPSession) -> Bool {
        peers.values.contains { $0.session === session && $0.isConnected }
    }

    // MARK: Offer and answer

    /// Our offer; again after an agreement: a renegotiation.
    package func generateOffer(audio: Bool = true, video: Bool = true) throws(GraphError) -> String {
        var kinds: [MediaKind] = []
        if audio { kinds.append(.audio) }
        if video { kinds.append(.video) }
        let local = try capabilities(kinds)
        do throws(SDPError) {
            let offer = try OfferAnswer.makeOffer(local, over: agreement)
            pendingOffer = offer
            return offer.description
        } catch {
            throw GraphError("\(name): no offer can be made: \(error)")
        }
    }

    /// The peer's offer; returns our answer. Throws for text that is no offer.
    package func processOffer(_ text: String) throws -> String {
        let offer = try SessionDescription(text)
        let kinds = [MediaKind.audio, .video].filter { kind in offer.media.contains { $0.media == kind.rawValue } }
        let made = try OfferAnswer.answer(offer, with: try capabilities(kinds), over: agreement)
        pendingOffer = nil
        apply(made)
        return made.local.description
    }

    /// The peer's answer to our offer; returns our description.
    package func processAnswer(_ text: String) throws -> String {
        guard let pendingOffer else {
            throw GraphError("\(name) has made no offer that an answer could be for; call generateOffer first")
        }
        let answer = try SessionDescription(text)
        let local = try capabilities(Array(ports.keys))
        let made = try OfferAnswer.apply(answer, to: pendingOffer, with: local, over: agreement)
        self.pendingOffer = nil
        apply(made)
        return made.local.description
    }

    package var localSessionDescriptor: String? { (agreement?.local ?? pendingOffer)?.description }
    package var remoteSessionDescriptor: String? { agreement?.remote.description }

    private func capabilities(_ kinds: [MediaKind]) throws(GraphError) -> LocalCapabilities {
        if isReleased { throw GraphError("\(name) has been released") }
        var audio = MediaCapabilities.audio
        var video = MediaCapabilities.video
        // Nothing that is sent plainly is wrapped in RED; what is lost comes again where the peer knows how.
        video.codecs.removeAll { ["red", "ulpfec", "flexfec-03"].contains($0.name) }
        if let codecs = options.audioCodecs { audio.codecs = codecs }
        if let codecs = options.videoCodecs { video.codecs = codecs }
        audio.receiveBandwidthMax = maxAudioRecvBandwidth > 0 ? maxAudioRecvBandwidth : nil
        video.receiveBandwidthMax = maxVideoRecvBandwidth > 0 ? maxVideoRecvBandwidth : nil
        video.simulcast = nil
        if kinds.contains(.audio) { audio.ports = [try open(.audio).ends] }
        if kinds.contains(.video) { video.ports = [try open(.video).ends] }
        var transport = PlainTransport(address: address.told, crypto: options.crypto)
        transport.acceptsRTCPMux = options.acceptsRTCPMux
        return LocalCapabilities(
            transport: .plain(transport), audio: kinds.contains(.audio) ? audio : nil,
            video: kinds.contains(.video) ? video : nil, seed: seed)
    }

    /// The ports of a kind of media; opened when first asked for, since they stand in the description.
    private func open(_ kind: MediaKind) throws(GraphError) -> Ports {
        if let open = ports[kind] { return open }
        do throws(NetworkError) {
            let start = Int(truncatingIfNeeded: context.host.seed() >> 1)
            let pair = try network.openUDPPair(address.bound, in: services.options.ports, from: start)
            let made = Ports(rtp: pair.rtp, rtcp: pair.rtcp)
            ports[kind] = made
            return made
        } catch {
            throw GraphError("\(name) (RtpEndpoint) has no ports: \(error)")
        }
    }

    private func close(_ kind: MediaKind) {
        guard let open = ports.removeValue(forKey: kind) else { return }
        network.close(.udp, open.rtp)
        network.close(.udp, open.rtcp)
    }

    private func apply(_ agreement: Agreement) {
        let isFirst = self.agreement == nil
        self.agreement = agreement
        var kept: Set<MediaKind> = []
        for media in agreement.session.media where media.isActive {
            guard let kind = media.kind, let transport = media.transport, let ports = ports[kind] else { continue }
            kept.insert(kind)
            let peer = peers[kind] ?? makePeer(kind, ports, media)
            peers[kind] = peer
            do throws(TransportError) { try peer.apply(agreement.session, transport: transport, at: now) } catch {
                fail(.streamFailed, "SRTP: \(error)")
            }
        }
        for kind in [MediaKind.audio, .video] where !kept.contains(kind) {
            peers.removeValue(forKey: kind)?.close(at: now) { network.send($0, over: $1) }
            close(kind)
        }
        sessions = [MediaKind.audio, .video].compactMap { peers[$0]?.session }
        sessionApplied()
        if isFirst { context.emit(.mediaSessionStarted, from: self) }
        inputs[.video]?.requestKeyFrame()
        touch()
    }

    private func makePeer(_ kind: MediaKind, _ ports: Ports, _ media: NegotiatedMedia) -> PlainPeer {
        var random = SeededRandom(seed: seed ^ (kind == .audio ? 1 : 2))
        var rtp = RTPSession.Configuration(
            seed: random.next(), origin: context.startedAt, epochSeconds: services.options.epochSeconds,
            cname: LocalCapabilities(transport: .plain(PlainTransport(address: address.told)), seed: seed).cname)
        rtp.sendLimits = sendLimits(options.sendLimits)
        if let most = media.sendBandwidthMax {
            rtp.sendLimits.maximum = min(rtp.sendLimits.maximum, max(rtp.sendLimits.minimum, Int(clamping: most)))
            rtp.sendLimits.start = min(rtp.sendLimits.start, rtp.sendLimits.maximum)
        }
        return PlainPeer(
            rtp, rtp: ports.rtp, rtcp: ports.rtcp, pool: pool, softLimit: options.keySoftLimit)
    }

    // MARK: The loop's turn

    override func touch() {
        // While packets come in, all that they lead to goes out at the end of the batch.
        if !isTurning { settle(at: now) }
    }

    /// Hands on what came, sends what is due, and sets the timer.
    private func settle(at now: Instant) {
        guard !isReleased else { return }
        isTurning = true
        syncLips(at: now)
        refreshPicture(at: now)
        deliverMedia()
        handleSessionEvents()
        for (kind, peer) in peers {
            peer.drain(at: now) { network.send($0, over: $1) }
            while let event = peer.srtp?.pollEvent() {
                switch event {
                case .keyLifetimeNearEnd: context.emit(.onKeySoftLimit(kind), from: self)
                }
            }
        }
        let isUp = !peers.isEmpty && peers.values.allSatisfy(\.isConnected)
        setConnectionState(isUp ? .connected : .disconnected)
        setTimer(at: now)
        isTurning = false
    }

    /// Sound and picture come in sessions of their own, so nobody else lays them side by side.
    private func syncLips(at now: Instant) {
        guard nextLipSync.map({ now >= $0 }) ?? true else { return }
        nextLipSync = now + RtpEndpoint.lipSyncInterval
        if let video = incoming(.video), let audio = incoming(.audio) { video.syncLips(with: audio) }
    }

    private func refreshPicture(at now: Instant) {
        guard let track = outgoing(.video),
            !track.codec.feedback.contains(where: { $0 == "nack pli" || $0 == "ccm fir" })
        else {
            nextKeyFrame = nil
            return
        }
        guard let due = nextKeyFrame, now < due else {
            if nextKeyFrame != nil { inputs[.video]?.requestKeyFrame() }
            nextKeyFrame = now + RtpEndpoint.keyFrameInterval
            return
        }
    }

    override func readStatistics(into reader: inout StatisticsReader, kinds: Set<MediaKind>) {
        for kind in [MediaKind.audio, .video] {
            guard kinds.contains(kind), let peer = peers[kind] else { continue }
            let transport = "transport-\(kind.rawValue)"
            reader.read(peer.session, transport: transport, kinds: kinds, sound: soundStatistics)
            reader.add(.transport, id: transport) { statistics in
                statistics.set(.packetsSent, peer.counters.packetsSent)
                statistics.set(.packetsReceived, peer.counters.packetsReceived)
                statistics.set(.bytesSent, peer.counters.bytesSent)
                statistics.set(.bytesReceived, peer.counters.bytesReceived)
            }
        }
    }

    private func setTimer(at now: Instant) {
        var next: Instant?
        for peer in peers.values { if let time = peer.deadline(at: now) { next = min(next ?? time, time) } }
        guard let next else { return }
        // A timer that fires too early finds nothing due and is set anew: cheaper than moving it with every packet.
        if let timer {
            if timer.at <= next { return }
            context.cancel(timer.handle)
        }
        // Never at once: a deadline that does not move must not stop the loop.
        let at = max(next, now + MediaTime(nanoseconds: 200_000))
        let handle = context.schedule(at: at - context.startedAt) { [weak self] in self?.expire() }
        timer = (handle, at)
    }

    private func expire() {
        timer = nil
        guard !isReleased else { return }
        let now = now
        for peer in peers.values { peer.expire(at: now) }
        settle(at: now)
    }

    package override func release() {
        guard !isReleased else { return }
        for peer in peers.values { peer.close(at: now) { network.send($0, over: $1) } }
        if let timer { context.cancel(timer.handle) }
        timer = nil
        for kind in [MediaKind.audio, .video] { close(kind) }
        network.attach(nil)
        setConnectionState(.disconnected)
        super.release()
    }
}

extension RtpEndpoint: NetworkReceiver {
    package func receive(_ bytes: UnsafeMutableRawBufferPointer, over path: NetworkPath, at now: Instant) {
        for (kind, ports) in ports where ports.rtp.port == path.local.port || ports.rtcp.port == path.local.port {
            peers[kind]?.receive(bytes, over: path, at: now)
        }
    }

    package func batchEnded(at now: Instant) { settle(at: now) }
    package func connected(_ path: NetworkPath, at now: Instant) {}
    package func disconnected(_ path: NetworkPath, reason: String, at now: Instant) {}
}
