import Core

/// Memory for the payloads of packets that wait for others: slots of one size, handed out and taken back.
///
/// Owned by a loop and shared by all its streams. Grows by chunks up to its limit, never shrinks, so that in steady
/// state nothing is allocated. Over the limit a packet is refused and counted: it is as good as lost, and repaired or
/// given up like one.
package final class PacketPool {
    /// One MTU of Ethernet: no RTP payload that crosses the Internet whole is larger.
    package static let slotSize = 1536
    /// 16 384 slots are 24 MiB, some seconds of what a loop's 2 × 1 Gbit/s link can lose in one place.
    package static let defaultLimit = 16_384
    /// Slots per allocation: 96 KiB.
    private static let chunkSize = 64

    private let limit: Int
    private var chunks: [UnsafeMutableRawPointer] = []
    private var free: [Int32] = []
    /// Slots in use.
    package private(set) var used = 0
    /// Packets refused because all slots were in use.
    package private(set) var refused = 0
    /// Packets refused because they are larger than a slot.
    package private(set) var oversized = 0

    package init(limit: Int = PacketPool.defaultLimit) { self.limit = max(1, limit) }

    deinit { for chunk in chunks { chunk.deallocate() } }

    /// Copies `bytes` into a slot: the one copy between the loop's datagram and the assembled frame. nil if the bytes
    /// do not fit or no slot is left. Whoever gets a slot gives it back by `release`, once.
    func store(_ bytes: RawSpan) -> Int32? {
        guard bytes.byteCount <= PacketPool.slotSize else {
            oversized += 1
            return nil
        }
        if free.isEmpty, !grow() {
            refused += 1
            return nil
        }
        let slot = free.removeLast()
        used += 1
        let target = memory(slot)
        bytes.withUnsafeBytes { source in
            if let base = source.baseAddress { target.copyMemory(from: base, byteCount: source.count) }
        }
        return slot
    }

    func release(_ slot: Int32) {
        free.append(slot)
        used -= 1
    }

    /// The first `count` bytes of a slot in use; valid until it is released.
    func bytes(_ slot: Int32, count: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: memory(slot), count: min(count, PacketPool.slotSize))
    }

    private func memory(_ slot: Int32) -> UnsafeMutableRawPointer {
        chunks[Int(slot) / PacketPool.chunkSize] + (Int(slot) % PacketPool.chunkSize) * PacketPool.slotSize
    }

    private func grow() -> Bool {
        let first = chunks.count * PacketPool.chunkSize
        let count = min(PacketPool.chunkSize, limit - first)
        guard count > 0 else { return false }
        chunks.append(.allocate(byteCount: count * PacketPool.slotSize, alignment: 16))
        // Room for all of them, so that giving back never allocates.
        free.reserveCapacity(first + count)
        for slot in (first..<(first + count)).reversed() { free.append(Int32(slot)) }
        return true
    }
}
