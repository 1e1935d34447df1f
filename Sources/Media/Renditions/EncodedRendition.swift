import Core

/// A coded form of a source by specification: one encoder, shared by every sink that names an equal one.
final class EncodedRendition: Rendition, MediaSink {
    private let key: RenditionKey
    private var stage: Stage<EncodeInput, MediaItem>?
    private var record: StageRecord?
    // The source owns both; a strong reference would close a ring, for the decoded form holds its sinks.
    private weak var upstream: Rendition?
    /// A key frame was asked for and has not come out yet.
    private var keyFrameDue = false
    private static let picturesInFlightMax = 4
    private static let blocksInFlightMax = 50

    init(source: MediaSource, key: RenditionKey) {
        self.key = key
        super.init(source: source)
    }

    override func start() {
        let codecs = context.configuration.codecs
        let pool = context.configuration.pool
        let record: StageRecord
        let make: @Sendable () throws -> any StageWork<EncodeInput, MediaItem>
        switch key {
        case .video(var specification):
            if specification.frameRate == nil { specification.frameRate = source.nominalFrameRate }
            let complete = specification
            record = context.makeStageRecord(
                element: source.element, kind: .encode, codec: complete.codec.rawValue, detail: complete.description)
            make = { VideoEncodeWork(complete, codecs: codecs, pool: pool) }
        case .audio(let specification):
            record = context.makeStageRecord(
                element: source.element, kind: .encode, codec: specification.codec.rawValue,
                detail: specification.description)
            make = { AudioEncodeWork(try codecs.audioEncoder(specification)) }
        case .native, .raw: preconditionFailure("only specifications are encoded")
        }
        self.record = record
        let isAudio = source.kind == .audio
        let stage = Stage<EncodeInput, MediaItem>(
            context, record: record,
            executor: context.host.workers(isAudio && context.mode == .realTime ? .sound : .encode),
            capacity: isAudio ? EncodedRendition.blocksInFlightMax : EncodedRendition.picturesInFlightMax,
            policy: .dropOldest, batch: isAudio && context.mode == .offline ? 8 : 1, make: make)
        stage.onOutput = { [unowned self] item in
            if case .encoded(let frame) = item, frame.isKey { keyFrameDue = false }
            send(item)
        }
        stage.onError = { [unowned self] error in
            source.element.fail(.streamFailed, "\(source.kind.rawValue) could not be encoded: \(error)")
        }
        stage.onProgress = { [unowned self] in roomAvailable() }
        self.stage = stage
        let raw = source.raw
        upstream = raw
        raw.add(self)
    }

    override func stop() {
        stage?.cancel()
        stage = nil
        if let upstream { source.release(upstream, by: self) }
        upstream = nil
    }

    override func subscribersChanged() { record?.sharedBy = max(record?.sharedBy ?? 0, sinkCount) }

    func setBitrate(_ bitrate: Int) { stage?.push(.bitrate(bitrate), droppable: false) }

    // MARK: As a sink of the decoded rendition

    func choose(from form: NativeForm) -> RenditionKey { .raw }

    func receive(_ item: MediaItem) {
        guard let stage else { return }
        switch item {
        case .picture, .sound:
            let forcesKey = keyFrameDue
            keyFrameDue = false
            // What was dropped may have been the picture that was to become the key frame.
            if !stage.push(.item(item, forceKeyFrame: forcesKey)), source.kind == .video { keyFrameDue = true }
        default: stage.push(.item(item, forceKeyFrame: false), droppable: false)
        }
    }

    var hasRoom: Bool { (stage?.hasRoom ?? true) && sinksHaveRoom }

    override func roomAvailable() { if hasRoom { upstream?.roomAvailable() } }

    override func produceKeyFrame() { keyFrameDue = true }
}

/// What an encode stage is told.
enum EncodeInput: Sendable {
    case item(MediaItem, forceKeyFrame: Bool)
    case bitrate(Int)
}
