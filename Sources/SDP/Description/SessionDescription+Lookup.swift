// What a description says, by topic. Attributes of ICE and DTLS may stand in the m-section or at the top; the
// m-section's count first (RFC 8839, section 5.4; RFC 8842, section 5).
extension SessionDescription {
    private func value<Value>(of line: Int, _ pick: (Attribute) -> Value?) -> Value? {
        if media.indices.contains(line), let value = media[line].first(pick) { return value }
        return attributes.lazy.compactMap(pick).first
    }

    package func iceUfrag(of line: Int) -> String? {
        value(of: line) { if case .iceUfrag(let ufrag) = $0 { ufrag } else { nil } }
    }
    package func icePassword(of line: Int) -> String? {
        value(of: line) { if case .icePassword(let password) = $0 { password } else { nil } }
    }
    package func setup(of line: Int) -> SetupRole? {
        value(of: line) { if case .setup(let role) = $0 { role } else { nil } }
    }
    package func tlsID(of line: Int) -> String? {
        value(of: line) { if case .other("tls-id", let id) = $0 { id } else { nil } }
    }
    package func iceOptions(of line: Int) -> [String] {
        value(of: line) { if case .iceOptions(let options) = $0 { options } else { nil } } ?? []
    }
    package func fingerprints(of line: Int) -> [Fingerprint] {
        let pick = { (attribute: Attribute) -> Fingerprint? in
            if case .fingerprint(let fingerprint) = attribute { fingerprint } else { nil }
        }
        let own = media.indices.contains(line) ? media[line].attributes.compactMap(pick) : []
        return own.isEmpty ? attributes.compactMap(pick) : own
    }
    package func direction(of line: Int) -> MediaDirection {
        value(of: line) { if case .direction(let direction) = $0 { direction } else { nil } } ?? .sendrecv
    }
    /// The connection data of the line, else of the session.
    package func connection(of line: Int) -> ConnectionData? {
        (media.indices.contains(line) ? media[line].connections.first : nil) ?? connection
    }
    package func has(_ flag: Attribute) -> Bool { attributes.contains(flag) }
    /// What the writer wants to be sent at most over all lines, in bit/s.
    package var sessionBandwidthMax: UInt64? { limit(bandwidths, "CT") ?? limit(bandwidths, "AS") }

    /// `a=extmap` of the line; those at the top count for lines without own (RFC 8285, section 6).
    package func extensions(of line: Int) -> [ExtensionMap] {
        let pick = { (attribute: Attribute) -> ExtensionMap? in
            if case .extmap(let map) = attribute { map } else { nil }
        }
        let own = media.indices.contains(line) ? media[line].attributes.compactMap(pick) : []
        return own.isEmpty ? attributes.compactMap(pick) : own
    }

    /// `a=extmap-allow-mixed`, at the top or in the line.
    package func mixesExtensions(of line: Int) -> Bool {
        has(.extmapAllowMixed) || (media.indices.contains(line) && media[line].has(.extmapAllowMixed))
    }

    /// Groups of this kind, in their order.
    package func groups(_ semantics: String) -> [MediaGroup] {
        attributes.compactMap { if case .group(let group) = $0, group.semantics == semantics { group } else { nil } }
    }

    /// Adds our candidates to the first line of each bundle, and to every other line in use.
    package mutating func add(candidates: [String], isComplete: Bool) {
        for lines in BundlePlan(self).groups {
            guard let line = lines.first(where: { !media[$0].isRefused }) else { continue }
            media[line].attributes += candidates.map { .candidate($0) }
            if isComplete { media[line].attributes.append(.endOfCandidates) }
        }
    }
}

/// A limit in bit/s from `b=` lines; 0 counts as none.
private func limit(_ bandwidths: [Bandwidth], _ total: String) -> UInt64? {
    func value(_ type: String) -> UInt64? { bandwidths.first { $0.type.isSame(as: type) && $0.value > 0 }?.value }
    if let exact = value("TIAS") { return exact }
    guard let kilobits = value(total) else { return nil }
    let (bits, isTooLarge) = kilobits.multipliedReportingOverflow(by: 1000)
    return isTooLarge ? nil : bits
}

extension MediaDescription {
    /// The first value that `pick` finds.
    package func first<Value>(_ pick: (Attribute) -> Value?) -> Value? {
        for attribute in attributes { if let value = pick(attribute) { return value } }
        return nil
    }
    package func has(_ flag: Attribute) -> Bool { attributes.contains(flag) }

    package var mid: String? { first { if case .mid(let mid) = $0 { mid } else { nil } } }
    /// Port 0 without `a=bundle-only`.
    package var isRefused: Bool { port == 0 && !has(.bundleOnly) }

    package var simulcast: SimulcastDescription? {
        first { if case .simulcast(let simulcast) = $0 { simulcast } else { nil } }
    }
    package var rids: [RestrictionIdentifier] {
        attributes.compactMap { if case .rid(let rid) = $0 { rid } else { nil } }
    }
    package var crypto: [CryptoAttribute] {
        attributes.compactMap { if case .crypto(let crypto) = $0 { crypto } else { nil } }
    }
    package var candidates: [String] {
        attributes.compactMap { if case .candidate(let text) = $0 { text } else { nil } }
    }
    package var ptime: Double? { first { if case .ptime(let value) = $0 { value } else { nil } } }
    package var maxptime: Double? { first { if case .maxptime(let value) = $0 { value } else { nil } } }

    /// SCTP port and largest message (RFC 8841), in the present form or the old one; nil where it is no SCTP.
    package var sctp: (port: UInt16, maxMessageSize: UInt64)? {
        let port =
            first { if case .sctpPort(let port) = $0 { port } else { nil } }
            ?? first { if case .sctpmap(let port, _, _) = $0 { port } else { nil } }
        guard let port else { return nil }
        let size = first { if case .maxMessageSize(let size) = $0 { size } else { nil } }
        return (port, size ?? MediaDescription.maxMessageSizeDefault)
    }
    /// RFC 8841, section 6.1.
    package static let maxMessageSizeDefault: UInt64 = 65_536

    /// What the writer wants to be sent at most, in bit/s.
    package var bandwidthMax: UInt64? { limit(bandwidths, "AS") }
}

/// Which lines travel together (RFC 9143): the bundles, and every other line for itself, in the order of their first
/// line. Refused lines stay where they are.
struct BundlePlan {
    /// Indices of m-lines; in a bundle in the order of the group, whose first line carries the transport.
    var groups: [[Int]] = []
    /// The group of each line.
    var groupOfLine: [Int]

    init(_ description: SessionDescription, bundles: Bool = true) {
        groupOfLine = Array(repeating: -1, count: description.media.count)
        var lineOfMid: [String: Int] = [:]
        for (index, media) in description.media.enumerated() {
            if let mid = media.mid, lineOfMid[mid] == nil { lineOfMid[mid] = index }
        }
        for group in bundles ? description.groups(MediaGroup.bundle) : [] {
            var lines: [Int] = []
            for mid in group.mids {
                guard let line = lineOfMid[mid], groupOfLine[line] < 0 else { continue }
                groupOfLine[line] = groups.count
                lines.append(line)
            }
            if !lines.isEmpty { groups.append(lines) }
        }
        for line in description.media.indices where groupOfLine[line] < 0 {
            groupOfLine[line] = groups.count
            groups.append([line])
        }
    }
}
