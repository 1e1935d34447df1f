import CWebSockets
package import Core
import Glibc

/// The thread that serves HTTP and WebSocket connections and on which their handlers run: an executor for actors and
/// tasks, and a loop with timers. Ends after the last reference has gone, and all its connections with it.
///
/// libwebsockets waits for the sockets; hand-overs from other threads interrupt that wait.
package final class ControlThread: Loop, TaskExecutor, @unchecked Sendable {
    // Sendable: `thread` is written once before anybody else has the object, everything else is in `core`.
    private let core: ControlCore
    private let clock: @Sendable () -> Instant

    /// - Parameters:
    ///   - log: where warnings of the library go; one log per process, the last one given.
    ///   - clock: the host's clock.
    package init(name: String = "control-0", log: Log, clock: @escaping @Sendable () -> Instant) {
        self.clock = clock
        core = ControlCore(log: log, clock: clock)
        let core = core
        core.setThread(startThread(named: name) { core.run() })
    }

    deinit { core.end() }

    package func enqueue(_ job: consuming ExecutorJob) {
        core.add(.job(UnownedJob(job), asUnownedSerialExecutor(), asUnownedTaskExecutor()))
    }
    package func post(_ body: @escaping @Sendable () -> Void) { core.add(.body(body)) }

    package func schedule(at deadline: Instant, _ body: @escaping @Sendable () -> Void) -> TimerID {
        checkIsolated()
        return core.timers.add(deadline, body)
    }
    package func cancel(_ timer: TimerID) {
        checkIsolated()
        core.timers.cancel(timer)
    }
    package func makeNetwork() -> any LoopNetwork {
        NoNetwork(self, reason: "the control thread serves HTTP only; sockets are opened on a loop")
    }

    package func isIsolatingCurrentContext() -> Bool? { core.isCurrent }
    package func checkIsolated() { precondition(core.isCurrent, "called off the control thread") }

    /// The host's clock.
    func now() -> Instant { clock() }

    /// The library's state. Used on the thread only.
    var context: OpaquePointer {
        checkIsolated()
        return core.context
    }

    /// Runs `body` on the thread and waits for it.
    func run<R: Sendable>(_ body: @escaping @Sendable () -> R) async -> R {
        await withCheckedContinuation { continuation in post { continuation.resume(returning: body()) } }
    }
}

/// What the thread itself holds, so that it can outlive the last reference to the executor.
private final class ControlCore: @unchecked Sendable {
    // Sendable: `inbox` is locked; `timers` are touched only on the thread; `context` is made before it starts and
    // destroyed after its last turn; `thread` is behind the lock.
    enum Work {
        case job(UnownedJob, UnownedSerialExecutor, UnownedTaskExecutor)
        case body(@Sendable () -> Void)
    }
    private struct Inbox {
        var work: [Work] = []
        var isSignalled = false
        var isEnding = false
        var thread: pthread_t?
    }
    let context: OpaquePointer
    var timers = TimerQueue<@Sendable () -> Void>()
    private let inbox = Lock(Inbox())
    private let clock: @Sendable () -> Instant
    private let alarm = UnsafeMutablePointer<cwebsockets_alarm>.allocate(capacity: 1)
    /// The library waits for whole milliseconds, rounded down; so much later, in microseconds, and it wakes once when a
    /// timer is due and not a hundred times in the fraction before.
    private static let waitUnit: Int64 = 1000
    /// Headers of one request, its first line among them.
    private static let headerBytesMax: UInt16 = 16384

    init(log: Log, clock: @escaping @Sendable () -> Instant) {
        self.clock = clock
        alarm.initialize(to: cwebsockets_alarm())
        LibraryLog.route(to: log)
        var info = lws_context_creation_info()
        info.options = cwebsockets_context_options
        info.port = cwebsockets_port_none
        info.max_http_header_data = Self.headerBytesMax
        info.pt_serv_buf_size = 64 << 10
        guard let context = lws_create_context(&info) else { preconditionFailure("no memory for the control thread") }
        self.context = context
        alarm.pointee.context = context
    }

    var isCurrent: Bool { inbox.withLock { $0.thread.map { pthread_equal(pthread_self(), $0) != 0 } ?? false } }

    func setThread(_ thread: pthread_t) { inbox.withLock { $0.thread = thread } }

    func add(_ work: Work) { signal { $0.work.append(work) } }
    func end() { signal { $0.isEnding = true } }

    private func signal(_ change: (inout Inbox) -> Void) {
        // Under the lock: the thread cannot destroy the context in between.
        inbox.withLock { inbox in
            change(&inbox)
            if !inbox.isSignalled { lws_cancel_service(context) }
            inbox.isSignalled = true
        }
    }

    func run() {
        setThread(pthread_self())
        while turn() {
            if let deadline = timers.nextDeadline {
                let wait = max(0, (deadline - clock()).nanoseconds)
                cwebsockets_set_alarm(alarm, wait / 1000 + ControlCore.waitUnit)
            } else {
                cwebsockets_cancel_alarm(alarm)
            }
            lws_service(context, 0)
        }
        cwebsockets_cancel_alarm(alarm)
        lws_context_destroy(context)
        alarm.deallocate()
    }

    /// Everything that is due; false when the thread is to end.
    private func turn() -> Bool {
        var batch = Inbox()
        inbox.withLock { inbox in
            batch = inbox
            inbox.work = []
            inbox.isSignalled = false
        }
        for work in batch.work {
            switch work {
            case .job(let job, let serial, let task): job.runSynchronously(isolatedTo: serial, taskExecutor: task)
            case .body(let body): body()
            }
        }
        let now = clock()
        while let body = timers.popDue(at: now) { body() }
        return !batch.isEnding || !batch.work.isEmpty
    }
}

/// What libwebsockets has to say: its log is one per process.
private enum LibraryLog {
    private static let log = Lock<Log?>(nil)

    static func route(to log: Log) {
        self.log.withLock { $0 = log.with("library", "libwebsockets") }
        lws_set_log_level(cwebsockets_log_levels) { level, line in
            guard let line else { return }
            let text = String(cString: line)
            let end = text.lastIndex { $0 != "\n" }
            let log = LibraryLog.log.withLock { $0 }
            // A client's bad manners are no warning of ours.
            log?.debug(end.map { String(text[...$0]) } ?? "", [("level", String(level))])
        }
    }
}
