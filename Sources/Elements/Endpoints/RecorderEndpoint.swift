package import Core
package import Files
package import Media

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

/// Records what is connected to it into a file, without encoding again what the container takes.
///
/// The file begins with the first frame of each connected kind (pictures: a key frame). Sound and picture keep their
/// distance; pauses are cut out. After `stop` the recorder cannot record again.
package final class RecorderEndpoint: Element {
    package let uri: String
    package let profile: RecordingProfile
    package let stopOnEndOfStream: Bool
    package private(set) var state = UriEndpointState.stop
    /// Pictures handed to the muxer.
    package private(set) var picturesRecorded = 0
    /// Media time written, pauses not counted.
    package private(set) var recordedUntil = MediaTime.zero
    /// Called once the file is whole, or failed for good.
    package var onStopped: () -> Void = {}
    package private(set) var hasStopped = false

    private var tracks: [RecordedTrack] = []
    private var stage: Stage<MuxCommand, MuxResult>?
    private var interleaver = Interleaver(tracks: 0, holdMax: nil)
    private var isOpen = false
    private var isFinishing = false
    private var hasFailed = false
    /// Pipeline time that is time 0 of the file, pauses added.
    private var base: MediaTime?
    private var pausedAt: MediaTime?
    private static let holdMax = MediaTime.milliseconds(500)
    /// Offline: a track may wait this far ahead of the other, and this many bytes.
    private static let leadMax = MediaTime.milliseconds(1000)
    /// Frames of one track that wait for the other's first: some ten seconds of pictures.
    private static let framesHeldMax = 300
    private static let waitingBytesMax = 32 << 20
    private static let framesInFlightMax = 256

    package init(
        _ context: PipelineContext, name: String, uri: String, profile: RecordingProfile,
        stopOnEndOfStream: Bool = false
    ) {
        self.uri = uri
        self.profile = profile
        self.stopOnEndOfStream = stopOnEndOfStream
        super.init(context, name: name, className: "RecorderEndpoint")
        for kind in [MediaKind.audio, .video] where profile.kinds.contains(kind) {
            let track = RecordedTrack(recorder: self, kind: kind)
            tracks.append(track)
            addInput(kind, sink: track).isActive = false
        }
    }

    // MARK: Operations

    /// Starts, or goes on after `pause`.
    package func record() {
        switch state {
        case .start: log.debug("record ignored: already recording")
        case .stop:
            guard !hasStopped, stage == nil else { return warn("a stopped recorder cannot record again") }
            start()
        case .pause:
            guard let pausedAt else { return }
            self.pausedAt = nil
            if context.mode == .realTime, let base { self.base = base + (context.now - pausedAt) }
            for track in tracks {
                track.needsKeyFrame = true
                inputs[track.kind]?.requestKeyFrame()
            }
            change(to: .start)
            context.emit(.recording, from: self)
        }
    }

    package func pause() {
        guard state == .start else { return log.debug("pause ignored: not recording") }
        pausedAt = context.now
        if isOpen { stage?.push(.flush, droppable: false) }
        change(to: .pause)
        context.emit(.paused, from: self)
    }

    /// Writes what has arrived and closes the file; `Stopped` follows when it is whole.
    package func stop() {
        guard stage != nil, !isFinishing, !hasStopped else { return log.debug("stop ignored: not recording") }
        isFinishing = true
        for track in tracks {
            inputs[track.kind]?.isActive = false
            track.hasEnded = true
        }
        openIfReady()
        drain()
        if !isOpen, !hasFailed { fail(.streamFailed, "“\(uri)” was not made: no media arrived to be recorded") }
        finish()
    }

    private func finish() {
        stage?.push(.finish, droppable: false)
        stage?.finish()
    }

    public override func release() {
        guard !isReleased else { return }
        // The muxer's stage ends its queue by itself, so the file is closed even though nobody listens any more.
        stop()
        super.release()
    }

    private func start() {
        let location = uri.hasPrefix("file://") ? String(uri.dropFirst(7)) : uri
        let isFile = !location.contains("://")
        let executor = isFile ? context.host.disk(for: location) : context.host.ioThread(named: "io-\(name)")
        let host = context.host
        let (url, container) = (uri, profile.container)
        var options = Muxer.Options()
        options.createsFolders = true
        let chosen = options
        let record = context.makeStageRecord(element: self, kind: .mux, codec: container.rawValue, detail: uri)
        let stage = Stage<MuxCommand, MuxResult>(
            context, record: record, executor: executor, capacity: RecorderEndpoint.framesInFlightMax,
            policy: .dropNewest, counts: \.isFrame
        ) {
            MuxWork(
                url: url, container: container, options: chosen,
                interrupt: isFile ? Interrupt() : Interrupt(now: { host.now() }))
        }
        stage.onOutput = { [unowned self] in take($0) }
        stage.onError = { [unowned self] in fileFailed($0) }
        stage.onProgress = { [unowned self] in askForMore() }
        self.stage = stage
        change(to: .start)
        for track in tracks {
            inputs[track.kind]?.isActive = true
            inputs[track.kind]?.requestKeyFrame()
        }
    }

    // MARK: From the tracks

    /// Kinds that nobody is connected to, or that ended before their first frame, are not waited for.
    private var expected: [RecordedTrack] {
        tracks.filter { inputs[$0.kind]?.upstream != nil && !($0.hasEnded && $0.held.isEmpty) || !$0.held.isEmpty }
    }

    func take(_ item: MediaItem, _ track: RecordedTrack) {
        if item.isFrame { framesIn += 1 }
        guard !hasFailed, !isFinishing else { return }
        switch item {
        case .format(let format):
            if isOpen, track.index != nil, track.format != format { track.nextFormat = format }
            track.format = format
        case .encoded(let frame):
            track.hasEnded = false
            guard state == .start, !track.needsKeyFrame || frame.isKey else { return }
            track.needsKeyFrame = false
            if isOpen {
                if let index = track.index { put(frame, track, index) }
            } else {
                track.held.append(frame)
                openIfReady()
                if !isOpen, context.mode == .realTime { giveUpOldest(track) }
            }
        case .watermark(let time):
            if let index = track.index, let base { interleaver.advance(index, to: time - base) }
        case .end:
            track.hasEnded = true
            if let index = track.index { interleaver.advance(index, to: .infinity) }
            if !isOpen { openIfReady() }
        case .picture, .sound, .message: return
        }
        drain()
        if stopOnEndOfStream || context.configuration.endsWithInputs,
            tracks.allSatisfy({ $0.hasEnded || inputs[$0.kind]?.upstream == nil })
        {
            stop()
        }
    }

    private func put(_ frame: EncodedFrame, _ track: RecordedTrack, _ index: Int) {
        let frame = shifted(frame)
        if let format = track.nextFormat {
            track.formatChanges.append((frame.dts, format))
            track.nextFormat = nil
        }
        interleaver.put(index, frame)
    }

    /// Real time: what waits for another track's first frame is bounded. The oldest go, up to a key frame.
    private func giveUpOldest(_ track: RecordedTrack) {
        guard track.held.count > RecorderEndpoint.framesHeldMax else { return }
        let kept = track.held.indices.dropFirst().first { track.held[$0].isKey } ?? track.held.endIndex
        stage?.record.drop("waiting for the other track", kept)
        track.held.removeFirst(kept)
        guard track.held.isEmpty else { return }
        track.needsKeyFrame = true
        inputs[track.kind]?.requestKeyFrame()
    }

    private func openIfReady() {
        let expected = expected
        guard !isOpen, !hasFailed, !expected.isEmpty, expected.allSatisfy({ $0.format != nil && !$0.held.isEmpty })
        else { return }
        isOpen = true
        interleaver = Interleaver(
            tracks: expected.count, holdMax: context.mode == .realTime ? RecorderEndpoint.holdMax : nil)
        base = expected.compactMap { $0.held.first.map($0.start(of:)) }.min()
        for (index, track) in expected.enumerated() {
            track.index = index
            for frame in track.held { interleaver.put(index, shifted(frame)) }
            track.held = []
            if track.hasEnded { interleaver.advance(index, to: .infinity) }
        }
        stage?.push(.open(expected.compactMap(\.format)), droppable: false)
    }

    private func shifted(_ frame: EncodedFrame) -> EncodedFrame {
        var frame = frame
        frame.pts = frame.pts - (base ?? .zero)
        frame.dts = frame.dts - (base ?? .zero)
        return frame
    }

    /// Hands on what is in order. A disk that cannot keep up loses whole frames, counted, and delays nobody.
    private func drain() {
        guard isOpen, let stage else { return }
        if isFinishing {
            for index in tracks.compactMap(\.index) { interleaver.advance(index, to: .infinity) }
        }
        while let (index, frame) = interleaver.next() {
            let track = tracks.first { $0.index == index }
            while let change = track?.formatChanges.first, change.from <= frame.dts {
                track?.formatChanges.removeFirst()
                stage.push(.format(track: index, change.format), droppable: false)
            }
            if track?.needsKeyFrame == true, !frame.isKey { continue }
            if track?.kind == .video { picturesRecorded += 1 }
            recordedUntil = max(recordedUntil, frame.pts + frame.duration)
            if stage.push(.frame(track: index, frame)) { continue }
            fail(.resourceWrite, "“\(uri)” cannot be written as fast as media arrives; frames are left out")
            track?.needsKeyFrame = true
            if let kind = track?.kind { inputs[kind]?.requestKeyFrame() }
        }
    }

    // MARK: Room, offline

    func hasRoom(for track: RecordedTrack) -> Bool {
        guard let stage, stage.hasRoom, !hasFailed else { return hasFailed || stage == nil }
        guard interleaver.waitingBytes < RecorderEndpoint.waitingBytesMax else { return false }
        guard let index = track.index, isOpen else { return track.held.count < 64 }
        return interleaver.lead(of: index) < RecorderEndpoint.leadMax
    }

    private func askForMore() {
        guard context.mode == .offline else { return }
        for track in tracks where hasRoom(for: track) { inputs[track.kind]?.roomAvailable() }
    }

    // MARK: From the muxer

    private func take(_ result: MuxResult) {
        switch result {
        case .opened: context.emit(.recording, from: self)
        case .closed(let repaired):
            if repaired > 0 { warn("\(repaired) frames came out of order and were moved") }
            stopped()
        }
    }

    private func fileFailed(_ error: any Error) {
        let type: ErrorType =
            switch error as? FileError {
            case .full: .noSpaceLeft
            case .notFound, .notPermitted, .notAFile, .refused, .unreachable, .inUse: .resourceOpen
            default: .resourceWrite
            }
        fail(type, "\(error)")
        guard !hasFailed else { return }
        hasFailed = true
        for track in tracks { inputs[track.kind]?.isActive = false }
        if !isFinishing {
            isFinishing = true
            // What is whole is completed as far as the disk allows.
            finish()
        }
    }

    private func stopped() {
        guard !hasStopped else { return }
        hasStopped = true
        change(to: .stop)
        context.emit(.stopped, from: self)
        onStopped()
    }

    private func change(to new: UriEndpointState) {
        guard state != new else { return }
        state = new
        context.emit(.uriEndpointStateChanged(new), from: self)
    }
}

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

    /// When the frame is first seen or heard.
    func start(of frame: EncodedFrame) -> MediaTime {
        guard frame.skipStart > 0, case .audio(let audio) = format else { return frame.pts }
        return frame.pts + MediaTime(samples: Int64(frame.skipStart), rate: audio.sampleRate)
    }

    func choose(from form: NativeForm) -> RenditionKey {
        let profile = recorder.profile
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
