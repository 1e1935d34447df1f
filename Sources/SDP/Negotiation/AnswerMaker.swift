import Core

/// Makes the answer to one offer, line by line. A line that cannot be used is refused, with its reason.
struct AnswerMaker {
    let offer: SessionDescription
    let local: LocalCapabilities
    let previous: Agreement?

    private var plan: BundlePlan
    private var reasons: [Int: RejectionReason] = [:]
    /// Lines of each kind taken so far.
    private var counts: [MediaKind: Int] = [:]
    /// Groups of lines that have a transport.
    private var usedGroups: [Int] = []

    init(offer: SessionDescription, local: LocalCapabilities, previous: Agreement?) {
        self.offer = offer
        self.local = local
        self.previous = previous
        if case .webRTC = local.transport {
            plan = BundlePlan(offer)
        } else {
            plan = BundlePlan(offer, bundles: false)
        }
    }

    consuming func make() throws(SDPError) -> Agreement {
        try OfferCheck.check(offer, previous: previous)
        var media: [MediaDescription] = []
        for line in offer.media.indices {
            do throws(RejectionReason) {
                media.append(try accept(line))
            } catch {
                reasons[line] = error
                media.append(SectionBuilder.refused(offer.media[line]))
            }
        }
        var answer = SessionDescription.own(local, previous: previous?.local, media: media)
        answer.attributes = sessionAttributes(media)
        if case .webRTC(let transport) = local.transport {
            answer.add(candidates: transport.candidates, isComplete: transport.isGatheringComplete)
        }
        answer.raiseVersion(over: previous?.local)
        let reader = SessionReader(
            local: answer, remote: offer, capabilities: local, isAnswerer: true, reasons: reasons, previous: previous)
        return Agreement(local: answer, remote: offer, session: try reader.read())
    }

    private func sessionAttributes(_ media: [MediaDescription]) -> [Attribute] {
        guard case .webRTC(let transport) = local.transport else { return [] }
        var attributes: [Attribute] = []
        if transport.isLite { attributes.append(.iceLite) }
        for group in offer.groups(MediaGroup.bundle) {
            // RFC 9143, section 7.3.1: the group stays, with the lines that are left.
            let lines = plan.groups.first { !$0.isEmpty && group.mids.contains(offer.media[$0[0]].mid ?? "") } ?? []
            let mids = lines.filter { media[$0].port != 0 }.compactMap { offer.media[$0].mid }
            attributes.append(.group(MediaGroup(semantics: MediaGroup.bundle, mids: mids)))
        }
        if local.allowsMixedExtensions, offer.has(.extmapAllowMixed) { attributes.append(.extmapAllowMixed) }
        return attributes
    }

    private mutating func accept(_ line: Int) throws(RejectionReason) -> MediaDescription {
        let offered = offer.media[line]
        let isBundled = plan.groups[plan.groupOfLine[line]].count > 1
        guard offered.port != 0 || (isBundled && offered.has(.bundleOnly)) else { throw .byPeer }
        guard let kind = MediaKind(media: offered.media) else { throw .mediaUnsupported(offered.media) }
        let section: MediaDescription
        switch kind {
        case .data: section = try acceptData(line)
        case .audio, .video: section = try acceptRTP(line, kind)
        }
        counts[kind, default: 0] += 1
        let group = plan.groupOfLine[line]
        if !usedGroups.contains(group) { usedGroups.append(group) }
        return section
    }

    private func acceptData(_ line: Int) throws(RejectionReason) -> MediaDescription {
        let offered = offer.media[line]
        guard let data = local.data, case .webRTC(let transport) = local.transport else {
            throw .mediaUnsupported(offered.media)
        }
        guard TransportProtocol.isData(offered.transportProtocol), offered.sctp != nil else {
            throw .protocolUnsupported(offered.transportProtocol)
        }
        guard counts[.data, default: 0] < 1 else { throw .tooManyLines }
        var section = SectionBuilder(
            local, line: line, media: offered.media, transportProtocol: offered.transportProtocol, mid: offered.mid)
        section.addTransport(transport, role: try role(line, transport))
        section.addData(data, isOldForm: offered.transportProtocol == "DTLS/SCTP")
        return section.media
    }

