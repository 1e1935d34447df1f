/// Datagrams waiting in one block of memory, first in first out; boundaries are kept.
///
/// Owned by one machine. Bounded: what does not fit is dropped (the newest) and counted. In steady state nothing is
/// allocated: the block is filled, drained and filled again; after a burst it is given back.
package struct DatagramQueue: ~Copyable {
    private var bytes: [UInt8] = []
    private var head = 0
    package private(set) var count = 0
    package private(set) var dropped = 0
    /// All bytes that may wait, four for each datagram's length included.
    private let maxBytes: Int
    /// Empty blocks larger than this are given back.
    private static let keptBytes = 4096

    package init(maxBytes: Int) { self.maxBytes = maxBytes }

    package var isEmpty: Bool { count == 0 }

    /// Copies one datagram in; false if there is no room.
    @discardableResult
    package mutating func append(_ datagram: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count - head + datagram.count + 4 <= maxBytes else {
            dropped += 1
            return false
        }
        compact()
        let length = UInt32(datagram.count)
        withUnsafeBytes(of: length) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: datagram)
        count += 1
        return true
    }

    /// Lets `fill` write up to `capacity` bytes in place; it returns how many, and nothing is kept when that is not
    /// positive. False if there is no room or nothing was written.
    package mutating func append(capacity: Int, fill: (UnsafeMutableRawBufferPointer) -> Int) -> Bool {
        guard bytes.count - head + capacity + 4 <= maxBytes else {
            dropped += 1
            return false
        }
        compact()
        let start = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: capacity + 4))
        let written = bytes.withUnsafeMutableBytes { memory in
            let written = fill(UnsafeMutableRawBufferPointer(rebasing: memory[(start + 4)...]))
            memory.storeBytes(of: UInt32(clamping: written), toByteOffset: start, as: UInt32.self)
            return written
        }
        guard written > 0 else {
            bytes.removeLast(capacity + 4)
            return false
        }
        bytes.removeLast(max(0, capacity - written))
        count += 1
        return true
    }

    /// Hands the oldest datagram to `body` and forgets it; nil when there is none.
    package mutating func pop<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R? {
        guard count > 0 else { return nil }
        let start = head + 4
        let (result, end) = bytes.withUnsafeBytes { memory in
            let end = start + Int(memory.loadUnaligned(fromByteOffset: head, as: UInt32.self))
            return (body(UnsafeRawBufferPointer(rebasing: memory[start..<end])), end)
        }
        head = end
        count -= 1
        if count == 0 { reset() }
        return result
    }

    package mutating func removeAll() {
        count = 0
        reset()
    }

    private mutating func reset() {
        head = 0
        if bytes.capacity > DatagramQueue.keptBytes { bytes = [] } else { bytes.removeAll(keepingCapacity: true) }
    }

    /// What was read makes room once it is the larger part; so each byte is moved once at most on average.
    private mutating func compact() {
        guard head > 0, head * 2 >= bytes.count else { return }
        bytes.removeFirst(head)
        head = 0
    }
}
