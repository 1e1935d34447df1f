import Core

/// What a receiver has seen of one stream since its last report (RFC 3550, section 6.4.1).
package struct ReportBlock: Hashable, Sendable {
    package var ssrc: UInt32
    /// Lost since the last report, in 1/256 of what was expected.
    package var fractionLost: UInt8
    /// Lost since the begin; duplicates can make it negative. 24 bits, clamped when written.
    package var cumulativeLost: Int32
    /// The highest sequence number, its wraps counted in the upper 16 bits.
    package var highestSequenceNumber: UInt32
    /// In ticks of the stream's clock.
    package var jitter: UInt32
    /// The middle bits of the last sender report's time; 0: none came.
    package var lastSenderReport: UInt32
    /// How long ago that came, in 2^-16 seconds.
    package var delaySinceLastSenderReport: UInt32

    package init(
        ssrc: UInt32, fractionLost: UInt8 = 0, cumulativeLost: Int32 = 0, highestSequenceNumber: UInt32 = 0,
        jitter: UInt32 = 0, lastSenderReport: UInt32 = 0, delaySinceLastSenderReport: UInt32 = 0
    ) {
        self.ssrc = ssrc
        self.fractionLost = fractionLost
        self.cumulativeLost = cumulativeLost
        self.highestSequenceNumber = highestSequenceNumber
        self.jitter = jitter
        self.lastSenderReport = lastSenderReport
        self.delaySinceLastSenderReport = delaySinceLastSenderReport
    }

    /// The most that fit in one report: its count has five bits.
    package static let countMax = 31

    init(_ reader: inout ByteReader) throws(TruncatedError) {
        ssrc = try reader.u32()
        fractionLost = try reader.u8()
        cumulativeLost = Int32(bitPattern: try reader.u24() << 8) >> 8
        highestSequenceNumber = try reader.u32()
        jitter = try reader.u32()
        lastSenderReport = try reader.u32()
        delaySinceLastSenderReport = try reader.u32()
    }

    static func list(_ reader: inout ByteReader, count: Int) throws(TruncatedError) -> [ReportBlock] {
        var blocks: [ReportBlock] = []
        blocks.reserveCapacity(count)
        for _ in 0..<count { blocks.append(try ReportBlock(&reader)) }
        return blocks
    }

    func write(to writer: inout ByteWriter) {
        writer.u32(ssrc)
        writer.u8(fractionLost)
        writer.u24(UInt32(bitPattern: min(max(cumulativeLost, -0x80_0000), 0x7F_FFFF)))
        writer.u32(highestSequenceNumber)
        writer.u32(jitter)
        writer.u32(lastSenderReport)
        writer.u32(delaySinceLastSenderReport)
    }
}

/// SR: what a sender has sent, and the pair of times that maps its RTP clock (RFC 3550, section 6.4.1).
package struct SenderReport: Hashable, Sendable {
    package var ssrc: UInt32
    package var ntpTime: NTPTime
    package var rtpTimestamp: UInt32
    package var packetCount: UInt32
    package var octetCount: UInt32
    /// At most 31; more are not written.
    package var reports: [ReportBlock]

    package init(
        ssrc: UInt32, ntpTime: NTPTime, rtpTimestamp: UInt32, packetCount: UInt32, octetCount: UInt32,
        reports: [ReportBlock] = []
    ) {
        self.ssrc = ssrc
        self.ntpTime = ntpTime
        self.rtpTimestamp = rtpTimestamp
        self.packetCount = packetCount
        self.octetCount = octetCount
        self.reports = reports
    }

    init(_ reader: inout ByteReader, count: Int) throws(TruncatedError) {
        ssrc = try reader.u32()
        ntpTime = NTPTime(bits: try reader.u64())
        rtpTimestamp = try reader.u32()
        packetCount = try reader.u32()
        octetCount = try reader.u32()
        reports = try ReportBlock.list(&reader, count: count)
    }

    func write(to writer: inout ByteWriter) {
        let reports = reports.prefix(ReportBlock.countMax)
        writer.rtcp(type: RTCPType.senderReport, count: reports.count) { writer in
            writer.u32(ssrc)
            writer.u64(ntpTime.bits)
            writer.u32(rtpTimestamp)
            writer.u32(packetCount)
            writer.u32(octetCount)
            for report in reports { report.write(to: &writer) }
        }
    }
}

