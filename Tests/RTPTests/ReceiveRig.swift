import Core
import RTP
import Testing

/// What a simulated way does to packets, from a seed.
struct RigLine {
    var loss = 0.0
    /// Mean packets per burst of losses; 1: independent.
    var burst = 1.0
    var feedbackLoss = 0.0
    var oneWay = MediaTime.milliseconds(25)
    /// Extra delay, equally likely from zero to this; packets keep their order.
    var jitter = MediaTime.zero
    /// One packet in five is held back behind up to this many others.
    var reorder = 0
    var duplication = 0.0
    var outage: Range<Int>?  // milliseconds
    var answersRequests = true
}

/// A model sender of VP8 and a model way, both in virtual time, around a `VideoReceiveStream`. It knows what was sent
/// and what arrived, so it can say of each frame whether it was handed on rightly.
final class ReceiveRig {
    struct Sent {
        var payload: Payload
        var isKey: Bool
        var packets: Range<Int>
        var missing: Int
    }
    private enum Event {
        case capture
        case arrival([UInt8])
        case feedback(VideoFeedback)
    }

    static let ssrc: UInt32 = 0x1234
    static let rtxSSRC: UInt32 = 0x5678
    let pool = PacketPool()
    let stream: VideoReceiveStream
    let line: RigLine
    var random: SeededRandom
    private var events = TimerQueue<Event>()
    private(set) var now = Instant(nanoseconds: 1_000_000_000)
    private let start = Instant(nanoseconds: 1_000_000_000)
    private(set) var sent: [Sent] = []
    private var packets: [(bytes: [UInt8], frame: Int)] = []
    private var hasArrived: [Bool] = []
    private var numbers = PictureNumbers(pictureID: 0x7FF0, tl0PictureIndex: 250)
    private var keyWanted = true
    private var lastKey = -100
    private var nextRTX: UInt16 = 65_530
    private var inBurst = false
    private var lastArrival = Instant(nanoseconds: 0)
    private let firstSequence: UInt16 = 65_400

    /// Index of each frame handed on, and when.
    private(set) var received: [(frame: Int, at: Instant)] = []
    private(set) var wrong: [String] = []
    private(set) var lost = 0
    private(set) var requestsSeen = 0
    private(set) var keyRequestTimes: [Instant] = []
    var framesToSend = 300
    /// Padding-only packets after each frame, as for probing.
    var paddingPerFrame = 0

    init(seed: UInt64, _ line: RigLine = RigLine(), sendsNACK: Bool = true) {
        self.line = line
        random = SeededRandom(seed: seed)
        stream = VideoReceiveStream(
            .init(ssrc: Self.ssrc, codecs: [96: .vp8], retransmissions: [97: 96], sendsNACK: sendsNACK), pool: pool)
        stream.roundTrip = line.oneWay + line.oneWay
    }

    private func chance(_ probability: Double) -> Bool { Double.random(in: 0..<1, using: &random) < probability }

    func run(milliseconds: Int) {
        _ = events.add(start, .capture)
        let end = start + .milliseconds(milliseconds)
        while true {
            let next = [events.nextDeadline, stream.deadline].compactMap(\.self).min() ?? end
            guard next < end else { return }
            now = max(now, next)
            while let event = events.popDue(at: now) { handle(event) }
            if let deadline = stream.deadline, deadline <= now { stream.expire(at: now) }
            drain()
        }
    }

    private func handle(_ event: Event) {
        switch event {
        case .capture: capture()
        case .arrival(let bytes):
            guard let header = try? RTPHeader(bytes.span.bytes) else { return wrong.append("bad packet") }
            note(bytes, header)
            stream.receive(bytes.span.bytes, header, at: now)
            drainFrames()
        case .feedback(.nack(let list)):
            for number in list { resend(number) }
        case .feedback: keyWanted = true
        }
    }

