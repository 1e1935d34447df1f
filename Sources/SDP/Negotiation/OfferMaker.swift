import Core

/// Makes our offers: audio, video, data, in this order; over a previous agreement, lines stay where they are.
struct OfferMaker {
    let local: LocalCapabilities
    let previous: Agreement?

    private var numbers: NumberAllocator
    private var mids: Set<String> = []
    /// Lines of each kind so far.
    private var counts: [MediaKind: Int] = [:]

    init(local: LocalCapabilities, previous: Agreement?) {
        self.local = local
        self.previous = previous
        numbers = NumberAllocator(local, previous: previous)
        for description in [previous?.local, previous?.remote] {
            mids.formUnion((description?.media ?? []).compactMap(\.mid))
        }
    }

    private func wanted(_ kind: MediaKind) -> Int {
        switch kind {
        case .audio, .video: local.media(kind)?.lineCount ?? 0
        case .data: if local.data != nil, case .webRTC = local.transport { 1 } else { 0 }
        }
    }

    consuming func make() throws(SDPError) -> SessionDescription {
        var media: [MediaDescription] = []
        var free: [Int] = []
        for (line, old) in (previous?.local.media ?? []).enumerated() {
            if let kind = MediaKind(media: old.media), previous?.session.media[line].isActive ?? false,
                counts[kind, default: 0] < wanted(kind)
            {
                media.append(try section(kind, line: line, old: old))
                counts[kind, default: 0] += 1
            } else {
                if previous?.isRefused(line) ?? false { free.append(line) }
                media.append(SectionBuilder.refused(old))
            }
        }
        for kind in [MediaKind.audio, .video, .data] {
            while counts[kind, default: 0] < wanted(kind) {
                // JSEP recycles the places of refused lines (RFC 8829, section 5.2.2).
                let line = free.isEmpty ? media.count : free.removeFirst()
                let section = try section(kind, line: line, old: nil)
                if line < media.count { media[line] = section } else { media.append(section) }
                counts[kind, default: 0] += 1
            }
        }
        return describe(media)
    }

    private func describe(_ media: [MediaDescription]) -> SessionDescription {
        var offer = SessionDescription.own(local, previous: previous?.local, media: media)
        if case .webRTC(let transport) = local.transport {
            if transport.isLite { offer.attributes.append(.iceLite) }
            let mids = media.filter { $0.port != 0 }.compactMap(\.mid)
            offer.attributes.append(.group(MediaGroup(semantics: MediaGroup.bundle, mids: mids)))
            if local.allowsMixedExtensions { offer.attributes.append(.extmapAllowMixed) }
            offer.add(candidates: transport.candidates, isComplete: transport.isGatheringComplete)
        }
        offer.raiseVersion(over: previous?.local)
        return offer
    }

    private mutating func newMid(_ kind: MediaKind) -> String {
        var number = 0
        while mids.contains("\(kind.mediaName)\(number)") { number += 1 }
        mids.insert("\(kind.mediaName)\(number)")
        return "\(kind.mediaName)\(number)"
    }

    private mutating func section(
        _ kind: MediaKind, line: Int, old: MediaDescription?
    ) throws(SDPError) -> MediaDescription {
        switch local.transport {
        case .webRTC(let transport):
            let name =
                old?.transportProtocol
                ?? (kind == .data ? TransportProtocol.dataOffer : TransportProtocol.webRTCOffer)
            var section = SectionBuilder(
                local, line: line, media: kind.mediaName, transportProtocol: name,
                mid: old == nil ? newMid(kind) : old?.mid)
            section.addTransport(transport, role: .actpass)
            guard let capabilities = local.media(kind) else {
                section.addData(local.data ?? DataCapabilities(), isOldForm: name == "DTLS/SCTP")
                return section.media
            }
            section.add(.rtcp(port: 9, .anyV4))
            addMedia(capabilities, kind, to: &section, line, old, isWebRTC: true)
            return section.media
        case .plain(let transport):
            guard let capabilities = local.media(kind) else { throw SDPError("data needs a WebRTC transport") }
            let place = counts[kind, default: 0]
            guard place < capabilities.ports.count else {
                throw SDPError(
                    "\(capabilities.lineCount) \(kind) lines, but \(capabilities.ports.count) pairs of ports")
            }
            var section = SectionBuilder(
                local, line: line, media: kind.mediaName,
                transportProtocol: old?.transportProtocol ?? (transport.crypto.isEmpty ? "RTP/AVPF" : "RTP/SAVPF"),
                mid: old?.mid)
            section.addTransport(transport, ports: capabilities.ports[place], muxes: old?.has(.rtcpMux) ?? false)
            for (index, key) in transport.crypto.enumerated() { section.add(key.attribute(tag: index + 1)) }
            addMedia(capabilities, kind, to: &section, line, old, isWebRTC: false)
            return section.media
        }
    }

    private mutating func addMedia(
        _ capabilities: MediaCapabilities, _ kind: MediaKind, to section: inout SectionBuilder, _ line: Int,
        _ old: MediaDescription?, isWebRTC: Bool
    ) {
        section.media.attributes += numbers.extensions(capabilities, line: line, old: old).map { .extmap($0) }
        let able = MediaDirection(
            send: capabilities.codecs.contains { $0.isPrimary && $0.canSend },
            receive: capabilities.codecs.contains { $0.isPrimary && $0.canReceive })
        let direction = capabilities.direction.intersection(able)
        section.add(.direction(direction))
        if isWebRTC {
            if direction.sends { section.add(.msid(stream: local.cname, track: section.media.mid)) }
            section.add(.rtcpMux)
        }
        let usesFeedback = isWebRTC || TransportProtocol.hasFeedback(section.media.transportProtocol)
        if usesFeedback { section.add(.rtcpReducedSize) }
        if isWebRTC { section.add(.receiverReferenceTime) }
        let entries = numbers.formats(capabilities, kind, old: old, usesFeedback: usesFeedback)
        section.addFormats(entries)
        if let ptime = capabilities.ptime { section.add(.ptime(Double(ptime))) }
        section.addBandwidth(capabilities)
        let rids = capabilities.simulcast?.offeredRIDs ?? []
        if direction.receives, rids.count > 1 {
            section.addSimulcast(
                rids.map { RestrictionIdentifier(id: $0, sends: false) }, streams: rids.map { [.init(rid: $0)] })
        }
        if direction.sends { section.addSources(hasRetransmissions: entries.contains { $0.associatedType != nil }) }
    }
}

extension SessionDescription {
    /// The frame of our descriptions.
    static func own(
        _ local: LocalCapabilities, previous: SessionDescription?, media: [MediaDescription]
    ) -> SessionDescription {
        var random = SeededRandom(seed: local.seed)
        var description = SessionDescription(
            origin: Origin(sessionID: random.next(), version: 1), name: LocalCapabilities.sessionName, media: media)
        if case .plain(let transport) = local.transport {
            description.origin.connection = ConnectionData(transport.address)
        }
        if let previous { description.origin = previous.origin }
        return description
    }

    /// One more than before, where something changed (RFC 8829, section 5.2.2).
    mutating func raiseVersion(over previous: SessionDescription?) {
        guard let previous, self != previous else { return }
        let version = UInt64(previous.origin.sessionVersion) ?? 0
        origin.sessionVersion = String(version &+ 1)
    }
}
