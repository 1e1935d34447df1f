import Control
import Core
import Glibc
import ICE
import Reactor

/// The options of `tessera serve`, checked.
struct ServeOptions {
    private let configuration: Configuration
    var port: UInt16 = 8888
    var address: IPAddress?
    var path: String
    var httpsPort: UInt16?
    var security = HTTPListener.Security.none
    var isSelfSigned = false
    var mediaPort: UInt16 = 0
    var ports: PortRange?
    var interfaces: [String] = []
    /// For all local addresses of its family, or for one.
    var external: [(local: IPAddress?, address: IPAddress)] = []
    var stun: [SocketAddress] = []
    var turn: [TURNServer] = []
    /// Certificates that TURN servers over TLS must be certified by, in PEM; nil: those the system trusts.
    var turnCertificates: String?
    var links: [ICEServerLink] = []
    var listensTCP: Bool
    var tokens: [String]
    var origins: [String]
    var connections: Int?
    var rpc = RPCOptions()
    var peers: Int?
    var workers: Int?
    var level = LogLevel.warning
    /// What clients may play and record.
    var access = MediaAccess.everything
    var mtu: Int?
    var postPort: UInt16?
    /// What the manager's metadata says.
    var metadata: String?
    var dotFolder: String?

    init(_ configuration: Configuration) throws {
        self.configuration = configuration
        path = configuration.text("path") ?? "/kurento"
        listensTCP = configuration.flag("ice-tcp") ?? true
        tokens = configuration.all("token")
        origins = configuration.all("allow-origin")
        connections = configuration.number("connections")
        if let seconds = configuration.number("collector-period") { rpc.collectorPeriod = .seconds(Double(seconds)) }
        if let bytes = configuration.number("message-bytes") { rpc.messageBytesMax = bytes }
        if let count = configuration.number("sessions") { rpc.sessionsMax = count }
        if let count = configuration.number("objects") { rpc.objectsMax = count }
        if let rate = configuration.number("requests-per-second") { rpc.requestsPerSecondMax = rate }
        peers = configuration.number("peers")
        workers = configuration.number("workers")
        level = configuration.text("log").flatMap { LogLevel($0) } ?? level
        mtu = configuration.number("mtu")
        postPort = portNumber("post-port")
        metadata = configuration.text("metadata")
        dotFolder = try configuration.text("dot-folder").map { try folder($0, "dot-folder", isWritten: true) }
        try readAccess()
        port = portNumber("port") ?? port
        address = try configuration.text("address").map { try ip($0, "address") }
        if !path.hasPrefix("/") { path = "/" + path }
        guard !path.contains(where: { "?#%".contains($0) || $0.isWhitespace }) else {
            throw configuration.trouble("path", "it must be a plain path, as in /kurento")
        }
        try readTLS()
        mediaPort = portNumber("media-port") ?? 0
        ports = try configuration.text("ports").map(range)
        interfaces = configuration.all("interface").flatMap { NetworkOptions.interfaces($0) }
        for text in configuration.all("external-ip") { external.append(try externalIP(text)) }
        for text in configuration.all("stun") { try addSTUN(text) }
        for text in configuration.all("turn") { try addTURN(text) }
        if let file = configuration.text("turn-ca") {
            let text = String(decoding: try readFile(file, bytesMax: 1 << 20), as: UTF8.self)
            guard text.contains("-----BEGIN CERTIFICATE-----") else {
                throw configuration.trouble("turn-ca", "it holds no certificate in PEM")
            }
            turnCertificates = text
        }
    }

    private mutating func readAccess() throws {
        let (readable, writable) = (configuration.all("read-folder"), configuration.all("write-folder"))
        if !readable.isEmpty { access.readableFolders = try readable.map { try folder($0, "read-folder") } }
        if !writable.isEmpty {
            access.writableFolders = try writable.map { try folder($0, "write-folder", isWritten: true) }
        }
        var schemes = Set(configuration.all("allow-scheme").map { $0.lowercased() })
        if let unknown = schemes.subtracting(ServeSettings.schemes).min() {
            throw configuration.trouble(
                "allow-scheme", "“\(unknown)” is none of \(ServeSettings.schemes.joined(separator: ", "))")
        }
        if !schemes.isEmpty {
            if schemes.contains("rtsp") { schemes.formUnion(["rtspt", "rtspu"]) }
            access.readableSchemes.formIntersection(schemes)
            access.writableSchemes.formIntersection(schemes)
        }
        guard let path = configuration.text("default-path") else { return }
        guard path.hasPrefix("/") || MediaAccess.scheme(of: path).map(MediaAccess.inputSchemes.contains) == true else {
            throw configuration.trouble("default-path", "it must be a URL or an absolute path")
        }
        access.defaultPath = path
    }

    /// The folder's real path.
    private func folder(_ path: String, _ name: String, isWritten: Bool = false) throws -> String {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, let real = realpath(path, nil) else {
            throw configuration.trouble(name, "“\(path)” is no folder that exists")
        }
        defer { free(real) }
        guard !isWritten || Glibc.access(path, W_OK) == 0 else {
            throw configuration.trouble(name, "“\(path)” cannot be written to")
        }
        return String(cString: real)
    }

