import Core

/// What every offer must keep to, and what an answer must keep to besides. Lines are named by index and kind.
enum OfferCheck {
    /// Mids are unique (RFC 5888, section 4); over a previous description, lines stay (RFC 3264, section 8).
    static func check(_ offer: SessionDescription, previous: Agreement?) throws(SDPError) {
        var mids: Set<String> = []
        for media in offer.media {
            guard let mid = media.mid else { continue }
            guard mids.insert(mid).inserted else { throw SDPError("the mid `\(mid)` stands at two m-lines") }
        }
        guard let previous else { return }
        let before = previous.remote.media
        guard offer.media.count >= before.count else {
            throw SDPError("\(offer.media.count) m-lines where there were \(before.count); refuse with port 0")
        }
        for (line, (old, new)) in zip(before, offer.media).enumerated() where !previous.isRefused(line) {
            guard new.isRefused || (old.media == new.media && old.mid == new.mid) else {
                throw SDPError(
                    "\(name(line, new)) was `\(old.media)` with mid `\(old.mid ?? "")` before; only a refused line may change"
                )
            }
        }
    }

    static func check(
        _ answer: SessionDescription, to offer: SessionDescription, isWebRTC: Bool
    ) throws(SDPError) {
        guard answer.media.count == offer.media.count else {
            throw SDPError("the answer has \(answer.media.count) m-lines, the offer \(offer.media.count)")
        }
        for (line, (ours, theirs)) in zip(offer.media, answer.media).enumerated() {
            let name = name(line, theirs)
            guard ours.media == theirs.media else {
                throw SDPError("\(name) was offered as `\(ours.media)`")
            }
            if let mid = theirs.mid, let own = ours.mid, mid != own {
                throw SDPError("\(name) has mid `\(mid)`, offered was `\(own)`")
            }
            guard theirs.port != 0 else { continue }
            guard !ours.isRefused else { throw SDPError("\(name) was offered with port 0 and cannot be used") }
            let isSame =
                ours.transportProtocol == theirs.transportProtocol
                || (isWebRTC && TransportProtocol.isRTPOverDTLS(ours.transportProtocol)
                    && TransportProtocol.isRTPOverDTLS(theirs.transportProtocol))
            guard isSame else {
                throw SDPError("\(name) has `\(theirs.transportProtocol)`, offered was `\(ours.transportProtocol)`")
            }
            guard !isWebRTC || ours.media == "application" || theirs.has(.rtcpMux) else {
                throw SDPError("\(name): \(RejectionReason.noRTCPMux)")
            }
        }
    }

    static func name(_ line: Int, _ media: MediaDescription) -> String { "m-line \(line) (\(media.media.prefix(20)))" }
}

/// Takes the peer's answer to an offer of ours.
struct AnswerApplier {
    let answer: SessionDescription
    let offer: SessionDescription
    let local: LocalCapabilities
    let previous: Agreement?

    func apply() throws(SDPError) -> Agreement {
        let isWebRTC = if case .webRTC = local.transport { true } else { false }
        try OfferCheck.check(answer, to: offer, isWebRTC: isWebRTC)
        let reader = SessionReader(
            local: offer, remote: answer, capabilities: local, isAnswerer: false, reasons: [:], previous: previous)
        return Agreement(local: offer, remote: answer, session: try reader.read())
    }
}
