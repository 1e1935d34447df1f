import Core
import Testing

@Suite struct LockTests {
    private struct Refused: Error {}

    @Test func oneAtATime() async {
        let lock = Lock(0)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 { group.addTask { for _ in 0..<5000 { lock.withLock { $0 += 1 } } } }
        }
        #expect(lock.withLock { $0 } == 20_000)
    }

    @Test func aThrowUnlocks() {
        let lock = Lock(0)
        #expect(throws: Refused.self) {
            try lock.withLock { (_) throws(Refused) in throw Refused() }
        }
        #expect(lock.withLock { $0 } == 0)
    }
}
