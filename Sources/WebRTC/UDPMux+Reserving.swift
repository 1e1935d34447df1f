import Core

extension UDPMux {
    /// A peer's way in use is kept apart from strangers' floods as long as it is in use: one place for each peer, which
    /// ends with consent.
    func reserve(_ path: NetworkPath?, for entry: MuxEntry) {
        guard path != entry.used else { return }
        entry.used = path
        if let old = entry.reserved { network.release(old) }
        entry.reserved = path.flatMap { isStrangers($0, entry) ? $0 : nil }
        if let new = entry.reserved { network.reserve(new) }
    }

    /// Whether strangers may come over the same socket: not those that were opened for a server.
    private func isStrangers(_ path: NetworkPath, _ entry: MuxEntry) -> Bool {
        path.transport == .udp && (udpAddresses.contains(path.local) || entry.ownSockets.contains(path.local))
    }
}
