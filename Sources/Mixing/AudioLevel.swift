import Glibc
import Media

/// How loud a block is. Levels are −dBov as in RFC 6464: 0 is full scale, 127 is silence; a sine of full scale has
/// an RMS level of 3, because 0 dBov is the square wave.
package struct AudioLevel: Hashable, Sendable {
    package var rms: UInt8
    package var peak: UInt8
    /// Somebody seems to speak.
    package var isVoice: Bool
    package static let silence = AudioLevel(rms: 127, peak: 127, isVoice: false)

    package init(rms: UInt8, peak: UInt8, isVoice: Bool) {
        self.rms = rms
        self.peak = peak
        self.isVoice = isVoice
    }

    /// An amplitude (1: full scale) as −dBov, rounded, 0–127.
    static func level(_ amplitude: Float) -> UInt8 {
        guard amplitude > 0 else { return 127 }
        return UInt8(min(127, max(0, (-20 * log10f(amplitude)).rounded())))
    }
}

/// Guesses from levels whether somebody speaks: well above the quietest that was heard lately. State of one input.
struct VoiceDetector: Sendable {
    /// dBov.
    private var floor: Float = -60
    private var blocksLeft = 0

    /// What is this much above the noise floor is voice, dB.
    private static let margin: Float = 9
    /// What is below is never voice, dBov.
    private static let threshold: Float = -50
    /// The floor does not rise above, so that one who speaks without a pause stays a speaker.
    private static let floorMax: Float = -40
    /// Nor fall below, so that after digital silence it is soon back at a room's noise.
    private static let floorMin: Float = -70
    /// 2.5 dB per second of 20 ms blocks: slower than words follow each other, fast enough for a fan switched on.
    private static let floorRise: Float = 0.05
    /// 200 ms of 20 ms blocks: over the pauses between words.
    private static let hangover = 10

    /// `rms` is −dBov.
    mutating func isVoice(rms: UInt8) -> Bool {
        let level = -Float(rms)
        if level > VoiceDetector.threshold && level > floor + VoiceDetector.margin {
            blocksLeft = VoiceDetector.hangover
        } else {
            blocksLeft = max(0, blocksLeft - 1)
        }
        floor += level < floor ? (level - floor) * 0.3 : VoiceDetector.floorRise
        floor = min(max(floor, VoiceDetector.floorMin), VoiceDetector.floorMax)
        return blocksLeft > 0
    }
}

/// Sums over samples, eight at a time: the compiler may not reorder float sums by itself.
enum Samples {
    /// The mean square and the greatest magnitude. A sample that is not a number, or so large that its square is
    /// infinite, makes the mean square not finite.
    static func measure(_ samples: UnsafeBufferPointer<Float>) -> (meanSquare: Float, peak: Float) {
        guard let base = samples.baseAddress, samples.count > 0 else { return (0, 0) }
        let raw = UnsafeRawPointer(base)
        var squares = SIMD8<Float>.zero
        var low = SIMD8<Float>.zero
        var high = SIMD8<Float>.zero
        var index = 0
        while index + 8 <= samples.count {
            let part = raw.loadUnaligned(fromByteOffset: index * 4, as: SIMD8<Float>.self)
            squares += part * part
            high.replace(with: part, where: part .> high)
            low.replace(with: part, where: part .< low)
            index += 8
        }
        var square = squares.sum()
        var peak = max(high.max(), -low.min())
        while index < samples.count {
            square += samples[index] * samples[index]
            peak = max(peak, abs(samples[index]))
            index += 1
        }
        return (square / Float(samples.count), peak)
    }
}
