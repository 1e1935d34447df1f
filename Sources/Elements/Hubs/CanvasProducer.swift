import Core
import Media
import Mixing

/// What enters one port as pictures.
final class PictureInput: HubInput {
    private var queue: PictureQueue
    /// A picture came, which is due at that time.
    var onPicture: (MediaTime) -> Void = { _ in }
    /// The picture this input shows now.
    private(set) var current: VideoFrame?
    /// When the first picture is due that came since the hub runs; nil before it.
    private var freshFrom: MediaTime?

    init(port: HubPort, mode: PipelineMode) {
        // Offline nothing jitters: the picture that is shown next, and the one it is compared with.
        queue = mode == .offline ? PictureQueue(capacity: 2, overflow: .wait) : PictureQueue()
        super.init(port: port, kind: .video)
    }

    override func take(_ item: MediaItem) {
        guard case .picture(let picture) = item else { return }
        advance(to: picture.pts)
        onPicture(picture.pts)
        if freshFrom == nil, isSettled(picture.pts) { freshFrom = picture.pts }
        queue.push(picture)
    }

    override var isFull: Bool { queue.isFull }

    override func reset() {
        super.reset()
        current = nil
        freshFrom = nil
        queue.clear()
    }

    /// The hub begins to run: pictures that are here already are those of the last time.
    func begin() { freshFrom = nil }

    /// Whether it shows what its source shows now, or nothing is to come.
    var isFresh: Bool {
        if !isLinked || end != nil { return true }
        return current.map { picture in freshFrom.map { picture.pts >= $0 } ?? false } ?? false
    }

    private func isSettled(_ time: MediaTime) -> Bool {
        port.inputs[.video]?.origin?.settledFrom().map { time >= $0 } ?? false
    }

    /// Moves on to the picture due at `time`; after the end of the stream there is none.
    func show(at time: MediaTime, interval: MediaTime) {
        current = queue.due(at: time, interval: interval)
        if let end, end <= time, queue.count == 0 { current = nil }
    }
}

/// One canvas that is drawn: for everybody, or for a port that is not to see itself.
private final class CanvasView {
    let source: MediaSource
    /// The port that is left out.
    weak var hidden: HubPort?
    /// While somebody looks.
    var stage: Stage<CompositionInput, MediaItem>?

    init(_ source: MediaSource, hiding hidden: HubPort? = nil) {
        self.source = source
        self.hidden = hidden
    }
}

/// The picture side of a mixing hub: inputs by port, a clock, and for each distinct view of the canvas a composition
/// stage and a source for all who look at it. Normally there is one view.
final class CanvasProducer {
    var source: MediaSource { views[0].source }
    private(set) var inputs: [PictureInput] = []
    /// Something came or ended at an input here, which may let the hub's other side go on, too.
    var onInputChange: () -> Void = {}
    private unowned let hub: Hub
    private let rate: Rational
    private let compose: ([PictureInput], MediaTime) -> CompositionJob?
    private let allInputs: () -> HubInputs
    /// Everybody's first.
    private var views: [CanvasView] = []
    private var size: (width: Int, height: Int)?
    private var clock: HubClock?
    private var isRunning = false
    private var phase: TickPhase
    /// The first tick at which every input was fresh.
    private var settledFrom: MediaTime?
    private static let canvasesInFlightMax = 2

    /// `compose` turns what the inputs show into a job: the hub's layout; nil while there is no canvas yet.
    init(
        hub: Hub, rate: Rational, allInputs: @escaping () -> HubInputs,
        compose: @escaping ([PictureInput], MediaTime) -> CompositionJob?
    ) {
        self.hub = hub
        self.rate = rate
        self.compose = compose
        self.allInputs = allInputs
        phase = TickPhase(rate: rate)
        addView(hiding: nil)
    }

    @discardableResult
    private func addView(hiding hidden: HubPort?) -> CanvasView {
        let view = CanvasView(MediaSource(element: hub, kind: .video), hiding: hidden)
        view.source.onDemand = { [unowned self, unowned view] _ in demandChanged(view) }
        view.source.onRoom = { [unowned self] in clock?.advance() }
        view.source.settledFrom = { [unowned self] in settledFrom }
        if let size {
            view.source.setForm(.pictures(width: size.width, height: size.height, frameRate: rate))
        }
        views.append(view)
        return view
    }

    /// Says how large the canvas is; from then on viewers are served.
    func setCanvas(width: Int, height: Int) {
        size = (width, height)
        for view in views { view.source.setForm(.pictures(width: width, height: height, frameRate: rate)) }
    }

    /// Offline: ticks as often as what is known allows.
    func advance() { clock?.advance() }

    // MARK: Ports

    func makeInput(for port: HubPort) -> PictureInput {
        let input = PictureInput(port: port, mode: hub.context.mode)
        input.onChange = { [unowned self] in onInputChange() }
        if hub.context.mode == .realTime { input.onPicture = { [unowned self] in noteArrival(due: $0) } }
        inputs.append(input)
        return input
    }

