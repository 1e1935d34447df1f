/// Writes big-endian fields, one after the other, into memory that somebody else owns and that does not grow. What does
/// not fit is left out and makes `isOverrun` true, so that a sender asks once at the end. Allocates nothing.
package struct FixedWriter {
    private let memory: UnsafeMutableRawBufferPointer
    /// Bytes written so far.
    package private(set) var count = 0
    /// Something did not fit; what was written is then of no use.
    package private(set) var isOverrun = false

    package init(_ memory: UnsafeMutableRawBufferPointer) { self.memory = memory }

    package var remaining: Int { memory.count - count }
    /// What was written, or nil if something did not fit.
    package var finished: Int? { isOverrun ? nil : count }

    package mutating func u8(_ value: UInt8) { store(value) }
    package mutating func u16(_ value: UInt16) { store(value.bigEndian) }
    package mutating func u24(_ value: UInt32) {
        u8(UInt8(truncatingIfNeeded: value >> 16))
        u16(UInt16(truncatingIfNeeded: value))
    }
    package mutating func u32(_ value: UInt32) { store(value.bigEndian) }
    package mutating func u64(_ value: UInt64) { store(value.bigEndian) }

    private mutating func store<Value: BitwiseCopyable>(_ value: Value) {
        guard claim(MemoryLayout<Value>.size) else { return }
        memory.storeBytes(of: value, toByteOffset: count, as: Value.self)
        count += MemoryLayout<Value>.size
    }

    package mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard claim(bytes.count), !bytes.isEmpty else { return }
        UnsafeMutableRawBufferPointer(rebasing: memory[count..<(count + bytes.count)]).copyMemory(from: bytes)
        count += bytes.count
    }

    package mutating func append(_ bytes: [UInt8]) { bytes.withUnsafeBytes { append($0) } }

    /// Zero bytes until the length is a multiple of `size`.
    package mutating func pad(to size: Int) {
        while count % size != 0, !isOverrun { u8(0) }
    }

    /// Overwrites the 16-bit field at `offset`, for lengths known afterwards. Outside what was written: does nothing.
    package mutating func patch(u16 value: UInt16, at offset: Int) {
        guard offset >= 0, offset + 2 <= count else { return }
        memory.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt16.self)
    }

    private mutating func claim(_ size: Int) -> Bool {
        guard !isOverrun, size <= remaining else {
            isOverrun = true
            return false
        }
        return true
    }
}
