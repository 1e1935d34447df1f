import Core
import SDP
import Testing

/// `RTP/AVP` and its relatives, without ICE.
struct PlainRTPTests {
    /// RFC 3264, section 10.1.
    @Test func exampleOfTheRFC() throws {
        let offer = try SessionDescription(
            """
            v=0
            o=alice 2890844526 2890844526 IN IP4 192.0.2.20
            s=
            c=IN IP4 192.0.2.20
            t=0 0
            m=audio 49170 RTP/AVP 0
            a=rtpmap:0 PCMU/8000
            m=video 51372 RTP/AVP 31
            a=rtpmap:31 H261/90000
            m=video 53000 RTP/AVP 32
            a=rtpmap:32 MPV/90000
            """)
        let agreement = try OfferAnswer.answer(offer, with: plainRTP())
        #expect(agreement.local.media.map(\.port) == [5000, 0, 0])
        #expect(agreement.session.media.map(\.rejection) == [nil, .noCommonCodec, .noCommonCodec])
        let transport = agreement.session.transports[0]
        #expect(transport.remoteRTP?.description == "192.0.2.20:49170")
        #expect(transport.remoteRTCP?.description == "192.0.2.20:49171" && !transport.usesRTCPMux)
        #expect(agreement.local.media[0].text("rtcp") == "5001" && !agreement.session.media[0].usesFeedbackProfile)
        #expect(agreement.local.media[0].text("rtcp-fb") == nil && agreement.local.media[0].mid == nil)
        #expect(agreement.local.connection(of: 0)?.address == "192.0.2.1")
    }

    @Test func ffmpeg() throws {
        let agreement = try OfferAnswer.answer(Fixture.description("ffmpeg-av"), with: plainRTP())
        #expect(agreement.session.media.map { $0.sendCodec?.name } == ["H264", "opus"])
        #expect(agreement.session.transports.map { $0.remoteRTP?.port } == [5004, 5006])
        #expect(agreement.local.media.map(\.port) == [5002, 5000])
    }

    private let key = SDESKey(suite: .aes128SHA1x80, key: (0..<30).map { UInt8(100 + $0) })

