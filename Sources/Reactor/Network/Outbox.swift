import CLinux
import Core
import Glibc

/// Datagrams of one turn in the order they are to go: bytes copied once, here, into one piece of memory, and sent
/// together at the end. Fixed in size; when it is full it is sent at once. Owned by a loop's engine.
final class Outbox {
    /// A turn rarely sends more; what is larger pays a few more system calls.
    private static let datagramsMax = 512
    /// All of it stays in a core's second cache.
    private static let bytesMax = 512 << 10
    /// The most a UDP datagram holds over IPv4.
    static let datagramBytesMax = 65507

    private let memory = UnsafeMutableRawPointer.allocate(byteCount: bytesMax, alignment: 64)
    private let items = UnsafeMutablePointer<clinux_outgoing>.allocate(capacity: datagramsMax)
    private var count = 0
    private var used = 0
    /// Which socket the datagrams from an index on go through.
    private var runs: [(socket: UDPSocket, first: Int)] = []

    init() { runs.reserveCapacity(Self.datagramsMax) }

    deinit {
        memory.deallocate()
        items.deallocate()
    }

    /// `bytes` are at most `datagramBytesMax`; `dscp` nil: as the socket marks them.
    func add(
        _ bytes: UnsafeRawBufferPointer, through socket: UDPSocket, from local: IPAddress?, to remote: clinux_address,
        dscp: UInt8? = nil
    ) {
        if count == Self.datagramsMax || used + bytes.count > Self.bytesMax { flush() }
        let copy = memory + used
        if let base = bytes.baseAddress { copy.copyMemory(from: base, byteCount: bytes.count) }
        items[count] = clinux_outgoing(
            bytes: UnsafePointer(copy.assumingMemoryBound(to: UInt8.self)), count: UInt32(bytes.count), remote: remote,
            local_high: local?.high ?? 0, local_low: local?.low ?? 0, dscp: dscp.map { Int16($0) } ?? -1)
        if runs.last?.socket !== socket { runs.append((socket, count)) }
        count += 1
        used += bytes.count
    }

    func flush() {
        guard count > 0 else { return }
        for index in runs.indices {
            let end = index + 1 < runs.count ? runs[index + 1].first : count
            runs[index].socket.transmit(items + runs[index].first, end - runs[index].first)
        }
        runs.removeAll(keepingCapacity: true)
        count = 0
        used = 0
    }
}

/// Datagrams that the kernel had no room for, kept in order until it has. Full: the newest are dropped, counted by the
/// socket. Made only for a socket that needs it.
final class DatagramBacklog {
    /// About 100 ms of a 40 Mbit/s stream: what is older is of no use to anybody.
    private static let datagramsMax = 512
    private static let bytesMax = 640 << 10

    private let memory = UnsafeMutableRawPointer.allocate(byteCount: bytesMax, alignment: 64)
    private let items = UnsafeMutablePointer<clinux_outgoing>.allocate(capacity: datagramsMax)
    private var first = 0
    private var end = 0
    private var used = 0

    deinit {
        memory.deallocate()
        items.deallocate()
    }

    var isEmpty: Bool { first == end }
    var pending: UnsafeMutableBufferPointer<clinux_outgoing> {
        UnsafeMutableBufferPointer(start: items + first, count: end - first)
    }

    /// Whether there was room.
    func append(_ item: clinux_outgoing) -> Bool {
        if end == Self.datagramsMax || used + Int(item.count) > Self.bytesMax { compact() }
        guard end < Self.datagramsMax, used + Int(item.count) <= Self.bytesMax else { return false }
        var copy = item
        let place = (memory + used).assumingMemoryBound(to: UInt8.self)
        place.update(from: item.bytes, count: Int(item.count))
        copy.bytes = UnsafePointer(place)
        items[end] = copy
        end += 1
        used += Int(item.count)
        return true
    }

    func removeFirst(_ count: Int) {
        first += count
        if first == end {
            first = 0
            end = 0
            used = 0
        }
    }

    /// Moves what is left to the front.
    private func compact() {
        guard first > 0 else { return }
        used = 0
        for index in 0..<(end - first) {
            var item = items[first + index]
            let place = (memory + used).assumingMemoryBound(to: UInt8.self)
            memmove(place, item.bytes, Int(item.count))
            item.bytes = UnsafePointer(place)
            items[index] = item
            used += Int(item.count)
        }
        end -= first
        first = 0
    }
}
