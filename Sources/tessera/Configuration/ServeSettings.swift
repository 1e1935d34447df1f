import Control
import Core
import Glibc

/// The settings of `tessera serve`.
enum ServeSettings {
    static let table = SettingTable([control, media, access, limits, running], aliases: kurento)

    /// Their values are nobody's business.
    static let secrets: Set<String> = ["token", "turn"]

    private static let port = Setting.Kind.number(0...65535)

    private static let control = SettingTable.Group(
        "Control and pages",
        [
            Setting("port", port, "N", default: "8888", "Port of HTTP and WebSocket; 0: any free one"),
            Setting("address", .text, "IP", default: "all", "Address to serve HTTP and WebSocket at"),
            Setting(
                "path", .text, "PATH", default: "/kurento", "Path at which JSON-RPC clients open their WebSocket"),
            Setting(
                "https-port", port, "N", default: "8433 with a certificate",
                "Serves HTTPS and WSS too; browsers give cameras only to pages from localhost or over HTTPS"),
            Setting("certificate", .text, "FILE", "Certificate chain for HTTPS (PEM)"),
            Setting("key", .text, "FILE", default: "the certificate's file", "Key of the certificate (PEM)"),
            Setting(flag: "self-signed", "Makes a certificate; browsers ask before they trust it"),
        ])

    private static let media = SettingTable.Group(
        "Media",
        [
            Setting("media-port", port, "N", default: "any free one", "UDP port, and TCP port, for all media"),
            Setting(
                "ports", .text, "A-B",
                "Range from which RtpEndpoints take their ports, and media too unless media-port is set"),
            Setting("interface", .text, "NAME", list: true, default: "all", "Network interfaces to use for media"),
            Setting(
                "external-ip", .text, "IP", list: true,
                "Address by which peers reach this machine (behind NAT); or LOCAL=EXTERNAL"),
            Setting("stun", .text, "HOST:PORT", list: true, "STUN server, for us and for peers"),
            Setting(
                "turn", .text, "USER:PASS@HOST:PORT[?transport=udp|tcp|tls]", list: true,
                "TURN server, for us and for peers"),
            Setting(
                "turn-ca", .text, "FILE", default: "whom the system trusts",
                "Who certifies TURN servers over TLS (PEM)"),
            Setting(flag: "ice-tcp", default: "true", "Whether media may come in over TCP"),
            Setting("mtu", .number(576...1500), "BYTES", default: "1200", "Largest RTP packet of new endpoints"),
            Setting("post-port", port, "N", default: "9091", "Port at which HttpPostEndpoints receive"),
        ])

    /// `rtspt` and `rtspu` go with `rtsp`.
    static let schemes = MediaAccess.inputSchemes.union(MediaAccess.outputSchemes)
        .subtracting(["rtspt", "rtspu"]).sorted()

    private static let access = SettingTable.Group(
        "What clients may do",
        [
            Setting(
                "token", .text, "TEXT", list: true,
                "Clients need one of them: Authorization: Bearer TEXT, or access_token=TEXT in the query"),
            Setting(
                "allow-origin", .text, "ORIGIN", list: true, default: "any",
                "Origins of pages that may open a WebSocket, as https://example.org"),
            Setting(
                "read-folder", .text, "FOLDER", list: true, default: "any",
                "Folders from which clients may play files"),
            Setting(
                "write-folder", .text, "FOLDER", list: true, default: "any",
                "Folders into which clients may record"),
            Setting(
                "allow-scheme", .text, "NAME", list: true, default: "all that can be opened",
                "Kinds of URL that clients may name: \(schemes.joined(separator: ", "))"),
            Setting(
                "default-path", .text, "URL",
                "What is put before what clients name without a scheme, as file:///var/lib/tessera/"),
        ])

    private static let limits = SettingTable.Group(
        "Limits",
        [
            Setting("peers", .number(1...10_000), "N", default: "500", "Peers at the doors of the document at a time"),
            Setting("connections", .number(1...100_000), "N", default: "12000", "HTTP and WebSocket connections"),
            Setting("sessions", .number(1...1_000_000), "N", default: "20000", "Sessions of JSON-RPC clients"),
            Setting(
                "objects", .number(1...10_000_000), "N", default: "100000", "Objects of all JSON-RPC clients together"),
            Setting(
                "message-bytes", .number(1024...(1 << 30)), "BYTES", default: "4194304", "Longest WebSocket message"),
            Setting(
                "requests-per-second", .number(1...1_000_000), "N", default: "20000",
                "Requests of one connection; more are refused"),
        ])

    private static let running = SettingTable.Group(
        "Running",
        [
            Setting(
                "collector-period", .number(1...86_400), "SECONDS", default: "240",
                "A session nobody uses is given up after one to two of these"),
            Setting("metadata", .json, "JSON", "What the ServerManager's metadata says"),
            Setting("dot-folder", .text, "FOLDER", "Where dumpGstreamerDot writes"),
            Setting(
                "workers", .number(1...256), "N", default: "one per core",
                "Threads for decoding, mixing and encoding"),
            Setting("log", .choice(LogLevel.allCases.map(\.name)), "LEVEL", default: "warning", "How much is logged"),
        ])

    /// Variables that Kurento's container image knows.
    private static let kurento: [SettingTable.Alias] = [
        .init(["KMS_MIN_PORT", "KMS_MAX_PORT"], "ports") { environment in
            let first = environment["KMS_MIN_PORT"] ?? "1024"
            let last = environment["KMS_MAX_PORT"] ?? "65535"
            return .values(["\(first)-\(last)"])
        },
        .init(["KMS_EXTERNAL_IPV4", "KMS_EXTERNAL_IPV6"], "external-ip") { environment in
            let found = ["KMS_EXTERNAL_IPV4", "KMS_EXTERNAL_IPV6"].compactMap { environment[$0] }
            guard !found.contains("auto") else {
                return .notUnderstood("“auto” asks other people's servers; name the address itself, or use stun")
            }
            return found.isEmpty ? .absent : .values(found)
        },
        .init(["KMS_NETWORK_INTERFACES"], "interface") { environment in
            let names = environment["KMS_NETWORK_INTERFACES"]?.split(separator: ",").map(String.init) ?? []
            return names.isEmpty ? .absent : .values(names)
        },
        .init(["KMS_ICE_TCP"], "ice-tcp") { $0["KMS_ICE_TCP"].map { .values([$0]) } ?? .absent },
        .init(["KMS_STUN_IP", "KMS_STUN_PORT"], "stun") { environment in
            guard let ip = environment["KMS_STUN_IP"] else { return .absent }
            return .values(["\(ip):\(environment["KMS_STUN_PORT"] ?? "3478")"])
        },
        .init(["KMS_TURN_URL"], "turn") { $0["KMS_TURN_URL"].map { .values([$0]) } ?? .absent },
        .init(["KMS_MTU"], "mtu") { $0["KMS_MTU"].map { .values([$0]) } ?? .absent },
    ]

    /// All variables of this process.
    static var environment: [String: String] {
        var out: [String: String] = [:]
        var next = environ
        while let text = next.pointee {
            let parts = String(cString: text).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { out[String(parts[0])] = String(parts[1]) }
            next += 1
        }
        return out
    }
}
