import Codecs
import Core
import Media
import TestKit
import Testing

/// A sender, a bad line and a receiver in virtual time.
struct ReceiverRun {
    static let opus: UInt8 = 111
    static let formats: [UInt8: SoundPayloadFormat] = [
        0: .sound(AudioFormat(codec: .pcmu, sampleRate: 8000, channels: 1), clockRate: 8000),
        8: .sound(AudioFormat(codec: .pcma, sampleRate: 8000, channels: 1), clockRate: 8000),
        9: .sound(AudioFormat(codec: .g722, sampleRate: 16_000, channels: 1), clockRate: 8000),
        13: .comfortNoise(clockRate: 8000),
        101: .telephoneEvent,
        opus: .sound(AudioFormat(codec: .opus, sampleRate: 48_000, channels: 2), clockRate: 48_000),
    ]
    var samples: [Float] = []
    var channels = 0
    var reports: [SoundReport] = []
    var report: SoundReport { reports.last ?? SoundReport() }
    var statistics: SoundStatistics { report.statistics }

    init(
        _ sent: [SoundLine.Sent], _ line: SoundLine = SoundLine(), seconds: Double, extraDelay: MediaTime = .zero,
        alter: (inout SoundPacket) -> Void = { _ in }
    ) {
        let receiver = AudioReceiver(ReceiverRun.formats)
        receiver.extraDelay = extraDelay
        let arriving = line.carry(sent)
        var next = 0
        for index in 0..<Int(seconds * 50) {
            let now = Instant(nanoseconds: 7_000_000) + .milliseconds(20 * index)
            while next < arriving.count, arriving[next].arrival <= now {
                var packet = arriving[next]
                alter(&packet)
                receiver.insert(packet)
                next += 1
            }
            let block = receiver.pull(at: now)
            #expect(block.sampleCount == 960)
            #expect(block.pts == .milliseconds(20 * index))
            channels = block.channels
            samples += Tones.channel(0, of: block.samples, channels: block.channels)
            reports.append(receiver.report)
        }
    }

    /// Packets of 20 ms of any codec.
    static func packets(_ samples: [Float], _ specification: AudioSpecification, type: UInt8) throws
        -> [SoundLine.Sent]
    {
        let encoder = try LibraryCodecs().audioEncoder(specification)
        try encoder.setExpectedLoss(specification.fec ? 10 : 0)
        let ticks: Int64 = type == opus ? 960 : 160
        let blocks = Tones.blocks(samples, channels: specification.channels)
        return try blocks.flatMap { try encoder.encode($0) }.enumerated().map { index, frame in
            SoundLine.Sent(
                time: MediaTime(samples: Int64(index) * 960, rate: 48_000), timestamp: 7000 + Int64(index) * ticks,
                payloadType: type, payload: frame.payload)
        }
    }

    static func opusTone(_ seconds: Double, level: Double = 0.3, fec: Bool = false) throws -> [SoundLine.Sent] {
        try packets(
            Tones.sine(440, level: level, seconds: seconds),
            AudioSpecification(channels: 1, bitrate: 32_000, complexity: 3, fec: fec), type: opus)
    }

    /// Longest stretch in milliseconds in which nothing is louder than `level`.
    func longestSilence(below level: Float, from start: Double, to end: Double) -> Double {
        var (longest, run) = (0, 0)
        for sample in samples[Int(start * 48_000)..<min(samples.count, Int(end * 48_000))] {
            run = sample.magnitude < level ? run + 1 : 0
            longest = max(longest, run)
        }
        return Double(longest) / 48
    }

    /// The largest step between neighbours: a click.
    func largestStep(from start: Double, to end: Double) -> Float {
        let part = samples[Int(start * 48_000)..<min(samples.count, Int(end * 48_000))]
        return zip(part, part.dropFirst()).map { ($1 - $0).magnitude }.max() ?? 0
    }
}

