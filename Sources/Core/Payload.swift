import Glibc

/// Immutable bytes of one coded frame, shared by everybody who sends, decodes or writes it.
///
/// Allocated once, freed with the last reference, or filled anew by a `PayloadRing` when nobody else holds it. Followed
/// by `padding` zero bytes, because libavcodec's bit readers read ahead.
package final class Payload: @unchecked Sendable {
    // Sendable: the memory is written only inside `init`, and by the ring that owns the payload while that has its only
    // reference. Whoever let go of another one before has read all it wanted: giving a reference back is an atomic release,
    // and `isKnownUniquelyReferenced` reads the count with acquire. Collections that are copied on write stand on the same.
    // No second reference can come from anywhere but the ring: nobody refers to payloads weakly.
    private let memory: UnsafeMutableRawPointer
    package private(set) var count: Int
    package static let padding = 64

    /// Allocates `count` bytes and lets `fill` write them; they are zero before.
    package init<Failure: Error>(
        count: Int, fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        guard let memory = calloc(1, count + Payload.padding) else { fatalError("out of memory: \(count) bytes") }
        do {
            try fill(UnsafeMutableRawBufferPointer(start: memory, count: count))
        } catch {
            free(memory)
            throw error
        }
        self.memory = memory
        self.count = count
    }

    package convenience init(copying source: UnsafeRawBufferPointer) {
        self.init(count: source.count) { $0.copyMemory(from: source) }
    }

    package convenience init(_ bytes: [UInt8]) {
        self.init(count: bytes.count) { destination in
            bytes.withUnsafeBytes { destination.copyMemory(from: $0) }
        }
    }

    deinit { free(memory) }

    /// The bytes, valid during the call; `Payload.padding` readable zero bytes follow them.
    package func withUnsafeBytes<R, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> R
    ) throws(Failure) -> R {
        try body(UnsafeRawBufferPointer(start: memory, count: count))
    }

    package var bytes: [UInt8] { withUnsafeBytes { [UInt8]($0) } }

    /// Other bytes, not more than it was made for. Only while nobody else refers to it.
    fileprivate func refill(_ bytes: UnsafeRawBufferPointer) {
        if let base = bytes.baseAddress { memory.copyMemory(from: base, byteCount: bytes.count) }
        memset(memory + bytes.count, 0, Payload.padding)
        count = bytes.count
    }
}

/// Makes payloads of small packets that come all the time, in memory that is used again: it keeps those it made, in the
/// order of their making, and fills the oldest anew when nobody else refers to it any more. Owned by a loop; the payloads
/// may be let go on any thread.
package struct PayloadRing {
    private var payloads: [Payload] = []
    /// The oldest.
    private var next = 0
    /// What is larger has memory of its own.
    private let bytesMax: Int
    /// What goes beyond is not kept.
    private let countMax: Int
    private static let passedMax = 8

    package init(bytesMax: Int, countMax: Int) {
        self.bytesMax = bytesMax
        self.countMax = countMax
    }

    package mutating func copy(_ bytes: UnsafeRawBufferPointer) -> Payload {
        guard bytes.count <= bytesMax else { return Payload(copying: bytes) }
        if next == payloads.count { next = 0 }
        // Somebody may hold some for ever: when there is no place for more, these are passed over.
        for _ in 0..<PayloadRing.passedMax
        where payloads.count == countMax && !isKnownUniquelyReferenced(&payloads[next]) {
            next = next + 1 == payloads.count ? 0 : next + 1
        }
        if next < payloads.count, isKnownUniquelyReferenced(&payloads[next]) {
            payloads[next].refill(bytes)
        } else if payloads.count < countMax {
            let payload = Payload(count: bytesMax) { _ in }
            payload.refill(bytes)
            payloads.insert(payload, at: next)
        } else {
            return Payload(copying: bytes)
        }
        next += 1
        return payloads[next - 1]
    }
}
