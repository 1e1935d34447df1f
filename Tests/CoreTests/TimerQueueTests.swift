import Core
import Testing

@Suite struct TimerQueueTests {
    /// The heap against a list that is searched, over many seeds: same payloads, same order, same next deadline.
    @Test(arguments: 0..<40)
    func agreesWithAList(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var queue = TimerQueue<Int>()
        var list: [(id: TimerID, deadline: Instant, payload: Int)] = []
        var now = Instant(nanoseconds: 0)
        for step in 0..<400 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5:
                // Few distinct deadlines, so that many are equal.
                let deadline = now + .milliseconds(Int.random(in: 0..<12, using: &random))
                list.append((queue.add(deadline, step), deadline, step))
            case 5..<7:
                guard let victim = list.randomElement(using: &random) else { continue }
                queue.cancel(victim.id)
                list.removeAll { $0.id == victim.id }
                // A second time, and one that never was: ignored.
                queue.cancel(victim.id)
                queue.cancel(TimerID(.max))
            default:
                now = now + .milliseconds(Int.random(in: 0..<5, using: &random))
                #expect(queue.nextDeadline == list.map(\.deadline).min())
                let due = list.filter { $0.deadline <= now }.sorted {
                    ($0.deadline, $0.id.value) < ($1.deadline, $1.id.value)
                }
                var popped: [Int] = []
                while let payload = queue.popDue(at: now) { popped.append(payload) }
                #expect(popped == due.map(\.payload))
                list.removeAll { $0.deadline <= now }
            }
        }
    }
}
