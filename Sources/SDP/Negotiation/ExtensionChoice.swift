/// Which header extensions are in use (RFC 8285, section 6).
enum ExtensionChoice {
    /// Our answer: what we know, with the numbers of the offer. Of a number or URI that stands twice, the first counts;
    /// numbers to be chosen by the answerer (4096 and above) are left alone, and so is what needs two-byte headers
    /// where these may not be mixed in.
    static func answer(_ offered: [ExtensionMap], local: [ExtensionMap], mixes: Bool) -> [ExtensionMap] {
        var taken: [ExtensionMap] = []
        for map in offered {
            guard isUsable(map.id, mixes: mixes), !taken.contains(where: { $0.id == map.id || $0.uri == map.uri }),
                let own = local.first(where: { $0.uri == map.uri })
            else { continue }
            let direction = (own.direction ?? .sendrecv).intersection((map.direction ?? .sendrecv).reversed)
            guard direction != .inactive else { continue }
            taken.append(ExtensionMap(id: map.id, direction: direction == .sendrecv ? nil : direction, uri: map.uri))
        }
        return taken
    }

    private static func isUsable(_ id: Int, mixes: Bool) -> Bool {
        (1...14).contains(id) || (mixes && (16...255).contains(id))
    }

    /// What both descriptions name, directions seen from us.
    static func joined(local: [ExtensionMap], remote: [ExtensionMap]) -> [ExtensionMap] {
        local.compactMap { own in
            guard let other = remote.first(where: { $0.id == own.id && $0.uri == own.uri }) else { return nil }
            let direction = (own.direction ?? .sendrecv).intersection((other.direction ?? .sendrecv).reversed)
            return direction == .inactive ? nil : ExtensionMap(id: own.id, direction: direction, uri: own.uri)
        }
    }
}
