package import Core
package import Files
import Media

/// What a recorder writes: container, which kinds, and what to encode to where the container cannot take what comes.
package struct RecordingProfile: Hashable, Sendable {
    package var container: Container
    package var kinds: Set<MediaKind>
    /// nil: pass through what the container takes, else encode to its default. Set: exactly this codec.
    package var videoCodec: VideoCodec?
    package var audioCodec: AudioCodec?
    /// Bits per second, where encoded.
    package var videoBitrate: Int
    package var audioBitrate: Int
    /// Pixels, where encoded; nil: as the source.
    package var width: Int?
    package var height: Int?
    package var frameRate: Rational?
    /// Seconds between key frames at most, where encoded; players seek to key frames. nil: only the first.
    package var keyFrameInterval: Double?
    /// Nothing is written before media of each of the kinds has come, connected or not (Kurento's way); else only what
    /// is connected is waited for.
    package var waitsForAllKinds = false

    package init(
        container: Container, kinds: Set<MediaKind> = [.audio, .video], videoCodec: VideoCodec? = nil,
        audioCodec: AudioCodec? = nil, videoBitrate: Int = 1_500_000, audioBitrate: Int = 96_000, width: Int? = nil,
        height: Int? = nil, frameRate: Rational? = nil, keyFrameInterval: Double? = 4
    ) {
        self.container = container
        self.kinds = kinds
        self.videoCodec = videoCodec
        self.audioCodec = audioCodec
        self.videoBitrate = videoBitrate
        self.audioBitrate = audioBitrate
        self.width = width
        self.height = height
        self.frameRate = frameRate
        self.keyFrameInterval = keyFrameInterval
    }

    /// Whether a coded source goes into the file as it is.
    func passesThrough(_ format: EncodedFormat) -> Bool {
        guard container.accepts(format) else { return false }
        switch format {
        case .video(let video):
            // In files AV1's parameters stand beside the frames too; peers and encoders have not told them.
            if video.codec == .av1, video.configuration.isEmpty { return false }
            return (videoCodec ?? video.codec) == video.codec && width == nil && height == nil && frameRate == nil
        case .audio(let audio): return (audioCodec ?? audio.codec) == audio.codec
        }
    }

    var videoSpecification: VideoSpecification {
        VideoSpecification(
            codec: videoCodec ?? container.defaultVideoCodec, width: width, height: height, frameRate: frameRate,
            bitrate: videoBitrate, keyFrameInterval: keyFrameInterval)
    }

    func audioSpecification(channels: Int) -> AudioSpecification {
        AudioSpecification(codec: audioCodec ?? container.defaultAudioCodec, channels: channels, bitrate: audioBitrate)
    }
}
