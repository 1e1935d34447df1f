package import Core

/// One candidate (RFC 8839, section 5.1; RFC 6544 for TCP) as it is told to the peer.
package struct ICECandidate: Hashable, Sendable, CustomStringConvertible {
    package enum Kind: String, Hashable, Sendable, CaseIterable { case host, srflx, prflx, relay }
    package enum TCPType: String, Hashable, Sendable, CaseIterable { case active, passive, so }
    package enum Host: Hashable, Sendable, CustomStringConvertible {
        case ip(IPAddress)
        /// A name, `.local` ones of mDNS for the most part.
        case name(String)
        package var description: String {
            switch self {
            case .ip(let ip): ip.description
            case .name(let name): name
            }
        }
    }

    package var foundation: String
    /// 1–256; 1 is RTP, and everything with rtcp-mux.
    package var component: Int
    package var transport: NetworkPath.Transport
    package var priority: UInt32
    package var host: Host
    package var port: UInt16
    package var kind: Kind
    /// `raddr` and `rport`.
    package var related: SocketAddress?
    package var tcpType: TCPType?
    /// Extensions of libwebrtc; kept if they were there.
    package var generation: Int?
    package var ufrag: String?
    package var networkID: Int?
    package var networkCost: Int?

    package init(
        foundation: String, transport: NetworkPath.Transport = .udp, priority: UInt32, host: Host, port: UInt16,
        kind: Kind, related: SocketAddress? = nil, tcpType: TCPType? = nil, component: Int = 1
    ) {
        self.foundation = foundation
        self.component = component
        self.transport = transport
        self.priority = priority
        self.host = host
        self.port = port
        self.kind = kind
        self.related = related
        self.tcpType = tcpType
    }

    /// Nil for a name that was not resolved.
    package var address: SocketAddress? {
        guard case .ip(let ip) = host else { return nil }
        return SocketAddress(ip, port)
    }

    /// From `candidate:…`, also with `a=` before it or without either.
    package init(_ text: String) throws(ICECandidateError) {
        guard text.utf8.count <= ICELimits.candidateBytes else { throw .tooLong }
        // RFC 8839, section 5.1, knows ASCII only; other characters may join with the blanks between the words.
        guard text.utf8.allSatisfy({ (0x20...0x7E).contains($0) || (9...13).contains($0) }) else {
            throw .malformed("characters outside ASCII")
        }
        var line = text[...]
        for prefix in ["a=", "candidate:"] where line.hasPrefix(prefix) { line = line.dropFirst(prefix.count) }
        let words = line.split(whereSeparator: { $0 == " " || $0 == "\r" || $0 == "\n" || $0 == "\t" })
        guard words.count >= 8, words[6].lowercased() == "typ" else { throw .malformed("fewer than eight fields") }
        guard words[0].utf8.count <= 32 else { throw .malformed("foundation \(words[0])") }
        guard let component = Int(words[1]), (1...256).contains(component) else {
            throw .malformed("component \(words[1])")
        }
        guard let transport = NetworkPath.Transport(rawValue: words[2].lowercased()) else {
            throw .unsupported("transport \(words[2])")
        }
        guard let priority = UInt32(words[3]) else { throw .malformed("priority \(words[3])") }
        guard let port = UInt16(words[5]) else { throw .malformed("port \(words[5])") }
        guard let kind = Kind(rawValue: words[7].lowercased()) else { throw .unsupported("type \(words[7])") }
        let host = IPAddress(words[4]).map { Host.ip($0) } ?? .name(String(words[4]))
        if case .name(let name) = host, !ICECandidate.isName(name) { throw .malformed("address \(name)") }
        self.init(
            foundation: String(words[0]), transport: transport, priority: priority, host: host, port: port, kind: kind,
            component: component)
        readExtensions(words.dropFirst(8))
        if transport == .tcp, tcpType == nil { throw .malformed("TCP without tcptype") }
    }

    private mutating func readExtensions(_ words: ArraySlice<Substring>) {
        var words = words
        var relatedIP: IPAddress?
        while words.count >= 2 {
            let (name, value) = (words.removeFirst().lowercased(), words.removeFirst())
            switch name {
            case "raddr": relatedIP = IPAddress(value)
            case "rport":
                if let ip = relatedIP, let port = UInt16(value) { related = SocketAddress(ip, port) }
            case "tcptype": tcpType = TCPType(rawValue: value.lowercased())
            case "generation": generation = Int(value)
            case "ufrag": ufrag = String(value)
            case "network-id": networkID = Int(value)
            case "network-cost": networkCost = Int(value)
            default: break
            }
        }
    }

    /// Letters, digits, hyphens and dots, up to 255 of them.
    private static func isName(_ name: String) -> Bool {
        (1...255).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                byte == 45 || byte == 46 || byte == 95 || (48...57).contains(byte) || (65...90).contains(byte)
                    || (97...122).contains(byte)
            }
    }

    /// `candidate:…`, without `a=`.
    package var description: String {
        var line = "candidate:\(foundation) \(component) \(transport.rawValue) \(priority) \(host) \(port)"
        line += " typ \(kind.rawValue)"
        if let related { line += " raddr \(related.ip) rport \(related.port)" }
        if let tcpType { line += " tcptype \(tcpType.rawValue)" }
        if let generation { line += " generation \(generation)" }
        if let ufrag { line += " ufrag \(ufrag)" }
        if let networkID { line += " network-id \(networkID)" }
        if let networkCost { line += " network-cost \(networkCost)" }
        return line
    }
}

/// Why a text is no candidate of ours; the words go to the client.
package enum ICECandidateError: Error, Hashable, Sendable {
    case tooLong
    case malformed(String)
    /// A well-formed candidate of a kind that is passed over.
    case unsupported(String)
}

extension ICECandidate {
    /// RFC 8445, section 5.1.2.1. `localPreference` is at most 65 535. TCP stands behind UDP by its type preference
    /// and orders by direction (RFC 6544, section 4.2).
    static func priority(
        _ kind: Kind, _ transport: NetworkPath.Transport, _ tcpType: TCPType?, localPreference: Int
    ) -> UInt32 {
        let type: Int
        var preference = min(max(localPreference, 0), 65_535)
        switch (kind, transport) {
        case (.host, .udp): type = 126
        case (.prflx, .udp): type = 110
        case (.srflx, _): type = 100
        case (.host, .tcp): type = 90
        case (.prflx, .tcp): type = 80
        case (.relay, .udp): type = 2
        // Used for relays that are reached over TCP or TLS: the candidate itself is UDP.
        case (.relay, .tcp): type = 0
        }
        if let tcpType, kind != .relay {
            let direction: [TCPType: Int] =
                kind == .host ? [.active: 6, .passive: 4, .so: 2] : [.so: 6, .active: 4, .passive: 2]
            preference = (direction[tcpType] ?? 0) << 13 | preference & 0x1FFF
        }
        return UInt32(type << 24 | preference << 8 | 255)
    }

    /// RFC 8445, section 5.1.1.3: equal for candidates of one type, base, server and transport. A number of 32 bits
    /// made from them (FNV-1a), so that it tells nothing else.
    static func foundation(
        _ kind: Kind, base: IPAddress, server: IPAddress?, transport: NetworkPath.Transport, _ tcpType: TCPType?
    ) -> String {
        let text =
            "\(kind.rawValue) \(base) \(server?.description ?? "") \(transport.rawValue) \(tcpType?.rawValue ?? "")"
        return String(text.utf8.reduce(0x811C_9DC5 as UInt32) { ($0 ^ UInt32($1)) &* 0x0100_0193 })
    }
}
