package import Core
package import Elements
package import Media

/// A pipeline document that runs in real time and that WebRTC peers join and leave at its doors.
///
/// Callable from anywhere; the work happens on the pipeline's loop.
package final class LiveDocument: LiveRoom {
    package let plan: PipelinePlan
    package var doors: [PipelinePlan.Door] { plan.doors }
    private let host: any Host
    private let pipeline: MediaPipeline
    private let floor: LiveFloor
    private let services: RealTimeServices
    private let startedAt: Instant
    private let onEvent: @Sendable (PipelineEvent) -> Void

    /// `onEvent` is called on the loop with each event.
    package init(
        _ plan: PipelinePlan, host: any Host, services: RealTimeServices, configuration: PipelineConfiguration,
        limits: LiveLimits = LiveLimits(), onEvent: @escaping @Sendable (PipelineEvent) -> Void = { _ in }
    ) {
        self.plan = plan
        self.host = host
        self.onEvent = onEvent
        self.services = services
        var configuration = configuration
        configuration.mode = .realTime
        startedAt = host.now()
        pipeline = MediaPipeline(name: plan.file, host: host, configuration: configuration)
        floor = LiveFloor(plan: plan, services: services, limits: limits)
    }

    /// Makes everything and starts it. Throws what is wrong with it, in words.
    package func start() async throws {
        try await pipeline.perform { [self] context in
            context.onEvent = { [self, weak context] event in
                if let context { floor.handle(event, context) }
                onEvent(event)
            }
            // Now rather than when the first peer comes: a port that is taken is said at once.
            try services.open(on: context.loop)
            var factory = ElementFactory(context, services: services)
            try factory.make(plan)
            for case let recorder as RecorderEndpoint in context.elements { recorder.record() }
            for case let player as PlayerEndpoint in context.elements { player.play() }
        }
    }

    // MARK: LiveRoom

    package func join(_ door: String, as role: LiveRole, offer: String) async throws(LiveError) -> LiveAnswer {
        let id = try await pipeline.perform { [floor] context in
            Result { () throws(LiveError) in try floor.begin(door, role, offer, in: context).id }
        }.get()
        await pipeline.awaitCandidates(of: id, floor)
        return try await pipeline.perform { [floor] _ in
            Result { () throws(LiveError) in
                guard let endpoint = floor.sessions[id]?.endpoint, let sdp = endpoint.localSessionDescriptor,
                    let tag = endpoint.localUfrag
                else { throw .failed("The session ended before it was answered.") }
                return LiveAnswer(id: id, sdp: sdp, tag: tag)
            }
        }.get()
    }

    package func change(
        _ id: String, _ match: LiveMatch, _ fragment: SDPFragment
    ) async throws(LiveError) -> LiveChange {
        try await pipeline.perform { [floor] _ in
            Result { () throws(LiveError) in try floor.change(id, match, fragment) }
        }.get()
    }

    package func leave(_ id: String) async -> Bool {
        await pipeline.perform { [floor] context in floor.leave(id, context) }
    }

    package func statistics() async -> JSON {
        let elapsed = host.now() - startedAt
        return await pipeline.perform { [floor] context in floor.statistics(elapsed, context) }
    }

    package func snapshot() async -> PipelineSnapshot? {
        await pipeline.perform { PipelineSnapshot($0, id: "document", name: self.plan.file) }
    }

    package func thumbnail(of element: String) async -> Result<[UInt8], GraphError>? {
        await pipeline.glance(at: element)
    }

    // MARK: The end

    /// Lets nobody in any more, sends everybody away, and closes the recordings. Returns when they are closed, or after
    /// `patience`; false if one was not closed by then.
    package func drain(patience: MediaTime = .seconds(10)) async -> Bool {
        await pipeline.perform { [floor] context in
            floor.isDraining = true
            for session in Array(floor.sessions.values) { floor.remove(session, "the server ended", context) }
            for case let recorder as RecorderEndpoint in context.elements { recorder.stop() }
            for case let player as PlayerEndpoint in context.elements { player.stop() }
        }
        let end = host.now() + patience
        while true {
            let isClosed = await pipeline.perform { context in
                context.elements.allSatisfy { ($0 as? RecorderEndpoint)?.isBusy != true }
            }
            if isClosed || host.now() >= end { return isClosed }
            await pipeline.pause(.milliseconds(20))
        }
    }

    package func release() async { await pipeline.release() }
}

extension MediaPipeline {
    fileprivate func awaitCandidates(of id: String, _ floor: LiveFloor) async {
        guard let session = floor.sessions[id] else { return }
        await withCheckedContinuation { floor.awaitCandidates(session, $0, context) }
    }

    /// Comes back after a while of the pipeline's clock.
    fileprivate func pause(_ time: MediaTime) async {
        await withCheckedContinuation { continuation in
            _ = context.schedule(at: context.now + time) { continuation.resume() }
        }
    }
}
