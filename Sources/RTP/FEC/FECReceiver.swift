import Core

/// Recovers lost packets of one media stream from repair packets (RFC 5109; draft-ietf-payload-flexible-fec-scheme-03).
///
/// Owned by the stream's receiver. Feed it every media packet and every repair packet; after each, take what `poll`
/// gives, which are whole RTP packets to be received as if they had come. Keeps the last 128 media packets and 32 repair
/// packets; older ones are forgotten.
package struct FECReceiver {
    package let scheme: FECScheme
    package let ssrc: UInt32

    /// A mask spans 109 packets, and sequence numbers are looked up by their low bits.
    private static let mediaCount = 128
    /// A sender protects a frame by some packets; those of the last few frames may still be of use.
    private static let repairCountMax = 32
    /// What one packet can make good at most, if each repair packet waited for the next. Full: the oldest is dropped.
    private static let recoveredCountMax = 32
    /// Bytes of a packet; longer ones are not protected.
    private static let packetSizeMax = 1600

    private struct Slot {
        var number: UInt16 = 0
        /// Empty: nothing there.
        var bytes: [UInt8] = []
    }
    private var media: [Slot]
    private var newest: UInt16?
    private var repairs: [RepairPacket] = []
    private var recovered = Deque<[UInt8]>()

    /// Packets made good.
    package private(set) var recoveredCount = 0
    /// Repair packets that were malformed.
    package private(set) var malformedCount = 0
    /// Repair packets that were forgotten with more than one of their packets missing.
    package private(set) var unusedCount = 0

    /// Recovered packets that nobody took.
    package private(set) var droppedCount = 0

    package init(scheme: FECScheme, ssrc: UInt32) {
        self.scheme = scheme
        self.ssrc = ssrc
        media = [Slot](repeating: Slot(), count: FECReceiver.mediaCount)
    }

    /// Takes a media packet of the stream as it came; it is copied here, into memory that is used again. `block` is the
    /// packet's own block if it came inside RED: what ulpfec protects is the packet without that wrapping.
    package mutating func receiveMedia(_ packet: RawSpan, header: RTPHeader, block: RedundantBlock? = nil) {
        guard packet.byteCount <= FECReceiver.packetSizeMax, header.payload.upperBound <= packet.byteCount,
            header.payload.lowerBound >= RTPHeader.fixedSize,
            block.map({ $0.range.upperBound <= header.payload.count }) ?? true
        else { return }
        let index = Int(header.sequenceNumber) & (FECReceiver.mediaCount - 1)
        media[index].number = header.sequenceNumber
        media[index].bytes.removeAll(keepingCapacity: true)
        packet.withUnsafeBytes { bytes in
            guard let block else { return media[index].bytes.append(contentsOf: bytes) }
            media[index].bytes.append(contentsOf: bytes[..<header.payload.lowerBound])
            media[index].bytes[1] = bytes[1] & 0x80 | block.payloadType
            media[index].bytes.append(contentsOf: bytes[(header.payload.lowerBound + block.range.lowerBound)...])
        }
        moved(to: header.sequenceNumber)
        if !repairs.isEmpty { recover() }
    }

    /// Takes the payload of a repair packet: of the RED block for ulpfec, of the packet for flexfec.
    package mutating func receiveRepair(_ payload: RawSpan) {
        guard payload.byteCount <= FECReceiver.packetSizeMax,
            let repair = try? RepairPacket(payload, scheme: scheme, ssrc: ssrc)
        else {
            malformedCount += 1
            return
        }
        if repairs.count == FECReceiver.repairCountMax {
            repairs.removeFirst()
            unusedCount += 1
        }
        repairs.append(repair)
        recover()
    }

    /// The next recovered packet: whole, without padding of its own beyond what the lost one had.
    package mutating func poll() -> [UInt8]? { recovered.popFirst() }

    private mutating func moved(to number: UInt16) {
        if let newest, Int16(bitPattern: number &- newest) <= 0 { return }
        newest = number
    }

    private func isHere(_ number: UInt16) -> Bool {
        let slot = media[Int(number) & (FECReceiver.mediaCount - 1)]
        return slot.number == number && !slot.bytes.isEmpty
    }

    /// Uses every repair packet that lacks just one, until none does: a recovered packet may be another one's last.
    private mutating func recover() {
        var index = 0
        while index < repairs.count {
            let repair = repairs[index]
            var missing: UInt16?
            var count = 0
            for distance in 0...repair.lastDistance where repair.protects(distance: distance) {
                let number = repair.base &+ UInt16(distance)
                if isHere(number) { continue }
                missing = number
                count += 1
                if count > 1 { break }
            }
            if count > 1 {
                if isPast(repair) {
                    repairs.remove(at: index)
                    unusedCount += 1
                } else {
                    index += 1
                }
                continue
            }
            repairs.remove(at: index)
            if let missing, let packet = rebuild(missing, repair) {
                media[Int(missing) & (FECReceiver.mediaCount - 1)] = Slot(number: missing, bytes: packet)
                moved(to: missing)
                if recovered.count == FECReceiver.recoveredCountMax {
                    _ = recovered.popFirst()
                    droppedCount += 1
                }
                recovered.append(packet)
                recoveredCount += 1
                index = 0
            }
        }
    }

    /// Whether what it protects is no longer kept.
    private func isPast(_ repair: RepairPacket) -> Bool {
        guard let newest else { return false }
        return Int(Int16(bitPattern: newest &- repair.base)) >= FECReceiver.mediaCount
    }

    /// The lost packet: the sum of the repair packet and of all others that it protects; nil if that makes no sense.
    private func rebuild(_ lost: UInt16, _ repair: RepairPacket) -> [UInt8]? {
        var header = repair.headerBits
        var timestamp = repair.timestampBits
        var length = repair.lengthBits
        var bytes = repair.bytes
        for distance in 0...repair.lastDistance where repair.protects(distance: distance) {
            let number = repair.base &+ UInt16(distance)
            if number == lost { continue }
            let packet = media[Int(number) & (FECReceiver.mediaCount - 1)].bytes
            var reader = ByteReader(packet.span.bytes)
            guard let first = try? reader.u16(), (try? reader.u16()) != nil, let time = try? reader.u32(),
                packet.count >= RTPHeader.fixedSize
            else { return nil }
            header ^= first
            timestamp ^= time
            length ^= UInt16(truncatingIfNeeded: packet.count - RTPHeader.fixedSize)
            for place in 0..<min(bytes.count, packet.count - RTPHeader.fixedSize) {
                bytes[place] ^= packet[RTPHeader.fixedSize + place]
            }
        }
        guard Int(length) <= bytes.count else { return nil }
        var out = ByteWriter(capacity: RTPHeader.fixedSize + Int(length))
        // Version 2 stands where the sum has other bits.
        out.u16(header & 0x3FFF | 0x8000)
        out.u16(lost)
        out.u32(timestamp)
        out.u32(ssrc)
        out.append(bytes.prefix(Int(length)))
        return out.bytes
    }
}
