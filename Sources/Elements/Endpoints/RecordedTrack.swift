import Core
import Files
import Media

/// One kind of media on its way into a recording.
final class RecordedTrack: MediaSink {
    unowned let recorder: RecorderEndpoint
    let kind: MediaKind
    var format: EncodedFormat?
    /// A change of format that holds from the next frame on.
    var nextFormat: EncodedFormat?
    /// Changes among the frames that wait in the interleaver, and from which decoding time they hold.
    var formatChanges: [(from: MediaTime, format: EncodedFormat)] = []
    /// Frames that wait for the other track's first one.
    var held: [EncodedFrame] = []
    /// Number in the file, once it is open; nil if it was not there then.
    var index: Int?
    var hasEnded = false
    var needsKeyFrame = true

    init(recorder: RecorderEndpoint, kind: MediaKind) {
        self.recorder = recorder
        self.kind = kind
    }

    /// Forgets all that came.
    func reset() {
        (format, nextFormat, formatChanges, held, index) = (nil, nil, [], [], nil)
        (hasEnded, needsKeyFrame) = (false, true)
    }

    /// When the frame is first seen or heard.
    func start(of frame: EncodedFrame) -> MediaTime {
        guard frame.skipStart > 0, case .audio(let audio) = format else { return frame.pts }
        return frame.pts + MediaTime(samples: Int64(frame.skipStart), rate: audio.sampleRate)
    }

    func choose(from form: NativeForm) -> RenditionKey {
        let profile = recorder.profile
        if profile.container == .jpeg { return .raw }
        switch form {
        case .encoded(let format) where profile.passesThrough(format): return .native
        case .encoded(.audio(let audio)): return .audio(profile.audioSpecification(channels: min(2, audio.channels)))
        case .sound(let channels): return .audio(profile.audioSpecification(channels: channels))
        case .encoded(.video), .pictures: return .video(profile.videoSpecification)
        case .messages: return .native
        }
    }

    func receive(_ item: MediaItem) { recorder.take(item, self) }
    var hasRoom: Bool { recorder.hasRoom(for: self) }
}
