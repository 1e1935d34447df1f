import Core

/// What is remembered of a packet from its sending until the feedback's verdict on it is final.
struct SentPacket: Sendable {
    enum Verdict: UInt8 { case none, received, lost, settled }
    var sequence: Int64 = -1
    var sentAt = Instant(nanoseconds: 0)
    var size: Int32 = 0
    /// 0: no probe.
    var probe: Int32 = 0
    var verdict = Verdict.none
}

/// The sent packets by their transport-wide sequence number, in a ring: what is older than its size is forgotten.
struct SentPackets: Sendable {
    /// 3.9 s at 5 Mbit/s of 1200 bytes; an outage longer than that needs no single verdicts.
    static let capacity = 2048

    private var ring = [SentPacket](repeating: SentPacket(), count: capacity)
    /// The number after the newest one.
    private(set) var end: Int64 = 0
    private(set) var start: Int64 = 0
    private(set) var bytesInFlight = 0

    init() {}

    var newest: SentPacket? { end > start ? self[end - 1] : nil }

    subscript(_ sequence: Int64) -> SentPacket? {
        guard sequence >= start, sequence < end else { return nil }
        return ring[Int(sequence & Int64(Self.capacity - 1))]
    }

    mutating func append(_ sequence: UInt16, size: Int, probe: Int32, at now: Instant) {
        // Numbers are given in order by one sender; a gap would only leave places empty.
        let number = end == start ? Int64(sequence) : end
        if end == start { start = number }
        if number - start >= Int64(Self.capacity) {
            forget(start)
            start += 1
        }
        ring[Int(number & Int64(Self.capacity - 1))] = SentPacket(
            sequence: number, sentAt: now, size: Int32(clamping: size), probe: probe)
        end = number + 1
        bytesInFlight += size
    }

    /// The full number of one from feedback; nil where it was never sent or is forgotten.
    func find(_ sequence: UInt16) -> Int64? {
        guard end > start else { return nil }
        let number = end - 1 - Int64(UInt16(truncatingIfNeeded: end - 1) &- sequence)
        return number >= start ? number : nil
    }

    mutating func setVerdict(_ verdict: SentPacket.Verdict, of number: Int64) {
        guard number >= start, number < end else { return }
        let index = Int(number & Int64(Self.capacity - 1))
        if ring[index].verdict == .none { bytesInFlight -= Int(ring[index].size) }
        ring[index].verdict = verdict
    }

    private mutating func forget(_ number: Int64) {
        let packet = ring[Int(number & Int64(Self.capacity - 1))]
        if packet.verdict == .none { bytesInFlight -= Int(packet.size) }
    }
}