    private mutating func readTLS() throws {
        let (certificate, key) = (configuration.text("certificate"), configuration.text("key"))
        isSelfSigned = configuration.flag("self-signed") ?? false
        httpsPort = portNumber("https-port")
        if isSelfSigned, certificate != nil || key != nil {
            throw UsageError("self-signed makes a certificate and certificate names one; give one of them")
        }
        if let certificate {
            security = .pem(
                certificate: String(decoding: try readFile(certificate, bytesMax: 1 << 20), as: UTF8.self),
                key: String(decoding: try readFile(key ?? certificate, bytesMax: 1 << 20), as: UTF8.self))
        } else if key != nil {
            throw configuration.trouble("key", "it belongs to a certificate, and certificate is missing")
        } else if httpsPort != nil, !isSelfSigned {
            throw configuration.trouble("https-port", "it needs a certificate with its key, or self-signed")
        }
        if isSelfSigned || certificate != nil { httpsPort = httpsPort ?? 8433 }
    }

    // MARK: Values

    private func portNumber(_ name: String) -> UInt16? { configuration.number(name).flatMap { UInt16(exactly: $0) } }

    private func ip(_ text: String, _ name: String) throws -> IPAddress {
        guard let ip = IPAddress(text) else {
            throw configuration.trouble(name, "it must be an IP address, as in 192.0.2.1 or 2001:db8::1")
        }
        return ip
    }

    private func range(_ text: String) throws -> PortRange {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
        guard parts.count == 2, let first = parts[0], let last = parts[1], let range = PortRange(first, last) else {
            throw configuration.trouble("ports", "it must be a range, as in 40000-40100")
        }
        return range
    }

    private func externalIP(_ text: String) throws -> (IPAddress?, IPAddress) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        if parts.count == 2 { return (try ip(parts[0], "external-ip"), try ip(parts[1], "external-ip")) }
        return (nil, try ip(text, "external-ip"))
    }

    // MARK: ICE servers

    private mutating func addSTUN(_ text: String) throws {
        let host = text.hasPrefix("stun:") ? String(text.dropFirst(5)) : text
        stun += try resolve(host, "stun", "stun.example.org:3478")
        links.append(ICEServerLink(url: "stun:\(host)"))
    }

    private mutating func addTURN(_ text: String) throws {
        let example = "user:password@turn.example.org:3478?transport=tcp"
        let wrong = configuration.trouble("turn", "it must look like \(example)")
        var rest = text
        var isTLS = false
        for (scheme, isSecure) in [("turn:", false), ("turns:", true)] where text.hasPrefix(scheme) {
            rest = String(text.dropFirst(scheme.count))
            isTLS = isSecure
        }
        var isTCP = isTLS
        if let mark = rest.lastIndex(of: "?") {
            switch rest[mark...] {
            // TURN over DTLS is not spoken.
            case "?transport=udp" where !isTLS: break
            case "?transport=tcp": isTCP = true
            case "?transport=tls": isTLS = true
            default: throw wrong
            }
            rest = String(rest[..<mark])
        }
        guard let at = rest.lastIndex(of: "@"), let colon = rest[..<at].firstIndex(of: ":") else { throw wrong }
        let (user, password) = (String(rest[..<colon]), String(rest[rest.index(after: colon)..<at]))
        let host = String(rest[rest.index(after: at)...])
        guard !user.isEmpty, !password.isEmpty else { throw wrong }
        let transport: TURNServer.Transport = isTLS ? .tls(Self.name(of: host)) : isTCP ? .tcp : .udp
        for address in try resolve(host, "turn", "turn.example.org:3478") {
            turn.append(TURNServer(address, transport, username: user, password: password))
        }
        // RFC 7065: TLS is the scheme's business.
        let url = "\(isTLS ? "turns" : "turn"):\(host)?transport=\(transport == .udp ? "udp" : "tcp")"
        links.append(ICEServerLink(url: url, username: user, credential: password))
    }

    /// What the certificate of `HOST:PORT` must be for.
    private static func name(of host: String) -> String {
        SocketAddress(host)?.ip.description ?? String(host[..<(host.lastIndex(of: ":") ?? host.endIndex)])
    }

    /// The addresses of `host:port`; at the start, where waiting harms nobody.
    private func resolve(_ text: String, _ name: String, _ example: String) throws -> [SocketAddress] {
        if let address = SocketAddress(text) { return [address] }
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0 else {
            throw configuration.trouble(name, "it must be HOST:PORT, as in \(example)")
        }
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(String(text[..<colon]), nil, &hints, &found)
        defer { if let found { freeaddrinfo(found) } }
        guard code == 0 else {
            throw configuration.trouble(
                name, "“\(text[..<colon])” was not found: \(String(cString: gai_strerror(code)))")
        }
        var addresses: [SocketAddress] = []
        var next = found
        while let entry = next {
            if let ip = IPAddress(entry.pointee.ai_addr) { addresses.append(SocketAddress(ip, port)) }
            next = entry.pointee.ai_next
        }
        return addresses
    }
}

extension IPAddress {
    /// Of a socket address of the system; nil for other families.
    fileprivate init?(_ address: UnsafeMutablePointer<sockaddr>?) {
        guard let address else { return nil }
        switch Int32(address.pointee.sa_family) {
        case AF_INET:
            let bytes = address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee.sin_addr }
            self.init(withUnsafeBytes(of: bytes) { Array($0) })
        case AF_INET6:
            let bytes = address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { $0.pointee.sin6_addr }
            self.init(withUnsafeBytes(of: bytes) { Array($0) })
        default: return nil
        }
    }
}
