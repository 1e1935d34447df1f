/// What the machine gives the engine: executors, clock, randomness. Two implementations: `SystemHost` (Reactor) and
/// `SimHost` (TestKit). Nothing below the reactor reads a clock or a random source by any other way.
package protocol Host: AnyObject, Sendable {
    /// The monotonic clock.
    func now() -> Instant
    /// Milliseconds since the Unix epoch, for time stamps that people read.
    func unixMilliseconds() -> Int64
    /// CPU time used by the calling thread, in nanoseconds; 0 in virtual time.
    func threadCPUNanoseconds() -> Int64
    /// A fresh seed; equal in every run of a simulation.
    func seed() -> UInt64
    /// The loop for a new pipeline; loops take turns.
    func nextLoop() -> any Loop
    /// The shared pool for work that costs CPU, entered at the given priority.
    func workers(_ priority: WorkPriority) -> any TaskExecutor
    /// A thread for blocking calls on local files of the device that `path` lies on, so that a hanging mount blocks
    /// nobody but its own users.
    func disk(for path: String) -> any TaskExecutor
    /// Something large has gone: what it had may be given back to the system. May be called often. Nothing in virtual
    /// time.
    func memoryWasFreed()
    /// A thread of its own for blocking calls on a network input or output; it ends when the last reference goes.
    func ioThread(named name: String) -> any TaskExecutor
}

extension Host {
    package func memoryWasFreed() {}
}

/// What waits goes in this order; lower raw values first. Sound has a thread of its own.
package enum WorkPriority: Int, Sendable, CaseIterable { case sound, composition, decode, encode, files }

/// A thread that serves actors and timers. A pipeline is pinned to one.
package protocol Loop: SerialExecutor {
    /// Runs `body` on the loop as soon as it gets to it; callable from any thread.
    func post(_ body: @escaping @Sendable () -> Void)
    /// Runs `body` on the loop at `deadline` or as soon after as it can. Callable only on the loop.
    func schedule(at deadline: Instant, _ body: @escaping @Sendable () -> Void) -> TimerID
    /// Cancels a timer; one that fired already is ignored. Callable only on the loop.
    func cancel(_ timer: TimerID)
    /// A new set of sockets served by this loop, with a receiver of its own. One per user (the port that all peers
    /// share, an endpoint with ports of its own): sets do not see each other's packets. Callable only on the loop.
    /// A loop for runs that do not follow the clock refuses every opening.
    func makeNetwork() -> any LoopNetwork
}

package struct TimerID: Hashable, Sendable {
    package let value: UInt64
    package init(_ value: UInt64) { self.value = value }
}

/// What a timer does, in a struct: a closure that a generic queue keeps by itself is wrapped anew, in memory of its own,
/// each time it is moved.
package struct TimerAction: Sendable {
    package let run: @Sendable () -> Void
    package init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

/// Deadlines in order, each with a payload: the one timer queue, used by the real loop and by the simulated host.
/// A plain value; equal deadlines come out in the order they went in. Allocates only to grow.
package struct TimerQueue<Payload> {
    private var heap = DeadlineHeap()
    private var payloads: [Payload?] = []

    package init() {}

    package mutating func add(_ deadline: Instant, _ payload: Payload) -> TimerID {
        let (id, slot) = heap.add(deadline)
        if slot == payloads.count { payloads.append(payload) } else { payloads[slot] = payload }
        return id
    }

    package mutating func cancel(_ id: TimerID) {
        if let slot = heap.cancel(id) { payloads[slot] = nil }
    }

    package var nextDeadline: Instant? { mutating get { heap.nextDeadline } }

    /// Removes and returns the earliest timer due at `now`.
    package mutating func popDue(at now: Instant) -> Payload? {
        guard let slot = heap.popDue(at: now) else { return nil }
        let payload = payloads[slot]
        payloads[slot] = nil
        return payload
    }
}

/// The order of a `TimerQueue`: a heap of deadlines, each with a slot for its payload. The slot stands in the lower bits
/// of the timer's number, so that to cancel one is to look at its slot.
private struct DeadlineHeap {
    private struct Entry {
        let deadline: Instant
        let number: UInt64
        func precedes(_ other: Entry) -> Bool {
            deadline == other.deadline ? number < other.number : deadline < other.deadline
        }
    }
    /// Sixteen million timers at a time, and 2^40 in all.
    private static let slotBits: UInt64 = 24
    private var heap: [Entry] = []
    /// The timer that has each slot; 0: none, or cancelled.
    private var owners: [UInt64] = []
    private var freeSlots: [Int] = []
    private var cancelled = 0
    private var last: UInt64 = 0

    mutating func add(_ deadline: Instant) -> (id: TimerID, slot: Int) {
        let slot = freeSlots.popLast() ?? owners.count
        precondition(slot < 1 << DeadlineHeap.slotBits, "more timers than anybody could have meant")
        last += 1
        let number = last << DeadlineHeap.slotBits | UInt64(slot)
        if slot == owners.count { owners.append(number) } else { owners[slot] = number }
        heap.append(Entry(deadline: deadline, number: number))
        var child = heap.count - 1
        while child > 0, heap[child].precedes(heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
        return (TimerID(number), slot)
    }

    /// The slot of a timer that had not fired.
    mutating func cancel(_ id: TimerID) -> Int? {
        let slot = slot(id.value)
        guard slot < owners.count, owners[slot] == id.value else { return nil }
        owners[slot] = 0
        cancelled += 1
        if cancelled > 64, cancelled > heap.count / 2 { compact() }
        return slot
    }

    var nextDeadline: Instant? {
        mutating get {
            dropCancelled()
            return heap.first?.deadline
        }
    }

    /// The slot of the earliest timer due, which is free from now on.
    mutating func popDue(at now: Instant) -> Int? {
        dropCancelled()
        guard let first = heap.first, first.deadline <= now else { return nil }
        removeFirst()
        return slot(first.number)
    }

    private func slot(_ number: UInt64) -> Int { Int(number & (1 << DeadlineHeap.slotBits - 1)) }

    private mutating func dropCancelled() {
        while cancelled > 0, let first = heap.first, owners[slot(first.number)] != first.number {
            cancelled -= 1
            removeFirst()
        }
    }

    /// Cancelled timers of a far future would pile up.
    private mutating func compact() {
        for entry in heap where owners[slot(entry.number)] != entry.number { freeSlots.append(slot(entry.number)) }
        let kept = heap.filter { owners[slot($0.number)] == $0.number }
        heap = kept
        // What is sorted is a heap.
        heap.sort { $0.precedes($1) }
        cancelled = 0
    }

    private mutating func removeFirst() {
        let slot = slot(heap[0].number)
        owners[slot] = 0
        freeSlots.append(slot)
        heap[0] = heap[heap.count - 1]
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in (2 * parent + 1)..<(2 * parent + 3)
            where child < heap.count && heap[child].precedes(heap[least]) {
                least = child
            }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
