package import Core
import Files
package import Media

/// Records what is connected to it into a file or an upload, without encoding again what the container takes.
///
/// The file begins with the first frame of each connected kind (pictures: a key frame). Sound and picture keep their
/// distance; pauses are cut out. After `stop` the recorder cannot record again.
///
/// `record`, `pause` and `stop` answer at once and are ignored where they make no sense. `state` and the events say
/// what has come to pass: `Recording` when the file is open, `Paused` when what came before is written, `Stopped` when
/// all is. Where no media ever came, a `stop` leaves no trace, and recording may begin again.
package final class RecorderEndpoint: Element {
    /// As given, `%2F` turned into `/`.
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
    /// What was asked for; `state` follows.
    private var phase = Phase.idle
    private enum Phase { case idle, recording, paused, finishing, stopped }
    private var isFinishing: Bool { phase == .finishing || phase == .stopped }
    /// The muxer has been told to open the file.
    private var isOpen = false
    /// The file is open.
    private var isWriting = false
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
    /// Decoded pictures are large.
    private static let picturesInFlightMax = 4
    /// Kurento's `stopAndWait` gives up after this.
    private static let stopWaitMax = MediaTime.seconds(4)
    private var waiters: [() -> Void] = []

    package init(
        _ context: PipelineContext, name: String, uri: String, profile: RecordingProfile,
        stopOnEndOfStream: Bool = false
    ) {
        self.uri = MediaAccess.unescapingSlashes(uri)
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
        switch phase {
        case .recording: log.debug("record ignored: already recording")
        case .finishing, .stopped: warn("a stopped recorder cannot record again")
        case .idle: start()
        case .paused:
            phase = .recording
            if context.mode == .realTime, let base, let pausedAt { self.base = base + (context.now - pausedAt) }
            pausedAt = nil
            for track in tracks {
                track.needsKeyFrame = true
                inputs[track.kind]?.requestKeyFrame()
            }
            guard state == .pause else { return }
            change(to: .start)
            context.emit(.recording, from: self)
        }
    }

    package func pause() {
        guard phase == .recording else { return log.debug("pause ignored: not recording") }
        phase = .paused
        pausedAt = context.now
        if isOpen { return _ = stage?.push(.flush, droppable: false) }
        // What waits for the other kind comes from before the pause.
        for track in tracks {
            track.held = []
            track.needsKeyFrame = true
        }
    }

    /// Writes what has arrived and closes the file; `Stopped` follows when it is whole.
    package func stop() {
        guard phase == .recording || phase == .paused else { return log.debug("stop ignored: not recording") }
        if profile.waitsForAllKinds { openIfReady() }
        phase = .finishing
        for track in tracks {
            inputs[track.kind]?.isActive = false
            track.hasEnded = true
        }
        if !profile.waitsForAllKinds { openIfReady() }
        drain()
        if !isOpen, !hasFailed {
            guard context.configuration.endsWithInputs else { return discard() }
            fail(.streamFailed, "“\(Location.redacted(uri))” was not made: no media arrived to be recorded")
        }
        finish()
    }

    /// `stop`, and `done` once all is written, or after four seconds.
    package func stopAndWait(_ done: @escaping () -> Void) {
        stop()
        guard isBusy else { return done() }
        waiters.append(done)
        _ = context.schedule(at: context.now + RecorderEndpoint.stopWaitMax) { [weak self] in self?.answerWaiters() }
    }

    /// Whether something is, or may be, still to be written.
    package var isBusy: Bool { phase != .idle && phase != .stopped }

    private func answerWaiters() {
        let waiting = waiters
        waiters = []
        for done in waiting { done() }
    }

    private func finish() {
        stage?.push(.finish, droppable: false)
        stage?.finish()
    }

    /// Nothing came: as if it had never been asked to record.
    private func discard() {
        stage?.cancel()
        stage = nil
        phase = .idle
        for track in tracks { track.reset() }
        log.info("nothing was recorded: no media arrived")
        answerWaiters()
    }

    public override func release() {
        guard !isReleased else { return }
        // The muxer's stage ends its queue by itself, so the file is closed even though nobody listens any more.
        stop()
        super.release()
    }

    private func start() {
        let access = context.configuration.access
        let url = access.place(uri)
        let location = try? Location(url, schemes: access.writableSchemes)
        let executor =
            location.map { $0.isFile } ?? true
            ? context.host.disk(for: location?.path ?? "/") : context.host.ioThread(named: "io-\(name)")
        let isFile = location?.isFile ?? true
        let host = context.host
        let container = profile.container
        var options = Muxer.Options()
        options.createsFolders = true
        options.access = access
        options.schemes = access.writableSchemes
        let chosen = options
        phase = .recording
        let record = context.makeStageRecord(
            element: self, kind: .mux, codec: container.rawValue, detail: Location.redacted(uri))
        let stage = Stage<MuxCommand, MuxResult>(
            context, record: record, executor: executor,
            capacity: container == .jpeg ? RecorderEndpoint.picturesInFlightMax : RecorderEndpoint.framesInFlightMax,
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
        for track in tracks {
            inputs[track.kind]?.isActive = true
            inputs[track.kind]?.requestKeyFrame()
        }
    }

    // MARK: From the tracks

    /// Kinds that nobody is connected to, or that ended before their first frame, are not waited for.
    private var expected: [RecordedTrack] {
        tracks.filter { track in
            let mayCome = profile.waitsForAllKinds || inputs[track.kind]?.upstream != nil
            return mayCome && !(track.hasEnded && track.held.isEmpty) || !track.held.isEmpty
        }
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
            guard phase == .recording, !track.needsKeyFrame || frame.isKey else { return }
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
        case .picture(let picture):
            track.hasEnded = false
            take(picture)
            return
        case .sound, .message: return
        }
        drain()
        if stopOnEndOfStream || context.configuration.endsWithInputs,
            tracks.allSatisfy({ $0.hasEnded || inputs[$0.kind]?.upstream == nil })
        {
            stop()
        }
    }

    /// A still picture, for a file of such. The disk thread encodes it; one that comes too early is left out.
    private func take(_ picture: VideoFrame) {
        guard phase == .recording, profile.container == .jpeg, let stage else { return }
        isOpen = true
        if base == nil { base = picture.pts }
        guard stage.push(.picture(picture)) else { return }
        picturesRecorded += 1
        recordedUntil = max(recordedUntil, picture.pts - (base ?? .zero))
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
        case .opened:
            isWriting = true
            change(to: .start)
            context.emit(.recording, from: self)
        case .flushed:
            guard phase == .paused, isWriting else { return }
            change(to: .pause)
            context.emit(.paused, from: self)
        case .closed(let repaired):
            if repaired > 0 { warn("\(repaired) frames came out of order and were moved") }
            stopped()
        }
    }

    private func fileFailed(_ error: any Error) {
        let type: ErrorType =
            switch error as? FileError {
            case .full: .noSpaceLeft
            case .refused: .invalidURI
            case .notFound, .notPermitted, .notAFile, .unreachable, .timedOut, .denied, .inUse:
                isWriting ? .resourceWrite : .resourceOpen
            case nil: .streamFailed
            default: .resourceWrite
            }
        fail(type, "\(error)")
        guard !hasFailed else { return }
        hasFailed = true
        for track in tracks { inputs[track.kind]?.isActive = false }
        if !isFinishing {
            phase = .finishing
            // What is whole is completed as far as the disk allows.
            finish()
        }
    }

    private func stopped() {
        guard !hasStopped else { return }
        hasStopped = true
        phase = .stopped
        change(to: .stop)
        context.emit(.stopped, from: self)
        onStopped()
        answerWaiters()
    }

    private func change(to new: UriEndpointState) {
        guard state != new else { return }
        state = new
        context.emit(.uriEndpointStateChanged(new), from: self)
    }
}
