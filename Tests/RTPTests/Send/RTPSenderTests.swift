import Core
import RTP
import Testing

struct RTPSenderTests {
    private func time(_ milliseconds: Int) -> Instant { StreamRig.time(milliseconds) }
    private let video = StreamRig(seed: 2)
    private let sound = StreamRig(kind: .audio, withRTX: false, seed: 3)

    private func sender(start: Int = 800_000) -> RTPSender {
        var random = SeededRandom(seed: 1)
        let sender = RTPSender(limits: .init(start: start), random: &random)
        sender.add(video.stream)
        sender.add(sound.stream)
        return sender
    }

    /// What leaves until `end`, with the times in milliseconds; `video` and `sound` share their SSRCs, so kinds are told
    /// by size and type.
    private func drain(_ sender: RTPSender, from: Instant, to end: Instant) -> [(at: Double, type: UInt8, size: Int)] {
        var found: [(Double, UInt8, Int)] = []
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1500, alignment: 8)
        defer { buffer.deallocate() }
        var now = from
        while now <= end {
            while case let count = sender.poll(into: buffer, at: now), count > 0 {
                found.append((Double(now.nanoseconds) / 1e6, buffer[1] & 0x7F, count))
            }
            guard let next = sender.deadline(at: now) else { break }
            now = max(next, now + MediaTime(nanoseconds: 1000))
        }
        return found
    }

    private func block(_ size: Int = 80) -> OutgoingFrame {
        OutgoingFrame(sound: Payload(count: size) { _ in }, pts: .zero)
    }

    @Test func soundOvertakesPictures() throws {
        let sender = sender()
        sender.setWish(100_000)
        _ = sender.enqueue(try StreamRig.picture(900, pts: .zero, isKey: true), on: video.stream, at: time(0))
        let first = drain(sender, from: time(0), to: time(50))
        #expect(first.contains { $0.type == 96 })
        _ = sender.enqueue(try StreamRig.picture(20_000, pts: .milliseconds(33)), on: video.stream, at: time(60))
        _ = sender.enqueue(block(), on: sound.stream, at: time(60))
        let next = drain(sender, from: time(60), to: time(200))
        #expect(next.first?.size ?? 0 < 150, "sound goes first")
        #expect(next.dropFirst().allSatisfy { $0.size > 150 })
    }

    @Test func repairOvertakesPictures() throws {
        let sender = sender()
        sender.setWish(100_000)
        _ = sender.enqueue(try StreamRig.picture(900, pts: .zero, isKey: true), on: video.stream, at: time(0))
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1500, alignment: 8)
        defer { buffer.deallocate() }
        let count = sender.poll(into: buffer, at: time(0))
        let number = UInt16(buffer[2]) << 8 | UInt16(buffer[3])
        #expect(count > 900)
        _ = sender.enqueue(try StreamRig.picture(5000, pts: .milliseconds(33)), on: video.stream, at: time(60))
        sender.receive(.nack(GenericNACK(senderSSRC: 1, mediaSSRC: 100, lost: [number])), at: time(60))
        let types = drain(sender, from: time(60), to: time(200)).map(\.type)
        #expect(types == [97, 96, 96, 96, 96, 96, 96])
    }

    @Test func picturesLeaveAtTwoAndAHalfTimesTheTarget() throws {
        let sender = sender(start: 800_000)
        sender.setWish(100_000)
        _ = sender.enqueue(try StreamRig.picture(50_000, pts: .zero, isKey: true), on: video.stream, at: time(0))
        let packets = drain(sender, from: time(0), to: time(1000))
        let bytes = packets.reduce(0) { $0 + $1.size }
        #expect(bytes > 50_000)
        // 50 kB at 2 Mbit/s: 200 ms, and the first 40 of them leave at once.
        let last = try #require(packets.last).at
        #expect((150...220).contains(last))
        // No 10 ms carry more than 50 ms' worth: what a burst of 40 ms adds, and a packet.
        for start in packets.map(\.at) {
            let burst = packets.filter { $0.at >= start && $0.at < start + 10 }.reduce(0) { $0 + $1.size }
            #expect(burst < 2500 + 10_000 + 1100)
        }
    }

    @Test func afterAnOutageAKeyFrameIsAskedFor() throws {
        let sender = sender(start: 800_000)
        _ = sender.enqueue(try StreamRig.picture(500, pts: .zero, isKey: true), on: video.stream, at: time(0))
        _ = drain(sender, from: time(0), to: time(100))
        func asks(_ at: Int) -> Bool {
            let feedback = TransportFeedback(
                senderSSRC: 1, mediaSSRC: 100, feedbackCount: 0, baseSequenceNumber: 0, arrival: time(at))
            sender.receive(.transportFeedback(feedback), at: time(at))
            var events: [RTPSender.Event] = []
            while let event = sender.pollEvent() { events.append(event) }
            return events.contains(.keyFrameNeeded(ssrc: 100))
        }
        #expect(!asks(100) && !asks(1000), "nothing is wrong with a receiver that says something")
        #expect(asks(3000) && !asks(3100), "whoever was away has lost more than can be sent again")
    }

    @Test func aStaleQueueIsDroppedAndAKeyFrameAskedFor() throws {
        let sender = sender(start: 100_000)
        sender.setWish(50_000)
        // 31 kB are a second at 250 kbit/s.
        for step in 0..<6 {
            _ = sender.enqueue(
                try StreamRig.picture(8000, pts: .milliseconds(33 * step), isKey: step == 0), on: video.stream,
                at: time(33 * step))
        }
        #expect(video.stream.awaitsKeyFrame)
        #expect(video.stream.statistics.framesDropped > 0)
        var events: [RTPSender.Event] = []
        while let event = sender.pollEvent() { events.append(event) }
        #expect(events == [.keyFrameNeeded(ssrc: 100)])
        #expect(
            sender.enqueue(
                try StreamRig.picture(5000, pts: .milliseconds(300), isKey: true), on: video.stream, at: time(300)))
        #expect(!video.stream.awaitsKeyFrame)
    }

    @Test func soundAloneNeedsNoFeedback() {
        let sender = sender()
        for step in 0..<50 {
            #expect(sender.enqueue(block(), on: sound.stream, at: time(20 * step)))
            #expect(drain(sender, from: time(20 * step), to: time(20 * step)).count == 1)
        }
        #expect(sender.deadline(at: time(1000)) == nil)
        #expect(sound.stream.statistics.totalPacketSendDelay == .zero)
    }

    @Test func reportsAreDueEachSecond() throws {
        let sender = sender()
        var packets: [RTCPPacket] = []
        sender.appendReports(to: &packets, at: time(0))
        #expect(packets.isEmpty && sender.reportDeadline == nil)
        _ = sender.enqueue(block(), on: sound.stream, at: time(10))
        _ = drain(sender, from: time(10), to: time(10))
        sender.appendReports(to: &packets, at: time(20))
        #expect(packets.count == 1 && sender.reportDeadline == time(1020))
        sender.appendReports(to: &packets, at: time(500))
        #expect(packets.count == 1)
        sender.appendReports(to: &packets, at: time(1020))
        #expect(packets.count == 2)
    }

    @Test func targetsComeAsEvents() {
        let sender = sender()
        let remb = ReceiverEstimatedMaximumBitrate(senderSSRC: 1, bitrate: 250_000, ssrcs: [100])
        sender.receive(.remb(remb), at: time(0))
        sender.receive(
            .remb(ReceiverEstimatedMaximumBitrate(senderSSRC: 1, bitrate: 260_000, ssrcs: [100])), at: time(1))
        #expect(sender.pollEvent() == .target(260_000))
        #expect(sender.pollEvent() == nil)
        #expect(sender.pacer.rate == 650_000)
    }
}
