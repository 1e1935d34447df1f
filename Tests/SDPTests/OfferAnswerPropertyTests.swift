import Core
import SDP
import Testing

/// Properties of offer and answer over generated endpoints; a failure is a seed.
struct OfferAnswerPropertyTests {
    private struct Generator {
        var random: SeededRandom
        init(seed: UInt64) { random = SeededRandom(seed: seed) }

        mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

        mutating func media(_ standard: MediaCapabilities) -> MediaCapabilities? {
            guard chance(85) else { return nil }
            var media = standard
            media.codecs = media.codecs.shuffled(using: &random).filter { _ in chance(70) }
            for index in media.codecs.indices {
                if chance(20) { media.codecs[index].canSend = false }
                if chance(20) { media.codecs[index].rtxPayloadType = nil }
                media.codecs[index].feedback.shuffle(using: &random)
            }
            media.extensions = media.extensions.shuffled(using: &random).filter { _ in chance(80) }
            media.direction = MediaDirection.allCases.randomElement(using: &random) ?? .sendrecv
            media.lineCount = Int.random(in: 0...3, using: &random)
            if chance(50) { media.receiveBandwidthMax = Int.random(in: 0...5000, using: &random) }
            if chance(50) { media.simulcast = SimulcastCapability(layersMax: 3, offeredRIDs: ["a", "b", "c"]) }
            media.ports = (0..<media.lineCount).map { line in
                let port = UInt16(4000 + 2 * line)
                return PortPair(rtp: port, rtcp: port + 1)
            }
            return media
        }

        mutating func endpoint(isPlain: Bool) -> LocalCapabilities {
            let role = [SetupRole.active, .passive].randomElement(using: &random) ?? .active
            let web = WebRTCTransport(
                ufrag: "user\(random.next())", password: "passwordpassword\(random.next())",
                fingerprints: [testFingerprint], answerRole: role,
                candidates: chance(50) ? ["candidate:1 1 udp 1 192.0.2.1 9 typ host"] : [],
                transportsMax: Int.random(in: 1...2, using: &random))
            var local = LocalCapabilities(
                transport: isPlain ? .plain(PlainTransport(address: .loopbackV4)) : .webRTC(web),
                audio: media(.audio), video: media(.video), data: chance(50) && !isPlain ? DataCapabilities() : nil,
                seed: random.next())
            local.codecPreference = chance(50) ? .local : .remote
            local.allowsMixedExtensions = chance(50)
            return local
        }
    }

    /// What must hold between the two sides of one exchange.
    private func check(_ here: NegotiatedSession, _ there: NegotiatedSession) {
        #expect(here.media.map(\.isActive) == there.media.map(\.isActive))
        #expect(here.transports.map(\.lines) == there.transports.map(\.lines))
        for (one, other) in zip(here.transports, there.transports) where one.ice != nil {
            #expect(one.isDTLSClient != other.isDTLSClient)
        }
        for (one, other) in zip(here.media, there.media) where one.isActive {
            #expect(one.mid == other.mid && one.kind == other.kind)
            #expect(one.extensions.map(\.uri).sorted() == other.extensions.map(\.uri).sorted())
            guard one.kind != .data else { continue }
            #expect(!one.direction.sends || other.direction.receives || other.codecs.isEmpty)
            #expect(Set(one.codecs.map(\.payloadType)) == Set(other.codecs.map(\.receivePayloadType)))
            for codec in one.codecs {
                // What one side sends, the other expects there, as the same thing.
                let format = other.receive[codec.payloadType]
                #expect(format?.name.lowercased() == codec.name.lowercased() && format?.role == .media)
                if let rtx = codec.rtxPayloadType, codec.canSend {
                    #expect(other.receive[rtx]?.role == .retransmission(of: codec.payloadType))
                }
            }
            #expect(Set(one.send.keys).isSubset(of: other.receive.keys))
        }
    }

    @Test("Both sides understand each other", arguments: 0..<80)
    func exchange(_ seed: Int) throws {
        var generator = Generator(seed: UInt64(seed))
        let isPlain = generator.chance(30)
        let (a, b) = (generator.endpoint(isPlain: isPlain), generator.endpoint(isPlain: isPlain))
        // Lines without any codec cannot be offered.
        guard
            [a.audio, a.video].allSatisfy({ $0.map { $0.lineCount == 0 || $0.codecs.contains(where: isCodec) } ?? true }
            )
        else { return }
        let offer = try OfferAnswer.makeOffer(a)
        #expect(try SessionDescription(offer.description) == offer)
        let there = try OfferAnswer.answer(offer, with: b)
        #expect(try SessionDescription(there.local.description) == there.local)
        #expect(there.local.media.map(\.media) == offer.media.map(\.media))
        #expect(there.local.media.map(\.mid) == offer.media.map(\.mid))
        for (answered, offered) in zip(there.local.media, offer.media) {
            #expect(Set(answered.formats).isSubset(of: offered.formats))
        }
        let here = try OfferAnswer.apply(there.local, to: offer, with: a)
        check(here.session, there.session)
        try again(a, b, here, there)
    }

    private func isCodec(_ codec: CodecCapability) -> Bool {
        !["red", "ulpfec", "flexfec-03", "telephone-event", "CN"].contains(codec.name)
    }

    /// The same once more, from either side: nothing moves.
    private func again(_ a: LocalCapabilities, _ b: LocalCapabilities, _ here: Agreement, _ there: Agreement) throws {
        let offer = try OfferAnswer.makeOffer(a, over: here)
        #expect(offer.media.prefix(here.local.media.count).map(\.media) == here.local.media.map(\.media))
        let answer = try OfferAnswer.answer(offer, with: b, over: there)
        check(try OfferAnswer.apply(answer.local, to: offer, with: a, over: here).session, answer.session)
        let same = try OfferAnswer.answer(here.local, with: b, over: there)
        #expect(same.local == there.local)

        guard
            [b.audio, b.video].allSatisfy({ $0.map { $0.lineCount == 0 || $0.codecs.contains(where: isCodec) } ?? true }
            )
        else { return }
        let back = try OfferAnswer.makeOffer(b, over: there)
        let reply = try OfferAnswer.answer(back, with: a, over: here)
        let applied = try OfferAnswer.apply(reply.local, to: back, with: b, over: there)
        check(applied.session, reply.session)
        for (old, new) in zip(there.session.media, applied.session.media) where old.isActive && new.isActive {
            #expect(old.mid == new.mid && old.localSSRC == new.localSSRC)
            for codec in old.codecs where new.codecs.contains(where: { $0.name == codec.name }) {
                #expect(new.codecs.contains { $0.receivePayloadType == codec.receivePayloadType })
            }
        }
    }
}
