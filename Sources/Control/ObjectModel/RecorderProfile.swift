package import Core

/// What a `mediaProfile` of a recorder means: a container, and the kinds of media in it.
package struct RecorderProfile: Hashable, Sendable {
    package enum Container: String, Hashable, Sendable, CaseIterable {
        case webm = "WEBM"
        case mkv = "MKV"
        case mp4 = "MP4"

        /// Codecs of `RecordedVideoCodec` that may go into the container.
        package var videoCodecs: [String] {
            switch self {
            case .webm: ["vp8", "vp9"]
            case .mkv: ["vp8", "vp9", "h264"]
            case .mp4: ["h264", "vp9"]
            }
        }
        /// Codecs of `RecordedAudioCodec` that may go into the container.
        package var audioCodecs: [String] { self == .webm ? ["opus"] : ["opus", "aac"] }
    }

    package var container: Container
    package var video: Bool
    package var audio: Bool

    /// The profile that a word of `MediaProfileSpecType` names; nil for one that this server does not support.
    package init?(name: String) {
        let isVideoOnly = name.hasSuffix("_VIDEO_ONLY")
        let isAudioOnly = name.hasSuffix("_AUDIO_ONLY")
        let family = isVideoOnly || isAudioOnly ? String(name.dropLast("_VIDEO_ONLY".count)) : name
        guard let container = Container(rawValue: family) else { return nil }
        self.container = container
        (video, audio) = (!isAudioOnly, !isVideoOnly)
    }

    /// File name endings from which a profile follows, and what each stands for.
    package static let endings: [(ending: String, name: String)] = [
        (".webm", "WEBM"), (".mkv", "MKV"), (".mp4", "MP4"), (".weba", "WEBM_AUDIO_ONLY"), (".mka", "MKV_AUDIO_ONLY"),
        (".m4v", "MP4_VIDEO_ONLY"), (".m4a", "MP4_AUDIO_ONLY"),
    ]

    /// The profile that a document means when it leaves `mediaProfile` out: the container by the ending of the uri
    /// (in any case, before a query), narrowed to one kind where the recorder is linked for that kind only.
    ///
    /// - Parameter kinds: the kinds of media linked to the recorder.
    package static func name(uri: String, kinds: Set<MediaKind>) -> String? {
        let path = uri.prefix { $0 != "?" && $0 != "#" }.lowercased()
        guard let family = endings.first(where: { path.hasSuffix($0.ending) })?.name else { return nil }
        guard Container(rawValue: family) != nil else { return family }
        switch (kinds.contains(.video), kinds.contains(.audio)) {
        case (true, false): return family + "_VIDEO_ONLY"
        case (false, true): return family + "_AUDIO_ONLY"
        default: return family
        }
    }

    /// What in a recorder's checked arguments does not go together: the argument to blame, and why.
    package static func conflicts(in arguments: Arguments) -> [(argument: String, message: String)] {
        guard let name = arguments.string("mediaProfile"), let profile = RecorderProfile(name: name) else { return [] }
        var out: [(String, String)] = []
        let choices = [
            ("videoCodec", "video", profile.video, profile.container.videoCodecs),
            ("audioCodec", "audio", profile.audio, profile.container.audioCodecs),
        ]
        for (argument, kind, isRecorded, allowed) in choices {
            guard let codec = arguments.string(argument) else { continue }
            if !isRecorded {
                out.append((argument, "\(argument) is given, but mediaProfile \(name) records no \(kind)"))
            } else if !allowed.contains(codec) {
                out.append((argument, "\(argument) '\(codec)' does not go into \(name); allowed: \(listed(allowed))"))
            }
        }
        return out
    }
}
