/// A point or a span on a media time line, in nanoseconds. Plain value; arithmetic saturates at `.infinity`.
///
/// Pipeline time starts at 0 when the pipeline starts; a frame's `pts` is the pipeline time at which it is due.
/// Nanoseconds hold 1/29.97 s and 1/44 100 s to within a nanosecond; positions are always computed from a count
/// (`MediaTime(count, per: rate)`), never by adding rounded steps, so nothing drifts.
package struct MediaTime: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var nanoseconds: Int64

    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    package static let zero = MediaTime(nanoseconds: 0)
    /// Later than everything: the watermark of a stream that has ended.
    package static let infinity = MediaTime(nanoseconds: .max)
    /// Earlier than everything: the watermark of a stream of which nothing is known yet.
    package static let distantPast = MediaTime(nanoseconds: .min)

    package static func seconds(_ value: Double) -> MediaTime {
        MediaTime(nanoseconds: Int64((value * 1e9).rounded()))
    }
    package static func milliseconds(_ value: Int) -> MediaTime { MediaTime(nanoseconds: Int64(value) * 1_000_000) }

    /// The time of item number `count` at `rate` items per second, rounded to the nearest nanosecond.
    package init(_ count: Int64, per rate: Rational) {
        let scaled = count.multipliedFullWidth(by: Int64(rate.denominator) * 1_000_000_000)
        let divisor = Int64(rate.numerator)
        let magnitude = count.magnitude.multipliedFullWidth(by: UInt64(rate.denominator) * 1_000_000_000)
        guard magnitude.high < UInt64(divisor) else {
            self = scaled.high < 0 ? .distantPast : .infinity
            return
        }
        let (quotient, remainder) = UInt64(divisor).dividingFullWidth(magnitude)
        let rounded = Int64(clamping: remainder >= UInt64(divisor) - remainder ? quotient + 1 : quotient)
        self.nanoseconds = count < 0 ? -rounded : rounded
    }

    /// The time of sample number `samples` at `rate` samples per second.
    package init(samples: Int64, rate: Int) { self.init(samples, per: Rational(rate, 1)) }

    /// How many items at `rate` per second lie before this time, rounded to the nearest.
    package func count(per rate: Rational) -> Int64 {
        let magnitude = nanoseconds.magnitude.multipliedFullWidth(by: UInt64(rate.numerator))
        let divisor = UInt64(rate.denominator) * 1_000_000_000
        guard magnitude.high < divisor else { return nanoseconds < 0 ? .min : .max }
        let (quotient, remainder) = divisor.dividingFullWidth(magnitude)
        let rounded = Int64(clamping: remainder >= divisor - remainder ? quotient + 1 : quotient)
        return nanoseconds < 0 ? -rounded : rounded
    }

    package func samples(rate: Int) -> Int64 { count(per: Rational(rate, 1)) }

    package var seconds: Double { Double(nanoseconds) / 1e9 }
    package var isFinite: Bool { self != .infinity && self != .distantPast }

    package static func < (a: MediaTime, b: MediaTime) -> Bool { a.nanoseconds < b.nanoseconds }

    package static func + (a: MediaTime, b: MediaTime) -> MediaTime {
        if !a.isFinite { return a }
        if !b.isFinite { return b }
        let (sum, overflow) = a.nanoseconds.addingReportingOverflow(b.nanoseconds)
        return overflow ? (a.nanoseconds < 0 ? .distantPast : .infinity) : MediaTime(nanoseconds: sum)
    }
    package static prefix func - (a: MediaTime) -> MediaTime {
        if a == .infinity { return .distantPast }
        return a == .distantPast ? .infinity : MediaTime(nanoseconds: -a.nanoseconds)
    }
    package static func - (a: MediaTime, b: MediaTime) -> MediaTime { a + (-b) }
    package static func += (a: inout MediaTime, b: MediaTime) { a = a + b }
    package static func / (a: MediaTime, b: Int64) -> MediaTime {
        a.isFinite ? MediaTime(nanoseconds: a.nanoseconds / b) : a
    }

    /// `h:mm:ss.mmm`, or `∞`.
    package var description: String {
        guard isFinite else { return self == .infinity ? "∞" : "-∞" }
        let milliseconds = nanoseconds.magnitude / 1_000_000
        func padded(_ value: UInt64, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let sign = nanoseconds < 0 ? "-" : ""
        return "\(sign)\(milliseconds / 3_600_000):\(padded(milliseconds / 60_000 % 60, 2)):"
            + "\(padded(milliseconds / 1000 % 60, 2)).\(padded(milliseconds % 1000, 3))"
    }
}

/// A point on the host's monotonic clock, in nanoseconds; only differences mean anything.
package struct Instant: Hashable, Comparable, Sendable {
    package var nanoseconds: Int64
    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
    package static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }
    package static func + (a: Instant, b: MediaTime) -> Instant {
        Instant(nanoseconds: (MediaTime(nanoseconds: a.nanoseconds) + b).nanoseconds)
    }
    package static func - (a: Instant, b: Instant) -> MediaTime {
        MediaTime(nanoseconds: a.nanoseconds - b.nanoseconds)
    }
}

/// A positive fraction such as a frame rate (30000/1001) or a pixel aspect (4/3), kept in lowest terms.
package struct Rational: Hashable, Sendable, CustomStringConvertible {
    package let numerator: Int
    package let denominator: Int

    /// Traps on a part that is not positive: bytes from outside are checked before they come here.
    package init(_ numerator: Int, _ denominator: Int) {
        precondition(numerator > 0 && denominator > 0, "Rational needs positive parts")
        var (a, b) = (numerator, denominator)
        while b != 0 { (a, b) = (b, a % b) }
        self.numerator = numerator / a
        self.denominator = denominator / a
    }

    package var value: Double { Double(numerator) / Double(denominator) }
    /// The span of one item at this rate.
    package var interval: MediaTime { MediaTime(1, per: self) }
    package var description: String { denominator == 1 ? "\(numerator)" : "\(numerator)/\(denominator)" }
}
