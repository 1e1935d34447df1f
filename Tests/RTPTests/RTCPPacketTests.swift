import Core
import RTP
import Testing

struct RTCPPacketTests {
    private func parse(_ bytes: [UInt8]) throws -> [RTCPPacket] {
        var packets: [RTCPPacket] = []
        try RTCPPacket.parse(bytes.span.bytes, into: &packets)
        return packets
    }

    private func bytes(_ packets: RTCPPacket...) -> [UInt8] {
        var writer = ByteWriter()
        for packet in packets { packet.write(to: &writer) }
        return writer.bytes
    }

    private let senderReport: [UInt8] = [
        0x81, 200, 0, 12, 1, 2, 3, 4, 0xE5, 0xF0, 0, 1, 0x80, 0, 0, 2, 0, 0, 0x27, 0x10, 0, 0, 0, 100, 0, 0, 0x4E, 0x20,
        5, 6, 7, 8, 0x40, 0xFF, 0xFF, 0xFE, 0, 1, 0xAB, 0xCD, 0, 0, 0, 16, 0, 1, 0x80, 0, 0, 0, 0x80, 0,
    ]

    /// The layout of RFC 3550, section 6.4.1.
    @Test func senderReports() throws {
        let report = SenderReport(
            ssrc: 0x0102_0304, ntpTime: NTPTime(bits: 0xE5F0_0001_8000_0002), rtpTimestamp: 10_000, packetCount: 100,
            octetCount: 20_000,
            reports: [
                ReportBlock(
                    ssrc: 0x0506_0708, fractionLost: 64, cumulativeLost: -2, highestSequenceNumber: 0x1ABCD,
                    jitter: 16, lastSenderReport: 0x0001_8000, delaySinceLastSenderReport: 0x8000)
            ])
        #expect(try parse(senderReport) == [.senderReport(report)])
        #expect(bytes(.senderReport(report)) == senderReport)
        #expect(report.ntpTime.middle == 0x0001_8000)
    }

    @Test func compoundOfReportDescriptionAndGoodbye() throws {
        let expected: [UInt8] =
            [0x80, 201, 0, 1, 0, 0, 0, 1]
            + [0x81, 202, 0, 3, 0, 0, 0, 1, 1, 5, 0x61, 0x62, 0x63, 0x64, 0x65, 0]
            + [0x81, 203, 0, 2, 0, 0, 0, 1, 3, 0x62, 0x79, 0x65]
        let packets: [RTCPPacket] = [
            .receiverReport(ReceiverReport(ssrc: 1)),
            .sourceDescription(SourceDescription(chunks: [.init(ssrc: 1, cname: "abcde")])),
            .goodbye(Goodbye(ssrcs: [1], reason: [UInt8]("bye".utf8))),
        ]
        #expect(bytes(packets[0], packets[1], packets[2]) == expected)
        #expect(try parse(expected) == packets)
        let isRTCP = RTCPPacket.isRTCP(expected.span.bytes)
        #expect(isRTCP)
    }

    /// A text that ends at a 32-bit boundary is followed by four zero bytes (section 6.5).
    @Test func descriptionsAreTerminated() throws {
        for length in 0...8 {
            let text = String(repeating: "x", count: length)
            let packet = RTCPPacket.sourceDescription(
                SourceDescription(chunks: [.init(ssrc: 1, cname: text), .init(ssrc: 2, cname: "y")]))
            #expect(try parse(bytes(packet)) == [packet])
        }
    }

