import Core

/// What an offer and its answer mean together, seen from us.
struct SessionReader {
    let local: SessionDescription
    let remote: SessionDescription
    let capabilities: LocalCapabilities
    /// Whether `local` is the answer.
    let isAnswerer: Bool
    /// Why our answer refused lines.
    let reasons: [Int: RejectionReason]
    let previous: Agreement?

    func read() throws(SDPError) -> NegotiatedSession {
        var session = NegotiatedSession(media: [], transports: [])
        for (line, (own, other)) in zip(local.media, remote.media).enumerated() {
            var media = NegotiatedMedia(index: line, mid: own.mid ?? other.mid, kind: MediaKind(media: other.media))
            // In an answer port 0 refuses, whatever else stands there.
            let isRefused = isAnswerer ? own.port == 0 : other.port == 0 || own.isRefused
            if isRefused { media.rejection = reasons[line] ?? .byPeer }
            session.media.append(media)
        }
        try readTransports(&session)
        for line in session.media.indices where session.media[line].isActive { try readMedia(line, &session) }
        return session
    }

    // MARK: Transports

    private func readTransports(_ session: inout NegotiatedSession) throws(SDPError) {
        let answer = isAnswerer ? local : remote
        let isWebRTC = if case .webRTC = capabilities.transport { true } else { false }
        for group in BundlePlan(answer, bundles: isWebRTC).groups {
            let lines = group.filter { session.media[$0].isActive }
            guard let first = lines.first else { continue }
            switch capabilities.transport {
            case .webRTC(let own):
                guard session.transports.count < own.transportsMax else {
                    for line in lines { session.media[line].rejection = .tooManyTransports }
                    continue
                }
                session.transports.append(try webRTCTransport(lines))
            case .plain(let own): session.transports.append(try plainTransport(first, own))
            }
            for line in lines { session.media[line].transport = session.transports.count - 1 }
        }
    }

    private func webRTCTransport(_ lines: [Int]) throws(SDPError) -> NegotiatedTransport {
        let first = lines.first ?? 0
        // The peer's attributes stand at the first line of its own bundle, which may be one that was refused.
        let plan = BundlePlan(remote)
        let carriers = plan.groups[plan.groupOfLine[first]]
        var transport: NegotiatedTransport
        do throws(RejectionReason) {
            transport = try RemoteTransport.webRTC(remote, lines: carriers)
        } catch {
            throw SDPError("\(OfferCheck.name(first, remote.media[first])): \(error)")
        }
        transport.lines = lines
        if isAnswerer {
            transport.isDTLSClient = local.setup(of: first) == .active
        } else {
            switch remote.setup(of: carriers.first { remote.media[$0].port != 0 } ?? first) {
            // RFC 5763, section 5: an answerer should be active, so that is what silence means.
            case .active, nil: transport.isDTLSClient = false
            case .passive: transport.isDTLSClient = true
            case .actpass, .holdconn:
                throw SDPError(
                    "\(OfferCheck.name(first, remote.media[first])): a=setup in an answer is active or passive")
            }
        }
        if let old = lines.lazy.compactMap({ previous?.session.transport(of: $0) }).first {
            transport.isICERestart =
                old.ice?.ufrag != transport.ice?.ufrag || old.ice?.password != transport.ice?.password
            transport.isNewDTLSAssociation =
                Set(old.fingerprints) != Set(transport.fingerprints) || old.tlsID != transport.tlsID
        }
        return transport
    }

    private func plainTransport(_ line: Int, _ own: PlainTransport) throws(SDPError) -> NegotiatedTransport {
        let muxes = local.media[line].has(.rtcpMux) && remote.media[line].has(.rtcpMux)
        var transport = RemoteTransport.plain(remote, line: line, muxes: muxes)
        guard !own.crypto.isEmpty else { return transport }
        guard let (_, keys) = RemoteTransport.sdes(remote.media[line], local: own.crypto) else {
            throw SDPError("\(OfferCheck.name(line, remote.media[line])): \(RejectionReason.noUsableKey)")
        }
        transport.sdes = keys
        return transport
    }

    // MARK: Media

    private func readMedia(_ line: Int, _ session: inout NegotiatedSession) throws(SDPError) {
        let (own, other) = (local.media[line], remote.media[line])
        if session.media[line].kind == .data {
            guard let mine = own.sctp, let theirs = other.sctp else {
                throw SDPError("\(OfferCheck.name(line, other)): a=sctp-port is missing")
            }
            session.media[line].data = NegotiatedData(
                localPort: mine.port, remotePort: theirs.port, sendMessageSizeMax: theirs.maxMessageSize)
            session.media[line].direction = .sendrecv
            return
        }
        var media = session.media[line]
        readFormats(line, &media)
        guard !media.codecs.isEmpty else {
            throw SDPError("\(OfferCheck.name(line, other)): \(RejectionReason.noCommonCodec)")
        }
        media.direction = local.direction(of: line).intersection(remote.direction(of: line).reversed)
        if !media.codecs.contains(where: \.canSend) {
            media.direction = media.direction.intersection(.recvonly)
        }
        media.extensions = ExtensionChoice.joined(
            local: local.extensions(of: line), remote: remote.extensions(of: line))
        media.allowsMixedExtensions = local.mixesExtensions(of: line) && remote.mixesExtensions(of: line)
        readSources(other, &media)
        media.simulcast = SimulcastChoice.layers(local: own, remote: other)
        let sources = LocalSources(seed: capabilities.seed, line: line, own)
        media.localSSRC = sources.ssrc
        if media.codecs.contains(where: { $0.rtxPayloadType != nil }) { media.localRTXSSRC = sources.rtxSSRC }
        media.allowsReducedSizeRTCP = own.has(.rtcpReducedSize) && other.has(.rtcpReducedSize)
        media.allowsReceiverReferenceTime = own.has(.receiverReferenceTime) && other.has(.receiverReferenceTime)
        media.usesFeedbackProfile = usesFeedback(other)
        media.sendBandwidthMax = other.bandwidthMax ?? remote.sessionBandwidthMax
        media.ptime = other.ptime
        media.maxptime = other.maxptime
        session.media[line] = media
    }