@Suite struct AudioReceiverTests {
    @Test func aGoodLineAddsNothing() throws {
        let run = ReceiverRun(try ReceiverRun.opusTone(8), seconds: 8)
        #expect(run.statistics.concealedSamples == 0)
        #expect(run.statistics.insertedSamplesForDeceleration == 0)
        #expect(run.report.currentDelay < .milliseconds(25), "\(run.report.currentDelay)")
        #expect(run.report.driftPPM == 0)
        let steady = run.samples[96_000..<360_000]
        #expect(abs(Tones.frequency(in: steady) - 440) < 0.1)
        #expect(abs(Tones.amplitude(of: 440, in: steady) - 0.3) < 0.01)
        #expect(run.report.level == 13 || run.report.level == 14, "0.3 of full scale is -13.5 dBov")
    }

    @Test(arguments: [0, 20, 60, 200], [0.0, 0.1])
    func theDelayFollowsTheNetworkAndNothingIsMissing(jitter: Int, loss: Double) throws {
        var line = SoundLine()
        line.jitter = .milliseconds(jitter)
        line.loss = loss
        line.seed = UInt64(jitter + 3)
        let run = ReceiverRun(try ReceiverRun.opusTone(8), line, seconds: 8)
        #expect(run.longestSilence(below: 0.01, from: 1, to: 8) <= 20)
        let delay = run.report.currentDelay.seconds * 1000
        #expect(delay < Double(jitter) + 65, "\(delay) ms")
        #expect(delay > Double(jitter) * 0.75)
        let late = run.reports[399].statistics.concealedSamples - run.reports[199].statistics.concealedSamples
        #expect(Double(late) < Double(200 * 960) * (loss * 1.5 + 0.02), "hardly more is made up than was lost")
    }

    @Test(arguments: [1, 2] as [UInt64])
    func burstsAreConcealed(seed: UInt64) throws {
        var line = SoundLine()
        line.loss = 0.1
        line.burst = 3
        line.seed = seed
        let run = ReceiverRun(try ReceiverRun.opusTone(6), line, seconds: 6)
        #expect(run.statistics.concealmentEvents > 3)
        #expect(run.largestStep(from: 1, to: 6) < 0.25, "no click")
    }

    @Test func duplicatesAndOrderDoNotMatter() throws {
        var line = SoundLine()
        line.jitter = .milliseconds(60)
        line.duplicates = 0.5
        let run = ReceiverRun(try ReceiverRun.opusTone(8), line, seconds: 8)
        #expect(run.statistics.packetsDuplicated > 100)
        #expect(run.statistics.concealedSamples < 960 * 12)
    }

    @Test(arguments: [-300.0, 300.0])
    func aClockThatIsOffIsFollowed(drift: Double) throws {
        var line = SoundLine()
        line.driftPPM = drift
        line.jitter = .milliseconds(10)
        let run = ReceiverRun(try ReceiverRun.opusTone(26), line, seconds: 25)
        #expect(abs(run.report.driftPPM - drift) < 40, "\(run.report.driftPPM)")
        #expect(run.report.currentDelay < .milliseconds(60))
        #expect(run.statistics.concealedSamples < 960 * 3)
        let steady = run.samples[(18 * 48_000)..<(25 * 48_000)]
        #expect(abs(Tones.frequency(in: steady) - 440 * (1 + drift * 1e-6)) < 0.03)
        #expect(run.largestStep(from: 2, to: 25) < 0.025, "0.3 at 440 Hz changes by 0.0173 a sample")
    }

