package import Core

/// The part of a stage that runs on a worker: owns the codec or file, made and ended there.
package protocol StageWork<Input, Output>: AnyObject {
    associatedtype Input: Sendable
    associatedtype Output: Sendable
    /// Handles one input; hands each result to `emit`. A throw is reported and the stage goes on.
    func process(_ input: Input, emit: (Output) -> Void) throws
}

/// One long-lived task with a bounded mailbox, and this handle on the loop. Results come back in order, handed over in
/// batches; after `cancel` none comes.
package final class Stage<Input: Sendable, Output: Sendable> {
    package let record: StageRecord
    package var onOutput: (Output) -> Void = { _ in }
    /// Called with an input that the policy dropped.
    package var onDrop: (Input) -> Void = { _ in }
    package var onError: (any Error) -> Void = { _ in }
    /// Called when something in flight was finished: there may be room now.
    package var onProgress: () -> Void = {}

    private weak var context: PipelineContext?
    private let mailbox: Mailbox<Input>
    private let outbox: Lock<[StageResult<Output>]>
    private let bell: Int
    private var isCancelled = false
    private var isFinishing = false
    /// Inputs pushed and not yet finished or dropped.
    package private(set) var inFlight = 0

    /// - Parameters:
    ///   - capacity: inputs that may be in flight.
    ///   - policy: what to do beyond that; in an offline pipeline always `.wait`.
    ///   - batch: results handed over together at most while more input is waiting.
    ///   - counts: whether an input is a frame, which the record counts, or a word about frames.
    package init(
        _ context: PipelineContext, record: StageRecord, executor: any TaskExecutor, capacity: Int,
        policy: OverflowPolicy, batch: Int = 1,
        counts: @escaping @Sendable (Input) -> Bool = { _ in true },
        make: @escaping @Sendable () throws -> any StageWork<Input, Output>
    ) {
        self.context = context
        self.record = record
        let policy = context.mode == .offline ? .wait : policy
        let mailbox = Mailbox<Input>(capacity: capacity, policy: policy)
        let outbox = Lock<[StageResult<Output>]>([])
        self.mailbox = mailbox
        self.outbox = outbox
        weak var handle: Stage?
        let (bell, ring) = context.makeBell { handle?.collect() }
        self.bell = bell
        let host = context.host
        Task(executorPreference: executor) {
            await runStage(
                mailbox: mailbox, outbox: outbox, batch: batch, host: host, ring: ring, counts: counts, make: make)
        }
        handle = self
    }

    /// What `finish` left to be worked off is worked off even when nobody listens any more.
    deinit {
        record.isRunning = false
        if isFinishing, !isCancelled { context?.removeBell(bell) } else { cancelWork() }
    }

    package var hasRoom: Bool { inFlight < mailbox.capacity }

    /// Queues an input. Returns false if the policy dropped something for it (already counted under `overflow`).
    @discardableResult
    package func push(_ input: Input, droppable: Bool = true) -> Bool {
        guard !isCancelled else { return true }
        inFlight += 1
        guard let dropped = mailbox.push(input, droppable: droppable) else { return true }
        inFlight -= 1
        record.drop("overflow")
        onDrop(dropped)
        return false
    }

    /// Takes no more input; what is queued is still worked off and delivered.
    package func finish() {
        isFinishing = true
        mailbox.close()
    }

    /// Ends the stage; what is queued is lost, what is being worked on is not delivered.
    package func cancel() {
        guard !isCancelled else { return }
        isCancelled = true
        cancelWork()
    }

    private func cancelWork() {
        record.isRunning = false
        mailbox.close()
        _ = mailbox.removeAll()
        context?.removeBell(bell)
    }

    private func collect() {
        let results = outbox.withLock { results in
            defer { results = [] }
            return results
        }
        for result in results where !isCancelled {
            inFlight -= 1
            if result.isFrame { record.frames += 1 }
            record.cpuNanoseconds += result.cpuNanoseconds
            for output in result.outputs where !isCancelled { onOutput(output) }
            if let error = result.error, !isCancelled { onError(error) }
        }
        if !isCancelled { onProgress() }
    }
}

/// What came of one input.
private struct StageResult<Output: Sendable>: Sendable {
    var outputs: [Output] = []
    var error: (any Error)?
    var cpuNanoseconds: Int64 = 0
    var isFrame = false
}

/// The worker's side of a stage, from its first input to its last.
private func runStage<Input: Sendable, Output: Sendable>(
    mailbox: Mailbox<Input>, outbox: Lock<[StageResult<Output>]>, batch: Int, host: any Host,
    ring: @Sendable () -> Void, counts: @Sendable (Input) -> Bool,
    make: @Sendable () throws -> any StageWork<Input, Output>
) async {
    var work: (any StageWork<Input, Output>)?
    var refusal: (any Error)?
    var results: [StageResult<Output>] = []
    func handOver() {
        let wasEmpty = outbox.withLock { waiting in
            defer { waiting += results }
            return waiting.isEmpty
        }
        results.removeAll(keepingCapacity: true)
        if wasEmpty { ring() }
    }
    while let input = await mailbox.next() {
        let began = host.threadCPUNanoseconds()
        var result = StageResult<Output>()
        result.isFrame = counts(input)
        do {
            if work == nil, refusal == nil {
                do { work = try make() } catch {
                    refusal = error
                    throw error
                }
            }
            try work?.process(input) { result.outputs.append($0) }
        } catch {
            result.error = error
        }
        result.cpuNanoseconds = host.threadCPUNanoseconds() - began
        results.append(result)
        if results.count >= batch || mailbox.count == 0 { handOver() }
        // Whoever has a higher priority goes first.
        await Task.yield()
    }
    if !results.isEmpty { handOver() }
}
