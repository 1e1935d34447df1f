import Codecs
import Core
import Media
import TestKit
import Testing

/// A tone through every codec, rate and number of channels: its pitch, level and time must come out right.
@Suite struct AudioDecoderTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let codec: AudioCodec
        let encoder: String
        let rate: Int
        let channels: Int
        var testDescription: String { "\(encoder) \(rate) Hz × \(channels)" }
    }

    static let cases: [Case] = {
        let rates = [8000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000]
        var cases: [Case] = []
        for channels in [1, 2, 6] {
            for rate in rates {
                let coders: [(AudioCodec, String)] = [
                    (.aac, "aac"), (.vorbis, "libvorbis"), (.flac, "flac"), (.pcm, "pcm_s16le"), (.pcm, "pcm_f32be"),
                    (.pcm, "pcm_u8"), (.pcm, "pcm_s24le"), (.pcm, "pcm_f64le"), (.pcmu, "pcm_mulaw"),
                    (.pcma, "pcm_alaw"), (.mp3, "libmp3lame"), (.opus, "libopus"), (.g722, "g722"),
                ]
                for (codec, encoder) in coders {
                    if codec == .g722, rate != 16_000 || channels > 1 { continue }
                    if codec == .mp3, rate > 48_000 || channels > 2 { continue }
                    if codec == .opus, rate != 48_000 { continue }
                    cases.append(Case(codec: codec, encoder: encoder, rate: rate, channels: channels))
                }
            }
        }
        return cases
    }()

    struct Track {
        var channels = 0
        var samples: [Float] = []
        var start = MediaTime.zero
    }

    /// Joins blocks, checking that each follows the one before it without gap or overlap.
    func join(_ blocks: [AudioFrame], sourceLocation: SourceLocation = #_sourceLocation) -> Track {
        var track = Track()
        for block in blocks {
            if track.samples.isEmpty { (track.channels, track.start) = (block.channels, block.pts) }
            let expected =
                track.start
                + MediaTime(samples: Int64(track.samples.count / block.channels), rate: AudioFrame.sampleRate)
            #expect(block.pts == expected, sourceLocation: sourceLocation)
            track.samples += block.samples
        }
        return track
    }

    /// A time stamp as WebM keeps it.
    func milliseconds(_ time: MediaTime) -> MediaTime {
        MediaTime(nanoseconds: Int64((time.seconds * 1000).rounded()) * 1_000_000)
    }

    @Test(arguments: cases)
    func tone(_ given: Case) throws {
        let (frequency, level, onset) = (440.0, 0.25, 0.5)
        let tone = Tones.sine(
            frequency, level: level, seconds: 1.5, onset: onset, channels: given.channels, rate: given.rate)
        let stream = try ForeignStream.audio(
            encoder: given.encoder, codec: given.codec, samples: tone, channels: given.channels, rate: given.rate,
            bitrate: given.codec == .aac ? min(64_000, given.rate * 2) * given.channels : 64_000 * given.channels)
        let decoder = try LibraryCodecs().audioDecoder(stream.format)
        let shift = MediaTime.seconds(2)
        var blocks: [AudioFrame] = []
        for var frame in stream.frames {
            if frame.pts != .distantPast { frame.pts = milliseconds(frame.pts + shift) }
            blocks += try decoder.decode(frame)
        }
        blocks += try decoder.flush()
        let track = join(blocks)
        #expect(track.channels == min(2, given.channels))
        // Vorbis and MP3 count whole packets, so their ends are padded; the others are exact.
        let seconds = Double(track.samples.count / track.channels) / 48_000
        #expect(seconds > 1.49 && seconds < 1.61, "\(seconds) s")
        for channel in 0..<track.channels {
            let samples = Tones.channel(channel, of: track.samples, channels: track.channels)
            let begin = try #require(Tones.onset(in: samples, threshold: Float(level * 0.3)))
            #expect(abs((track.start - shift).seconds + begin - onset) < 0.004, "the tone begins where it should")
            let steady = samples[(36_000)..<(66_000)]
            #expect(abs(Tones.frequency(in: steady) - frequency) < 0.5)
            // 5.1 → stereo: front + 0.707 centre + 0.707 surround, the same tone in each
            let expected = given.channels == 6 ? level * (1 + 2 * 0.7071) : level
            let amplitude = Tones.amplitude(of: frequency, in: steady)
            #expect(abs(amplitude / expected - 1) < 0.06, "\(amplitude) instead of \(expected)")
        }
    }

    @Test func tenMinutesOfRoundedTimesDoNotDrift() throws {
        // 44.1 kHz in packets of 1024 samples, stamped in whole milliseconds as in WebM.
        let rate = 44_100
        let packet = Payload([UInt8](repeating: 0, count: 1024 * 2))
        let decoder = try LibraryCodecs().audioDecoder(
            AudioFormat(codec: .pcm, sampleRate: rate, channels: 1, sampleLayout: "pcm_s16le"))
        let packets = 600 * rate / 1024
        var count = 0
        var next = MediaTime.milliseconds(77)
        func take(_ blocks: [AudioFrame]) {
            for block in blocks {
                #expect(block.pts == next)
                count += block.sampleCount
                next = MediaTime.milliseconds(77) + MediaTime(samples: Int64(count), rate: AudioFrame.sampleRate)
            }
        }
        for index in 0..<packets {
            let pts = milliseconds(.milliseconds(77) + MediaTime(samples: Int64(index * 1024), rate: rate))
            take(try decoder.decode(EncodedFrame(payload: packet, pts: pts, isKey: true)))
        }
        take(try decoder.flush())
        let exact = Double(packets * 1024) * 48_000 / Double(rate)
        #expect(abs(Double(count) - exact) <= 1, "\(count) instead of \(exact)")
    }

    @Test(arguments: [AudioCodec.pcm, .opus])
    func aJumpStartsAnewAndASmallOneDoesNot(codec: AudioCodec) throws {
        let stream = try ForeignStream.audio(
            encoder: codec == .pcm ? "pcm_s16le" : "libopus", codec: codec,
            samples: Tones.sine(300, seconds: 0.4, channels: 1), channels: 1, rate: 48_000, block: 960)
        let decoder = try LibraryCodecs().audioDecoder(stream.format)
        var starts: [MediaTime] = []
        for (index, frame) in stream.frames[..<15].enumerated() {
            var frame = frame
            frame.skipStart = 0
            let error = [5: 9, 6: -9, 10: 30, 11: 35, 12: 30, 13: 30, 14: -100][index] ?? 0
            frame.pts = .milliseconds(20 * index + error)
            starts += try decoder.decode(frame).map(\.pts)
        }
        #expect(
            starts
                == (0..<10).map { .milliseconds(20 * $0) } + (10..<14).map { .milliseconds(20 * $0 + 30) }
                + [.milliseconds(180)])
    }

    @Test(arguments: [AudioCodec.pcm, .opus])
    func skippedSamplesAreNotHeard(codec: AudioCodec) throws {
        let stream = try ForeignStream.audio(
            encoder: codec == .pcm ? "pcm_s16le" : "libopus", codec: codec,
            samples: Tones.sine(300, seconds: 0.1, channels: 2), channels: 2, rate: 48_000, block: 960)
        let decoder = try LibraryCodecs().audioDecoder(stream.format)
        var blocks: [AudioFrame] = []
        for (index, frame) in stream.frames[..<4].enumerated() {
            var frame = frame
            frame.pts = .milliseconds(20 * index)
            frame.skipStart = index == 0 ? 960 + 240 : 0  // more than the first packet has
            frame.skipEnd = index == 3 ? 480 : 0
            blocks += try decoder.decode(frame)
        }
        blocks += try decoder.flush()
        let track = join(blocks)
        #expect(track.start == .milliseconds(25))
        #expect(track.samples.count / 2 == 4 * 960 - 1200 - 480)
    }

    @Test func soundThatIsNoNumberBecomesSilence() throws {
        let decoder = try LibraryCodecs().audioDecoder(
            AudioFormat(codec: .pcm, sampleRate: 48_000, channels: 1, sampleLayout: "pcm_f32le"))
        let values: [Float] = [0.5, .nan, .infinity, -.infinity, 1e30, -0.5]
        let payload = Payload(values.withUnsafeBytes { [UInt8]($0) })
        let block = try #require(try decoder.decode(EncodedFrame(payload: payload, pts: .zero, isKey: true)).first)
        #expect(block.samples == [0.5, 0, 0, 0, 0, -0.5])
    }

    @Test func speakersGoWhereTheyBelong() throws {
        // One speaker of 5.1 at a time, in the order of WAV: left, right, centre, low, surround left and right.
        let expected: [(left: Float, right: Float)] = [
            (1, 0), (0, 1), (0.7071, 0.7071), (0, 0), (0.7071, 0), (0, 0.7071),
        ]
        for (speaker, want) in expected.enumerated() {
            var samples = [Float](repeating: 0, count: 48_000 / 2 * 6)
            let tone = Tones.sine(300, level: 0.4, seconds: 0.5)
            for index in tone.indices { samples[index * 6 + speaker] = tone[index] }
            for (codec, encoder) in [(AudioCodec.pcm, "pcm_s16le"), (.opus, "libopus"), (.vorbis, "libvorbis")] {
                if speaker == 3, codec != .pcm { continue }  // too low a band for 300 Hz
                let stream = try ForeignStream.audio(
                    encoder: encoder, codec: codec, samples: samples, channels: 6, rate: 48_000, bitrate: 512_000)
                let decoder = try LibraryCodecs().audioDecoder(stream.format)
                var blocks: [AudioFrame] = []
                for frame in stream.frames { blocks += try decoder.decode(frame) }
                blocks += try decoder.flush()
                let all = blocks.flatMap(\.samples)
                let left = Tones.amplitude(of: 300, in: Tones.channel(0, of: all, channels: 2)[4800..<19_200])
                let right = Tones.amplitude(of: 300, in: Tones.channel(1, of: all, channels: 2)[4800..<19_200])
                #expect(abs(left - 0.4 * Double(want.left)) < 0.03, "\(encoder) speaker \(speaker)")
                #expect(abs(right - 0.4 * Double(want.right)) < 0.03, "\(encoder) speaker \(speaker)")
            }
        }
    }

    @Test(arguments: ["aac", "libvorbis", "flac", "libmp3lame", "libopus", "pcm_s16le"])
    func damageNeverCrashes(encoder: String) throws {
        let codecs: [String: AudioCodec] = [
            "aac": .aac, "libvorbis": .vorbis, "flac": .flac, "libmp3lame": .mp3, "libopus": .opus, "pcm_s16le": .pcm,
        ]
        let codec = try #require(codecs[encoder])
        let stream = try ForeignStream.audio(
            encoder: encoder, codec: codec, samples: Tones.sine(440, seconds: 1, channels: 2), channels: 2,
            rate: 48_000)
        let decoder = try LibraryCodecs().audioDecoder(stream.format)
        var random = SeededRandom(seed: 3)
        var (packets, position) = (0, MediaTime.zero)
        while packets < 500 {
            for frame in stream.frames {
                var bytes = frame.payload.bytes
                if bytes.isEmpty { continue }
                for _ in 0..<Int.random(in: 1...8, using: &random) {
                    let place = Int.random(in: 0..<bytes.count, using: &random)
                    bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
                }
                if Int.random(in: 0..<5, using: &random) == 0 {
                    bytes.removeLast(Int.random(in: 0...bytes.count, using: &random))
                }
                var damaged = frame
                damaged.payload = Payload(bytes)
                damaged.pts = position
                damaged.dts = position
                position += .milliseconds(20)
                let blocks = (try? decoder.decode(damaged)) ?? []
                #expect(blocks.allSatisfy { $0.samples.allSatisfy { $0.isFinite } })
                packets += 1
            }
        }
        _ = try? decoder.flush()
        var sound: [AudioFrame] = []
        for var frame in stream.frames {
            if frame.pts != .distantPast { frame.pts += .seconds(1000) }
            frame.dts = frame.pts
            if let blocks = try? decoder.decode(frame) { sound += blocks }
        }
        sound += try decoder.flush()
        let left = Tones.channel(0, of: sound.filter { $0.channels == 2 }.flatMap(\.samples), channels: 2)
        try #require(left.count > 24_000)
        #expect(abs(Tones.frequency(in: left[9600..<24_000]) - 440) < 1, "sound again after the damage")
    }

    @Test func whatCannotBeDecodedIsNamed() throws {
        let format = AudioFormat(codec: .pcm, sampleRate: 48_000, channels: 1, sampleLayout: "h264")
        let error = try #require(throws: CodecError.self) { try LibraryCodecs().audioDecoder(format) }
        #expect(error.text == "there is no decoder for h264")
        #expect(throws: CodecError.self) {
            try LibraryCodecs().audioDecoder(AudioFormat(codec: .opus, sampleRate: 48_000, channels: 6))
        }
        #expect(throws: CodecError.self) {
            try LibraryCodecs().audioDecoder(AudioFormat(codec: .pcmu, sampleRate: 0, channels: 1))
        }
    }
}
