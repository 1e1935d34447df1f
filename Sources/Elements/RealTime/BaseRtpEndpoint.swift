package import Core
package import Media
import RTP
import SDP
import WebRTC

/// What `WebRtcEndpoint` and `RtpEndpoint` have in common: media of the peer as sources, what is connected as media for
/// the peer, key frames, states, statistics. Lives on the pipeline's loop.
package class BaseRtpEndpoint: Element {
    /// Largest RTP packet before protection, in bytes.
    package var mtu: Int
    /// kbit/s; 0: no limit. Goes into descriptions made afterwards.
    package var maxAudioRecvBandwidth = 0
    /// Likewise; the peer is told of changes later on too, where it understands that (REMB).
    package var maxVideoRecvBandwidth = 0 { didSet { receiveLimitsChanged() } }
    /// kbit/s; the peer is asked for no less.
    package var minVideoRecvBandwidth = BaseRtpEndpoint.usualMinVideoRecvBandwidth {
        didSet { receiveLimitsChanged() }
    }
    /// What Kurento's endpoints say.
    private static let usualMinVideoRecvBandwidth = 100
    /// How the peer is told what it may send, by the losses of what comes; nil: its own estimate rules.
    package var rembParams: RembParams? { didSet { receiveLimitsChanged() } }
    /// kbit/s of pictures to the peer at most, whatever its line carries; 0: no limit. nil: nobody has said.
    package var maxVideoSendBandwidth: Int? {
        didSet { videoSink?.limitChanged(at: context.host.now()) }
    }
    /// kbit/s of pictures to the peer at least, whatever its line seems to carry; nil: nobody has said.
    package var minVideoSendBandwidth: Int? {
        didSet { videoSink?.limitChanged(at: context.host.now()) }
    }
    package private(set) var connectionState = ConnectionState.disconnected
    package private(set) var mediaState = MediaState.disconnected
    let services: RealTimeServices
    let cutter: FrameCutter
    /// How VP9 is put into packets for the peer.
    var vp9Mode: Packetizer.VP9Mode { .flexible }
    /// The RTP side, one per transport, once something was negotiated.
    final var sessions: [RTPSession] = []
    /// Packets of that session get through to the peer now.
    func isConnected(_ session: RTPSession) -> Bool { false }

    private var traffic: TrafficShare
    private var audioSource: MediaSource?
    private var videoSource: MediaSource?
    private var dataSource: MediaSource?
    private var audioSink: RTPSink?
    private var videoSink: RTPSink?
    private var videoFormat: VideoFormat?
    private var soundType: UInt8?
    private var lastSound = Int64.min
    private var lastVideo = MediaTime.distantPast
    private var lastAudio = MediaTime.distantPast

    init(
        _ context: PipelineContext, name: String, className: String, services: RealTimeServices, cutter: FrameCutter
    ) {
        self.services = services
        self.cutter = cutter
        mtu = services.options.mtu
        traffic = TrafficShare(services.services(on: context.loop).trafficMetrics(context, className: className))
        super.init(context, name: name, className: className)
        audioSource = addSource(.audio)
        let video = addSource(.video)
        video.onKeyFrameRequest = { [unowned self] in requestKeyFrameOfPeer() }
        videoSource = video
        let audioSink = RTPSink(endpoint: self, kind: .audio)
        let videoSink = RTPSink(endpoint: self, kind: .video)
        addInput(.audio, sink: audioSink)
        addInput(.video, sink: videoSink)
        self.audioSink = audioSink
        self.videoSink = videoSink
    }

    /// Adds the data pads.
    func addData(sink: any MediaSink) {
        let source = addSource(.data)
        source.setForm(.messages)
        dataSource = source
        addInput(.data, sink: sink)
    }

    /// Lets what was queued go out.
    func touch() {}

    /// The session in which that kind of media goes to the peer.
    final func session(sending kind: MediaKind) -> RTPSession? { sessions.first { $0.outgoing(kind) != nil } }
    final func outgoing(_ kind: MediaKind) -> OutgoingTrack? { session(sending: kind)?.outgoing(kind) }
    final func incoming(_ kind: MediaKind) -> IncomingTrack? { sessions.lazy.compactMap { $0.incoming(kind) }.first }

    /// Whether coded pictures of that format can go to the peer as they are.
    func fits(_ format: VideoFormat) -> Bool { true }

    // MARK: Limits

    /// Tells the sessions what their peer may be asked to send.
    private func limitReceiving() {
        let upper = maxVideoRecvBandwidth > 0 ? Int64(maxVideoRecvBandwidth) * 1000 : Int64(50_000_000)
        let lower = min(Int64(max(0, minVideoRecvBandwidth)) * 1000, upper)
        for session in sessions {
            session.allowReceiving(lower...upper)
            if let rembParams { session.controlReceiving(rembParams.settings) }
        }
    }

    /// The same while something may be said already.
    private func receiveLimitsChanged() {
        limitReceiving()
        touch()
    }

    /// The limits of what is sent to a peer of which nothing is known yet.
    final func sendLimits(_ usual: BandwidthEstimator.Limits) -> BandwidthEstimator.Limits {
        guard let start = rembParams?.rembOnConnect else { return usual }
        return BandwidthEstimator.Limits(minimum: usual.minimum, maximum: usual.maximum, start: start)
    }

    // MARK: After negotiation

    /// What was agreed on is in force: sinks choose anew, sound is expected.
    func sessionApplied() {
        limitReceiving()
        if let track = incoming(.audio) {
            audioSource?.receiveSound(soundFormats(track.media))
            if audioSource?.form == nil, let codec = track.media.codecs.first {
                setSoundForm(codec.receivePayloadType, track.media)
            }
        }
        for kind in [MediaKind.audio, .video] { inputs[kind]?.reconsider() }
    }

    private func soundFormats(_ media: NegotiatedMedia) -> [UInt8: SoundPayloadFormat] {
        media.receive.compactMapValues { format in
            switch format.role {
            case .media: audioFormat(format).map { .sound($0, clockRate: format.clockRate) }
            case .comfortNoise: .comfortNoise(clockRate: format.clockRate)
            case .events: .telephoneEvent
            default: nil
            }
        }
    }

    private func audioFormat(_ format: PayloadFormat) -> AudioFormat? {
        guard let codec = AudioCodec(rawValue: format.name.lowercased()) else { return nil }
        let rate = codec == .g722 ? 16_000 : format.clockRate
        return AudioFormat(codec: codec, sampleRate: rate, channels: max(1, format.channels))
    }

    private func setSoundForm(_ type: UInt8, _ media: NegotiatedMedia) {
        guard type != soundType, let format = media.receive[type].flatMap(audioFormat) else { return }
        soundType = type
        audioSource?.setForm(.encoded(.audio(format)))
    }

    // MARK: Media of the peer

    /// Hands on what has come.
    func deliverMedia() {
        for session in sessions {
            while let item = session.pollMedia() {
                switch item {
                case .picture(_, _, let frame, let due): deliver(frame, due: due - context.startedAt)
                case .sound(let track, let packet, let due): deliver(packet, track, due: due - context.startedAt)
                case .key(_, let event): context.emit(.keyPressed(Int(event.event)), from: self)
                }
            }
        }
        if let audio = incoming(.audio), let report = audioSource?.soundReport {
            audio.soundDelay = report.currentDelay
            audioSource?.extraSoundDelay = incoming(.video)?.lipSync.audioDelay ?? .zero
        }
    }

    private func deliver(_ frame: ReceivedFrame, due: MediaTime) {
        if frame.isKey || videoFormat == nil {
            let format = VideoFormat(
                codec: frame.codec, width: frame.width ?? videoFormat?.width ?? 0,
                height: frame.height ?? videoFormat?.height ?? 0,
                configuration: frame.configuration
                    ?? (videoFormat?.codec == frame.codec ? videoFormat?.configuration ?? [] : []),
                rotation: frame.rotation, colour: frame.colour)
            if format != videoFormat {
                videoFormat = format
                videoSource?.setForm(.encoded(.video(format)))
            }
        }
        let pts = max(due, lastVideo + MediaTime(nanoseconds: 1))
        lastVideo = pts
        videoSource?.push(.encoded(EncodedFrame(payload: frame.payload, pts: pts, isKey: frame.isKey)))
    }

    private func deliver(_ packet: SoundPacket, _ track: IncomingTrack, due: MediaTime) {
        audioSource?.receive(packet)
        // Whoever takes the coded sound as it is gets it in order.
        guard packet.sequence > lastSound || packet.sequence < lastSound - 1000 else { return }
        lastSound = packet.sequence
        setSoundForm(packet.payloadType, track.media)
        let pts = max(due, lastAudio + MediaTime(nanoseconds: 1))
        lastAudio = pts
        audioSource?.push(.encoded(EncodedFrame(payload: packet.payload, pts: pts, isKey: true)))
    }

    func deliver(_ message: DataMessage) { dataSource?.push(.message(message)) }

    private func requestKeyFrameOfPeer() {
        for session in sessions {
            guard let track = session.incoming(.video) else { continue }
            session.requestKeyFrame(track)
            return touch()
        }
    }

    /// Asks whoever produces what goes to the peer for a key frame.
    package func requestKeyframe() throws(GraphError) {
        guard let pad = inputs[.video], pad.origin != nil else {
            throw GraphError("\(name) (\(className)) has no video source connected")
        }
        pad.requestKeyFrame()
    }

    func handleSessionEvents() {
        let now = context.host.now()
        traffic.update(sessions, at: now)
        for session in sessions {
            while let event = session.pollEvent() {
                switch event {
                case .target:
                    guard session.outgoing(.video) != nil else { break }
                    videoSink?.targetChanged(session.sender.mediaTarget, at: now)
                case .keyFrameWanted(let line):
                    if session.outgoing.first(where: { $0.index == line })?.kind == .video {
                        inputs[.video]?.requestKeyFrame()
                    }
                case .reportsBegan, .reportsEnded:
                    setMediaState(sessions.contains(where: \.hearsReports) ? .connected : .disconnected)
                }
            }
        }
    }

    // MARK: Statistics

    /// The figures of now, in the words of the W3C; only those of some kinds of media where `kinds` says so.
    package final func statistics(_ kinds: Set<MediaKind> = Set(MediaKind.allCases)) -> [Statistics] {
        var reader = StatisticsReader(timestamp: context.host.unixMilliseconds(), now: context.host.now())
        readStatistics(into: &reader, kinds: kinds)
        return reader.all
    }

    /// Everything of this endpoint; subclasses know their transports.
    func readStatistics(into reader: inout StatisticsReader, kinds: Set<MediaKind>) {}

    /// What the receiver of the peer's sound counts.
    final var soundStatistics: SoundStatistics? { audioSource?.soundReport?.statistics }

    // MARK: States

    func setConnectionState(_ new: ConnectionState) {
        guard new != connectionState else { return }
        let old = connectionState
        connectionState = new
        context.emit(.connectionStateChanged(old: old, new: new), from: self)
    }

    private func setMediaState(_ new: MediaState) {
        guard new != mediaState else { return }
        let old = mediaState
        mediaState = new
        context.emit(.mediaStateChanged(old: old, new: new), from: self)
    }

    public override func release() {
        if !isReleased { traffic.end(sessions) }
        for source in [audioSource, videoSource, dataSource] { source?.push(.end(context.now)) }
        super.release()
    }
}
