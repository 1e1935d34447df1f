import CFFmpeg
@testable import Codecs
import Core
import Media
import TestKit
import Testing

/// The codecs of telephones, against libavcodec as the other side.
@Suite struct TelephonyTests {
    /// Every code through libavcodec's decoder.
    private func foreign(_ name: String) throws -> [Int16] {
        let codec = try #require(avcodec_find_decoder_by_name(name))
        let libav = LibavContext(codec)
        libav.pointer.pointee.sample_rate = 8000
        av_channel_layout_default(&libav.pointer.pointee.ch_layout, 1)
        try libav.open()
        let payload = Payload((0...255).map { UInt8($0) })
        var samples: [Int16] = []
        try libav.decode(EncodedFrame(payload: payload, pts: .zero, isKey: true), payload: payload) { frame in
            guard let data = frame.pointee.data.0 else { return }
            for index in 0..<Int(frame.pointee.nb_samples) {
                samples.append(UnsafeRawPointer(data).load(fromByteOffset: 2 * index, as: Int16.self))
            }
        }
        return samples
    }

    @Test func tablesAreThoseOfTheOthers() throws {
        #expect(try foreign("pcm_mulaw") == (0...255).map { G711.mu.decode(UInt8($0)) })
        #expect(try foreign("pcm_alaw") == (0...255).map { G711.a.decode(UInt8($0)) })
    }

    @Test(arguments: [G711.mu, .a])
    func samplesGetTheCodeOfTheirStep(law: G711) {
        for code in 0...255 {
            let sample = law.decode(UInt8(code))
            // µ-law has two codes for nothing.
            #expect(sample == 0 || law.encode(sample) == UInt8(code))
        }
        var worst = 0.0
        for sample in stride(from: -32_768, through: 32_767, by: 7) {
            // Half a step: a 32nd of the magnitude, µ-law's with its bias of 132, A-law's at least 8.
            let magnitude = Double(abs(sample))
            let half = law == .mu ? (magnitude + 132) / 32 : max(8, magnitude / 32)
            worst = max(worst, Double(abs(Int(law.decode(law.encode(Int16(sample)))) - sample)) - half)
        }
        #expect(worst <= 1)
        #expect(abs(Int(law.decode(law.silence))) <= 8)
    }

    @Test(arguments: [AudioCodec.pcmu, .pcma, .g722])
    func ourPacketsThroughTheirDecoder(codec: AudioCodec) throws {
        let tone = Tones.sine(440, level: 0.4, seconds: 1.237, onset: 0.2)
        let encoder = try LibraryCodecs().audioEncoder(AudioSpecification(codec: codec, channels: 2))
        let start = MediaTime.milliseconds(1234)
        var coded: [EncodedFrame] = []
        for block in Tones.blocks(tone, channels: 1, block: 700, start: start) { coded += try encoder.encode(block) }
        coded += try encoder.flush()
        #expect(coded.allSatisfy { $0.payload.count == 160 })
        #expect(encoder.format.channels == 1)
        let decoder = try LibavAudioDecoder(encoder.format)
        var decoded: [AudioFrame] = []
        for frame in coded { decoded += try decoder.decode(frame) }
        decoded += try decoder.flush()
        let samples = decoded.flatMap(\.samples)
        #expect(abs((try #require(decoded.first).pts - start).seconds) < 0.002)
        #expect(abs(samples.count - tone.count) <= 6)
        let onset = try #require(Tones.onset(in: samples, threshold: 0.15))
        #expect(abs(onset - 0.2) < 0.003)
        #expect(abs(Tones.frequency(in: samples[14_400..<48_000]) - 440) < 0.3)
        #expect(abs(Tones.amplitude(of: 440, in: samples[14_400..<48_000]) / 0.4 - 1) < 0.05)
    }

    @Test func whatDoesNotFitTheRateIsFilteredOut() {
        let converter = RateConverter(from: 48_000, to: 8000, channels: 1)
        let high = Tones.sine(5500, level: 0.5, seconds: 0.5)
        var output = [Float](repeating: 0, count: converter.capacity(for: high.count))
        let made = high.withUnsafeBufferPointer { input in
            output.withUnsafeMutableBufferPointer { target in
                target.baseAddress.map { converter.convert(input, into: $0) } ?? 0
            }
        }
        #expect(made == 4000)
        #expect(output[400..<made].allSatisfy { $0.magnitude < 0.001 }, "more than 50 dB down")
    }

    @Test(arguments: [(8000, 48_000), (16_000, 48_000), (44_100, 48_000), (11_025, 48_000), (48_000, 16_000)])
    func ratesKeepPitchAndLevel(from: Int, to: Int) {
        let converter = RateConverter(from: from, to: to, channels: 1)
        let tone = Tones.sine(440, level: 0.4, seconds: 1, rate: from)
        var samples: [Float] = []
        for start in stride(from: 0, to: tone.count, by: 441) {
            let part = Array(tone[start..<min(tone.count, start + 441)])
            var output = [Float](repeating: 0, count: converter.capacity(for: part.count))
            let made = part.withUnsafeBufferPointer { input in
                output.withUnsafeMutableBufferPointer { target in
                    target.baseAddress.map { converter.convert(input, into: $0) } ?? 0
                }
            }
            samples += output[..<made]
        }
        #expect(abs(samples.count - to) <= 1)
        #expect(abs(Tones.frequency(in: samples[(to / 10)...], rate: to) - 440) < 0.1)
        #expect(abs(Tones.amplitude(of: 440, in: samples[(to / 10)...], rate: to) - 0.4) < 0.004)
    }
}
