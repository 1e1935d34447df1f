import CFFmpeg
package import Media

/// Decodes the bytes of a PNG, JPEG, GIF, WebP or BMP file (of an animation the first picture). Pure.
package enum ImageReader {
    /// Pixels that an image may have at most: a screen of 8K; what is laid over video is smaller.
    package static let pixelsMax = 7680 * 4320

    /// Throws in a sentence's words what is wrong with the bytes. They may come from anywhere.
    package static func read(_ bytes: [UInt8]) throws(CodecError) -> Bitmap {
        guard let id = codec(of: bytes), let codec = avcodec_find_decoder(id) else {
            throw CodecError(call: "ImageReader", code: -1, text: "this is not a PNG, JPEG, GIF, WebP or BMP image")
        }
        let decoder = ImageDecoder(codec)
        return try decoder.decode(bytes)
    }

    /// By the first bytes, as the formats' specifications say.
    private static func codec(of bytes: [UInt8]) -> AVCodecID? {
        func begins(_ text: String, at offset: Int = 0) -> Bool {
            bytes.dropFirst(offset).starts(with: text.utf8)
        }
        if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47]) { return AV_CODEC_ID_PNG }
        if bytes.starts(with: [0xFF, 0xD8, 0xFF]) { return AV_CODEC_ID_MJPEG }
        if begins("GIF8") { return AV_CODEC_ID_GIF }
        if begins("RIFF"), begins("WEBP", at: 8) { return AV_CODEC_ID_WEBP }
        if begins("BM") { return AV_CODEC_ID_BMP }
        return nil
    }
}

/// One libavcodec context for one image.
private final class ImageDecoder {
    private let context: UnsafeMutablePointer<AVCodecContext>
    private let packet: UnsafeMutablePointer<AVPacket>
    private let frame: UnsafeMutablePointer<AVFrame>

    init(_ codec: UnsafePointer<AVCodec>) {
        guard let context = avcodec_alloc_context3(codec), let packet = av_packet_alloc(), let frame = av_frame_alloc()
        else { fatalError("out of memory: a libavcodec context") }
        self.context = context
        self.packet = packet
        self.frame = frame
        context.pointee.thread_count = 1
        context.pointee.max_pixels = Int64(ImageReader.pixelsMax)
    }

    deinit {
        var (context, packet, frame) = (Optional(context), Optional(packet), Optional(frame))
        avcodec_free_context(&context)
        av_packet_free(&packet)
        av_frame_free(&frame)
    }

    func decode(_ bytes: [UInt8]) throws(CodecError) -> Bitmap {
        try check(avcodec_open2(context, context.pointee.codec, nil), "avcodec_open2")
        // libavcodec reads up to 64 bytes beyond the end: a packet of its own is padded.
        try check(av_new_packet(packet, Int32(clamping: bytes.count)), "av_new_packet")
        bytes.withUnsafeBytes {
            UnsafeMutableRawBufferPointer(start: packet.pointee.data, count: bytes.count).copyMemory(from: $0)
        }
        try check(avcodec_send_packet(context, packet), "avcodec_send_packet")
        avcodec_send_packet(context, nil)
        try check(avcodec_receive_frame(context, frame), "avcodec_receive_frame")
        return try premultiplied()
    }

    private func check(_ result: Int32, _ call: String) throws(CodecError) {
        guard result < 0 else { return }
        let text = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
            buffer.initialize(repeating: 0)
            guard let start = buffer.baseAddress else { return "" }
            cffmpeg_describe_error(result, start, buffer.count - 1)
            return String(cString: start)
        }
        throw CodecError(call: call, code: Int(result), text: "the image cannot be decoded: \(text)")
    }

    private func premultiplied() throws(CodecError) -> Bitmap {
        let (width, height) = (frame.pointee.width, frame.pointee.height)
        guard width > 0, height > 0, Int(width) * Int(height) <= ImageReader.pixelsMax else {
            throw CodecError(call: "ImageReader", code: -1, text: "the image is too large: \(width)×\(height) pixels")
        }
        guard
            let scaler = sws_getContext(
                width, height, AVPixelFormat(frame.pointee.format), width, height, AV_PIX_FMT_RGBA,
                Int32(SWS_BILINEAR) | Int32(SWS_ACCURATE_RND) | Int32(SWS_FULL_CHR_H_INT), nil, nil, nil)
        else { throw CodecError(call: "sws_getContext", code: -1, text: "the image's layout is not supported") }
        defer { sws_freeContext(scaler) }
        let stride = (Int(width) * 4 + 63) & ~63
        var wide = [UInt8](repeating: 0, count: stride * Int(height) + 64)
        let result = wide.withUnsafeMutableBufferPointer { buffer in
            var planes: [UnsafeMutablePointer<UInt8>?] = [buffer.baseAddress, nil, nil, nil]
            var strides = [Int32(stride), 0, 0, 0]
            return cffmpeg_scale_frame(scaler, frame, &planes, &strides)
        }
        try check(result, "sws_scale")
        var pixels: [UInt8] = []
        pixels.reserveCapacity(4 * Int(width) * Int(height))
        for row in 0..<Int(height) {
            for column in 0..<Int(width) {
                let place = row * stride + 4 * column
                let alpha = Int(wide[place + 3])
                for channel in 0..<3 { pixels.append(UInt8((Int(wide[place + channel]) * alpha + 127) / 255)) }
                pixels.append(UInt8(alpha))
            }
        }
        return Bitmap(width: Int(width), height: Int(height), pixels: pixels)
    }
}
