import Media

/// Finds after how many samples a sound repeats itself best: coarsely at 8 kHz, then to the sample.
enum Pitch {
    /// 2.5 ms, 400 Hz: shorter periods are found as their multiples.
    static let lagMin = AudioFrame.sampleRate / 400
    /// 15 ms, 67 Hz.
    static let lagMax = AudioFrame.sampleRate * 15 / 1000
    /// What is compared: 10 ms.
    static let window = AudioFrame.sampleRate / 100
    private static let step = 6

    struct Match {
        /// Samples per channel at 48 kHz.
        let lag: Int
        /// Normalised correlation of both stretches, -1…1; 1 where both are silent.
        let likeness: Float
        /// Mean square of what was compared.
        let power: Float
    }

    /// Compares the `window` samples at `at` with those `lag` later, for every lag up to `lagMax`, which must exist.
    static func match(_ at: UnsafePointer<Float>, channels: Int, lagMax: Int = Pitch.lagMax) -> Match {
        let lagMax = min(max(lagMax, lagMin), Pitch.lagMax)
        let length = (window + lagMax) / step
        return withUnsafeTemporaryAllocation(of: Float.self, capacity: length) { low in
            for index in 0..<length {
                var sum: Float = 0
                let source = at + index * step * channels
                for place in 0..<(step * channels) { sum += source[place] }
                low[index] = sum / Float(step * channels)
            }
            guard let start = UnsafePointer(low.baseAddress) else { return Match(lag: lagMin, likeness: 0, power: 0) }
            let coarse = best(
                start, lags: (lagMin / step)...(lagMax / step), window: window / step, stride: 1)
            let around = max(lagMin, (coarse.lag - 1) * step)...min(lagMax, (coarse.lag + 1) * step)
            // The left channel stands for both: what differs between them has the same pitch.
            return best(
                at, lags: around.lowerBound...max(around.lowerBound, around.upperBound), window: window,
                stride: channels)
        }
    }

    /// The same at the end of something: compares the last `window` samples before `end` with those `lag` earlier.
    static func reversed(_ end: UnsafePointer<Float>, channels: Int) -> Match {
        let count = window + lagMax
        return withUnsafeTemporaryAllocation(of: Float.self, capacity: count) { turned in
            for index in 0..<count {
                var sum: Float = 0
                for channel in 0..<channels { sum += end[-(index + 1) * channels + channel] }
                turned[index] = sum
            }
            guard let start = UnsafePointer(turned.baseAddress) else {
                return Match(lag: lagMin, likeness: 0, power: 0)
            }
            return match(start, channels: 1)
        }
    }

    private static func best(
        _ at: UnsafePointer<Float>, lags: ClosedRange<Int>, window: Int, stride: Int
    ) -> Match {
        var own: Float = 0
        for index in 0..<window { own += at[index * stride] * at[index * stride] }
        var found = Match(lag: lags.lowerBound, likeness: -2, power: own / Float(window))
        for lag in lags {
            var (cross, other): (Float, Float)
            if stride == 1 {
                (cross, other) = sums(at, at + lag, window)
            } else {
                (cross, other) = (0, 0)
                for index in 0..<window {
                    let sample = at[(index + lag) * stride]
                    cross += at[index * stride] * sample
                    other += sample * sample
                }
            }
            let likeness = own + other < 1e-9 ? 1 : cross / max(1e-9, (own * other).squareRoot())
            if likeness > found.likeness {
                found = Match(lag: lag, likeness: likeness, power: own / Float(window))
            }
        }
        return found
    }

    /// Products and squares, eight at a time.
    private static func sums(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ count: Int) -> (Float, Float) {
        var (cross, square) = (SIMD8<Float>(repeating: 0), SIMD8<Float>(repeating: 0))
        var index = 0
        while index + 8 <= count {
            let x = UnsafeRawPointer(a + index).loadUnaligned(as: SIMD8<Float>.self)
            let y = UnsafeRawPointer(b + index).loadUnaligned(as: SIMD8<Float>.self)
            cross += x * y
            square += y * y
            index += 8
        }
        var (sum, power) = (cross.sum(), square.sum())
        while index < count {
            sum += a[index] * b[index]
            power += b[index] * b[index]
            index += 1
        }
        return (sum, power)
    }
}
