import Core
import ICE
import RTP
import SDP
import Transport
import WebRTC

/// One of two whole peers that negotiate with each other.
final class PeerSide {
    let peer: Peer
    let address: SocketAddress
    /// What its descriptions offer.
    var hasVideo = true
    var agreement: Agreement?
    private(set) var events: [Peer.Event] = []
    private let context: DTLSContext
    private let seed: UInt64

    init(_ role: ICERole, at address: SocketAddress, _ context: DTLSContext, seed: UInt64, now: Instant) {
        self.address = address
        self.context = context
        self.seed = seed
        let session = RTPSession.Configuration(seed: seed, origin: now, epochSeconds: 0, cname: "x")
        peer = Peer(Peer.Configuration(role: role, dtls: context, session: session, seed: seed), pool: PacketPool())
        peer.ice.addLocalHost(address, at: now)
        peer.ice.gather(at: now)
    }

    var capabilities: LocalCapabilities {
        let print = context.certificate.fingerprint
        var transport = WebRTCTransport(
            ufrag: peer.ice.local.ufrag, password: peer.ice.local.password,
            fingerprints: [SDP.Fingerprint(algorithm: print.algorithm.rawValue, bytes: print.bytes)])
        transport.candidates = peer.ice.localCandidates.map(\.description)
        transport.isGatheringComplete = true
        return LocalCapabilities(
            transport: .webRTC(transport), audio: .audio, video: hasVideo ? .video : nil,
            data: DataCapabilities(), seed: seed)
    }

    func drainEvents() {
        while peer.ice.pollEvent() != nil {}
        while let event = peer.pollEvent() { events.append(event) }
    }

    /// Channels that were opened, in their order.
    var channels: [DataChannels.ChannelID] {
        events.compactMap { if case .data(.opened(let id, _, _)) = $0 { id } else { nil } }
    }

    var messages: [DataMessage] {
        events.compactMap { if case .data(.message(_, let message)) = $0 { message } else { nil } }
    }

    var connections: Int { events.count { $0 == .connected } }
}

/// Two whole peers and a line of 10 ms between them, in virtual time. They use usrsctp: see `SCTPTests`.
final class PeerPair {
    let offerer: PeerSide
    private(set) var answerer: PeerSide
    private(set) var now = DataPair.start
    private var flying = Deque<(at: Instant, from: SocketAddress, to: SocketAddress, bytes: [UInt8])>()

    init() throws {
        offerer = PeerSide(
            .controlling, at: SocketAddress(IPAddress(v4: 0xC000_0201), 5001), try DTLSPair.ecdsa.get(), seed: 1,
            now: now)
        answerer = PeerSide(
            .controlled, at: SocketAddress(IPAddress(v4: 0xC000_0202), 5002), try DTLSPair.ecdsa.get(), seed: 2,
            now: now)
    }

    deinit {
        for side in [offerer, answerer] { side.peer.data.end(abort: true, at: now) }
        DataPair.start = now + .milliseconds(1000)
    }

    /// Somebody else, with another certificate, takes over at another address; the one before says nothing any more.
    func replaceAnswerer() throws {
        answerer.peer.data.end(abort: true, at: now)
        let context = try DTLSContext(certificate: .selfSigned(.ecdsaP256, unixSeconds: DTLSPair.unixSeconds))
        answerer = PeerSide(
            .controlled, at: SocketAddress(IPAddress(v4: 0xC000_0203), 5003), context, seed: 3, now: now)
    }

    func negotiate() throws {
        let offer = try OfferAnswer.makeOffer(offerer.capabilities, over: offerer.agreement)
        let answered = try OfferAnswer.answer(
            SessionDescription(offer.description), with: answerer.capabilities, over: answerer.agreement)
        let agreed = try OfferAnswer.apply(
            SessionDescription(answered.local.description), to: offer, with: offerer.capabilities,
            over: offerer.agreement)
        for (side, agreement) in [(answerer, answered), (offerer, agreed)] {
            side.agreement = agreement
            side.peer.apply(agreement.session, at: now)
        }
    }

    func run(for limit: MediaTime = .seconds(30), until isDone: () -> Bool) -> Bool {
        let end = now + limit
        drain()
        while !isDone() {
            let deadlines = [offerer, answerer].compactMap { $0.peer.deadline(at: now) }
            guard let next = (deadlines + [flying.first?.at].compactMap { $0 }).min(), next <= end else { return false }
            // A deadline that does not move must not stop the test.
            now = max(now + .milliseconds(1), next)
            while let packet = flying.first, packet.at <= now {
                _ = flying.popFirst()
                for side in [offerer, answerer] where side.address == packet.to {
                    var bytes = packet.bytes
                    let path = NetworkPath(.udp, local: packet.to, remote: packet.from)
                    _ = bytes.withUnsafeMutableBytes { side.peer.receive($0, over: path, at: now) }
                }
            }
            for side in [offerer, answerer] { side.peer.expire(at: now) }
            drain()
        }
        return true
    }

    private func drain() {
        for side in [offerer, answerer] {
            side.drainEvents()
            side.peer.drain(at: now) { bytes, path in
                flying.append((now + .milliseconds(10), side.address, path.remote, Array(bytes)))
            }
        }
    }
}
