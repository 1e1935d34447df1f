package import Core
import Elements
package import Media

/// One run of a pipeline document: makes the elements, starts them, and tells when all is written.
///
/// Callable from anywhere; the work happens on the pipeline's loop.
package final class DocumentRun: Sendable {
    private struct State {
        var waiters: [CheckedContinuation<Void, Never>] = []
        var isFinished = false
        var troubles: [String] = []
        var failedElements: Set<String> = []
    }

    package let plan: PipelinePlan
    private let pipeline: MediaPipeline
    private let host: any Host
    private let startedAt: Instant
    private let onEvent: @Sendable (PipelineEvent) -> Void
    private let state = Lock(State())

    /// `onEvent` is called on the loop with each event of the run.
    package init(
        _ plan: PipelinePlan, host: any Host, configuration: PipelineConfiguration,
        onEvent: @escaping @Sendable (PipelineEvent) -> Void = { _ in }
    ) {
        self.plan = plan
        self.host = host
        self.onEvent = onEvent
        var configuration = configuration
        configuration.endsWithInputs = true
        startedAt = host.now()
        pipeline = MediaPipeline(name: plan.file, host: host, configuration: configuration)
    }

    /// Makes everything and starts it: recorders first, so that nothing is missed.
    package func start() async throws {
        try await pipeline.perform { [self] context in
            context.onEvent = { [self, weak context] event in
                record(event)
                onEvent(event)
                if let context { finishIfDone(context) }
            }
            if context.mode == .offline,
                let looping = plan.elements.first(where: { $0.arguments.boolean("loop") == true })
            {
                throw GraphError("\(looping.name): loop needs --realtime, because offline the run would never end")
            }
            var factory = ElementFactory(context)
            try factory.make(plan)
            for case let recorder as RecorderEndpoint in context.elements {
                recorder.record()
                if recorder.inputs.values.allSatisfy({ $0.upstream == nil }) { recorder.stop() }
            }
            for case let player as PlayerEndpoint in context.elements { player.play() }
        }
    }

    /// Returns once every recording is closed (without a recorder: once everything has been played).
    package func finished() async {
        await withCheckedContinuation { continuation in
            let isFinished = state.withLock { state -> Bool in
                if !state.isFinished { state.waiters.append(continuation) }
                return state.isFinished
            }
            if isFinished { continuation.resume() }
        }
    }

    /// Ends the run now: what was recorded so far is closed properly.
    package func interrupt() async {
        await pipeline.perform { [self] context in
            for case let recorder as RecorderEndpoint in context.elements { recorder.stop() }
            for case let player as PlayerEndpoint in context.elements { player.stop() }
            if !context.elements.contains(where: { $0 is RecorderEndpoint }) { finish() }
        }
    }

    package func release() async { await pipeline.release() }

    // MARK: The end

    private func finishIfDone(_ context: PipelineContext) {
        let recorders = context.elements.compactMap { $0 as? RecorderEndpoint }
        let players = context.elements.compactMap { $0 as? PlayerEndpoint }
        let isDone = recorders.isEmpty ? players.allSatisfy(\.hasFinished) : recorders.allSatisfy(\.hasStopped)
        if isDone, !recorders.isEmpty || !players.isEmpty { finish() }
    }

    private func finish() {
        let waiters = state.withLock { state in
            state.isFinished = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    private func record(_ event: PipelineEvent) {
        state.withLock { state in
            switch event.detail {
            case .error(_, let description):
                state.troubles.append("\(event.element): \(description)")
                state.failedElements.insert(event.element)
            case .warning(let description): state.troubles.append("\(event.element): \(description)")
            default: break
            }
        }
    }

    // MARK: What it has come to

    package func progress() async -> RunProgress {
        let elapsed = host.now() - startedAt
        return await pipeline.perform { context in
            let recorders = context.elements.compactMap { $0 as? RecorderEndpoint }
            let players = context.elements.compactMap { $0 as? PlayerEndpoint }
            let position = recorders.map(\.recordedUntil).min() ?? players.map(\.position).max() ?? .zero
            let lengths = players.map(\.duration)
            return RunProgress(
                position: position, duration: lengths.contains(nil) ? nil : lengths.compactMap { $0 }.max(),
                elapsed: elapsed, frames: recorders.map(\.picturesRecorded).max() ?? 0,
                dropped: context.stageRecords.flatMap(\.drops.values).reduce(0, +))
        }
    }

    /// Whether an element failed.
    package var hasFailures: Bool { state.withLock { !$0.failedElements.isEmpty } }

    /// `sizeOf` gives the bytes of a written file, 0 where there is none.
    package func summary(
        cpuSeconds: Double, peakMemoryBytes: Int, sizeOf: @escaping @Sendable (String) -> Int
    ) async -> RunSummary {
        let wall = host.now() - startedAt
        let (troubles, failed) = state.withLock { ($0.troubles, $0.failedElements) }
        let plan = plan
        return await pipeline.perform { context in
            let recorders = context.elements.compactMap { $0 as? RecorderEndpoint }
            let elements = plan.elements.map { planned in
                let element = context.element(named: planned.name)
                return RunSummary.Element(
                    name: planned.name, className: planned.className, framesIn: element?.framesIn ?? 0,
                    framesOut: element?.framesOut ?? 0,
                    stages: context.stageRecords.filter { $0.element == planned.name }.map(RunSummary.Stage.init))
            }
            return RunSummary(
                elements: elements, mediaTime: recorders.map(\.recordedUntil).max() ?? .zero, wallTime: wall,
                cpuSeconds: cpuSeconds, peakMemoryBytes: peakMemoryBytes,
                outputs: recorders.filter { $0.recordedUntil > .zero }.map {
                    RunSummary.Output(
                        uri: $0.uri, bytes: sizeOf($0.uri), duration: $0.recordedUntil,
                        isComplete: !failed.contains($0.name))
                },
                isReproducible: context.mode == .offline && context.isReproducible, troubles: troubles)
        }
    }
}

extension RunSummary.Stage {
    fileprivate init(_ record: StageRecord) {
        let kind: Kind =
            switch record.kind {
            case .decode: .decode
            case .encode: .encode
            case .compose: .compose
            case .mix: .mix
            case .demux: .demux
            case .mux: .mux
            case .filter: .filter
            }
        self.init(
            kind, name: record.detail, codec: record.codec, frames: record.frames,
            drops: record.drops.sorted { $0.key < $1.key }.map { RunSummary.Drop($0.key, $0.value) },
            cpuSeconds: Double(record.cpuNanoseconds) / 1e9, sharedBy: max(1, record.sharedBy))
    }
}
