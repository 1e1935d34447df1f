package import Core

/// A container that recordings are written in.
package enum Container: String, Hashable, Sendable, CaseIterable {
    case webm, mkv, mp4, flv
    /// JPEG pictures one after the other (`PictureFile`, not `Muxer`): no coded track goes into it.
    case jpeg

    /// By the extension of a file name, in any case, with or without its dot; nil for another one.
    package init?(pathExtension: String) {
        let name = pathExtension.lowercased()
        switch name.hasPrefix(".") ? String(name.dropFirst()) : name {
        case "webm", "weba": self = .webm
        case "mkv", "mka", "mk3d": self = .mkv
        case "mp4", "m4v", "m4a", "mov": self = .mp4
        case "flv": self = .flv
        case "jpg", "jpeg", "mjpeg": self = .jpeg
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
        case (.flv, .video(let video)): video.codec == .h264 && video.rotation == 0 && !video.configuration.isEmpty
        // Of MP3 the format knows only some rates.
        case (.flv, .audio(let audio)):
            audio.codec == .aac && !audio.configuration.isEmpty
                || audio.codec == .mp3 && [44_100, 22_050, 11_025].contains(audio.sampleRate)
        case (.jpeg, _): false
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
        case .flv: "flv"
        case .jpeg: "mjpeg"
        }
    }

    /// The media type of a file with such tracks, for an upload.
    func contentType(of kinds: [MediaKind]) -> String {
        let isSound = !kinds.contains(.video)
        return switch self {
        case .webm: isSound ? "audio/webm" : "video/webm"
        case .mkv: isSound ? "audio/x-matroska" : "video/x-matroska"
        case .mp4: isSound ? "audio/mp4" : "video/mp4"
        case .flv: "video/x-flv"
        case .jpeg: "image/jpeg"
        }
    }
}
