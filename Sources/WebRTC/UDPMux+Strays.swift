import Core
import ICE
import RTP

/// Media from an address that nobody is known at. A peer whose address changed sends on without knowing; its SSRC says
/// who it may be, and SRTP's tag whether it is.
extension UDPMux {
    /// Of peers that share an SSRC those are tried that were silent longest, so many: each costs one look at a tag.
    private static let triesMax = 4
    /// Packets of shared SSRCs that are looked at in a second. More are a flood's.
    private static let sharedMax = 100

    /// Whether the packet was a peer's, which has taken it in.
    func takeStray(_ bytes: UnsafeMutableRawBufferPointer, over path: NetworkPath, at now: Instant) -> Bool {
        guard path.transport == .udp, let ssrc = UDPMux.source(of: bytes) else { return false }
        let holders = sources[ssrc]
        if holders.count == 1 { return offer(bytes, to: holders[0], over: path, at: now) }
        guard !holders.isEmpty, strayBudget.take(UDPMux.sharedMax, at: now) else { return false }
        let silent = holders.map { ($0, $0.client?.peer.ice.silence(at: now) ?? .zero) }.sorted { $0.1 > $1.1 }
        // Some ciphers write over a packet whose tag does not fit.
        return withUnsafeTemporaryAllocation(byteCount: bytes.count, alignment: 8) { copy in
            silent.prefix(UDPMux.triesMax).contains { entry, _ in
                copy.copyMemory(from: UnsafeRawBufferPointer(bytes))
                return offer(copy, to: entry, over: path, at: now)
            }
        }
    }

    private func offer(
        _ bytes: UnsafeMutableRawBufferPointer, to entry: MuxEntry, over path: NetworkPath, at now: Instant
    ) -> Bool {
        guard let client = entry.client, client.peer.receiveStray(bytes, over: path, at: now) else { return false }
        counters.strays += 1
        note(entry)
        return true
    }

    /// The SSRC of what looks like SRTP or SRTCP.
    private static func source(of bytes: UnsafeMutableRawBufferPointer) -> UInt32? {
        // The shortest of both, with its tag.
        guard bytes.count >= 20, bytes[0] >> 6 == 2 else { return nil }
        let place = RTCPPacket.isRTCP(UnsafeRawBufferPointer(bytes).bytes) ? 4 : 8
        return UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self))
    }
}

/// So many a second, counted in whole seconds. A value.
struct SecondBudget {
    private var second: Int64 = .min
    private var used = 0

    /// Whether there was one left of `limit`; it is used then.
    mutating func take(_ limit: Int, at now: Instant) -> Bool {
        guard hasLeft(limit, at: now) else { return false }
        used += 1
        return true
    }

    /// Whether there is one left of `limit`.
    mutating func hasLeft(_ limit: Int, at now: Instant) -> Bool {
        let current = now.nanoseconds / 1_000_000_000
        if current != second { (second, used) = (current, 0) }
        return used < limit
    }
}
