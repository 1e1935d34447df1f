import Core
import Media
import RTP
import SDP
import WebRTC

/// What is connected to an RTP endpoint and goes out to its peer: takes what the peer can decode, passes it through
/// where that is so, and otherwise asks for a rendition that the peer's line carries.
final class RTPSink: MediaSink {
    private unowned let endpoint: BaseRtpEndpoint
    private let kind: MediaKind
    private var format: EncodedFormat?
    private var ladder: [VideoSpecification] = []
    private var selector: RungSelector?
    /// Counts renditions, so that the stream knows when another one begins.
    private var source: UInt32 = 0
    /// What the encoder was last told.
    private var bitrate: Int?
    private var loss = ExpectedLoss()
    /// Coded sound with all its headers, in bits per second.
    private static let soundRate = 70_000
    /// Headers of 50 packets a second: IP, UDP, RTP with extensions, SRTP's tag.
    private static let soundHeadersRate = 22_000
    /// Opus says words with that.
    private static let soundRateMin = 8_000
    /// An encoder makes no pictures worth looking at with less than this part of its rung's rate.
    private static let leastPart = 4
    /// Room in a packet besides the payload: header and extensions.
    private static let headerRoom = 40

    init(endpoint: BaseRtpEndpoint, kind: MediaKind) {
        self.endpoint = endpoint
        self.kind = kind
    }

    // MARK: What is taken

    func choose(from form: NativeForm) -> RenditionKey {
        guard let track = endpoint.outgoing(kind) else {
            // Nothing agreed yet: what comes by nature costs nothing.
            return .native
        }
        switch form {
        case .encoded(.video(let format)):
            if let codec = track.codec(named: format.codec.rawValue), endpoint.fits(format) {
                track.use(codec)
                selector = nil
                return .native
            }
            return rung(track, width: format.width, height: format.height, rate: format.frameRate ?? Rational(30, 1))
        case .encoded(.audio(let format)):
            if let codec = track.codec(named: format.codec.rawValue) {
                track.use(codec)
                return .native
            }
            return sound(track, channels: format.channels)
        case .pictures(let width, let height, let rate): return rung(track, width: width, height: height, rate: rate)
        case .sound(let channels): return sound(track, channels: channels)
        case .messages: return .native
        }
    }

    private func sound(_ track: OutgoingTrack, channels: Int) -> RenditionKey {
        if let codec = track.media.sendCodec { track.use(codec) }
        let codec = AudioCodec(rawValue: track.codec.name.lowercased()) ?? .opus
        guard codec == .opus else { return .audio(AudioSpecification(codec: codec, channels: 1, bitrate: 64_000)) }
        // The description's limit counts headers too.
        let most = max((sendMax ?? .max) - RTPSink.soundHeadersRate, RTPSink.soundRateMin)
        return .audio(
            AudioSpecification(
                channels: min(2, channels), bitrate: min(48_000 * min(2, channels), most), complexity: 5, fec: true))
    }

    /// The rung of the ladder that the peer's line carries (design: whole, half and quarter size).
    private func rung(_ track: OutgoingTrack, width: Int, height: Int, rate: Rational) -> RenditionKey {
        if let codec = track.media.sendCodec { track.use(codec) }
        let codec = VideoCodec(rawValue: track.codec.name.lowercased()) ?? .vp8
        let ladder = Ladder(width: width, height: height, frameRate: rate, codec: codec).rungs
        if ladder != self.ladder {
            self.ladder = ladder
            var selector = RungSelector(rates: ladder.map(\.bitrate), overhead: 100_000)
            let estimate = limited(endpoint.session(sending: kind)?.sender.mediaTarget ?? 0)
            selector.begin(estimate: estimate)
            self.selector = selector
            // The first probes look for all that is of use: the way up is then one step.
            endpoint.session(sending: kind)?.sender.setWish(selector.ceiling)
        }
        return .video(ladder[min(selector?.rung ?? 0, ladder.count - 1)])
    }

    /// The estimate of the line has changed.
    func targetChanged(_ target: Int, at now: Instant) {
        guard var selector else { return }
        let changed = selector.update(estimate: limited(target), at: now)
        self.selector = selector
        followTarget()
        guard changed != nil else { return }
        endpoint.session(sending: kind)?.sender.setWish(selector.wish ?? selector.ceiling)
        endpoint.inputs[kind]?.reconsider()
    }

