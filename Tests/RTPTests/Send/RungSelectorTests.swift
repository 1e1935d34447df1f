import Core
import RTP
import Testing

struct RungSelectorTests {
    private func time(_ seconds: Double) -> Instant { Instant(nanoseconds: 0) + .seconds(seconds) }

    /// Feeds estimates every 100 ms and returns the changes with their times.
    private func run(
        _ selector: inout RungSelector, from: Double, to: Double, _ estimate: (Double) -> Int
    ) -> [(Double, Int)] {
        var changes: [(Double, Int)] = []
        for tenth in Int(from * 10)..<Int(to * 10) {
            let now = Double(tenth) / 10
            if let rung = selector.update(estimate: estimate(now), at: time(now)) { changes.append((now, rung)) }
        }
        return changes
    }

    private let ladder = RungSelector(rates: [150_000, 500_000, 1_500_000], overhead: 50_000)

    @Test func risesOnlyAfterHolding() throws {
        var selector = ladder
        #expect(selector.wish == 625_000)
        let changes = run(&selector, from: 0, to: 3) { _ in 700_000 }
        #expect(changes.map(\.1) == [1])
        #expect(try #require(changes.first).0 >= 1)
        // Not enough for the third, however long it lasts.
        #expect(run(&selector, from: 3, to: 30) { _ in 1_700_000 }.isEmpty)
    }

    @Test func theFirstStepComesSooner() throws {
        var selector = ladder
        selector.begin(estimate: 300_000)
        let first = run(&selector, from: 0, to: 2) { _ in 700_000 }
        #expect(first.map(\.1) == [1])
        #expect((0.3...0.4).contains(try #require(first.first).0))
        // The next ones wait as ever.
        let next = run(&selector, from: 2, to: 5) { _ in 5_000_000 }
        #expect(try #require(next.first).0 >= 3)
    }

    @Test func risesAsHighAsFitsInOneStep() {
        var selector = ladder
        #expect(run(&selector, from: 0, to: 5) { _ in 5_000_000 }.map(\.1) == [2])
        #expect(selector.wish == nil)
    }

    @Test func fallsAtOnceWhereItIsDeep() {
        var selector = ladder
        _ = run(&selector, from: 0, to: 5) { _ in 5_000_000 }
        let changes = run(&selector, from: 20, to: 21) { _ in 300_000 }
        #expect(changes.map(\.0) == [20] && changes.map(\.1) == [0])
    }

    @Test func aShortDipChangesNothing() {
        var selector = ladder
        _ = run(&selector, from: 0, to: 5) { _ in 5_000_000 }
        #expect(run(&selector, from: 20, to: 25) { $0 < 20.2 ? 1_300_000 : 1_700_000 }.isEmpty)
        #expect(run(&selector, from: 30, to: 35) { _ in 1_300_000 }.map(\.1) == [1])
    }

    @Test func afterAFailureItWaitsLonger() {
        var selector = ladder
        // A line on which each step up ends badly after a second.
        var steps: [Double] = []
        var raised: Double?
        for tenth in 0..<1200 {
            let now = Double(tenth) / 10
            let isBad = raised.map { now - $0 > 1 && now - $0 < 2 } ?? false
            if let rung = selector.update(estimate: isBad ? 100_000 : 700_000, at: time(now)), rung == 1 {
                steps.append(now)
                raised = now
            }
        }
        #expect(steps.count < 12, "\(steps)")
        #expect(steps.count > 3)
        let gaps = zip(steps.dropFirst(), steps).map { $0 - $1 }
        #expect((gaps.last ?? 0) > 20)
    }

    @Test func theLowestRungStays() {
        var selector = ladder
        #expect(run(&selector, from: 0, to: 10) { _ in 10_000 }.isEmpty)
        #expect(selector.rung == 0)
    }
}