    private func acceptRTP(_ line: Int, _ kind: MediaKind) throws(RejectionReason) -> MediaDescription {
        let offered = offer.media[line]
        guard let capabilities = local.media(kind) else { throw .mediaUnsupported(offered.media) }
        let place = counts[kind, default: 0]
        guard place < capabilities.lineCount else { throw .tooManyLines }
        var section = SectionBuilder(
            local, line: line, media: offered.media, transportProtocol: offered.transportProtocol, mid: offered.mid)
        var usesFeedback = TransportProtocol.hasFeedback(offered.transportProtocol)
        switch local.transport {
        case .webRTC(let transport):
            usesFeedback = true
            guard TransportProtocol.isRTPOverDTLS(offered.transportProtocol),
                TransportProtocol.isSecure(offered.transportProtocol) || !offer.fingerprints(of: line).isEmpty
            else { throw .protocolUnsupported(offered.transportProtocol) }
            guard offered.has(.rtcpMux) else { throw .noRTCPMux }
            section.addTransport(transport, role: try role(line, transport))
            section.add(.rtcp(port: 9, .anyV4))
        case .plain(let transport):
            try addPlain(transport, to: &section, line, place, capabilities)
        }
        guard
            let choice = FormatChoice(
                FormatTable(offered), local: capabilities, preference: local.codecPreference,
                usesFeedback: usesFeedback)
        else { throw .noCommonCodec }
        addMedia(choice, to: &section, line, capabilities)
        return section.media
    }

    private func addPlain(
        _ transport: PlainTransport, to section: inout SectionBuilder, _ line: Int, _ place: Int,
        _ capabilities: MediaCapabilities
    ) throws(RejectionReason) {
        let offered = offer.media[line]
        guard TransportProtocol.isPlainRTP(offered.transportProtocol),
            TransportProtocol.isSecure(offered.transportProtocol) != transport.crypto.isEmpty
        else { throw .protocolUnsupported(offered.transportProtocol) }
        guard place < capabilities.ports.count else { throw .noPortLeft }
        let muxes = transport.acceptsRTCPMux && offered.has(.rtcpMux)
        section.addTransport(transport, ports: capabilities.ports[place], muxes: muxes)
        guard !transport.crypto.isEmpty else { return }
        guard let (tag, keys) = RemoteTransport.sdes(offered, local: transport.crypto) else { throw .noUsableKey }
        section.add(keys.local.attribute(tag: tag))
    }

    private func addMedia(
        _ choice: FormatChoice, to section: inout SectionBuilder, _ line: Int, _ capabilities: MediaCapabilities
    ) {
        let offered = offer.media[line]
        let extensions = ExtensionChoice.answer(
            offer.extensions(of: line), local: capabilities.extensions,
            mixes: local.allowsMixedExtensions && offer.mixesExtensions(of: line))
        if local.allowsMixedExtensions, offered.has(.extmapAllowMixed) { section.add(.extmapAllowMixed) }
        section.media.attributes += extensions.map { .extmap($0) }
        let able = MediaDirection(send: choice.canSend, receive: choice.canReceive)
        let direction = capabilities.direction.intersection(able).intersection(offer.direction(of: line).reversed)
        section.add(.direction(direction))
        let isWebRTC = if case .webRTC = local.transport { true } else { false }
        if direction.sends, isWebRTC { section.add(.msid(stream: local.cname, track: offered.mid ?? offered.media)) }
        if isWebRTC { section.add(.rtcpMux) }
        if offered.has(.rtcpReducedSize) { section.add(.rtcpReducedSize) }
        if offered.has(.receiverReferenceTime) { section.add(.receiverReferenceTime) }
        section.addFormats(choice.entries)
        if let ptime = capabilities.ptime { section.add(.ptime(Double(ptime))) }
        section.addBandwidth(capabilities)
        if direction.receives {
            let simulcast = SimulcastChoice(offered, capability: capabilities.simulcast, extensions: extensions)
            section.addSimulcast(simulcast.rids, streams: simulcast.streams)
        }
        if direction.sends {
            section.addSources(hasRetransmissions: choice.entries.contains { $0.associatedType != nil })
        }
    }

    /// Our DTLS role, and whether the line's transport can be used at all.
    private func role(_ line: Int, _ transport: WebRTCTransport) throws(RejectionReason) -> SetupRole {
        let group = plan.groupOfLine[line]
        guard usedGroups.contains(group) || usedGroups.count < transport.transportsMax else {
            throw .tooManyTransports
        }
        let lines = plan.groups[group]
        let remote = try RemoteTransport.webRTC(offer, lines: lines)
        switch offer.setup(of: lines.first { offer.media[$0].port != 0 } ?? line) {
        // RFC 4145, section 4.1: without the attribute an offer means active.
        case .active, nil: return .passive
        case .passive: return .active
        case .holdconn: throw .noUsableRole
        case .actpass:
            // RFC 8842, section 5.5: an association that goes on keeps its roles.
            if let old = previous?.session.transport(of: line), Set(old.fingerprints) == Set(remote.fingerprints),
                old.tlsID == remote.tlsID
            {
                return old.isDTLSClient ? .active : .passive
            }
            return transport.answerRole == .passive ? .passive : .active
        }
    }
}
