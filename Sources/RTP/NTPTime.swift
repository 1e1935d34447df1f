package import Core

/// A time in the format of NTP as RTCP carries it: seconds in the upper, their 2^-32 parts in the lower 32 bits
/// (RFC 3550, section 4). It wraps; only differences to times of the same sender mean anything.
package struct NTPTime: Hashable, Sendable {
    package var bits: UInt64

    package init(bits: UInt64) { self.bits = bits }

    /// A point of the host's monotonic clock, plus what to add to it in seconds so that it becomes wall-clock time of
    /// 1900 (0: the clock stays what it is, which RFC 3550 allows).
    package init(_ instant: Instant, epochSeconds: UInt32 = 0) {
        let nanoseconds = UInt64(max(0, instant.nanoseconds))
        let (seconds, part) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        bits = (seconds &+ UInt64(epochSeconds)) << 32 | (part << 32) / 1_000_000_000
    }

    /// The middle 32 bits, in 2^-16 seconds: LSR and LRR of reports.
    package var middle: UInt32 { UInt32(truncatingIfNeeded: bits >> 16) }

    /// This time minus another of the same clock, at most 68 years either way.
    package func since(_ other: NTPTime) -> MediaTime {
        let difference = Int64(bitPattern: bits &- other.bits)
        let seconds = difference >> 32
        let part = ((difference & 0xFFFF_FFFF) * 1_000_000_000) >> 32
        return MediaTime(nanoseconds: seconds * 1_000_000_000 + part)
    }
}

extension MediaTime {
    /// A span as DLSR and DLRR say it: 2^-16 seconds, clamped to 0…2^32−1.
    package var inNTPShort: UInt32 {
        guard nanoseconds > 0 else { return 0 }
        let (seconds, part) = UInt64(nanoseconds).quotientAndRemainder(dividingBy: 1_000_000_000)
        return UInt32(clamping: seconds << 16 | (part << 16) / 1_000_000_000)
    }

    /// A span of 2^-16 seconds units.
    package init(ntpShort: UInt32) { self.init(nanoseconds: Int64((UInt64(ntpShort) * 1_000_000_000) >> 16)) }
}
