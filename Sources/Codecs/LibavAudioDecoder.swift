import CFFmpeg
package import Core
package import Media

/// Decodes AAC, Vorbis, PCM in every layout of libavcodec, G.711, G.722, MP3 and FLAC to 48 kHz float.
///
/// Owned by one stage. `skipStart` and `skipEnd` of a frame go to libavcodec, which drops those samples, also where
/// they reach over several frames; the contract on times is kept by `Resampler`.
package final class LibavAudioDecoder: AudioDecoder {
    private let libav: LibavContext
    private let resampler = Resampler()
    /// Blocks that came out of a call that threw; they go out with the next one.
    private var held: [AudioFrame] = []

    /// Throws where libavcodec has no such decoder or refuses the configuration.
    package init(_ format: AudioFormat) throws(CodecError) {
        guard let codec = Self.codec(format.codec, sampleLayout: format.sampleLayout) else {
            throw CodecError(
                call: "avcodec_find_decoder", code: -1,
                text: "there is no decoder for \(format.sampleLayout ?? format.codec.rawValue)")
        }
        guard (1...64).contains(format.channels), (1...768_000).contains(format.sampleRate) else {
            throw CodecError(
                call: "avcodec_open2", code: -1,
                text: "sound with \(format.channels) channels at \(format.sampleRate) Hz cannot be decoded; "
                    + "the limits are 64 channels and 768000 Hz")
        }
        libav = LibavContext(codec)
        libav.pointer.pointee.sample_rate = Int32(format.sampleRate)
        av_channel_layout_default(&libav.pointer.pointee.ch_layout, Int32(format.channels))
        libav.setConfiguration(format.configuration)
        try libav.open()
    }

    /// The decoder for a codec; PCM by the name of its sample layout.
    static func codec(_ codec: AudioCodec, sampleLayout: String?) -> UnsafePointer<AVCodec>? {
        switch codec {
        case .opus: nil
        case .aac: avcodec_find_decoder_by_name("aac")
        case .vorbis: avcodec_find_decoder_by_name("vorbis")
        case .pcm:
            (sampleLayout ?? "pcm_s16le").hasPrefix("pcm_")
                ? avcodec_find_decoder_by_name(sampleLayout ?? "pcm_s16le") : nil
        case .pcmu: avcodec_find_decoder_by_name("pcm_mulaw")
        case .pcma: avcodec_find_decoder_by_name("pcm_alaw")
        case .g722: avcodec_find_decoder_by_name("g722")
        case .mp3: avcodec_find_decoder_by_name("mp3float")
        case .flac: avcodec_find_decoder_by_name("flac")
        }
    }

    package func decode(_ frame: EncodedFrame) throws(CodecError) -> [AudioFrame] {
        try run(frame, drain: false)
    }

    package func flush() throws(CodecError) -> [AudioFrame] {
        try run(nil, drain: true)
    }

    private func run(_ frame: EncodedFrame?, drain: Bool) throws(CodecError) -> [AudioFrame] {
        var blocks = held
        held = []
        do throws(CodecError) {
            try libav.decode(frame, payload: frame?.payload) { decoded throws(CodecError) in
                blocks += try resampler.take(decoded)
            }
            if drain { blocks += try resampler.drain() }
        } catch {
            held = blocks
            throw error
        }
        return blocks
    }
}
