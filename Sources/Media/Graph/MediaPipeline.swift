package import Core

/// How a pipeline treats time.
package enum PipelineMode: Sendable {
    /// The clock paces; nobody waits for anybody, full queues drop by their policy.
    case realTime
    /// The clock waits; watermarks pace, full queues make their senders wait, two runs are equal.
    case offline
}

/// What a pipeline is made with.
package struct PipelineConfiguration: Sendable {
    package var mode: PipelineMode
    package var codecs: any CodecFactory
    package var pool: FramePool
    package var log: Log
    /// Where its elements count; a server gives all its pipelines the same.
    package var metrics = Metrics()
    package var decoderLimits = DecoderLimits()
    /// Hubs are over when all their inputs are, and recorders stop when all that is connected to them has ended: for
    /// runs of a document. Elsewhere somebody may always join.
    package var endsWithInputs = false
    /// Which files and URLs elements may open.
    package var access = MediaAccess.everything
    /// Offline, a source without progress for this long (real time) no longer holds the others back.
    package var stallTimeout = MediaTime.seconds(10)

    package init(mode: PipelineMode, codecs: any CodecFactory, pool: FramePool, log: Log) {
        self.mode = mode
        self.codecs = codecs
        self.pool = pool
        self.log = log
    }
}

/// A graph of media elements: an actor pinned to one loop. Everything inside, elements, pads, renditions, is plain
/// non-`Sendable` state that is called synchronously on that loop.
package actor MediaPipeline {
    package nonisolated let name: String
    private nonisolated let loop: any Loop
    package nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    /// The inside of the pipeline, for code that runs on its loop.
    package let context: PipelineContext

    package init(name: String, host: any Host, configuration: PipelineConfiguration) {
        self.name = name
        let loop = host.nextLoop()
        self.loop = loop
        let door = LoopDoor(loop: loop)
        context = PipelineContext(host: host, loop: loop, door: door, configuration: configuration)
        door.open(to: self)
    }

    /// Runs `body` on the pipeline's loop; the way in for everybody outside.
    package func perform<R: Sendable>(_ body: @Sendable (PipelineContext) throws -> R) rethrows -> R {
        try body(context)
    }

    /// Releases every element, last made first: recordings are closed, stages ended. The pipeline is empty afterwards.
    package func release() {
        for element in context.elements.reversed() { element.release() }
    }

    /// On the loop, wherever the last reference was let go: elements know each other, and are taken apart in order, not
    /// in that of reference counts.
    isolated deinit {
        for element in context.elements.reversed() { element.release() }
        context.silence()
    }
}

/// The way from other threads onto a pipeline's loop: rings a numbered bell, whose handler lives inside the pipeline.
final class LoopDoor: Sendable {
    private struct Target { weak var pipeline: MediaPipeline? }
    private let loop: any Loop
    private let target = Lock(Target())

    init(loop: any Loop) { self.loop = loop }

    func open(to pipeline: MediaPipeline) { target.withLock { $0.pipeline = pipeline } }

    /// Calls the handler `bell` on the loop soon; callable from any thread. Nothing happens once the pipeline is gone.
    func ring(_ bell: Int) {
        let pipeline = target.withLock { $0.pipeline }
        loop.post { [weak pipeline] in
            pipeline?.assumeIsolated { $0.context.answer(bell) }
        }
    }
}

