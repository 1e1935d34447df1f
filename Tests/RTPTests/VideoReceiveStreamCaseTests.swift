import Core
import RTP
import Testing

/// Packets of VP8 by hand, one after the other, for cases that no model of a sender brings about.
struct HandFeeder {
    let stream: VideoReceiveStream
    let pool: PacketPool
    var sequence: UInt16 = 100
    var timestamp: UInt32 = 9000
    var pictureID: UInt16 = 20
    var tl0: UInt8 = 7
    var now = Instant(nanoseconds: 5_000_000_000)

    init(poolLimit: Int = 1000, codecs: [UInt8: VideoCodec] = [96: .vp8, 98: .vp8], fir: Bool = false) {
        pool = PacketPool(limit: poolLimit)
        stream = VideoReceiveStream(
            .init(ssrc: 1, codecs: codecs, retransmissions: [97: 96], sendsPLI: !fir, sendsFIR: fir), pool: pool)
    }

    /// One packet; `present` false: it gets lost.
    mutating func packet(
        type: UInt8 = 96, start: Bool = true, end: Bool = true, key: Bool = false, layer: UInt8 = 0, sync: Bool = false,
        present: Bool = true
    ) {
        var bytes = [UInt8](repeating: 0, count: 12)
        let header = RTPHeader(
            marker: end, payloadType: type, sequenceNumber: sequence, timestamp: timestamp, ssrc: 1)
        bytes.withUnsafeMutableBytes { _ = header.write(into: $0) }
        bytes += [start ? 0x90 : 0x80, 0xE0, 0x80 | UInt8(pictureID >> 8 & 0x7F), UInt8(pictureID & 0xFF), tl0]
        bytes += [layer << 6 | (sync ? 0x20 : 0)]
        bytes += start ? ReceiveRig.vp8(isKey: key, count: 40) : [1, 2, 3]
        sequence &+= 1
        if present { push(bytes) }
    }

    /// A frame of one packet, with its numbers counted on.
    mutating func frame(
        type: UInt8 = 96, key: Bool = false, layer: UInt8 = 0, sync: Bool = false, present: Bool = true
    ) {
        pictureID = (pictureID + 1) & 0x7FFF
        if layer == 0 { tl0 &+= 1 }
        timestamp &+= 3000
        now = now + .milliseconds(33)
        packet(type: type, key: key, layer: layer, sync: sync, present: present)
    }

    func push(_ bytes: [UInt8]) {
        guard let header = try? RTPHeader(bytes.span.bytes) else { return }
        stream.receive(bytes.span.bytes, header, at: now)
    }

    mutating func wait(_ milliseconds: Int) -> [VideoFeedback] {
        var seen: [VideoFeedback] = []
        let end = now + .milliseconds(milliseconds)
        while true {
            while let feedback = stream.pollFeedback(at: now) { seen.append(feedback) }
            guard let deadline = stream.deadline, deadline <= end else { break }
            now = max(now, deadline)
            stream.expire(at: now)
        }
        now = end
        return seen
    }

    /// How many frames come out.
    func frames() -> Int {
        var count = 0
        while stream.pollFrame() != nil { count += 1 }
        return count
    }
}

struct VideoReceiveStreamCaseTests {
    @Test func withoutAKeyFrameAtTheStartOneIsAskedForAtOnce() {
        var feeder = HandFeeder()
        feeder.frame()
        #expect(feeder.stream.pollFeedback(at: feeder.now) == .pictureLoss)
        #expect(feeder.stream.pollFeedback(at: feeder.now) == nil)
        feeder.frame()
        feeder.frame(key: true)
        feeder.frame()
        #expect(feeder.frames() == 2)
        #expect(feeder.wait(3000) == [])
    }

    @Test func whoSendsNothingIsNotAskedAgain() {
        var feeder = HandFeeder()
        feeder.frame()
        #expect(feeder.wait(5000) == [.pictureLoss])
        feeder.frame()
        #expect(feeder.wait(10) == [.pictureLoss])
    }

    @Test func fullIntraRequestsAreNumbered() {
        var feeder = HandFeeder(fir: true)
        feeder.frame()
        #expect(feeder.wait(10) == [.fullIntra(1)])
        feeder.frame(key: true)
        feeder.stream.requestKeyFrame()
        #expect(feeder.wait(600) == [.fullIntra(2)])
        feeder.frame()
        #expect(feeder.wait(600) == [.fullIntra(3)])
        feeder.frame(key: true)
        #expect(feeder.wait(600) == [])
        #expect(feeder.stream.statistics.firCount == 3 && feeder.frames() == 3)
    }

    @Test func aLostPacketOfPaddingIsNotWaitedFor() {
        var feeder = HandFeeder()
        feeder.frame(key: true)
        feeder.sequence &+= 2
        feeder.frame()
        // The picture ids say that nothing was lost.
        #expect(feeder.frames() == 2)
        feeder.sequence &+= 2
        feeder.frame(key: true)
        #expect(feeder.frames() == 1)
    }

