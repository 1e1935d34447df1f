/// Turns 16-bit sequence numbers into numbers that never wrap, so that all behind it compare and subtract plainly.
///
/// Each number is taken as the one nearest to the newest seen (RFC 3711, section 3.3.1: at most 2^15 either way). The
/// first one maps to itself plus 65 536, so that what was sent before it stays positive.
package struct SequenceUnwrapper: Sendable {
    private var newest: Int64?

    package init() {}

    package mutating func unwrap(_ number: UInt16) -> Int64 {
        guard let newest else {
            let first = Int64(number) + 65_536
            self.newest = first
            return first
        }
        let delta = Int16(bitPattern: number &- UInt16(truncatingIfNeeded: newest))
        let value = newest + Int64(delta)
        self.newest = max(newest, value)
        return value
    }
}

/// The same for 32-bit RTP timestamps: at most 2^31 from the newest either way.
package struct TimestampUnwrapper: Sendable {
    private var newest: Int64?

    package init() {}

    package mutating func unwrap(_ timestamp: UInt32) -> Int64 {
        guard let newest else {
            let first = Int64(timestamp) + (1 << 32)
            self.newest = first
            return first
        }
        let delta = Int32(bitPattern: timestamp &- UInt32(truncatingIfNeeded: newest))
        let value = newest + Int64(delta)
        self.newest = max(newest, value)
        return value
    }
}
