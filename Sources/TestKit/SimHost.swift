package import Core
import Glibc

/// The simulated machine: one thread, one queue, a clock that jumps to the next deadline. Actors and tasks run in a
/// fixed order, so a run is a function of its seed.
///
/// The thread that calls `run` is the machine; everything happens inside that call.
package final class SimHost: Host, Loop, TaskExecutor, @unchecked Sendable {
    // Sendable: all state is behind `state`; jobs run only inside `run`, on its caller's thread.
    private struct State {
        var jobs = Deque<Work>()
        var timers = TimerQueue<@Sendable () -> Void>()
        var now = Instant(nanoseconds: 1_000_000_000)
        var runner: pthread_t?
    }
    private enum Work {
        case job(UnownedJob, UnownedSerialExecutor)
        case body(@Sendable () -> Void)
    }

    private let state = Lock(State())
    private let fixedSeed: UInt64

    package init(seed: UInt64 = 1) { fixedSeed = seed }

    // MARK: Host

    package func now() -> Instant { state.withLock { $0.now } }
    package func unixMilliseconds() -> Int64 { 1_800_000_000_000 + now().nanoseconds / 1_000_000 }
    package func threadCPUNanoseconds() -> Int64 { 0 }
    package func seed() -> UInt64 { fixedSeed }
    package func nextLoop() -> any Loop { self }
    package func workers(_ priority: WorkPriority) -> any TaskExecutor { self }
    package func disk(for path: String) -> any TaskExecutor { self }
    package func ioThread(named name: String) -> any TaskExecutor { self }

    // MARK: Executor

    package func enqueue(_ job: consuming ExecutorJob) {
        enqueue(UnownedJob(job), for: self)
    }
    /// A job of an actor that is pinned to another name of this machine.
    func enqueue(_ job: UnownedJob, for executor: some SerialExecutor) {
        let executor = executor.asUnownedSerialExecutor()
        state.withLock { $0.jobs.append(.job(job, executor)) }
    }
    package func post(_ body: @escaping @Sendable () -> Void) {
        state.withLock { $0.jobs.append(.body(body)) }
    }
    package func schedule(at deadline: Instant, _ body: @escaping @Sendable () -> Void) -> TimerID {
        state.withLock { $0.timers.add(deadline, body) }
    }
    package func cancel(_ timer: TimerID) { state.withLock { $0.timers.cancel(timer) } }
    package func makeNetwork() -> any LoopNetwork {
        NoNetwork(self, reason: "this simulated machine is on no network: use a SimMachine")
    }

    package func isIsolatingCurrentContext() -> Bool? {
        let runner = state.withLock { $0.runner }
        return runner.map { pthread_equal(pthread_self(), $0) != 0 } ?? false
    }
    package func checkIsolated() {
        precondition(isIsolatingCurrentContext() == true, "called outside SimHost.run")
    }

    // MARK: Running

    /// Runs everything, jumping over idle time, until `isDone` holds, nothing is left to do, or `limit` of virtual
    /// time has passed. Returns whether `isDone` held.
    @discardableResult
    package func run(limit: MediaTime = .seconds(3600), until isDone: () -> Bool = { false }) -> Bool {
        let end = state.withLock { state -> Instant in
            precondition(state.runner == nil, "SimHost.run inside SimHost.run")
            state.runner = pthread_self()
            return state.now + limit
        }
        defer { state.withLock { $0.runner = nil } }
        while !isDone() {
            guard let work = nextWork(before: end) else { return isDone() }
            switch work {
            case .job(let job, let executor):
                job.runSynchronously(isolatedTo: executor, taskExecutor: asUnownedTaskExecutor())
            case .body(let body): body()
            }
        }
        return true
    }

    private func nextWork(before end: Instant) -> Work? {
        state.withLock { state in
            if let work = state.jobs.popFirst() { return work }
            guard let deadline = state.timers.nextDeadline, deadline <= end else { return nil }
            state.now = max(state.now, deadline)
            return state.timers.popDue(at: state.now).map(Work.body)
        }
    }

    /// Starts `body` as a task of this machine and runs until it has returned; its result, or nil if it never did.
    package func complete<R: Sendable>(
        limit: MediaTime = .seconds(3600), _ body: @escaping @Sendable () async throws -> R
    ) -> Result<R, any Error>? {
        let result = Lock<Result<R, any Error>?>(nil)
        Task(executorPreference: self) {
            do {
                let value = try await body()
                result.withLock { $0 = .success(value) }
            } catch {
                result.withLock { $0 = .failure(error) }
            }
        }
        run(limit: limit) { result.withLock { $0 != nil } }
        return result.withLock { $0 }
    }
}
