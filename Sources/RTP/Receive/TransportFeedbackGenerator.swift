package import Core

/// Records when packets with transport-wide sequence numbers arrive and reports it to their sender
/// (draft-holmer-rmcat-transport-wide-cc-extensions-01). One per transport, owned by its peer.
///
/// A report every 50 to 100 ms, so that reports take about a twentieth of what arrives; it speaks of every number from
/// where the last one ended to the newest. Numbers that came late, behind a report, are told in the next one.
package struct TransportFeedbackGenerator: Sendable {
    package static let shortestInterval = MediaTime.milliseconds(50)
    package static let longestInterval = MediaTime.milliseconds(100)
    /// Bits of a usual report with its IP, UDP and SRTP parts.
    private static let reportBits: Int64 = 68 * 8
    /// Reports may take one part in this many of what arrives.
    private static let share: Int64 = 20
    /// Arrivals remembered: 100 ms of 160 Mbit/s. Older numbers are no longer reported.
    private static let window: Int64 = 2048

    private var tracker = SequenceTracker()
    private var arrivals = [Int64](repeating: .min, count: Int(TransportFeedbackGenerator.window))
    /// First number of the next report.
    private var begin: Int64?
    /// Behind the newest number recorded.
    private var end: Int64 = 0
    private var nextReport: Instant?
    private var lastReport: Instant?
    private var bytes: Int64 = 0
    private var interval = TransportFeedbackGenerator.longestInterval
    private var feedbackCount: UInt8 = 0
    /// Numbers that were received, but pushed out by newer ones before a report.
    package private(set) var overrun = 0
    /// Packets that came twice or behind what is remembered.
    package private(set) var ignored = 0

    package init() {}

    /// Notes a packet with the transport's number and its size on the wire in bytes.
    package mutating func receive(_ number: UInt16, size: Int, at now: Instant) {
        bytes += Int64(max(0, size))
        guard let sequence = place(number) else {
            ignored += 1
            return
        }
        if let begin {
            guard sequence > end - TransportFeedbackGenerator.window, !isRecorded(sequence) else {
                ignored += 1
                return
            }
            // Late ones are told again in a report of their own stretch.
            self.begin = min(begin, sequence)
        } else {
            begin = sequence
            end = sequence
        }
        advance(to: sequence + 1)
        arrivals[slot(sequence)] = now.nanoseconds
        if nextReport == nil { nextReport = (lastReport ?? now) + interval }
    }

    /// When the next report is due; nil while nothing arrived since the last.
    package var deadline: Instant? { nextReport }

    /// The next report, or one more part of it, if it is due. Call until nil.
    package mutating func poll(at now: Instant, senderSSRC: UInt32, mediaSSRC: UInt32) -> TransportFeedback? {
        guard let due = nextReport, due <= now, var sequence = begin else { return nil }
        while sequence < end, !isRecorded(sequence) { sequence += 1 }
        guard sequence < end else {
            finish(at: now)
            return nil
        }
        var report = TransportFeedback(
            senderSSRC: senderSSRC, mediaSSRC: mediaSSRC, feedbackCount: feedbackCount,
            baseSequenceNumber: UInt16(truncatingIfNeeded: sequence),
            arrival: Instant(nanoseconds: arrivals[slot(sequence)]))
        feedbackCount &+= 1
        sequence += 1
        while sequence < end {
            let arrival = isRecorded(sequence) ? Instant(nanoseconds: arrivals[slot(sequence)]) : nil
            guard report.append(arrival: arrival) else { break }
            sequence += 1
        }
        begin = sequence
        if sequence == end { finish(at: now) }
        return report
    }

    private mutating func finish(at now: Instant) {
        begin = end
        nextReport = nil
        let elapsed = max(1, lastReport.map { (now - $0).nanoseconds } ?? interval.nanoseconds)
        // Spread so that reports take their share of the rate; bits, bytes and nanoseconds stay far below 2^63.
        let wanted = TransportFeedbackGenerator.reportBits * TransportFeedbackGenerator.share
        let spread = Double(wanted) / Double(max(1, bytes * 8)) * Double(elapsed)
        interval = min(
            TransportFeedbackGenerator.longestInterval,
            max(TransportFeedbackGenerator.shortestInterval, MediaTime(nanoseconds: Int64(min(spread, 1e9)))))
        bytes = 0
        lastReport = now
    }

    private mutating func place(_ number: UInt16) -> Int64? {
        switch tracker.place(number) {
        case .number(let sequence): return sequence
        case .suspect: return nil
        case .restarted(let sequence):
            begin = nil
            for index in arrivals.indices { arrivals[index] = .min }
            return sequence
        }
    }

    /// Makes room up to `newEnd`: forgets what leaves the window.
    private mutating func advance(to newEnd: Int64) {
        guard newEnd > end else { return }
        let window = TransportFeedbackGenerator.window
        for sequence in max(end, newEnd - window)..<newEnd {
            let old = sequence - window
            if let begin, old >= begin, arrivals[slot(old)] != .min { overrun += 1 }
            arrivals[slot(sequence)] = .min
        }
        end = newEnd
        if let begin { self.begin = max(begin, end - window) }
    }

    private func isRecorded(_ sequence: Int64) -> Bool { sequence < end && arrivals[slot(sequence)] != .min }

    private func slot(_ sequence: Int64) -> Int {
        Int(truncatingIfNeeded: sequence & (TransportFeedbackGenerator.window - 1))
    }
}
