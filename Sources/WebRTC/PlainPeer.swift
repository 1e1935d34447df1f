package import Core
package import RTP
package import SDP
package import Transport

/// One RTP session with a peer over fixed ports: RTP and RTCP, in the clear or as SRTP with keys from the description.
/// Without I/O.
///
/// Owned by an `RtpEndpoint`, on the loop: one per m-line, since each has ports of its own. In: `receive`, `expire`, and
/// what the endpoint does with `session`. After every input call `drain` and the polls of `session`; then look at
/// `deadline`.
package final class PlainPeer {
    package let session: RTPSession
    package private(set) var counters = PlainPeerCounters()
    /// Where packets go; nil until the peer has named an address or sent something.
    package var remoteRTP: SocketAddress? { rtp.remote }
    package var remoteRTCP: SocketAddress? { usesRTCPMux ? rtp.remote : rtcp.remote }
    /// With keys: protects what we send. nil for plain RTP.
    package private(set) var srtp: SRTPContext?
    package private(set) var usesRTCPMux = false
    private let local: (rtp: SocketAddress, rtcp: SocketAddress)
    private let softLimit: UInt64
    private var keys: NegotiatedSDES?
    private var rtp = Latch()
    private var rtcp = Latch()
    private let scratch: UnsafeMutableRawBufferPointer

    /// The largest datagram that is made before protection.
    private static let datagramMax = 1500

    /// `local`: what the two sockets are bound to. `softLimit`: after how many packets a key counts as used up soon.
    package init(
        _ configuration: RTPSession.Configuration, rtp: SocketAddress, rtcp: SocketAddress, pool: PacketPool,
        softLimit: UInt64 = SRTPContext.defaultSoftLimit
    ) {
        session = RTPSession(configuration, pool: pool)
        local = (rtp, rtcp)
        self.softLimit = softLimit
        scratch = .allocate(byteCount: PlainPeer.datagramMax + SRTPContext.maxOverhead + 4, alignment: 8)
    }

    deinit { scratch.deallocate() }

    /// Packets have somewhere to go.
    package var isConnected: Bool { rtp.remote != nil }

    // MARK: Agreement

    /// What an offer and its answer say of one transport; also again, after a renegotiation.
    package func apply(
        _ negotiated: NegotiatedSession, transport index: Int, at now: Instant
    ) throws(TransportError) {
        guard negotiated.transports.indices.contains(index) else { return }
        let transport = negotiated.transports[index]
        usesRTCPMux = transport.usesRTCPMux
        rtp.named(transport.remoteRTP)
        rtcp.named(transport.remoteRTCP)
        var sdes = transport.sdes
        let lifetime = sdes?.remote.lifetime ?? 0
        // The same key under another lifetime is no new key.
        sdes?.remote.lifetime = nil
        if let sdes, sdes != keys {
            guard let sending = SRTPKey(sdes.local), let receiving = SRTPKey(sdes.remote) else {
                throw TransportError(call: "a=crypto", text: "the key does not fit \(sdes.local.suite.rawValue)")
            }
            let context = SRTPContext(softLimit: softLimit)
            try context.install(
                sending: sending, receiving: receiving, receivingLifetime: lifetime)
            srtp = context
            keys = sdes
        }
        session.apply(negotiated, transport: index, at: now)
    }

    // MARK: In

    /// One datagram that came to one of our sockets. Changed in place.
    package func receive(_ packet: UnsafeMutableRawBufferPointer, over path: NetworkPath, at now: Instant) {
        counters.bytesReceived += packet.count
        counters.packetsReceived += 1
        let isControl =
            usesRTCPMux
            ? RTCPPacket.isRTCP(UnsafeRawBufferPointer(packet).bytes) : path.local.port == local.rtcp.port
        guard isControl && !usesRTCPMux ? rtcp.admits(path) : rtp.admits(path) else {
            counters.fromElsewhere += 1
            return
        }
        let count: Int
        do throws(SRTPContext.Failure) {
            count =
                try isControl
                ? srtp?.unprotectRTCP(packet) ?? packet.count
                : srtp?.unprotectRTP(packet) ?? packet.count
        } catch {
            counters.unprotectable += 1
            return
        }
        let clear = UnsafeRawBufferPointer(rebasing: packet[..<count]).bytes
        let isOurs =
            isControl ? session.receiveRTCP(clear, at: now) : session.receiveRTP(clear, at: now)
        // Only what makes sense, with keys only what is authentic, tells where the peer really is.
        guard isOurs else { return }
        if isControl && !usesRTCPMux { rtcp.heard(path) } else { rtp.heard(path) }
    }

    // MARK: Out

    /// Hands everything that is to be sent now to `send`.
    package func drain(at now: Instant, send: (UnsafeRawBufferPointer, NetworkPath) -> Void) {
        guard let media = rtp.path(from: local.rtp) else { return }
        let control = usesRTCPMux ? media : rtcp.path(from: local.rtcp)
        let room = UnsafeMutableRawBufferPointer(rebasing: scratch[..<PlainPeer.datagramMax])
        while let packet = session.poll(into: room, at: now) {
            switch packet {
            case .rtp(let count): transmit(count, media, isControl: false, send)
            case .rtcp(let count): if let control { transmit(count, control, isControl: true, send) }
            }
        }
    }

    /// Says good-bye, as far as anything has been said.
    package func close(at now: Instant, send: (UnsafeRawBufferPointer, NetworkPath) -> Void) {
        guard let path = usesRTCPMux ? rtp.path(from: local.rtp) : rtcp.path(from: local.rtcp) else { return }
        let count = session.writeGoodbye(into: scratch)
        if count > 0 { transmit(count, path, isControl: true, send) }
    }

    private func transmit(
        _ count: Int, _ path: NetworkPath, isControl: Bool, _ send: (UnsafeRawBufferPointer, NetworkPath) -> Void
    ) {
        var count = count
        do throws(SRTPContext.Failure) {
            if let srtp {
                count = try isControl ? srtp.protectRTCP(scratch, count: count) : srtp.protectRTP(scratch, count: count)
            }
        } catch {
            counters.unprotectable += 1
            return
        }
        counters.bytesSent += count
        counters.packetsSent += 1
        send(UnsafeRawBufferPointer(rebasing: scratch[..<count]), path)
    }

    // MARK: Time

    package func deadline(at now: Instant) -> Instant? { isConnected ? session.deadline(at: now) : nil }

    package func expire(at now: Instant) { session.expire(at: now) }
}