    /// The endpoint's limits have changed.
    func limitChanged(at now: Instant) {
        guard let session = endpoint.session(sending: kind) else { return }
        targetChanged(session.sender.mediaTarget, at: now)
    }

    /// What the peer's description allows, in bits per second.
    private var sendMax: Int? { endpoint.outgoing(kind)?.media.sendBandwidthMax.map { Int(clamping: $0) } }

    /// What the line carries, within the limits that a client and the peer's description have set.
    private func limited(_ target: Int) -> Int {
        guard kind == .video else { return target }
        var target = target
        if let most = endpoint.maxVideoSendBandwidth, most > 0 { target = min(target, most * 1000) }
        if let least = endpoint.minVideoSendBandwidth, least > 0 { target = max(target, least * 1000) }
        if let most = sendMax { target = min(target, most) }
        return target
    }

    /// Tells an encoder that works for this peer alone what the line carries: less than the rung's rate where that is
    /// too much, somewhat more where the next rung does not fit.
    private func followTarget() {
        guard let selector, let session = endpoint.session(sending: kind), selector.rung < ladder.count else { return }
        let rate = ladder[selector.rung].bitrate
        let sound = session.outgoing(.audio) == nil ? 0 : max(RTPSink.soundRate, session.sender.soundRate)
        let room = limited(session.sender.mediaTarget) - sound
        let wanted = min(max(room, rate / RTPSink.leastPart), rate + rate / 2)
        // Every change costs the encoder something.
        guard abs(wanted - (bitrate ?? rate)) > wanted / 16 else { return }
        bitrate = wanted
        endpoint.inputs[kind]?.setBitrate(wanted)
    }

    // MARK: What comes

    var hasRoom: Bool { true }

    func receive(_ item: MediaItem) {
        switch item {
        case .format(let format):
            self.format = format
            source &+= 1
            // Another encoder, which knows only its specification.
            bitrate = nil
            followTarget()
        case .encoded(let frame):
            endpoint.framesIn += 1
            send(frame)
        default: break
        }
    }

    private func send(_ frame: EncodedFrame) {
        guard let session = endpoint.session(sending: kind), let track = session.outgoing(kind),
            endpoint.isConnected(session)
        else { return }
        let now = endpoint.context.host.now()
        switch format {
        case .video(let format):
            guard format.codec.rawValue == track.codec.name.lowercased() else { return }
            let sizeMax = endpoint.mtu - RTPSink.headerRoom
            guard let cut = endpoint.cutter.cut(frame, format, sizeMax: sizeMax, vp9Mode: endpoint.vp9Mode) else {
                endpoint.warn("a frame is not what \(format.codec.rawValue) says and was not sent")
                return
            }
            session.send(cut, on: track, source: source, at: now)
            // What repair leaves over changes without the target, and a step up waits for time to pass.
            targetChanged(session.sender.mediaTarget, at: now)
        case .audio(let format):
            guard format.codec.rawValue == track.codec.name.lowercased() else { return }
            session.send(endpoint.cutter.cut(sound: frame.payload, pts: frame.pts), on: track, source: source, at: now)
            let remote = track.stream.remote
            if let percent = loss.update(remote.fractionLost, report: remote.reports, at: now) {
                endpoint.inputs[kind]?.setExpectedLoss(percent)
            }
        case nil: return
        }
        endpoint.touch()
    }
}

/// Renditions of one picture for lines of different width: whole size, half and quarter, each with the bit rate at
/// which it looks well for a conference.
struct Ladder {
    /// Rising.
    let rungs: [VideoSpecification]

    /// No rung is smaller than this on its longer side.
    private static let sideMin = 160

    init(width: Int, height: Int, frameRate: Rational, codec: VideoCodec) {
        let (width, height) = (width > 0 ? width : 640, height > 0 ? height : 360)
        var rungs: [VideoSpecification] = []
        for step in [4, 2, 1] {
            let (w, h) = (width / step & ~1, height / step & ~1)
            guard step == 1 || max(w, h) >= Ladder.sideMin else { continue }
            var specification = VideoSpecification(
                codec: codec, width: max(2, w), height: max(2, h), frameRate: frameRate,
                bitrate: VideoSpecification.usualBitrate(width: w, height: h, frameRate: frameRate))
            specification.isBaseline = codec == .h264
            rungs.append(specification)
        }
        self.rungs = rungs
    }
}
