import CAllocations
import Core
import Glibc
import RTP

/// CPU time of this thread, in nanoseconds.
func threadTime() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// What a packet costs a sender from the shared frame to the datagram: pictures of four packets to 100 viewers, with all
/// header extensions, pacer, estimator and cache; encryption and sending are not in it.
func packetCost() {
    let viewers = 100
    let map = ExtensionMap([.transportSequenceNumber: 3, .absoluteSendTime: 2, .mid: 4])
    var random = SeededRandom(seed: 1)
    var senders: [(sender: RTPSender, stream: RTPSendStream)] = []
    for _ in 0..<viewers {
        let sender = RTPSender(limits: .init(maximum: 5_000_000, start: 5_000_000), random: &random)
        sender.setWish(100_000)
        let stream = RTPSendStream(
            RTPSendConfiguration(
                kind: .video, ssrc: 1, payloadType: 96, clockRate: 90_000, retransmissionSSRC: 2,
                retransmissionPayloadType: 97, mid: StreamLabel("0"), extensions: map,
                origin: Instant(nanoseconds: 0)), random: &random)
        sender.add(stream)
        senders.append((sender, stream))
    }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1500, alignment: 8)
    defer { buffer.deallocate() }
    let format = VideoFormat(codec: .vp8, width: 640, height: 360)
    let payload = Payload(count: 4600) { _ in }
    var (time, allocations, packets) = (0, 0, 0)
    for step in 0..<600 {
        let pts = MediaTime.milliseconds(33 * step)
        let frame = EncodedFrame(payload: payload, pts: pts, isKey: step == 0)
        guard let cut = try? Packetizer(codec: .vp8).packetize(frame, format: format, sizeMax: 1180) else { return }
        let shared = OutgoingFrame(cut, pts: pts)
        let now = Instant(nanoseconds: pts.nanoseconds)
        let (begin, before) = (threadTime(), callocations_count())
        var sent = 0
        for (sender, stream) in senders {
            _ = sender.enqueue(shared, on: stream, at: now)
            var clock = now
            while true {
                while sender.poll(into: buffer, at: clock) > 0 { sent += 1 }
                guard let next = sender.deadline(at: clock), next < now + .milliseconds(30) else { break }
                clock = next
            }
        }
        // The first seconds fill the caches.
        guard step >= 200 else { continue }
        time += threadTime() - begin
        allocations += Int(callocations_count() - before)
        packets += sent
    }
    print("| packets | ns per packet | allocations per packet |")
    print("| --: | --: | --: |")
    print("| \(packets) | \(time / max(1, packets)) | \(tenths(Double(allocations) / Double(max(1, packets)))) |")
}
