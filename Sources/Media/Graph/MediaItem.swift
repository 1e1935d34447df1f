package import Core

/// Downstream, a link carries these and nothing else; upstream it carries key frame requests and room (see
/// `MediaSource`).
package enum MediaItem: Sendable {
    /// The format of the coded frames that follow.
    case format(EncodedFormat)
    case encoded(EncodedFrame)
    case picture(VideoFrame)
    case sound(AudioFrame)
    case message(DataMessage)
    /// No frame with an earlier presentation time (coded links: decoding time) will come.
    case watermark(MediaTime)
    /// The stream is over; its last frame was heard or seen until the given time. A watermark of infinity.
    case end(MediaTime)

    /// By when a frame has to be there: decoding time of coded frames, else when it is due. Nil for what is no frame.
    var neededAt: MediaTime? {
        switch self {
        case .encoded(let frame): frame.dts
        case .picture(let frame): frame.pts
        case .sound(let frame): frame.pts
        case .message, .format, .watermark, .end: nil
        }
    }

    /// Whether this is media, not a word about it.
    package var isFrame: Bool {
        switch self {
        case .encoded, .picture, .sound, .message: true
        case .format, .watermark, .end: false
        }
    }
}

/// What a source has by nature, before any conversion.
package enum NativeForm: Hashable, Sendable {
    /// Coded frames, as they arrived.
    case encoded(EncodedFormat)
    /// Decoded pictures, as a compositor makes them. Size in pixels.
    case pictures(width: Int, height: Int, frameRate: Rational)
    /// Decoded sound.
    case sound(channels: Int)
    case messages
}

/// One way in which a source can be had. Sinks that name equal keys share one production.
package enum RenditionKey: Hashable, Sendable {
    case native
    /// Decoded pictures or sound.
    case raw
    case video(VideoSpecification)
    case audio(AudioSpecification)
}

/// Consumes one media kind of one source. Called on the pipeline's loop only.
package protocol MediaSink: AnyObject {
    /// Picks what is cheapest among what this sink can take, now that the source's form is known.
    func choose(from form: NativeForm) -> RenditionKey
    /// The next item, in order. Must not block.
    func receive(_ item: MediaItem)
    /// Offline, false tells the source to wait until `MediaSource.roomAvailable()`; in real time nobody asks.
    var hasRoom: Bool { get }
}
