import Core
import RTP
import Testing

/// A stream that is driven by hand, and its packets parsed.
final class StreamRig {
    struct Packet {
        var header: RTPHeader
        var extensions: RTPHeaderExtensions
        var payload: [UInt8]
        var bytes: [UInt8]
    }
    static let map = ExtensionMap([
        .transportSequenceNumber: 3, .absoluteSendTime: 2, .mid: 4, .rid: 5, .repairedRID: 6, .audioLevel: 1,
        .playoutDelay: 7,
    ])
    let stream: RTPSendStream
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1500, alignment: 8)
    deinit { buffer.deallocate() }

    init(
        kind: MediaKind = .video, withRTX: Bool = true, origin: Instant = Instant(nanoseconds: 0), seed: UInt64 = 1
    ) {
        var random = SeededRandom(seed: seed)
        stream = RTPSendStream(
            RTPSendConfiguration(
                kind: kind, ssrc: 100, payloadType: 96, clockRate: kind == .video ? 90_000 : 48_000,
                retransmissionSSRC: withRTX ? 101 : nil, retransmissionPayloadType: withRTX ? 97 : nil,
                mid: StreamLabel("v"), rid: StreamLabel("r"), extensions: Self.map, origin: origin), random: &random)
    }

    static func time(_ milliseconds: Int) -> Instant { Instant(nanoseconds: 0) + .milliseconds(milliseconds) }

    static func picture(_ size: Int, pts: MediaTime, isKey: Bool = false) throws -> OutgoingFrame {
        let frame = EncodedFrame(
            payload: Payload((0..<size).map { UInt8(truncatingIfNeeded: $0) }), pts: pts, isKey: isKey)
        return OutgoingFrame(
            try Packetizer(codec: .vp8).packetize(
                frame, format: VideoFormat(codec: .vp8, width: 64, height: 64), sizeMax: 1000), pts: pts)
    }

    private func parse(_ count: Int) -> Packet? {
        guard count > 0 else { return nil }
        let bytes = [UInt8](UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        guard let header = try? RTPHeader(bytes.span.bytes) else { return nil }
        return Packet(
            header: header, extensions: RTPHeaderExtensions(bytes.span.bytes, header: header, map: Self.map),
            payload: Array(bytes[header.payload]), bytes: bytes)
    }

    func next(_ sequence: UInt16? = 7, at now: Instant) -> Packet? {
        parse(stream.write(into: buffer, transportSequence: sequence, at: now))
    }
    func nextRetransmission(at now: Instant) -> Packet? {
        parse(stream.writeRetransmission(into: buffer, transportSequence: 8, at: now))
    }
    func nextPadding(at now: Instant) -> Packet? {
        parse(stream.writePadding(into: buffer, transportSequence: 9, at: now))
    }
    func all(at now: Instant) -> [Packet] {
        var found: [Packet] = []
        while let packet = next(at: now) { found.append(packet) }
        return found
    }
    func nack(_ numbers: [UInt16], at now: Instant) {
        stream.receive(GenericNACK(senderSSRC: 1, mediaSSRC: 100, lost: numbers), at: now)
    }
}

struct RTPSendStreamTests {
    private func time(_ milliseconds: Int) -> Instant { StreamRig.time(milliseconds) }

    @Test func packetsOfAFrame() throws {
        let rig = StreamRig()
        #expect(rig.stream.enqueue(try StreamRig.picture(2500, pts: .zero, isKey: true), at: time(0)))
        #expect(rig.stream.enqueue(try StreamRig.picture(100, pts: .milliseconds(100)), at: time(100)))
        let packets = rig.all(at: time(100))
        #expect(packets.count == 4)
        let first = try #require(packets.first).header
        #expect(packets.map(\.header.sequenceNumber) == (0..<4).map { first.sequenceNumber &+ $0 })
        #expect(packets.map(\.header.marker) == [false, false, true, true])
        #expect(packets.map { $0.header.timestamp &- first.timestamp } == [0, 0, 0, 9000])
        #expect(packets.allSatisfy { $0.header.ssrc == 100 && $0.header.payloadType == 96 })
        // VP8: picture ids one apart, the payload behind six bytes of descriptor.
        let ids = packets.map { UInt16($0.payload[2] & 0x7F) << 8 | UInt16($0.payload[3]) }
        #expect(ids[0] == ids[1] && ids[1] == ids[2] && ids[3] == (ids[0] + 1) & 0x7FFF)
        let content = packets[0..<3].flatMap { $0.payload.dropFirst(6) }
        #expect(content == (0..<2500).map { UInt8(truncatingIfNeeded: $0) })
        #expect(rig.stream.statistics.framesSent == 2 && rig.stream.statistics.keyFramesSent == 1)
        #expect(rig.stream.statistics.packetsSent == 4)
        #expect(rig.stream.statistics.bytesSent == 2600 + 4 * 6)
        #expect(rig.stream.statistics.totalPacketSendDelay == .milliseconds(300))
    }

