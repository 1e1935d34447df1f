import Core
import Testing

@testable import Elements

struct ExpectedLossTests {
    private func at(_ second: Int) -> Instant { Instant(nanoseconds: 0) + .seconds(Double(second)) }

    @Test func followsReportsUpSoonAndDownLate() {
        var loss = ExpectedLoss()
        #expect(loss.update(0, report: 1, at: at(1)) == nil)
        // The same report again says nothing new.
        #expect(loss.update(1, report: 1, at: at(1)) == nil)
        #expect(loss.update(0.1, report: 2, at: at(2)) == 10)
        var told: [(second: Int, percent: Int)] = []
        for second in 3..<60 {
            let share = second < 20 ? 0.2 : 0
            if let percent = loss.update(share, report: second, at: at(second)) { told.append((second, percent)) }
        }
        #expect(told.map(\.percent) == [20, 0])
        #expect(told.first.map { $0.second < 8 } ?? false)
        #expect(told.last.map { $0.second >= 30 } ?? false)
    }

    @Test func strangeSharesAreShares() {
        var loss = ExpectedLoss()
        #expect(loss.update(.infinity, report: 1, at: at(1)) == 30)
        #expect(loss.update(-5, report: 2, at: at(2)) == nil)
    }
}
