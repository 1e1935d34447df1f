package import Core

/// What a receiver knows of one stream (RFC 3550, appendices A.3 and A.8) and says about it in report blocks. A plain
/// value, one per SSRC; owned by the stream's machine.
package struct ReceptionStatistics: Sendable {
    package let ssrc: UInt32
    /// Ticks of the RTP timestamp per second; changes with the payload type.
    package var clockRate: Int
    /// Packets that arrived, duplicates included.
    package private(set) var received: Int64 = 0

    private var tracker = SequenceTracker()
    private var first: Int64 = 0
    private var highest: Int64 = 0
    /// Of runs before a restart: expected packets.
    private var expectedBefore: Int64 = 0
    private var expectedAtReport: Int64 = 0
    private var receivedAtReport: Int64 = 0
    /// Arrival minus timestamp of the last packet, in ticks; nil: the next packet begins anew.
    private var transit: Double?
    private var jitterTicks = 0.0
    private var lastTimestamp: UInt32?
    private var senderReport: (time: NTPTime, arrival: Instant)?

    package init(ssrc: UInt32, clockRate: Int) {
        self.ssrc = ssrc
        self.clockRate = max(1, clockRate)
    }

    /// Notes a packet as it came from the network, in any order.
    package mutating func receive(_ header: RTPHeader, at now: Instant) {
        received += 1
        switch tracker.place(header.sequenceNumber) {
        case .number(let number):
            if received == 1 { first = number }
            highest = max(highest, number)
        case .suspect:
            break
        case .restarted(let number):
            // The suspect before this packet was counted as received and is the first one expected now.
            expectedBefore += highest - first + 1
            first = number - 1
            highest = number
            transit = nil
        }
        measure(header.timestamp, at: now)
    }

    /// Section 6.4.1: the mean deviation of the difference in spacing, gain 1/16. Packets of one picture share a
    /// timestamp although they are sent one after the other; only the first of them is measured.
    private mutating func measure(_ timestamp: UInt32, at now: Instant) {
        guard timestamp != lastTimestamp else { return }
        let arrival = Double(now.nanoseconds) * Double(clockRate) / 1e9
        if let transit, let lastTimestamp {
            let step = Double(Int32(bitPattern: timestamp &- lastTimestamp))
            let difference = abs(arrival - transit - step)
            // Half a minute and more is no jitter but a jump of the timestamps.
            if difference < 30 * Double(clockRate) { jitterTicks += (difference - jitterTicks) / 16 }
        }
        transit = arrival
        lastTimestamp = timestamp
    }

    /// Notes a sender report of this stream.
    package mutating func receive(_ report: SenderReport, at now: Instant) {
        guard report.ssrc == ssrc else { return }
        senderReport = (report.ntpTime, now)
    }

    /// Interarrival jitter.
    package var jitter: MediaTime { .seconds(jitterTicks / Double(clockRate)) }
    /// Packets expected minus received; duplicates make it smaller, even negative.
    package var lost: Int64 { received == 0 ? 0 : expected - received }
    /// Packets between the first and the highest number.
    package var expected: Int64 { received == 0 ? 0 : expectedBefore + highest - first + 1 }

    /// What to report now; nil before the first packet. Begins a new interval of `fractionLost`.
    package mutating func reportBlock(at now: Instant) -> ReportBlock? {
        guard received > 0 else { return nil }
        let expectedNow = expected - expectedAtReport
        let lostNow = expectedNow - (received - receivedAtReport)
        expectedAtReport = expected
        receivedAtReport = received
        var block = ReportBlock(ssrc: ssrc)
        if expectedNow > 0, lostNow > 0 { block.fractionLost = UInt8(clamping: lostNow * 256 / expectedNow) }
        block.cumulativeLost = Int32(min(max(lost, -0x80_0000), 0x7F_FFFF))
        // The unwrapped numbers begin one cycle up.
        block.highestSequenceNumber = UInt32(truncatingIfNeeded: highest - 65_536)
        block.jitter = UInt32(clamping: Int64(min(jitterTicks, 4e9)))
        if let senderReport {
            block.lastSenderReport = senderReport.time.middle
            block.delaySinceLastSenderReport = (now - senderReport.arrival).inNTPShort
        }
        return block
    }
}

/// Round trips measured by who sends no media: it sends its time (XR RRTR) and gets it back (XR DLRR; RFC 3611,
/// sections 4.4 and 4.5). The same sum measures by LSR and DLSR of report blocks (RFC 3550, section 6.4.1).
package struct RoundTripMeter: Sendable {
    /// Longer ones are a clock's jump or a lie.
    private static let longest = MediaTime.seconds(60)
    /// A tenth of a second, in 2^-16 seconds.
    private static let rounding: Int32 = 6554

    /// The last measurement.
    package private(set) var last: MediaTime?
    /// Smoothed, gain 1/8 (RFC 6298); nil before the first measurement.
    package private(set) var smoothed: MediaTime?
    /// All measurements and their number, for statistics.
    package private(set) var total = MediaTime.zero
    package private(set) var count = 0

    package init() {}

    /// Takes the middle bits of the time we sent, as they came back, and how long the other side kept them, both in
    /// 2^-16 seconds. `now` is on the clock that was sent, `NTPTime(now)`. Zero in `echoed` says: nothing received yet.
    package mutating func receive(echoed: UInt32, delay: UInt32, at now: NTPTime) {
        guard echoed != 0 else { return }
        let trip = now.middle &- echoed &- delay
        // A delay that was rounded up makes a short trip negative; a long one is no rounding.
        let ticks = Int32(bitPattern: trip)
        guard ticks > -RoundTripMeter.rounding else { return }
        let measured = MediaTime(ntpShort: UInt32(max(0, ticks)))
        guard measured <= RoundTripMeter.longest else { return }
        last = measured
        total += measured
        count += 1
        let before = smoothed ?? measured
        smoothed = MediaTime(nanoseconds: before.nanoseconds + (measured.nanoseconds - before.nanoseconds) / 8)
    }
}
