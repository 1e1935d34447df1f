import CFFmpeg
import COpus
import CVpx
package import Core

/// What decoders and encoders this machine has, and which library each comes from; for `tessera inspect`.
package enum CodecCatalogue {
    package struct Entry: Hashable, Sendable {
        package enum Role: String, Hashable, Sendable { case decoder, encoder }
        package let role: Role
        package let kind: MediaKind
        /// As in `vp8`.
        package let codec: String
        /// The library, and its own name for the codec where it has one: `libavcodec (libx264)`.
        package let library: String
        package let version: String
    }

    /// Everything that can be made, decoders first, in the order of the codecs' declaration.
    package static var entries: [Entry] {
        let libav = String(cString: av_version_info())
        let vpx = String(cString: vpx_codec_version_str())
        let opus = String(cString: opus_get_version_string()).split(separator: " ").last.map(String.init) ?? ""
        func libavcodec(_ codec: UnsafePointer<AVCodec>) -> String {
            "libavcodec (\(String(cString: codec.pointee.name)))"
        }
        var entries: [Entry] = []
        func add(_ role: Entry.Role, _ kind: MediaKind, _ codec: String, _ library: String, _ version: String) {
            entries.append(Entry(role: role, kind: kind, codec: codec, library: library, version: version))
        }
        for codec in VideoCodec.allCases {
            if let found = LibavVideoDecoder.codec(codec) {
                add(.decoder, .video, codec.rawValue, libavcodec(found), libav)
            }
        }
        for codec in AudioCodec.allCases {
            if codec == .opus {
                add(.decoder, .audio, codec.rawValue, "libopus", opus)
            } else if let found = LibavAudioDecoder.codec(codec, sampleLayout: nil) {
                add(.decoder, .audio, codec.rawValue, libavcodec(found), libav)
            }
        }
        add(.encoder, .video, VideoCodec.vp8.rawValue, "libvpx", vpx)
        add(.encoder, .video, VideoCodec.vp9.rawValue, "libvpx", vpx)
        if let found = avcodec_find_encoder_by_name("libx264") {
            add(.encoder, .video, VideoCodec.h264.rawValue, libavcodec(found), libav)
        }
        if let found = AV1Encoder.codec { add(.encoder, .video, VideoCodec.av1.rawValue, libavcodec(found), libav) }
        add(.encoder, .audio, AudioCodec.opus.rawValue, "libopus", opus)
        for codec in [AudioCodec.aac, .pcm] {
            if let found = LibavAudioEncoder.codec(codec) {
                add(.encoder, .audio, codec.rawValue, libavcodec(found), libav)
            }
        }
        for codec in [AudioCodec.pcmu, .pcma] { add(.encoder, .audio, codec.rawValue, "built in", "G.711") }
        if let found = avcodec_find_encoder_by_name("g722") {
            add(.encoder, .audio, AudioCodec.g722.rawValue, libavcodec(found), libav)
        }
        return entries
    }
}
