import Core
import Glibc
import Synchronization

/// A loop without a thread: its turns run on the worker pool, one at a time, before anything else there.
///
/// For runs that do not follow the clock: a worker that has finished a frame hands it over by running the turn itself,
/// so nobody is woken. In real time a loop has its own thread (`LoopThread`), because a turn must not wait for a
/// worker to finish.
final class PooledLoop: Loop, @unchecked Sendable {
    // Sendable: all that is mutable is behind `inbox`, or atomic.
    private struct Inbox {
        var work = Deque<Work>()
        var timers = TimerQueue<@Sendable () -> Void>()
        /// The deadline the alarm thread will call at.
        var armed: Instant?
        /// A turn is waiting in the pool or running.
        var hasTurn = false
    }
    private enum Work {
        case job(UnownedJob)
        case body(@Sendable () -> Void)
    }

    private let inbox = Lock(Inbox())
    private let queue: JobQueue
    private let alarm: LoopThread
    private let clock: @Sendable () -> Instant
    /// The thread that runs the turn; 0 between turns.
    private let runner = Atomic<UInt>(0)

    /// `alarm` is a thread that keeps the deadlines; it runs nothing else for this loop.
    init(queue: JobQueue, alarm: LoopThread, clock: @escaping @Sendable () -> Instant) {
        self.queue = queue
        self.alarm = alarm
        self.clock = clock
    }

    func enqueue(_ job: consuming ExecutorJob) { add(.job(UnownedJob(job))) }
    func post(_ body: @escaping @Sendable () -> Void) { add(.body(body)) }

    private func add(_ work: Work) {
        let needsTurn = inbox.withLock { inbox in
            inbox.work.append(work)
            defer { inbox.hasTurn = true }
            return !inbox.hasTurn
        }
        if needsTurn { queue.push(.body { [self] in turn() }, lane: 0) }
    }

    private func turn() {
        runner.store(UInt(pthread_self()), ordering: .relaxed)
        while true {
            let next = inbox.withLock { inbox -> Work? in
                let next = inbox.work.popFirst()
                if next == nil {
                    inbox.hasTurn = false
                    runner.store(0, ordering: .relaxed)
                }
                return next
            }
            switch next {
            case .job(let job): job.runSynchronously(on: asUnownedSerialExecutor())
            case .body(let body): body()
            case nil: return
            }
        }
    }

    func isIsolatingCurrentContext() -> Bool? { runner.load(ordering: .relaxed) == UInt(pthread_self()) }
    func checkIsolated() {
        precondition(isIsolatingCurrentContext() == true, "called off the pipeline's loop")
    }

    // MARK: Timers

    func schedule(at deadline: Instant, _ body: @escaping @Sendable () -> Void) -> TimerID {
        let id = inbox.withLock { $0.timers.add(deadline, body) }
        setAlarm()
        return id
    }

    func makeNetwork() -> any LoopNetwork {
        NoNetwork(self, reason: "a run that does not follow the clock has no network")
    }

    func cancel(_ timer: TimerID) { inbox.withLock { $0.timers.cancel(timer) } }

    /// One alarm at a time, for the earliest deadline; one that a still earlier deadline overtook finds nothing due.
    private func setAlarm() {
        let deadline = inbox.withLock { inbox -> Instant? in
            guard let next = inbox.timers.nextDeadline, inbox.armed.map({ next < $0 }) ?? true else { return nil }
            inbox.armed = next
            return next
        }
        guard let deadline else { return }
        alarm.post { [self] in
            _ = alarm.schedule(at: deadline) { [self] in post { [self] in fireDue(deadline) } }
        }
    }

    private func fireDue(_ deadline: Instant) {
        inbox.withLock { if $0.armed == deadline { $0.armed = nil } }
        let now = clock()
        while let body = inbox.withLock({ $0.timers.popDue(at: now) }) { body() }
        setAlarm()
    }
}
