import CFFmpeg
import CYUV
package import Core
package import Media

/// Makes the real codecs: libvpx, libopus, x264 and libavcodec behind the protocols of `Media`.
///
/// A value without state: what it makes is owned by whoever asked. Making the first one silences libavcodec's own
/// log, because every failure comes back as a `CodecError`.
package struct LibraryCodecs: CodecFactory {
    package init() { av_log_set_level(AV_LOG_QUIET) }

    package func videoDecoder(
        _ format: VideoFormat, pool: FramePool, limits: DecoderLimits
    ) throws(CodecError) -> any VideoDecoder {
        try LibavVideoDecoder(format, pool: pool, limits: limits)
    }

    package func audioDecoder(_ format: AudioFormat) throws(CodecError) -> any AudioDecoder {
        format.codec == .opus ? try OpusDecoder(format) : try LibavAudioDecoder(format)
    }

    package func videoEncoder(_ specification: VideoSpecification) throws(CodecError) -> any VideoEncoder {
        switch specification.codec {
        case .vp8, .vp9: try VPXEncoder(specification)
        case .h264: try X264Encoder(specification)
        case .av1: try AV1Encoder(specification)
        case .h265:
            throw CodecError(
                call: "videoEncoder", code: -1, text: "there is no encoder for \(specification.codec.rawValue)")
        }
    }

    package func audioEncoder(_ specification: AudioSpecification) throws(CodecError) -> any AudioEncoder {
        guard (1...2).contains(specification.channels) else {
            throw CodecError(
                call: "audioEncoder", code: -1,
                text: "an encoder takes 1 or 2 channels, not \(specification.channels)")
        }
        switch specification.codec {
        case .opus: return try OpusEncoder(specification)
        case .pcmu, .pcma, .g722: return try TelephonyEncoder(specification)
        default: return try LibavAudioEncoder(specification)
        }
    }

    package func soundReceiver(
        _ formats: [UInt8: SoundPayloadFormat], options: SoundReceiverOptions
    ) -> any SoundReceiver {
        AudioReceiver(formats, options: options)
    }

    /// Box filter where the picture shrinks (every source pixel counts, so nothing flickers), bilinear where it grows.
    /// The shape on screen is kept: what the stretching does to the pixels is in `pixelAspect`.
    package func scale(_ frame: VideoFrame, width: Int, height: Int, pool: FramePool) -> VideoFrame {
        if width == frame.width, height == frame.height { return frame }
        // libyuv's box filter rounds its weights down to 1/65536: over more than 16 × 16 pixels that darkens visibly.
        if frame.width > 16 * width || frame.height > 16 * height {
            let step = scale(
                frame, width: max(width, (frame.width + 7) / 8), height: max(height, (frame.height + 7) / 8),
                pool: pool)
            return scale(step, width: width, height: height, pool: pool)
        }
        let shrinks = width <= frame.width && height <= frame.height
        let aspect = Rational(
            frame.pixelAspect.numerator * frame.width * height, frame.pixelAspect.denominator * frame.height * width)
        return VideoFrame(width: width, height: height, pts: frame.pts, pixelAspect: aspect, pool: pool) { out in
            let source = frame.planes
            let result = I420Scale(
                source.y, Int32(source.strideY), source.u, Int32(source.strideUV), source.v, Int32(source.strideUV),
                Int32(frame.width), Int32(frame.height), out.y, Int32(out.strideY), out.u, Int32(out.strideUV),
                out.v, Int32(out.strideUV), Int32(width), Int32(height), shrinks ? kFilterBox : kFilterBilinear)
            precondition(result == 0, "I420Scale refused \(frame.width)×\(frame.height) → \(width)×\(height)")
        }
    }
}
