import Glibc
package import Core
package import Media

/// Test tones and the measures that find them again.
package enum Tones {
    /// Interleaved samples of a sine, the same in all channels, silent before `onset` seconds.
    package static func sine(
        _ frequency: Double, level: Double = 0.5, seconds: Double, onset: Double = 0, channels: Int = 1,
        rate: Int = AudioFrame.sampleRate
    ) -> [Float] {
        var samples: [Float] = []
        let count = Int((seconds * Double(rate)).rounded())
        samples.reserveCapacity(count * channels)
        for index in 0..<count {
            let time = Double(index) / Double(rate)
            let value = time < onset ? 0 : Float(level * sin(2 * .pi * frequency * (time - onset)))
            for _ in 0..<channels { samples.append(value) }
        }
        return samples
    }

    /// Samples cut into blocks of `block` samples per channel, from `start` on; the last may be shorter.
    package static func blocks(
        _ samples: [Float], channels: Int, block: Int = AudioFrame.blockSamples, start: MediaTime = .zero
    ) -> [AudioFrame] {
        stride(from: 0, to: samples.count, by: block * channels).map { offset in
            AudioFrame(
                pts: start + MediaTime(samples: Int64(offset / channels), rate: AudioFrame.sampleRate),
                channels: channels, samples: Array(samples[offset..<min(samples.count, offset + block * channels)]))
        }
    }

    /// One channel of interleaved samples.
    package static func channel(_ channel: Int, of samples: [Float], channels: Int) -> [Float] {
        stride(from: channel, to: samples.count, by: channels).map { samples[$0] }
    }

    /// Amplitude of a sine of this frequency in mono samples (a Fourier sum over a Hann window).
    package static func amplitude(
        of frequency: Double, in samples: some Collection<Float>, rate: Int = AudioFrame.sampleRate
    ) -> Double {
        let count = Double(samples.count)
        var (re, im, weight) = (0.0, 0.0, 0.0)
        for (index, sample) in samples.enumerated() {
            let window = 0.5 - 0.5 * cos(2 * .pi * (Double(index) + 0.5) / count)
            let phase = 2 * .pi * frequency * Double(index) / Double(rate)
            re += Double(sample) * window * cos(phase)
            im += Double(sample) * window * sin(phase)
            weight += window
        }
        return weight == 0 ? 0 : 2 * (re * re + im * im).squareRoot() / weight
    }

    /// Frequency of a clean tone, from the rising zero crossings of mono samples; 0 where there are fewer than two.
    package static func frequency(in samples: some Collection<Float>, rate: Int = AudioFrame.sampleRate) -> Double {
        var (first, last, count) = (-1.0, -1.0, 0)
        var before: Float = 1
        for (index, sample) in samples.enumerated() {
            if before < 0, sample >= 0 {
                let place = Double(index) - Double(sample / (sample - before))
                if first < 0 { first = place }
                last = place
                count += 1
            }
            before = sample
        }
        return count < 2 ? 0 : Double(count - 1) * Double(rate) / (last - first)
    }

    /// Seconds from the first sample to the first that is as loud as `threshold`; nil where none is.
    package static func onset(
        in samples: [Float], threshold: Float, rate: Int = AudioFrame.sampleRate
    ) -> Double? {
        samples.firstIndex { $0.magnitude >= threshold }.map { Double($0) / Double(rate) }
    }
}
