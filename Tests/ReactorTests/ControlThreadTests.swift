import Core
import Glibc
import Testing

@testable import Reactor

/// The thread of HTTP and WebSocket connections as a loop: its timers and hand-overs.
@Suite struct ControlThreadTests {
    private static func monotonic() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    /// A timer that falls due just as the thread is about to wait must not be slept over: nothing else wakes it.
    @Test(.timeLimit(.minutes(1))) func everyTimerComesOnAnIdleThread() async {
        let log = Log(host: SystemHost(workers: 1)) { _ in }
        let thread = ControlThread(log: log, clock: { ControlThreadTests.monotonic() })
        var random = SeededRandom(seed: 7)
        for number in 0..<2000 {
            // About as far away as a turn is long.
            let delay = MediaTime(nanoseconds: Int64(random.next() % 40_000))
            let hasCome = await Self.comes(after: delay, on: thread)
            guard hasCome else {
                Issue.record("timer \(number), \(delay.nanoseconds) ns ahead, did not come within two seconds")
                return
            }
        }
    }

    /// Whether a timer comes within two seconds of its time.
    private static func comes(after delay: MediaTime, on thread: ControlThread) async -> Bool {
        let fired = Lock(false)
        thread.post {
            _ = thread.schedule(at: thread.now() + delay) { fired.withLock { $0 = true } }
        }
        let end = monotonic() + .seconds(2)
        while monotonic() < end {
            if fired.withLock({ $0 }) { return true }
            await Task.yield()
        }
        // Other tests may have had this test's own thread for so long.
        return fired.withLock { $0 }
    }
}
