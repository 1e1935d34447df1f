package import Core

/// What a `mediaProfile` of a recorder means: a container, and the kinds of media in it.
package struct RecorderProfile: Hashable, Sendable {
    package enum Container: String, Hashable, Sendable, CaseIterable {
        case webm = "WEBM"
        case mkv = "MKV"
        case mp4 = "MP4"
        case flv = "FLV"
        case jpeg = "JPEG"

        /// Codecs of `RecordedVideoCodec` that may go into the container.
        package var videoCodecs: [String] {
            switch self {
            case .webm: ["vp8", "vp9"]
            case .mkv: ["vp8", "vp9", "h264"]
            case .mp4: ["h264", "vp9"]
            case .flv: ["h264"]
            case .jpeg: []
            }
        }
        /// Codecs of `RecordedAudioCodec` that may go into the container.
        package var audioCodecs: [String] {
            switch self {
            case .webm: ["opus"]
            case .mkv, .mp4: ["opus", "aac"]
            case .flv: ["aac"]
            case .jpeg: []
            }
        }
    }

    /// Why a word of `MediaProfileSpecType` cannot be recorded.
    package enum Refusal: Error, Hashable, Sendable, CustomStringConvertible {
        /// Kurento's needs a plugin that is not free either.
        case splitRecorder
        case unknown(String)

        package var description: String {
            switch self {
            case .splitRecorder: "Kurento Split Recorder not supported"
            case .unknown(let name): "there is no media profile “\(name)”"
            }
        }
    }

    package var container: Container
    package var video: Bool
    package var audio: Bool

    /// The profile that a word of `MediaProfileSpecType` names.
    package init(named name: String) throws(Refusal) {
        guard name != "KURENTO_SPLIT_RECORDER" else { throw .splitRecorder }
        let isVideoOnly = name.hasSuffix("_VIDEO_ONLY")
        let isAudioOnly = name.hasSuffix("_AUDIO_ONLY")
        let family = isVideoOnly || isAudioOnly ? String(name.dropLast("_VIDEO_ONLY".count)) : name
        guard let container = Container(rawValue: family), container != .flv || family == name,
            container != .jpeg || isVideoOnly
        else { throw .unknown(name) }
        self.container = container
        (video, audio) = (!isAudioOnly, !isVideoOnly)
    }

    /// nil for a profile that this server does not support.
    package init?(name: String) {
        do throws(Refusal) { try self.init(named: name) } catch { return nil }
    }

    /// File name endings from which a profile follows, and what each stands for.
    package static let endings: [(ending: String, name: String)] = [
        (".webm", "WEBM"), (".mkv", "MKV"), (".mp4", "MP4"), (".weba", "WEBM_AUDIO_ONLY"), (".mka", "MKV_AUDIO_ONLY"),
        (".m4v", "MP4_VIDEO_ONLY"), (".m4a", "MP4_AUDIO_ONLY"), (".flv", "FLV"), (".jpg", "JPEG_VIDEO_ONLY"),
        (".jpeg", "JPEG_VIDEO_ONLY"), (".mjpeg", "JPEG_VIDEO_ONLY"),
    ]

    /// The profile that a document means when it leaves `mediaProfile` out: the container by the ending of the uri
    /// (in any case, before a query), narrowed to one kind where the recorder is linked for that kind only.
    ///
    /// - Parameter kinds: the kinds of media linked to the recorder.
    package static func name(uri: String, kinds: Set<MediaKind>) -> String? {
        let path = uri.prefix { $0 != "?" && $0 != "#" }.lowercased()
        guard let family = endings.first(where: { path.hasSuffix($0.ending) })?.name else { return nil }
        guard let container = Container(rawValue: family), container != .flv else { return family }
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
