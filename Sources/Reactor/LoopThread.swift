import CLinux
import Core
import Glibc

/// A thread with epoll and a timer heap that serves actors pinned to it: packets, timers and hand-overs from the pool
/// run here, one after the other. Lives as long as the process (`SystemHost` makes a fixed few).
final class LoopThread: Loop, @unchecked Sendable {
    // Sendable: `inbox` is locked; `timers` is touched only on the thread itself, which its callers are checked for.
    private struct Inbox {
        var work: [Work] = []
        var isSignalled = false
    }
    private enum Work {
        case job(UnownedJob)
        case body(@Sendable () -> Void)
    }

    private let inbox = Lock(Inbox())
    private var timers = TimerQueue<@Sendable () -> Void>()
    private let epoll: Int32
    private let wake: Int32
    private let alarm: Int32
    private var thread = pthread_t()
    private let clock: @Sendable () -> Instant

    init(name: String, clock: @escaping @Sendable () -> Instant) {
        self.clock = clock
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        wake = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        alarm = timerfd_create(CLOCK_MONOTONIC, Int32(TFD_CLOEXEC | TFD_NONBLOCK))
        precondition(epoll >= 0 && wake >= 0 && alarm >= 0, "no file descriptors left for a loop thread")
        for descriptor in [wake, alarm] {
            var event = epoll_event()
            event.events = EPOLLIN.rawValue
            event.data.fd = descriptor
            let result = epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event)
            precondition(result == 0, "epoll_ctl failed")
        }
        thread = startThread(named: name) { [self] in run() }
    }

    // MARK: From any thread

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        signal { $0.work.append(.job(job)) }
    }

    func post(_ body: @escaping @Sendable () -> Void) {
        signal { $0.work.append(.body(body)) }
    }

    private func signal(_ add: (inout Inbox) -> Void) {
        let mustWake = inbox.withLock { inbox in
            add(&inbox)
            defer { inbox.isSignalled = true }
            return !inbox.isSignalled
        }
        if mustWake {
            var one: UInt64 = 1
            _ = write(wake, &one, 8)
        }
    }

    func isIsolatingCurrentContext() -> Bool? { pthread_equal(pthread_self(), thread) != 0 }
    func checkIsolated() {
        precondition(pthread_equal(pthread_self(), thread) != 0, "called off the pipeline's loop")
    }

    // MARK: On the loop

    func schedule(at deadline: Instant, _ body: @escaping @Sendable () -> Void) -> TimerID {
        checkIsolated()
        return timers.add(deadline, body)
    }

    func cancel(_ timer: TimerID) {
        checkIsolated()
        timers.cancel(timer)
    }

    private func run() -> Never {
        var events = [epoll_event](repeating: epoll_event(), count: 8)
        var armed: Instant?
        while true {
            if let deadline = timers.nextDeadline, deadline != armed {
                arm(deadline)
                armed = deadline
            }
            let ready = epoll_wait(epoll, &events, Int32(events.count), -1)
            for event in events.prefix(Int(max(0, ready))) {
                var count: UInt64 = 0
                _ = read(event.data.fd, &count, 8)
                if event.data.fd == alarm { armed = nil }
            }
            turn()
        }
    }

    /// Everything that is due now: hand-overs first, in the order they came, then timers.
    private func turn() {
        var batch = Inbox()
        inbox.withLock { inbox in
            batch = inbox
            inbox = Inbox()
        }
        for work in batch.work {
            switch work {
            case .job(let job): job.runSynchronously(on: asUnownedSerialExecutor())
            case .body(let body): body()
            }
        }
        let now = clock()
        while let body = timers.popDue(at: now) { body() }
    }

    private func arm(_ deadline: Instant) {
        // Zero would disarm the timer; one nanosecond after boot is long past.
        let nanoseconds = max(1, deadline.nanoseconds)
        var spec = itimerspec()
        spec.it_value.tv_sec = Int(nanoseconds / 1_000_000_000)
        spec.it_value.tv_nsec = Int(nanoseconds % 1_000_000_000)
        timerfd_settime(alarm, Int32(TFD_TIMER_ABSTIME), &spec, nil)
    }
}
