import Core

/// Finds whole frames among the packets of one stream: a run of packets with one timestamp, from a packet that is known
/// to begin a frame to one with the marker, or to the last before another timestamp. Padding in between is stepped over.
struct FrameAssembler: ~Copyable {
    /// A whole frame: its packets are all in the buffer.
    struct Found {
        var packets: Range<Int64>
        /// Where the first packet with a payload lies.
        var first: Int64
        /// Its head is there for certain; false for the rest of a frame whose head may be lost.
        var hasHead: Bool
        var isKey: Bool
        var isBroken: Bool
    }

    private(set) var packets: PacketBuffer
    /// All from `packets.base` up to here are present: the first packet waited for.
    private(set) var cursor: Int64
    /// Behind the last packet present.
    private(set) var end: Int64
    /// The frame that begins at `packets.base`, as far as the cursor has come.
    private var current: Found?
    private var timestamp: Int64 = 0
    /// What lies before `packets.base` was the end of a frame.
    private var isBoundary = false
    /// Nothing was used yet, so packets before the first one may still come in.
    private var isFresh = true

    init(pool: PacketPool, first: Int64) {
        packets = PacketBuffer(pool: pool, base: first)
        cursor = first
        end = first
    }

    /// There is a hole at the cursor: packets behind it are here already.
    var isBlocked: Bool { cursor < end }

    /// What would become of a packet with this number; a fresh assembler makes room for one before its first.
    mutating func judge(_ sequence: Int64) -> PacketBuffer.Insertion {
        lower(to: sequence)
        return packets.judge(sequence)
    }

    /// Waits for `sequence` too, if nothing was used yet. Whether it does.
    @discardableResult
    mutating func lower(to sequence: Int64) -> Bool {
        let base = packets.base
        guard isFresh, sequence < base, base - sequence < SequenceTracker.reorderedAtStart else { return false }
        packets.lower(to: sequence)
        cursor = packets.base
        current = nil
        return packets.base == sequence
    }

    mutating func insert(_ packet: BufferedPacket) {
        packets.insert(packet)
        end = max(end, packet.sequence + 1)
    }

    /// The frame at `packets.base`, once all its packets are present; the cursor goes on as far as it can.
    mutating func next() -> Found? {
        while let packet = packets[cursor] {
            if packet.isPadding {
                cursor += 1
                if current == nil {
                    isFresh = false
                    packets.remove(before: cursor)
                }
                continue
            }
            if let whole = current, packet.timestamp != timestamp {
                isBoundary = true
                return whole
            }
            current = extended(current, with: packet, hasHead: isBoundary || isHead(packet), base: packets.base)
            timestamp = packet.timestamp
            cursor += 1
            if packet.marker {
                isBoundary = true
                return current
            }
        }
        return nil
    }

    /// Lets a frame's packets, and all before them, go.
    mutating func consume(_ frame: Found) {
        isFresh = false
        current = nil
        packets.remove(before: frame.packets.upperBound)
        cursor = max(cursor, packets.base)
    }

    /// The first whole frame behind the hole that `fits`.
    func firstBehindHole(where fits: (Found) -> Bool) -> Found? {
        var found: Found?
        var timestamp: Int64?
        var isBoundary = false
        var sequence = cursor
        while sequence < end {
            defer { sequence += 1 }
            guard let packet = packets[sequence] else {
                (found, timestamp, isBoundary) = (nil, nil, false)
                continue
            }
            if packet.isPadding { continue }
            if let known = timestamp, known != packet.timestamp {
                if let whole = found, fits(whole) { return whole }
                (found, isBoundary) = (nil, true)
            }
            if found != nil || isBoundary || packet.info.start == .yes {
                found = extended(found, with: packet, hasHead: true, base: sequence)
            }
            timestamp = packet.timestamp
            isBoundary = false
            if packet.marker {
                if let whole = found, fits(whole) { return whole }
                (found, timestamp, isBoundary) = (nil, nil, true)
            }
        }
        return nil
    }

    /// Makes a frame behind the hole the next one and lets all before it go.
    mutating func skip(to frame: Found) {
        isFresh = false
        packets.remove(before: frame.packets.lowerBound)
        cursor = packets.base
        current = nil
        isBoundary = true
    }

    /// Gives the hole at the cursor up, and what there is of the frame before it. Whether that was part of a frame.
    mutating func skipHole() -> Bool {
        isFresh = false
        let hadPart = current != nil
        while cursor < end, !packets.contains(cursor) { cursor += 1 }
        packets.remove(before: cursor)
        current = nil
        isBoundary = false
        return hadPart
    }

    /// Whether a packet of which nobody knows what went before begins a frame. The first packet of a stream may be
    /// believed where the format leaves it open.
    private func isHead(_ packet: BufferedPacket) -> Bool {
        packet.info.start == .yes || (isFresh && packet.info.start == .possible)
    }

    private func extended(_ frame: Found?, with packet: BufferedPacket, hasHead: Bool, base: Int64) -> Found {
        var grown =
            frame
            ?? Found(
                packets: base..<base, first: packet.sequence, hasHead: hasHead, isKey: false, isBroken: false)
        grown.packets = grown.packets.lowerBound..<(packet.sequence + 1)
        grown.isKey = grown.isKey || packet.info.isKey
        grown.isBroken = grown.isBroken || packet.isBroken
        return grown
    }
}
