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
    /// A thread of its own for blocking calls on a network input or output; it ends when the last reference goes.
    func ioThread(named name: String) -> any TaskExecutor
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

/// Deadlines in order, each with a payload: the one timer queue, used by the real loop and by the simulated host.
/// A plain value; equal deadlines come out in the order they went in.
package struct TimerQueue<Payload> {
    private struct Entry {
        let deadline: Instant
        let id: TimerID
        let payload: Payload
        func precedes(_ other: Entry) -> Bool {
            deadline == other.deadline ? id.value < other.id.value : deadline < other.deadline
        }
    }
    private var heap: [Entry] = []
    private var cancelled: Set<TimerID> = []
    private var lastID: UInt64 = 0

    package init() {}

    package mutating func add(_ deadline: Instant, _ payload: Payload) -> TimerID {
        lastID += 1
        heap.append(Entry(deadline: deadline, id: TimerID(lastID), payload: payload))
        var child = heap.count - 1
        while child > 0, heap[child].precedes(heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
        return TimerID(lastID)
    }

    package mutating func cancel(_ id: TimerID) {
        if heap.contains(where: { $0.id == id }) { cancelled.insert(id) }
    }

    package var nextDeadline: Instant? {
        mutating get {
            dropCancelled()
            return heap.first?.deadline
        }
    }

    /// Removes and returns the earliest timer due at `now`.
    package mutating func popDue(at now: Instant) -> Payload? {
        dropCancelled()
        guard let first = heap.first, first.deadline <= now else { return nil }
        return removeFirst().payload
    }

    private mutating func dropCancelled() {
        while let first = heap.first, !cancelled.isEmpty, cancelled.remove(first.id) != nil { _ = removeFirst() }
    }

    private mutating func removeFirst() -> Entry {
        let first = heap[0]
        heap[0] = heap[heap.count - 1]
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child].precedes(heap[least])
            {
                least = child
            }
            if least == parent { return first }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
