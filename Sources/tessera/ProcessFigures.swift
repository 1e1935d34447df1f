import Core
import Glibc
import Reactor

/// What the system tells of this process, as the metrics that Prometheus knows of every process.
struct ProcessFigures {
    private let cpu, memory, descriptors, threads: Gauge

    init(_ metrics: Metrics, startedAt unixSeconds: Double) {
        cpu = metrics.gauge("process_cpu_seconds_total", help: "CPU time of user and system.")
        memory = metrics.gauge("process_resident_memory_bytes", help: "Memory in use.")
        descriptors = metrics.gauge("process_open_fds", help: "Open file descriptors.")
        threads = metrics.gauge("process_threads", help: "Threads.")
        metrics.gauge("process_start_time_seconds", help: "Seconds from 1970 to the start.").set(unixSeconds)
        metrics.gauge("tessera_build_info", help: "Always 1.", labels: [("version", Tessera.version)]).set(1)
    }

    /// Brings the gauges up to date.
    func refresh(_ host: SystemHost) {
        cpu.set(Double(host.processCPUNanoseconds()) / 1e9)
        memory.set(Double(host.processMemoryKiB()) * 1024)
        descriptors.set(Double(Self.entries("/proc/self/fd")))
        threads.set(Double(Self.entries("/proc/self/task")))
    }

    private static func entries(_ path: String) -> Int {
        guard let folder = opendir(path) else { return 0 }
        defer { closedir(folder) }
        var count = 0
        // Without `.` and `..`.
        while readdir(folder) != nil { count += 1 }
        return max(0, count - 2)
    }
}
