/// The three kinds of media a link can carry.
package enum MediaKind: String, Hashable, Sendable, CaseIterable { case audio, video, data }

package enum VideoCodec: String, Hashable, Sendable, CaseIterable { case vp8, vp9, h264, h265, av1 }

package enum AudioCodec: String, Hashable, Sendable, CaseIterable {
    case opus, aac, vorbis, pcm, pcmu, pcma, g722, mp3, flac
}

/// How the numbers of YUV pictures mean colours (ITU-T H.273).
package struct VideoColour: Hashable, Sendable {
    /// The luma weights.
    package enum Matrix: Hashable, Sendable { case bt601, bt709, smpte240, bt2020 }
    package var matrix: Matrix
    /// 0–255 instead of 16–235.
    package var isFullRange: Bool
    package init(matrix: Matrix, isFullRange: Bool) {
        self.matrix = matrix
        self.isFullRange = isFullRange
    }
}

/// What a coded video track is. Travels over a link before its frames, and again when it changes.
package struct VideoFormat: Hashable, Sendable {
    package var codec: VideoCodec
    /// Coded picture size in pixels, before rotation; 0 × 0 where only the frames will tell.
    package var width: Int
    package var height: Int
    /// Nominal frames per second, where known.
    package var frameRate: Rational?
    /// Out-of-band decoder configuration in the form containers keep it (avcC for H.264), else empty.
    package var configuration: [UInt8]
    /// Degrees clockwise by which the picture is turned for display: 0, 90, 180 or 270.
    package var rotation: Int
    /// Width of a pixel divided by its height.
    package var pixelAspect: Rational
    /// What was said beside the coded pictures, and goes before what they say themselves; nil where nothing was.
    package var colour: VideoColour?

    package init(
        codec: VideoCodec, width: Int, height: Int, frameRate: Rational? = nil, configuration: [UInt8] = [],
        rotation: Int = 0, pixelAspect: Rational = Rational(1, 1), colour: VideoColour? = nil
    ) {
        self.codec = codec
        self.width = width
        self.height = height
        self.frameRate = frameRate
        self.configuration = configuration
        self.rotation = rotation
        self.pixelAspect = pixelAspect
        self.colour = colour
    }
}

/// What a coded audio track is.
package struct AudioFormat: Hashable, Sendable {
    package var codec: AudioCodec
    /// Samples per second of the coded track.
    package var sampleRate: Int
    package var channels: Int
    /// Decoder configuration in container form (OpusHead, AudioSpecificConfig, Vorbis headers in Xiph lacing).
    package var configuration: [UInt8]
    /// For `.pcm`: libavcodec's name of the sample layout (`pcm_s16le`, `pcm_f32le`, …); nil otherwise.
    package var sampleLayout: String?

    package init(
        codec: AudioCodec, sampleRate: Int, channels: Int, configuration: [UInt8] = [], sampleLayout: String? = nil
    ) {
        self.codec = codec
        self.sampleRate = sampleRate
        self.channels = channels
        self.configuration = configuration
        self.sampleLayout = sampleLayout
    }
}

/// The format of a coded track of either kind.
package enum EncodedFormat: Hashable, Sendable {
    case video(VideoFormat)
    case audio(AudioFormat)

    package var kind: MediaKind {
        switch self {
        case .video: .video
        case .audio: .audio
        }
    }
    /// Short name of the codec, as in `vp8`.
    package var codecName: String {
        switch self {
        case .video(let format): format.codec.rawValue
        case .audio(let format): format.codec.rawValue
        }
    }
}

/// One coded picture or one coded block of sound. Immutable and shared: a fan-out copies the struct, not the bytes.
package struct EncodedFrame: Sendable {
    package var payload: Payload
    /// Presentation time of the picture, or of the first sample the decoder yields (codec delay already subtracted).
    package var pts: MediaTime
    /// Decoding time; never decreases within a track and never exceeds `pts`.
    package var dts: MediaTime
    /// Nominal duration; zero where unknown.
    package var duration: MediaTime
    /// Decoding may start here.
    package var isKey: Bool
    /// Samples, at the track's rate, that the decoder yields for this frame but that are not to be heard.
    package var skipStart: Int
    package var skipEnd: Int
    /// A picture that is decoded only because later ones build on it, and not to be seen: what lies between a key frame
    /// and the place that was sought.
    package var isPreroll = false

    package init(
        payload: Payload, pts: MediaTime, dts: MediaTime? = nil, duration: MediaTime = .zero, isKey: Bool,
        skipStart: Int = 0, skipEnd: Int = 0
    ) {
        self.payload = payload
        self.pts = pts
        self.dts = dts ?? pts
        self.duration = duration
        self.isKey = isKey
        self.skipStart = skipStart
        self.skipEnd = skipEnd
    }
}