    @Test func keysInTheDescription() throws {
        let offer = try Fixture.description("ffmpeg-srtp")
        var secure = offer
        secure.media[0].transportProtocol = "RTP/SAVP"
        let agreement = try OfferAnswer.answer(secure, with: plainRTP(crypto: [key]))
        let sdes = try #require(agreement.session.transports[0].sdes)
        #expect(sdes.local == key && sdes.remote == SDESKey(suite: key.suite, key: (0..<30).map { UInt8($0) }))
        #expect(agreement.local.media[0].crypto.first?.tag == 1)
        #expect(
            agreement.local.media[0].text("crypto")
                == "1 AES_CM_128_HMAC_SHA1_80 inline:ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CB")
        // A profile that does not fit, either way.
        #expect(try OfferAnswer.answer(offer, with: plainRTP(crypto: [key])).session.media[0].isActive == false)
        #expect(try OfferAnswer.answer(secure, with: plainRTP()).session.media[0].isActive == false)
    }

    @Test(
        "Keys that cannot be used",
        arguments: [
            "AES_CM_128_HMAC_SHA1_32 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd",
            "AES_CM_128_HMAC_SHA1_80 inline:AAEC", "AES_CM_128_HMAC_SHA1_80 uri:AAEC",
            "AES_CM_128_HMAC_SHA1_80 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd|2^20|1:4",
            "AES_CM_128_HMAC_SHA1_80 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd UNENCRYPTED_SRTP",
            "AES_CM_128_HMAC_SHA1_80 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd|2^49",
            "AES_CM_128_HMAC_SHA1_80 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd|0",
            "F8_128_HMAC_SHA1_80 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd",
        ])
    func unusable(_ crypto: String) throws {
        let good = "AES_CM_128_HMAC_SHA1_80 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd|2^20 WSH=60"
        func answer(_ lines: String) throws -> Agreement {
            try OfferAnswer.answer(sdp("m=audio 4000 RTP/SAVP 0\n\(lines)"), with: plainRTP(crypto: [key]))
        }
        #expect(try answer("a=crypto:1 \(crypto)").session.media[0].rejection == .noUsableKey)
        #expect(try answer("a=crypto:1 \(crypto)\na=crypto:2 \(good)").local.media[0].crypto.first?.tag == 2)
    }

    @Test("Lifetimes of keys", arguments: [("", nil), ("|2^20", 1 << 20), ("|2^48", 1 << 48), ("|71", 71)])
    func lifetimes(_ text: String, _ lifetime: UInt64?) throws {
        let line = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd" + text
        let agreement = try OfferAnswer.answer(sdp("m=audio 4000 RTP/SAVP 0\n\(line)"), with: plainRTP(crypto: [key]))
        #expect(try #require(agreement.session.transports[0].sdes).remote.lifetime == lifetime)
    }

    @Test func addressesAndPorts() throws {
        func transport(_ lines: String) throws -> NegotiatedTransport {
            try OfferAnswer.answer(sdp("m=audio 4000 RTP/AVPF 0\n\(lines)"), with: plainRTP()).session.transports[0]
        }
        #expect(try transport("a=rtcp:4005").remoteRTCP?.description == "192.0.2.7:4005")
        #expect(try transport("a=rtcp:4005 IN IP4 192.0.2.8").remoteRTCP?.description == "192.0.2.8:4005")
        #expect(try transport("a=rtcp-mux").remoteRTCP?.port == 4000 && transport("a=rtcp-mux").usesRTCPMux)
        #expect(try transport("c=IN IP6 2001:db8::9").remoteRTP?.description == "[2001:db8::9]:4000")
        #expect(try transport("c=IN IP4 0.0.0.0").remoteRTP == nil)
        #expect(try transport("c=IN IP4 host.example").remoteRTP == nil)
        #expect(try transport("").remoteRTCP?.port == 4001)
    }

    @Test func portsRunOut() throws {
        var local = plainRTP()
        local.audio?.lineCount = 2
        let offer = try sdp("m=audio 4000 RTP/AVP 0\nm=audio 4002 RTP/AVP 0")
        let agreement = try OfferAnswer.answer(offer, with: local)
        #expect(agreement.session.media.map(\.rejection) == [nil, .noPortLeft])
        #expect(throws: SDPError.self) { () throws in _ = try OfferAnswer.makeOffer(local) }
    }

    @Test("Two endpoints of ours", arguments: [false, true])
    func pair(_ isSecure: Bool) throws {
        let (a, b) = (plainRTP(crypto: isSecure ? [key] : []), plainRTP(crypto: isSecure ? [key] : []))
        let offer = try OfferAnswer.makeOffer(a)
        #expect(offer.media.map(\.transportProtocol) == Array(repeating: isSecure ? "RTP/SAVPF" : "RTP/AVPF", count: 2))
        #expect(offer.groups("BUNDLE").isEmpty && offer.media[1].text("rtcp") == "5003")
        #expect(offer.media.allSatisfy { $0.text("ice-ufrag") == nil && $0.mid == nil })
        let there = try OfferAnswer.answer(offer, with: b)
        let here = try OfferAnswer.apply(there.local, to: offer, with: a)
        for session in [here.session, there.session] {
            #expect(session.media.map { $0.sendCodec?.name } == ["opus", "VP8"] && session.transports.count == 2)
            #expect(session.media.allSatisfy { $0.direction == .sendrecv && $0.usesFeedbackProfile })
            #expect(session.transports.allSatisfy { ($0.sdes != nil) == isSecure && $0.remoteRTP != nil })
        }
        #expect(here.session.media[0].localSSRC != here.session.media[1].localSSRC)
    }
}
