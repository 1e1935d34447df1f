import CFFmpeg
package import Core
package import Media

/// Encodes AV1 through libavcodec's libaom in real-time mode: no look-ahead, one thread, constant bit rate; every
/// picture comes out at once, as a temporal unit of OBUs with the sequence header in each key frame.
///
/// Owned by one stage. Costs about 16 ms of CPU per picture of 1280×720 on a 2.6 GHz core: 30 pictures a second take
/// half a core, three times as much as VP8.
package final class AV1Encoder: VideoEncoder {
    /// The fastest that libavcodec lets through.
    private static let speed = "8"

    package let format: VideoFormat
    private var libav: LibavContext
    private var specification: VideoSpecification
    private let interval: MediaTime
    private let keyInterval: MediaTime?
    private var lastKey: MediaTime?

    /// The library's encoder, if it was built with one.
    static var codec: UnsafePointer<AVCodec>? { avcodec_find_encoder_by_name("libaom-av1") }

    /// Needs width, height and frame rate in the specification.
    package init(_ specification: VideoSpecification) throws(CodecError) {
        guard let width = specification.width, let height = specification.height, let rate = specification.frameRate,
            (1...16_384).contains(width), (1...16_384).contains(height), let codec = AV1Encoder.codec
        else {
            throw CodecError(
                call: "avcodec_find_encoder_by_name", code: -1,
                text: "an AV1 encoder needs libaom, a frame rate and a size of at most 16384 pixels a side")
        }
        interval = rate.interval
        keyInterval = specification.keyFrameInterval.map { MediaTime.seconds($0) }
        self.specification = specification
        format = VideoFormat(codec: .av1, width: width, height: height, frameRate: rate)
        libav = try AV1Encoder.open(codec, specification, width, height, rate)
    }

    private static func open(
        _ codec: UnsafePointer<AVCodec>, _ specification: VideoSpecification, _ width: Int, _ height: Int,
        _ rate: Rational
    ) throws(CodecError) -> LibavContext {
        let libav = LibavContext(codec)
        AV1Encoder.configure(libav.pointer, specification, width, height, rate)
        try libav.set("usage", "realtime")
        try libav.set("cpu-used", AV1Encoder.speed)
        try libav.set("lag-in-frames", "0")
        try libav.set("row-mt", "0")
        try libav.set("aq-mode", "3")
        try libav.open()
        return libav
    }

    private static func configure(
        _ context: UnsafeMutablePointer<AVCodecContext>, _ specification: VideoSpecification, _ width: Int,
        _ height: Int, _ rate: Rational
    ) {
        context.pointee.width = Int32(width)
        context.pointee.height = Int32(height)
        context.pointee.pix_fmt = AV_PIX_FMT_YUV420P
        // libaom counts in 1/90000 s at the finest.
        context.pointee.time_base = AVRational(num: 1, den: 90_000)
        context.pointee.framerate = AVRational(
            num: Int32(clamping: rate.numerator), den: Int32(clamping: rate.denominator))
        context.pointee.max_b_frames = 0
        // Key frames are timed here.
        context.pointee.gop_size = Int32.max
        context.pointee.keyint_min = Int32.max
        context.pointee.color_range = AVCOL_RANGE_MPEG
        context.pointee.colorspace = AVCOL_SPC_SMPTE170M
        context.pointee.color_primaries = AVCOL_PRI_SMPTE170M
        context.pointee.color_trc = AVCOL_TRC_SMPTE170M
        let bitrate = max(1000, specification.bitrate)
        context.pointee.bit_rate = Int64(bitrate)
        // Equal bounds make libaom hold a constant rate.
        context.pointee.rc_max_rate = Int64(bitrate)
        context.pointee.rc_min_rate = Int64(bitrate)
        context.pointee.rc_buffer_size = Int32(clamping: bitrate)
        context.pointee.rc_initial_buffer_occupancy = Int32(clamping: bitrate / 2)
        (context.pointee.qmin, context.pointee.qmax) = (2, 56)
    }

    /// libavcodec hands no change of rate on to libaom, so a change of more than a fifth starts another encoder, whose
    /// first picture is a key frame; a smaller one is passed over.
    package func setBitrate(_ bitrate: Int) throws(CodecError) {
        guard abs(bitrate - specification.bitrate) > specification.bitrate / 5, let codec = AV1Encoder.codec,
            let rate = format.frameRate
        else { return }
        var changed = specification
        changed.bitrate = bitrate
        libav = try AV1Encoder.open(codec, changed, format.width, format.height, rate)
        specification = changed
        lastKey = nil
    }

    package func encode(_ frame: VideoFrame, forceKeyFrame: Bool) throws(CodecError) -> [EncodedFrame] {
        guard frame.width == format.width, frame.height == format.height else {
            throw CodecError(
                call: "avcodec_send_frame", code: -1,
                text: "a picture of \(frame.width)×\(frame.height) pixels came to an encoder for "
                    + "\(format.width)×\(format.height)")
        }
        let isOld = keyInterval.map { frame.pts >= (lastKey ?? .zero) + $0 } ?? false
        let isKeyDue = forceKeyFrame || lastKey == nil || isOld
        let picture = libav.frame
        defer { av_frame_unref(picture) }
        let planes = frame.planes
        picture.pointee.format = AV_PIX_FMT_YUV420P.rawValue
        picture.pointee.width = Int32(format.width)
        picture.pointee.height = Int32(format.height)
        cffmpeg_set_planes(picture, planes.y, planes.u, planes.v, Int32(planes.strideY), Int32(planes.strideUV))
        picture.pointee.buf.0 = av_buffer_create(
            planes.y, frame.byteCount,
            { opaque, _ in
                if let opaque { Unmanaged<VideoFrame>.fromOpaque(opaque).release() }
            }, Unmanaged.passRetained(frame).toOpaque(), AV_BUFFER_FLAG_READONLY)
        picture.pointee.pts = frame.pts.count(per: Rational(90_000, 1))
        picture.pointee.pict_type = isKeyDue ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE
        let result = avcodec_send_frame(libav.pointer, picture)
        if result < 0 { throw CodecError(libav: "avcodec_send_frame", result) }
        return try receive(frame.pts)
    }

    package func flush() throws(CodecError) -> [EncodedFrame] { [] }  // nothing is ever held back

    private func receive(_ pts: MediaTime) throws(CodecError) -> [EncodedFrame] {
        var frames: [EncodedFrame] = []
        while true {
            let result = avcodec_receive_packet(libav.pointer, libav.packet)
            if result == cffmpeg_error_again || result == cffmpeg_error_end { return frames }
            if result < 0 { throw CodecError(libav: "avcodec_receive_packet", result) }
            defer { av_packet_unref(libav.packet) }
            let packet = libav.packet.pointee
            let isKey = packet.flags & AV_PKT_FLAG_KEY != 0
            if isKey { lastKey = pts }
            let bytes = UnsafeRawBufferPointer(start: packet.data, count: Int(packet.size))
            frames.append(EncodedFrame(payload: Payload(copying: bytes), pts: pts, duration: interval, isKey: isKey))
        }
    }
}
