import Core
import Media
import TestKit
import Testing

@testable import Mixing

/// The largest difference between neighbours: a click shows here.
func largestStep(_ samples: [Float]) -> Float {
    zip(samples, samples.dropFirst()).reduce(0) { max($0, abs($1.1 - $1.0)) }
}

@Suite struct AudioMixerTests {
    /// A whole number of periods in a block of 960 samples: multiples of 50 Hz.
    private func tone(_ frequency: Double, _ amplitude: Double = 0.1, block: Int = 0, channels: Int = 1) -> AudioFrame {
        let mono = Tone.samples(frequency: frequency, amplitude: amplitude, count: 960, start: block * 960)
        let samples = channels == 1 ? mono : mono.flatMap { [$0, $0] }
        return AudioFrame(pts: .milliseconds(20 * block), channels: channels, samples: samples)
    }

    private func left(_ block: AudioFrame) -> [Float] { Tone.channel(0, of: block.samples, channels: block.channels) }

    @Test func goertzelMeasuresWhatItShould() {
        let samples = Tone.samples(frequency: 1000, amplitude: 0.5, count: 4800)
        #expect(abs(Tone.level(samples, at: 1000) + 6.02) < 0.01)
        #expect(Tone.level(samples, at: 1500) < -120)
        #expect(Tone.level([Float](repeating: 0, count: 960), at: 1000) < -200)
    }

    @Test func mixMinusHearsAllOthersAndNothingOfItself() {
        var mixer = AudioMixer()
        let frequencies = (0..<9).map { 400.0 + 200 * Double($0) }
        // Nine at 0.1 stay within full scale together; nobody's own tone may be left in what he hears.
        let inputs = frequencies.enumerated().map { MixerInput(port: $0.offset, block: tone($0.element)) }
        let mix = mixer.mix(at: .zero, inputs, outputs: [.everyone] + (0..<9).map { .everyoneBut($0) })
        #expect(mix.blocks.count == 10)
        for (index, output) in mix.outputs.enumerated() {
            for (port, frequency) in frequencies.enumerated() {
                let level = Tone.level(left(mix.blocks[output]), at: frequency, windowed: false)
                if port == index - 1 {
                    #expect(level < -100, "output \(index) hears itself at \(level) dB")
                } else {
                    #expect(abs(level + 20) < 0.01, "output \(index), port \(port): \(level) dB")
                }
            }
        }
    }

    /// The sum clips hard and is limited; the loud one's own signal must still be gone from his own mix.
    @Test func mixMinusIsTakenBeforeTheLimiter() {
        var mixer = AudioMixer()
        for block in 0..<20 {
            let inputs = [
                MixerInput(port: 1, block: tone(1000, 1, block: block), gain: 4),
                MixerInput(port: 2, block: tone(500, 0.25, block: block)),
            ]
            let mix = mixer.mix(at: .zero, inputs, outputs: [.everyoneBut(1), .everyone])
            let own = left(mix.blocks[mix.outputs[0]])
            #expect(Tone.level(own, at: 1000, windowed: false) < -100)
            #expect(abs(Tone.level(own, at: 500, windowed: false) + 12.04) < 0.01)
            #expect(mix.blocks[mix.outputs[1]].samples.allSatisfy { abs($0) <= 1 })
        }
    }

    @Test func listenersShareOneBlock() {
        var mixer = AudioMixer()
        let silence = AudioFrame(pts: .zero, channels: 1, samples: [Float](repeating: 0, count: 960))
        let inputs =
            [MixerInput(port: 0, block: tone(400)), MixerInput(port: 1, block: tone(600), isMuted: true)]
            + [MixerInput(port: 2, block: silence), MixerInput(port: 3, block: nil)]
        let mix = mixer.mix(
            at: .zero, inputs,
            outputs: [.everyoneBut(0), .everyoneBut(1), .everyoneBut(2), .everyoneBut(3), .everyoneBut(99), .everyone])
        #expect(mix.outputs == [0, 1, 1, 1, 1, 1])
        #expect(mix.blocks[0].samples.allSatisfy { $0 == 0 })
        #expect(left(mix.blocks[1]) == tone(400).samples)
    }

