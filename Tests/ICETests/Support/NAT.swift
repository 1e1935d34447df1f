import Core

/// A network address translator with the four classic behaviours. UDP only; TCP goes out and never comes in.
final class NAT {
    enum Kind: String, CaseIterable, Sendable { case none, fullCone, addressRestricted, portRestricted, symmetric }
    private struct Flow: Hashable {
        let inside: SocketAddress
        let remote: SocketAddress?
    }

    let kind: Kind
    let publicIP: IPAddress
    private var ports: [Flow: UInt16] = [:]
    private var inside: [UInt16: SocketAddress] = [:]
    private var allowed: [UInt16: Set<SocketAddress>] = [:]
    private var nextPort: UInt16 = 30_000

    init(_ kind: Kind, _ publicIP: String) {
        self.kind = kind
        self.publicIP = IPAddress(publicIP) ?? .anyV4
    }

    /// Forgets what it has translated; from now on everything comes from other ports.
    func restart() {
        ports = [:]
        inside = [:]
        allowed = [:]
    }

    /// What the world sees of a datagram that leaves.
    func outgoing(_ from: SocketAddress, to remote: SocketAddress) -> SocketAddress {
        let flow = Flow(inside: from, remote: kind == .symmetric ? remote : nil)
        let port = ports[flow] ?? nextPort
        if ports[flow] == nil {
            ports[flow] = port
            inside[port] = from
            nextPort += 1
        }
        allowed[port, default: []].insert(remote)
        return SocketAddress(publicIP, port)
    }

    /// Who gets a datagram to the public side; nil: nobody.
    func incoming(_ port: UInt16, from remote: SocketAddress) -> SocketAddress? {
        guard let target = inside[port] else { return nil }
        let known = allowed[port] ?? []
        switch kind {
        case .none, .fullCone: return target
        case .addressRestricted: return known.contains { $0.ip == remote.ip } ? target : nil
        case .portRestricted, .symmetric: return known.contains(remote) ? target : nil
        }
    }
}
