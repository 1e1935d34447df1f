import Core
import SDP
import Testing

struct AnswerTests {
    /// Fixture, kinds of its lines, the codec we then send, and how many transports.
    struct Expectation: Sendable, CustomStringConvertible {
        var name: String
        var codecs: [String?]
        var description: String { name }
    }

    static let offers = [
        Expectation(name: "chromium-offer-media", codecs: ["opus", "VP8", nil]),
        Expectation(name: "chromium-offer-recvonly", codecs: ["opus", "VP8"]),
        Expectation(name: "chromium-offer-several", codecs: ["VP8", "opus", "VP8", "opus"]),
        Expectation(name: "firefox-offer-media", codecs: ["opus", "VP8", nil]),
        Expectation(name: "firefox-offer-recvonly", codecs: ["opus", "VP8"]),
        Expectation(name: "firefox-offer-several", codecs: ["VP8", "opus", "VP8", "opus"]),
        Expectation(name: "aiortc-offer-media", codecs: ["opus", "VP8", nil]),
        Expectation(name: "safari-offer", codecs: ["opus", "VP8", nil]),
        // After what users of Safari 12 and of one with H.265 have published, with other names, keys and addresses
        // (issues 178 of aiortc; 902 and 1965 of amazon-kinesis-video-streams-webrtc-sdk-c).
        Expectation(name: "safari-12-offer", codecs: ["opus", "VP8", nil]),
        Expectation(name: "safari-h265-offer", codecs: ["opus", "VP8", nil]),
        Expectation(name: "gstreamer-webrtcbin-offer", codecs: ["VP8", "opus"]),
        Expectation(name: "ours-media", codecs: ["opus", "VP8", nil]),
    ]

    @Test("Offers of browsers and tools are answered in full", arguments: offers)
    func answers(_ expected: Expectation) throws {
        let offer = try Fixture.description(expected.name)
        let agreement = try OfferAnswer.answer(offer, with: webRTC(lines: 2))
        let session = agreement.session
        #expect(session.media.map { $0.sendCodec?.name.lowercased() } == expected.codecs.map { $0?.lowercased() })
        #expect(session.media.allSatisfy { $0.isActive && $0.transport == 0 } && session.transports.count == 1)
        #expect(agreement.local.media.map(\.mid) == offer.media.map(\.mid))
        #expect(agreement.local.media.map(\.media) == offer.media.map(\.media))
        #expect(agreement.local.groups("BUNDLE").map(\.mids) == offer.groups("BUNDLE").map(\.mids))
        #expect(agreement.local.media.allSatisfy { $0.port == 9 && $0.text("setup") == "active" })
        #expect(session.transports[0].isDTLSClient && session.transports[0].ice != nil)
        #expect(try SessionDescription(agreement.local.description) == agreement.local)
        for media in session.media where media.kind != .data {
            #expect(media.usesFeedbackProfile && !media.receive.isEmpty)
            #expect(media.codecs.allSatisfy { media.receive[$0.receivePayloadType]?.role == .media })
        }
    }

    @Test("Simulcast of browsers is accepted", arguments: ["chromium-offer-simulcast", "firefox-offer-simulcast"])
    func simulcast(_ name: String) throws {
        let agreement = try OfferAnswer.answer(Fixture.description(name), with: webRTC())
        let video = try #require(agreement.session.media.first { $0.kind == .video })
        #expect(video.simulcast.map(\.rid) == ["h", "m", "l"] && video.direction == .recvonly)
        let section = agreement.local.media[video.index]
        #expect(section.text("simulcast") == "recv h;m;l" && section.count("rid") == 3)
        #expect(video.extensions.contains { $0.uri == ExtensionURI.rid } && video.sendCodec == nil)
        #expect(section.count("ssrc") == 0)

        var without = webRTC()
        without.video?.simulcast = nil
        let plain = try OfferAnswer.answer(Fixture.description(name), with: without)
        #expect(plain.session.media[video.index].simulcast.isEmpty)
        var two = webRTC()
        two.video?.simulcast = SimulcastCapability(layersMax: 2)
        let fewer = try OfferAnswer.answer(Fixture.description(name), with: two)
        #expect(fewer.session.media[video.index].simulcast.map(\.rid) == ["h", "m"])
    }