    @Test func onlySomeAreHeardWhereAsked() {
        var mixer = AudioMixer(channels: 1)
        let inputs = [400.0, 600, 800].enumerated().map { MixerInput(port: $0.offset, block: tone($0.element)) }
        let mix = mixer.mix(at: .zero, inputs, outputs: [.only([2]), .only([0, 1]), .only([1, 0, 1, 7]), .only([])])
        #expect(mix.outputs == [0, 1, 1, 2])
        #expect(mix.blocks[0].samples == tone(800).samples)
        #expect(Tone.level(mix.blocks[1].samples, at: 800, windowed: false) < -120)
        #expect(mix.blocks[2].samples.allSatisfy { $0 == 0 })
    }

    @Test func channelsFoldAndSpread() {
        let stereo = AudioFrame(
            pts: .zero, channels: 2, samples: (0..<960).flatMap { _ in [Float(0.5), Float(-0.25)] })
        var wide = AudioMixer(channels: 2)
        let both = wide.mix(
            at: .zero, [MixerInput(port: 0, block: stereo), MixerInput(port: 1, block: tone(50))],
            outputs: [.only([0]), .only([1])])
        #expect(both.blocks[0].samples == stereo.samples)
        #expect(both.blocks[1].samples == tone(50, channels: 2).samples)
        var narrow = AudioMixer(channels: 1)
        let one = narrow.mix(at: .zero, [MixerInput(port: 0, block: stereo)], outputs: [.everyone])
        #expect(one.blocks[0].channels == 1 && one.blocks[0].samples.allSatisfy { $0 == 0.125 })
    }

    @Test func gainAndMuteMoveWithoutSteps() {
        var mixer = AudioMixer(channels: 1)
        let steady = AudioFrame(pts: .zero, channels: 1, samples: [Float](repeating: 0.5, count: 960))
        var heard: [Float] = []
        let settings: [(Float, Bool)] = [(1, false), (1, true), (1, true), (2, false), (0.5, false), (.nan, false)]
        for (gain, isMuted) in settings {
            let input = MixerInput(port: 0, block: steady, gain: gain, isMuted: isMuted)
            heard += mixer.mix(at: .zero, [input], outputs: [.everyone]).blocks[0].samples
        }
        #expect(largestStep(heard) < 0.0015)
        #expect(heard[0] == 0.5 && abs(heard[1919]) < 1e-6 && heard[2000] == 0)
        #expect(abs(heard[3839] - 1) < 1e-5 && abs(heard[4799] - 0.25) < 1e-5 && abs(heard[5759]) < 1e-5)
    }

