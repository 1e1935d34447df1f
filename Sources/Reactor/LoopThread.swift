import CLinux
import Core
import Glibc

/// What a loop calls when a descriptor it watches is ready. Called on the loop only.
protocol LoopDescriptor: AnyObject {
    /// `events` is epoll's mask; `now` was read once for everything that was ready.
    func ready(_ events: UInt32, at now: Instant)
}

/// A watched descriptor: where its owner stands in the loop's table, and the how-manieth owner of that place it is.
struct WatchToken: Hashable {
    fileprivate let value: UInt64
    fileprivate init(index: Int, generation: UInt32) { value = UInt64(generation) << 32 | UInt64(index) }
    fileprivate init(value: UInt64) { self.value = value }
    fileprivate var index: Int { Int(value & 0xFFFF_FFFF) }
}

/// A thread with epoll and a timer heap that serves actors pinned to it: packets, timers and hand-overs from the pool
/// run here, one after the other. Lives as long as the process (`SystemHost` makes a fixed few).
///
/// A turn: what is ready on sockets (each hands over one bounded batch, so a flood holds up nothing for long), then
/// hand-overs in their order, then timers that are due, then what all of these want sent.
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
    private var timers = TimerQueue<TimerAction>()
    private let epoll: Int32
    private let wake: Int32
    private let alarm: Int32
    private var thread = pthread_t()
    private let clock: @Sendable () -> Instant
    /// Owners of watched descriptors by token; nil where a place is free.
    private var watched: [(owner: any LoopDescriptor, token: WatchToken)?] = []
    private var freePlaces: [Int] = []
    private var lastGeneration: UInt32 = 0
    private let networkOptions: NetworkOptions
    private var madeEngine: NetworkEngine?

    init(name: String, network: NetworkOptions = NetworkOptions(), clock: @escaping @Sendable () -> Instant) {
        self.clock = clock
        networkOptions = network
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        wake = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        alarm = timerfd_create(CLOCK_MONOTONIC, Int32(TFD_CLOEXEC | TFD_NONBLOCK))
        precondition(epoll >= 0 && wake >= 0 && alarm >= 0, "no file descriptors left for a loop thread")
        for (descriptor, mark) in [(wake, LoopThread.wakeMark), (alarm, LoopThread.alarmMark)] {
            var event = epoll_event()
            event.events = EPOLLIN.rawValue
            event.data.u64 = mark
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
        return timers.add(deadline, TimerAction(body))
    }

    func cancel(_ timer: TimerID) {
        checkIsolated()
        timers.cancel(timer)
    }

    func makeNetwork() -> any LoopNetwork {
        checkIsolated()
        return SystemNetwork(engine)
    }

    private var engine: NetworkEngine {
        if let madeEngine { return madeEngine }
        let engine = NetworkEngine(self, options: networkOptions)
        madeEngine = engine
        return engine
    }

    /// The loop's clock, for what runs on it.
    func now() -> Instant { clock() }

    /// Calls `owner`, which is kept, whenever the descriptor has one of `events`; nil if the system has no room.
    func watch(_ descriptor: Int32, _ events: UInt32, _ owner: any LoopDescriptor) -> WatchToken? {
        lastGeneration &+= 1
        let place = freePlaces.popLast() ?? watched.count
        if place == watched.count { watched.append(nil) }
        let token = WatchToken(index: place, generation: lastGeneration)
        guard control(EPOLL_CTL_ADD, descriptor, events, token) else {
            freePlaces.append(place)
            return nil
        }
        watched[place] = (owner, token)
        return token
    }

    /// Changes what a watched descriptor is asked for.
    func rewatch(_ token: WatchToken, _ descriptor: Int32, _ events: UInt32) {
        _ = control(EPOLL_CTL_MOD, descriptor, events, token)
    }

    /// Forgets a descriptor; call it before the descriptor is closed.
    func unwatch(_ token: WatchToken, _ descriptor: Int32) {
        _ = control(EPOLL_CTL_DEL, descriptor, 0, token)
        watched[token.index] = nil
        freePlaces.append(token.index)
    }

    private func control(_ operation: Int32, _ descriptor: Int32, _ events: UInt32, _ token: WatchToken) -> Bool {
        var event = epoll_event()
        event.events = events
        event.data.u64 = token.value
        return epoll_ctl(epoll, operation, descriptor, &event) == 0
    }

    // Marks of our own descriptors: no place in the table is as high.
    private static let wakeMark = UInt64.max
    private static let alarmMark = UInt64.max - 1

    private func run() -> Never {
        var events = [epoll_event](repeating: epoll_event(), count: 64)
        var armed: Instant?
        while true {
            if let deadline = timers.nextDeadline, deadline != armed {
                arm(deadline)
                armed = deadline
            }
            let ready = epoll_wait(epoll, &events, Int32(events.count), -1)
            let now = clock()
            for index in 0..<Int(max(0, ready)) {
                let mark = events[index].data.u64
                if mark >= LoopThread.alarmMark {
                    var count: UInt64 = 0
                    _ = read(mark == LoopThread.wakeMark ? wake : alarm, &count, 8)
                    if mark == LoopThread.alarmMark { armed = nil }
                    continue
                }
                // An earlier one of this turn may have closed this one, and its place may be another's by now.
                let token = WatchToken(value: mark)
                if let entry = watched[token.index], entry.token == token {
                    entry.owner.ready(events[index].events, at: now)
                }
            }
            madeEngine?.batchesEnded(at: now)
            turn()
            madeEngine?.flush()
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
        while let action = timers.popDue(at: now) { action.run() }
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