/// Where one kind of packets goes: to the address that the description names, or, if the first good packet comes from
/// another host, as behind a NAT, to where that came from (symmetric RTP, RFC 4961). That is believed once. On the host
/// that is named a peer may send from one port and listen at another, as tools do that send and receive apart (RFC 3264,
/// section 5.1).
private struct Latch {
    private(set) var remote: SocketAddress?
    private var isSettled = false
    /// Our own address that the peer sends to, where the socket is bound to any.
    private var localIP: IPAddress?

    mutating func named(_ address: SocketAddress?) {
        if let address, !isSettled || address.ip == remote?.ip { remote = address }
    }

    /// Once it is known where the peer is, others are not listened to. Its port may change: senders that are started
    /// again take any.
    func admits(_ path: NetworkPath) -> Bool { !isSettled || path.remote.ip == remote?.ip }

    mutating func heard(_ path: NetworkPath) {
        localIP = path.local.ip
        guard !isSettled else { return }
        isSettled = true
        if path.remote.ip != remote?.ip { remote = path.remote }
    }

    func path(from local: SocketAddress) -> NetworkPath? {
        guard let remote else { return nil }
        return NetworkPath(.udp, local: SocketAddress(localIP ?? local.ip, local.port), remote: remote)
    }
}

extension SRTPKey {
    /// A key of a description.
    package init?(_ key: SDESKey) {
        guard let profile = SRTPProfile(rawValue: key.suite.rawValue) else { return nil }
        self.init(profile, key.key)
    }
}

/// What went, and what came and could not be used, by reason.
package struct PlainPeerCounters: Hashable, Sendable {
    package var packetsReceived = 0
    package var bytesReceived = 0
    package var packetsSent = 0
    package var bytesSent = 0
    /// From another host than the peer's.
    package var fromElsewhere = 0
    package var unprotectable = 0
    package init() {}
}
