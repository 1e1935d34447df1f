import Glibc

/// Immutable bytes of one coded frame, shared by everybody who sends, decodes or writes it.
///
/// Allocated once, freed with the last reference. Followed by `padding` zero bytes, because libavcodec's bit
/// readers read ahead.
package final class Payload: @unchecked Sendable {
    // Sendable: the memory is written only inside `init` and never again.
    private let memory: UnsafeMutableRawPointer
    package let count: Int
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
}
