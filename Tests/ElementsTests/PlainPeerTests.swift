import Core
import RTP
import SDP
import Testing
import WebRTC

/// Where packets of a plain RTP peer go, and whose are taken.
@Suite struct PlainPeerTests {
    private let now = Instant(nanoseconds: 1_000_000_000)
    private let own = SocketAddress(IPAddress(v4: 0xC000_0201), 5000)
    private let named = SocketAddress(IPAddress(v4: 0xC000_0202), 4000)
    private let other = SocketAddress(IPAddress(v4: 0xC000_0203), 4010)
    private let third = SocketAddress(IPAddress(v4: 0xC000_0204), 4020)

    private func peer(at address: String, mux: Bool = false) throws -> PlainPeer {
        var audio = MediaCapabilities.audio
        audio.ports = [PortPair(rtp: 5000, rtcp: 5001)]
        let local = LocalCapabilities(transport: .plain(PlainTransport(address: own.ip)), audio: audio, seed: 1)
        let offer = try SessionDescription(
            """
            v=0
            o=- 1 1 IN IP4 192.0.2.2
            s=-
            c=IN IP4 \(address)
            t=0 0
            m=audio 4000 RTP/AVP 0
            \(mux ? "a=rtcp-mux" : "a=sendrecv")
            """)
        let agreement = try OfferAnswer.answer(offer, with: local)
        let peer = PlainPeer(
            RTPSession.Configuration(seed: 1, origin: now, epochSeconds: 0, cname: "x"), rtp: own,
            rtcp: SocketAddress(own.ip, 5001), pool: PacketPool())
        try peer.apply(agreement.session, transport: 0, at: now)
        return peer
    }

    private func send(_ peer: PlainPeer, from remote: SocketAddress, type: UInt8 = 0, number: UInt8 = 1) {
        var packet = [0x80, type, 0, number, 0, 0, 0, number, 1, 2, 3, 4] + [UInt8](repeating: 0xFF, count: 160)
        packet.withUnsafeMutableBytes {
            peer.receive($0, over: NetworkPath(.udp, local: own, remote: remote), at: now)
        }
    }

    @Test func goesWhereTheDescriptionSays() throws {
        let peer = try peer(at: "192.0.2.2")
        #expect(peer.isConnected && peer.remoteRTP == named && peer.remoteRTCP?.port == 4001)
        #expect(try self.peer(at: "192.0.2.2", mux: true).remoteRTCP == named)
    }

    @Test func theFirstGoodPacketTellsWhereThePeerIs() throws {
        for address in ["192.0.2.2", "0.0.0.0"] {
            let peer = try peer(at: address)
            #expect(peer.isConnected == (address != "0.0.0.0"))
            send(peer, from: third, type: 55)
            #expect(peer.remoteRTP != third, "a payload type that was not agreed on proves nothing")
            send(peer, from: other)
            #expect(peer.remoteRTP == other && peer.isConnected)
        }
    }

    @Test func itIsBelievedOnce() throws {
        let peer = try peer(at: "192.0.2.2")
        send(peer, from: named)
        send(peer, from: other, number: 2)
        #expect(peer.remoteRTP == named && peer.counters.fromElsewhere == 1)
        // The same host may send from another port.
        send(peer, from: SocketAddress(named.ip, 4444), number: 3)
        #expect(peer.remoteRTP == named && peer.counters.fromElsewhere == 1)
        #expect(peer.session.incoming(.audio)?.sound?.statistics.packetsReceived == 2)
    }

    @Test func onTheHostThatIsNamedMediaGoToThePortThatIsNamed() throws {
        let peer = try peer(at: "192.0.2.2")
        send(peer, from: SocketAddress(named.ip, 4444))
        #expect(peer.remoteRTP == named && peer.session.incoming(.audio)?.sound?.statistics.packetsReceived == 1)
    }

    @Test func oneWhoIsNowhereIsSentNothing() throws {
        let peer = try peer(at: "0.0.0.0")
        var sent = 0
        peer.expire(at: now + .seconds(2))
        peer.drain(at: now + .seconds(2)) { _, _ in sent += 1 }
        #expect(sent == 0 && peer.deadline(at: now) == nil)
        send(peer, from: other)
        peer.drain(at: now + .seconds(2)) { _, _ in sent += 1 }
        // Its RTCP port is not known as long as none has come.
        #expect(sent == 0)
        peer.close(at: now) { _, _ in sent += 1 }
        #expect(sent == 0)
    }
}