/// The inside of a pipeline: its elements, clock, timers, stages and events. Lives on the loop.
package final class PipelineContext {
    package let host: any Host
    package let configuration: PipelineConfiguration
    package let log: Log
    package var metrics: Metrics { configuration.metrics }
    package private(set) var elements: [Element] = []
    private var elementsByName: [String: Element] = [:]
    /// Called with each event, on the loop.
    package var onEvent: (PipelineEvent) -> Void = { _ in }
    /// Offline, set when a stalled source was left behind: two runs may then differ.
    package var isReproducible = true
    /// Every stage that ever ran here, in order of creation, for the summary. Of a pipeline without an end, the last
    /// `stageRecordsMax`: people come and go, and each brings some.
    package private(set) var stageRecords: [StageRecord] = []
    private static let stageRecordsMax = 1024
    private var metricsOfStages: [StageKey: StageMetrics] = [:]

    /// Whether renditions measure how old their frames are when they are handed on.
    package var measuresLatency = false

    /// Where sound from networks is received.
    private(set) lazy var receptionDesk = ReceptionDesk(self)

    /// The loop everything here runs on.
    package let loop: any Loop
    private let door: LoopDoor
    private var bells: [Int: () -> Void] = [:]
    private var lastBell = 0
    /// The instant of pipeline time 0, on the host's clock.
    package let startedAt: Instant
    private var flowTimer: Timer?

    init(host: any Host, loop: any Loop, door: LoopDoor, configuration: PipelineConfiguration) {
        self.host = host
        self.loop = loop
        self.door = door
        self.configuration = configuration
        log = configuration.log
        startedAt = host.now()
    }

    package var mode: PipelineMode { configuration.mode }

    // MARK: Elements

    func add(_ element: Element) {
        elements.append(element)
        elementsByName[element.name] = element
        if flowTimer == nil { watchFlow() }
    }
    func remove(_ element: Element) {
        // A whole pipeline goes from the end.
        if let place = elements.lastIndex(where: { $0 === element }) { elements.remove(at: place) }
        if elementsByName[element.name] === element { elementsByName[element.name] = nil }
        host.memoryWasFreed()
    }
    package func element(named name: String) -> Element? { elementsByName[name] }

    // MARK: Time

    /// Pipeline time of the clock: how long this pipeline has existed.
    package var now: MediaTime { host.now() - startedAt }

    /// Runs `body` on the loop when the pipeline's clock shows `time`.
    package func schedule(at time: MediaTime, _ body: @escaping () -> Void) -> Timer {
        let bell = addBell { _ in }
        bells[bell] = { [weak self] in
            self?.bells[bell] = nil
            body()
        }
        let door = door
        let id = loop.schedule(at: startedAt + time) { door.ring(bell) }
        return Timer(bell: bell, id: id)
    }

    package func cancel(_ timer: Timer) {
        bells[timer.bell] = nil
        loop.cancel(timer.id)
    }

    /// A handle on something scheduled.
    package struct Timer {
        fileprivate let bell: Int
        fileprivate let id: TimerID
    }

    // MARK: Hand-overs from other threads

    func answer(_ bell: Int) { bells[bell]?() }

    /// Registers a handler and returns what rings it from any thread, and its number for `removeBell`.
    package func makeBell(_ handler: @escaping () -> Void) -> (number: Int, ring: @Sendable () -> Void) {
        let bell = addBell { _ in handler() }
        let door = door
        return (bell, { door.ring(bell) })
    }

    private func addBell(_ handler: @escaping (Int) -> Void) -> Int {
        lastBell += 1
        let bell = lastBell
        bells[bell] = { handler(bell) }
        return bell
    }

    package func removeBell(_ number: Int) { bells[number] = nil }

    /// The pipeline has gone and nothing rings any more. What waits for a bell may be kept by nothing but that, and
    /// keep this.
    func silence() {
        let unheard = bells
        bells = [:]
        // Whatever goes with them may still ask for something here.
        withExtendedLifetime(unheard) {}
    }

    // MARK: Stages

    /// `isListed` false: it happens once, and shall not push records of what goes on out of the list.
    package func makeStageRecord(
        element: Element, kind: StageRecord.Kind, codec: String? = nil, detail: String = "", isListed: Bool = true
    ) -> StageRecord {
        makeStageRecord(elementName: element.name, kind: kind, codec: codec, detail: detail, isListed: isListed)
    }

    /// `elementName` empty: the pipeline's own.
    func makeStageRecord(
        elementName: String, kind: StageRecord.Kind, codec: String? = nil, detail: String = "", isListed: Bool = true
    ) -> StageRecord {
        let record = StageRecord(
            element: elementName, kind: kind, codec: codec, detail: detail,
            metrics: stageMetrics(kind, StageRecord.media(kind, codec)))
        guard isListed else { return record }
        if !configuration.endsWithInputs, stageRecords.count >= PipelineContext.stageRecordsMax {
            stageRecords.removeFirst()
        }
        stageRecords.append(record)
        return record
    }

    private func stageMetrics(_ kind: StageRecord.Kind, _ media: MediaKind?) -> StageMetrics {
        let key = StageKey(kind: kind, media: media)
        let known = metricsOfStages[key] ?? StageMetrics(metrics, kind, media)
        metricsOfStages[key] = known
        return known
    }

    private struct StageKey: Hashable {
        let kind: StageRecord.Kind
        let media: MediaKind?
    }

    // MARK: Events

    package func emit(_ detail: PipelineEvent.Detail, from element: Element) {
        onEvent(PipelineEvent(element: element.name, className: element.className, detail: detail))
    }

    /// Every two seconds: what has not moved since the last time is no longer flowing.
    private func watchFlow() {
        flowTimer = schedule(at: now + .seconds(2)) { [weak self] in
            guard let self else { return }
            flowTimer = nil
            guard !elements.isEmpty else { return }
            for element in elements { element.checkFlow() }
            watchFlow()
        }
    }
}
