import Core
import SDP
import Testing

struct OfferTests {
    @Test func shape() throws {
        let offer = try OfferAnswer.makeOffer(webRTC())
        #expect(offer.name == "Tessera" && offer.media.map(\.media) == ["audio", "video", "application"])
        #expect(offer.groups("BUNDLE").map(\.mids) == [["audio0", "video0", "application0"]])
        #expect(offer.media.map(\.mid) == ["audio0", "video0", "application0"])
        #expect(offer.media.allSatisfy { $0.port == 9 && $0.text("setup") == "actpass" && $0.text("ice-pwd") != nil })
        #expect(offer.media[0].formats == ["96", "100", "9", "0", "8", "97", "98", "99"])
        // Browsers refuse sound with two sources: those of its retransmissions are not named.
        #expect(!offer.media[0].attributes.contains { if case .ssrcGroup = $0 { true } else { false } })
        #expect(offer.media[0].text("fmtp") == "96 minptime=10;useinbandfec=1")
        #expect(offer.media[2].transportProtocol == "UDP/DTLS/SCTP" && offer.media[2].text("sctp-port") == "5000")
        #expect(try SessionDescription(offer.description) == offer)
        #expect(try OfferAnswer.makeOffer(webRTC()) == offer)
        #expect(try OfferAnswer.makeOffer(webRTC(seed: 2)) != offer)
        let types = offer.media.prefix(2).flatMap(\.formats)
        #expect(Set(types).count == types.count)
    }

    @Test func partsLeftOut() throws {
        var local = webRTC(data: false)
        local.video = nil
        #expect(try OfferAnswer.makeOffer(local).media.map(\.media) == ["audio"])
        local = webRTC(lines: 2)
        local.video?.direction = .sendonly
        local.audio?.direction = .recvonly
        let offer = try OfferAnswer.makeOffer(local)
        #expect(offer.media.map(\.mid) == ["audio0", "audio1", "video0", "video1", "application0"])
        #expect(offer.direction(of: 0) == .recvonly && offer.direction(of: 2) == .sendonly)
        #expect(offer.media[0].text("ssrc") == nil && offer.media[2].text("ssrc") != nil)
        #expect(offer.media[2].formats == offer.media[3].formats)
        #expect(offer.media[2].text("ssrc") != offer.media[3].text("ssrc"))
    }

    @Test func candidates() throws {
        var local = webRTC()
        guard case .webRTC(var transport) = local.transport else { return }
        transport.candidates = ["candidate:1 1 udp 1 192.0.2.1 9 typ host"]
        transport.isGatheringComplete = true
        transport.isLite = true
        local.transport = .webRTC(transport)
        var offer = try OfferAnswer.makeOffer(local)
        #expect(offer.media.map(\.candidates.count) == [1, 0, 0] && offer.media[0].has(.endOfCandidates))
        #expect(offer.has(.iceLite))
        offer.add(candidates: ["candidate:2 1 udp 1 192.0.2.2 9 typ host"], isComplete: false)
        #expect(offer.media.map(\.candidates.count) == [2, 0, 0])
    }

    /// Browsers that answer with fewer formats than were offered go on sending within RED.
    @Test func whatWasOfferedMayComeThoughTheAnswerLeavesItOut() throws {
        let offer = try Fixture.description("ours-media")
        var answer = try Fixture.description("chromium-answer-media")
        answer.media[1].formats = ["102", "103"]
        let video = try OfferAnswer.apply(answer, to: offer, with: webRTC(seed: 7)).session.media[1]
        #expect(video.codecs.map(\.name) == ["VP8"])
        #expect(video.receive[126]?.role == .redundancy && video.receive[102]?.role == .media)
    }

    @Test(
        "Answers of browsers and tools to our offer",
        arguments: [
            ("chromium-answer-media", MediaDirection.sendrecv), ("chromium-answer-recvonly", .sendonly),
            ("firefox-answer-media", .sendrecv), ("firefox-answer-recvonly", .sendonly),
            ("aiortc-answer-media", .sendonly),
        ])
    func applied(_ name: String, _ direction: MediaDirection) throws {
        let offer = try Fixture.description("ours-media")
        let agreement = try OfferAnswer.apply(Fixture.description(name), to: offer, with: webRTC(seed: 7))
        let session = agreement.session
        #expect(session.media.map(\.direction) == [direction, direction, .sendrecv])
        #expect(session.media.map { $0.sendCodec?.name } == ["opus", "VP8", nil] && session.transports.count == 1)
        #expect(session.media[1].sendCodec?.rtxPayloadType == 103 && session.media[1].receive[103] != nil)
        #expect(session.media[2].data?.remotePort == 5000 && !session.transports[0].isDTLSClient)
        #expect(offer.media[1].text("ssrc") == "\(session.media[1].localSSRC) cname:\(webRTC(seed: 7).cname)")
    }

