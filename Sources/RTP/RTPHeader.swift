import Core

/// The fixed header of an RTP packet (RFC 3550, section 5.1) and where its parts lie; no bytes are copied.
package struct RTPHeader: Hashable, Sendable {
    package var marker: Bool
    /// 0–127.
    package var payloadType: UInt8
    package var sequenceNumber: UInt16
    package var timestamp: UInt32
    package var ssrc: UInt32
    /// Where the header extension's elements lie in the packet; empty without one. `extensionProfile` says their form:
    /// 0xBEDE one-byte headers, 0x1000 to 0x100F two-byte headers (RFC 8285).
    package var extensions: Range<Int>
    package var extensionProfile: UInt16
    /// Where the payload lies in the packet, padding excluded.
    package var payload: Range<Int>

    /// Parses the start of `packet`, which is a whole packet after decryption. Throws on any other version than 2 and
    /// on lengths that do not fit.
    package init(_ packet: RawSpan) throws(RTPError) {
        do {
            var reader = ByteReader(packet)
            let first = try reader.u8()
            guard first >> 6 == 2 else { throw TruncatedError() }
            let second = try reader.u8()
            marker = second & 0x80 != 0
            payloadType = second & 0x7F
            sequenceNumber = try reader.u16()
            timestamp = try reader.u32()
            ssrc = try reader.u32()
            try reader.skip(4 * Int(first & 0x0F))
            extensions = 0..<0
            extensionProfile = 0
            if first & 0x10 != 0 {
                extensionProfile = try reader.u16()
                let count = 4 * Int(try reader.u16())
                try reader.skip(count)
                extensions = (reader.offset - count)..<reader.offset
            }
            var end = packet.byteCount
            if first & 0x20 != 0 {
                guard reader.remaining > 0 else { throw TruncatedError() }
                let padding = Int(try reader.peek(reader.remaining - 1))
                guard padding > 0, padding <= reader.remaining else { throw TruncatedError() }
                end -= padding
            }
            payload = reader.offset..<end
        } catch {
            throw RTPError.malformedPacket
        }
    }
}

/// Why bytes are no RTP, RTCP or payload of a format.
package enum RTPError: Error, Hashable, Sendable {
    case malformedPacket
    /// The payload breaks the rules of its format (RFC of the codec).
    case malformedPayload
}
