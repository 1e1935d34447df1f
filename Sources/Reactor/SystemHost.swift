import CLinux
package import Core
import Glibc

/// The real machine: Linux clocks, loop threads, the worker pool, a disk thread per device.
package final class SystemHost: Host {
    private let loops: [any Loop]
    private let pool: WorkerPool
    private let turn = Lock(0)
    private let disks = Lock<[UInt64: BlockingThread]>([:])
    private let memoryReturn = Lock(MemoryReturn())
    private let seedOverride: UInt64?

    /// - Parameters:
    ///   - workers: pool threads; by default one per core this process may use.
    ///   - loops: loop threads; 0 for runs that do not follow the clock: the loop's turns then run on the workers.
    ///   - seed: fixes `seed()`, for repeatable runs.
    ///   - network: how the loops' sockets are set up.
    package init(
        workers: Int? = nil, loops: Int = 1, seed: UInt64? = nil, network: NetworkOptions = NetworkOptions()
    ) {
        let pool = WorkerPool(threads: max(1, workers ?? SystemHost.coreCount), downstreamFirst: loops == 0)
        let threads = (0..<max(1, loops)).map {
            LoopThread(name: "loop-\($0)", network: network, clock: SystemHost.monotonic)
        }
        self.loops = loops > 0 ? threads : [pool.makeLoop(alarm: threads[0], clock: SystemHost.monotonic)]
        self.pool = pool
        seedOverride = seed
    }

    /// Cores this process may use.
    package static var coreCount: Int { max(1, Int(clinux_core_count())) }

    package func now() -> Instant { SystemHost.monotonic() }

    @Sendable private static func monotonic() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    package func unixMilliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    package func threadCPUNanoseconds() -> Int64 { clinux_thread_cpu_nanoseconds() }
    /// Of all processors the process has run on.
    package func processCPUNanoseconds() -> Int64 { clinux_process_cpu_nanoseconds() }
    /// Memory that is in use, in KiB; 0 where that is not known.
    package func processMemoryKiB() -> Int { Int(clinux_process_memory_kib()) }

    package func seed() -> UInt64 {
        if let seedOverride { return seedOverride }
        var system = SystemRandomNumberGenerator()
        return system.next()
    }

    package func nextLoop() -> any Loop {
        loops[
            turn.withLock { turn in
                turn = (turn + 1) % loops.count
                return turn
            }]
    }

    package func workers(_ priority: WorkPriority) -> any TaskExecutor { pool.executor(priority) }

    package func disk(for path: String) -> any TaskExecutor {
        // The file may not exist yet: its folder tells the device.
        var info = stat()
        var folder = path
        while stat(folder, &info) != 0, !folder.isEmpty, folder != "/" {
            folder = folder.contains("/") ? String(folder[..<(folder.lastIndex(of: "/") ?? folder.startIndex)]) : "."
            if folder.isEmpty { folder = "/" }
        }
        // A pipe or a device file may block for ever by itself.
        if info.st_mode & S_IFMT != S_IFREG, info.st_mode & S_IFMT != S_IFDIR {
            return BlockingThread(name: "disk-pipe")
        }
        let device = UInt64(info.st_dev)
        return disks.withLock { disks in
            if let thread = disks[device] { return thread }
            let thread = BlockingThread(name: "disk-\(disks.count)")
            disks[device] = thread
            return thread
        }
    }

    package func memoryWasFreed() {
        guard let time = memoryReturn.withLock({ $0.freed(at: now()) }) else { return }
        let loop = loops[0]
        loop.post { [self] in _ = loop.schedule(at: time) { [self] in returnMemory() } }
    }

    private func returnMemory() {
        Task(executorPreference: pool.executor(.files)) { [self] in
            guard memoryReturn.withLock({ $0.isWorthIt(slackKiB: slackKiB()) }) else { return }
            clinux_trim_memory()
            memoryReturn.withLock { $0.trimmed(slackKiB: slackKiB(), at: now()) }
        }
    }

    /// Resident memory beyond what malloc has given out.
    private func slackKiB() -> Int { processMemoryKiB() - Int(clinux_heap_bytes() >> 10) }

    package func ioThread(named name: String) -> any TaskExecutor { SystemHost.thread(named: name) }

    /// A thread for the program's own blocking waits; it ends with the last reference.
    package static func thread(named name: String) -> any TaskExecutor { BlockingThread(name: name) }
}
