import Core
import TestKit
import Testing

@Suite struct MailboxTests {
    private func drain(_ mailbox: Mailbox<Int>) -> [Int] {
        var items: [Int] = []
        while let item = mailbox.nextIfReady() { items.append(item) }
        return items
    }

    @Test func waitTakesWhatIsPushedAllTheSame() {
        let mailbox = Mailbox<Int>(capacity: 2, policy: .wait)
        for item in 0..<5 { #expect(mailbox.push(item) == nil) }
        #expect(mailbox.count == 5)
        #expect(drain(mailbox) == [0, 1, 2, 3, 4])
    }

    @Test func dropOldestMakesRoom() {
        let mailbox = Mailbox<Int>(capacity: 3, policy: .dropOldest)
        #expect((0..<5).map { mailbox.push($0) } == [nil, nil, nil, 0, 1])
        #expect(drain(mailbox) == [2, 3, 4])
    }

    @Test func dropNewestRefuses() {
        let mailbox = Mailbox<Int>(capacity: 3, policy: .dropNewest)
        #expect((0..<5).map { mailbox.push($0) } == [nil, nil, nil, 3, 4])
        #expect(drain(mailbox) == [0, 1, 2])
    }

    /// Control items are negative here. Whatever the policy and the order, all of them come out, in order, and no
    /// more media waits than there is room for.
    @Test(arguments: [OverflowPolicy.dropOldest, .dropNewest, .wait], 0..<20)
    func controlIsNeverLost(_ policy: OverflowPolicy, _ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let mailbox = Mailbox<Int>(capacity: 4, policy: policy)
        var control: [Int] = [], dropped: [Int] = [], received: [Int] = [], pushed: [Int] = []
        for step in 1...600 {
            switch Int.random(in: 0..<6, using: &random) {
            case 0:
                control.append(-step)
                dropped += [mailbox.push(-step, droppable: false)].compactMap { $0 }
            case 1: received += [mailbox.nextIfReady()].compactMap { $0 }
            default:
                pushed.append(step)
                dropped += [mailbox.push(step)].compactMap { $0 }
            }
        }
        received += drain(mailbox)
        #expect(received.filter { $0 < 0 } == control)
        #expect(dropped.allSatisfy { $0 > 0 })
        let media = received.filter { $0 > 0 }
        #expect(media == media.sorted() && Set(media).union(dropped) == Set(pushed))
        #expect(media.count + dropped.count == pushed.count)
        #expect(policy == .wait ? dropped.isEmpty : !dropped.isEmpty)
    }

    @Test func closeDeliversWhatIsQueuedAndTakesNoMore() async {
        let mailbox = Mailbox<Int>(capacity: 3, policy: .wait)
        _ = mailbox.push(1)
        mailbox.close()
        #expect(mailbox.push(2) == 2)
        #expect(await mailbox.next() == 1)
        #expect(await mailbox.next() == nil)
    }

    @Test func closeWakesWhoWaits() {
        let sim = SimHost()
        let mailbox = Mailbox<Int>(capacity: 3, policy: .wait)
        let got = Lock<[Int?]>([])
        Task(executorPreference: sim) {
            let first = await mailbox.next()
            got.withLock { $0.append(first) }
            let second = await mailbox.next()
            got.withLock { $0.append(second) }
        }
        sim.run()
        #expect(got.withLock { $0 } == [])
        #expect(mailbox.push(7) == nil)
        #expect(mailbox.count == 0, "it went to the one who waited")
        sim.run()
        mailbox.close()
        sim.run()
        #expect(got.withLock { $0 } == [7, nil])
    }

    @Test func removeAllCounts() {
        let mailbox = Mailbox<Int>(capacity: 3, policy: .wait)
        for item in 0..<3 { _ = mailbox.push(item) }
        _ = mailbox.nextIfReady()
        #expect(mailbox.removeAll() == 2)
        #expect(mailbox.nextIfReady() == nil)
    }

    /// Many real senders and one receiver: each sender's items arrive in its order, none twice, none lost.
    @Test func manySenders() async {
        let mailbox = Mailbox<Int>(capacity: 8, policy: .wait)
        async let received: [Int] = {
            var items: [Int] = []
            while let item = await mailbox.next() { items.append(item) }
            return items
        }()
        await withTaskGroup(of: Void.self) { group in
            for sender in 0..<4 {
                group.addTask { for item in 0..<2000 { _ = mailbox.push(sender * 10_000 + item) } }
            }
        }
        mailbox.close()
        let items = await received
        #expect(items.count == 8000)
        for sender in 0..<4 {
            let own = items.filter { $0 / 10_000 == sender }
            #expect(own == own.sorted() && own.count == 2000)
        }
    }
}
