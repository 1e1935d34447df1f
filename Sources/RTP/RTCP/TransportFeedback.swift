package import Core

/// Transport-wide congestion control feedback: which packets of a transport arrived, and when
/// (draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1).
package struct TransportFeedback: Hashable, Sendable {
    package var senderSSRC: UInt32
    package var mediaSSRC: UInt32
    /// Counts feedback packets, so that lost ones are seen.
    package var feedbackCount: UInt8
    /// The transport's number of the first packet reported.
    package private(set) var baseSequenceNumber: UInt16
    /// What the first delta adds to, in 64 ms: 24 bits, signed.
    package private(set) var referenceTime: Int32
    /// For each packet from the base on: the time since the last one that arrived, in 250 µs; nil: not arrived.
    package private(set) var deltas: [Int16?]

    /// Packets that one feedback may speak of. Two bytes can claim 8191 of them, so the bound is on the claim; at a
    /// feedback every 50–250 ms real ones speak of some hundreds.
    package static let packetCountMax = 8192
    /// Of 250 µs.
    package static let tickNanoseconds: Int64 = 250_000
    package static let referenceNanoseconds: Int64 = 64_000_000

    /// A feedback that begins with packet `baseSequenceNumber`, which came at `arrival`. Others are added by `append`.
    package init(
        senderSSRC: UInt32, mediaSSRC: UInt32, feedbackCount: UInt8, baseSequenceNumber: UInt16, arrival: Instant
    ) {
        self.senderSSRC = senderSSRC
        self.mediaSSRC = mediaSSRC
        self.feedbackCount = feedbackCount
        self.baseSequenceNumber = baseSequenceNumber
        let nanoseconds = max(0, arrival.nanoseconds)
        let reference = nanoseconds / TransportFeedback.referenceNanoseconds
        referenceTime = Int32(truncatingIfNeeded: reference << 8) >> 8
        lastTick = nanoseconds / TransportFeedback.tickNanoseconds
        deltas = [Int16(lastTick - reference * 256)]
    }

    /// While it is built: the last arrival in 250 µs of the host's clock.
    private var lastTick: Int64 = 0

    /// Adds the next packet: when it came, or nil if it has not. False: it does not fit this feedback (too long after
    /// the one before, or the bound is reached); begin another one with it.
    package mutating func append(arrival: Instant?) -> Bool {
        guard deltas.count < TransportFeedback.packetCountMax else { return false }
        guard let arrival else {
            deltas.append(nil)
            return true
        }
        // Rounded times are subtracted, not rounded differences, so that no error adds up.
        let tick = max(0, arrival.nanoseconds) / TransportFeedback.tickNanoseconds
        guard let delta = Int16(exactly: tick - lastTick) else { return false }
        lastTick = tick
        deltas.append(delta)
        return true
    }

    /// Calls `body` with each packet's number and its arrival since the sender's epoch (which wraps every 12 days),
    /// nil for one that has not arrived.
    package func forEachPacket(_ body: (UInt16, MediaTime?) -> Void) {
        var ticks = Int64(referenceTime) * 256
        var number = baseSequenceNumber
        for delta in deltas {
            if let delta {
                ticks += Int64(delta)
                body(number, MediaTime(nanoseconds: ticks * TransportFeedback.tickNanoseconds))
            } else {
                body(number, nil)
            }
            number &+= 1
        }
    }

    // Two feedbacks are the same if their bytes are.
    package static func == (a: TransportFeedback, b: TransportFeedback) -> Bool {
        a.senderSSRC == b.senderSSRC && a.mediaSSRC == b.mediaSSRC && a.feedbackCount == b.feedbackCount
            && a.baseSequenceNumber == b.baseSequenceNumber && a.referenceTime == b.referenceTime
            && a.deltas == b.deltas
    }
    package func hash(into hasher: inout Hasher) {
        hasher.combine(senderSSRC)
        hasher.combine(baseSequenceNumber)
        hasher.combine(feedbackCount)
        hasher.combine(deltas)
    }

    // MARK: the wire

    /// Status symbols (section 3.1.1); 3 is reserved.
    private static let notReceived: UInt16 = 0
    private static let smallDelta: UInt16 = 1
    private static let largeDelta: UInt16 = 2

    init(_ reader: inout ByteReader) throws(TruncatedError) {
        senderSSRC = try reader.u32()
        mediaSSRC = try reader.u32()
        baseSequenceNumber = try reader.u16()
        let count = Int(try reader.u16())
        guard (1...TransportFeedback.packetCountMax).contains(count) else { throw TruncatedError() }
        referenceTime = Int32(bitPattern: try reader.u24() << 8) >> 8
        feedbackCount = try reader.u8()
        // First the symbols, then, in their places, the deltas.
        deltas = []
        deltas.reserveCapacity(count)
        while deltas.count < count { try readChunk(&reader, count: count) }
        for index in deltas.indices {
            switch deltas[index].map({ UInt16(bitPattern: $0) }) {
            case TransportFeedback.smallDelta: deltas[index] = Int16(try reader.u8())
            case TransportFeedback.largeDelta: deltas[index] = Int16(bitPattern: try reader.u16())
            default: break
            }
        }
    }

    private mutating func readChunk(_ reader: inout ByteReader, count: Int) throws(TruncatedError) {
        let chunk = try reader.u16()
        if chunk & 0x8000 == 0 {
            let run = Int(chunk & 0x1FFF)
            // A run of nothing says nothing and must not keep us here: it is read on, to the end of the bytes.
            for _ in 0..<min(run, count - deltas.count) { try take(chunk >> 13 & 3) }
        } else if chunk & 0x4000 == 0 {
            for place in 0..<min(14, count - deltas.count) { try take(chunk >> UInt16(13 - place) & 1) }
        } else {
            for place in 0..<min(7, count - deltas.count) { try take(chunk >> UInt16(12 - 2 * place) & 3) }
        }
    }

    private mutating func take(_ symbol: UInt16) throws(TruncatedError) {
        switch symbol {
        case TransportFeedback.notReceived: deltas.append(nil)
        case TransportFeedback.smallDelta, TransportFeedback.largeDelta: deltas.append(Int16(symbol))
        default: throw TruncatedError()
        }
    }

    private func symbol(_ index: Int) -> UInt16 {
        guard let delta = deltas[index] else { return TransportFeedback.notReceived }
        return (0...255).contains(delta) ? TransportFeedback.smallDelta : TransportFeedback.largeDelta
    }

    func write(to writer: inout ByteWriter) {
        let start = writer.count
        writer.rtcp(type: RTCPType.transportFeedback, count: 15) { writer in
            writer.u32(senderSSRC)
            writer.u32(mediaSSRC)
            writer.u16(baseSequenceNumber)
            writer.u16(UInt16(deltas.count))
            writer.u24(UInt32(bitPattern: referenceTime))
            writer.u8(feedbackCount)
            var index = 0
            while index < deltas.count { index += writeChunk(at: index, to: &writer) }
            for case let delta? in deltas {
                if (0...255).contains(delta) { writer.u8(UInt8(delta)) } else { writer.u16(UInt16(bitPattern: delta)) }
            }
            let padding = (4 - (writer.count - start) % 4) % 4
            for place in 0..<padding { writer.u8(place == padding - 1 ? UInt8(padding) : 0) }
            if padding > 0 { writer.patch(u16: 0xA000 | 15 << 8 | UInt16(RTCPType.transportFeedback), at: start) }
        }
    }

    /// Writes one chunk and returns how many packets it speaks of: a run where it says more than a vector would, else
    /// fourteen one-bit symbols, else seven of two bits.
    private func writeChunk(at start: Int, to writer: inout ByteWriter) -> Int {
        let left = deltas.count - start
        let first = symbol(start)
        var run = 1
        while run < min(left, 0x1FFF), symbol(start + run) == first { run += 1 }
        var isOneBit = true
        for place in 0..<min(14, left) where symbol(start + place) == TransportFeedback.largeDelta { isOneBit = false }
        if run >= (isOneBit ? 14 : 7) || run == left {
            writer.u16(first << 13 | UInt16(run))
            return run
        }
        var chunk: UInt16 = isOneBit ? 0x8000 : 0xC000
        let places = min(isOneBit ? 14 : 7, left)
        for place in 0..<places {
            chunk |= symbol(start + place) << UInt16(isOneBit ? 13 - place : 12 - 2 * place)
        }
        writer.u16(chunk)
        return places
    }
}
