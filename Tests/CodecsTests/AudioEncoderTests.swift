import Codecs
import Core
import Media
import TestKit
import Testing

/// Sound through our encoders and our decoders.
@Suite struct AudioEncoderTests {
    static let codecs: [AudioCodec] = [.opus, .aac, .pcm]

    func roundTrip(
        _ specification: AudioSpecification, _ blocks: [AudioFrame]
    ) throws -> (coded: [EncodedFrame], decoded: [AudioFrame]) {
        let encoder = try LibraryCodecs().audioEncoder(specification)
        var coded: [EncodedFrame] = []
        for block in blocks { coded += try encoder.encode(block) }
        coded += try encoder.flush()
        let decoder = try LibraryCodecs().audioDecoder(encoder.format)
        var decoded: [AudioFrame] = []
        for frame in coded { decoded += try decoder.decode(frame) }
        decoded += try decoder.flush()
        return (coded, decoded)
    }

    @Test(arguments: codecs, [1, 2])
    func whatGoesInComesOut(codec: AudioCodec, channels: Int) throws {
        for block in [960, 441, 5000] {
            let tone = Tones.sine(440, level: 0.4, seconds: 1.237, onset: 0.2, channels: channels)
            let start = MediaTime.milliseconds(1234)
            let (coded, decoded) = try roundTrip(
                AudioSpecification(codec: codec, channels: channels),
                Tones.blocks(tone, channels: channels, block: block, start: start))
            #expect(zip(coded, coded.dropFirst()).allSatisfy { $0.pts < $1.pts })
            let first = try #require(decoded.first)
            #expect(first.channels == channels)
            #expect(abs((first.pts - start).nanoseconds) <= 1, "priming is before the first sample")
            let samples = decoded.flatMap(\.samples)
            #expect(samples.count == tone.count, "neither priming nor padding is heard")
            let left = Tones.channel(0, of: samples, channels: channels)
            let onset = try #require(Tones.onset(in: left, threshold: 0.15))
            #expect(abs(onset - 0.2) < 0.003)
            #expect(abs(Tones.frequency(in: left[14_400..<48_000]) - 440) < 0.2)
            #expect(abs(Tones.amplitude(of: 440, in: left[14_400..<48_000]) / 0.4 - 1) < 0.05)
        }
    }

    @Test(arguments: codecs)
    func gapsAreFilledWithSilence(codec: AudioCodec) throws {
        let tone = Tones.blocks(Tones.sine(440, seconds: 0.5), channels: 1)
        let late = tone.map { AudioFrame(pts: $0.pts + .milliseconds(900), channels: 1, samples: $0.samples) }
        let rounded = late.map { AudioFrame(pts: $0.pts + .milliseconds(7), channels: 1, samples: $0.samples) }
        let (coded, decoded) = try roundTrip(
            AudioSpecification(codec: codec, channels: 1), tone + rounded)
        #expect(coded.count >= 65)
        let samples = decoded.flatMap(\.samples)
        #expect(abs(samples.count - (48_000 * 1407 / 1000)) <= 1)
        #expect(Tones.amplitude(of: 440, in: samples[26_400..<40_800]) < 0.01)
        #expect(abs(Tones.amplitude(of: 440, in: samples[48_000..<62_400]) - 0.5) < 0.04)
    }

    @Test func overlapsAreCut() throws {
        let tone = Tones.blocks(Tones.sine(440, seconds: 0.5), channels: 1)
        let early = AudioFrame(pts: .milliseconds(400), channels: 1, samples: [Float](repeating: 0, count: 9600))
        let (_, decoded) = try roundTrip(AudioSpecification(codec: .pcm, channels: 1), tone + [early])
        #expect(decoded.flatMap(\.samples).count == 28_800, "0.4 + 0.2 s")
    }

    @Test func aGapOfHoursStartsAnew() throws {
        let tone = Tones.blocks(Tones.sine(440, seconds: 0.1), channels: 1)
        let later = tone.map { AudioFrame(pts: $0.pts + .seconds(7200), channels: 1, samples: $0.samples) }
        let (coded, decoded) = try roundTrip(AudioSpecification(codec: .opus, channels: 1), tone + later)
        #expect(coded.count == 12)
        let starts = decoded.filter { abs(($0.pts - .seconds(7200)).nanoseconds) <= 1 }
        #expect(starts.count == 1)
        #expect(decoded.flatMap(\.samples).count == 9600)
    }

    @Test func channelsAreAdapted() throws {
        let stereo = Tones.blocks(
            zip(Tones.sine(440, seconds: 0.3), Tones.sine(440, level: 0.1, seconds: 0.3)).flatMap { [$0, $1] },
            channels: 2)
        let (_, mono) = try roundTrip(AudioSpecification(codec: .pcm, channels: 1), stereo)
        #expect(abs(Tones.amplitude(of: 440, in: mono.flatMap(\.samples)) - 0.3) < 0.01, "the mean of both")
        let (_, both) = try roundTrip(
            AudioSpecification(codec: .pcm, channels: 2), Tones.blocks(Tones.sine(440, seconds: 0.3), channels: 1))
        let samples = both.flatMap(\.samples)
        #expect(Tones.channel(0, of: samples, channels: 2) == Tones.channel(1, of: samples, channels: 2))
        #expect(abs(Tones.amplitude(of: 440, in: Tones.channel(0, of: samples, channels: 2)) - 0.5) < 0.01)
    }