/// RR: reports of somebody who sends nothing (RFC 3550, section 6.4.2).
package struct ReceiverReport: Hashable, Sendable {
    package var ssrc: UInt32
    /// At most 31; more are not written.
    package var reports: [ReportBlock]

    package init(ssrc: UInt32, reports: [ReportBlock] = []) {
        self.ssrc = ssrc
        self.reports = reports
    }

    init(_ reader: inout ByteReader, count: Int) throws(TruncatedError) {
        ssrc = try reader.u32()
        reports = try ReportBlock.list(&reader, count: count)
    }

    func write(to writer: inout ByteWriter) {
        let reports = reports.prefix(ReportBlock.countMax)
        writer.rtcp(type: RTCPType.receiverReport, count: reports.count) { writer in
            writer.u32(ssrc)
            for report in reports { report.write(to: &writer) }
        }
    }
}

/// SDES: who is behind which SSRC (RFC 3550, section 6.5).
package struct SourceDescription: Hashable, Sendable {
    package struct Item: Hashable, Sendable {
        /// 1 is CNAME.
        package var type: UInt8
        /// At most 255 bytes; more are not written.
        package var text: [UInt8]
        package init(type: UInt8, text: [UInt8]) {
            self.type = type
            self.text = text
        }
    }
    package struct Chunk: Hashable, Sendable {
        package var ssrc: UInt32
        package var items: [Item]
        package init(ssrc: UInt32, items: [Item]) {
            self.ssrc = ssrc
            self.items = items
        }
        package init(ssrc: UInt32, cname: String) {
            self.init(ssrc: ssrc, items: [Item(type: 1, text: [UInt8](cname.utf8))])
        }
        package var cname: String? {
            items.first { $0.type == 1 }.map { String(decoding: $0.text, as: UTF8.self) }
        }
    }
    /// At most 31; more are not written.
    package var chunks: [Chunk]

    package init(chunks: [Chunk]) { self.chunks = chunks }

    /// Items taken of one chunk. RFC 3550 knows eight types, each of which makes sense once.
    private static let itemCountMax = 32

    init(_ reader: inout ByteReader, count: Int) throws(TruncatedError) {
        chunks = []
        for _ in 0..<count {
            var chunk = Chunk(ssrc: try reader.u32(), items: [])
            while true {
                let type = try reader.u8()
                if type == 0 { break }
                guard chunk.items.count < SourceDescription.itemCountMax else { throw TruncatedError() }
                let length = Int(try reader.u8())
                chunk.items.append(Item(type: type, text: try reader.bytes(length)))
            }
            // The head has four bytes, so the body counts like the packet.
            while reader.offset % 4 != 0 { try reader.skip(1) }
            chunks.append(chunk)
        }
    }

    func write(to writer: inout ByteWriter) {
        let chunks = chunks.prefix(31)
        writer.rtcp(type: RTCPType.sourceDescription, count: chunks.count) { writer in
            for chunk in chunks {
                let start = writer.count
                writer.u32(chunk.ssrc)
                for item in chunk.items where item.type != 0 {
                    let text = item.text.prefix(255)
                    writer.u8(item.type)
                    writer.u8(UInt8(text.count))
                    writer.append(text)
                }
                writer.u8(0)
                while (writer.count - start) % 4 != 0 { writer.u8(0) }
            }
        }
    }
}

/// BYE: these sources send no more (RFC 3550, section 6.6).
package struct Goodbye: Hashable, Sendable {
    /// At most 31; more are not written.
    package var ssrcs: [UInt32]
    /// At most 255 bytes; more are not written.
    package var reason: [UInt8]

    package init(ssrcs: [UInt32], reason: [UInt8] = []) {
        self.ssrcs = ssrcs
        self.reason = reason
    }

    init(_ reader: inout ByteReader, count: Int) throws(TruncatedError) {
        ssrcs = []
        for _ in 0..<count { ssrcs.append(try reader.u32()) }
        reason = reader.isAtEnd ? [] : try reader.bytes(Int(try reader.u8()))
    }

    func write(to writer: inout ByteWriter) {
        let ssrcs = ssrcs.prefix(31)
        writer.rtcp(type: RTCPType.goodbye, count: ssrcs.count) { writer in
            for ssrc in ssrcs { writer.u32(ssrc) }
            guard !reason.isEmpty else { return }
            let start = writer.count
            let text = reason.prefix(255)
            writer.u8(UInt8(text.count))
            writer.append(text)
            while (writer.count - start) % 4 != 0 { writer.u8(0) }
        }
    }
}
