import Core
import Testing

@testable import Reactor

/// When freed memory is given back.
@Suite struct MemoryReturnTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    @Test func onceForAllThatGoesTogether() {
        var policy = MemoryReturn()
        #expect(policy.freed(at: start) == start + MemoryReturn.settlingTime)
        #expect(policy.freed(at: start + .milliseconds(1)) == nil)
        #expect(policy.freed(at: start + .milliseconds(499)) == nil)
        #expect(policy.isWorthIt(residentKiB: 100_000))
    }

    /// What is freed soon after is given back too, when the interval is over.
    @Test func notTooOften() {
        var policy = MemoryReturn()
        _ = policy.freed(at: start)
        #expect(policy.isWorthIt(residentKiB: 100_000))
        policy.trimmed(residentKiB: 50_000, at: start + .milliseconds(510))
        #expect(policy.freed(at: start + .seconds(1)) == start + .milliseconds(510) + MemoryReturn.interval)
        #expect(policy.isWorthIt(residentKiB: 100_000))
        policy.trimmed(residentKiB: 50_000, at: start + .seconds(6))
        #expect(policy.freed(at: start + .seconds(60)) == start + .seconds(60) + MemoryReturn.settlingTime)
    }

    @Test func notForLittle() {
        var policy = MemoryReturn()
        _ = policy.freed(at: start)
        #expect(policy.isWorthIt(residentKiB: 100_000))
        policy.trimmed(residentKiB: 50_000, at: start)
        _ = policy.freed(at: start + .seconds(10))
        #expect(!policy.isWorthIt(residentKiB: 50_000 + MemoryReturn.gainKiBMin - 1))
        // That was no trimming: the next look is not held up by it.
        #expect(policy.freed(at: start + .seconds(11)) == start + .seconds(11) + MemoryReturn.settlingTime)
        #expect(policy.isWorthIt(residentKiB: 50_000 + MemoryReturn.gainKiBMin))
    }
}