    private func note(_ bytes: [UInt8], _ header: RTPHeader) {
        var number = header.sequenceNumber
        if header.ssrc == Self.rtxSSRC {
            number = UInt16(bytes[12]) << 8 | UInt16(bytes[13])
        }
        let near = Int(number &- firstSequence)
        // Numbers wrap: the packet is the newest sent one with them.
        guard let index = stride(from: near, to: packets.count, by: 65_536).reversed().first(where: { _ in true }),
            !hasArrived[index]
        else { return }
        hasArrived[index] = true
        if packets[index].frame >= 0 { sent[packets[index].frame].missing -= 1 }
    }

    private func capture() {
        guard sent.count < framesToSend else { return }
        _ = events.add(start + MediaTime(Int64(sent.count + 1), per: Rational(30, 1)), .capture)
        let isKey = keyWanted && sent.count - lastKey >= 10
        if isKey { (keyWanted, lastKey) = (false, sent.count) }
        let payload = Payload(
            Self.vp8(isKey: isKey, count: Int.random(in: 300...(isKey ? 20_000 : 6000), using: &random)))
        let frame = EncodedFrame(payload: payload, pts: .zero, isKey: isKey)
        let format = VideoFormat(codec: .vp8, width: 640, height: 360)
        guard let cut = try? Packetizer(codec: .vp8).packetize(frame, format: format, sizeMax: 1100) else { return }
        if !sent.isEmpty { numbers.advance() }
        let first = packets.count
        let timestamp = UInt32(truncatingIfNeeded: 0xFFFF_0000 + sent.count * 3000)
        sent.append(Sent(payload: payload, isKey: isKey, packets: first..<first, missing: cut.slices.count))
        for slice in cut.slices {
            var bytes = [UInt8](repeating: 0, count: 12 + slice.count)
            bytes.withUnsafeMutableBytes { buffer in
                _ = header(marker: slice.isLast, timestamp).write(into: buffer)
                _ = cut.write(slice, numbers, into: UnsafeMutableRawBufferPointer(rebasing: buffer[12...]))
            }
            put(bytes, frame: sent.count - 1)
        }
        sent[sent.count - 1].packets = first..<packets.count
        for _ in 0..<paddingPerFrame {
            var bytes = [UInt8](repeating: 0, count: 12 + 200)
            bytes.withUnsafeMutableBytes { _ = header(marker: false, timestamp).write(into: $0) }
            bytes[0] |= 0x20
            bytes[bytes.count - 1] = 200
            put(bytes, frame: -1)
        }
    }

    private func header(marker: Bool, _ timestamp: UInt32) -> RTPHeader {
        RTPHeader(
            marker: marker, payloadType: 96, sequenceNumber: firstSequence &+ UInt16(truncatingIfNeeded: packets.count),
            timestamp: timestamp, ssrc: Self.ssrc)
    }

    private func put(_ bytes: [UInt8], frame: Int) {
        packets.append((bytes, frame))
        hasArrived.append(false)
        transmit(bytes, position: packets.count)
    }

    private func resend(_ number: UInt16) {
        requestsSeen += 1
        let near = Int(number &- firstSequence)
        guard line.answersRequests,
            let index = stride(from: near, to: packets.count, by: 65_536).reversed().first(where: { _ in true })
        else { return }
        var bytes = packets[index].bytes
        var header = RTPHeader(
            marker: bytes[1] & 0x80 != 0, payloadType: 97, sequenceNumber: nextRTX, timestamp: 0, ssrc: Self.rtxSSRC)
        header.timestamp = bytes[4..<8].reduce(0) { $0 << 8 | UInt32($1) }
        nextRTX &+= 1
        let padding = bytes[0] & 0x20
        bytes.insert(contentsOf: [UInt8(number >> 8), UInt8(number & 0xFF)], at: 12)
        bytes.withUnsafeMutableBytes { _ = header.write(into: $0) }
        bytes[0] |= padding
        transmit(bytes, position: 0)
    }

