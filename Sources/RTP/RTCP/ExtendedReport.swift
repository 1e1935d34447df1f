import Core

/// XR: the two blocks by which a receiver that sends nothing learns the round-trip time (RFC 3611, sections 4.4, 4.5).
/// Other blocks are skipped.
package struct ExtendedReport: Hashable, Sendable {
    /// What a DLRR block says about one receiver.
    package struct LastReceiverReport: Hashable, Sendable {
        package var ssrc: UInt32
        /// The middle bits of its last reference time; 0: none came.
        package var lastReferenceTime: UInt32
        /// How long ago that came, in 2^-16 seconds.
        package var delay: UInt32
        package init(ssrc: UInt32, lastReferenceTime: UInt32, delay: UInt32) {
            self.ssrc = ssrc
            self.lastReferenceTime = lastReferenceTime
            self.delay = delay
        }
    }

    package var ssrc: UInt32
    /// RRTR: the reporter's own time.
    package var referenceTime: NTPTime?
    /// DLRR.
    package var lastReports: [LastReceiverReport]
    /// More than the receivers of one transport.
    package static let reportCountMax = 256

    package init(ssrc: UInt32, referenceTime: NTPTime? = nil, lastReports: [LastReceiverReport] = []) {
        self.ssrc = ssrc
        self.referenceTime = referenceTime
        self.lastReports = lastReports
    }

    init(_ reader: inout ByteReader) throws(TruncatedError) {
        ssrc = try reader.u32()
        lastReports = []
        while !reader.isAtEnd {
            let type = try reader.u8()
            try reader.skip(1)
            let length = 4 * Int(try reader.u16())
            var block = ByteReader(try reader.span(length))
            switch type {
            case 4: referenceTime = NTPTime(bits: try block.u64())
            case 5:
                while !block.isAtEnd {
                    guard lastReports.count < ExtendedReport.reportCountMax else { throw TruncatedError() }
                    lastReports.append(
                        LastReceiverReport(
                            ssrc: try block.u32(), lastReferenceTime: try block.u32(), delay: try block.u32()))
                }
            default: break
            }
        }
    }

    func write(to writer: inout ByteWriter) {
        writer.rtcp(type: RTCPType.extendedReport, count: 0) { writer in
            writer.u32(ssrc)
            if let referenceTime {
                writer.u32(0x0400_0002)
                writer.u64(referenceTime.bits)
            }
            let reports = lastReports.prefix(ExtendedReport.reportCountMax)
            guard !reports.isEmpty else { return }
            writer.u16(0x0500)
            writer.u16(UInt16(3 * reports.count))
            for report in reports {
                writer.u32(report.ssrc)
                writer.u32(report.lastReferenceTime)
                writer.u32(report.delay)
            }
        }
    }
}
