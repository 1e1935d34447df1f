import Core

/// The decoded form of a coded source: one decoder, shared by every sink that wants pictures or samples.
final class DecodedRendition: Rendition, MediaSink {
    private var stage: Stage<MediaItem, MediaItem>?
    private var record: StageRecord?
    /// Offline: coded items that wait because the stage or those behind it are full. A demuxer whose other track
    /// starves goes on all the same, and what it brings waits here in coded form.
    private var pending = Deque<MediaItem>()
    private var pendingFrames = 0
    /// Real time: the decoder fell behind and goes on at the next key frame.
    private var dropsUntilKeyFrame = false
    /// Real time: coded frames of a run from a key frame to a place that was sought, and of what follows until the
    /// decoder has caught up. None of them is dropped: another key frame may be far.
    private var catchingUp = 0
    /// More than the longest distance of key frames in films, twice.
    private static let catchingUpMax = 1000
    /// Offline. Decoded pictures are large, and decoders wait for their hub in any case: one each.
    private static let picturesInFlightMax = 1
    private static let blocksInFlightMax = 8
    /// Coded frames that may wait before the source is asked to.
    private static let framesPendingMax = 32

    private var upstream: Rendition { source.native }

    override func start() {
        guard case .encoded(let format) = source.form else { return }
        let record = context.makeStageRecord(
            element: source.element, kind: .decode, codec: format.codecName, detail: "")
        self.record = record
        let configuration = context.configuration
        let priority: WorkPriority = source.kind == .audio ? .sound : .decode
        let kind = source.kind
        let stage = Stage<MediaItem, MediaItem>(
            context, record: record,
            // Offline there is no hurry that sound could be in; it shares all cores.
            executor: context.host.workers(context.mode == .offline ? .decode : priority),
            capacity: context.mode == .realTime
                ? 60 : kind == .audio ? DecodedRendition.blocksInFlightMax : DecodedRendition.picturesInFlightMax,
            policy: .dropNewest, batch: context.mode == .offline && kind == .audio ? 4 : 1,
            counts: \.isFrame
        ) {
            if kind == .audio { return AudioDecodeWork(configuration.codecs) }
            return VideoDecodeWork(configuration)
        }
        stage.onOutput = { [unowned self] in send($0) }
        stage.onError = { [unowned self] error in
            source.element.fail(.streamDecode, "\(source.kind.rawValue) could not be decoded: \(error)")
            record.drop("not decodable")
            upstream.requestKeyFrame()
        }
        stage.onProgress = { [unowned self] in feed() }
        self.stage = stage
        upstream.add(self)
    }

    override func stop() {
        stage?.cancel()
        stage = nil
        source.release(upstream, by: self)
    }

    override func subscribersChanged() { record?.sharedBy = max(record?.sharedBy ?? 0, sinkCount) }

    // MARK: As a sink of the native rendition

    func choose(from form: NativeForm) -> RenditionKey { .native }

    func receive(_ item: MediaItem) {
        if context.mode == .offline {
            if case .encoded = item { pendingFrames += 1 }
            pending.append(item)
            feed()
            return
        }
        guard case .encoded(let frame) = item else {
            stage?.push(item, droppable: false)
            return
        }
        if dropsUntilKeyFrame, !frame.isKey {
            record?.drop("decoder behind")
            return
        }
        dropsUntilKeyFrame = false
        if frame.isPreroll || (catchingUp > 0 && stage?.hasRoom == false) { catchingUp += 1 } else { catchingUp = 0 }
        let isKept = (1...DecodedRendition.catchingUpMax).contains(catchingUp)
        if stage?.push(item, droppable: !isKept) == false, source.kind == .video {
            dropsUntilKeyFrame = true
            upstream.requestKeyFrame()
        }
    }

    /// Offline: moves on as much as the stage and those behind it can take.
    private func feed() {
        guard let stage, context.mode == .offline else { return }
        while stage.hasRoom, sinksHaveRoom, let item = pending.popFirst() {
            if case .encoded = item { pendingFrames -= 1 }
            stage.push(item, droppable: false)
        }
        if hasRoom { upstream.roomAvailable() }
    }

    /// Room for coded frames.
    var hasRoom: Bool { pendingFrames < DecodedRendition.framesPendingMax && sinksHaveRoom }
    override func roomAvailable() { feed() }
    override func produceKeyFrame() { upstream.requestKeyFrame() }
}
