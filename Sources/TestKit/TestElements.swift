package import Core
package import Media

/// A source that a test drives by hand.
package final class TestSource: Element {
    /// Key frame requests that came up, with the pipeline time of each.
    package private(set) var keyFrameRequests: [MediaTime] = []
    /// Whether somebody wants this kind, each time that changed.
    package private(set) var demand: [MediaKind: [Bool]] = [:]
    /// Frames numbered by `sendPictures`.
    package private(set) var counter = 0
    /// Offline: called when there is room again.
    package var onRoom: () -> Void = {}

    package init(_ context: PipelineContext, name: String, kinds: [MediaKind] = [.audio, .video]) {
        super.init(context, name: name, className: "TestSource")
        for kind in kinds {
            let source = addSource(kind)
            source.onKeyFrameRequest = { [unowned self] in keyFrameRequests.append(self.context.now) }
            source.onDemand = { [unowned self] in demand[kind, default: []].append($0) }
            source.onRoom = { [unowned self] in onRoom() }
        }
    }

    package func source(_ kind: MediaKind) -> MediaSource? { outputs[kind]?.origin }

    /// Says that synthetic coded pictures will come.
    package func beginVideo(_ codec: VideoCodec = .vp8, reorderDepth: Int = 0) {
        source(.video)?.setForm(.encoded(.video(SyntheticCodecs.videoFormat(codec, reorderDepth: reorderDepth))))
    }

    package func beginAudio(_ codec: AudioCodec = .opus) {
        source(.audio)?.setForm(.encoded(.audio(AudioFormat(codec: codec, sampleRate: 48_000, channels: 2))))
    }

    /// The next `count` coded pictures, `interval` apart from `start` on; the first is a key frame if `key`.
    package func sendPictures(
        _ count: Int = 1, key: Bool = false, from start: MediaTime? = nil, interval: MediaTime = .milliseconds(40)
    ) {
        for index in 0..<count {
            counter += 1
            let pts = (start ?? context.now) + MediaTime(nanoseconds: interval.nanoseconds * Int64(index))
            let isKey = key && index == 0
            send(SyntheticFrame.picture(counter, needs: isKey ? nil : counter - 1, pts: pts, duration: interval))
        }
    }

    package func send(_ frame: EncodedFrame, _ kind: MediaKind = .video) { source(kind)?.push(.encoded(frame)) }

    /// Calls `body` once per interval from now on, until `end` of pipeline time.
    package func every(_ interval: MediaTime, until end: MediaTime, _ body: @escaping (TestSource) -> Void) {
        guard context.now < end, !isReleased else { return }
        body(self)
        _ = context.schedule(at: context.now + interval) { [weak self] in self?.every(interval, until: end, body) }
    }
}

/// A sink that keeps what it gets, with the pipeline time at which it came.
package final class TestSink: Element {
    package struct Arrival: Sendable {
        package let kind: MediaKind
        package let item: MediaItem
        package let at: MediaTime
    }
    package private(set) var arrivals: [Arrival] = []
    /// Offline: whether it takes more.
    package var hasRoom = true
    /// Called with each arrival.
    package var onArrival: (TestSink, Arrival) -> Void = { _, _ in }

    private final class Pad: MediaSink {
        unowned let sink: TestSink
        let kind: MediaKind
        let key: RenditionKey?
        init(_ sink: TestSink, _ kind: MediaKind, _ key: RenditionKey?) {
            self.sink = sink
            self.kind = kind
            self.key = key
        }
        func choose(from form: NativeForm) -> RenditionKey { key ?? .native }
        func receive(_ item: MediaItem) {
            if item.isFrame { sink.framesIn += 1 }
            let arrival = Arrival(kind: kind, item: item, at: sink.context.now)
            sink.arrivals.append(arrival)
            sink.onArrival(sink, arrival)
        }
        var hasRoom: Bool { sink.hasRoom }
    }

    /// What it takes, by kind; nil: whatever comes, as it is.
    package init(
        _ context: PipelineContext, name: String, audio: RenditionKey? = nil, video: RenditionKey? = nil,
        kinds: [MediaKind] = [.audio, .video]
    ) {
        super.init(context, name: name, className: "TestSink")
        for kind in kinds { addInput(kind, sink: Pad(self, kind, kind == .audio ? audio : video)) }
    }

    package func forget() { arrivals = [] }

    /// Numbers of the pictures that came, coded or decoded.
    package var counters: [Int] {
        arrivals.compactMap { arrival in
            switch arrival.item {
            case .encoded(let frame) where arrival.kind == .video: SyntheticFrame.counter(of: frame)
            case .picture(let picture): picture.counter
            default: nil
            }
        }
    }
    package var encoded: [EncodedFrame] {
        arrivals.compactMap { if case .encoded(let frame) = $0.item { frame } else { nil } }
    }
    package var pictures: [VideoFrame] {
        arrivals.compactMap { if case .picture(let picture) = $0.item { picture } else { nil } }
    }
    package var sounds: [AudioFrame] {
        arrivals.compactMap { if case .sound(let block) = $0.item { block } else { nil } }
    }
    package var formats: [EncodedFormat] {
        arrivals.compactMap { if case .format(let format) = $0.item { format } else { nil } }
    }
    package var watermarks: [MediaTime] {
        arrivals.compactMap { if case .watermark(let time) = $0.item { time } else { nil } }
    }
    package var ends: [MediaTime] {
        arrivals.compactMap { if case .end(let time) = $0.item { time } else { nil } }
    }
    /// One channel of all sound that came, one block after the other.
    package func samples(channel: Int = 0) -> [Float] {
        sounds.flatMap { Tones.channel(min(channel, $0.channels - 1), of: $0.samples, channels: $0.channels) }
    }
}

extension PipelineContext {
    /// An element by name and class; a test that asks for another one is wrong.
    package func get<E: Element>(_ name: String, _ type: E.Type = E.self) -> E {
        guard let element = element(named: name) as? E else {
            preconditionFailure("there is no \(type) named \(name) in the pipeline")
        }
        return element
    }
    package func source(_ name: String = "source") -> TestSource { get(name) }
    package func sink(_ name: String = "sink") -> TestSink { get(name) }
}

/// Measures the gaps between moments.
package struct GapMeter: Sendable {
    package private(set) var count = 0
    package private(set) var longest = MediaTime.zero
    private var last: MediaTime?
    package init() {}
    package mutating func mark(_ time: MediaTime) {
        if let last { longest = max(longest, time - last) }
        last = time
        count += 1
    }
}