    @Test func extensionsUntilTheyAreKnown() throws {
        let rig = StreamRig()
        for step in 0..<2 {
            _ = rig.stream.enqueue(
                try StreamRig.picture(100, pts: .milliseconds(step), isKey: true), at: time(step))
        }
        let first = try #require(rig.next(77, at: time(1500)))
        #expect(first.extensions.transportSequenceNumber == 77)
        #expect(first.extensions.absoluteSendTime == 3 << 17)
        #expect(first.extensions.mid == StreamLabel("v") && first.extensions.rid == StreamLabel("r"))
        _ = rig.stream.receive(ReportBlock(ssrc: 100), at: time(1600))
        let second = try #require(rig.next(78, at: time(1700)))
        #expect(second.extensions.transportSequenceNumber == 78)
        #expect(second.extensions.mid == nil && second.extensions.rid == nil)
    }

    @Test func lostPacketsComeAgainOnTheirOwnStream() throws {
        let rig = StreamRig()
        _ = rig.stream.enqueue(try StreamRig.picture(2500, pts: .zero, isKey: true), at: time(0))
        let packets = rig.all(at: time(0))
        let lost = packets[1]
        rig.nack([lost.header.sequenceNumber], at: time(50))
        #expect(rig.stream.waitingRetransmissions == 1)
        let again = try #require(rig.nextRetransmission(at: time(51)))
        #expect(again.header.ssrc == 101 && again.header.payloadType == 97)
        #expect(again.header.timestamp == lost.header.timestamp && again.header.marker == lost.header.marker)
        let number = lost.header.sequenceNumber
        #expect(again.payload == [UInt8(number >> 8), UInt8(truncatingIfNeeded: number)] + lost.payload)
        #expect(again.extensions.repairedRID == StreamLabel("r"))
        #expect(rig.nextRetransmission(at: time(51)) == nil)
        // Numbers of their own, one after the other.
        rig.nack([packets[0].header.sequenceNumber], at: time(60))
        let next = try #require(rig.nextRetransmission(at: time(60)))
        #expect(next.header.sequenceNumber == again.header.sequenceNumber &+ 1)
        #expect(rig.stream.statistics.retransmittedPacketsSent == 2 && rig.stream.statistics.nackCount == 2)
    }

    @Test func withoutRTXThePacketItselfComesAgain() throws {
        let rig = StreamRig(withRTX: false)
        _ = rig.stream.enqueue(try StreamRig.picture(500, pts: .zero, isKey: true), at: time(0))
        let lost = try #require(rig.all(at: time(0)).first)
        rig.nack([lost.header.sequenceNumber], at: time(50))
        let again = try #require(rig.nextRetransmission(at: time(51)))
        #expect(again.header.ssrc == 100 && again.header.sequenceNumber == lost.header.sequenceNumber)
        #expect(again.payload == lost.payload)
    }

    @Test func onceInARoundTripAndNotForEver() throws {
        let rig = StreamRig()
        rig.stream.setRoundTrip(.milliseconds(80))
        _ = rig.stream.enqueue(try StreamRig.picture(500, pts: .zero, isKey: true), at: time(0))
        let number = try #require(rig.all(at: time(0)).first).header.sequenceNumber
        rig.nack([number], at: time(50))
        rig.nack([number], at: time(60))
        #expect(rig.stream.waitingRetransmissions == 1 && rig.stream.statistics.nacksTooSoon == 1)
        _ = rig.nextRetransmission(at: time(60))
        rig.nack([number], at: time(131))
        #expect(rig.stream.waitingRetransmissions == 1)
        _ = rig.nextRetransmission(at: time(131))
        rig.nack([number &+ 5, number &- 5], at: time(200))
        rig.nack([number], at: time(1500))
        #expect(rig.stream.waitingRetransmissions == 0 && rig.stream.statistics.nacksTooOld == 3)
    }