    @Test func higherLayersMayBeLost() {
        var feeder = HandFeeder()
        feeder.frame(key: true)
        feeder.frame(layer: 2, sync: true)
        feeder.frame(layer: 1, sync: true, present: false)
        feeder.frame(layer: 2)
        feeder.frame()
        _ = feeder.wait(2000)
        // The layer 0 frame goes on; of the frames above, only what begins anew.
        #expect(feeder.frames() == 3)
        feeder.frame(layer: 2)
        feeder.frame(layer: 1, sync: true)
        feeder.frame(layer: 1)
        #expect(feeder.frames() == 2)
        #expect(feeder.stream.statistics.pliCount == 0)
    }

    @Test func aLostLayer0FrameNeedsAKeyFrame() {
        var feeder = HandFeeder()
        feeder.frame(key: true)
        feeder.frame(present: false)
        feeder.frame(layer: 1, sync: true)
        feeder.frame()
        let feedback = feeder.wait(3000)
        #expect(feeder.frames() == 1)
        #expect(feedback.contains(.pictureLoss) && feedback.contains(.nack([101])))
        #expect(feedback.filter { $0 == .nack([101]) }.count <= 10)
    }

    @Test func aRestartOfTheSenderIsFollowed() {
        var feeder = HandFeeder()
        feeder.frame(key: true)
        feeder.frame()
        #expect(feeder.frames() == 2)
        feeder.sequence = 40_000
        feeder.timestamp = 0xA000_0000
        feeder.frame(key: true)
        feeder.frame()
        #expect(feeder.frames() == 2)
        #expect(feeder.stream.statistics.restarts == 1 && feeder.pool.used == 0)
    }

    @Test func aStrayPacketIsNoRestart() {
        var feeder = HandFeeder()
        feeder.frame(key: true)
        let place = feeder.sequence
        feeder.sequence = 30_000
        feeder.packet()
        feeder.sequence = place
        feeder.frame()
        feeder.frame()
        #expect(feeder.frames() == 3 && feeder.stream.statistics.restarts == 0)
    }

    @Test func anotherPayloadTypeBeginsWithAKeyFrame() {
        var feeder = HandFeeder()
        feeder.frame(key: true)
        feeder.frame(type: 98)
        #expect(feeder.frames() == 1 && feeder.wait(10) == [.pictureLoss])
        feeder.frame(type: 98, key: true)
        feeder.frame(type: 98)
        #expect(feeder.frames() == 2)
        feeder.frame(type: 99)
        #expect(feeder.stream.statistics.unknownPayloadTypes == 1)
    }

    @Test func aFullPoolIsALossLikeAnother() {
        var feeder = HandFeeder(poolLimit: 3)
        feeder.frame(key: true)
        feeder.packet(end: false, present: false)
        for _ in 0..<5 { feeder.packet(start: false, end: false) }
        #expect(feeder.pool.used <= 3 && feeder.pool.refused == 1)
        _ = feeder.wait(3000)
        #expect(feeder.stream.statistics.pliCount > 0)
        feeder.frame(key: true)
        feeder.frame(key: true)
        #expect(feeder.frames() >= 2 && feeder.pool.used == 0)
    }

    @Test func aLargeHoleIsNotRepaired() {
        var feeder = HandFeeder()
        feeder.frame(key: true)
        feeder.sequence &+= 400
        feeder.frame()
        #expect(feeder.wait(10) == [.pictureLoss])
    }

    @Test func h264WithoutMarkersAndWithLostParameterSets() throws {
        let feeder = HandFeeder(codecs: [96: .h264])
        func packet(_ sequence: UInt16, _ timestamp: UInt32, _ unit: [UInt8]) {
            var bytes = [UInt8](repeating: 0, count: 12)
            let header = RTPHeader(payloadType: 96, sequenceNumber: sequence, timestamp: timestamp, ssrc: 1)
            bytes.withUnsafeMutableBytes { _ = header.write(into: $0) }
            feeder.push(bytes + unit)
        }
        let sets: [[UInt8]] = [
            [0x67, 0x42, 0xC0, 0x1E, 0xD9, 0x00, 0xA0, 0x47, 0xFE, 0xC8], [0x68, 0xCE, 0x3C, 0x80],
        ]
        packet(10, 3000, [0x65, 1, 2, 3])
        packet(11, 6000, sets[0])
        // A key frame without parameter sets is none.
        #expect(feeder.frames() == 0 && feeder.stream.pollFeedback(at: feeder.now) == .pictureLoss)
        packet(12, 6000, sets[1])
        packet(13, 6000, [0x65, 1, 2, 3])
        packet(14, 9000, [0x61, 1, 2, 3])
        let key = try #require(feeder.stream.pollFrame())
        #expect(key.isKey && key.timestamp & 0xFFFF_FFFF == 6000 && key.configuration != nil)
        packet(15, 12_000, [0x61, 4])
        #expect(feeder.frames() == 1)
    }
}
