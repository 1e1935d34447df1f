import Core

/// A picture's size read from the first bytes of a coded frame, before any decoder has seen them.
///
/// libavcodec's VP8 decoder makes its tables before it asks for a picture, so the limit is checked here. Of VP9 only
/// key frames are read; other frames that carry a size are caught when the decoder asks for its pixel format.
enum PictureSize {
    /// Width and height; nil where the frame names none.
    static func peek(_ codec: VideoCodec, _ bytes: UnsafeRawBufferPointer) -> (width: Int, height: Int)? {
        switch codec {
        case .vp8: vp8(bytes)
        case .vp9: vp9(bytes)
        default: nil
        }
    }

    /// RFC 6386, 9.1: three bytes of frame tag (bit 0 clear: key frame), start code, two sizes of 14 bits.
    private static func vp8(_ bytes: UnsafeRawBufferPointer) -> (width: Int, height: Int)? {
        guard bytes.count >= 10, bytes[0] & 1 == 0, bytes[3] == 0x9D, bytes[4] == 0x01, bytes[5] == 0x2A else {
            return nil
        }
        return (Int(bytes[6]) | Int(bytes[7] & 0x3F) << 8, Int(bytes[8]) | Int(bytes[9] & 0x3F) << 8)
    }

    /// VP9 bitstream specification 6.2: uncompressed header of a key frame.
    private static func vp9(_ bytes: UnsafeRawBufferPointer) -> (width: Int, height: Int)? {
        var position = 0
        func read(_ bits: Int) -> Int? {
            guard position + bits <= bytes.count * 8 else { return nil }
            var value = 0
            for _ in 0..<bits {
                value = value << 1 | Int(bytes[position / 8] >> (7 - UInt8(position % 8)) & 1)
                position += 1
            }
            return value
        }
        guard read(2) == 2, let low = read(1), let high = read(1) else { return nil }
        let profile = high << 1 | low
        if profile == 3 { _ = read(1) }
        // show_existing_frame = 0, frame_type = 0 (key), then show_frame and error_resilient_mode, then the sync code
        guard read(1) == 0, read(1) == 0, read(2) != nil, read(24) == 0x498342 else { return nil }
        if profile >= 2 { _ = read(1) }
        guard let space = read(3) else { return nil }
        if space != 7 {
            _ = read(1)
            if profile == 1 || profile == 3 { _ = read(3) }
        } else if profile == 1 || profile == 3 {
            _ = read(1)
        }
        guard let width = read(16), let height = read(16) else { return nil }
        return (width + 1, height + 1)
    }
}
