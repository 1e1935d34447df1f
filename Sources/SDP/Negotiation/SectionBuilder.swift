import Core

/// Puts together one of our own m-sections, in the order that browsers use.
struct SectionBuilder {
    var media: MediaDescription
    let local: LocalCapabilities
    let line: Int

    init(_ local: LocalCapabilities, line: Int, media: String, transportProtocol: String, mid: String?) {
        self.local = local
        self.line = line
        self.media = MediaDescription(media: media, port: 9, transportProtocol: transportProtocol, formats: [])
        if let mid { self.media.attributes.append(.mid(mid)) }
    }

    /// A line that is not in use: port 0, the formats it had.
    static func refused(_ media: MediaDescription) -> MediaDescription {
        var refused = MediaDescription(
            media: media.media, port: 0, transportProtocol: media.transportProtocol, formats: media.formats)
        if let mid = media.mid { refused.attributes.append(.mid(mid)) }
        refused.attributes.append(.direction(.inactive))
        return refused
    }

    mutating func add(_ attributes: Attribute...) { media.attributes += attributes }

    /// ICE and DTLS.
    mutating func addTransport(_ transport: WebRTCTransport, role: SetupRole) {
        media.connections = [.anyV4]
        add(.iceUfrag(transport.ufrag), .icePassword(transport.password))
        if !transport.iceOptions.isEmpty { add(.iceOptions(transport.iceOptions)) }
        media.attributes += transport.fingerprints.map { .fingerprint($0) }
        add(.setup(role))
    }

    /// Address and ports.
    mutating func addTransport(_ transport: PlainTransport, ports: PortPair, muxes: Bool) {
        media.port = ports.rtp
        media.connections = [ConnectionData(transport.address)]
        if muxes {
            add(.rtcpMux)
        } else {
            add(.rtcp(port: ports.rtcp, nil))
        }
    }

    mutating func addFormats(_ entries: [FormatTable.Entry]) {
        media.formats = entries.map { String($0.map.payloadType) }
        for entry in entries {
            add(.rtpmap(entry.map))
            for value in entry.feedback { add(.rtcpFeedback(RTCPFeedback(payloadType: entry.map.payloadType, value))) }
            if !entry.parameters.isEmpty { add(.fmtp(format: String(entry.map.payloadType), entry.parameters)) }
        }
    }

    /// Data channels, in the form of RFC 8841 or the one before.
    mutating func addData(_ data: DataCapabilities, isOldForm: Bool) {
        if isOldForm {
            media.formats = ["\(data.sctpPort)"]
            add(.sctpmap(port: data.sctpPort, application: "webrtc-datachannel", streams: 1024))
        } else {
            media.formats = ["webrtc-datachannel"]
            add(.sctpPort(data.sctpPort))
        }
        add(.maxMessageSize(data.maxMessageSize))
    }

    /// Layers that we want to receive.
    mutating func addSimulcast(_ rids: [RestrictionIdentifier], streams: [[SimulcastDescription.Alternative]]) {
        guard !streams.isEmpty else { return }
        media.attributes += rids.map { .rid($0) }
        add(.simulcast(SimulcastDescription(receive: streams)))
    }

    /// Our sources, where we send: one, and one for its retransmissions. That of sound is not named: browsers refuse a
    /// line of sound with two sources, and packets tell whose they are by mid and payload type.
    mutating func addSources(hasRetransmissions: Bool) {
        let sources = LocalSources(seed: local.seed, line: line, media)
        add(.ssrc(SourceAttribute(ssrc: sources.ssrc, name: "cname", value: local.cname)))
        guard hasRetransmissions, media.media == "video" else { return }
        add(
            .ssrc(SourceAttribute(ssrc: sources.rtxSSRC, name: "cname", value: local.cname)),
            .ssrcGroup(SourceGroup(semantics: "FID", ssrcs: [sources.ssrc, sources.rtxSSRC])))
    }

    mutating func addBandwidth(_ capabilities: MediaCapabilities) {
        if let limit = capabilities.receiveBandwidthMax, limit > 0 {
            media.bandwidths = [Bandwidth(type: "AS", value: UInt64(limit))]
        }
    }
}

/// The source numbers of one of our lines: a function of seed and mid (without mid, of place and kind), so they are the
/// same in every description.
struct LocalSources {
    let ssrc: UInt32
    let rtxSSRC: UInt32

    init(seed: UInt64, line: Int, _ media: MediaDescription) {
        // FNV-1a: any function that tells mids apart would do.
        let hash = (media.mid ?? "\(line) \(media.media)").utf8.reduce(UInt64(0xCBF2_9CE4_8422_2325)) {
            ($0 ^ UInt64($1)) &* 0x100_0000_01B3
        }
        var random = SeededRandom(seed: seed ^ hash)
        ssrc = UInt32(truncatingIfNeeded: random.next()) | 1
        rtxSSRC = UInt32(truncatingIfNeeded: random.next()) & ~1 | 2
    }
}
