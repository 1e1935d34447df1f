import Glibc

/// How loud a block is, and whether somebody seems to speak.
enum Level {
    /// Mean square of interleaved samples, eight at a time.
    static func power(_ samples: [Float]) -> Float {
        guard !samples.isEmpty else { return 0 }
        return samples.withUnsafeBufferPointer { samples in
            guard let start = samples.baseAddress else { return 0 }
            var sums = SIMD8<Float>(repeating: 0)
            var index = 0
            while index + 8 <= samples.count {
                let eight = UnsafeRawPointer(start + index).loadUnaligned(as: SIMD8<Float>.self)
                sums += eight * eight
                index += 8
            }
            var sum = sums.sum()
            while index < samples.count {
                sum += samples[index] * samples[index]
                index += 1
            }
            return sum / Float(samples.count)
        }
    }

    /// −dBov as in RFC 6464, of a mean square.
    static func attenuation(power: Float) -> UInt8 {
        guard power > 1e-13 else { return 127 }
        return UInt8(min(127, max(0, (-10 * log10f(power)).rounded())))
    }

    static func amplitude(_ attenuation: UInt8) -> Float { powf(10, -Float(attenuation) / 20) }
}

/// Tells voice from a room's noise by how far a block stands out from the quietest blocks lately. Plain value.
struct VoiceActivity {
    /// −dBov.
    private var floor: Float = 60
    private var blocksLeft = 0
    /// Speech stands at least 9 dB above its room and is louder than -50 dBov.
    private static let (margin, threshold): (Float, Float) = (9, 50)
    /// Over the pauses between words: 200 ms.
    private static let hangover = 10

    mutating func isVoice(_ attenuation: UInt8) -> Bool {
        let level = Float(attenuation)
        if level < VoiceActivity.threshold, level < floor - VoiceActivity.margin {
            blocksLeft = VoiceActivity.hangover
        } else {
            blocksLeft = max(0, blocksLeft - 1)
        }
        // Follows quieter blocks at once, louder ones by 2.5 dB a second.
        floor += level > floor ? (level - floor) * 0.3 : -0.05
        floor = min(max(floor, 40), 70)
        return blocksLeft > 0
    }
}
