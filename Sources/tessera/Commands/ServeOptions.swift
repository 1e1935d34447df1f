import Control
import Core
import Glibc
import ICE
import Reactor

/// The options of `tessera serve`, checked.
struct ServeOptions {
    var port: UInt16 = 8888
    var address: IPAddress?
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
    var links: [ICEServerLink] = []
    var token: String?
    var sessions: Int?
    var workers: Int?
    var level = LogLevel.warning
    var isJSON = false

    init(_ line: CommandLineReader) throws {
        port = try Self.port(line, "--port", allowsAny: true) ?? port
        address = try line.last("--address").map { try Self.ip($0, "--address") }
        try readTLS(line)
        mediaPort = try Self.port(line, "--media-port") ?? 0
        ports = try line.last("--ports").map(Self.range)
        if ports != nil, mediaPort != 0 {
            throw UsageError("--media-port names the port and --ports a range to take it from; give one of them")
        }
        interfaces = line.all("--interface").flatMap { NetworkOptions.interfaces($0) }
        for text in line.all("--external-ip") { external.append(try Self.external(text)) }
        for text in line.all("--stun") { try addSTUN(text) }
        for text in line.all("--turn") { try addTURN(text) }
        token = line.last("--token")
        if token?.isEmpty == true { throw UsageError("--token is empty; leave it out if anybody may join") }
        sessions = try Self.number(line, "--sessions", 1...10_000)
        workers = try Self.number(line, "--workers", 1...256)
        let levelName = line.last("--log") ?? level.name
        guard let level = LogLevel(levelName) else {
            throw UsageError("--log is “\(levelName)”; it must be debug, info, warning or error")
        }
        self.level = level
        isJSON = line.has("--json")
    }

    private mutating func readTLS(_ line: CommandLineReader) throws {
        let (certificate, key) = (line.last("--certificate"), line.last("--key"))
        isSelfSigned = line.has("--self-signed")
        httpsPort = try Self.port(line, "--https-port", allowsAny: true)
        if isSelfSigned, certificate != nil || key != nil {
            throw UsageError("--self-signed makes a certificate and --certificate names one; give one of them")
        }
        switch (certificate, key) {
        case (nil, nil):
            if httpsPort != nil, !isSelfSigned {
                throw UsageError("--https-port needs a certificate: --certificate with --key, or --self-signed")
            }
        case (let certificate?, let key?):
            security = .pem(
                certificate: String(decoding: try readFile(certificate, bytesMax: 1 << 20), as: UTF8.self),
                key: String(decoding: try readFile(key, bytesMax: 1 << 20), as: UTF8.self))
        default:
            throw UsageError(
                "--certificate and --key belong together; \(key == nil ? "--key" : "--certificate") is missing")
        }
        if isSelfSigned || certificate != nil { httpsPort = httpsPort ?? 8433 }
    }

    // MARK: Values

    private static func number(_ line: CommandLineReader, _ option: String, _ allowed: ClosedRange<Int>) throws -> Int?
    {
        guard let text = line.last(option) else { return nil }
        guard let value = Int(text), allowed.contains(value) else {
            throw UsageError(
                "\(option) is “\(text)”; it must be a whole number from \(allowed.lowerBound) to \(allowed.upperBound)")
        }
        return value
    }

    private static func port(_ line: CommandLineReader, _ option: String, allowsAny: Bool = false) throws -> UInt16? {
        try number(line, option, (allowsAny ? 0 : 1)...65535).map { UInt16($0) }
    }

    private static func ip(_ text: String, _ option: String) throws -> IPAddress {
        guard let ip = IPAddress(text) else {
            throw UsageError("\(option) is “\(text)”; it must be an IP address, as in 192.0.2.1 or 2001:db8::1")
        }
        return ip
    }

    private static func range(_ text: String) throws -> PortRange {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
        guard parts.count == 2, let first = parts[0], let last = parts[1], let range = PortRange(first, last) else {
            throw UsageError("--ports is “\(text)”; it must be a range, as in 40000-40100")
        }
        return range
    }

    private static func external(_ text: String) throws -> (IPAddress?, IPAddress) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        if parts.count == 2 { return (try ip(parts[0], "--external-ip"), try ip(parts[1], "--external-ip")) }
        return (nil, try ip(text, "--external-ip"))
    }

    // MARK: ICE servers

    private mutating func addSTUN(_ text: String) throws {
        let host = text.hasPrefix("stun:") ? String(text.dropFirst(5)) : text
        stun += try Self.resolve(host, "--stun", "stun.example.org:3478")
        links.append(ICEServerLink(url: "stun:\(host)"))
    }

    private mutating func addTURN(_ text: String) throws {
        let example = "user:password@turn.example.org:3478?transport=tcp"
        let wrong = UsageError("--turn is “\(text)”; it must look like \(example)")
        var rest = text.hasPrefix("turn:") ? String(text.dropFirst(5)) : text
        var transport = TURNServer.Transport.udp
        if let mark = rest.lastIndex(of: "?") {
            switch rest[mark...] {
            case "?transport=udp": break
            case "?transport=tcp": transport = .tcp
            default: throw wrong
            }
            rest = String(rest[..<mark])
        }
        guard let at = rest.lastIndex(of: "@"), let colon = rest[..<at].firstIndex(of: ":") else { throw wrong }
        let (user, password) = (String(rest[..<colon]), String(rest[rest.index(after: colon)..<at]))
        let host = String(rest[rest.index(after: at)...])
        guard !user.isEmpty, !password.isEmpty else { throw wrong }
        for address in try Self.resolve(host, "--turn", "turn.example.org:3478") {
            turn.append(TURNServer(address, transport, username: user, password: password))
        }
        links.append(
            ICEServerLink(
                url: "turn:\(host)?transport=\(transport == .tcp ? "tcp" : "udp")", username: user, credential: password
            ))
    }

    /// The addresses of `host:port`; at the start, where waiting harms nobody.
    private static func resolve(_ text: String, _ option: String, _ example: String) throws -> [SocketAddress] {
        if let address = SocketAddress(text) { return [address] }
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0 else {
            throw UsageError("\(option) is “\(text)”; it must be HOST:PORT, as in \(example)")
        }
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(String(text[..<colon]), nil, &hints, &found)
        defer { if let found { freeaddrinfo(found) } }
        guard code == 0 else {
            throw UsageError("\(option): “\(text[..<colon])” was not found: \(String(cString: gai_strerror(code)))")
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
