import CLinux
import Core
import Glibc

/// Jobs waiting for threads, in lanes of priority; lane 0 goes first. Blocks the thread that pops.
final class JobQueue: @unchecked Sendable {
    // Sendable: everything mutable is touched only under `mutex`.
    enum Entry {
        case job(UnownedJob, UnownedTaskExecutor)
        case body(@Sendable () -> Void)
    }
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var lanes: [Deque<Entry>]
    private var isClosed = false

    init(lanes count: Int) {
        lanes = Array(repeating: Deque(), count: count)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func push(_ entry: Entry, lane: Int) {
        pthread_mutex_lock(mutex)
        lanes[lane].append(entry)
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }

    /// The next job of the first lane that has one; nil once closed.
    func pop() -> Entry? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            for lane in lanes.indices {
                if let entry = lanes[lane].popFirst() { return entry }
            }
            if isClosed { return nil }
            pthread_cond_wait(condition, mutex)
        }
    }

    func close() {
        pthread_mutex_lock(mutex)
        isClosed = true
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
    }
}

/// One door into a job queue: a task executor whose jobs wait in one lane.
final class Lane: TaskExecutor {
    private let queue: JobQueue
    private let lane: Int

    init(_ queue: JobQueue, lane: Int) {
        self.queue = queue
        self.lane = lane
    }

    func enqueue(_ job: consuming ExecutorJob) {
        queue.push(.job(UnownedJob(job), asUnownedTaskExecutor()), lane: lane)
    }
}

/// A thread of its own that runs blocking calls; it ends with the last reference, after the job it is at.
final class BlockingThread: TaskExecutor {
    private let queue = JobQueue(lanes: 1)

    init(name: String) {
        let queue = queue
        _ = startThread(named: name) { serve(queue) }
    }

    deinit { queue.close() }

    func enqueue(_ job: consuming ExecutorJob) {
        queue.push(.job(UnownedJob(job), asUnownedTaskExecutor()), lane: 0)
    }
}

/// The threads for work that costs CPU: `work-N`, nice +5 so that loops and sound come first.
final class WorkerPool: Sendable {
    /// Lane 0 is for loops that run on the pool; the priorities follow.
    private let queue = JobQueue(lanes: WorkPriority.allCases.count + 1)
    private let lanes: [Lane]
    private let sound = BlockingThread(name: "sound-0")

    /// `downstreamFirst` turns the order of priorities round: what is nearest to the output goes first. Against the
    /// clock a new picture matters most; without one, the encoder is the longest chain and must never wait for a
    /// thread, and what is finished first takes no memory.
    init(threads: Int, downstreamFirst: Bool = false) {
        let queue = queue
        let last = WorkPriority.allCases.count
        lanes = WorkPriority.allCases.map { Lane(queue, lane: downstreamFirst ? last - $0.rawValue : $0.rawValue + 1) }
        for index in 0..<threads {
            _ = startThread(named: "work-\(index)") {
                _ = clinux_nice_thread(5)
                serve(queue)
            }
        }
    }

    /// A loop whose turns run here, before everything else.
    func makeLoop(alarm: LoopThread, clock: @escaping @Sendable () -> Instant) -> PooledLoop {
        PooledLoop(queue: queue, alarm: alarm, clock: clock)
    }

    func executor(_ priority: WorkPriority) -> any TaskExecutor {
        priority == .sound ? sound : lanes[priority.rawValue]
    }
}

private func serve(_ queue: JobQueue) {
    while let entry = queue.pop() {
        switch entry {
        case .job(let job, let executor): job.runSynchronously(on: executor)
        case .body(let body): body()
        }
    }
}

/// Starts a detached thread. Signals meant for the process go to the main thread.
func startThread(named name: String, _ body: @escaping @Sendable () -> Void) -> pthread_t {
    final class Start {
        let name: String
        let body: @Sendable () -> Void
        init(_ name: String, _ body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    defer { pthread_attr_destroy(&attributes) }
    var blocked = sigset_t()
    var previous = sigset_t()
    sigfillset(&blocked)
    pthread_sigmask(SIG_SETMASK, &blocked, &previous)
    defer { pthread_sigmask(SIG_SETMASK, &previous, nil) }
    var thread = pthread_t()
    let start = Unmanaged.passRetained(Start(name, body))
    let result = pthread_create(
        &thread, &attributes,
        { argument in
            guard let argument else { return nil }
            let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
            clinux_name_thread(start.name)
            start.body()
            return nil
        }, start.toOpaque())
    precondition(result == 0, "no thread to be had: \(String(cString: strerror(result)))")
    return thread
}
