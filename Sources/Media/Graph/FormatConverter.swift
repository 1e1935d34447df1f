package import Core

/// The format in which media is wanted at a pad, whatever comes over the link.
package enum WantedFormat: Hashable, Sendable {
    /// Coded so, or decoded (nil); at most so many pictures a second.
    case video(VideoCodec?, frameRate: Rational?)
    /// Coded so, or decoded (nil); about so many bits per second.
    case audio(AudioCodec?, bitrate: Int?)
}

/// Stands between a link and an element: takes from the source upstream the rendition that is wanted, and offers it as
/// a source of its own, so that the element, or whoever is behind it where it only routes, sees that format as native.
/// Takes nothing while nobody takes from it. Owned by the pad; lives on the loop.
final class FormatConverter: MediaSink {
    let wanted: WantedFormat
    let source: MediaSource
    private(set) weak var arriving: MediaSource?
    private var isAttached = false
    /// Of the last picture handed on, where decoded ones are counted off.
    private var slot: Int64?
    /// Sound: Opus between 6 and 510 kbit/s (RFC 6716, section 2.1.1).
    private static let audioBitrates = 6_000...510_000

    init(_ element: Element, _ kind: MediaKind, _ wanted: WantedFormat, from arriving: MediaSource) {
        self.wanted = wanted
        self.arriving = arriving
        source = MediaSource(element: element, kind: kind, isOwn: false)
        source.onDemand = { [unowned self] in $0 ? attach() : detach() }
        source.onRoom = { [unowned self] in self.arriving?.roomAvailable(to: self) }
        source.onKeyFrameRequest = { [unowned self] in self.arriving?.requestKeyFrame(for: self) }
    }

    private func attach() {
        guard !isAttached else { return }
        isAttached = true
        arriving?.attach(self)
    }

    private func detach() {
        guard isAttached else { return }
        isAttached = false
        arriving?.detach(self)
    }

    /// Another one takes its place, or none.
    func end() { detach() }

    // MARK: As a sink of what arrives

    func choose(from form: NativeForm) -> RenditionKey {
        switch (wanted, form) {
        case (.video(nil, _), .encoded), (.audio(nil, _), .encoded): return .raw
        case (.video(let codec?, let rate), .encoded(.video(let format))):
            if format.codec == codec, !isFaster(rate) { return .native }
            return picture(codec, format.width, format.height, rate)
        case (.video(let codec?, let rate), .pictures(let width, let height, _)):
            return picture(codec, width, height, rate)
        case (.audio(let codec?, let bitrate), .encoded(.audio(let format))):
            // What has one rate only is what was asked for.
            if format.codec == codec, bitrate == nil || codec != .opus { return .native }
            return sound(codec, format.channels, bitrate)
        case (.audio(let codec?, let bitrate), .sound(let channels)): return sound(codec, channels, bitrate)
        default: return .native
        }
    }

    /// Whether pictures come faster than they may.
    private func isFaster(_ rate: Rational?) -> Bool {
        guard let rate, let nominal = arriving?.nominalFrameRate else { return false }
        return nominal.value > rate.value
    }

    private func picture(_ codec: VideoCodec, _ width: Int, _ height: Int, _ rate: Rational?) -> RenditionKey {
        let nominal = arriving?.nominalFrameRate ?? Rational(30, 1)
        let chosen = isFaster(rate) ? rate ?? nominal : nominal
        var specification = VideoSpecification(
            codec: codec, frameRate: chosen,
            bitrate: VideoSpecification.usualBitrate(width: width, height: height, frameRate: chosen))
        specification.isBaseline = codec == .h264
        return .video(specification)
    }

    private func sound(_ codec: AudioCodec, _ channels: Int, _ bitrate: Int?) -> RenditionKey {
        guard codec == .opus else { return .audio(AudioSpecification(codec: codec, channels: 1, bitrate: 64_000)) }
        let (least, most) = (FormatConverter.audioBitrates.lowerBound, FormatConverter.audioBitrates.upperBound)
        let channels = min(2, max(1, channels))
        return .audio(
            AudioSpecification(
                codec: codec, channels: channels, bitrate: min(max(bitrate ?? 48_000 * channels, least), most)))
    }

    var hasRoom: Bool { source.hasRoom }

    func receive(_ item: MediaItem) {
        switch item {
        case .format(let format): source.setForm(.encoded(format))
        case .picture(let picture):
            let rate = arriving?.nominalFrameRate ?? Rational(30, 1)
            var shown = rate
            if case .video(_, let most?) = wanted, isFaster(most) {
                shown = most
                let current = picture.pts.count(per: most)
                // A clock that has begun anew does not wait for its old time.
                if let slot, current <= slot, current >= slot - Int64(most.value.rounded(.up)) { return }
                slot = current
            }
            source.setForm(.pictures(width: picture.width, height: picture.height, frameRate: shown))
            source.push(item)
        case .sound(let block):
            source.setForm(.sound(channels: block.channels))
            source.push(item)
        case .encoded, .message, .watermark, .end: source.push(item)
        }
    }
}