    @Test func opusHeadSaysThePreSkip() throws {
        let encoder = try LibraryCodecs().audioEncoder(AudioSpecification(channels: 2))
        let head = encoder.format.configuration
        #expect(head.count == 19)
        let coded = try encoder.encode(
            AudioFrame(pts: .seconds(1), channels: 2, samples: [Float](repeating: 0, count: 4000)))
        let first = try #require(coded.first)
        #expect(first.skipStart == Int(head[10]) | Int(head[11]) << 8)
        #expect(first.pts == .seconds(1) - MediaTime(samples: Int64(first.skipStart), rate: 48_000))
        #expect(first.skipStart == 312, "2.5 ms of overlap and 4 ms of look-ahead, libopus's constant")
    }

    @Test func bitrateComplexityAndFECMatter() throws {
        // Speech-like: a tone whose pitch and level wander.
        let samples = (0..<96_000).map { index -> Float in
            let time = Double(index) / 48_000
            return Float(0.4 * wave(time * (180 + 40 * wave(time * 2.1))) * (0.6 + 0.4 * wave(time * 4.3)))
        }
        func size(_ specification: AudioSpecification) throws -> Int {
            try roundTrip(specification, Tones.blocks(samples, channels: 1)).coded.reduce(0) { $0 + $1.payload.count }
        }
        let plain = AudioSpecification(channels: 1, bitrate: 24_000)
        var rich = plain
        rich.bitrate = 96_000
        #expect(try size(rich) > 2 * size(plain))
        var simple = plain
        simple.complexity = 0
        #expect(try size(simple) != size(plain))
        #expect(try size(plain) == size(plain))
    }

    private func wave(_ turns: Double) -> Double {
        let place = turns - turns.rounded(.down)
        return place < 0.5 ? 16 * place * (0.5 - place) : -16 * (place - 0.5) * (1 - place)
    }

    @Test func bitrateFollows() throws {
        for codec in [AudioCodec.opus, .aac] {
            let encoder = try LibraryCodecs().audioEncoder(
                AudioSpecification(codec: codec, channels: 2, bitrate: 192_000))
            var random = SeededRandom(seed: 1)
            let noise = (0..<(48_000 * 4)).map { _ in Float.random(in: -0.3...0.3, using: &random) }
            var sizes = [0, 0]
            for (index, block) in Tones.blocks(noise, channels: 2).enumerated() {
                if index == 50 { try encoder.setBitrate(48_000) }
                for frame in try encoder.encode(block) { sizes[index < 50 ? 0 : 1] += frame.payload.count }
            }
            #expect(Double(sizes[1]) < Double(sizes[0]) * 0.6, "\(codec): \(sizes)")
        }
    }

    @Test func silenceUnderDTXIsTinyButStillSent() throws {
        let silence = Tones.blocks([Float](repeating: 0, count: 96_000), channels: 1)
        let (coded, decoded) = try roundTrip(
            AudioSpecification(channels: 1, bitrate: 24_000, dtx: true), silence)
        #expect(coded.count == 101)
        #expect(coded.filter { $0.payload.count <= 2 }.count > 50)
        #expect(decoded.flatMap(\.samples).count == 96_000)
    }

    @Test func lossIsConcealedAndRepaired() throws {
        let tone = Tones.sine(440, level: 0.4, seconds: 1)
        let encoder = try LibraryCodecs().audioEncoder(
            AudioSpecification(channels: 1, bitrate: 24_000, fec: true))
        try encoder.setExpectedLoss(10)
        let coded = try Tones.blocks(tone, channels: 1).flatMap { try encoder.encode($0) }
        for useFEC in [false, true] {
            let decoder = try OpusDecoder(encoder.format)
            var decoded: [AudioFrame] = []
            for (index, frame) in coded.enumerated() where index != 30 {
                if index == 31 {
                    decoded +=
                        useFEC
                        ? try decoder.decodeFEC(frame.payload, samples: 960) : try decoder.conceal(samples: 960)
                }
                decoded += try decoder.decode(frame)
            }
            let samples = decoded.flatMap(\.samples)
            #expect(samples.count == coded.count * 960 - 312)
            let lost = samples[(30 * 960 - 312)..<(31 * 960 - 312)]
            #expect(Tones.amplitude(of: 440, in: lost) > 0.1, "the tone goes on through the gap")
            #expect(zip(decoded, decoded.dropFirst()).allSatisfy { $1.pts - $0.end < .milliseconds(1) })
        }
    }

    @Test(arguments: codecs)
    func twoEncodesAreEqual(codec: AudioCodec) throws {
        let tone = Tones.blocks(Tones.sine(523, seconds: 0.7, channels: 2), channels: 2)
        let first = try roundTrip(AudioSpecification(codec: codec), tone).coded.map(\.payload.bytes)
        #expect(try first == roundTrip(AudioSpecification(codec: codec), tone).coded.map(\.payload.bytes))
    }

    @Test func whatCannotBeEncodedIsNamed() throws {
        let vorbis = try #require(throws: CodecError.self) {
            try LibraryCodecs().audioEncoder(AudioSpecification(codec: .vorbis))
        }
        #expect(vorbis.text == "there is no encoder for vorbis")
        let many = try #require(throws: CodecError.self) {
            try LibraryCodecs().audioEncoder(AudioSpecification(channels: 6))
        }
        #expect(many.text == "an encoder takes 1 or 2 channels, not 6")
    }
}