    @Test(arguments: [20, 40, 80, 160, 240, 480, 960])
    func packetsOfEveryLength(bytes: Int) throws {
        // µ-law in packets of 2.5 to 120 ms.
        let coded = try ReceiverRun.packets(
            Tones.sine(440, level: 0.3, seconds: 6), AudioSpecification(codec: .pcmu, channels: 1), type: 0
        ).flatMap(\.payload.bytes)
        let sent = stride(from: 0, to: coded.count - bytes, by: bytes).map { place in
            SoundLine.Sent(
                time: MediaTime(samples: Int64(place), rate: 8000), timestamp: Int64(place), payloadType: 0,
                payload: Payload(Array(coded[place..<(place + bytes)])))
        }
        let run = ReceiverRun(sent, seconds: 5.5)
        #expect(run.statistics.concealedSamples == 0)
        #expect(run.longestSilence(below: 0.01, from: 0.5, to: 5.5) < 2)
        #expect(run.report.currentDelay < .milliseconds(45), "\(run.report.currentDelay)")
        #expect(abs(Tones.frequency(in: run.samples[48_000..<240_000]) - 440) < 0.1)
    }

    @Test func aChangeOfCodecIsNotHeard() throws {
        let tone = Tones.sine(440, level: 0.3, seconds: 6)
        let kinds: [(AudioCodec, UInt8)] = [
            (.opus, ReceiverRun.opus), (.pcmu, 0), (.g722, 9), (.opus, ReceiverRun.opus),
        ]
        var sent: [SoundLine.Sent] = []
        for (index, kind) in kinds.enumerated() {
            // The sender's encoder begins anew, too. One block more, because encoders look ahead.
            let part = Array(tone[(index * 57_600)..<((index + 1) * 57_600 + 960)])
            let all = try ReceiverRun.packets(
                part, AudioSpecification(codec: kind.0, channels: 1, bitrate: 32_000), type: kind.1)
            sent += all.prefix(60).map { packet in
                var packet = packet
                packet.time = packet.time + .milliseconds(1200 * index)
                packet.timestamp += kind.1 == ReceiverRun.opus ? Int64(57_600 * index) : Int64(9600 * index)
                return packet
            }
        }
        let run = ReceiverRun(sent, seconds: 4.8)
        #expect(run.statistics.concealedSamples == 0)
        #expect(run.longestSilence(below: 0.02, from: 0.5, to: 4.7) < 12, "Opus begins with 6.5 ms of nothing")
        #expect(run.largestStep(from: 0.5, to: 4.7) < 0.06)
        #expect(run.report.currentDelay < .milliseconds(45))
    }

    @Test func silenceThatIsNotSentIsNoLoss() throws {
        let speech = Tones.sine(300, level: 0.3, seconds: 1.5)
        let pause = [Float](repeating: 0, count: 48_000 * 3)
        var specification = AudioSpecification(channels: 1, bitrate: 24_000)
        specification.dtx = true
        var sent = try ReceiverRun.packets(speech + pause + speech, specification, type: ReceiverRun.opus)
        let all = sent.count
        // As browsers do: of the packets without sound only one in twenty is sent.
        var quiet = 0
        sent = sent.filter { packet in
            guard packet.payload.count <= 2 else { return true }
            quiet += 1
            return quiet % 20 == 1
        }
        #expect(sent.count < all - 100)
        var line = SoundLine()
        line.jitter = .milliseconds(30)
        let run = ReceiverRun(sent, line, seconds: 5.8)
        #expect(run.statistics.concealedSamples < 960 * 3, "\(run.statistics.concealedSamples)")
        let second = run.samples[(48_000 * 2)...]
        let onset = try #require(second.firstIndex { $0.magnitude > 0.15 })
        #expect(abs(Double(onset) / 48_000 - 4.5 - 0.06) < 0.06, "the pause is as long as it was")
    }

