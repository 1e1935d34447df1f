package import Core

/// One packet of RTCP (RFC 3550, section 6; RFC 4585; RFC 3611). A datagram carries one or several of them.
package enum RTCPPacket: Hashable, Sendable {
    case senderReport(SenderReport)
    case receiverReport(ReceiverReport)
    case sourceDescription(SourceDescription)
    case goodbye(Goodbye)
    case nack(GenericNACK)
    case transportFeedback(TransportFeedback)
    case pictureLossIndication(PictureLossIndication)
    case fullIntraRequest(FullIntraRequest)
    case remb(ReceiverEstimatedMaximumBitrate)
    case extendedReport(ExtendedReport)

    /// Packets taken from one datagram; the rest is malformed. More than any real compound holds.
    package static let countMax = 64

    /// Whether the second byte of a datagram says RTCP, where RTP shares its port (RFC 5761, section 4).
    package static func isRTCP(_ datagram: RawSpan) -> Bool {
        var reader = ByteReader(datagram)
        guard let first = try? reader.u8(), let second = try? reader.u8() else { return false }
        return first >> 6 == 2 && (192...223).contains(second)
    }

    /// Appends the packets of a compound or reduced-size datagram (after decryption) to `packets`. Types and formats
    /// that are not known are skipped. Throws at the first malformed packet; those before it are in `packets`.
    package static func parse(_ datagram: RawSpan, into packets: inout [RTCPPacket]) throws(RTPError) {
        var reader = ByteReader(datagram)
        var count = 0
        while !reader.isAtEnd {
            do {
                count += 1
                guard count <= countMax else { throw TruncatedError() }
                let first = try reader.u8()
                guard first >> 6 == 2 else { throw TruncatedError() }
                let type = try reader.u8()
                var body = try reader.span(4 * Int(try reader.u16()))
                if first & 0x20 != 0 {
                    guard body.byteCount > 0 else { throw TruncatedError() }
                    let padding = Int(body.unsafeLoad(fromByteOffset: body.byteCount - 1, as: UInt8.self))
                    guard padding > 0, padding <= body.byteCount else { throw TruncatedError() }
                    body = body.extracting(droppingLast: padding)
                }
                if let packet = try RTCPPacket(type: type, count: first & 0x1F, body) { packets.append(packet) }
            } catch {
                throw .malformedPacket
            }
        }
    }

    /// Nil: nothing we know.
    private init?(type: UInt8, count: UInt8, _ body: RawSpan) throws(TruncatedError) {
        var reader = ByteReader(body)
        switch (type, count) {
        case (RTCPType.senderReport, _): self = .senderReport(try SenderReport(&reader, count: Int(count)))
        case (RTCPType.receiverReport, _): self = .receiverReport(try ReceiverReport(&reader, count: Int(count)))
        case (RTCPType.sourceDescription, _):
            self = .sourceDescription(try SourceDescription(&reader, count: Int(count)))
        case (RTCPType.goodbye, _): self = .goodbye(try Goodbye(&reader, count: Int(count)))
        case (RTCPType.transportFeedback, 1): self = .nack(try GenericNACK(&reader))
        case (RTCPType.transportFeedback, 15): self = .transportFeedback(try TransportFeedback(&reader))
        case (RTCPType.payloadFeedback, 1):
            self = .pictureLossIndication(
                PictureLossIndication(senderSSRC: try reader.u32(), mediaSSRC: try reader.u32()))
        case (RTCPType.payloadFeedback, 4): self = .fullIntraRequest(try FullIntraRequest(&reader))
        case (RTCPType.payloadFeedback, 15):
            guard let remb = try ReceiverEstimatedMaximumBitrate(&reader) else { return nil }
            self = .remb(remb)
        case (RTCPType.extendedReport, _): self = .extendedReport(try ExtendedReport(&reader))
        default: return nil
        }
    }

    /// Appends the packet with its head. Several, one after the other, make a compound packet; one alone a reduced-size
    /// one (RFC 5506), which only feedback may be.
    package func write(to writer: inout ByteWriter) {
        switch self {
        case .senderReport(let report): report.write(to: &writer)
        case .receiverReport(let report): report.write(to: &writer)
        case .sourceDescription(let description): description.write(to: &writer)
        case .goodbye(let goodbye): goodbye.write(to: &writer)
        case .nack(let nack): nack.write(to: &writer)
        case .transportFeedback(let feedback): feedback.write(to: &writer)
        case .pictureLossIndication(let indication): indication.write(to: &writer)
        case .fullIntraRequest(let request): request.write(to: &writer)
        case .remb(let remb): remb.write(to: &writer)
        case .extendedReport(let report): report.write(to: &writer)
        }
    }
}

/// Packet types (RFC 3550, section 12.1; RFC 4585, section 6.1; RFC 3611, section 2).
enum RTCPType {
    static let senderReport: UInt8 = 200
    static let receiverReport: UInt8 = 201
    static let sourceDescription: UInt8 = 202
    static let goodbye: UInt8 = 203
    /// RTPFB.
    static let transportFeedback: UInt8 = 205
    /// PSFB.
    static let payloadFeedback: UInt8 = 206
    static let extendedReport: UInt8 = 207
}

extension ByteWriter {
    /// Appends a packet: its head, then what `body` writes, which is a multiple of four bytes long.
    mutating func rtcp(type: UInt8, count: Int, _ body: (inout ByteWriter) -> Void) {
        let start = self.count
        u8(0x80 | UInt8(truncatingIfNeeded: count) & 0x1F)
        u8(type)
        u16(0)
        body(&self)
        patch(u16: UInt16(truncatingIfNeeded: (self.count - start) / 4 - 1), at: start + 2)
    }
}
