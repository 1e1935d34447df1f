// Prints what receiving costs per packet: CPU time of one thread, and calls of malloc and its kin.
// swift run -c release bench-receiving
import CAllocations
import Core
import Glibc
import RTP

func nanoseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

func padded(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(0, width - text.count)) + text }

/// Two decimals.
func hundredths(_ value: Double) -> String {
    let scaled = Int((value * 100).rounded())
    let digits = String(abs(scaled) % 100)
    return "\(scaled / 100)." + (digits.count == 1 ? "0" : "") + digits
}

struct Figure {
    var name: String
    var time: [Double] = []
    var allocations: [Double] = []
    var frames = 0
    var packets = 0

    func show() {
        let median = time.sorted()[time.count / 2]
        let counts = allocations.sorted()[allocations.count / 2]
        let perFrame = frames == 0 ? "" : hundredths(counts * Double(packets) / Double(frames))
        print(
            "\(name)\(padded(hundredths(median), 34 - name.count)) \(padded(hundredths(counts), 12)) \(padded(perFrame, 12))"
        )
    }
}

/// A VP8 packet of 1100 bytes.
func packet(_ number: Int, frame: Int, isFirst: Bool, isLast: Bool, isKey: Bool, into bytes: inout [UInt8])
    -> RTPHeader?
{
    let header = RTPHeader(
        marker: isLast, payloadType: 96, sequenceNumber: UInt16(truncatingIfNeeded: number),
        timestamp: UInt32(truncatingIfNeeded: frame * 3000), ssrc: 1)
    return bytes.withUnsafeMutableBytes { buffer in
        _ = header.write(into: buffer)
        buffer[12] = isFirst ? 0x90 : 0x80
        buffer[13] = 0xE0
        buffer[14] = 0x80 | UInt8(frame >> 8 & 0x7F)
        buffer[15] = UInt8(frame & 0xFF)
        buffer[16] = UInt8(frame & 0xFF)
        buffer[17] = 0x20
        buffer[18] = isKey ? 0x10 : 0x11
        for (place, byte) in [UInt8(0x9D), 0x01, 0x2A, 0x80, 0x02, 0x68, 0x01].enumerated() {
            buffer[21 + place] = byte
        }
        return try? RTPHeader(UnsafeRawBufferPointer(buffer).bytes)
    }
}

/// A stream of 30 frames per second with so many packets each; `loss` in 1000 come three frames later. Building the
/// packets is measured by itself and subtracted.
func video(_ name: String, packetsPerFrame: Int, loss: Int) -> Figure {
    var figure = Figure(name: name)
    let stream = VideoReceiveStream(.init(ssrc: 1, codecs: [96: .vp8]), pool: PacketPool())
    var bytes = [UInt8](repeating: 7, count: 1112)
    let frames = 100_000 / packetsPerFrame
    var random = SeededRandom(seed: 1)
    // Packets that come late, in a ring: their number, 0 where there is none.
    let delay = 3 * packetsPerFrame
    var late = [Int](repeating: 0, count: delay)
    var received = 0

    func push(_ number: Int, at now: Instant) {
        let place = number % packetsPerFrame
        guard
            let header = packet(
                number, frame: number / packetsPerFrame, isFirst: place == 0, isLast: place == packetsPerFrame - 1,
                isKey: number < packetsPerFrame, into: &bytes)
        else { return }
        stream.receive(bytes.span.bytes, header, at: now)
    }
    func run(_ first: Int, isDry: Bool) {
        for number in first..<(first + frames * packetsPerFrame) {
            let now = Instant(nanoseconds: 1_000_000_000 + Int64(number) * 33_333_333 / Int64(packetsPerFrame))
            if isDry {
                _ = packet(number, frame: number, isFirst: true, isLast: false, isKey: false, into: &bytes)
                continue
            }
            let place = number % delay
            if late[place] > 0 { push(late[place], at: now) }
            late[place] = 0
            if loss > 0, number >= packetsPerFrame, random.next() % 1000 < UInt64(loss) {
                late[place] = number
            } else {
                push(number, at: now)
            }
            while stream.pollFeedback(at: now) != nil {}
            while stream.pollFrame() != nil { received += 1 }
            _ = stream.deadline
        }
    }
    for round in 0..<21 {
        let (dry, allocationsBefore) = (nanoseconds(), callocations_count())
        run(round * frames * packetsPerFrame, isDry: true)
        let (start, allocations) = (nanoseconds(), callocations_count())
        received = 0
        run(round * frames * packetsPerFrame, isDry: false)
        guard round > 0 else { continue }
        (figure.frames, figure.packets) = (received, frames * packetsPerFrame)
        figure.time.append(Double(nanoseconds() - start - (start - dry)) / Double(figure.packets))
        figure.allocations.append(
            Double(callocations_count() - allocations - (allocations - allocationsBefore))
                / Double(figure.packets))
    }
    return figure
}

func simple(_ name: String, _ body: (Int, Instant) -> Void) -> Figure {
    var figure = Figure(name: name)
    for round in 0..<21 {
        let (start, allocations) = (nanoseconds(), callocations_count())
        for step in 0..<100_000 {
            let number = round * 100_000 + step
            body(number, Instant(nanoseconds: 1_000_000_000 + Int64(number) * 1_000_000))
        }
        guard round > 0 else { continue }
        figure.time.append(Double(nanoseconds() - start) / 1e5)
        figure.allocations.append(Double(callocations_count() - allocations) / 1e5)
    }
    return figure
}

func sound() -> Figure {
    let queue = AudioPacketQueue(.init(ssrc: 1, formats: [111: .sound]))
    var bytes = [UInt8](repeating: 7, count: 120)
    return simple("sound, Opus of 108 bytes") { number, now in
        let header = RTPHeader(
            payloadType: 111, sequenceNumber: UInt16(truncatingIfNeeded: number),
            timestamp: UInt32(truncatingIfNeeded: number * 960), ssrc: 1)
        bytes.withUnsafeMutableBytes { _ = header.write(into: $0) }
        guard let read = try? RTPHeader(bytes.span.bytes) else { return }
        queue.receive(bytes.span.bytes, read, at: now)
        while queue.pollPacket() != nil {}
    }
}

func feedback() -> Figure {
    var generator = TransportFeedbackGenerator()
    return simple("transport-wide feedback") { number, now in
        generator.receive(UInt16(truncatingIfNeeded: number), size: 1200, at: now)
        while generator.poll(at: now, senderSSRC: 1, mediaSSRC: 1) != nil {}
    }
}

func playout() -> Figure {
    var clock = PlayoutClock(clockRate: 90_000)
    return simple("playout clock, per frame") { number, now in
        _ = clock.due(timestamp: Int64(number) * 90, arrival: now + MediaTime(nanoseconds: Int64(number % 7) * 400_000))
    }
}

print("Receiving                 ns per packet  mallocs per packet  per frame")
for figure in [
    video("video, 1 packet per frame", packetsPerFrame: 1, loss: 0),
    video("video, 4 packets per frame", packetsPerFrame: 4, loss: 0),
    video("video, 20 packets per frame", packetsPerFrame: 20, loss: 0),
    video("the same, 5 % repaired", packetsPerFrame: 20, loss: 50),
    sound(), feedback(), playout(),
] { figure.show() }
