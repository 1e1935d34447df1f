import Core

/// What somebody who shares a socket among many agents needs to know of a datagram; reads a few bytes, builds nothing.
package enum STUNRouting {
    /// The part of a Binding request that is our agent's: where the local ufrag (all before the colon of USERNAME)
    /// lies. Nil for everything else.
    package static func localUfragRange(_ bytes: RawSpan) -> Range<Int>? {
        guard STUNMessage.isSTUN(bytes) else { return nil }
        do {
            var reader = ByteReader(bytes)
            guard try reader.u16() == 1 else { return nil }
            try reader.skip(18)
            while reader.remaining >= 4 {
                let type = try reader.u16()
                let count = Int(try reader.u16())
                guard type == STUNAttribute.username.rawValue else {
                    try reader.skip((count + 3) & ~3)
                    continue
                }
                let start = reader.offset
                // Up to 256 characters each, and a colon.
                for index in 0..<min(count, 257) where try reader.peek(index) == UInt8(ascii: ":") {
                    return start..<(start + index)
                }
                return nil
            }
        } catch { return nil }
        return nil
    }

    /// The local ufrag as text; our own are short enough to need no memory.
    package static func localUfrag(_ bytes: RawSpan) -> String? {
        localUfragRange(bytes).map { bytes.text($0) }
    }

    /// Of an answer: the `ICEAgent.transactionTag` of the agent that asked.
    package static func tag(_ bytes: RawSpan) -> UInt32? {
        guard STUNMessage.isSTUN(bytes), bytes.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt8.self) & 1 == 1 else {
            return nil
        }
        return UInt32(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: 8, as: UInt32.self))
    }
}
