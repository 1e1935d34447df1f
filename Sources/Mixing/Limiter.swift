import Glibc

/// Keeps one mix within full scale without looking ahead; state of one output, across blocks.
///
/// The gain falls at once to whatever the sample needs, stays there for 10 ms (a half wave of 50 Hz, so that a tone
/// is turned down rather than reshaped each period) and then returns to 1 with a time constant of 100 ms. It follows
/// the signal without a jump, so it does not click. Below full scale with the gain at 1, samples pass untouched.
package struct Limiter: Sendable {
    /// Double, because the steps of its return to 1 soon drown in the rounding of a Float.
    private var gain: Double = 1
    private var hold = 0

    private static let holdSamples = 480
    /// 1 − e^(−1/4800): 100 ms at 48 kHz.
    private static let release = 2.083_1e-4
    /// From here the rest of the way is one step of −100 dB.
    private static let settled = 0.999_99

    package init() {}

    /// The gain of the last sample, 0–1; 1 while nothing is limited.
    package var currentGain: Double { gain }

    /// Turns down more, or for longer.
    func isDeeper(than other: Limiter) -> Bool { (gain, -hold) < (other.gain, -other.hold) }

    /// Limits interleaved samples in place; all channels of an instant get the same gain, so the image stays.
    /// `peak` is the greatest magnitude among them.
    mutating func process(_ samples: UnsafeMutableBufferPointer<Float>, channels: Int, peak: Float) {
        if gain == 1 && peak <= 1 { return }
        var index = 0
        while index + channels <= samples.count {
            var loudest: Float = 0
            for channel in 0..<channels { loudest = max(loudest, abs(samples[index + channel])) }
            let magnitude = Double(loudest)
            if magnitude * gain > 1 {
                gain = 1 / magnitude
                hold = Limiter.holdSamples
            } else if hold > 0 {
                hold -= 1
            } else if gain < 1 {
                let risen = gain + (1 - gain) * Limiter.release
                // Not beyond what this very sample bears.
                gain = min(risen > Limiter.settled ? 1 : risen, magnitude > 1 ? 1 / magnitude : 1)
            }
            for channel in 0..<channels {
                samples[index + channel] = max(-1, min(1, samples[index + channel] * Float(gain)))
            }
            index += channels
        }
    }
}
