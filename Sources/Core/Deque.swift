/// A first-in-first-out queue in a ring buffer. What is popped is released at once; the buffer grows, never shrinks.
package struct Deque<Element> {
    private var slots: [Element?] = []
    private var head = 0
    package private(set) var count = 0

    package init() {}

    package var isEmpty: Bool { count == 0 }
    package var first: Element? { count > 0 ? slots[head] : nil }

    package mutating func append(_ element: Element) {
        if count == slots.count { grow() }
        slots[index(count)] = element
        count += 1
    }

    package mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = slots[head]
        slots[head] = nil
        head = head + 1 == slots.count ? 0 : head + 1
        count -= 1
        return element
    }

    package mutating func removeAll() {
        while popFirst() != nil {}
    }

    /// Removes and returns the first element that fits; those behind it move up.
    package mutating func removeFirst(where fits: (Element) -> Bool) -> Element? {
        for offset in 0..<count {
            guard let element = slots[index(offset)], fits(element) else { continue }
            for later in offset..<(count - 1) { slots[index(later)] = slots[index(later + 1)] }
            slots[index(count - 1)] = nil
            count -= 1
            return element
        }
        return nil
    }

    private func index(_ offset: Int) -> Int {
        let index = head + offset
        return index >= slots.count ? index - slots.count : index
    }

    private mutating func grow() {
        var grown: [Element?] = []
        grown.reserveCapacity(max(8, slots.count * 2))
        for offset in 0..<count { grown.append(slots[index(offset)]) }
        grown += Array(repeating: nil, count: max(8, slots.count * 2) - count)
        slots = grown
        head = 0
    }
}