    @Test func theCacheGrowsAndIsBounded() throws {
        let rig = StreamRig()
        var numbers: [UInt16] = []
        // More packets within a second than the cache ever holds.
        for step in 0..<3000 {
            let now = Instant(nanoseconds: Int64(step) * 100_000)
            _ = rig.stream.enqueue(try StreamRig.picture(100, pts: .milliseconds(step), isKey: step == 0), at: now)
            numbers.append(try #require(rig.next(at: now)).header.sequenceNumber)
        }
        rig.nack([numbers[500]], at: time(301))
        #expect(rig.stream.waitingRetransmissions == 0)
        rig.nack([numbers[1500]], at: time(301))
        #expect(rig.stream.waitingRetransmissions == 1)
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $1 == $0 &+ 1 })
    }

    @Test func aSwitchOfTheSourceIsNotSeen() throws {
        let rig = StreamRig()
        _ = rig.stream.enqueue(try StreamRig.picture(100, pts: .seconds(10), isKey: true), source: 1, at: time(0))
        _ = rig.stream.enqueue(try StreamRig.picture(100, pts: .seconds(10.1)), source: 1, at: time(100))
        // The other encoder is 50 ms behind.
        _ = rig.stream.enqueue(try StreamRig.picture(100, pts: .seconds(10.05), isKey: true), source: 2, at: time(110))
        _ = rig.stream.enqueue(try StreamRig.picture(100, pts: .seconds(10.15)), source: 2, at: time(200))
        let packets = rig.all(at: time(200))
        let first = try #require(packets.first)
        #expect(packets.map { $0.header.timestamp &- first.header.timestamp } == [0, 9000, 9001, 18_001])
        #expect(packets.map { $0.header.sequenceNumber &- first.header.sequenceNumber } == [0, 1, 2, 3])
        let ids = packets.map { (UInt16($0.payload[2] & 0x7F) << 8 | UInt16($0.payload[3])) }
        #expect(ids.map { ($0 &- ids[0]) & 0x7FFF } == [0, 1, 2, 3])
        let layers = packets.map { $0.payload[4] &- first.payload[4] }
        #expect(layers == [0, 1, 2, 3])
    }

    @Test func droppedFramesLeaveNoGap() throws {
        let rig = StreamRig()
        _ = rig.stream.enqueue(try StreamRig.picture(2500, pts: .zero, isKey: true), at: time(0))
        let begun = try #require(rig.next(at: time(0)))
        for step in 1...3 {
            _ = rig.stream.enqueue(try StreamRig.picture(100, pts: .milliseconds(33 * step)), at: time(33 * step))
        }
        rig.stream.dropWaiting()
        #expect(rig.stream.statistics.framesDropped == 3 && rig.stream.awaitsKeyFrame)
        #expect(!rig.stream.enqueue(try StreamRig.picture(100, pts: .milliseconds(133)), at: time(133)))
        #expect(rig.stream.enqueue(try StreamRig.picture(100, pts: .milliseconds(166), isKey: true), at: time(166)))
        // What was begun is finished; then the key frame, with the next numbers.
        let packets = rig.all(at: time(166))
        #expect(packets.map(\.header.marker) == [false, true, true])
        #expect(packets.map { $0.header.sequenceNumber &- begun.header.sequenceNumber } == [1, 2, 3])
        #expect(packets[2].payload[3] == begun.payload[3] &+ 1)
        #expect(rig.stream.waitingBytes == 0)
    }

    @Test func paddingRepeatsTheNewestOrIsBare() throws {
        let rig = StreamRig()
        let bare = try #require(rig.nextPadding(at: time(0)))
        #expect(bare.header.ssrc == 101 && bare.payload.isEmpty && bare.bytes.last == 255)
        _ = rig.stream.enqueue(try StreamRig.picture(900, pts: .zero, isKey: true), at: time(0))
        let sent = try #require(rig.next(at: time(0)))
        let padding = try #require(rig.nextPadding(at: time(1)))
        #expect(padding.header.ssrc == 101 && Array(padding.payload.dropFirst(2)) == sent.payload)
        #expect(padding.header.sequenceNumber == bare.header.sequenceNumber &+ 1)
        #expect(rig.stream.statistics.paddingPacketsSent == 2)
        #expect(rig.stream.statistics.retransmittedPacketsSent == 0)
    }

    @Test func paddingWithoutRTXTakesANumberBetweenFrames() throws {
        let rig = StreamRig(withRTX: false)
        #expect(rig.nextPadding(at: time(0)) == nil)
        _ = rig.stream.enqueue(try StreamRig.picture(1500, pts: .zero, isKey: true), at: time(0))
        let first = try #require(rig.next(at: time(0)))
        #expect(rig.nextPadding(at: time(0)) == nil, "inside a frame")
        _ = rig.all(at: time(0))
        let padding = try #require(rig.nextPadding(at: time(1)))
        #expect(padding.header.sequenceNumber == first.header.sequenceNumber &+ 2 && padding.payload.isEmpty)
        rig.nack([padding.header.sequenceNumber], at: time(20))
        #expect(rig.nextRetransmission(at: time(20)) == nil)
        _ = rig.stream.enqueue(try StreamRig.picture(100, pts: .milliseconds(33)), at: time(33))
        #expect(rig.next(at: time(33))?.header.sequenceNumber == first.header.sequenceNumber &+ 3)
    }

    @Test func soundHasItsLevelAndMarksTheBeginOfTalk() throws {
        let rig = StreamRig(kind: .audio)
        let level = AudioLevelValue(level: 30, isVoice: true)
        for step in 0..<2 {
            let frame = OutgoingFrame(
                sound: Payload([1, 2, 3]), pts: .milliseconds(20 * step), level: level, beginsTalk: step == 0)
            #expect(rig.stream.enqueue(frame, at: time(20 * step)))
        }
        let packets = rig.all(at: time(20))
        #expect(packets.map(\.header.marker) == [true, false])
        #expect(packets.map(\.payload) == [[1, 2, 3], [1, 2, 3]])
        #expect(packets.allSatisfy { $0.extensions.audioLevel == level })
        #expect(packets[1].header.timestamp &- packets[0].header.timestamp == 960)
    }

    @Test func reportsMapTimesAndMeasureTheRoundTrip() throws {
        let origin = time(5000)
        let rig = StreamRig(origin: origin)
        #expect(rig.stream.report(at: time(5000)) == nil)
        _ = rig.stream.enqueue(try StreamRig.picture(100, pts: .seconds(1), isKey: true), at: time(6000))
        let packet = try #require(rig.next(at: time(6000)))
        // A second after what was captured one second after the origin: one second more on both clocks.
        let report = try #require(rig.stream.report(at: time(7000)))
        #expect(report.rtpTimestamp == packet.header.timestamp &+ 90_000)
        #expect(report.ntpTime == NTPTime(time(7000)))
        #expect(report.packetCount == 1 && report.octetCount == 106)
        let block = ReportBlock(
            ssrc: 100, fractionLost: 64, cumulativeLost: 3, jitter: 900, lastSenderReport: report.ntpTime.middle,
            delaySinceLastSenderReport: MediaTime.milliseconds(500).inNTPShort)
        let trip = try #require(rig.stream.receive(block, at: time(7620)))
        #expect(abs(trip.seconds - 0.12) < 0.001)
        #expect(rig.stream.remote.roundTripTimeMeasurements == 1 && rig.stream.remote.packetsLost == 3)
        #expect(rig.stream.remote.fractionLost == 0.25 && rig.stream.remote.jitter == .milliseconds(10))
        // A report of a report that was never sent measures nothing.
        #expect(rig.stream.receive(ReportBlock(ssrc: 100), at: time(8000)) == nil)
        #expect(rig.stream.receive(ReportBlock(ssrc: 5, lastSenderReport: 1), at: time(8000)) == nil)
    }
}
