import Core

/// One form of a source, produced once and handed to every sink that wants it. The base class hands on what the
/// element pushes (the native rendition); subclasses convert. Lives on the loop, owned by its source.
class Rendition {
    unowned let source: MediaSource
    private var subscribers: [Subscriber] = []
    private var format: EncodedFormat?
    private var watermark = MediaTime.distantPast
    private var end: MediaTime?
    private var hasBegun = false
    /// Mean age of frames when they are handed on, as far as it is measured.
    private(set) var latency: MediaTime?
    /// A new frame's weight in the mean: one in so many.
    private static let latencyWeight: Int64 = 32
    /// What was handed on so far, whoever took it.
    private(set) var framesSent = 0
    private(set) var bytesSent = 0
    /// Size of the last picture, where pictures are handed on.
    private(set) var pictureSize: (width: Int, height: Int)?
    private var lastKeyFrameRequest: MediaTime?
    private var keyFrameTimer: PipelineContext.Timer?
    private static let keyFrameRequestInterval = MediaTime.milliseconds(500)

    private struct Subscriber {
        let sink: any MediaSink
        var needsKeyFrame: Bool
    }

    init(source: MediaSource) { self.source = source }

    var context: PipelineContext { source.element.context }

    // MARK: Life

    /// The first sink is about to be added.
    func start() {}
    /// The last sink has gone.
    func stop() {}

    var isIdle: Bool { subscribers.isEmpty }
    var sinkCount: Int { subscribers.count }
    /// What coded frames are, once one has come.
    var codedFormat: EncodedFormat? { format }

    func add(_ sink: any MediaSink) {
        let midStream = hasBegun && source.kind == .video && end == nil
        subscribers.append(Subscriber(sink: sink, needsKeyFrame: midStream && format != nil))
        if let format { sink.receive(.format(format)) }
        if let end {
            sink.receive(.end(end))
        } else if watermark > .distantPast {
            sink.receive(.watermark(watermark))
        }
        if midStream, format != nil { requestKeyFrame() }
        subscribersChanged()
    }

    func remove(_ sink: any MediaSink) {
        subscribers.removeAll { $0.sink === sink }
        subscribersChanged()
        if !subscribers.isEmpty { roomAvailable() }
    }

    /// `new` takes over the place of `old`, in the middle of the stream.
    func replace(_ old: any MediaSink, by new: any MediaSink) {
        guard let index = subscribers.firstIndex(where: { $0.sink === old }) else { return }
        subscribers[index] = Subscriber(sink: new, needsKeyFrame: false)
    }

    func subscribersChanged() {}

    // MARK: Downstream

    final func send(_ item: MediaItem) {
        var isKey = true
        switch item {
        case .format(let new):
            format = new
            end = nil
        case .encoded(let frame):
            isKey = frame.isKey
            if isKey { dropPendingKeyFrameRequest() }
            hasBegun = true
            end = nil
            framesSent += 1
            bytesSent += frame.payload.count
        case .watermark(let time): watermark = max(watermark, time)
        case .end(let time): end = time
        case .picture(let picture):
            hasBegun = true
            end = nil
            framesSent += 1
            pictureSize = (picture.width, picture.height)
        case .sound, .message:
            hasBegun = true
            end = nil
            framesSent += 1
        }
        if context.measuresLatency, let time = item.neededAt {
            let age = context.now - (time - source.leadTime)
            latency = latency.map { $0 + (age - $0) / Rendition.latencyWeight } ?? age
        }
        // A sink may leave, or make another one leave, while it is handed something: the others still get theirs.
        let all = subscribers
        for sink in all.lazy.map(\.sink) {
            guard let index = subscribers.firstIndex(where: { $0.sink === sink }) else { continue }
            if subscribers[index].needsKeyFrame, item.isFrame {
                guard isKey else { continue }
                subscribers[index].needsKeyFrame = false
            }
            sink.receive(item)
        }
    }

    /// Offline: whether every sink can take more.
    final var sinksHaveRoom: Bool { subscribers.allSatisfy { $0.sink.hasRoom } }

    // MARK: Upstream

    /// A sink that had no room has some now.
    func roomAvailable() {
        if context.mode == .offline, sinksHaveRoom { source.onRoom() }
    }

    /// Asks for a key frame: the first request at once, those within 500 ms of the last one merged into one later.
    final func requestKeyFrame() {
        guard keyFrameTimer == nil else { return }
        let now = context.now
        if let last = lastKeyFrameRequest, now - last < Rendition.keyFrameRequestInterval {
            keyFrameTimer = context.schedule(at: last + Rendition.keyFrameRequestInterval) { [weak self] in
                guard let self else { return }
                keyFrameTimer = nil
                lastKeyFrameRequest = context.now
                produceKeyFrame()
            }
        } else {
            lastKeyFrameRequest = now
            produceKeyFrame()
        }
    }

    /// A key frame that arrives serves every request made before it.
    private func dropPendingKeyFrameRequest() {
        guard source.kind == .video, let keyFrameTimer else { return }
        context.cancel(keyFrameTimer)
        self.keyFrameTimer = nil
    }

    func produceKeyFrame() { source.onKeyFrameRequest() }
}
