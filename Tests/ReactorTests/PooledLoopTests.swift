import Core
import Testing

@testable import Reactor

/// The loop without a thread, on which runs that do not follow the clock live.
@Suite struct PooledLoopTests {
    private struct Seen {
        var items: [Int] = []
        var inside = 0
        var peak = 0
    }

    @Test func oneTurnAtATimeAndInOrder() async {
        let host = SystemHost(workers: 3, loops: 0)
        let loop = host.nextLoop()
        let seen = Lock(Seen())
        await withTaskGroup(of: Void.self) { group in
            for sender in 0..<4 {
                group.addTask {
                    for index in 0..<500 {
                        loop.post {
                            seen.withLock { seen in
                                seen.inside += 1
                                seen.peak = max(seen.peak, seen.inside)
                                seen.items.append(sender * 1000 + index)
                            }
                            seen.withLock { $0.inside -= 1 }
                        }
                    }
                }
            }
        }
        await withCheckedContinuation { continuation in loop.post { continuation.resume() } }
        let result = seen.withLock { $0 }
        #expect(result.items.count == 2000 && result.peak == 1)
        for sender in 0..<4 {
            let own = result.items.filter { $0 / 1000 == sender }
            #expect(own == own.sorted())
        }
    }

    @Test func timersFireInOrderOnTheLoop() async {
        let host = SystemHost(workers: 2, loops: 0)
        let loop = host.nextLoop()
        let order: [Int] = await withCheckedContinuation { continuation in
            let seen = Lock<[Int]>([])
            loop.post {
                let start = host.now()
                for index in [5, 2, 9, 0, 2] {
                    _ = loop.schedule(at: start + .milliseconds(3 * index)) {
                        loop.checkIsolated()
                        seen.withLock { $0.append(index) }
                    }
                }
                let cancelled = loop.schedule(at: start + .milliseconds(1)) { seen.withLock { $0.append(77) } }
                loop.cancel(cancelled)
                _ = loop.schedule(at: start + .milliseconds(40)) {
                    continuation.resume(returning: seen.withLock { $0 })
                }
            }
        }
        #expect(order == [0, 2, 2, 5, 9])
    }
}
