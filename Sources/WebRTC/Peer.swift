package import Core
package import ICE
package import RTP
package import SDP
package import Transport

/// One WebRTC peer: ICE, DTLS, SRTP, SCTP and RTP as one machine without I/O.
///
/// Owned by an endpoint, on the loop. In: `receive`, `expire`, and what the endpoint does with `ice`, `session` and
/// `data`. After every input call `drain` (what is to be sent), `pollEvent` and the polls of `session`; then look at
/// `deadline`.
package final class Peer {
    package struct Configuration {
        package var ice = ICEConfiguration()
        package var role: ICERole
        package var dtls: DTLSContext
        package var session: RTPSession.Configuration
        /// Everything random comes from it; it must be unpredictable.
        package var seed: UInt64
        /// What datagrams are marked with for routers (RFC 2474); nil: as all of the server's are.
        package var dscp: UInt8?

        package init(role: ICERole, dtls: DTLSContext, session: RTPSession.Configuration, seed: UInt64) {
            self.role = role
            self.dtls = dtls
            self.session = session
            self.seed = seed
        }
    }

    package enum Event: Hashable, Sendable {
        case dtls(DTLSConnection.State, reason: String?)
        /// Both ways are up: media may pass. Once per DTLS association.
        case connected
        case data(DataChannels.Event)
    }

    package let ice: ICEAgent
    package let session: RTPSession
    /// Another one after a new DTLS association: an SCTP association does not outlive the one it runs over.
    package private(set) var data = DataChannels()
    package private(set) var dtls: DTLSConnection
    package private(set) var srtp = SRTPContext()
    /// Another number whenever `srtp.sources` has changed.
    package var sourcesRevision: Int { pastRevisions &+ srtp.sourcesRevision }
    private var pastRevisions = 0
    private var strayFailures = SecondBudget()
    /// Packets in a second from unknown addresses with one of our sources' SSRCs and a tag that does not fit. More are
    /// not looked at: somebody knows the SSRC, and not the key.
    private static let strayFailuresMax = 20
    package private(set) var counters = PeerCounters()
    /// Our own shared ports. A remote candidate that is one of them is another peer of this server: both would have the
    /// same pair of addresses, so each needs a socket of its own.
    package var sharedAddresses: Set<SocketAddress> = []
    /// The paths from our shared ports to an address of the peer's that are another peer's. Two peers over one pair of
    /// addresses could not be told apart, once it is DTLS and SRTP that comes.
    package var foreignPaths: (SocketAddress) -> [NetworkPath] = { _ in [] }
    /// The other side is behind one of `sharedAddresses`, or shares its port among several of our peers.
    package private(set) var needsOwnSockets = false
    package var dscp: UInt8? { configuration.dscp }
    private let configuration: Configuration
    private var agreement: NegotiatedTransport?
    private var negotiatedData: NegotiatedData?
    package private(set) var dtlsRole = DTLSConnection.Role.server
    private var hasStartedDTLS = false
    private var events = Deque<Event>()
    /// The way that media went last.
    private var lastPath: NetworkPath?
    private let scratch: UnsafeMutableRawBufferPointer

    /// The largest datagram that is made, and room for SRTP's tag and TURN's header.
    private static let datagramMax = 1500

    package init(_ configuration: Configuration, credentials: ICECredentials? = nil, pool: PacketPool) {
        self.configuration = configuration
        ice = ICEAgent(configuration.ice, role: configuration.role, seed: configuration.seed, credentials: credentials)
        dtls = DTLSConnection(context: configuration.dtls)
        session = RTPSession(configuration.session, pool: pool)
        scratch = .allocate(
            byteCount: ICERoute.headerCountMax + Peer.datagramMax + SRTPContext.maxOverhead + 4, alignment: 8)
    }

    deinit { scratch.deallocate() }

    package var isConnected: Bool { dtls.state == .connected && ice.selectedRoute != nil }

    // MARK: Agreement

    /// What an offer and its answer say; also again, after a renegotiation.
    package func apply(_ negotiated: NegotiatedSession, at now: Instant) {
        guard let transport = negotiated.transports.first else { return }
        if agreement != nil, transport.isNewDTLSAssociation {
            dtls.close(at: now)
            data.end(abort: true, at: now)
            while let event = data.pollEvent() { events.append(.data(event)) }
            data = DataChannels()
            dtls = DTLSConnection(context: configuration.dtls)
            pastRevisions &+= srtp.sourcesRevision &+ 1
            srtp = SRTPContext()
            hasStartedDTLS = false
        }
        agreement = transport
        negotiatedData = negotiated.media.first { $0.isActive && $0.data != nil }?.data
        dtlsRole = transport.isDTLSClient ? .client : .server
        if let remote = transport.ice {
            ice.setRemote(
                ICECredentials(ufrag: remote.ufrag, password: remote.password), isLite: remote.isLite, at: now)
            for text in remote.candidates {
                if let candidate = try? ICECandidate(text) { addRemote(candidate, at: now) }
            }
            if remote.hasEndOfCandidates { ice.endOfRemoteCandidates(at: now) }
        }
        session.apply(negotiated, at: now)
        startDTLS(at: now)
    }

    /// A candidate of the peer's, at any time.
    package func addRemote(_ candidate: ICECandidate, at now: Instant) {
        if let address = candidate.address, sharedAddresses.contains(address) {
            needsOwnSockets = true
            return
        }
        if candidate.transport == .udp, let address = candidate.address {
            for path in foreignPaths(address) { exclude(path, at: now) }
        }
        ice.addRemote(candidate, at: now)
    }

    /// A path of our shared port is another peer's: sockets of our own are needed.
    package func exclude(_ path: NetworkPath, at now: Instant) {
        needsOwnSockets = true
        ice.exclude(path, at: now)
    }

    /// The server waits for the client's hello from the start; the client speaks once there is a way.
    private func startDTLS(at now: Instant) {
        guard !hasStartedDTLS, let agreement, dtlsRole == .server || ice.selectedRoute != nil else { return }
        hasStartedDTLS = true
        events.append(.dtls(.connecting, reason: nil))
        // Both rooms have a `Fingerprint`: one is text in a description, the other proves a certificate.
        let fingerprints = agreement.fingerprints.compactMap {
            Transport.Fingerprint(algorithm: $0.algorithm, hex: $0.text)
        }
        dtls.start(dtlsRole, fingerprints: fingerprints, at: now)
        settleDTLS(at: now)
    }

    // MARK: In

    /// One datagram, or a whole message of a stream. Changed in place. Returns whether the sender has proved that this
    /// path belongs to this peer.
    @discardableResult
    package func receive(_ bytes: UnsafeMutableRawBufferPointer, over path: NetworkPath, at now: Instant) -> Bool {
        let inner: UnsafeMutableRawBufferPointer
        switch ice.receive(UnsafeRawBufferPointer(bytes).bytes, over: path, at: now) {
        case .consumed: return false
        case .authenticated:
            startDTLS(at: now)
            return true
        case .dropped: return false
        case .application(let range): inner = UnsafeMutableRawBufferPointer(rebasing: bytes[range])
        }
        guard let kind = inner.first else { return false }
        counters.packetsReceived += 1
        counters.bytesReceived += inner.count
        switch kind {
        case 20..<64:
            dtls.receive(UnsafeRawBufferPointer(inner), at: now)
            settleDTLS(at: now)
        case 128..<192: receiveSRTP(inner, at: now)
        default: counters.unknownKind += 1
        }
        return false
    }

    /// Media from an address that nobody is known at, by its SSRC perhaps this peer's; changed in place. Only a tag that
    /// fits makes it ours: then it is taken in, and the address is checked. Returns whether it was.
    package func receiveStray(
        _ packet: UnsafeMutableRawBufferPointer, over path: NetworkPath, at now: Instant
    ) -> Bool {
        guard ice.selectedRoute != nil, srtp.isReady, strayFailures.hasLeft(Peer.strayFailuresMax, at: now) else {
            return false
        }
        let count = packet.count
        guard receiveSRTP(packet, at: now) else {
            _ = strayFailures.take(Peer.strayFailuresMax, at: now)
            return false
        }
        counters.packetsReceived += 1
        counters.bytesReceived += count
        ice.heardAuthentic(over: path, at: now)
        return true
    }

    @discardableResult
    private func receiveSRTP(_ packet: UnsafeMutableRawBufferPointer, at now: Instant) -> Bool {
        guard srtp.isReady else {
            counters.early += 1
            return false
        }
        do throws(SRTPContext.Failure) {
            if RTCPPacket.isRTCP(UnsafeRawBufferPointer(packet).bytes) {
                let count = try srtp.unprotectRTCP(packet)
                session.receiveRTCP(UnsafeRawBufferPointer(rebasing: packet[..<count]).bytes, at: now)
            } else {
                let count = try srtp.unprotectRTP(packet)
                session.receiveRTP(UnsafeRawBufferPointer(rebasing: packet[..<count]).bytes, at: now)
            }
            return true
        } catch {
            counters.unprotectable += 1
            return false
        }
    }

    private func settleDTLS(at now: Instant) {
        while let event = dtls.pollEvent() {
            switch event {
            case .connected(let keys):
                if let keys {
                    do { try srtp.install(keys, role: dtlsRole) } catch {
                        events.append(.dtls(.failed, reason: error.description))
                        continue
                    }
                }
                events.append(.dtls(.connected, reason: nil))
                if let negotiatedData {
                    data.start(
                        role: dtlsRole, remoteLimit: Int(clamping: negotiatedData.sendMessageSizeMax),
                        configuration: association(negotiatedData), at: now)
                }
                events.append(.connected)
            case .failed(let failure): events.append(.dtls(.failed, reason: failure.description))
            case .closed:
                data.end(abort: true, at: now)
                events.append(.dtls(.closed, reason: nil))
            }
        }
        while dtls.pollApplicationData({ data.receive($0, at: now) }) != nil {}
    }

    private func association(_ negotiated: NegotiatedData) -> SCTPAssociation.Configuration {
        var configuration = SCTPAssociation.Configuration()
        configuration.localPort = negotiated.localPort
        configuration.remotePort = negotiated.remotePort
        return configuration
    }

    // MARK: Out

    package func pollEvent() -> Event? {
        if let event = events.popFirst() { return event }
        return data.pollEvent().map { .data($0) }
    }

    /// Hands everything that is to be sent now to `send`: datagrams, and whole messages for TCP paths.
    package func drain(at now: Instant, send: (UnsafeRawBufferPointer, NetworkPath) -> Void) {
        startDTLS(at: now)
        while let message = ice.pollTransmit() { message.bytes.withUnsafeBytes { send($0, message.path) } }
        guard let route = ice.selectedRoute else { return }
        // What is to be sent stands behind the room for the longest header, so that nothing is moved.
        let body = UnsafeMutableRawBufferPointer(rebasing: scratch[ICERoute.headerCountMax...])
        while data.pollPacket({ dtls.send($0, at: now) }) != nil {}
        while let count = dtls.pollDatagram({ datagram -> Int in
            body.copyMemory(from: datagram)
            return datagram.count
        }) {
            transmit(count, route, send)
        }
        guard srtp.isReady else { return }
        if let lastPath, lastPath != route.path { session.routeChanged(at: now) }
        lastPath = route.path
        let room = UnsafeMutableRawBufferPointer(rebasing: body[..<Peer.datagramMax])
        while let packet = session.poll(into: room, at: now) {
            do throws(SRTPContext.Failure) {
                switch packet {
                case .rtp(let count): transmit(try srtp.protectRTP(body, count: count), route, send)
                case .rtcp(let count): transmit(try srtp.protectRTCP(body, count: count), route, send)
                }
            } catch {
                counters.unprotectable += 1
            }
        }
    }

    private func transmit(
        _ count: Int, _ route: ICERoute, _ send: (UnsafeRawBufferPointer, NetworkPath) -> Void
    ) {
        let header = route.headerCount
        let start = ICERoute.headerCountMax - header
        route.writeHeader(count, into: UnsafeMutableRawBufferPointer(rebasing: scratch[start...]))
        let trailer = route.trailerCount(count)
        let end = ICERoute.headerCountMax + count + trailer
        for index in (end - trailer)..<end { scratch[index] = 0 }
        counters.bytesSent += count
        counters.packetsSent += 1
        send(UnsafeRawBufferPointer(rebasing: scratch[start..<end]), route.path)
    }

    // MARK: Time

    package func deadline(at now: Instant) -> Instant? {
        var next = ice.deadline
        for time in [dtls.deadline, data.deadline, srtp.isReady ? session.deadline(at: now) : nil] {
            if let time { next = min(next ?? time, time) }
        }
        return next
    }

    package func expire(at now: Instant) {
        ice.expire(at: now)
        dtls.expire(at: now)
        settleDTLS(at: now)
        data.expire(at: now)
        if srtp.isReady { session.expire(at: now) }
    }

    /// Says good-bye; `drain` once more afterwards.
    package func close(at now: Instant) {
        data.end(abort: false, at: now)
        dtls.close(at: now)
        ice.close(at: now)
    }
}

/// What came and could not be used, by reason; and what went.
package struct PeerCounters: Hashable, Sendable {
    /// First byte of no protocol we speak.
    package var unknownKind = 0
    /// SRTP before the handshake was over.
    package var early = 0
    package var unprotectable = 0
    /// Without what ICE says; before SRTP and DTLS are taken off, after they were put on.
    package var packetsSent = 0
    package var bytesSent = 0
    package var packetsReceived = 0
    package var bytesReceived = 0
    package init() {}
}