    /// `position` counts packets of the stream, to pace them 0.2 ms apart within a frame.
    private func transmit(_ bytes: [UInt8], position: Int) {
        let milliseconds = Int((now - start).nanoseconds / 1_000_000)
        if inBurst { inBurst = !chance(1 / line.burst) } else { inBurst = chance(line.loss / line.burst) }
        let isLost = line.burst > 1 ? inBurst : chance(line.loss)
        if isLost || line.outage?.contains(milliseconds) ?? false {
            lost += 1
            return
        }
        var delay = line.oneWay + MediaTime(nanoseconds: Int64(position % 20) * 200_000)
        if line.jitter > .zero {
            delay += MediaTime(nanoseconds: Int64.random(in: 0...line.jitter.nanoseconds, using: &random))
        }
        var arrival = now + delay
        if line.reorder > 0, chance(0.2) {
            // A packet every 0.2 ms in a frame: held back by time, behind that many.
            arrival =
                arrival
                + MediaTime(
                    nanoseconds: Int64.random(in: 1...Int64(line.reorder), using: &random) * 1_000_000)
        } else {
            arrival = max(arrival, lastArrival)
            lastArrival = arrival
        }
        _ = events.add(arrival, .arrival(bytes))
        if chance(line.duplication) { _ = events.add(arrival + .milliseconds(3), .arrival(bytes)) }
    }

    private func drain() {
        drainFrames()
        while let feedback = stream.pollFeedback(at: now) {
            if feedback == .pictureLoss { keyRequestTimes.append(now) }
            if !chance(line.feedbackLoss) { _ = events.add(now + line.oneWay, .feedback(feedback)) }
        }
        drainFrames()
    }

    private func drainFrames() {
        while let frame = stream.pollFrame() {
            let index = Int((frame.timestamp - (1 << 32) - 0xFFFF_0000) / 3000)
            guard sent.indices.contains(index) else {
                wrong.append("unknown frame at \(frame.timestamp)")
                continue
            }
            check(frame, index)
            received.append((index, now))
        }
        // A frame that is whole and follows the last one must not lie around.
        if let last = received.last?.frame, last + 1 < sent.count, sent[last + 1].missing == 0,
            sent[last + 1].packets.upperBound > sent[last + 1].packets.lowerBound, isYoung(last + 1)
        {
            wrong.append("frame \(last + 1) is whole, but not handed on")
        }
    }

    /// Younger than the receiver's patience with missing packets.
    private func isYoung(_ frame: Int) -> Bool {
        now - (start + MediaTime(Int64(frame), per: Rational(30, 1))) < .milliseconds(400)
    }

    private func check(_ frame: ReceivedFrame, _ index: Int) {
        let original = sent[index]
        if frame.payload.bytes != original.payload.bytes { wrong.append("frame \(index) has other bytes") }
        if frame.isKey != original.isKey { wrong.append("frame \(index): key is \(frame.isKey)") }
        let last = received.last?.frame ?? -1
        if index <= last { wrong.append("frame \(index) after \(last)") }
        if !frame.isKey, index != last + 1 { wrong.append("frame \(index) after \(last) cannot be decoded") }
        if index > last + 1, last >= 0, sent[last + 1].missing == 0, isYoung(last + 1) {
            wrong.append("frame \(last + 1) was whole, but passed over")
        }
    }

    /// A VP8 frame of `count` bytes as far as its header goes: a key frame says 640×360.
    static func vp8(isKey: Bool, count: Int, fill: UInt8 = 0) -> [UInt8] {
        var bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ count &+ Int(fill)) }
        bytes[0] = isKey ? 0x10 : 0x11
        if isKey { bytes.replaceSubrange(3..<10, with: [0x9D, 0x01, 0x2A, 0x80, 0x02, 0x68, 0x01]) }
        return bytes
    }
}

/// `#expect` for what changes a value while it is asked: the macro itself cannot call mutating methods.
func check(_ condition: Bool, at location: SourceLocation = #_sourceLocation) {
    #expect(condition, sourceLocation: location)
}
