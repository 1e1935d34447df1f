import Glibc

/// Converts samples from one rate to another as they come: a polyphase filter (Kaiser-windowed sinc) for any ratio
/// of whole numbers. Owned by one codec.
///
/// N samples in give N × to / from samples out, to the nearest above. Passband up to 0.45 of the lower rate, stopband
/// about 60 dB below; what comes out is `delay` samples of the input late.
final class RateConverter {
    /// Zero crossings of the sinc on each side, at the lower of both rates.
    private static let lobes = 16
    private static let beta = 6.2

    private let up: Int
    private let down: Int
    /// Coefficients per phase.
    private let taps: Int
    /// Phase by phase, oldest input first.
    private let coefficients: [Float]
    private let channels: Int
    /// The last `taps - 1` samples, then what came last.
    private var window: [Float]
    /// Place of the next output between two input samples, in units of 1 / `up`.
    private var place = 0

    /// Input samples by which the output is late.
    var delay: Int { taps / 2 }

    init(from: Int, to: Int, channels: Int) {
        let divisor = RateConverter.divisor(from, to)
        up = to / divisor
        down = from / divisor
        self.channels = channels
        let factor = max(1, Double(from) / Double(to))
        taps = 2 * Int((Double(RateConverter.lobes) * factor).rounded(.up))
        coefficients = RateConverter.design(up: up, taps: taps, cutoff: 0.94 / factor)
        window = [Float](repeating: 0, count: (taps - 1) * channels)
    }

    private static func divisor(_ first: Int, _ second: Int) -> Int {
        var (a, b) = (first, second)
        while b != 0 { (a, b) = (b, a % b) }
        return a
    }

    /// `cutoff` as a part of half the input's rate. Each phase sums to one, so that a constant stays one.
    private static func design(up: Int, taps: Int, cutoff: Double) -> [Float] {
        func bessel(_ x: Double) -> Double {
            var (sum, term) = (1.0, 1.0)
            for order in 1..<40 {
                term *= (x / 2 / Double(order)) * (x / 2 / Double(order))
                sum += term
            }
            return sum
        }
        var result: [Float] = []
        result.reserveCapacity(up * taps)
        for phase in 0..<up {
            var row: [Double] = []
            for tap in 0..<taps {
                let x = Double(tap - taps / 2 + 1) - Double(phase) / Double(up)
                let edge = x / (Double(taps) / 2)
                let arch = abs(edge) < 1 ? bessel(beta * (1 - edge * edge).squareRoot()) / bessel(beta) : 0
                let turn = Double.pi * x * cutoff
                row.append((x == 0 ? cutoff : cutoff * sin(turn) / turn) * arch)
            }
            let sum = row.reduce(0, +)
            result += row.map { Float($0 / sum) }
        }
        return result
    }

    /// At most so many samples come out of `count`.
    func capacity(for count: Int) -> Int { (count * up + down - 1) / down + 1 }

    /// Converts interleaved samples; returns how many samples per channel were written. `output` has room for
    /// `capacity(for:)`.
    func convert(_ input: UnsafeBufferPointer<Float>, into output: UnsafeMutablePointer<Float>) -> Int {
        let count = input.count / channels
        window.append(contentsOf: input)
        var made = 0
        window.withUnsafeBufferPointer { samples in
            coefficients.withUnsafeBufferPointer { table in
                guard let samples = samples.baseAddress, let table = table.baseAddress else { return }
                while place < count * up {
                    let (index, phase) = (place / up, place % up)
                    let row = table + phase * taps
                    for channel in 0..<channels {
                        output[made * channels + channel] = RateConverter.dot(
                            row, samples + index * channels + channel, taps, stride: channels)
                    }
                    made += 1
                    place += down
                }
            }
        }
        place -= count * up
        window.removeFirst(count * channels)
        return made
    }

    /// Eight sums side by side: the compiler may not reorder float sums by itself. `count` is even.
    private static func dot(
        _ row: UnsafePointer<Float>, _ samples: UnsafePointer<Float>, _ count: Int, stride: Int
    ) -> Float {
        var sums = SIMD8<Float>(repeating: 0)
        var index = 0
        if stride == 1 {
            while index + 8 <= count {
                let a = UnsafeRawPointer(row + index).loadUnaligned(as: SIMD8<Float>.self)
                let b = UnsafeRawPointer(samples + index).loadUnaligned(as: SIMD8<Float>.self)
                sums += a * b
                index += 8
            }
        }
        var sum = sums.sum()
        while index < count {
            sum += row[index] * samples[index * stride]
            index += 1
        }
        return sum
    }

    func reset() {
        for index in window.indices { window[index] = 0 }
        place = 0
    }
}
