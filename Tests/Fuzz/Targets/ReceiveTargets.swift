import Core
import RTP

extension FuzzTarget {
    static let receive = [
        FuzzTarget("receive-video", sizeMax: 8192) { bytes in receiveVideo(bytes) },
        FuzzTarget("receive-sound", sizeMax: 8192) { bytes in receiveSound(bytes) },
    ]

    /// Builds one packet from a few bytes of input, so that sequence numbers and timestamps are mostly near each other.
    private static func packet(_ choices: inout FuzzChoices, _ number: inout UInt16, _ timestamp: inout UInt32)
        -> [UInt8]
    {
        let steer = choices.byte()
        switch steer & 7 {
        case 0: number = choices.word()
        case 1: number &-= UInt16(steer >> 3)
        case 2: number &+= UInt16(steer >> 3)
        default: number &+= 1
        }
        let kind = choices.byte()
        if kind & 0x40 != 0 { timestamp &+= 3000 }
        if kind & 0x20 != 0 { timestamp = UInt32(choices.word()) << 16 }
        var bytes = [UInt8](repeating: 0, count: RTPHeader.fixedSize)
        let header = RTPHeader(
            marker: kind & 0x80 != 0, payloadType: 96 + kind & 7, sequenceNumber: number, timestamp: timestamp, ssrc: 1)
        bytes.withUnsafeMutableBytes { _ = header.write(into: $0) }
        let count = Int(choices.byte())
        for _ in 0..<count { bytes.append(choices.byte()) }
        return bytes
    }

    private static func report(_ choices: inout FuzzChoices) -> SenderReport {
        var words: [UInt32] = []
        for _ in 0..<3 { words.append(UInt32(choices.word()) << 16 | UInt32(choices.word())) }
        return SenderReport(
            ssrc: 1, ntpTime: NTPTime(bits: UInt64(words[0]) << 32 | UInt64(words[1])), rtpTimestamp: words[2],
            packetCount: 0, octetCount: 0)
    }

    private static func receiveVideo(_ bytes: RawSpan) {
        var choices = FuzzChoices(bytes)
        // Small, so that it is full at times.
        let pool = PacketPool(limit: 40)
        do {
            let stream = VideoReceiveStream(
                .init(
                    ssrc: 1, codecs: [96: .vp8, 97: .vp9, 98: .h264, 99: .h265, 100: .av1],
                    retransmissions: [101: 96, 102: 98, 103: 103]), pool: pool)
            var clock = PlayoutClock(clockRate: 90_000)
            var (number, timestamp): (UInt16, UInt32) = (65_500, 0)
            var now = Instant(nanoseconds: 1_000_000_000)
            while !choices.isAtEnd {
                if choices.byte() & 15 == 0 { stream.receive(report(&choices), at: now) }
                let packet = packet(&choices, &number, &timestamp)
                if let header = try? RTPHeader(packet.span.bytes) { stream.receive(packet.span.bytes, header, at: now) }
                drain(stream, &clock, now)
                now = now + .milliseconds(Int(choices.byte()))
                var turns = 0
                while let deadline = stream.deadline, deadline <= now {
                    stream.expire(at: now)
                    drain(stream, &clock, now)
                    turns += 1
                    precondition(turns < 100, "a deadline that nothing moves")
                }
                precondition(pool.used <= 40, "more slots than there are")
            }
        }
        precondition(pool.used == 0, "slots that nobody gave back")
    }

    private static func drain(_ stream: VideoReceiveStream, _ clock: inout PlayoutClock, _ now: Instant) {
        while let feedback = stream.pollFeedback(at: now) {
            if case .nack(let numbers) = feedback { precondition(numbers.count <= 250 && !numbers.isEmpty) }
        }
        while let frame = stream.pollFrame() {
            precondition(frame.payload.count > 0 && frame.lastArrival >= frame.firstArrival)
            _ = clock.due(timestamp: frame.timestamp, arrival: frame.lastArrival)
            _ = clock.naturalOffset(stream.senderClock)
        }
    }

    private static func receiveSound(_ bytes: RawSpan) {
        var choices = FuzzChoices(bytes)
        let queue = AudioPacketQueue(
            .init(
                ssrc: 1,
                formats: [
                    96: .sound, 97: .redundancy, 98: .telephoneEvent, 99: .retransmission(of: 96),
                    100: .retransmission(of: 97), 101: .retransmission(of: 101),
                ], sendsNACK: true))
        var feedback = TransportFeedbackGenerator()
        var (number, timestamp): (UInt16, UInt32) = (65_500, 0)
        var now = Instant(nanoseconds: 1_000_000_000)
        while !choices.isAtEnd {
            if choices.byte() & 15 == 0 { queue.receive(report(&choices), at: now) }
            let packet = packet(&choices, &number, &timestamp)
            feedback.receive(number, size: packet.count, at: now)
            if let header = try? RTPHeader(packet.span.bytes) { queue.receive(packet.span.bytes, header, at: now) }
            now = now + .milliseconds(Int(choices.byte()))
            var turns = 0
            while let deadline = queue.deadline, deadline <= now {
                queue.expire(at: now)
                _ = queue.pollRequests(at: now)
                turns += 1
                precondition(turns < 100, "a deadline that nothing moves")
            }
            while feedback.poll(at: now, senderSSRC: 1, mediaSSRC: 1) != nil {}
            while let packet = queue.pollPacket() { _ = queue.senderClock.time(of: packet.timestamp) }
            while queue.pollKey() != nil {}
        }
        _ = queue.reportBlock(at: now)
    }
}
