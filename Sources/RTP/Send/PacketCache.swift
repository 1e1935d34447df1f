import Core

/// One packet of a stream from the moment it is queued until it is too old to be sent again. It refers to the shared
/// frame and copies nothing of it.
struct CachedPacket {
    /// Nil: padding, or forgotten.
    var frame: OutgoingFrame?
    var slice: Int32 = 0
    var resends: UInt8 = 0
    var timestamp: UInt32 = 0
    var numbers = PictureNumbers(pictureID: 0, tl0PictureIndex: 0)
    var payloadType: UInt8 = 0
    var queuedAt = Instant(nanoseconds: 0)
    var sentAt = Instant(nanoseconds: 0)
    var resentAt = Instant(nanoseconds: .min)
}

/// The packets of one stream in a ring: those sent, kept to be sent again, and behind them those that wait. A packet's
/// place is its sequence number without wraps.
struct PacketCache {
    /// Four seconds at 5 Mbit/s; what waits for the pacer counts too.
    static let capacityMax = 2048

    private var ring: [CachedPacket]
    /// Oldest kept, next to send, and next to be queued.
    private(set) var start: Int64
    private(set) var cursor: Int64
    private(set) var end: Int64
    /// Payload bytes that wait.
    private(set) var waitingBytes = 0

    init(first: UInt16, capacity: Int) {
        ring = [CachedPacket](repeating: CachedPacket(), count: capacity)
        start = Int64(first) + 65_536
        cursor = start
        end = start
    }

    var waiting: Int { Int(end - cursor) }
    var sent: Int { Int(cursor - start) }
    var next: CachedPacket? { cursor < end ? ring[place(cursor)] : nil }
    var nextSize: Int { next.flatMap { packet in packet.frame.map { size(packet, $0) } } ?? 0 }

    subscript(_ number: Int64) -> CachedPacket? {
        number >= start && number < end ? ring[place(number)] : nil
    }

    /// The full number of one from a NACK: the nearest to what was sent last; nil if it is not kept.
    func find(_ sequence: UInt16) -> Int64? {
        let newest = cursor - 1
        let number = newest + Int64(Int16(bitPattern: sequence &- UInt16(truncatingIfNeeded: newest)))
        return number >= start && number < cursor ? number : nil
    }

    /// False: there is no place although everything sent was forgotten.
    mutating func append(_ packet: CachedPacket) -> Bool {
        if end - start == Int64(ring.count) {
            if ring.count < Self.capacityMax {
                grow()
            } else if start < cursor {
                forgetFirst()
            } else {
                return false
            }
        }
        ring[place(end)] = packet
        if let frame = packet.frame { waitingBytes += size(packet, frame) }
        end += 1
        return true
    }

    mutating func markSent(at now: Instant) {
        let packet = place(cursor)
        ring[packet].sentAt = now
        if let frame = ring[packet].frame { waitingBytes -= size(ring[packet], frame) }
        cursor += 1
    }

    mutating func markResent(_ number: Int64, at now: Instant) {
        ring[place(number)].resentAt = now
        if ring[place(number)].resends < .max { ring[place(number)].resends += 1 }
    }

    /// Forgets what was sent before `time`.
    mutating func forget(sentBefore time: Instant) {
        while start < cursor, ring[place(start)].sentAt < time { forgetFirst() }
    }

    /// Takes back whole frames that nothing was sent of; the rest of a frame that was begun stays. Returns how many,
    /// and the numbers of the first, which the next frame takes.
    mutating func dropWaiting() -> (frames: Int, numbers: PictureNumbers?) {
        var keep = cursor
        if let first = next, let frame = first.frame, !frame.packets.slices[Int(first.slice)].isStart {
            while keep < end, ring[place(keep)].frame === frame { keep += 1 }
        }
        var frames = 0
        var numbers: PictureNumbers?
        while end > keep {
            end -= 1
            let packet = ring[place(end)]
            if let frame = packet.frame {
                waitingBytes -= size(packet, frame)
                if frame.packets.slices[Int(packet.slice)].isStart {
                    frames += 1
                    numbers = packet.numbers
                }
            }
            ring[place(end)].frame = nil
        }
        return (frames, numbers)
    }

    private mutating func forgetFirst() {
        ring[place(start)].frame = nil
        start += 1
    }

    private mutating func grow() {
        var grown = [CachedPacket](repeating: CachedPacket(), count: ring.count * 2)
        for number in start..<end { grown[Int(number) & (grown.count - 1)] = ring[place(number)] }
        ring = grown
    }

    private func size(_ packet: CachedPacket, _ frame: OutgoingFrame) -> Int {
        frame.packets.slices[Int(packet.slice)].count
    }

    private func place(_ number: Int64) -> Int { Int(number) & (ring.count - 1) }
}
