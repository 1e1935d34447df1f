import Core

/// A coded form of a source by specification: one encoder, shared by every sink that names an equal one.
final class EncodedRendition: Rendition, MediaSink {
    private let key: RenditionKey
    private var stage: Stage<EncodeInput, MediaItem>?
    private var record: StageRecord?
    /// What the encoder was told; nil: nothing beyond its specification.
    private var bitrate: Int?
    private var expectedLoss = 0
    // The source owns both; a strong reference would close a ring, for the decoded form holds its sinks.
    private weak var upstream: Rendition?
    /// Where the next key frame is. The encoder's first frame is one, so at first it is under way.
    private var keyFrame = KeyFrame.underWay
    private enum KeyFrame { case none, due, underWay }
    private static let picturesInFlightMax = 3
    /// The encoder is the longest chain of an offline run: what waits for it lets the others work ahead of a picture
    /// that is hard to code. (2 leave two workers idle for 18 % of the time, 4 for 5 %, 6 for 3 %.)
    private static let picturesInFlightOfflineMax = 6
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
            // A canvas keeps its rate by itself, at any phase.
            var limitsRate = true
            if case .pictures(_, _, let rate) = source.form { limitsRate = rate != complete.frameRate }
            record = context.makeStageRecord(
                element: source.element, kind: .encode, codec: complete.codec.rawValue, detail: complete.description)
            make = { [limitsRate] in
                VideoEncodeWork(complete, limitsRate: limitsRate, codecs: codecs, pool: pool)
            }
        case .audio(let specification):
            record = context.makeStageRecord(
                element: source.element, kind: .encode, codec: specification.codec.rawValue,
                detail: specification.description)
            make = { AudioEncodeWork(try codecs.audioEncoder(specification)) }
        case .native, .raw: preconditionFailure("only specifications are encoded")
        }
        self.record = record
        let isAudio = source.kind == .audio
        let pictures =
            context.mode == .offline
            ? EncodedRendition.picturesInFlightOfflineMax : EncodedRendition.picturesInFlightMax
        let capacity = isAudio ? EncodedRendition.blocksInFlightMax : pictures
        let stage = Stage<EncodeInput, MediaItem>(
            context, record: record,
            executor: context.host.workers(isAudio && context.mode == .realTime ? .sound : .encode),
            capacity: capacity,
            policy: .dropOldest, batch: isAudio && context.mode == .offline ? 8 : 1, counts: \.isFrame, make: make)
        stage.onOutput = { [unowned self] item in
            if case .encoded(let frame) = item, frame.isKey, keyFrame == .underWay { keyFrame = .none }
            send(item)
        }
        // The picture that was to become the key frame was dropped: the next one is to. Other losses need none.
        stage.onDrop = { [unowned self] in if case .item(_, forceKeyFrame: true) = $0 { keyFrame = .due } }
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

    override func subscribersChanged() {
        record?.sharedBy = max(record?.sharedBy ?? 0, sinkCount)
        // What one sink asked for does not bind the next.
        if sinkCount > 1, let specified { setBitrate(specified) }
    }

    /// The bit rate from now on, while one sink has this rendition for itself.
    func setBitrate(_ bitrate: Int) {
        guard bitrate != self.bitrate ?? specified else { return }
        self.bitrate = bitrate
        stage?.push(.bitrate(bitrate), droppable: false)
    }

    /// How many of 100 packets of sound are lost on the way to whom most are.
    func setExpectedLoss(_ percent: Int) {
        guard percent != expectedLoss else { return }
        expectedLoss = percent
        stage?.push(.expectedLoss(percent), droppable: false)
    }

    private var specified: Int? {
        switch key {
        case .video(let specification): specification.bitrate
        case .audio(let specification): specification.bitrate
        case .native, .raw: nil
        }
    }

    // MARK: As a sink of the decoded rendition

    func choose(from form: NativeForm) -> RenditionKey { .raw }

    func receive(_ item: MediaItem) {
        guard let stage else { return }
        switch item {
        case .picture, .sound:
            let forcesKey = keyFrame == .due
            if forcesKey { keyFrame = .underWay }
            stage.push(.item(item, forceKeyFrame: forcesKey))
        default: stage.push(.item(item, forceKeyFrame: false), droppable: false)
        }
    }

    var hasRoom: Bool { (stage?.hasRoom ?? true) && sinksHaveRoom }

    override func roomAvailable() { if hasRoom { upstream?.roomAvailable() } }

    /// One that is under way serves this request too. So requests at the start of an offline run, whenever the clock
    /// lets them through, change nothing.
    override func produceKeyFrame() { if keyFrame == .none { keyFrame = .due } }
}

/// What an encode stage is told.
enum EncodeInput: Sendable {
    case item(MediaItem, forceKeyFrame: Bool)
    case bitrate(Int)
    /// Of 100 packets of sound.
    case expectedLoss(Int)

    var isFrame: Bool {
        if case .item(let item, _) = self { return item.isFrame }
        return false
    }
}
