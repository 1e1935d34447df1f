package import Core
package import Media

/// A pipeline on a simulated machine, and the test's way in.
package final class TestRig: Sendable {
    package struct Noted: Sendable {
        package let event: PipelineEvent
        /// Pipeline time.
        package let at: MediaTime
    }
    package let sim: SimHost
    package let synthetic: SyntheticCodecs
    package let pipeline: MediaPipeline
    private let noted = Lock<[Noted]>([])

    /// `codecs` nil: the rig's synthetic ones.
    package init(
        _ sim: SimHost = SimHost(), mode: PipelineMode = .realTime, codecs: (any CodecFactory)? = nil,
        configure: (inout PipelineConfiguration) -> Void = { _ in }
    ) {
        self.sim = sim
        synthetic = (codecs as? SyntheticCodecs) ?? SyntheticCodecs()
        pipeline = makePipeline(sim, mode, codecs: codecs ?? synthetic, configure: configure)
        _ = try? on { [noted] context in
            context.onEvent = { [unowned context] event in
                noted.withLock { $0.append(Noted(event: event, at: context.now)) }
            }
        }
    }

    /// Runs `body` inside the pipeline.
    @discardableResult
    package func on<R: Sendable>(_ body: @escaping @Sendable (PipelineContext) throws -> R) throws -> R {
        let pipeline = pipeline
        guard let result = sim.complete({ try await pipeline.perform(body) }) else {
            preconditionFailure("the pipeline never got to the test's turn")
        }
        return try result.get()
    }

    /// Lets virtual time pass.
    package func run(_ seconds: Double) {
        let isOver = Lock(false)
        _ = sim.schedule(at: sim.now() + .seconds(seconds)) { isOver.withLock { $0 = true } }
        sim.run(limit: .seconds(seconds + 1)) { isOver.withLock { $0 } }
    }

    /// Lets virtual time pass until `isDone`, looked at inside the pipeline after each step of 20 ms, for at most
    /// `limit` seconds. Returns whether it came to pass.
    package func run(limit: Double = 60, until isDone: @escaping @Sendable (PipelineContext) -> Bool) throws -> Bool {
        for _ in 0..<Int(limit * 50) {
            if try on(isDone) { return true }
            run(0.02)
        }
        return try on(isDone)
    }

    package func release() {
        let pipeline = pipeline
        _ = sim.complete { await pipeline.release() }
    }

    /// All events so far.
    package var events: [Noted] { noted.withLock { $0 } }
    /// What one element has reported.
    package func details(_ element: String) -> [PipelineEvent.Detail] {
        events.filter { $0.event.element == element }.map(\.event.detail)
    }
    package var troubles: [String] {
        events.compactMap { noted in
            switch noted.event.detail {
            case .error(let type, let text): "\(noted.event.element): \(type.rawValue): \(text)"
            case .warning(let text): "\(noted.event.element): \(text)"
            default: nil
            }
        }
    }
}

/// A pipeline for a test, on any host; its log goes nowhere.
package func makePipeline(
    _ host: any Host, _ mode: PipelineMode, codecs: any CodecFactory = SyntheticCodecs(),
    configure: (inout PipelineConfiguration) -> Void = { _ in }
) -> MediaPipeline {
    var configuration = PipelineConfiguration(
        mode: mode, codecs: codecs, pool: FramePool(), log: Log(host: host, level: .error) { _ in })
    configure(&configuration)
    return MediaPipeline(name: "test", host: host, configuration: configuration)
}
