import Core

/// Everything that bytes of a peer reach in this room, with the properties that must hold for any bytes.
package enum SDPFuzz {
    /// Parses, prints, parses again; answers as an offer, and applies as an answer.
    package static func run(_ bytes: [UInt8]) {
        guard let description = try? SessionDescription(bytes: bytes) else { return }
        let printed = description.description
        guard let again = try? SessionDescription(printed) else {
            // Only growth over a limit may refuse what we printed: CRLF for LF, numbers spelt out.
            precondition(bytes.count > SDPLimits.lineBytesMax / 2, "what was printed does not parse")
            return
        }
        precondition(again.description == printed, "printing is not stable")
        for local in endpoints {
            answer(description, local)
            apply(description, local)
        }
    }

    /// The same, for bytes in place.
    package static func run(_ bytes: RawSpan) { run(bytes.withUnsafeBytes { [UInt8]($0) }) }

    private static func answer(_ offer: SessionDescription, _ local: LocalCapabilities) {
        guard let agreement = try? OfferAnswer.answer(offer, with: local) else { return }
        precondition(agreement.local.media.count == offer.media.count, "an answer has the lines of its offer")
        precondition(
            (try? SessionDescription(agreement.local.description)) == agreement.local, "an answer of ours parses")
        _ = try? OfferAnswer.makeOffer(local, over: agreement)
        guard let second = try? OfferAnswer.answer(offer, with: local, over: agreement) else {
            preconditionFailure("the same offer again is answered again")
        }
        precondition(second.local == agreement.local, "the same offer again has the same answer")
        precondition(!OfferAnswer.restartsICE(offer, over: agreement), "the same offer again restarts nothing")
    }

    private static func apply(_ answer: SessionDescription, _ local: LocalCapabilities) {
        guard let offer = try? OfferAnswer.makeOffer(local),
            let agreement = try? OfferAnswer.apply(answer, to: offer, with: local)
        else { return }
        _ = try? OfferAnswer.makeOffer(local, over: agreement)
        _ = try? OfferAnswer.answer(answer, with: local, over: agreement)
    }

    /// One endpoint of each kind, with everything it can do.
    private static let endpoints: [LocalCapabilities] = {
        let fingerprint = Fingerprint(algorithm: "sha-256", bytes: [UInt8](repeating: 7, count: 32))
        let webRTC = LocalCapabilities(
            transport: .webRTC(
                WebRTCTransport(
                    ufrag: "fuzz", password: "fuzzfuzzfuzzfuzzfuzzfuzz", fingerprints: [fingerprint],
                    candidates: ["candidate:1 1 udp 1 192.0.2.1 9 typ host"], transportsMax: 2)),
            audio: .audio, video: .video, data: DataCapabilities(), seed: 1)
        func plain(_ crypto: [SDESKey]) -> LocalCapabilities {
            var (audio, video) = (MediaCapabilities.audio, MediaCapabilities.video)
            audio.ports = [PortPair(rtp: 5000, rtcp: 5001)]
            video.ports = [PortPair(rtp: 5002, rtcp: 5003)]
            return LocalCapabilities(
                transport: .plain(PlainTransport(address: .loopbackV4, crypto: crypto)), audio: audio, video: video,
                seed: 2)
        }
        return [
            webRTC, plain([]),
            plain([SDESKey(suite: .aes128SHA1x80, key: [UInt8](repeating: 9, count: SRTPSuite.aes128SHA1x80.keyBytes))]
            ),
        ]
    }()
}
