import Core

/// RFC 7741.
enum VP8Payload {
    static func info(_ payload: RawSpan, marker: Bool) throws(TruncatedError) -> PayloadInfo {
        var reader = ByteReader(payload)
        let first = try reader.u8()
        var info = PayloadInfo(start: first & 0x1F == 0x10 ? .yes : .no, isEnd: marker, media: 0..<0)
        info.isDiscardable = first & 0x20 != 0
        if first & 0x80 != 0 {
            let present = try reader.u8()
            if present & 0x80 != 0 {
                info.pictureID = UInt16(try reader.u8())
                if let short = info.pictureID, short & 0x80 != 0 {
                    info.pictureID = (short & 0x7F) << 8 | UInt16(try reader.u8())
                    info.hasLongPictureID = true
                }
            }
            if present & 0x40 != 0 { info.tl0PictureIndex = try reader.u8() }
            if present & 0x30 != 0 {
                let layer = try reader.u8()
                if present & 0x20 != 0 {
                    info.temporalLayer = layer >> 6
                    info.isLayerSync = layer & 0x20 != 0
                }
            }
        }
        // A descriptor without a byte of the frame makes no sense.
        let header = try reader.peek()
        info.isKey = info.start == .yes && header & 0x01 == 0
        info.media = reader.offset..<payload.byteCount
        return info
    }

    static func assemble(_ packets: [FramePacket]) throws(TruncatedError) -> AssembledFrame {
        guard packets.first?.info.start == .yes else { throw TruncatedError() }
        var frame = AssembledFrame(payload: Payload(joining: packets), isKey: packets[0].info.isKey)
        guard frame.isKey else { return frame }
        // Three bytes of tag, start code, then 14 bits each of width and height (RFC 6386, section 9.1).
        frame.size = try frame.payload.withUnsafeBytes { bytes throws(TruncatedError) in
            var reader = ByteReader(bytes.bytes)
            try reader.skip(3)
            guard try reader.u24() == 0x9D012A else { throw TruncatedError() }
            let width = Int(try reader.u16().byteSwapped & 0x3FFF)
            let height = Int(try reader.u16().byteSwapped & 0x3FFF)
            return .init(width: width, height: height)
        }
        return frame
    }

    static func packetize(_ frame: EncodedFrame, sizeMax: Int) -> PacketizedFrame {
        var result = PacketizedFrame(payload: frame.payload, isKey: frame.isKey, descriptor: .vp8)
        result.cut(0..<frame.payload.count, sizeMax: sizeMax)
        return result
    }
}

extension Payload {
    /// The media bytes of all packets, one after the other.
    convenience init(joining packets: [FramePacket]) {
        self.init(count: packets.reduce(0) { $0 + $1.info.media.count }) { out in
            var writer = FixedWriter(out)
            for packet in packets {
                writer.append(UnsafeRawBufferPointer(rebasing: packet.payload[packet.info.media]))
            }
        }
    }
}
