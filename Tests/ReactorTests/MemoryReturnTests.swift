import Core
import Testing

@testable import Reactor

/// When freed memory is given back.
@Suite struct MemoryReturnTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    @Test func onceForAllThatGoesTogether() {
        var policy = MemoryReturn()
        let times = [0, 1, 499].map { policy.freed(at: start + .milliseconds($0)) }
        #expect(times == [start + MemoryReturn.settlingTime, nil, nil])
        let isWorthIt = policy.isWorthIt(slackKiB: 100_000)
        #expect(isWorthIt)
    }

    /// What is freed soon after is given back too, when the interval is over.
    @Test func notTooOften() {
        var policy = MemoryReturn()
        _ = policy.freed(at: start)
        _ = policy.isWorthIt(slackKiB: 100_000)
        let trimmedAt = start + .milliseconds(510)
        policy.trimmed(slackKiB: 50_000, at: trimmedAt)
        let second = policy.freed(at: start + .seconds(1))
        #expect(second == trimmedAt + MemoryReturn.interval)
        let isWorthIt = policy.isWorthIt(slackKiB: 100_000)
        #expect(isWorthIt)
        policy.trimmed(slackKiB: 50_000, at: start + .seconds(6))
        let third = policy.freed(at: start + .seconds(60))
        #expect(third == start + .seconds(60) + MemoryReturn.settlingTime)
    }

    @Test func notForLittle() {
        var policy = MemoryReturn()
        _ = policy.freed(at: start)
        _ = policy.isWorthIt(slackKiB: 100_000)
        policy.trimmed(slackKiB: 50_000, at: start)
        _ = policy.freed(at: start + .seconds(10))
        let isLittleWorthIt = policy.isWorthIt(slackKiB: 50_000 + MemoryReturn.gainKiBMin - 1)
        #expect(!isLittleWorthIt)
        // That was no trimming: the next look is not held up by it.
        let next = policy.freed(at: start + .seconds(11))
        #expect(next == start + .seconds(11) + MemoryReturn.settlingTime)
        let isMoreWorthIt = policy.isWorthIt(slackKiB: 50_000 + MemoryReturn.gainKiBMin)
        #expect(isMoreWorthIt)
    }
}
