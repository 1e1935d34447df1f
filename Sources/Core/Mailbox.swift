/// What a full mailbox does with what comes next. Offline everything waits; in real time the queue's owner chooses.
package enum OverflowPolicy: String, Sendable {
    /// The sender asks `hasRoom` first; what is pushed all the same is taken.
    case wait
    /// The oldest droppable item makes room.
    case dropOldest
    /// The new item is refused if it is droppable.
    case dropNewest
}

/// A bounded queue from many senders to one task. The sender never blocks; the receiver awaits.
///
/// Control items (formats, flushes, the end) are pushed as not droppable: they always fit, so that no overflow can
/// lose the end of a stream.
package final class Mailbox<Element: Sendable>: Sendable {
    private struct State {
        var items = Deque<(element: Element, droppable: Bool)>()
        var isClosed = false
        var waiter: UnsafeContinuation<Element?, Never>?
    }
    private enum PushOutcome { case queued, wake(UnsafeContinuation<Element?, Never>), dropped(Element) }
    private enum NextOutcome { case ready(Element?), waiting }

    private let state = Lock(State())
    package let capacity: Int
    package let policy: OverflowPolicy

    /// `capacity` counts items, droppable or not.
    package init(capacity: Int, policy: OverflowPolicy) {
        precondition(capacity > 0, "a mailbox holds at least one item")
        self.capacity = capacity
        self.policy = policy
    }

    /// Queues an item; returns what the policy dropped for it, if anything. After `close` the item itself comes back.
    package func push(_ element: Element, droppable: Bool = true) -> Element? {
        let outcome: PushOutcome = state.withLock { state in
            if state.isClosed { return .dropped(element) }
            if let waiter = state.waiter {
                state.waiter = nil
                return .wake(waiter)
            }
            var dropped: Element?
            if state.items.count >= capacity {
                if policy == .dropNewest, droppable { return .dropped(element) }
                if policy == .dropOldest { dropped = state.items.removeFirst(where: \.droppable)?.element }
            }
            state.items.append((element, droppable))
            if let dropped { return .dropped(dropped) }
            return .queued
        }
        switch outcome {
        case .queued: return nil
        case .dropped(let element): return element
        case .wake(let waiter):
            waiter.resume(returning: element)
            return nil
        }
    }

    /// The next item, in order; nil once the mailbox is closed and empty. For one task only.
    package func next() async -> Element? {
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Element?, Never>) in
            let outcome: NextOutcome = state.withLock { state in
                if let item = state.items.popFirst() { return .ready(item.element) }
                if state.isClosed { return .ready(nil) }
                precondition(state.waiter == nil, "a mailbox has one receiver")
                state.waiter = continuation
                return .waiting
            }
            if case .ready(let element) = outcome { continuation.resume(returning: element) }
        }
    }

    /// The next item if one is there now.
    package func nextIfReady() -> Element? { state.withLock { $0.items.popFirst()?.element } }

    /// No more items are taken; those queued are still delivered.
    package func close() {
        let waiter = state.withLock { state -> UnsafeContinuation<Element?, Never>? in
            state.isClosed = true
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: nil)
    }

    /// Throws away what is queued and returns how many items that were.
    package func removeAll() -> Int {
        state.withLock { state in
            defer { state.items.removeAll() }
            return state.items.count
        }
    }

    package var count: Int { state.withLock { $0.items.count } }
}