    /// The tick follows the pictures that come when they are due. Those that come early, as from files, wait anyway.
    private func noteArrival(due: MediaTime) {
        let now = hub.context.now
        guard isRunning, due <= now + rate.interval else { return }
        phase.note(ready: max(now, due - rate.interval / 2))
    }

    func portAdded(_ port: HubPort) {
        port.outputs[.video]?.origin = source
        port.inputs[.video]?.isActive = isRunning
    }

    func portRemoved(_ port: HubPort) {
        inputs.removeAll { $0.port === port }
        removeView(of: port)
        clock?.advance()
    }

    func inputChanged(of port: HubPort) {
        inputs.first { $0.port === port }?.reset()
        clock?.advance()
    }

    /// Whether what leaves `port` shows what enters it. A canvas of its own costs a composition and its encoders.
    func setHidden(_ isHidden: Bool, from port: HubPort) {
        let old = views.first { $0.hidden === port && $0.hidden != nil }
        guard isHidden != (old != nil) else { return }
        port.outputs[.video]?.origin = isHidden ? addView(hiding: port).source : source
        if !isHidden { removeView(of: port) }
    }

    private func removeView(of port: HubPort) {
        for view in views.dropFirst() where view.hidden === port { view.stage?.cancel() }
        views = views.filter { $0 === views[0] || $0.hidden !== port }
        runAsWanted()
    }

    // MARK: Running, from the first viewer to the last

    private func demandChanged(_ view: CanvasView) {
        if view.source.isWanted {
            if view.stage == nil { view.stage = makeStage(view) }
        } else {
            view.stage?.cancel()
            view.stage = nil
        }
        runAsWanted()
    }

    private func runAsWanted() {
        let isWanted = views.contains { $0.stage != nil }
        guard isWanted != isRunning else { return }
        isRunning = isWanted
        guard isWanted else { return stopClock() }
        let pacing = clock ?? makeClock()
        clock = pacing
        settledFrom = nil
        for input in inputs { input.begin() }
        for input in inputs { input.port.inputs[.video]?.isActive = true }
        pacing.start()
        pacing.advance()
    }

    private func stopClock() {
        clock?.stop()
        for input in inputs { input.port.inputs[.video]?.isActive = false }
    }

    private func makeStage(_ view: CanvasView) -> Stage<CompositionInput, MediaItem> {
        let context = hub.context
        let pool = context.configuration.pool
        let detail = "\(rate) fps" + (view.hidden.map { " without \($0.name)" } ?? "")
        let stage = Stage<CompositionInput, MediaItem>(
            context, record: context.makeStageRecord(element: hub, kind: .compose, detail: detail),
            executor: context.host.workers(.composition), capacity: CanvasProducer.canvasesInFlightMax,
            policy: .dropOldest, counts: \.isFrame
        ) { CompositionWork(pool: pool) }
        stage.onOutput = { [unowned view] in view.source.push($0) }
        stage.onProgress = { [unowned self] in clock?.advance() }
        return stage
    }

    private func makeClock() -> HubClock {
        let clock = HubClock(
            hub: hub, rate: rate, lookahead: rate.interval / 2,
            completeness: rate.interval / 2 + MediaTime(nanoseconds: 1), inputs: { [unowned self] in inputs },
            allInputs: allInputs,
            hasRoom: { [unowned self] in
                isRunning && views.allSatisfy { $0.stage.map(\.hasRoom) != false && $0.source.hasRoom }
            },
            tick: { [unowned self] in tick(at: $0) },
            finish: { [unowned self] time in
                for view in views { view.stage?.push(.end(time), droppable: false) }
            })
        clock.correction = { [unowned self] in phase.correction(after: $0) }
        return clock
    }

    private func tick(at time: MediaTime) {
        for input in inputs { input.show(at: time, interval: rate.interval) }
        if settledFrom == nil, inputs.allSatisfy(\.isFresh) { settledFrom = time }
        for view in views {
            guard let stage = view.stage else { continue }
            let shown = view.hidden.map { hidden in inputs.filter { $0.port !== hidden } } ?? inputs
            if let job = compose(shown, time) { stage.push(.job(job)) }
        }
    }

    func release() {
        for view in views {
            view.stage?.cancel()
            view.stage = nil
        }
        runAsWanted()
        clock = nil
    }
}

fileprivate enum CompositionInput: Sendable {
    case job(CompositionJob)
    case end(MediaTime)

    var isFrame: Bool {
        if case .job = self { return true }
        return false
    }
}

private final class CompositionWork: StageWork {
    private let compositor: Compositor

    init(pool: FramePool) { compositor = Compositor(pool: pool) }

    func process(_ input: CompositionInput, emit: (MediaItem) -> Void) throws {
        switch input {
        case .job(let job): emit(.picture(compositor.render(job)))
        case .end(let time): emit(.end(time))
        }
    }
}