    @Test func whip() throws {
        let offer = try Fixture.description("obs-whip-offer")
        let agreement = try OfferAnswer.answer(offer, with: webRTC())
        let session = agreement.session
        #expect(session.media.map(\.direction) == [.recvonly, .recvonly] && session.transports.count == 1)
        #expect(
            session.transports[0].ice?.candidates.count == 1 && session.transports[0].ice?.hasEndOfCandidates == true)
        #expect(session.transports[0].ice?.isTrickling == true && !session.media[0].allowsReducedSizeRTCP)
        #expect(session.media[1].codecs.map(\.name) == ["H264"] && session.media[1].remoteSources.first?.ssrc == 3002)
        #expect(session.media[0].codecs[0].remoteParameters.int("maxaveragebitrate") == 96_000)
        #expect(agreement.local.groups("LS").isEmpty)
    }

    @Test func safariInDetail() throws {
        let agreement = try OfferAnswer.answer(Fixture.description("safari-offer"), with: webRTC())
        let video = agreement.session.media[1]
        #expect(video.codecs.map(\.name) == ["VP8", "H264", "H264"])
        #expect(video.codecs[0].payloadType == 100 && video.codecs[0].rtxPayloadType == 101)
        #expect(
            video.receive[101]?.role == .retransmission(of: 100) && video.receive[125]?.role == .forwardErrorCorrection)
        #expect(video.send[127] == nil && video.receive[127]?.role == .redundancy)
        #expect(video.remoteSources.map(\.ssrc) == [2001, 2002] && video.remoteSources[0].cname == "safari")
        #expect(video.remoteSourceGroups == [SourceGroup(semantics: "FID", ssrcs: [2001, 2002])])
        #expect(video.sendExtension(ExtensionURI.mid) == 4 && video.localRTXSSRC != nil)
        let audio = agreement.session.media[0]
        #expect(audio.codecs.map(\.name) == ["opus", "G722", "PCMU", "PCMA"])
        let opus = try #require(audio.sendCodec)
        #expect(audio.sendPayloadType(of: .redundancy, for: opus) == 63)
        #expect(audio.sendPayloadType(of: .events, for: opus) == 110)
        #expect(audio.sendPayloadType(of: .events, for: audio.codecs[2]) == 126)
        #expect(audio.receive[103] == nil && agreement.session.media[2].data?.remotePort == 5000)
        #expect(agreement.local.media[0].formats == ["111", "9", "0", "8", "63", "110", "126"])

        var theirs = webRTC()
        theirs.codecPreference = .remote
        let other = try OfferAnswer.answer(Fixture.description("safari-offer"), with: theirs)
        #expect(other.session.media[1].codecs.map(\.payloadType) == [96, 98, 100])
    }

    @Test func firefoxRed() throws {
        let agreement = try OfferAnswer.answer(Fixture.description("firefox-offer-media"), with: webRTC())
        #expect(agreement.session.media[1].receive.values.contains { $0.role == .redundancy })
        #expect(agreement.session.transports[0].remoteRTP == nil)
    }

    /// One audio line with `extra` added, answered by an endpoint with everything.
    private func line(
        _ extra: String, media: String = "audio 9 UDP/TLS/RTP/SAVPF 111", session: String = "",
        with local: LocalCapabilities = webRTC()
    ) throws -> NegotiatedMedia {
        let offer = try sdp("m=\(media)\na=rtpmap:111 opus/48000/2\n\(extra)", session: session)
        let agreement = try OfferAnswer.answer(offer, with: local)
        #expect((agreement.local.media[0].port == 0) == !agreement.session.media[0].isActive)
        return agreement.session.media[0]
    }

    @Test func refusals() throws {
        let lines = transportLines
        func without(_ name: String) -> String {
            lines.split(separator: "\n").filter { !$0.hasPrefix("a=\(name)") }.joined(separator: "\n")
        }
        #expect(try line(lines).rejection == nil)
        #expect(try line(without("rtcp-mux")).rejection == .noRTCPMux)
        #expect(try line(without("ice-ufrag")).rejection == .noICECredentials)
        #expect(try line(without("ice-pwd") + "\na=ice-pwd:short").rejection == .noICECredentials)
        #expect(try line(without("fingerprint")).rejection == .noFingerprint)
        #expect(try line(without("fingerprint") + "\na=fingerprint:sha-256 00:11").rejection == .noFingerprint)
        #expect(try line(without("setup") + "\na=setup:holdconn").rejection == .noUsableRole)
        #expect(try line(without("setup")).rejection == nil)
        #expect(try line(lines, media: "audio 0 UDP/TLS/RTP/SAVPF 111").rejection == .byPeer)
        #expect(try line("a=bundle-only\n" + lines, media: "audio 0 UDP/TLS/RTP/SAVPF 111").rejection == .byPeer)
        #expect(try line(lines, media: "text 9 UDP/TLS/RTP/SAVPF 111").rejection == .mediaUnsupported("text"))
        #expect(try line("", media: "audio 9 RTP/AVP 111").rejection == .protocolUnsupported("RTP/AVP"))
        #expect(try line(lines, media: "audio 9 TCP/MSRP *").rejection == .protocolUnsupported("TCP/MSRP"))
        #expect(try line(lines, media: "audio 9 UDP/TLS/RTP/SAVPF 112 113").rejection == .noCommonCodec)
        var local = webRTC()
        local.audio = nil
        #expect(try line(lines, with: local).rejection == .mediaUnsupported("audio"))
        local = webRTC(lines: 0)
        #expect(try line(lines, with: local).rejection == .tooManyLines)
        // Only helpers in common.
        let helper = "a=rtpmap:112 telephone-event/8000\n" + lines
        #expect(try line(helper, media: "audio 9 UDP/TLS/RTP/SAVPF 112").rejection == .noCommonCodec)
        // Everything at the top, and the profile of old days.
        #expect(try line("a=rtcp-mux", session: without("rtcp-mux")).rejection == nil)
        #expect(try line(lines, media: "audio 9 RTP/SAVPF 111").rejection == nil)
    }

    @Test func linesOutsideTheBundle() throws {
        let audio = "m=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:a\n\(transportLines)\n"
        let video = "m=video 9 UDP/TLS/RTP/SAVPF 96\na=mid:v\na=rtpmap:96 VP8/90000\n\(transportLines)\n"
        let offer = try sdp(audio + video)
        let one = try OfferAnswer.answer(offer, with: webRTC())
        #expect(one.session.media.map(\.rejection) == [nil, .tooManyTransports] && one.local.media[1].port == 0)
        var local = webRTC()
        if case .webRTC(var transport) = local.transport {
            transport.transportsMax = 2
            local.transport = .webRTC(transport)
        }
        let two = try OfferAnswer.answer(offer, with: local)
        #expect(two.session.media.map(\.transport) == [0, 1] && two.session.transports.count == 2)
        // The first line of a bundle may be refused and still carry the transport.
        let bundled = try sdp(
            "m=text 9 UDP/TLS/RTP/SAVPF 99\na=mid:t\n\(transportLines)\nm=video 0 UDP/TLS/RTP/SAVPF 96\n"
                + "a=mid:v\na=bundle-only\na=rtpmap:96 VP8/90000\na=rtcp-mux",
            session: "a=group:BUNDLE t v")
        let answer = try OfferAnswer.answer(bundled, with: webRTC())
        #expect(answer.session.media.map(\.rejection) == [.mediaUnsupported("text"), nil])
        #expect(answer.local.groups("BUNDLE").first?.mids == ["v"] && answer.local.media[1].port == 9)
    }

    @Test("Directions", arguments: MediaDirection.allCases, MediaDirection.allCases)
    func directions(_ offered: MediaDirection, _ own: MediaDirection) throws {
        var local = webRTC()
        local.audio?.direction = own
        let media = try line("a=\(offered.rawValue)\n\(transportLines)", with: local)
        #expect(media.direction == own.intersection(offered.reversed))
        #expect((media.sendCodec != nil) == (own.sends && offered.receives))
    }

    @Test func codecsThatOnlyReceive() throws {
        var local = webRTC()
        local.audio?.codecs = [CodecCapability.audio[0]]
        local.audio?.codecs[0].canSend = false
        let media = try line(transportLines, with: local)
        #expect(media.direction == .recvonly && media.send.isEmpty && media.receive[111] != nil)
    }

    @Test func bandwidthAndTimes() throws {
        var local = webRTC()
        local.audio?.receiveBandwidthMax = 64
        local.audio?.ptime = 20
        let offer = try sdp(
            "m=audio 9 UDP/TLS/RTP/SAVPF 0\nb=AS:300\nb=TIAS:250000\na=ptime:40\na=maxptime:60\n\(transportLines)")
        let agreement = try OfferAnswer.answer(offer, with: local)
        let media = agreement.session.media[0]
        #expect(media.sendBandwidthMax == 250_000 && media.ptime == 40 && media.maxptime == 60)
        #expect(agreement.local.media[0].bandwidths == [Bandwidth(type: "AS", value: 64)])
        #expect(agreement.local.media[0].ptime == 20)
    }

    @Test func extensions() throws {
        let media = try line(
            """
            a=extmap-allow-mixed
            a=extmap:1/sendonly \(ExtensionURI.audioLevel)
            a=extmap:2 urn:unknown
            a=extmap:2 \(ExtensionURI.mid)
            a=extmap:20 \(ExtensionURI.absoluteSendTime)
            a=extmap:4096 \(ExtensionURI.transportSequenceNumber)
            \(transportLines)
            """)
        // The first map of a number counts, among those we know; Firefox allows mixed headers in the line.
        #expect(media.extensions.map(\.id) == [1, 2, 20] && media.extensions[0].direction == .recvonly)
        #expect(media.allowsMixedExtensions)
        #expect(media.sendExtension(ExtensionURI.audioLevel) == nil)
        let mixed = try line(
            "a=extmap:20 \(ExtensionURI.mid)\n\(transportLines)", session: "a=extmap-allow-mixed")
        #expect(mixed.extensions.map(\.id) == [20])
        let narrow = try line("a=extmap:20 \(ExtensionURI.mid)\n\(transportLines)")
        #expect(narrow.extensions.isEmpty && !narrow.allowsMixedExtensions)
    }

    @Test func dataInBothForms() throws {
        let old = try sdp(
            "m=application 9 DTLS/SCTP 5001\na=sctpmap:5001 webrtc-datachannel 256\n\(transportLines)")
        let agreement = try OfferAnswer.answer(old, with: webRTC())
        let data = try #require(agreement.session.media[0].data)
        #expect(data.localPort == 5000 && data.remotePort == 5001 && data.sendMessageSizeMax == 65_536)
        #expect(agreement.local.media[0].formats == ["5000"] && agreement.local.media[0].text("sctpmap") != nil)
        let refused = try OfferAnswer.answer(old, with: webRTC(data: false))
        #expect(refused.session.media[0].rejection == .mediaUnsupported("application"))
    }

    @Test func noOffer() throws {
        let twice = try sdp("m=audio 9 RTP/AVP 0\na=mid:x\nm=video 9 RTP/AVP 96\na=mid:x")
        #expect(throws: SDPError.self) { () throws in _ = try OfferAnswer.answer(twice, with: webRTC()) }
        let empty = try OfferAnswer.answer(SessionDescription("v=0"), with: webRTC())
        #expect(empty.local.media.isEmpty && empty.session.media.isEmpty)
    }

    @Test func kurentoShape() throws {
        let answer = try OfferAnswer.answer(Fixture.description("chromium-offer-media"), with: webRTC()).local
        #expect(answer.description.contains("\r\ns=Tessera\r\n"))
        for media in answer.media.prefix(2) {
            #expect(media.text("rtcp") == "9 IN IP4 0.0.0.0" && media.has(.rtcpMux) && media.text("ssrc") != nil)
        }
    }
}
