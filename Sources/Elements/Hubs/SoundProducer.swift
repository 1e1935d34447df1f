import Core
import Media
import Mixing

/// What enters one port as sound.
final class SoundInput: HubInput {
    private var queue: AudioQueue
    /// The port's number in the mix.
    let number: Int

    init(port: HubPort, number: Int, mode: PipelineMode) {
        self.number = number
        queue = AudioQueue(overflow: mode == .offline ? .wait : .dropOldest)
        super.init(port: port, kind: .audio)
    }

    override func take(_ item: MediaItem) {
        guard case .sound(let block) = item else { return }
        queue.push(block)
        advance(to: block.end)
    }

    override var isFull: Bool { queue.isFull }

    override func reset() {
        super.reset()
        queue.clear()
    }

    /// What this port says in the block that begins at `time`.
    func block(at time: MediaTime) -> MixerInput {
        MixerInput(
            port: number, block: queue.take(from: time), gain: port.options.gain, isMuted: port.options.isMuted)
    }
}

/// The sound side of a mixing hub: inputs by port, a clock of 20 ms, one mixing stage, and a source for each distinct
/// mix, so that all who hear the same share one encoder.
final class SoundProducer {
    private(set) var inputs: [SoundInput] = []
    /// Something came or ended at an input here, which may let the hub's other side go on, too.
    var onInputChange: () -> Void = {}
    private unowned let hub: Hub
    private let allInputs: () -> HubInputs
    /// Whom the output of a port hears.
    private let hearing: (HubPort) -> Hearing
    private var sources: [Hearing: MediaSource] = [:]
    private var lastNumber = 0
    private var stage: Stage<MixCommand, MixResult>?
    private var clock: HubClock?
    static let blockRate = Rational(AudioFrame.sampleRate, AudioFrame.blockSamples)
    private static let channels = 2
    private static let mixesInFlightMax = 16

    init(hub: Hub, allInputs: @escaping () -> HubInputs, hearing: @escaping (HubPort) -> Hearing) {
        self.hub = hub
        self.allInputs = allInputs
        self.hearing = hearing
    }

    /// Offline: ticks as often as what is known allows.
    func advance() { clock?.advance() }

    // MARK: Ports

    func makeInput(for port: HubPort) -> SoundInput {
        lastNumber += 1
        let input = SoundInput(port: port, number: lastNumber, mode: hub.context.mode)
        input.onChange = { [unowned self] in onInputChange() }
        inputs.append(input)
        return input
    }

    func input(of port: HubPort) -> SoundInput? { inputs.first { $0.port === port } }

    func portAdded(_ port: HubPort) {
        port.inputs[.audio]?.isActive = stage != nil
        updateOutput(of: port)
    }

    func portRemoved(_ port: HubPort) {
        inputs.removeAll { $0.port === port }
        forgetUnusedMixes()
        clock?.advance()
    }

    func inputChanged(of port: HubPort) {
        input(of: port)?.reset()
        updateOutput(of: port)
        clock?.advance()
    }

    /// Points a port's output at the mix that it is to hear now.
    func updateOutput(of port: HubPort) {
        port.outputs[.audio]?.origin = source(for: hearing(port))
        forgetUnusedMixes()
    }

    private func forgetUnusedMixes() {
        let used = hub.ports.compactMap { $0.outputs[.audio]?.origin }
        sources = sources.filter { _, source in used.contains { $0 === source } }
    }

    private func source(for hearing: Hearing) -> MediaSource {
        if let source = sources[hearing] { return source }
        let source = MediaSource(element: hub, kind: .audio)
        source.setForm(.sound(channels: SoundProducer.channels))
        source.onDemand = { [unowned self] _ in demandChanged() }
        source.onRoom = { [unowned self] in clock?.advance() }
        sources[hearing] = source
        return source
    }

    // MARK: Running, from the first listener to the last

    private func demandChanged() {
        let isWanted = sources.values.contains(where: \.isWanted)
        if isWanted, stage == nil { start() }
        if !isWanted, stage != nil { stop() }
    }

    private func start() {
        let context = hub.context
        let record = context.makeStageRecord(element: hub, kind: .mix, detail: "48 kHz, 20 ms")
        let isOffline = context.mode == .offline
        let stage = Stage<MixCommand, MixResult>(
            context, record: record, executor: context.host.workers(isOffline ? .composition : .sound),
            capacity: SoundProducer.mixesInFlightMax, policy: .dropOldest, batch: isOffline ? 8 : 1,
            counts: \.isFrame
        ) { MixWork() }
        stage.onOutput = { [unowned self] in deliver($0) }
        stage.onProgress = { [unowned self] in clock?.advance() }
        self.stage = stage
        let pacing = clock ?? makeClock()
        clock = pacing
        for input in inputs { input.port.inputs[.audio]?.isActive = true }
        pacing.start()
        pacing.advance()
    }

    private func stop() {
        clock?.stop()
        stage?.cancel()
        stage = nil
        for input in inputs { input.port.inputs[.audio]?.isActive = false }
    }

    private func makeClock() -> HubClock {
        HubClock(
            hub: hub, rate: SoundProducer.blockRate, lookahead: .zero, completeness: SoundProducer.blockRate.interval,
            inputs: { [unowned self] in inputs }, allInputs: allInputs,
            hasRoom: { [unowned self] in
                stage?.hasRoom == true && sources.values.allSatisfy { !$0.isWanted || $0.hasRoom }
            },
            tick: { [unowned self] in tick(at: $0) },
            finish: { [unowned self] time in stage?.push(.end(time), droppable: false) })
    }

    private func tick(at time: MediaTime) {
        let blocks = inputs.map { $0.block(at: time) }
        let wanted = sources.filter(\.value.isWanted).map(\.key)
        stage?.push(.mix(time, blocks, wanted))
    }

    private func deliver(_ result: MixResult) {
        switch result {
        case .mixed(let mix, let hearings):
            for (hearing, place) in zip(hearings, mix.outputs) { sources[hearing]?.push(.sound(mix.blocks[place])) }
        case .end(let time):
            for source in sources.values { source.push(.end(time)) }
        }
    }

    func release() {
        stop()
        clock = nil
    }
}

private enum MixCommand: Sendable {
    case mix(MediaTime, [MixerInput], [Hearing])
    case end(MediaTime)

    var isFrame: Bool {
        if case .mix = self { return true }
        return false
    }
}

private enum MixResult: Sendable {
    case mixed(Mix, [Hearing])
    case end(MediaTime)
}

private final class MixWork: StageWork {
    private var mixer = AudioMixer()

    func process(_ command: MixCommand, emit: (MixResult) -> Void) throws {
        switch command {
        case .mix(let time, let inputs, let hearings):
            emit(.mixed(mixer.mix(at: time, inputs, outputs: hearings), hearings))
        case .end(let time): emit(.end(time))
        }
    }
}