    @Test("Simulcast that we ask for", arguments: ["chromium", "firefox"])
    func simulcast(_ browser: String) throws {
        let offer = try Fixture.description("ours-simulcast")
        let answer = try Fixture.description("\(browser)-answer-simulcast")
        let session = try OfferAnswer.apply(answer, to: offer, with: webRTC(seed: 7)).session
        #expect(session.media[1].simulcast.map(\.rid) == ["h", "m", "l"])
    }

    private func answered(_ change: (inout SessionDescription) -> Void) throws -> Agreement {
        let offer = try OfferAnswer.makeOffer(webRTC())
        var answer = try OfferAnswer.answer(offer, with: webRTC(seed: 9)).local
        change(&answer)
        return try OfferAnswer.apply(answer, to: offer, with: webRTC())
    }

    private func replace(_ name: String, _ line: Int, _ text: String, in answer: inout SessionDescription) {
        answer.media[line].attributes.removeAll { $0.description.hasPrefix("\(name):") || $0.description == name }
        if !text.isEmpty, let parsed = try? sdp("m=audio 9 RTP/AVP 0\n\(text)") {
            answer.media[line].attributes += parsed.media[0].attributes
        }
    }

    @Test func answersThatDoNotFit() throws {
        #expect(throws: Never.self) { () throws in _ = try answered { _ in } }
        let faults: [(String, (inout SessionDescription) -> Void)] = [
            ("m-lines", { $0.media.removeLast() }), ("offered as", { $0.media.swapAt(0, 1) }),
            ("has mid", { self.replace("mid", 0, "a=mid:x", in: &$0) }),
            ("rtcp-mux", { self.replace("rtcp-mux", 1, "", in: &$0) }),
            ("active or passive", { self.replace("setup", 0, "a=setup:actpass", in: &$0) }),
            ("ice-ufrag", { self.replace("ice-ufrag", 0, "", in: &$0) }),
            ("fingerprint", { self.replace("fingerprint", 0, "", in: &$0) }),
            ("no codec", { $0.media[1].formats = ["50"] }),
            ("has `RTP/X`", { $0.media[0].transportProtocol = "RTP/X" }),
            ("sctp-port", { self.replace("sctp-port", 2, "", in: &$0) }),
        ]
        for (reason, fault) in faults {
            let error = #expect(throws: SDPError.self) { () throws in _ = try answered(fault) }
            #expect(error?.text.contains(reason) == true, "\(reason): \(error?.text ?? "")")
        }
    }

    @Test func answersThatLeaveThingsOut() throws {
        let refused = try answered {
            $0.media[1].port = 0
            $0.attributes = [.group(MediaGroup(semantics: "BUNDLE", mids: ["audio0", "application0"]))]
        }
        #expect(refused.session.media.map(\.rejection) == [nil, .byPeer, nil])
        #expect(refused.session.transports[0].lines == [0, 2])
        // Without the bundle only the first line has a transport.
        let unbundled = try answered { $0.attributes = [] }
        #expect(unbundled.session.media.map(\.rejection) == [nil, .tooManyTransports, .tooManyTransports])
        let passive = try answered { self.replace("setup", 0, "a=setup:passive", in: &$0) }
        #expect(passive.session.transports[0].isDTLSClient)
        let silent = try answered { self.replace("setup", 0, "", in: &$0) }
        #expect(!silent.session.transports[0].isDTLSClient)
    }

    @Test func numbersMayDiffer() throws {
        // The peer wants VP8 as 96 where we offered 102: we send with theirs and receive with ours.
        let agreement = try answered { answer in
            answer.media[1].formats = ["96", "97"]
            answer.media[1].attributes.removeAll {
                ["rtpmap", "fmtp", "rtcp-fb"].contains($0.description.prefix { $0 != ":" })
            }
            answer.media[1].attributes += [
                .rtpmap(RTPMap(payloadType: 96, name: "vp8", clockRate: 90000)),
                .rtpmap(RTPMap(payloadType: 97, name: "rtx", clockRate: 90000)), .fmtp(format: "97", "apt=96"),
            ]
        }
        let codec = try #require(agreement.session.media[1].sendCodec)
        #expect(codec.payloadType == 96 && codec.receivePayloadType == 102 && codec.rtxPayloadType == 97)
        #expect(agreement.session.media[1].receive[103]?.role == .retransmission(of: 102))
        #expect(agreement.session.media[1].send[97]?.role == .retransmission(of: 96) && codec.feedback.isEmpty)
    }
}
