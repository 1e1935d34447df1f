import CFFmpeg
import Codecs
import Core
import Media

/// Streams made by libavcodec's encoders in ways that ours do not make them: other pixel layouts, levels, B-frames,
/// sample rates, speakers.
enum ForeignStream {
    struct Failure: Error { let call: String, code: Int32 }

    struct Video {
        var format: VideoFormat
        var frames: [EncodedFrame]
    }

    /// Encodes `count` pictures that `paint` draws into libav frames of the layout.
    static func video(
        encoder name: String, codec: VideoCodec, layout: AVPixelFormat, width: Int, height: Int, count: Int,
        range: AVColorRange = AVCOL_RANGE_MPEG, space: AVColorSpace = AVCOL_SPC_SMPTE170M, aspect: (Int, Int) = (1, 1),
        options: [String: String], globalHeader: Bool = true,
        paint: (Int, UnsafeMutablePointer<AVFrame>) -> Void
    ) throws -> Video {
        guard let encoder = avcodec_find_encoder_by_name(name), let context = avcodec_alloc_context3(encoder) else {
            throw Failure(call: name, code: 0)
        }
        var owned: UnsafeMutablePointer<AVCodecContext>? = context
        defer { avcodec_free_context(&owned) }
        context.pointee.width = Int32(width)
        context.pointee.height = Int32(height)
        context.pointee.pix_fmt = layout
        context.pointee.time_base = AVRational(num: 1, den: 25)
        context.pointee.framerate = AVRational(num: 25, den: 1)
        context.pointee.color_range = range
        context.pointee.colorspace = space
        context.pointee.sample_aspect_ratio = AVRational(num: Int32(aspect.0), den: Int32(aspect.1))
        context.pointee.thread_count = 1
        if globalHeader { context.pointee.flags |= AV_CODEC_FLAG_GLOBAL_HEADER }
        for (key, value) in options { av_opt_set(context, key, value, AV_OPT_SEARCH_CHILDREN) }
        try check("avcodec_open2", avcodec_open2(context, encoder, nil))
        var packets: [EncodedFrame] = []
        for index in 0...count {
            var frame: UnsafeMutablePointer<AVFrame>? = nil
            if index < count, let picture = av_frame_alloc() {
                frame = picture
                picture.pointee.format = layout.rawValue
                picture.pointee.width = Int32(width)
                picture.pointee.height = Int32(height)
                try check("av_frame_get_buffer", av_frame_get_buffer(picture, 0))
                picture.pointee.pts = Int64(index)
                paint(index, picture)
            }
            defer { av_frame_free(&frame) }
            try check("avcodec_send_frame", avcodec_send_frame(context, frame))
            packets += try receive(context)
        }
        let extra = context.pointee.extradata.map {
            [UInt8](UnsafeBufferPointer(start: $0, count: Int(context.pointee.extradata_size)))
        }
        var format = VideoFormat(codec: codec, width: width, height: height, frameRate: Rational(25, 1))
        if codec == .h264 {
            format.configuration = (extra ?? []).withUnsafeBytes { AVC.configuration(annexB: $0) } ?? []
            for index in packets.indices {
                packets[index].payload = packets[index].payload.withUnsafeBytes { AVC.lengthPrefixed(annexB: $0) }
            }
        } else {
            format.configuration = extra ?? []
        }
        return Video(format: format, frames: packets)
    }

