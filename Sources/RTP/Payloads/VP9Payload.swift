import Core

/// RFC 9628.
enum VP9Payload {
    /// A payload descriptor (section 4.2), as far as it is needed.
    private struct Descriptor {
        var info: PayloadInfo
        /// A layer's frame begins here (B).
        var isLayerStart: Bool
        /// By spatial layer, from the scalability structure.
        var sizes: [AssembledFrame.PictureSize] = []
    }

    /// References a picture may name in flexible mode.
    private static let referenceCountMax = 3

    static func info(_ payload: RawSpan, marker: Bool) throws(TruncatedError) -> PayloadInfo {
        try descriptor(payload, marker: marker, wantsSizes: false).info
    }

    /// Allocates only if sizes are wanted.
    private static func descriptor(
        _ payload: RawSpan, marker: Bool, wantsSizes: Bool
    ) throws(TruncatedError) -> Descriptor {
        var reader = ByteReader(payload)
        let first = try reader.u8()
        var info = PayloadInfo(start: .no, isEnd: marker, media: 0..<0)
        if first & 0x80 != 0 {
            info.pictureID = UInt16(try reader.u8())
            if let short = info.pictureID, short & 0x80 != 0 {
                info.pictureID = (short & 0x7F) << 8 | UInt16(try reader.u8())
                info.hasLongPictureID = true
            }
        }
        let isFlexible = first & 0x10 != 0
        if first & 0x20 != 0 {
            let layer = try reader.u8()
            info.temporalLayer = layer >> 5
            info.isLayerSync = layer & 0x10 != 0
            info.spatialLayer = layer >> 1 & 7
            if !isFlexible { info.tl0PictureIndex = try reader.u8() }
        }
        let isInter = first & 0x40 != 0
        if isFlexible, isInter {
            var count = 0
            while try reader.u8() & 1 != 0 {
                count += 1
                guard count < referenceCountMax else { throw TruncatedError() }
            }
        }
        var result = Descriptor(info: info, isLayerStart: first & 0x08 != 0)
        if first & 0x02 != 0 { try readStructure(&reader, &result, wantsSizes: wantsSizes) }
        guard !reader.isAtEnd else { throw TruncatedError() }
        result.info.media = reader.offset..<payload.byteCount
        if result.isLayerStart, info.spatialLayer == 0 {
            result.info.start = .yes
            result.info.isKey = !isInter
        }
        return result
    }

    private static func readStructure(
        _ reader: inout ByteReader, _ result: inout Descriptor, wantsSizes: Bool
    ) throws(TruncatedError) {
        let head = try reader.u8()
        if head & 0x10 != 0 {
            for _ in 0...(head >> 5) {
                let size = AssembledFrame.PictureSize(width: Int(try reader.u16()), height: Int(try reader.u16()))
                if wantsSizes { result.sizes.append(size) }
            }
        }
        if head & 0x08 != 0 {
            for _ in 0..<(try reader.u8()) { try reader.skip(Int(try reader.u8() >> 2 & 3)) }
        }
    }

    static func assemble(_ packets: [FramePacket]) throws(TruncatedError) -> AssembledFrame {
        guard packets.first?.info.start == .yes else { throw TruncatedError() }
        // Bytes of each layer's frame.
        var layers: [Int] = []
        for packet in packets {
            let descriptor = try descriptor(packet.payload.bytes, marker: packet.info.isEnd, wantsSizes: false)
            if descriptor.isLayerStart { layers.append(0) }
            layers[layers.count - 1] += packet.info.media.count
            guard layers.count <= layerCountMax else { throw TruncatedError() }
        }
        var frame = AssembledFrame(payload: superframe(packets, layers), isKey: false)
        let header = try frame.payload.withUnsafeBytes { bytes throws(TruncatedError) in try Header(bytes.bytes) }
        frame.isKey = header.isKey
        guard header.isKey else { return frame }
        let sizes = try descriptor(packets[0].payload.bytes, marker: false, wantsSizes: true).sizes
        let top = Int(packets[packets.count - 1].info.spatialLayer)
        frame.size = top < sizes.count ? sizes[top] : header.size
        return frame
    }

    /// Frames of a superframe: its index has three bits for them.
    private static let layerCountMax = 8

    /// The layers' frames one after the other; if they are several, with the index that decoders split them by
    /// (VP9 bitstream specification, annex B).
    private static func superframe(_ packets: [FramePacket], _ layers: [Int]) -> Payload {
        guard layers.count > 1 else { return Payload(joining: packets) }
        let media = layers.reduce(0, +)
        // Sizes of four bytes each.
        return Payload(count: media + 2 + 4 * layers.count) { out in
            var writer = FixedWriter(out)
            for packet in packets {
                writer.append(UnsafeRawBufferPointer(rebasing: packet.payload[packet.info.media]))
            }
            let marker = 0xC0 | 3 << 3 | UInt8(layers.count - 1)
            writer.u8(marker)
            for size in layers { writer.u32(UInt32(truncatingIfNeeded: size).byteSwapped) }
            writer.u8(marker)
        }
    }

    static func packetize(_ frame: EncodedFrame, sizeMax: Int, mode: Packetizer.VP9Mode) -> PacketizedFrame {
        // The encoder's word for the size is in a key frame; the format's may be of the frame before.
        let header = try? frame.payload.withUnsafeBytes { bytes throws(TruncatedError) in try Header(bytes.bytes) }
        let size = header?.size
        let fits = (size?.width ?? 0) <= 0xFFFF && (size?.height ?? 0) <= 0xFFFF
        var result = PacketizedFrame(
            payload: frame.payload, isKey: frame.isKey,
            descriptor: .vp9(
                width: fits ? UInt16(size?.width ?? 0) : 0, height: fits ? UInt16(size?.height ?? 0) : 0,
                isFlexible: mode == .flexible))
        result.cut(0..<frame.payload.count, sizeMax: sizeMax)
        return result
    }

    /// The begin of an uncompressed header (VP9 bitstream specification, section 6.2).
    struct Header {
        var isKey: Bool
        /// Of a key frame.
        var size: AssembledFrame.PictureSize?

        init(_ bytes: RawSpan) throws(TruncatedError) {
            var reader = BitReader(bytes)
            guard try reader.bits(2) == 2 else { throw TruncatedError() }
            let profile = try reader.bits(1) | reader.bits(1) << 1
            if profile == 3 { try reader.skip(1) }
            isKey = false
            // A frame that was sent before is shown now.
            if try reader.bit() { return }
            isKey = try !reader.bit()
            guard isKey else { return }
            try reader.skip(2)
            guard try reader.bits(24) == 0x498342 else { throw TruncatedError() }
            if profile >= 2 { try reader.skip(1) }
            if try reader.bits(3) != 7 {
                try reader.skip(profile & 1 != 0 ? 4 : 1)
            } else if profile & 1 != 0 {
                try reader.skip(1)
            }
            size = .init(width: Int(try reader.bits(16)) + 1, height: Int(try reader.bits(16)) + 1)
        }
    }
}
