package import Core
package import ICE
package import Media
package import RTP
package import SDP
package import Transport
package import WebRTC

/// A WebRTC peer as an element: what it sends leaves through the element's outputs, what is connected to the element's
/// inputs goes to it. Negotiates by offer and answer, as often as wanted. Lives on the pipeline's loop.
package final class WebRtcEndpoint: BaseRtpEndpoint, MuxClient {
    package struct Options: Sendable {
        package var receiveOnly = false
        package var sendOnly = false
        package var usesDataChannels = false
        package var certificateKind = Certificate.KeyKind.ecdsaP256
        package var iceTCP = true
        /// Of its own, besides the server's.
        package var stunServers: [SocketAddress] = []
        package var turnServers: [TURNServer] = []
        /// One more STUN server, as clients say it: an address, not a name; empty: none.
        package var stun: (address: String, port: Int) = ("", 3478)
        /// One more TURN server, as `turnServer(_:)` reads it; empty: none.
        package var turnURL = ""
        package var externalAddresses: [IPAddress: IPAddress] = [:]
        /// Told instead of every local address of that family.
        package var externalIPv4: IPAddress?
        package var externalIPv6: IPAddress?
        /// Names of the interfaces whose addresses are told, with commas; empty: all.
        package var networkInterfaces = ""
        /// Codecs in the order of preference; nil: all we know.
        package var audioCodecs: [CodecCapability]?
        package var videoCodecs: [CodecCapability]?
        /// Simulcast layers that our offers ask for.
        package var simulcastRIDs: [String] = []
        /// Bits per second. The start is what nearly every line carries: the first probes find out within a fraction of a
        /// second whether it carries more, and a queue filled by too much takes seconds to drain.
        package var sendLimits = BandwidthEstimator.Limits(start: 300_000)
        /// What its datagrams are marked with for routers (`PacketMark`); nil: as all of the server's.
        package var dscp: UInt8?
        package init() {}

        /// The kind of key in the DTLS certificate: RSA, else ECDSA.
        package mutating func setCertificate(isRSA: Bool) { certificateKind = isRSA ? .rsa2048 : .ecdsaP256 }
    }

    /// What is changed after the first description has effect on what is done from then on only.
    package var options: Options
    package private(set) var agreement: Agreement?
    /// Our offer that waits for its answer.
    private var pendingOffer: SessionDescription?
    private(set) var machine: Peer?
    private var muxNumber: Int?
    private let loopServices: LoopServices
    private let mux: UDPMux
    private let seed: UInt64
    private let dtls: DTLSContext
    private var isGathering = false
    private var isGathered = false
    private var hasOwnSockets = false
    private var earlyCandidates: [ICECandidate] = []
    private(set) var channels: [Int: DataChannels.ChannelID] = [:]
    /// Data channels that were ever open, and those of them that have ended.
    private(set) var lastChannel = 0
    private(set) var channelsClosed = 0
    /// How often another pair was selected.
    private(set) var pairChanges = 0
    private var dataSink: DataSink?
    package private(set) var iceState = IceComponentState.disconnected
    package private(set) var dtlsState = DtlsConnectionState.new
    package private(set) var selectedPair: (local: ICECandidate, remote: ICECandidate)?

    package init(
        _ context: PipelineContext, name: String, services: RealTimeServices, options: Options = Options()
    ) throws(GraphError) {
        loopServices = services.services(on: context.loop)
        do throws(NetworkError) { mux = try services.mux(on: context.loop) } catch {
            throw GraphError("\(name) (WebRtcEndpoint) has no network: \(error)")
        }
        do throws(TransportError) { dtls = try services.dtls(options.certificateKind) } catch {
            throw GraphError("\(name) (WebRtcEndpoint) has no certificate: \(error)")
        }
        self.options = options
        seed = context.host.seed()
        super.init(context, name: name, className: "WebRtcEndpoint", services: services, cutter: loopServices.cutter)
        let sink = DataSink { [unowned self] in sendToPeer($0) }
        dataSink = sink
        addData(sink: sink)
    }

    package var peer: Peer {
        guard let machine else { preconditionFailure("a peer exists once a description was made") }
        return machine
    }
    override func isConnected(_ session: RTPSession) -> Bool { machine?.isConnected ?? false }
    override func touch() { if let muxNumber { mux.touch(muxNumber) } }
    private var now: Instant { context.host.now() }

    // MARK: Offer and answer

    /// Our offer; again after an agreement: a renegotiation. `restartsICE` gives new credentials.
    package func generateOffer(
        audio: Bool = true, video: Bool = true, restartsICE: Bool = false
    ) throws(GraphError) -> String {
        let peer = try makePeer(.controlling)
        if restartsICE {
            peer.ice.restart(at: now)
            isGathered = false
        }
        var local = capabilities(peer)
        if !audio { local.audio = nil }
        if !video { local.video = nil }
        do throws(SDPError) {
            let offer = try OfferAnswer.makeOffer(local, over: agreement)
            pendingOffer = offer
            touch()
            return offer.description
        } catch {
            throw GraphError("\(name): no offer can be made: \(error)")
        }
    }

    /// The peer's offer; returns our answer. Throws `SDPRefusal` for text that is no offer.
    package func processOffer(_ text: String) throws -> String {
        let offer = try SessionDescription(text)
        let peer = try makePeer(.controlled)
        if let agreement, OfferAnswer.restartsICE(offer, over: agreement) {
            peer.ice.restart(at: now)
            isGathered = false
        }
        let made = try OfferAnswer.answer(offer, with: capabilities(peer), over: agreement)
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
        let made = try OfferAnswer.apply(answer, to: pendingOffer, with: capabilities(peer), over: agreement)
        self.pendingOffer = nil
        apply(made)
        return made.local.description
    }

    /// Our description with the candidates found so far; nil before there is one.
    package var localSessionDescriptor: String? {
        guard var description = agreement?.local ?? pendingOffer, let machine else { return nil }
        // After a renegotiation those that were known then stand there already.
        for line in description.media.indices {
            description.media[line].attributes.removeAll {
                if case .candidate = $0 { true } else { $0 == .endOfCandidates }
            }
        }
        description.add(candidates: machine.ice.localCandidates.map(\.description), isComplete: isGathered)
        return description.description
    }
    package var remoteSessionDescriptor: String? { agreement?.remote.description }

    private func makePeer(_ role: ICERole) throws(GraphError) -> Peer {
        if isReleased { throw GraphError("\(name) has been released") }
        if let machine { return machine }
        var random = SeededRandom(seed: seed)
        var rtp = RTPSession.Configuration(
            seed: random.next(), origin: context.startedAt, epochSeconds: services.options.epochSeconds,
            cname: capabilitiesWithoutPeer().cname)
        rtp.sendLimits = sendLimits(options.sendLimits)
        var configuration = Peer.Configuration(role: role, dtls: dtls, session: rtp, seed: random.next())
        configuration.dscp = options.dscp
        configuration.ice.isLite = services.options.isLite
        configuration.ice.stunServers = options.stunServers + services.options.stunServers
        configuration.ice.turnServers = options.turnServers + services.options.turnServers
        if let ip = IPAddress(options.stun.address), let port = UInt16(exactly: options.stun.port) {
            configuration.ice.stunServers.append(SocketAddress(ip, port))
        }
        if let server = WebRtcEndpoint.turnServer(options.turnURL) { configuration.ice.turnServers.append(server) }
        configuration.ice.externalAddresses = services.options.externalAddresses.merging(externalAddresses) { $1 }
        let peer = Peer(configuration, pool: loopServices.pool)
        peer.sharedAddresses = Set(mux.udpAddresses + mux.tcpAddresses)
        machine = peer
        sessions = [peer.session]
        let number = mux.add(self)
        muxNumber = number
        peer.foreignPaths = { [mux] in mux.foreignPaths(to: $0, for: number) }
        return peer
    }

    /// One address for all of a family stands in every candidate of that family.
    private var externalAddresses: [IPAddress: IPAddress] {
        var addresses = options.externalAddresses
        for local in Set((mux.udpAddresses + mux.tcpAddresses).map(\.ip)) {
            if let outer = local.isV4 ? options.externalIPv4 : options.externalIPv6 { addresses[local] = outer }
        }
        return addresses
    }

    private func apply(_ agreement: Agreement) {
        let isFirst = self.agreement == nil
        self.agreement = agreement
        peer.apply(agreement.session, at: now)
        for candidate in earlyCandidates { peer.addRemote(candidate, at: now) }
        earlyCandidates = []
        addOwnSockets()
        sessionApplied()
        if isFirst { context.emit(.mediaSessionStarted, from: self) }
        touch()
    }

    private func capabilitiesWithoutPeer() -> LocalCapabilities {
        LocalCapabilities(
            transport: .webRTC(WebRTCTransport(ufrag: "none", password: "nonenonenonenonenonenone", fingerprints: [])),
            audio: nil, video: nil, data: nil, seed: seed)
    }

    private func capabilities(_ peer: Peer) -> LocalCapabilities {
        let print = dtls.certificate.fingerprint
        var transport = WebRTCTransport(
            ufrag: peer.ice.local.ufrag, password: peer.ice.local.password,
            fingerprints: [SDP.Fingerprint(algorithm: print.algorithm.rawValue, bytes: print.bytes)])
        transport.isLite = services.options.isLite
        transport.candidates = peer.ice.localCandidates.map(\.description)
        transport.isGatheringComplete = isGathered
        var audio = MediaCapabilities.audio
        var video = MediaCapabilities.video
        if let codecs = options.audioCodecs { audio.codecs = codecs }
        if let codecs = options.videoCodecs { video.codecs = codecs }
        let direction: SDP.MediaDirection =
            options.receiveOnly ? .recvonly : options.sendOnly ? .sendonly : .sendrecv
        audio.direction = direction
        video.direction = direction
        audio.receiveBandwidthMax = maxAudioRecvBandwidth > 0 ? maxAudioRecvBandwidth : nil
        video.receiveBandwidthMax = maxVideoRecvBandwidth > 0 ? maxVideoRecvBandwidth : nil
        video.simulcast = SimulcastCapability(offeredRIDs: options.simulcastRIDs)
        return LocalCapabilities(
            transport: .webRTC(transport), audio: audio, video: video,
            data: options.usesDataChannels
                ? DataCapabilities(maxMessageSize: UInt64(DataChannels.maxMessageBytes)) : nil,
            seed: seed)
    }

    override func readStatistics(into reader: inout StatisticsReader, kinds: Set<MediaKind>) {
        readPeer(into: &reader, kinds: kinds)
    }

    // MARK: ICE

    /// Begins to look for candidates; without a description it does nothing.
    package func gatherCandidates() {
        guard let machine, !isGathering else { return }
        isGathering = true
        setIceState(.gathering)
        let names = options.networkInterfaces.split { $0 == "," || $0 == " " }.map(String.init)
        let chosen = names.isEmpty ? nil : mux.addresses(ofInterfaces: names)
        let isWanted = { (address: SocketAddress) in chosen?.contains(address.ip) ?? true }
        for address in mux.udpAddresses where isWanted(address) { machine.ice.addLocalHost(address, at: now) }
        if options.iceTCP {
            for address in mux.tcpAddresses where isWanted(address) {
                machine.ice.addLocalHost(address, .tcp, at: now)
            }
        }
        machine.ice.gather(at: now)
        addOwnSockets()
        touch()
    }

    /// Two endpoints of one server cannot talk over its one port, nor two of ours with two of another's.
    private func addOwnSockets() {
        guard let machine, let muxNumber, isGathering, machine.needsOwnSockets, !hasOwnSockets else { return }
        hasOwnSockets = true
        for address in mux.openOwnSockets(for: muxNumber) { machine.ice.addLocalHost(address, at: now) }
    }

    /// A candidate of the peer, at any time; empty text is the end of candidates, text that is none is passed over.
    package func addIceCandidate(_ text: String) {
        guard let machine else {
            if let candidate = try? ICECandidate(text), earlyCandidates.count < ICELimits.remoteCandidates {
                earlyCandidates.append(candidate)
            }
            return
        }
        if text.isEmpty {
            machine.ice.endOfRemoteCandidates(at: now)
        } else if let candidate = try? ICECandidate(text) {
            machine.addRemote(candidate, at: now)
            addOwnSockets()
        }
        touch()
    }

    // MARK: MuxClient

    package func pathIsTaken(_ path: NetworkPath, at now: Instant) {
        machine?.exclude(path, at: now)
        addOwnSockets()
    }

    package func peerChanged(at now: Instant) {
        guard let machine else { return }
        handleICE(machine, at: now)
        while let event = machine.pollEvent() {
            switch event {
            case .dtls(let state, let reason): handleDTLS(state, reason)
            case .connected:
                setConnectionState(.connected)
                inputs[.video]?.requestKeyFrame()
            case .data(let event): handleData(event)
            }
        }
        deliverMedia()
        handleSessionEvents()
    }

    private func handleICE(_ machine: Peer, at now: Instant) {
        guard let muxNumber else { return }
        while let event = machine.ice.pollEvent() {
            switch event {
            case .candidate(let candidate): announce(candidate)
            case .gatheringDone:
                isGathered = true
                context.emit(.iceGatheringDone, from: self)
            case .state(let state): iceChanged(state)
            case .selectedPair(let local, let remote):
                selectedPair = (local, remote)
                pairChanges += 1
                context.emit(
                    .newCandidatePairSelected(local: local.description, remote: remote.description), from: self)
            case .resolve(let name): mux.resolve(name, for: muxNumber)
            case .open(let connection): mux.open(connection, for: muxNumber, at: now)
            case .close(let path): mux.close(path, for: muxNumber)
            case .warning(let text): warn(text)
            }
        }
    }

    /// Once per line in use: that is how browsers and Kurento's clients expect it.
    private func announce(_ candidate: ICECandidate) {
        guard let description = agreement?.local ?? pendingOffer else { return }
        for (index, media) in description.media.enumerated() where media.port != 0 {
            context.emit(
                .iceCandidateFound(candidate: candidate.description, mid: media.mid ?? "", line: index), from: self)
        }
    }

    private func iceChanged(_ state: ICEState) {
        switch state {
        case .new: break
        case .gathering: setIceState(.gathering)
        case .connecting: setIceState(.connecting)
        case .connected: setIceState(.connected)
        case .ready: setIceState(.ready)
        case .disconnected: setIceState(.disconnected)
        case .failed:
            setIceState(.failed)
            setConnectionState(.disconnected)
        }
        if state == .connected || state == .ready, dtlsState == .connected { setConnectionState(.connected) }
    }

    private func setIceState(_ state: IceComponentState) {
        guard state != iceState else { return }
        iceState = state
        context.emit(.iceComponentStateChanged(state), from: self)
    }

    private func handleDTLS(_ state: DTLSConnection.State, _ reason: String?) {
        switch state {
        case .new: dtlsState = .new
        case .connecting: dtlsState = .connecting
        case .connected: dtlsState = .connected
        case .closed: dtlsState = .closed
        case .failed:
            dtlsState = .failed
            fail(.streamFailed, "DTLS: \(reason ?? "failed")")
        }
        context.emit(.dtlsConnectionStateChange(dtlsState), from: self)
        if state == .closed || state == .failed { setConnectionState(.disconnected) }
    }

    // MARK: Data channels

    /// Opens a data channel; `dataChannelOpened` follows with its number.
    package func createDataChannel(_ parameters: DataChannelParameters) throws(GraphError) {
        guard options.usesDataChannels, let machine else {
            throw GraphError("\(name) was made without data channels, or nothing was negotiated yet")
        }
        do { _ = try machine.data.open(parameters, at: now) } catch { throw GraphError("\(name): \(error)") }
        touch()
    }

    /// Ends a data channel; `dataChannelClosed` follows. A number that no open channel has is no error.
    package func closeDataChannel(_ number: Int) {
        guard let machine, let id = channels[number] else { return }
        machine.data.close(id, at: now)
        touch()
    }

    private func handleData(_ event: DataChannels.Event) {
        switch event {
        case .opened(let id, _, _):
            lastChannel += 1
            let number = machine?.data.status(id)?.stream.map { Int($0) } ?? lastChannel
            channels[number] = id
            context.emit(.dataChannelOpened(number), from: self)
        case .closed(let id):
            guard let number = channels.first(where: { $0.value == id })?.key else { return }
            channels[number] = nil
            channelsClosed += 1
            context.emit(.dataChannelClosed(number), from: self)
        case .message(_, let message): deliver(message)
        case .connected, .bufferedAmountLow, .disconnected: break
        }
    }

    /// To the channel that was opened first.
    private func sendToPeer(_ message: DataMessage) {
        framesIn += 1
        guard let machine, let number = channels.keys.min(), let id = channels[number] else { return }
        do { try machine.data.send(message, on: id, at: now) } catch { warn("a message was not sent: \(error)") }
        touch()
    }

    public override func release() {
        guard !isReleased else { return }
        if let machine, let muxNumber {
            machine.close(at: now)
            mux.remove(muxNumber, at: now)
        }
        muxNumber = nil
        setConnectionState(.disconnected)
        super.release()
    }
}

/// Hands messages of a data link to whoever sends them on.
final class DataSink: MediaSink {
    private let send: (DataMessage) -> Void
    init(_ send: @escaping (DataMessage) -> Void) { self.send = send }
    func choose(from form: NativeForm) -> RenditionKey { .native }
    var hasRoom: Bool { true }
    func receive(_ item: MediaItem) { if case .message(let message) = item { send(message) } }
}
