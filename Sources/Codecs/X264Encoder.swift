import CFFmpeg
import CYUV
import Glibc
package import Core
package import Media

/// Encodes H.264 through libavcodec's x264: preset superfast, tuned for zero latency (no B-frames, no look-ahead),
/// one thread, bit rate held by a one-second buffer; every picture comes out at once.
///
/// Owned by one stage. Frames are NAL units with four-byte lengths, parameter sets are in `format.configuration`
/// (avcC), levels are tagged limited BT.601. H.264 cannot say an odd size in 4:2:0 (cropping counts in units of two
/// pixels), so an odd picture gets one more column or row, a repetition of the last, and `format` has the even size.
package final class X264Encoder: VideoEncoder {
    package let format: VideoFormat
    private let libav: LibavContext
    private let inputWidth: Int
    private let inputHeight: Int
    private let interval: MediaTime
    private let keyInterval: MediaTime?
    private var lastKey: MediaTime?

    /// Needs width, height and frame rate in the specification.
    package init(_ specification: VideoSpecification) throws(CodecError) {
        guard let width = specification.width, let height = specification.height, let rate = specification.frameRate,
            (1...16_384).contains(width), (1...16_384).contains(height),
            let codec = avcodec_find_encoder_by_name("libx264")
        else {
            throw CodecError(
                call: "avcodec_find_encoder_by_name", code: -1,
                text: "an H.264 encoder needs libx264, a frame rate and a size of at most 16384 pixels a side")
        }
        inputWidth = width
        inputHeight = height
        interval = rate.interval
        keyInterval = specification.keyFrameInterval.map { MediaTime.seconds($0) }
        libav = LibavContext(codec)
        let (evenWidth, evenHeight) = (width + width % 2, height + height % 2)
        Self.configure(libav.pointer, evenWidth, evenHeight, rate)
        Self.setBitrate(libav.pointer, specification.bitrate)
        try libav.set("preset", "superfast")
        try libav.set("tune", "zerolatency")
        if specification.isBaseline { try libav.set("profile", "baseline") }
        try libav.set("forced-idr", "1")
        // Key frames are timed here, by presentation time, so x264 neither counts frames nor guesses at scene cuts.
        try libav.set("x264-params", "keyint=infinite:scenecut=0")
        try libav.open()
        guard let configuration = libav.configuration.withUnsafeBytes({ AVC.configuration(annexB: $0) }) else {
            throw CodecError(call: "avcodec_open2", code: -1, text: "x264 gave no parameter sets")
        }
        format = VideoFormat(
            codec: .h264, width: evenWidth, height: evenHeight, frameRate: rate, configuration: configuration)
    }

    private static func configure(
        _ context: UnsafeMutablePointer<AVCodecContext>, _ width: Int, _ height: Int, _ rate: Rational
    ) {
        context.pointee.width = Int32(width)
        context.pointee.height = Int32(height)
        context.pointee.pix_fmt = AV_PIX_FMT_YUV420P
        context.pointee.time_base = AVRational(num: 1, den: 1_000_000_000)
        context.pointee.framerate = AVRational(
            num: Int32(clamping: rate.numerator), den: Int32(clamping: rate.denominator))
        context.pointee.max_b_frames = 0
        context.pointee.flags |= AV_CODEC_FLAG_GLOBAL_HEADER
        context.pointee.color_range = AVCOL_RANGE_MPEG
        context.pointee.colorspace = AVCOL_SPC_SMPTE170M
        context.pointee.color_primaries = AVCOL_PRI_SMPTE170M
        context.pointee.color_trc = AVCOL_TRC_SMPTE170M
    }

    /// Target, ceiling and buffer of one second; the wrapper hands a change to x264 with the next picture.
    private static func setBitrate(_ context: UnsafeMutablePointer<AVCodecContext>, _ bitrate: Int) {
        let bitrate = max(1000, bitrate)
        context.pointee.bit_rate = Int64(bitrate)
        context.pointee.rc_max_rate = Int64(bitrate)
        context.pointee.rc_buffer_size = Int32(clamping: bitrate)
    }

    package func setBitrate(_ bitrate: Int) throws(CodecError) { Self.setBitrate(libav.pointer, bitrate) }

    package func encode(_ frame: VideoFrame, forceKeyFrame: Bool) throws(CodecError) -> [EncodedFrame] {
        guard frame.width == inputWidth, frame.height == inputHeight else {
            throw CodecError(
                call: "avcodec_send_frame", code: -1,
                text: "a picture of \(frame.width)×\(frame.height) pixels came to an encoder for "
                    + "\(inputWidth)×\(inputHeight)")
        }
        let isKeyDue = forceKeyFrame || keyInterval.map { frame.pts >= (lastKey ?? .zero) + $0 } ?? false
        let picture = libav.frame
        defer { av_frame_unref(picture) }
        lend(frame, to: picture)
        picture.pointee.pts = frame.pts.nanoseconds
        picture.pointee.pict_type = isKeyDue || lastKey == nil ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE
        let result = avcodec_send_frame(libav.pointer, picture)
        if result < 0 { throw CodecError(libav: "avcodec_send_frame", result) }
        return try receive()
    }

    package func flush() throws(CodecError) -> [EncodedFrame] { [] }  // zero latency: nothing is ever held back

    /// Points a libav frame at the planes without copying; it holds the `VideoFrame` as long as x264 needs it.
    private func lend(_ frame: VideoFrame, to picture: UnsafeMutablePointer<AVFrame>) {
        let shown = format.width == frame.width && format.height == frame.height ? frame : evened(frame)
        let planes = shown.planes
        picture.pointee.format = AV_PIX_FMT_YUV420P.rawValue
        picture.pointee.width = Int32(format.width)
        picture.pointee.height = Int32(format.height)
        picture.pointee.color_range = AVCOL_RANGE_MPEG
        picture.pointee.colorspace = AVCOL_SPC_SMPTE170M
        cffmpeg_set_planes(picture, planes.y, planes.u, planes.v, Int32(planes.strideY), Int32(planes.strideUV))
        picture.pointee.buf.0 = av_buffer_create(
            planes.y, shown.byteCount,
            { opaque, _ in
                if let opaque { Unmanaged<VideoFrame>.fromOpaque(opaque).release() }
            }, Unmanaged.passRetained(shown).toOpaque(), AV_BUFFER_FLAG_READONLY)
    }

    private let pool = FramePool(keepBytesMax: 1 << 20)

    /// The picture with its last column and row repeated to an even size. Chroma already covers it.
    private func evened(_ frame: VideoFrame) -> VideoFrame {
        VideoFrame(width: format.width, height: format.height, pts: frame.pts, pool: pool) { out in
            let source = frame.planes
            I420Copy(
                source.y, Int32(source.strideY), source.u, Int32(source.strideUV), source.v, Int32(source.strideUV),
                out.y, Int32(out.strideY), out.u, Int32(out.strideUV), out.v, Int32(out.strideUV),
                Int32(frame.width), Int32(frame.height))
            if out.width > frame.width {
                for row in 0..<frame.height {
                    let last = out.y + row * out.strideY + frame.width
                    last.pointee = last[-1]
                }
            }
            if out.height > frame.height {
                let last = out.y + frame.height * out.strideY
                last.update(from: last - out.strideY, count: out.width)
            }
        }
    }

    private func receive() throws(CodecError) -> [EncodedFrame] {
        var frames: [EncodedFrame] = []
        while true {
            let result = avcodec_receive_packet(libav.pointer, libav.packet)
            if result == cffmpeg_error_again || result == cffmpeg_error_end { return frames }
            if result < 0 { throw CodecError(libav: "avcodec_receive_packet", result) }
            defer { av_packet_unref(libav.packet) }
            let packet = libav.packet.pointee
            let bytes = UnsafeRawBufferPointer(start: packet.data, count: Int(packet.size))
            let pts = MediaTime(nanoseconds: packet.pts)
            let isKey = packet.flags & AV_PKT_FLAG_KEY != 0
            if isKey { lastKey = pts }
            frames.append(
                EncodedFrame(payload: AVC.lengthPrefixed(annexB: bytes), pts: pts, duration: interval, isKey: isKey))
        }
    }
}
