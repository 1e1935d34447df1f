/// An IP address, version 4 or 6, without a port. IPv4 addresses mapped into IPv6 are kept as IPv4.
package struct IPAddress: Hashable, Sendable, CustomStringConvertible {
    /// The sixteen bytes of an IPv6 address; IPv4 in its mapped form (RFC 4291, section 2.5.5.2).
    package let high: UInt64
    package let low: UInt64
    private static let mappedPrefix: UInt64 = 0xFFFF_0000_0000

    package init(v4 value: UInt32) { self.init(0, IPAddress.mappedPrefix | UInt64(value)) }

    /// From the two halves of the sixteen bytes, IPv4 in its mapped form: the way without an allocation.
    package init(_ high: UInt64, _ low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Four or sixteen bytes in network order; nil for any other count.
    package init?(_ bytes: some Collection<UInt8>) {
        switch bytes.count {
        case 4: self.init(v4: bytes.reduce(0) { $0 << 8 | UInt32($1) })
        case 16:
            self.init(
                bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) },
                bytes.dropFirst(8).reduce(0) { $0 << 8 | UInt64($1) })
        default: return nil
        }
    }

    /// Dotted decimal or RFC 4291 text, without brackets or zone; nil for host names and everything else.
    package init?(_ text: some StringProtocol) {
        if let value = IPAddress.parseV4(text) {
            self.init(v4: value)
            return
        }
        guard let groups = IPAddress.parseV6(text) else { return nil }
        self.init(groups[..<4].reduce(0) { $0 << 16 | UInt64($1) }, groups[4...].reduce(0) { $0 << 16 | UInt64($1) })
    }

    package static let anyV4 = IPAddress(v4: 0)
    package static let anyV6 = IPAddress(0, 0)
    package static let loopbackV4 = IPAddress(v4: 0x7F00_0001)
    package static let loopbackV6 = IPAddress(0, 1)

    package var isV4: Bool { high == 0 && low >> 32 == 0xFFFF }
    package var isLoopback: Bool { isV4 ? low >> 24 & 0xFF == 127 : high == 0 && low == 1 }
    package var isAny: Bool { isV4 ? low & 0xFFFF_FFFF == 0 : high == 0 && low == 0 }
    /// 169.254.0.0/16 and fe80::/10.
    package var isLinkLocal: Bool { isV4 ? low >> 16 & 0xFFFF == 0xA9FE : high >> 54 == 0x3FA }

    /// Four or sixteen bytes in network order.
    package var bytes: [UInt8] {
        if isV4 { return (0..<4).map { UInt8(truncatingIfNeeded: low >> (24 - 8 * $0)) } }
        return (0..<16).map { UInt8(truncatingIfNeeded: ($0 < 8 ? high : low) >> (56 - 8 * ($0 % 8))) }
    }

    /// Dotted decimal, or the canonical text of RFC 5952.
    package var description: String {
        if isV4 { return bytes.map(String.init).joined(separator: ".") }
        let groups = (0..<8).map { UInt16(truncatingIfNeeded: ($0 < 4 ? high : low) >> (48 - 16 * ($0 % 4))) }
        var longest = 0..<0
        var index = 0
        while index < 8 {
            var end = index
            while end < 8, groups[end] == 0 { end += 1 }
            if end - index > max(1, longest.count) { longest = index..<end }
            index = max(end, index + 1)
        }
        let text = { (part: ArraySlice<UInt16>) in part.map { String($0, radix: 16) }.joined(separator: ":") }
        if longest.isEmpty { return text(groups[...]) }
        return text(groups[..<longest.lowerBound]) + "::" + text(groups[longest.upperBound...])
    }

    private static func parseV4(_ text: some StringProtocol) -> UInt32? {
        let parts = text.split(separator: ".", maxSplits: 4, omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var value: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.utf8.count), part.utf8.allSatisfy({ (48...57).contains($0) }),
                let byte = UInt8(part)
            else { return nil }
            value = value << 8 | UInt32(byte)
        }
        return value
    }

    private static func parseV6(_ text: some StringProtocol) -> [UInt16]? {
        guard text.utf8.count <= 45 else { return nil }
        let halves = text.split(separator: ":", maxSplits: 9, omittingEmptySubsequences: false).map { String($0) }
        guard halves.count >= 3 else { return nil }
        var head: [UInt16] = []
        var tail: [UInt16]?
        for (index, part) in halves.enumerated() {
            if part.isEmpty {
                let isEdge = index == 0 || index == halves.count - 1
                // "::" at the start or the end gives two empty parts, in the middle one.
                if index == 0, halves[1].isEmpty { continue }
                if index == halves.count - 1, halves[index - 1].isEmpty { continue }
                guard !isEdge, tail == nil else { return nil }
                tail = []
                continue
            }
            var groups: [UInt16] = []
            if index == halves.count - 1, let value = parseV4(part) {
                groups = [UInt16(value >> 16), UInt16(truncatingIfNeeded: value)]
            } else {
                guard part.utf8.count <= 4, part.utf8.allSatisfy({ $0 != 43 && $0 != 45 }),
                    let group = UInt16(part, radix: 16)
                else { return nil }
                groups = [group]
            }
            if tail == nil { head += groups } else { tail? += groups }
        }
        guard let tail else { return head.count == 8 ? head : nil }
        guard head.count + tail.count < 8 else { return nil }
        return head + [UInt16](repeating: 0, count: 8 - head.count - tail.count) + tail
    }
}

/// Where a datagram comes from or goes to.
package struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
    package var ip: IPAddress
    package var port: UInt16

    package init(_ ip: IPAddress, _ port: UInt16) {
        self.ip = ip
        self.port = port
    }

    /// `192.0.2.1:5000` or `[2001:db8::1]:5000`; nil for anything else, host names included.
    package init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard let ip = IPAddress(host) else { return nil }
        self.init(ip, port)
    }

    package var description: String { ip.isV4 ? "\(ip):\(port)" : "[\(ip)]:\(port)" }
}
