/// Offer and answer (RFC 3264, 8829) as pure functions: descriptions in, descriptions and their meaning out. Nothing is
/// kept between calls; `previous` is the last agreement of the same endpoint.
package enum OfferAnswer {
    /// Our offer. Over a previous agreement, lines keep their place, mid and payload types; `local` says what is
    /// wanted now. Throws where `local` contradicts itself.
    package static func makeOffer(
        _ local: LocalCapabilities, over previous: Agreement? = nil
    ) throws(SDPError) -> SessionDescription {
        try OfferMaker(local: local, previous: previous).make()
    }

    /// Our answer, as `local` of the agreement. What we cannot do is refused line by line, with the reason in
    /// `session.media`. Throws only where the offer is no offer: mids twice, lines gone, lines that changed kind.
    package static func answer(
        _ offer: SessionDescription, with local: LocalCapabilities, over previous: Agreement? = nil
    ) throws(SDPError) -> Agreement {
        try AnswerMaker(offer: offer, local: local, previous: previous).make()
    }

    /// The peer's answer to our `offer`. Throws where it does not fit the offer.
    package static func apply(
        _ answer: SessionDescription, to offer: SessionDescription, with local: LocalCapabilities,
        over previous: Agreement? = nil
    ) throws(SDPError) -> Agreement {
        try AnswerApplier(answer: answer, offer: offer, local: local, previous: previous).apply()
    }

    /// Whether a description of the peer restarts ICE; then `local` needs a new user name and password before it
    /// answers (RFC 8839, section 4.4.1.1.1).
    package static func restartsICE(_ remote: SessionDescription, over previous: Agreement) -> Bool {
        let plan = BundlePlan(remote)
        return previous.session.transports.contains { transport in
            guard let old = transport.ice, let line = transport.lines.first, remote.media.indices.contains(line) else {
                return false
            }
            let lines = plan.groups[plan.groupOfLine[line]]
            let carrier = lines.first { remote.media[$0].port != 0 } ?? line
            guard let ufrag = remote.iceUfrag(of: carrier), let password = remote.icePassword(of: carrier) else {
                return false
            }
            return ufrag != old.ufrag || password != old.password
        }
    }
}