    @Test func malformedOnesLeaveTheEarlierOnes() {
        for bad: [UInt8] in [[0x81], [0x81, 201, 0, 9, 0], [0x41, 201, 0, 0], [0x81, 201, 0, 1, 0, 0, 0, 1]] {
            var packets: [RTCPPacket] = []
            #expect(throws: RTPError.malformedPacket) { () throws in
                try RTCPPacket.parse((senderReport + bad).span.bytes, into: &packets)
            }
            #expect(packets.count == 1)
        }
    }

    @Test func unknownOnesAreSkippedAndPaddingIsNotRead() throws {
        let application: [UInt8] = [0x80, 204, 0, 2, 0, 0, 0, 1, 0x6E, 0x61, 0x6D, 0x65]
        let future: [UInt8] = [0x83, 205, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2]
        let padded: [UInt8] = [0xA0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4]
        #expect(try parse(application + future + padded) == [.receiverReport(ReceiverReport(ssrc: 1))])
    }

    @Test func tooManyPackets() {
        var packets: [RTCPPacket] = []
        let many = [[UInt8]](repeating: [0x80, 201, 0, 1, 0, 0, 0, 1], count: 65).flatMap { $0 }
        #expect(throws: RTPError.malformedPacket) { () throws in
            try RTCPPacket.parse(many.span.bytes, into: &packets)
        }
        #expect(packets.count == 64)
    }

    @Test func negativeAcknowledgements() throws {
        let nack = GenericNACK(senderSSRC: 1, mediaSSRC: 2, lost: [65_534, 65_535, 0, 14, 15, 40])
        // 65 534 and sixteen behind it; 14 is the sixteenth.
        let expected: [UInt8] = [
            0x81, 205, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0xFF, 0xFE, 0x80, 0x03, 0, 15, 0, 0, 0, 40, 0, 0,
        ]
        #expect(bytes(.nack(nack)) == expected)
        guard case .nack(let again)? = try parse(expected).first else {
            Issue.record("no NACK")
            return
        }
        var lost: [UInt16] = []
        again.forEachLost { lost.append($0) }
        #expect(lost == [65_534, 65_535, 0, 14, 15, 40])
    }

    @Test func keyFrameRequests() throws {
        let pli = RTCPPacket.pictureLossIndication(PictureLossIndication(senderSSRC: 1, mediaSSRC: 2))
        let fir = RTCPPacket.fullIntraRequest(
            FullIntraRequest(senderSSRC: 1, entries: [.init(ssrc: 2, sequenceNumber: 9)]))
        #expect(bytes(pli) == [0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2])
        #expect(bytes(fir) == [0x84, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 9, 0, 0, 0])
        #expect(try parse(bytes(fir, pli)) == [fir, pli])
    }

    @Test func estimatedBitrates() throws {
        for (bitrate, written): (UInt64, UInt64) in [
            (0, 0), (262_143, 262_143), (1_000_001, 1_000_000), (2_500_000, 2_500_000), (.max, 0x3FFFF << 46),
        ] {
            let remb = ReceiverEstimatedMaximumBitrate(senderSSRC: 1, bitrate: bitrate, ssrcs: [2, 3])
            guard case .remb(let again)? = try parse(bytes(.remb(remb))).first else {
                Issue.record("no REMB")
                return
            }
            #expect(again.bitrate == written && again.ssrcs == [2, 3] && again.senderSSRC == 1)
        }
        // Exponents of up to 63 must not trap.
        let huge: [UInt8] = [0x8F, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0x52, 0x45, 0x4D, 0x42, 0, 0xFF, 0xFF, 0xFF]
        guard case .remb(let most)? = try parse(huge).first else {
            Issue.record("no REMB")
            return
        }
        #expect(most.bitrate == 0x3FFFF << 46)
    }

    @Test func extendedReports() throws {
        let report = ExtendedReport(
            ssrc: 1, referenceTime: NTPTime(bits: 0x0102_0304_0506_0708),
            lastReports: [.init(ssrc: 2, lastReferenceTime: 3, delay: 4)])
        let expected: [UInt8] = [
            0x80, 207, 0, 8, 0, 0, 0, 1, 4, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 5, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0,
            0, 4,
        ]
        #expect(bytes(.extendedReport(report)) == expected)
        // A block of another type before them.
        let unknown: [UInt8] = [0x80, 207, 0, 10, 0, 0, 0, 1, 42, 0, 0, 1, 9, 9, 9, 9] + expected[8...]
        #expect(try parse(unknown) == [.extendedReport(report)])
    }

    @Test func times() {
        let early = NTPTime(Instant(nanoseconds: 1_500_000_000))
        #expect(early.bits == 0x1_8000_0000 && early.middle == 0x1_8000)
        let late = NTPTime(Instant(nanoseconds: 3_250_000_000), epochSeconds: 0)
        #expect(late.since(early) == .milliseconds(1750) && early.since(late) == .milliseconds(-1750))
        #expect(MediaTime.milliseconds(500).inNTPShort == 0x8000 && MediaTime(ntpShort: 0x8000) == .milliseconds(500))
    }
}
