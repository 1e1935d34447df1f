import Core
import Media
import Mixing

/// What enters one port as pictures.
final class PictureInput: HubInput {
    private var queue: PictureQueue
    /// The picture this input shows now.
    private(set) var current: VideoFrame?

    init(port: HubPort, mode: PipelineMode) {
        // Offline nothing jitters: the picture that is shown next, and the one it is compared with.
        queue = mode == .offline ? PictureQueue(capacity: 2, overflow: .wait) : PictureQueue()
        super.init(port: port, kind: .video)
    }

    override func take(_ item: MediaItem) {
        guard case .picture(let picture) = item else { return }
        advance(to: picture.pts)
        queue.push(picture)
    }

    override var isFull: Bool { queue.isFull }

    override func reset() {
        super.reset()
        current = nil
        queue.clear()
    }

    /// Moves on to the picture due at `time`; after the end of the stream there is none.
    func show(at time: MediaTime, interval: MediaTime) {
        current = queue.due(at: time, interval: interval)
        if let end, end <= time, queue.count == 0 { current = nil }
    }
}

/// The picture side of a mixing hub: inputs by port, a clock, a composition stage, one source for all who look at it.
final class CanvasProducer {
    let source: MediaSource
    private(set) var inputs: [PictureInput] = []
    /// Something came or ended at an input here, which may let the hub's other side go on, too.
    var onInputChange: () -> Void = {}
    private unowned let hub: Hub
    private let rate: Rational
    private let compose: ([PictureInput], MediaTime) -> CompositionJob?
    private let allInputs: () -> HubInputs
    private var stage: Stage<CompositionInput, MediaItem>?
    private var clock: HubClock?
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
        source = MediaSource(element: hub, kind: .video)
        source.onDemand = { [unowned self] wanted in wanted ? start() : stop() }
        source.onRoom = { [unowned self] in clock?.advance() }
    }

    /// Says how large the canvas is; from then on viewers are served.
    func setCanvas(width: Int, height: Int) {
        source.setForm(.pictures(width: width, height: height, frameRate: rate))
    }

    /// Offline: ticks as often as what is known allows.
    func advance() { clock?.advance() }

    // MARK: Ports

    func makeInput(for port: HubPort) -> PictureInput {
        let input = PictureInput(port: port, mode: hub.context.mode)
        input.onChange = { [unowned self] in onInputChange() }
        inputs.append(input)
        return input
    }

    func portAdded(_ port: HubPort) {
        port.outputs[.video]?.origin = source
        port.inputs[.video]?.isActive = stage != nil
    }

    func portRemoved(_ port: HubPort) {
        inputs.removeAll { $0.port === port }
        clock?.advance()
    }

    func inputChanged(of port: HubPort) {
        inputs.first { $0.port === port }?.reset()
        clock?.advance()
    }

    // MARK: Running, from the first viewer to the last

    private func start() {
        let context = hub.context
        let pool = context.configuration.pool
        let record = context.makeStageRecord(element: hub, kind: .compose, detail: "\(rate) fps")
        let stage = Stage<CompositionInput, MediaItem>(
            context, record: record, executor: context.host.workers(.composition),
            capacity: CanvasProducer.canvasesInFlightMax, policy: .dropOldest, counts: \.isFrame
        ) { CompositionWork(pool: pool) }
        stage.onOutput = { [unowned self] in source.push($0) }
        stage.onProgress = { [unowned self] in clock?.advance() }
        self.stage = stage
        let pacing = clock ?? makeClock()
        clock = pacing
        for input in inputs { input.port.inputs[.video]?.isActive = true }
        pacing.start()
        pacing.advance()
    }

    private func stop() {
        clock?.stop()
        stage?.cancel()
        stage = nil
        for input in inputs { input.port.inputs[.video]?.isActive = false }
    }

    private func makeClock() -> HubClock {
        HubClock(
            hub: hub, rate: rate, lookahead: rate.interval / 2,
            completeness: rate.interval / 2 + MediaTime(nanoseconds: 1), inputs: { [unowned self] in inputs },
            allInputs: allInputs, hasRoom: { [unowned self] in stage?.hasRoom == true && source.hasRoom },
            tick: { [unowned self] in tick(at: $0) },
            finish: { [unowned self] time in stage?.push(.end(time), droppable: false) })
    }

    private func tick(at time: MediaTime) {
        for input in inputs { input.show(at: time, interval: rate.interval) }
        if let job = compose(inputs, time) { stage?.push(.job(job)) }
    }

    func release() {
        stop()
        clock = nil
    }
}

private enum CompositionInput: Sendable {
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