    @Test func redundancyRepairs() throws {
        // Voiced sound makes libopus use the codec that has redundancy.
        var random = SeededRandom(seed: 5)
        var phase = 0.0
        let voice = (0..<(48_000 * 10)).map { index -> Float in
            let time = Double(index) / 48_000
            phase += 120.0 / 48_000
            let place = phase - phase.rounded(.down)
            let envelope = Float(0.5 + 0.5 * (time * 3).truncatingRemainder(dividingBy: 1))
            return envelope * (Float(1 - place) * 0.3 + Float.random(in: -0.01...0.01, using: &random))
        }
        let sent = try ReceiverRun.packets(
            voice, AudioSpecification(channels: 1, bitrate: 24_000, fec: true), type: ReceiverRun.opus)
        var line = SoundLine()
        line.loss = 0.1
        let run = ReceiverRun(sent, line, seconds: 10)
        let used = run.statistics.fecPacketsReceived - run.statistics.fecPacketsDiscarded
        #expect(run.statistics.fecPacketsReceived > 100)
        #expect(used > 15, "\(used) of about 50 lost packets were repaired")
        #expect(run.statistics.concealedSamples < 960 * 40)
    }

    @Test func aJumpInTheTimeStampsIsFollowed() throws {
        let run = ReceiverRun(try ReceiverRun.opusTone(6), seconds: 6) { packet in
            if packet.sequence >= 150 { packet.timestamp += 1 << 33 }
        }
        #expect(run.statistics.resets == 1)
        #expect(run.statistics.concealedSamples == 0)
        #expect(run.longestSilence(below: 0.01, from: 1, to: 6) < 2)
    }

    @Test func soundWaitsForThePicture() throws {
        let plain = ReceiverRun(try ReceiverRun.opusTone(6), seconds: 6)
        let waiting = ReceiverRun(try ReceiverRun.opusTone(6), seconds: 6, extraDelay: .milliseconds(80))
        let added = waiting.report.currentDelay - plain.report.currentDelay
        #expect(added > .milliseconds(70) && added < .milliseconds(110), "\(added)")
        let playout = try #require(waiting.report.playout)
        // What is heard now was sent so long ago: latency 33 ms and the delay.
        let sentAt = MediaTime(samples: playout.timestamp - 7000, rate: 48_000)
        let age = (playout.at - Instant(nanoseconds: 0)) - sentAt
        #expect(abs((age - .milliseconds(33) - waiting.report.currentDelay).seconds) < 0.002)
    }

    @Test func comfortNoiseHasTheLevelThatWasSaid() throws {
        var sent = try ReceiverRun.packets(
            Tones.sine(440, level: 0.3, seconds: 1), AudioSpecification(codec: .pcmu, channels: 1), type: 0)
        let last = try #require(sent.last)
        sent.append(
            SoundLine.Sent(
                time: last.time + .milliseconds(20), timestamp: last.timestamp + 160, payloadType: 13,
                payload: Payload([40])))
        let run = ReceiverRun(sent, seconds: 3)
        #expect(run.statistics.concealedSamples == 0)
        #expect(abs(Int(run.report.level) - 40) <= 2, "\(run.report.level)")
    }

    @Test func whatIsNotSoundIsIgnored() throws {
        let run = ReceiverRun(try ReceiverRun.opusTone(2), seconds: 2) { packet in
            if packet.sequence == 50 { packet.payloadType = 101 }
            if packet.sequence == 60 { packet.payloadType = 77 }
            if packet.sequence == 70 { packet.payload = Payload([0xFF, 0xFF, 1]) }
        }
        #expect(run.statistics.packetsOfUnknownType == 1)
        #expect(run.statistics.packetsUndecodable <= 1)
        #expect(run.longestSilence(below: 0.01, from: 1, to: 2) <= 20)
    }

    @Test func anythingMayComeIn() {
        var random = SeededRandom(seed: 77)
        for _ in 0..<20 {
            SoundFuzz.run((0..<2000).map { _ in UInt8.random(in: 0...255, using: &random) })
        }
    }

    @Test func twoRunsAreEqual() throws {
        var line = SoundLine()
        line.jitter = .milliseconds(60)
        line.loss = 0.1
        let sent = try ReceiverRun.opusTone(4)
        let (one, other) = (ReceiverRun(sent, line, seconds: 4), ReceiverRun(sent, line, seconds: 4))
        #expect(one.samples == other.samples && one.reports == other.reports)
    }
}
