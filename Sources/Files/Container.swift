package import Core

/// A container that recordings are written in.
package enum Container: String, Hashable, Sendable, CaseIterable {
    case webm, mkv, mp4

    /// By the extension of a file name, in any case, with or without its dot; nil for another one.
    package init?(pathExtension: String) {
        let name = pathExtension.lowercased()
        switch name.hasPrefix(".") ? String(name.dropFirst()) : name {
        case "webm", "weba": self = .webm
        case "mkv", "mka", "mk3d": self = .mkv
        case "mp4", "m4v", "m4a", "mov": self = .mp4
        default: return nil
        }
    }

    /// By what follows the last dot of a path or URL.
    package init?(path: String) {
        guard let name = path.split(separator: "/").last, let dot = name.lastIndex(of: ".") else { return nil }
        self.init(pathExtension: String(name[name.index(after: dot)...].prefix { $0 != "?" && $0 != "#" }))
    }

    /// Whether a track can be written as it is. Matroska has no place for a rotation that players heed, so a turned
    /// picture has to be encoded upright for it.
    package func accepts(_ format: EncodedFormat) -> Bool {
        switch (self, format) {
        case (.webm, .video(let video)): [.vp8, .vp9, .av1].contains(video.codec) && video.rotation == 0
        case (.webm, .audio(let audio)): [.opus, .vorbis].contains(audio.codec)
        case (.mkv, .video(let video)): video.rotation == 0
        case (.mkv, .audio): true
        case (.mp4, .video(let video)): [.h264, .h265, .vp9, .av1].contains(video.codec)
        case (.mp4, .audio(let audio)): [.aac, .opus, .mp3, .flac].contains(audio.codec)
        }
    }

    /// What is encoded where nothing can be passed through and nobody chose (Kurento's profiles).
    package var defaultVideoCodec: VideoCodec { self == .webm ? .vp8 : .h264 }
    package var defaultAudioCodec: AudioCodec { self == .webm ? .opus : .aac }

    /// libavformat's name of the muxer.
    var muxerName: String {
        switch self {
        case .webm: "webm"
        case .mkv: "matroska"
        case .mp4: "mp4"
        }
    }
}
