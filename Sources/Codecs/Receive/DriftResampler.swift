import Glibc
import Media

/// Takes samples out of a store a little faster or slower than they are given out, so that a sender's clock that is
/// off neither empties nor fills it. Owned by one receiver.
///
/// A windowed sinc of 24 samples, read between 256 places with straight lines in between: errors about 80 dB below.
/// Until a ratio other than one is first asked for, samples are copied and stay the same bits. Once it runs it needs
/// 12 samples (0.25 ms) ahead.
struct DriftResampler {
    private static let taps = 24
    private static let places = 256
    private static let table: [Float] = {
        var table: [Float] = []
        for place in 0...places {
            var row: [Double] = []
            for tap in 0..<taps {
                let x = Double(tap - taps / 2 + 1) - Double(place) / Double(places)
                let turn = Double.pi * x
                let edge = x / (Double(taps) / 2)
                // Blackman–Harris.
                let arch =
                    abs(edge) >= 1
                    ? 0
                    : 0.35875 + 0.48829 * cos(.pi * edge) + 0.14128 * cos(2 * .pi * edge)
                        + 0.01168 * cos(3 * .pi * edge)
                row.append((x == 0 ? 1 : sin(turn) / turn) * arch)
            }
            let sum = row.reduce(0, +)
            table += row.map { Float($0 / sum) }
        }
        return table
    }()

    /// Between the sample at the front and the next, 0..<1.
    private var fraction = 0.0
    private(set) var isRunning = false

    init() {}

    /// Samples that have to wait in the store for `count` to come out.
    func need(_ count: Int, ratio: Double) -> Int {
        isRunning || ratio != 1
            ? Int((Double(count) * max(1, ratio)).rounded(.up)) + 2 + DriftResampler.taps / 2 : count
    }

    /// Gives out `count` samples per channel of what waits; `ratio` samples of the store go for one.
    mutating func take(_ count: Int, ratio: Double, from store: SampleStore) -> [Float] {
        if ratio != 1 { isRunning = true }
        let channels = store.channels
        guard isRunning else {
            let samples = [Float](UnsafeBufferPointer(start: store.front, count: count * channels))
            store.advance(count)
            return samples
        }
        var position = fraction
        let base = store.front - (DriftResampler.taps / 2 - 1) * channels
        let samples = [Float](unsafeUninitializedCapacity: count * channels) { buffer, filled in
            DriftResampler.table.withUnsafeBufferPointer { table in
                guard let table = table.baseAddress, let out = buffer.baseAddress else { return }
                for index in 0..<count {
                    let whole = Int(position)
                    let place = (position - Double(whole)) * Double(DriftResampler.places)
                    let row = table + Int(place) * DriftResampler.taps
                    let weight = Float(place - place.rounded(.down))
                    let source = base + whole * channels
                    if channels == 1 {
                        out[index] = DriftResampler.mono(source, row, weight)
                    } else {
                        DriftResampler.stereo(source, row, weight, out + 2 * index)
                    }
                    position += ratio
                }
            }
            filled = count * channels
        }
        let used = Int(position)
        fraction = position - Double(used)
        store.advance(min(used, store.count))
        return samples
    }

    private static func coefficients(_ row: UnsafePointer<Float>, _ index: Int, _ weight: Float) -> SIMD8<Float> {
        let a = UnsafeRawPointer(row + index).loadUnaligned(as: SIMD8<Float>.self)
        let b = UnsafeRawPointer(row + taps + index).loadUnaligned(as: SIMD8<Float>.self)
        return a + (b - a) * weight
    }

    private static func mono(_ source: UnsafePointer<Float>, _ row: UnsafePointer<Float>, _ weight: Float) -> Float {
        var sums = SIMD8<Float>(repeating: 0)
        for index in stride(from: 0, to: taps, by: 8) {
            sums +=
                UnsafeRawPointer(source + index).loadUnaligned(as: SIMD8<Float>.self)
                * coefficients(row, index, weight)
        }
        return sums.sum()
    }

    private static func stereo(
        _ source: UnsafePointer<Float>, _ row: UnsafePointer<Float>, _ weight: Float, _ out: UnsafeMutablePointer<Float>
    ) {
        var (left, right) = (SIMD8<Float>(repeating: 0), SIMD8<Float>(repeating: 0))
        for index in stride(from: 0, to: taps, by: 8) {
            let pairs = UnsafeRawPointer(source + 2 * index).loadUnaligned(as: SIMD16<Float>.self)
            let factor = coefficients(row, index, weight)
            left += pairs.evenHalf * factor
            right += pairs.oddHalf * factor
        }
        out[0] = left.sum()
        out[1] = right.sum()
    }
}