    /// Encodes interleaved float samples; the first frame's `skipStart` is the encoder's priming.
    static func audio(
        encoder name: String, codec: AudioCodec, samples: [Float], channels: Int, rate: Int, bitrate: Int = 128_000,
        block: Int = 1000
    ) throws -> (format: AudioFormat, frames: [EncodedFrame]) {
        guard let encoder = avcodec_find_encoder_by_name(name), let context = avcodec_alloc_context3(encoder) else {
            throw Failure(call: name, code: 0)
        }
        var owned: UnsafeMutablePointer<AVCodecContext>? = context
        defer { avcodec_free_context(&owned) }
        context.pointee.sample_rate = Int32(rate)
        context.pointee.sample_fmt = encoder.pointee.sample_fmts?.pointee ?? AV_SAMPLE_FMT_FLT
        // libvorbis has no bit rates for some sample rates, but a quality for all.
        context.pointee.bit_rate = name == "libvorbis" ? 0 : Int64(bitrate)
        context.pointee.time_base = AVRational(num: 1, den: Int32(rate))
        context.pointee.flags |= AV_CODEC_FLAG_GLOBAL_HEADER
        av_channel_layout_default(&context.pointee.ch_layout, Int32(channels))
        try check("avcodec_open2", avcodec_open2(context, encoder, nil))
        let length = context.pointee.frame_size > 0 ? Int(context.pointee.frame_size) : block
        var converter: OpaquePointer?
        defer { swr_free(&converter) }
        try check(
            "swr_alloc_set_opts2",
            swr_alloc_set_opts2(
                &converter, &context.pointee.ch_layout, context.pointee.sample_fmt, Int32(rate),
                &context.pointee.ch_layout, AV_SAMPLE_FMT_FLT, Int32(rate), 0, nil))
        try check("swr_init", swr_init(converter))
        var packets: [EncodedFrame] = []
        for start in stride(from: 0, to: samples.count / channels, by: length) {
            var frame = av_frame_alloc()
            defer { av_frame_free(&frame) }
            guard let block = frame else { break }
            let count = min(length, samples.count / channels - start)
            block.pointee.format = context.pointee.sample_fmt.rawValue
            block.pointee.nb_samples = Int32(count)
            block.pointee.sample_rate = Int32(rate)
            block.pointee.pts = Int64(start)
            av_channel_layout_default(&block.pointee.ch_layout, Int32(channels))
            try check("av_frame_get_buffer", av_frame_get_buffer(block, 0))
            samples[(start * channels)..<((start + count) * channels)].withUnsafeBytes { bytes in
                let source = UnsafeMutablePointer(mutating: bytes.bindMemory(to: UInt8.self).baseAddress)
                withUnsafePointer(to: source) { source in
                    _ = cffmpeg_resample(converter, block.pointee.extended_data, Int32(count), source, Int32(count))
                }
            }
            try check("avcodec_send_frame", avcodec_send_frame(context, block))
            packets += try receive(context)
        }
        try check("avcodec_send_frame", avcodec_send_frame(context, nil))
        packets += try receive(context)
        // A Vorbis decoder yields nothing for its first packet, which is all the priming there is.
        if !packets.isEmpty, codec != .vorbis { packets[0].skipStart = Int(context.pointee.initial_padding) }
        let extra = context.pointee.extradata.map {
            [UInt8](UnsafeBufferPointer(start: $0, count: Int(context.pointee.extradata_size)))
        }
        return (
            AudioFormat(
                codec: codec, sampleRate: rate, channels: channels, configuration: extra ?? [],
                sampleLayout: codec == .pcm ? name : nil), packets
        )
    }

    private static func receive(_ context: UnsafeMutablePointer<AVCodecContext>) throws -> [EncodedFrame] {
        var output: [EncodedFrame] = []
        var packet = av_packet_alloc()
        defer { av_packet_free(&packet) }
        while let coded = packet {
            let result = avcodec_receive_packet(context, coded)
            if result == cffmpeg_error_again || result == cffmpeg_error_end { break }
            try check("avcodec_receive_packet", result)
            defer { av_packet_unref(coded) }
            if coded.pointee.size == 0 { continue }  // FLAC's final word on its header
            let base = context.pointee.time_base
            func time(_ value: Int64) -> MediaTime { MediaTime(value, per: Rational(Int(base.den), Int(base.num))) }
            let bytes = UnsafeRawBufferPointer(start: coded.pointee.data, count: Int(coded.pointee.size))
            output.append(
                EncodedFrame(
                    payload: Payload(copying: bytes), pts: time(coded.pointee.pts), dts: time(coded.pointee.dts),
                    isKey: coded.pointee.flags & AV_PKT_FLAG_KEY != 0))
        }
        return output
    }

    private static func check(_ call: String, _ code: Int32) throws {
        if code < 0 { throw Failure(call: call, code: code) }
    }
}
