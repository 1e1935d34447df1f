import Core
import Glibc
import Testing

@testable import Reactor

@Suite struct WorkerPoolTests {
    /// With one thread that is busy, what waits goes by priority, not by the order in which it came.
    @Test func prioritiesGoFirst() async {
        let host = SystemHost(workers: 1)
        let gate = Lock(false)
        let seen = Lock<[WorkPriority]>([])
        let isBusy = Lock(false)
        let blocker = Task(executorPreference: host.workers(.composition)) {
            isBusy.withLock { $0 = true }
            while !gate.withLock({ $0 }) { usleep(500) }
        }
        while !isBusy.withLock({ $0 }) { usleep(500) }
        let tasks = [WorkPriority.files, .encode, .decode, .composition].map { priority in
            Task(executorPreference: host.workers(priority)) { seen.withLock { $0.append(priority) } }
        }
        // Sound has its own thread and is not kept waiting.
        await Task(executorPreference: host.workers(.sound)) { seen.withLock { $0.append(.sound) } }.value
        gate.withLock { $0 = true }
        for task in tasks { await task.value }
        await blocker.value
        #expect(seen.withLock { $0 } == [.sound, .composition, .decode, .encode, .files])
    }

    private func threads(named name: String) throws -> Int {
        guard let folder = opendir("/proc/self/task") else { return 0 }
        defer { closedir(folder) }
        var count = 0
        while let entry = readdir(folder) {
            let id = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard let file = fopen("/proc/self/task/\(id)/comm", "r") else { continue }
            defer { fclose(file) }
            var line = [CChar](repeating: 0, count: 64)
            guard fgets(&line, 64, file) != nil else { continue }
            if String(decoding: line.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                == name
            {
                count += 1
            }
        }
        return count
    }

    @Test func aBlockingThreadEndsWithItsLastReference() async throws {
        let host = SystemHost(workers: 1)
        do {
            let thread = host.ioThread(named: "io-vanishing")
            await Task(executorPreference: thread) {}.value
            #expect(try threads(named: "io-vanishing") == 1)
        }
        var left = 1
        for _ in 0..<400 where left > 0 {
            usleep(5000)
            left = try threads(named: "io-vanishing")
        }
        #expect(left == 0)
    }

    @Test func oneDiskThreadPerDevice() async {
        let host = SystemHost(workers: 1)
        let a = host.disk(for: "/tmp/a/b/none.webm"), b = host.disk(for: "/tmp/other.webm")
        #expect(a as AnyObject === b as AnyObject)
        #expect(host.disk(for: "/dev/null") as AnyObject !== a as AnyObject, "what may hang has its own")
        #expect(host.disk(for: "/proc/self/none") as AnyObject !== a as AnyObject)
    }

    @Test func seedsAndClocks() {
        #expect(SystemHost(workers: 1, seed: 7).seed() == 7)
        let host = SystemHost(workers: 1)
        #expect(host.seed() != host.seed())
        let before = host.now()
        usleep(2000)
        #expect(host.now() - before >= .milliseconds(2))
        #expect(host.unixMilliseconds() > 1_700_000_000_000)
    }
}