    private func usesFeedback(_ media: MediaDescription) -> Bool {
        if case .webRTC = capabilities.transport { return true }
        return TransportProtocol.hasFeedback(media.transportProtocol)
    }

    private func readSources(_ other: MediaDescription, _ media: inout NegotiatedMedia) {
        var places: [UInt32: Int] = [:]
        for attribute in other.attributes {
            switch attribute {
            case .ssrc(let source):
                if places[source.ssrc] == nil {
                    places[source.ssrc] = media.remoteSources.count
                    media.remoteSources.append(RemoteSource(ssrc: source.ssrc))
                }
                if source.name == "cname", let place = places[source.ssrc] {
                    media.remoteSources[place].cname = source.value
                }
            case .ssrcGroup(let group): media.remoteSourceGroups.append(group)
            default: break
            }
        }
    }

    private func readFormats(_ line: Int, _ media: inout NegotiatedMedia) {
        guard let kind = media.kind, let abilities = capabilities.media(kind) else { return }
        let (mine, theirs) = (FormatTable(local.media[line]), FormatTable(remote.media[line]))
        var ranked: [(rank: Int, codec: NegotiatedCodec)] = []
        for (place, other) in theirs.entries.enumerated() {
            let candidates = mine.entries.filter { CodecMatcher.areSame($0, other) }
            // Numbers may differ between the sides (RFC 3264, section 5.1), but mostly do not.
            let same = candidates.first { $0.map.payloadType == other.map.payloadType }
            guard let own = same ?? candidates.first,
                let (index, ability) = CodecMatcher.capability(for: own, in: abilities.codecs)
            else { continue }
            let (send, receive) = (other.map.payloadType, own.map.payloadType)
            let role = PayloadFormat.helper(named: own.map.name) ?? .media
            if ability.canSend { media.send[send] = PayloadFormat(role, other) }
            if ability.canReceive { media.receive[receive] = PayloadFormat(role, own) }
            guard role == .media else { continue }
            let rtx = theirs.retransmission(of: send)
            if let rtx, ability.canSend, let entry = theirs[rtx] {
                media.send[rtx] = PayloadFormat(.retransmission(of: send), entry)
            }
            if let rtx = mine.retransmission(of: receive), ability.canReceive, let entry = mine[rtx] {
                media.receive[rtx] = PayloadFormat(.retransmission(of: receive), entry)
            }
            let codec = NegotiatedCodec(
                name: own.map.name, clockRate: own.map.clockRate, channels: own.map.channels, payloadType: send,
                rtxPayloadType: mine.retransmission(of: receive) == nil ? nil : rtx, receivePayloadType: receive,
                remoteParameters: other.parameters, localParameters: own.parameters,
                feedback: own.feedback.filter(other.feedback.contains), canSend: ability.canSend)
            ranked.append((capabilities.codecPreference == .local ? index : place, codec))
        }
        if !isAnswerer { takeOffered(mine, abilities, &media) }
        media.codecs = ranked.enumerated()
            .sorted { ($0.element.rank, $0.offset) < ($1.element.rank, $1.offset) }.map(\.element.codec)
    }

    /// All that we offered may come, whatever the answer lists: browsers that answer with fewer formats than were
    /// offered go on sending by the offer, its first codec, and within RED.
    private func takeOffered(
        _ offered: FormatTable, _ abilities: MediaCapabilities, _ media: inout NegotiatedMedia
    ) {
        for entry in offered.entries {
            let number = entry.map.payloadType
            guard media.receive[number] == nil else { continue }
            if let original = entry.associatedType {
                media.receive[number] = PayloadFormat(.retransmission(of: original), entry)
            } else if let (_, ability) = CodecMatcher.capability(for: entry, in: abilities.codecs), ability.canReceive {
                let role = PayloadFormat.helper(named: entry.map.name) ?? .media
                media.receive[number] = PayloadFormat(role, entry)
            }
        }
    }
}

extension PayloadFormat {
    fileprivate init(_ role: Role, _ entry: FormatTable.Entry) {
        self.init(
            role: role, name: entry.map.name, clockRate: entry.map.clockRate, channels: entry.map.channels,
            parameters: entry.parameters)
    }
}

extension NegotiatedSession {
    /// The transport of an m-line; nil for refused lines and lines that are not there.
    package func transport(of line: Int) -> NegotiatedTransport? {
        guard media.indices.contains(line), let index = media[line].transport else { return nil }
        return transports.indices.contains(index) ? transports[index] : nil
    }
}

extension MediaKind {
    /// Of the word in an m-line.
    init?(media: String) {
        switch media {
        case "audio": self = .audio
        case "video": self = .video
        case "application": self = .data
        default: return nil
        }
    }
    /// The word in an m-line; with a number, our mids.
    var mediaName: String { self == .data ? "application" : rawValue }
}
