import Core
import SDP
import Testing

struct RenegotiationTests {
    /// Two endpoints of ours that make offers to each other.
    struct Pair {
        var a = webRTC(ufrag: "aaaa", seed: 11)
        var b = webRTC(ufrag: "bbbb", seed: 12)
        var atA: Agreement?
        var atB: Agreement?

        mutating func offerFromA() throws {
            let offer = try OfferAnswer.makeOffer(a, over: atA)
            let there = try OfferAnswer.answer(offer, with: b, over: atB)
            atA = try OfferAnswer.apply(there.local, to: offer, with: a, over: atA)
            atB = there
        }
        mutating func offerFromB() throws {
            swap(&a, &b)
            swap(&atA, &atB)
            try offerFromA()
            swap(&a, &b)
            swap(&atA, &atB)
        }
        func here() throws -> Agreement { try #require(atA) }
        func there() throws -> Agreement { try #require(atB) }
    }

    @Test func sameAgain() throws {
        var pair = Pair()
        try pair.offerFromA()
        let first = try pair.here()
        #expect(!first.session.transports[0].isDTLSClient)
        #expect(try pair.there().session.transports[0].isDTLSClient)
        try pair.offerFromA()
        #expect(try pair.here() == first)
        // Now the other side offers: roles, numbers and lines stay.
        try pair.offerFromB()
        let turned = try pair.here()
        #expect(!turned.session.transports[0].isDTLSClient && !turned.session.transports[0].isICERestart)
        #expect(turned.session.media.map(\.mid) == first.session.media.map(\.mid))
        #expect(turned.session.media.map(\.receive) == first.session.media.map(\.receive))
        #expect(turned.session.media.map(\.localSSRC) == first.session.media.map(\.localSSRC))
        #expect(
            turned.local.origin.sessionVersion == "2" && turned.local.origin.sessionID == first.local.origin.sessionID)
    }

    @Test func directionsChange() throws {
        var pair = Pair()
        try pair.offerFromA()
        pair.a.video?.direction = .inactive
        try pair.offerFromA()
        #expect(try pair.there().session.media[1].direction == .inactive)
        #expect(try pair.here().local.media[1].port == 9)
        pair.a.video?.direction = .sendonly
        try pair.offerFromA()
        #expect(try pair.there().session.media[1].direction == .recvonly)
        #expect(try pair.here().local.origin.sessionVersion == "3")
    }

    @Test func linesComeAndGo() throws {
        var pair = Pair()
        pair.a.data = nil
        pair.b.video?.lineCount = 2
        try pair.offerFromA()
        pair.a.video?.lineCount = 2
        pair.a.data = DataCapabilities()
        try pair.offerFromA()
        #expect(try pair.here().local.media.map(\.mid) == ["audio0", "video0", "video1", "application0"])
        #expect(try pair.there().session.media.allSatisfy(\.isActive))
        // Audio is given up, and its place refused.
        let audio = pair.a.audio
        pair.a.audio = nil
        try pair.offerFromA()
        #expect(try pair.here().session.media.map(\.isActive) == [false, true, true, true])
        #expect(try pair.here().local.groups("BUNDLE").first?.mids == ["video0", "video1", "application0"])
        #expect(try pair.here().session.transports[0].lines == [1, 2, 3])
        // The place is taken again, under a new mid.
        pair.a.audio = audio
        try pair.offerFromA()
        #expect(try pair.here().local.media.map(\.mid) == ["audio1", "video0", "video1", "application0"])
        #expect(try pair.there().session.media.allSatisfy(\.isActive))
    }

    @Test func iceRestart() throws {
        var pair = Pair()
        try pair.offerFromA()
        guard case .webRTC(var transport) = pair.a.transport else { return }
        transport.ufrag = "cccc"
        pair.a.transport = .webRTC(transport)
        let offer = try OfferAnswer.makeOffer(pair.a, over: pair.here())
        #expect(try OfferAnswer.restartsICE(offer, over: pair.there()))
        #expect(try !OfferAnswer.restartsICE(pair.here().local, over: pair.there()))
        try pair.offerFromA()
        let session = try pair.there().session
        #expect(session.transports[0].isICERestart && !session.transports[0].isNewDTLSAssociation)
        #expect(session.transports[0].isDTLSClient && session.transports[0].ice?.ufrag == "cccc")
        try pair.offerFromA()
        #expect(try !pair.there().session.transports[0].isICERestart)
    }

    @Test func newCertificate() throws {
        var pair = Pair()
        try pair.offerFromA()
        guard case .webRTC(var transport) = pair.a.transport else { return }
        transport.fingerprints = [Fingerprint(algorithm: "sha-256", bytes: [UInt8](repeating: 1, count: 32))]
        pair.a.transport = .webRTC(transport)
        try pair.offerFromA()
        #expect(try pair.there().session.transports[0].isNewDTLSAssociation)
    }

    @Test func linesMayNotVanishOrChange() throws {
        var pair = Pair()
        try pair.offerFromA()
        let offer = try pair.here().local
        let previous = try pair.there()
        var fewer = offer
        fewer.media.removeLast()
        var swapped = offer
        swapped.media.swapAt(0, 1)
        for wrong in [fewer, swapped] {
            #expect(throws: SDPError.self) { () throws in
                _ = try OfferAnswer.answer(wrong, with: pair.b, over: previous)
            }
        }
    }

    @Test func numbersOfTheBrowserStay() throws {
        let browser = try Fixture.description("chromium-offer-media")
        let first = try OfferAnswer.answer(browser, with: webRTC())
        let offer = try OfferAnswer.makeOffer(webRTC(), over: first)
        #expect(offer.media.map(\.mid) == ["0", "1", "2"])
        let opus = try #require(first.session.media[0].sendCodec)
        #expect(offer.media[0].formats.first == "\(opus.payloadType)")
        for media in first.session.media.prefix(2) {
            let section = offer.media[media.index]
            for codec in media.codecs {
                let map = section.attributes.compactMap { attribute -> RTPMap? in
                    if case .rtpmap(let map) = attribute, map.payloadType == codec.payloadType { map } else { nil }
                }
                #expect(map.first?.name.lowercased() == codec.name.lowercased())
            }
            let known = Dictionary(uniqueKeysWithValues: offer.extensions(of: media.index).map { ($0.uri, $0.id) })
            #expect(media.extensions.allSatisfy { known[$0.uri] == $0.id })
        }
        // No number means two things, over both lines.
        var meanings: [UInt8: RTPMap] = [:]
        for case .rtpmap(let map) in offer.media.flatMap(\.attributes) {
            #expect(meanings.updateValue(map, forKey: map.payloadType) ?? map == map)
        }
        #expect(offer.media.allSatisfy { Set($0.formats).count == $0.formats.count })
    }
}
