import CFFmpeg
import Core

/// What a libavformat stream is in our terms, or why it cannot be played.
struct TrackDescription {
    var kind: MediaKind = .data
    var format: EncodedFormat?
    var unsupported: String?
    var wrapping = Wrapping.asIs

    init(context: UnsafeMutablePointer<AVFormatContext>, stream: UnsafeMutablePointer<AVStream>) {
        let parameters = stream.pointee.codecpar.pointee
        let name = String(cString: avcodec_get_name(parameters.codec_id))
        let extradata =
            parameters.extradata.map {
                [UInt8](UnsafeBufferPointer(start: $0, count: Int(max(0, parameters.extradata_size))))
            } ?? []
        switch parameters.codec_type {
        case AVMEDIA_TYPE_VIDEO:
            kind = .video
            guard stream.pointee.disposition & AV_DISPOSITION_ATTACHED_PIC == 0 else {
                unsupported = "a cover picture (\(name))"
                return
            }
            guard let codec = VideoCodec(id: parameters.codec_id) else {
                unsupported = "video codec \(name) is not supported"
                return
            }
            describeVideo(codec, parameters, extradata, context, stream)
        case AVMEDIA_TYPE_AUDIO:
            kind = .audio
            guard let codec = AudioCodec(id: parameters.codec_id) else {
                unsupported = "audio codec \(name) is not supported"
                return
            }
            describeAudio(codec, parameters, extradata, name)
        case AVMEDIA_TYPE_SUBTITLE: unsupported = "subtitles (\(name))"
        default: unsupported = "a data track"
        }
    }

    private mutating func describeVideo(
        _ codec: VideoCodec, _ parameters: AVCodecParameters, _ extradata: [UInt8],
        _ context: UnsafeMutablePointer<AVFormatContext>, _ stream: UnsafeMutablePointer<AVStream>
    ) {
        var video = VideoFormat(
            codec: codec, width: Int(max(0, parameters.width)), height: Int(max(0, parameters.height)))
        (wrapping, video.configuration) = Wrapping.of(video: codec, extradata: extradata)
        video.frameRate = TrackDescription.frameRate(context, stream)
        let aspect = av_guess_sample_aspect_ratio(context, stream, nil)
        if aspect.num > 0, aspect.den > 0 { video.pixelAspect = Rational(Int(aspect.num), Int(aspect.den)) }
        video.rotation = TrackDescription.rotation(stream)
        format = .video(video)
    }

    private mutating func describeAudio(
        _ codec: AudioCodec, _ parameters: AVCodecParameters, _ extradata: [UInt8], _ name: String
    ) {
        let channels = Int(parameters.ch_layout.nb_channels)
        let rate = Int(parameters.sample_rate)
        guard channels > 0, channels <= 64, rate > 0, rate <= 768_000 else {
            unsupported = "sound of \(rate) samples a second in \(channels) channels is not supported"
            return
        }
        format = .audio(
            AudioFormat(
                codec: codec, sampleRate: rate, channels: channels, configuration: extradata,
                sampleLayout: codec == .pcm ? name : nil))
        if codec == .aac, extradata.isEmpty { wrapping = .adts }
    }

    /// Nominal frames per second; nil where the file gives nothing believable (variable rate files say 1000).
    private static func frameRate(
        _ context: UnsafeMutablePointer<AVFormatContext>, _ stream: UnsafeMutablePointer<AVStream>
    ) -> Rational? {
        let candidates = [
            av_guess_frame_rate(context, stream, nil), stream.pointee.avg_frame_rate, stream.pointee.r_frame_rate,
        ]
        for rate in candidates where rate.num > 0 && rate.den > 0 {
            let value = Double(rate.num) / Double(rate.den)
            if value >= 0.1, value <= 300 { return Rational(Int(rate.num), Int(rate.den)) }
        }
        return nil
    }

    /// Degrees clockwise to the nearest quarter turn, from the display matrix (tkhd, or stream side data).
    private static func rotation(_ stream: UnsafeMutablePointer<AVStream>) -> Int {
        var size = 0
        guard let data = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &size), size >= 36 else { return 0 }
        let degrees = data.withMemoryRebound(to: Int32.self, capacity: 9) { -av_display_rotation_get($0) }
        guard degrees.isFinite else { return 0 }
        return ((Int((degrees / 90).rounded()) * 90) % 360 + 360) % 360
    }
}

extension VideoCodec {
    init?(id: AVCodecID) {
        switch id {
        case AV_CODEC_ID_VP8: self = .vp8
        case AV_CODEC_ID_VP9: self = .vp9
        case AV_CODEC_ID_H264: self = .h264
        case AV_CODEC_ID_HEVC: self = .h265
        case AV_CODEC_ID_AV1: self = .av1
        default: return nil
        }
    }
    var id: AVCodecID {
        switch self {
        case .vp8: AV_CODEC_ID_VP8
        case .vp9: AV_CODEC_ID_VP9
        case .h264: AV_CODEC_ID_H264
        case .h265: AV_CODEC_ID_HEVC
        case .av1: AV_CODEC_ID_AV1
        }
    }
}

extension AudioCodec {
    init?(id: AVCodecID) {
        switch id {
        case AV_CODEC_ID_OPUS: self = .opus
        case AV_CODEC_ID_AAC: self = .aac
        case AV_CODEC_ID_VORBIS: self = .vorbis
        case AV_CODEC_ID_PCM_MULAW: self = .pcmu
        case AV_CODEC_ID_PCM_ALAW: self = .pcma
        case AV_CODEC_ID_ADPCM_G722: self = .g722
        case AV_CODEC_ID_MP3: self = .mp3
        case AV_CODEC_ID_FLAC: self = .flac
        default:
            guard String(cString: avcodec_get_name(id)).hasPrefix("pcm_") else { return nil }
            self = .pcm
        }
    }

    /// libavcodec's id; `layout` is its name of the sample layout, for PCM.
    func id(layout: String?) -> AVCodecID {
        switch self {
        case .opus: AV_CODEC_ID_OPUS
        case .aac: AV_CODEC_ID_AAC
        case .vorbis: AV_CODEC_ID_VORBIS
        case .pcmu: AV_CODEC_ID_PCM_MULAW
        case .pcma: AV_CODEC_ID_PCM_ALAW
        case .g722: AV_CODEC_ID_ADPCM_G722
        case .mp3: AV_CODEC_ID_MP3
        case .flac: AV_CODEC_ID_FLAC
        case .pcm: avcodec_descriptor_get_by_name(layout ?? "")?.pointee.id ?? AV_CODEC_ID_NONE
        }
    }
}
