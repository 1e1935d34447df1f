package import Core

/// Maps the RTP timestamps of one stream to its sender's wall clock, by sender reports (RFC 3550, section 6.4.1).
/// Streams of one CNAME share that clock, so their sound and pictures can be laid side by side.
///
/// A line is laid through the reports of the last minutes: its slope is the sender's real clock rate once they span
/// `regressionSpan`, and the nominal one before. A report far from the line is put aside until a second one says the
/// same: then the sender's clock has jumped, and the line begins anew. Between and after reports the line is simply
/// extended, so missing ones do no harm.
package struct SenderClock: Sendable {
    /// Reports remembered: two minutes of browsers' video, ten of their sound.
    private static let reportLimit = 128
    /// Over less than this the rounding of reports (a millisecond in some senders) spoils a slope.
    private static let regressionSpan = 30e9
    /// Crystals are good to 100 ppm; more than this is no drift.
    private static let driftMax = 1e-3
    /// Further from the line than this lies no honest report.
    private static let outlier = 50e6

    private struct Report {
        var timestamp: Int64
        /// Nanoseconds since 1900.
        var time: Int64
    }

    private let nominal: Double
    private var reports: [Report] = []
    private var suspect: Report?
    private var pending: SenderReport?
    /// The line: time = anchor.time + offset + slope × (timestamp − anchor.timestamp).
    private var anchor = Report(timestamp: 0, time: 0)
    private var offset = 0.0
    private var slope: Double
    /// Jumps of the sender's clock.
    package private(set) var jumps = 0

    /// `clockRate` in ticks per second.
    package init(clockRate: Int) {
        nominal = 1e9 / Double(max(1, clockRate))
        slope = nominal
        reports.reserveCapacity(SenderClock.reportLimit)
    }

    /// The sender's clock against the nominal rate of its timestamps: 1.0001 where 90 000 ticks take 1.0001 s.
    package var rate: Double { slope / nominal }

    /// Takes a report; `newest` is the newest unwrapped timestamp of the stream, nil before its first packet: then the
    /// report waits for `begin`.
    package mutating func receive(_ report: SenderReport, newest: Int64?) {
        guard let newest else {
            pending = report
            return
        }
        let delta = Int32(bitPattern: report.rtpTimestamp &- UInt32(truncatingIfNeeded: newest))
        let bits = report.ntpTime.bits
        // Seconds up to 2^32 are 4.3e18 nanoseconds: below 2^63.
        let time = Int64(bits >> 32) * 1_000_000_000 + Int64(((bits & 0xFFFF_FFFF) * 1_000_000_000) >> 32)
        // A sender that does not know the time sends zero.
        if bits != 0 { take(Report(timestamp: newest &+ Int64(delta), time: time)) }
    }

    /// Says the timestamp of the stream's first packet.
    package mutating func begin(at timestamp: Int64) {
        guard let report = pending else { return }
        pending = nil
        receive(report, newest: timestamp)
    }

    /// The sender's time of a timestamp, since 1900; nil before the first report.
    package func time(of timestamp: Int64) -> MediaTime? {
        guard !reports.isEmpty else { return nil }
        let ahead = offset + slope * Double(timestamp &- anchor.timestamp)
        // Centuries away is the same as far away.
        let bounded = Int64(min(max(ahead, -4e18), 4e18))
        return MediaTime(nanoseconds: anchor.time) + MediaTime(nanoseconds: bounded)
    }

    private mutating func take(_ report: Report) {
        guard let last = reports.last else { return begin(with: [report]) }
        if abs(distance(report)) <= SenderClock.outlier {
            suspect = nil
            // A report that was overtaken, or sent twice, says nothing new.
            guard report.timestamp > last.timestamp, report.time > last.time else { return }
            if reports.count == SenderClock.reportLimit { reports.removeFirst() }
            reports.append(report)
            lay()
        } else if let before = suspect, agree(before, report) {
            jumps += 1
            begin(with: [before, report])
        } else {
            suspect = report
        }
    }

    private func distance(_ report: Report) -> Double {
        let ahead = offset + slope * Double(report.timestamp &- anchor.timestamp)
        return Double(report.time) - Double(anchor.time) - ahead
    }

    private func agree(_ a: Report, _ b: Report) -> Bool {
        let error = Double(b.time - a.time) - nominal * Double(b.timestamp &- a.timestamp)
        return b.time > a.time && abs(error) <= SenderClock.outlier
    }

    private mutating func begin(with first: [Report]) {
        reports.removeAll(keepingCapacity: true)
        reports += first
        suspect = nil
        slope = nominal
        lay()
    }

    /// Least squares, from the newest report backward, so that the numbers stay small.
    private mutating func lay() {
        guard let newest = reports.last else { return }
        anchor = newest
        let count = Double(reports.count)
        var (sumX, sumY) = (0.0, 0.0)
        for report in reports {
            sumX += Double(report.timestamp &- newest.timestamp)
            sumY += Double(report.time - newest.time)
        }
        let (meanX, meanY) = (sumX / count, sumY / count)
        let span = Double(newest.time - reports[0].time)
        slope = nominal
        if span >= SenderClock.regressionSpan {
            var (xx, xy) = (0.0, 0.0)
            for report in reports {
                let x = Double(report.timestamp &- newest.timestamp) - meanX
                xx += x * x
                xy += x * (Double(report.time - newest.time) - meanY)
            }
            if xx > 0, abs(xy / xx / nominal - 1) <= SenderClock.driftMax { slope = xy / xx }
        }
        offset = meanY - slope * meanX
    }
}
