import CFFmpeg
package import Core
package import Media

/// Decodes VP8, VP9, H.264, H.265 and AV1 through libavcodec, on the caller's thread.
///
/// Owned by one stage. Pictures in 4:2:0 with 8 bits are decoded straight into pool memory: the `VideoFrame` is the
/// decoder's own buffer, which it goes on reading as a reference but never writes again. Everything else (full range,
/// other matrices, other layouts, rotation) is converted by `PictureConverter`.
package final class LibavVideoDecoder: VideoDecoder {
    private let format: VideoFormat
    private let pool: FramePool
    private let limits: DecoderLimits
    private let libav: LibavContext
    private let converter: PictureConverter
    /// Set by the callbacks, which can only answer libavcodec with a number.
    private var refusal: CodecError?
    /// Pictures that came out of a call that threw; they go out with the next one.
    private var held: [VideoFrame] = []
    private var lastPTS: MediaTime?
    private var isFirst = true

    /// Throws where libavcodec has no such decoder or refuses the configuration.
    package init(_ format: VideoFormat, pool: FramePool, limits: DecoderLimits = DecoderLimits()) throws(CodecError) {
        guard let codec = Self.codec(format.codec) else {
            throw CodecError(
                call: "avcodec_find_decoder", code: -1, text: "there is no decoder for \(format.codec.rawValue)")
        }
        self.format = format
        self.pool = pool
        self.limits = limits
        libav = LibavContext(codec)
        converter = PictureConverter(rotation: format.rotation, colour: format.colour, pool: pool)
        let context = libav.pointer
        // dav1d alone keeps its own picture memory; it honours this number instead of the callbacks.
        if format.codec == .av1 { context.pointee.max_pixels = Int64(limits.pixelsMax) }
        context.pointee.opaque = Unmanaged.passUnretained(self).toOpaque()
        context.pointee.get_format = { context, formats in
            guard let context, let formats else { return AV_PIX_FMT_NONE }
            let size = (context.pointee.width, context.pointee.height)
            guard LibavVideoDecoder.of(context).allows(size.0, size.1) else { return AV_PIX_FMT_NONE }
            return avcodec_default_get_format(context, formats)
        }
        context.pointee.get_buffer2 = { context, frame, flags in
            guard let context, let frame else { return cffmpeg_error_invalid_data }
            return LibavVideoDecoder.of(context).provide(frame, context, flags)
        }
        libav.setConfiguration(format.configuration)
        try libav.open()
    }

    /// The decoder that is used for a codec, if there is one: libavcodec's own before wrapped libraries.
    static func codec(_ codec: VideoCodec) -> UnsafePointer<AVCodec>? {
        switch codec {
        case .vp8: avcodec_find_decoder(AV_CODEC_ID_VP8)
        case .vp9: avcodec_find_decoder(AV_CODEC_ID_VP9)
        case .h264: avcodec_find_decoder(AV_CODEC_ID_H264)
        case .h265: avcodec_find_decoder(AV_CODEC_ID_HEVC)
        case .av1: avcodec_find_decoder_by_name("libdav1d") ?? avcodec_find_decoder_by_name("libaom-av1")
        }
    }

    package func decode(_ frame: EncodedFrame) throws(CodecError) -> [VideoFrame] {
        refusal = nil
        let size = frame.payload.withUnsafeBytes { PictureSize.peek(format.codec, $0) }
        if let size, !allows(Int32(clamping: size.width), Int32(clamping: size.height)), let refusal { throw refusal }
        if isFirst, frame.isKey { setReorderDepth(frame) }
        return try run(frame, payload: isStartCoded ? Self.annexB(frame.payload) : frame.payload)
    }

    package func flush() throws(CodecError) -> [VideoFrame] {
        defer { lastPTS = nil }
        return try run(nil, payload: nil)
    }

    private func run(_ frame: EncodedFrame?, payload: Payload?) throws(CodecError) -> [VideoFrame] {
        var pictures = held
        held = []
        do throws(CodecError) {
            try libav.decode(frame, payload: payload) { picture throws(CodecError) in
                pictures.append(try output(picture))
            }
        } catch {
            held = pictures
            throw refusal ?? error
        }
        return pictures
    }

    // MARK: Pictures

    private func output(_ picture: UnsafeMutablePointer<AVFrame>) throws(CodecError) -> VideoFrame {
        let pts = time(of: picture)
        lastPTS = pts
        let aspect = pixelAspect(of: picture)
        // A field of an interlaced picture may still be missing, and would be written later: such a one is copied.
        if let buffer = ownBuffer(picture), converter.isNative(picture), picture.pointee.interlaced_frame == 0 {
            return VideoFrame(
                buffer: buffer, width: Int(picture.pointee.width), height: Int(picture.pointee.height), pts: pts,
                pixelAspect: aspect)
        }
        return try converter.convert(picture, pts: pts, pixelAspect: aspect)
    }

    /// Where the stream gives no time, one frame interval after the picture before.
    private func time(of picture: UnsafeMutablePointer<AVFrame>) -> MediaTime {
        if picture.pointee.pts != cffmpeg_no_pts { return MediaTime(nanoseconds: picture.pointee.pts) }
        guard let lastPTS else { return .zero }
        return lastPTS + (format.frameRate ?? Rational(25, 1)).interval
    }

    /// What the container says goes before what the picture says; absurd values are taken as square.
    private func pixelAspect(of picture: UnsafeMutablePointer<AVFrame>) -> Rational {
        if format.pixelAspect != Rational(1, 1) { return format.pixelAspect }
        let aspect = picture.pointee.sample_aspect_ratio
        guard (1...65_535).contains(aspect.num), (1...65_535).contains(aspect.den) else { return Rational(1, 1) }
        return Rational(Int(aspect.num), Int(aspect.den))
    }

    /// The pool buffer that the picture lies in from its first byte, if it does.
    private func ownBuffer(_ picture: UnsafeMutablePointer<AVFrame>) -> PictureBuffer? {
        // Only a codec with this flag takes all its pictures from get_buffer2, so only there buf[0] is ours.
        guard libav.codec.pointee.capabilities & AV_CODEC_CAP_DR1 != 0, Self.isPlain420(picture.pointee.format),
            let reference = picture.pointee.buf.0, let opaque = av_buffer_get_opaque(reference)
        else { return nil }
        let buffer = Unmanaged<PictureBuffer>.fromOpaque(opaque).takeUnretainedValue()
        return picture.pointee.data.0 == buffer.planes.y && picture.pointee.data.1 == buffer.planes.u ? buffer : nil
    }

    private static func isPlain420(_ format: Int32) -> Bool {
        format == AV_PIX_FMT_YUV420P.rawValue || format == AV_PIX_FMT_YUVJ420P.rawValue
    }

    // MARK: libavcodec's callbacks

    private static func of(_ context: UnsafeMutablePointer<AVCodecContext>) -> LibavVideoDecoder {
        // Valid: the decoder owns the context, so it outlives every call of the callbacks.
        Unmanaged<LibavVideoDecoder>.fromOpaque(context.pointee.opaque).takeUnretainedValue()
    }

    /// Checks a size against the limits; keeps the sentence to be thrown.
    private func allows(_ width: Int32, _ height: Int32) -> Bool {
        let (width, height) = (Int(width), Int(height))
        if max(width, height) <= limits.sideMax, width * height <= limits.pixelsMax { return true }
        refusal = CodecError(
            call: "decode", code: Int(cffmpeg_error_invalid_data),
            text: "the picture is \(width)×\(height) pixels; the limit is \(limits.sideMax) on a side "
                + "and \(limits.pixelsMax) altogether")
        return false
    }

    /// Gives libavcodec a pool buffer for a picture of `frame`'s size, padded as the codec wants it.
    private func provide(
        _ frame: UnsafeMutablePointer<AVFrame>, _ context: UnsafeMutablePointer<AVCodecContext>, _ flags: Int32
    ) -> Int32 {
        guard allows(frame.pointee.width, frame.pointee.height) else { return cffmpeg_error_invalid_data }
        guard Self.isPlain420(frame.pointee.format) else { return avcodec_default_get_buffer2(context, frame, flags) }
        var (width, height) = (frame.pointee.width, frame.pointee.height)
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: Int(AV_NUM_DATA_POINTERS)) { alignment in
            avcodec_align_dimensions2(context, &width, &height, alignment.baseAddress)
        }
        let buffer = pool.picture(width: Int(width), height: Int(height))
        buffer.blacken()
        let planes = buffer.planes
        let owner = Unmanaged.passRetained(buffer)
        let reference = av_buffer_create(
            planes.y, buffer.byteCount,
            { opaque, _ in
                if let opaque { Unmanaged<PictureBuffer>.fromOpaque(opaque).release() }
            }, owner.toOpaque(), 0)
        guard let reference else {
            owner.release()
            return cffmpeg_error(ENOMEM)
        }
        frame.pointee.buf.0 = reference
        cffmpeg_set_planes(
            frame, planes.y, planes.u, planes.v, Int32(planes.strideY), Int32(planes.strideUV))
        return 0
    }

    // MARK: Input

    /// A stream without avcC or hvcC carries its parameter sets in band; libavcodec then expects start codes.
    private var isStartCoded: Bool {
        (format.codec == .h264 || format.codec == .h265) && format.configuration.isEmpty
    }

    /// Start codes in the place of four-byte lengths; a broken length ends the copy.
    private static func annexB(_ payload: Payload) -> Payload {
        payload.withUnsafeBytes { bytes in
            if AVC.isAnnexB(bytes) { return payload }
            return Payload(count: bytes.count) { out in
                out.copyMemory(from: bytes)
                var offset = 0
                while offset + 4 <= bytes.count {
                    let length = bytes[offset..<(offset + 4)].reduce(0) { $0 << 8 | Int($1) }
                    out.storeBytes(of: UInt32(1).bigEndian, toByteOffset: offset, as: UInt32.self)
                    offset += 4 + length
                }
            }
        }
    }

    /// Streams that do not say how far pictures are reordered would lose the first ones while libavcodec finds out;
    /// the first key frame's distance from decoding to presentation tells it.
    private func setReorderDepth(_ frame: EncodedFrame) {
        isFirst = false
        guard format.codec == .h264, let rate = format.frameRate, frame.pts > frame.dts, frame.dts.isFinite else {
            return
        }
        libav.pointer.pointee.has_b_frames = Int32(clamping: min(16, (frame.pts - frame.dts).count(per: rate)))
    }
}

extension PictureBuffer {
    /// Black everywhere. A decoder leaves what a damaged frame does not cover; without this it would show another
    /// participant's picture, and not the same one in every run.
    func blacken() {
        let rows = (planes.height + 1) / 2
        planes.y.update(repeating: 16, count: planes.strideY * planes.height)
        planes.u.update(repeating: 128, count: planes.strideUV * rows)
        planes.v.update(repeating: 128, count: planes.strideUV * rows)
    }
}
