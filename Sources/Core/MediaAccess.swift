/// What files and URLs a client may name for playing and recording. A plain value, part of a pipeline's configuration;
/// whoever opens something checks it right before (`MediaAccess.location` in Files), on the thread that opens it.
///
/// Folders are compared after symbolic links and `..` are resolved. Hosts are checked in the URL itself and in what a
/// playlist names; where a server redirects to, and a name that means another address a moment later, are not seen:
/// against those a firewall is needed.
package struct MediaAccess: Hashable, Sendable {
    package enum Use: String, Hashable, Sendable { case reading, writing }

    /// Folders, absolute, below which files may be read; nil: anywhere, empty: nowhere.
    package var readableFolders: [String]?
    /// Folders, absolute, below which recordings may be written.
    package var writableFolders: [String]?
    /// In lower case. `file` is the scheme of plain paths too.
    package var readableSchemes = MediaAccess.inputSchemes
    package var writableSchemes = MediaAccess.outputSchemes
    /// Hosts of network URLs: names, addresses, or `*.example.org` for all below a name; nil: all.
    package var hosts: [String]?
    /// Whether network URLs may lead to this machine and to private, link-local and shared addresses.
    package var allowsPrivateNetworks = true
    /// What a URI without scheme is relative to, as in `file:///var/lib/kurento/`; nil: it is a path as it stands.
    package var defaultPath: String?

    /// Everything that can be opened at all.
    package static let everything = MediaAccess()

    /// Schemes of media that can be played. `rtspt` and `rtspu` are RTSP over TCP and over UDP only.
    package static let inputSchemes: Set<String> = [
        "file", "http", "https", "rtsp", "rtsps", "rtspt", "rtspu", "rtmp", "rtmps", "srt", "udp",
    ]
    /// Schemes that can be recorded to.
    package static let outputSchemes: Set<String> = ["file", "http", "https"]

    package init() {}

    /// The URI as an element keeps it: `%2F` has become `/`.
    package static func unescapingSlashes(_ uri: String) -> String {
        var out = ""
        var rest = uri[...]
        while let character = rest.first {
            if character == "%", rest.dropFirst().prefix(2).uppercased() == "2F" {
                out.append("/")
                rest = rest.dropFirst(3)
            } else {
                out.append(character)
                rest = rest.dropFirst()
            }
        }
        return out
    }

    /// What is really opened for a URI: one without a scheme stands below `defaultPath`.
    package func place(_ uri: String) -> String {
        guard let defaultPath, MediaAccess.scheme(of: uri) == nil else { return uri }
        return defaultPath + (defaultPath.hasSuffix("/") && uri.hasPrefix("/") ? String(uri.dropFirst()) : uri)
    }

    /// What stands before the first colon, in lower case, if no slash does.
    package static func scheme(of text: String) -> String? {
        guard let colon = text.firstIndex(of: ":") else { return nil }
        let head = text[..<colon]
        guard !head.isEmpty, !head.contains("/") else { return nil }
        return head.prefix { $0 != "," }.lowercased()
    }

    /// Whether a host may be named, by its text.
    package func allows(host: String) -> Bool {
        guard let hosts else { return true }
        let host = host.lowercased()
        return hosts.contains { pattern in
            let pattern = pattern.lowercased()
            return pattern.hasPrefix("*.") ? host.hasSuffix(pattern.dropFirst()) : host == pattern
        }
    }

    /// Whether an address may be reached.
    package func allows(address: IPAddress) -> Bool { allowsPrivateNetworks || address.isGloballyReachable }
}

extension IPAddress {
    /// False for this machine, private, shared, link-local, documentation, multicast and reserved addresses
    /// (RFC 6890, RFC 4193), and for IPv6 forms that carry an IPv4 address of such a kind.
    package var isGloballyReachable: Bool {
        if isAny || isLoopback || isLinkLocal { return false }
        guard isV4 else {
            // 64:ff9b::/96 (NAT64) and 2002::/16 (6to4) lead to an IPv4 address.
            if high == 0x0064_FF9B_0000_0000, low >> 32 == 0 { return IPAddress(v4: UInt32(low)).isGloballyReachable }
            if high >> 48 == 0x2002 {
                return IPAddress(v4: UInt32(truncatingIfNeeded: high >> 16)).isGloballyReachable
            }
            // Only 2000::/3 is global unicast.
            return high >> 61 == 1 && high >> 32 != 0x2001_0DB8
        }
        let value = UInt32(truncatingIfNeeded: low)
        let reserved: [(network: UInt32, bits: UInt32)] = [
            (0x0000_0000, 8), (0x0A00_0000, 8), (0x6440_0000, 10), (0xAC10_0000, 12), (0xC000_0000, 24),
            (0xC000_0200, 24), (0xC0A8_0000, 16), (0xC612_0000, 15), (0xC633_6400, 24), (0xCB00_7100, 24),
            (0xE000_0000, 3),
        ]
        return !reserved.contains { value >> (32 - $0.bits) == $0.network >> (32 - $0.bits) }
    }
}
