import CFFmpeg
import Core

/// Owns a libavformat context for writing and makes its streams. Owned by a `Muxer`.
final class OutputContext {
    let context: UnsafeMutablePointer<AVFormatContext>
    let packet: UnsafeMutablePointer<AVPacket>
    private let location: Location

    init(_ location: Location, container: Container) {
        Library.prepare
        var pointer: UnsafeMutablePointer<AVFormatContext>?
        avformat_alloc_output_context2(&pointer, nil, container.muxerName, nil)
        guard let pointer, let packet = av_packet_alloc() else { fatalError("libavformat has no \(container) muxer") }
        context = pointer
        self.packet = packet
        self.location = location
        // No random ids, no dates: equal input gives equal bytes.
        context.pointee.flags |= AVFMT_FLAG_BITEXACT | AVFMT_FLAG_CUSTOM_IO
        // The muxer shifts times itself, for all tracks alike and known from the start.
        context.pointee.avoid_negative_ts = Int32(AVFMT_AVOID_NEG_TS_DISABLED)
        context.pointee.flush_packets = 0
        context.pointee.strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL
    }

    deinit {
        var packet: UnsafeMutablePointer<AVPacket>? = packet
        av_packet_free(&packet)
        context.pointee.pb = nil
        avformat_free_context(context)
    }

    /// Adds a stream. `timeBase` is a wish that Matroska overrides with milliseconds.
    func addStream(_ format: EncodedFormat, timeScale: Int) throws(FileError) {
        guard let stream = avformat_new_stream(context, nil), let parameters = stream.pointee.codecpar else {
            fatalError("out of memory: AVStream")
        }
        stream.pointee.time_base = AVRational(num: 1, den: Int32(timeScale))
        switch format {
        case .video(let video): try fill(stream, parameters, video)
        case .audio(let audio): fill(parameters, audio)
        }
    }

    private func fill(
        _ stream: UnsafeMutablePointer<AVStream>, _ parameters: UnsafeMutablePointer<AVCodecParameters>,
        _ video: VideoFormat
    ) throws(FileError) {
        guard video.width > 0, video.height > 0, video.width <= 65_535, video.height <= 65_535 else {
            throw .unsupported(path: location.name, what: "a picture of \(video.width)×\(video.height) pixels")
        }
        parameters.pointee.codec_type = AVMEDIA_TYPE_VIDEO
        parameters.pointee.codec_id = video.codec.id
        parameters.pointee.width = Int32(video.width)
        parameters.pointee.height = Int32(video.height)
        parameters.pointee.format = AV_PIX_FMT_YUV420P.rawValue
        let aspect = AVRational(
            num: Int32(clamping: video.pixelAspect.numerator), den: Int32(clamping: video.pixelAspect.denominator))
        parameters.pointee.sample_aspect_ratio = aspect
        stream.pointee.sample_aspect_ratio = aspect
        if let rate = video.frameRate {
            stream.pointee.avg_frame_rate = AVRational(
                num: Int32(clamping: rate.numerator), den: Int32(clamping: rate.denominator))
        }
        setExtradata(parameters, video.configuration)
        guard video.rotation != 0, let data = av_stream_new_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, 36) else {
            return
        }
        data.withMemoryRebound(to: Int32.self, capacity: 9) { av_display_rotation_set($0, Double(video.rotation)) }
    }

    private func fill(_ parameters: UnsafeMutablePointer<AVCodecParameters>, _ audio: AudioFormat) {
        let id = audio.codec.id(layout: audio.sampleLayout)
        parameters.pointee.codec_type = AVMEDIA_TYPE_AUDIO
        parameters.pointee.codec_id = id
        parameters.pointee.sample_rate = Int32(clamping: audio.sampleRate)
        av_channel_layout_default(&parameters.pointee.ch_layout, Int32(clamping: audio.channels))
        var configuration = audio.configuration
        switch audio.codec {
        case .opus:
            if configuration.isEmpty { configuration = OutputContext.opusHead(audio) }
            parameters.pointee.initial_padding = Int32(configuration.opusPreSkip)
            parameters.pointee.seek_preroll = 3840
            parameters.pointee.frame_size = 960
            parameters.pointee.sample_rate = 48_000
        case .aac: parameters.pointee.frame_size = 1024
        case .mp3: parameters.pointee.frame_size = 1152
        case .pcm, .pcmu, .pcma:
            let bits = av_get_bits_per_sample(id)
            parameters.pointee.bits_per_coded_sample = bits
            parameters.pointee.block_align = bits / 8 * Int32(clamping: audio.channels)
        case .g722:
            parameters.pointee.bits_per_coded_sample = 4
            parameters.pointee.block_align = 1
        case .vorbis, .flac: break
        }
        setExtradata(parameters, configuration)
    }

    /// A header for a track that came without one (RTP): mono or stereo, no pre-skip.
    private static func opusHead(_ audio: AudioFormat) -> [UInt8] {
        [UInt8]("OpusHead".utf8) + [1, UInt8(clamping: min(audio.channels, 2)), 0, 0, 0x80, 0xBB, 0, 0, 0, 0, 0]
    }

    private func setExtradata(_ parameters: UnsafeMutablePointer<AVCodecParameters>, _ bytes: [UInt8]) {
        guard !bytes.isEmpty, let memory = av_mallocz(bytes.count + Int(AV_INPUT_BUFFER_PADDING_SIZE)) else { return }
        memory.copyMemory(from: bytes, byteCount: bytes.count)
        parameters.pointee.extradata = memory.assumingMemoryBound(to: UInt8.self)
        parameters.pointee.extradata_size = Int32(bytes.count)
    }

    /// The container's header, composed in memory so that nothing is created for tracks that the container refuses.
    func header(options: [(String, String)], isSeekable: Bool) throws(FileError) -> [UInt8] {
        var dictionary: OpaquePointer?
        defer { av_dict_free(&dictionary) }
        for (key, value) in options { av_dict_set(&dictionary, key, value, 0) }
        var buffer: UnsafeMutablePointer<AVIOContext>?
        guard avio_open_dyn_buf(&buffer) >= 0, let buffer else { fatalError("out of memory: AVIOContext") }
        buffer.pointee.seekable = isSeekable ? AVIO_SEEKABLE_NORMAL : 0
        context.pointee.pb = buffer
        let code = avformat_write_header(context, &dictionary)
        var bytes: UnsafeMutablePointer<UInt8>?
        let count = avio_close_dyn_buf(buffer, &bytes)
        defer { av_free(bytes) }
        context.pointee.pb = nil
        guard code >= 0 else {
            throw .unsupported(path: location.name, what: "this combination of tracks (\(libraryText(code)))")
        }
        return [UInt8](UnsafeBufferPointer(start: bytes, count: Int(max(0, count))))
    }

    /// Ticks per second of a stream, as the container settled them.
    func timeScale(_ index: Int) -> Int { Int(context.pointee.streams[index]?.pointee.time_base.den ?? 1000) }
}