    @Test func quietMixesPassBitExact() {
        var mixer = AudioMixer()
        let loud = AudioFrame(
            pts: .zero, channels: 2, samples: (0..<1920).map { $0 % 2 == 0 ? Float(1) : Float(-1) })
        #expect(
            mixer.mix(at: .zero, [MixerInput(port: 0, block: loud)], outputs: [.everyone]).blocks[0].samples
                == loud.samples)
    }

    @Test func limiterBoundsWithoutClicksAndLetsGo() {
        var mixer = AudioMixer(channels: 1)
        var heard: [Float] = []
        for block in 0..<142 {
            let gain: Float = (10..<20).contains(block) ? 3 : 0.5
            let input = MixerInput(port: 0, block: tone(200, 1, block: block), gain: gain)
            heard += mixer.mix(at: .zero, [input], outputs: [.everyone]).blocks[0].samples
        }
        #expect(heard.allSatisfy { abs($0) <= 1 })
        // A sine of 200 Hz at three times full scale moves at most 0.079 per sample.
        #expect(largestStep(heard) < 0.08)
        // Turned down, not cut off: in its midst the limited tone is a clean sine.
        let midst = Array(heard[(15 * 960)..<(18 * 960)])
        #expect(Tone.level(midst, at: 200, windowed: false) > -0.2)
        #expect(Tone.level(midst, at: 600, windowed: false) < -50)
        // Long after: untouched again, to the bit.
        let untouched = (140..<142).flatMap { tone(200, 1, block: $0).samples.map { $0 * 0.5 } }
        let isUntouched = heard[(140 * 960)...].elementsEqual(untouched)
        #expect(isUntouched)
    }

    @Test func levelsAreMinusDBov() {
        func level(_ block: AudioFrame?, isMuted: Bool = false) -> AudioLevel {
            var mixer = AudioMixer()
            let input = MixerInput(port: 0, block: block, gain: 0.1, isMuted: isMuted)
            return mixer.mix(at: .zero, [input], outputs: []).levels[0]
        }
        #expect(level(tone(1000, 1)).rms == 3 && level(tone(1000, 1)).peak == 0)
        #expect(level(tone(1000, 0.1)).rms == 23 && level(tone(1000, 0.1)).peak == 20)
        #expect(level(tone(1000, 1e-8)).rms == 127)
        #expect(level(nil) == .silence)
        #expect(level(tone(1000, 1), isMuted: true).rms == 3)
        let square = AudioFrame(pts: .zero, channels: 1, samples: (0..<960).map { $0 % 2 == 0 ? 1 : -1 })
        #expect(level(square).rms == 0)
    }

    @Test func voiceIsWhatStandsOutOfTheNoise() {
        var mixer = AudioMixer()
        func isVoice(_ amplitude: Double, blocks: Int) -> [Bool] {
            (0..<blocks).map { block in
                let input = MixerInput(port: 0, block: tone(300, amplitude, block: block))
                return mixer.mix(at: .zero, [input], outputs: []).levels[0].isVoice
            }
        }
        #expect(!isVoice(0.001, blocks: 100).contains(true))
        #expect(!isVoice(0.1, blocks: 20).contains(false))
        let after = isVoice(0.001, blocks: 30)
        #expect(after[5] && !after[15] && !after[29])
    }

    @Test func brokenSamplesAreLeftOut() {
        var mixer = AudioMixer(channels: 1)
        var samples = tone(400).samples
        let healthy = MixerInput(port: 1, block: tone(600))
        for (index, poison) in [Float.nan, .infinity, -.infinity, 1e30].enumerated() {
            samples[index * 317] = poison
            let broken = MixerInput(port: 0, block: AudioFrame(pts: .zero, channels: 1, samples: samples))
            let mix = mixer.mix(at: .zero, [broken, healthy], outputs: [.everyone, .everyoneBut(1)])
            #expect(mix.blocks[0].samples == tone(600).samples)
            #expect(mix.blocks[1].samples.allSatisfy { $0 == 0 })
            #expect(mixer.brokenBlocks == index + 1)
            samples[index * 317] = 0
        }
    }

    /// Who stops or starts to contribute changes between shared and own mix: no step, also while limited.
    @Test func changingBetweenSharedAndOwnMixDoesNotClick() {
        var mixer = AudioMixer(channels: 1)
        var heard: [Float] = []
        for block in 0..<30 {
            let inputs = [
                MixerInput(port: 0, block: tone(200, 1, block: block)),
                MixerInput(port: 1, block: tone(200, 1, block: block)),
                MixerInput(port: 2, block: block / 5 % 2 == 0 ? tone(200, 1e-4, block: block) : nil),
            ]
            let mix = mixer.mix(at: .zero, inputs, outputs: [.everyone, .everyoneBut(2)])
            heard += mix.blocks[mix.outputs[1]].samples
        }
        #expect(largestStep(heard) < 0.06)
    }
}
