import Core
import RTP
import Testing

struct PlayoutClockTests {
    private static let start = Instant(nanoseconds: 9_000_000_000)
    private static let timestamp: Int64 = 1 << 32

    private func capture(_ frame: Int) -> MediaTime { MediaTime(Int64(frame), per: Rational(30, 1)) }

    /// Runs frames through a clock; `delay` says how long each one travels.
    private func run(
        _ frames: Range<Int>, _ clock: inout PlayoutClock, drift: Double = 0, delay: (Int) -> MediaTime
    ) -> [(due: Instant, arrival: Instant)] {
        frames.map { frame in
            let sent = MediaTime(nanoseconds: Int64(Double(capture(frame).nanoseconds) * (1 + drift)))
            let arrival = Self.start + sent + delay(frame)
            return (clock.due(timestamp: Self.timestamp + Int64(frame) * 3000, arrival: arrival), arrival)
        }
    }

    @Test func withoutJitterThereIsNoDelay() {
        var clock = PlayoutClock(clockRate: 90_000)
        for (due, arrival) in run(0..<300, &clock, delay: { _ in .milliseconds(80) }) { #expect(due == arrival) }
        #expect(clock.delay == .zero)
    }

    @Test(arguments: [5, 20, 80, 200], UInt64(1)...3)
    func nineteenOfTwentyAreInTime(_ jitter: Int, _ seed: UInt64) {
        var clock = PlayoutClock(clockRate: 90_000)
        var random = SeededRandom(seed: seed)
        var last = MediaTime.zero
        let frames = run(0..<1800, &clock) { frame in
            let free = capture(frame) + .milliseconds(Int.random(in: 0...jitter, using: &random))
            last = max(last, free)
            return last - capture(frame)
        }
        let late = frames.dropFirst(300).filter { $0.arrival > $0.due }.count
        #expect(late <= 1500 / 12, "\(late)")
        #expect(clock.delay <= .milliseconds(jitter + 5))
        for (a, b) in zip(frames, frames.dropFirst()) {
            let step = (b.due - a.due).seconds
            #expect(step >= 0.98 / 30 - 1e-6 && step <= 1.1 / 30 + 1e-6)
        }
    }

    @Test(arguments: [-2e-4, 2e-4])
    func driftIsFollowed(_ drift: Double) {
        var clock = PlayoutClock(clockRate: 90_000)
        let frames = run(0..<9000, &clock, drift: drift) { _ in .milliseconds(30) }
        for (due, arrival) in frames.dropFirst(600) { #expect(abs((due - arrival).seconds) < 0.004) }
    }

    @Test func aSlowerWayIsFollowedGently() {
        var clock = PlayoutClock(clockRate: 90_000)
        let frames = run(0..<1800, &clock) { .milliseconds($0 < 300 ? 30 : $0 < 900 ? 150 : 30) }
        #expect(frames[299].due == frames[299].arrival)
        // Within two seconds at a tenth.
        #expect(frames[450].due >= frames[450].arrival)
        // Back at a fiftieth.
        #expect(frames[1799].due - frames[1799].arrival <= .milliseconds(1))
    }

    @Test func anotherStreamBeginsAnew() {
        var clock = PlayoutClock(clockRate: 90_000)
        _ = run(0..<30, &clock) { _ in .zero }
        let later = Self.start + .seconds(2)
        check(clock.due(timestamp: 77, arrival: later) == later)
        #expect(clock.jumps == 1)
        // An outage is none: the clocks agree afterwards.
        let back = later + .seconds(60)
        check(clock.due(timestamp: 77 + 60 * 90_000, arrival: back) == back && clock.jumps == 1)
    }

    @Test func soundAndPictureComeTogether() {
        let bounds = -MediaTime.milliseconds(46)...MediaTime.milliseconds(46)
        for (video, audio) in [(0, 0), (300, 40), (40, 300), (80, 50), (0, 44), (10, 70)] {
            var sync = LipSync()
            sync.update(video: .milliseconds(video), audio: .milliseconds(audio))
            let skew = MediaTime.milliseconds(video) + sync.videoDelay - .milliseconds(audio) - sync.audioDelay
            #expect(bounds.contains(skew))
            #expect(sync.videoDelay == .zero || sync.audioDelay == .zero)
            if abs(video - audio) <= 40 { #expect(sync.videoDelay == .zero && sync.audioDelay == .zero) }
        }
        var sync = LipSync()
        sync.update(video: .seconds(100), audio: .zero)
        #expect(sync.audioDelay == .zero)
    }

    @Test func offsetsOfOneParticipantAreComparable() throws {
        // Pictures take 120 ms longer than sound, whose timestamps tick at another rate from another origin.
        var (video, audio) = (PlayoutClock(clockRate: 90_000), PlayoutClock(clockRate: 48_000))
        var (videoClock, audioClock) = (SenderClock(clockRate: 90_000), SenderClock(clockRate: 48_000))
        for step in 0..<500 {
            let sent = MediaTime.milliseconds(20 * step)
            let (videoTime, audioTime) = (Int64(step * 1800 + 1_000_000), Int64(step * 960 + 5_000_000))
            _ = video.due(timestamp: videoTime, arrival: Self.start + sent + .milliseconds(150))
            _ = audio.due(timestamp: audioTime, arrival: Self.start + sent + .milliseconds(30))
            guard step % 50 == 10 else { continue }
            let time = NTPTime(Instant(nanoseconds: 50_000_000_000) + sent, epochSeconds: 3_000_000_000)
            func report(_ timestamp: Int64) -> SenderReport {
                SenderReport(
                    ssrc: 1, ntpTime: time, rtpTimestamp: UInt32(truncatingIfNeeded: timestamp), packetCount: 0,
                    octetCount: 0)
            }
            videoClock.receive(report(videoTime), newest: videoTime)
            audioClock.receive(report(audioTime), newest: audioTime)
        }
        let skew = try #require(video.naturalOffset(videoClock)) - #require(audio.naturalOffset(audioClock))
        #expect(abs(skew.seconds - 0.120) < 0.002)
        var sync = LipSync()
        sync.update(video: video.naturalOffset(videoClock), audio: audio.naturalOffset(audioClock))
        #expect(abs(sync.audioDelay.seconds - 0.080) < 0.002)
    }
}
