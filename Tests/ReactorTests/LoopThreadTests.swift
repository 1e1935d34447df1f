import Core
import Testing

@testable import Reactor

@Suite struct LoopThreadTests {
    private static let loop = SystemHost(workers: 1).nextLoop()

    /// Runs `body` on a loop and waits for what it hands on.
    private func onLoop<R: Sendable>(_ body: @escaping @Sendable (@escaping @Sendable (R) -> Void) -> Void) async -> R {
        await withCheckedContinuation { continuation in
            Self.loop.post { body { continuation.resume(returning: $0) } }
        }
    }

    private actor Pinned {
        private nonisolated let loop: any Loop
        nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
        var seen: [Int] = []
        init(_ loop: any Loop) { self.loop = loop }
        func see(_ number: Int) { seen.append(number) }
    }

    @Test func postsComeInOrder() async {
        let seen = Lock<[Int]>([])
        for index in 0..<1000 { Self.loop.post { seen.withLock { $0.append(index) } } }
        await onLoop { $0(()) }
        #expect(seen.withLock { $0 } == Array(0..<1000))
    }

    @Test func postsFromManyThreads() async {
        let seen = Lock<[Int]>([])
        await withTaskGroup(of: Void.self) { group in
            for sender in 0..<4 {
                group.addTask {
                    for index in 0..<500 { Self.loop.post { seen.withLock { $0.append(sender * 1000 + index) } } }
                }
            }
        }
        await onLoop { $0(()) }
        let items = seen.withLock { $0 }
        #expect(items.count == 2000)
        for sender in 0..<4 {
            let own = items.filter { $0 / 1000 == sender }
            #expect(own == own.sorted() && own.count == 500)
        }
    }

    @Test func timersFireInOrderAndNotEarly() async {
        let host = SystemHost(workers: 1)
        let loop = host.nextLoop()
        let late: [Int64] = await withCheckedContinuation { continuation in
            let seen = Lock<[(index: Int, late: Int64)]>([])
            loop.post {
                let start = host.now()
                for index in [5, 2, 9, 0, 2] {
                    let deadline = start + .milliseconds(3 * index)
                    _ = loop.schedule(at: deadline) {
                        let lateness = (host.now() - deadline).nanoseconds
                        seen.withLock { $0.append((index, lateness)) }
                    }
                }
                let cancelled = loop.schedule(at: start + .milliseconds(1)) { seen.withLock { $0.append((77, 0)) } }
                loop.cancel(cancelled)
                _ = loop.schedule(at: start + .milliseconds(40)) {
                    let items = seen.withLock { $0 }
                    continuation.resume(returning: items.map(\.index) == [0, 2, 2, 5, 9] ? items.map(\.late) : [])
                }
            }
        }
        #expect(late.count == 5, "in order of their deadlines, the cancelled one not at all")
        #expect(late.allSatisfy { $0 >= 0 })
    }

    /// An earlier timer set after a later one is not late for it.
    @Test func anEarlierTimerSetLater() async {
        let host = SystemHost(workers: 1)
        let loop = host.nextLoop()
        let order: [Int] = await withCheckedContinuation { continuation in
            let seen = Lock<[Int]>([])
            loop.post {
                _ = loop.schedule(at: host.now() + .milliseconds(60)) {
                    continuation.resume(returning: seen.withLock { $0 })
                }
            }
            loop.post { _ = loop.schedule(at: host.now() + .milliseconds(10)) { seen.withLock { $0.append(1) } } }
        }
        #expect(order == [1])
    }

    @Test func actorsRunOnTheLoop() async {
        let pinned = Pinned(Self.loop)
        for index in 0..<10 { await pinned.see(index) }
        #expect(await pinned.seen == Array(0..<10))
        let isInside: Bool = await onLoop { done in
            // No task around: a plain hand-over, as from a timer or a packet.
            done(pinned.assumeIsolated { $0.seen.count } == 10)
        }
        #expect(isInside)
        #expect(Self.loop.isIsolatingCurrentContext() == false)
    }

    @Test func timersBelongToTheLoop() async {
        await #expect(processExitsWith: .failure) {
            _ = SystemHost(workers: 1).nextLoop().schedule(at: Instant(nanoseconds: 0)) {}
        }
    }

    @Test func loopsTakeTurns() {
        let host = SystemHost(workers: 1, loops: 3)
        let loops = (0..<6).map { _ in ObjectIdentifier(host.nextLoop()) }
        #expect(Set(loops).count == 3 && Array(loops[0..<3]) == Array(loops[3..<6]))
    }
}
