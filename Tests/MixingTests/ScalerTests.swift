import CScale
import Core
import Media
import Testing

@testable import Mixing

@Suite struct ScalerTests {
    private func scaled(_ frame: VideoFrame, _ width: Int, _ height: Int) -> VideoFrame {
        VideoFrame(width: width, height: height, pts: .zero, pool: testPool) { planes in
            let source = PictureView(frame.planes, PixelRect(x: 0, y: 0, width: frame.width, height: frame.height))
            Scaler().scale(source, to: PictureView(planes, PixelRect(x: 0, y: 0, width: width, height: height)))
        }
    }

    /// Sizes in all directions: up, down, halved on the way, odd, strips, single pixels.
    static let sizes: [(Int, Int, Int, Int)] = [
        (64, 36, 42, 24), (64, 36, 43, 25), (64, 36, 32, 18), (64, 36, 21, 12), (64, 36, 128, 72), (63, 37, 30, 18),
        (65, 35, 9, 5), (64, 36, 64, 9), (64, 36, 9, 36), (100, 4, 50, 30), (1, 1, 16, 16), (16, 16, 1, 1),
        (3, 90, 40, 2), (200, 112, 26, 14), (90, 90, 89, 91),
    ]

    @Test func flatStaysFlat() {
        for (width, height, toWidth, toHeight) in ScalerTests.sizes {
            for value in [0, 16, 128, 255] as [UInt8] {
                let frame = scaled(flat(width, height, y: value, u: value, v: value), toWidth, toHeight)
                #expect(Set(frame.samples) == [value], "\(width)×\(height) to \(toWidth)×\(toHeight)")
            }
        }
    }

    @Test func weightsAddUpAndStayInside() {
        for (input, output) in [(640, 426), (360, 240), (8, 4), (9, 5), (17, 400), (1280, 569), (180, 81), (100, 100)] {
            let filter = ScalingFilter(input: input, output: output)
            #expect(filter.starts.count == output && filter.weights.count == output * filter.taps)
            #expect(filter.starts == filter.starts.sorted())
            for index in 0..<output {
                let weights = filter.weights[(index * filter.taps)..<((index + 1) * filter.taps)].map { Int($0) }
                #expect(weights.reduce(0, +) == 64)
                #expect(weights.reduce(0) { $0 + abs($1) } <= 128)
                #expect(filter.starts[index] >= 0 && Int(filter.starts[index]) + filter.taps <= input)
            }
        }
    }

    /// Vector and plain code give the same bytes, and write nothing beside the target.
    @Test(arguments: [
        (64, 36, 42, 24), (100, 50, 51, 47), (33, 30, 200, 100), (40, 40, 20, 18), (70, 20, 33, 37), (16, 16, 31, 9),
    ])
    func vectorEqualsPlain(width: Int, height: Int, toWidth: Int, toHeight: Int) {
        var random = SeededRandom(seed: UInt64(width * height))
        // Extremes, where rounding and clamping show.
        let source = (0..<(width * height + 64)).map { _ in random.next() % 2 == 0 ? UInt8(255) : UInt8(0) }
        let (columns, rows) = (
            ScalingFilter(input: width, output: toWidth), ScalingFilter(input: height, output: toHeight)
        )
        let stride = toWidth + 7
        func run(_ isPlain: Bool) -> [UInt8] {
            var target = [UInt8](repeating: 77, count: stride * toHeight)
            var scratch = [UInt8](repeating: 0, count: cscale_scratch_bytes(Int32(toWidth)))
            columns.withAxis { columns in
                rows.withAxis { rows in
                    let scale = isPlain ? cscale_plane_plain : cscale_plane
                    scale(source, width, &target, stride, columns, rows, &scratch)
                }
            }
            return target
        }
        let vector = run(false)
        let isEqual = vector == run(true)
        #expect(isEqual)
        let isContained = (0..<toHeight).allSatisfy { row in
            vector[(row * stride + toWidth)..<((row + 1) * stride)].allSatisfy { $0 == 77 }
        }
        #expect(isContained)
    }

    /// Against the same kernel in floating point, written another way: no sample is off by more than rounding of
    /// the weights and of the two passes explains.
    @Test(arguments: [(64, 36, 42, 24), (80, 45, 79, 44), (64, 64, 40, 34), (40, 30, 100, 80)])
    func agreesWithFloatingPoint(width: Int, height: Int, toWidth: Int, toHeight: Int) {
        let frame = textured(width, height, seed: 9)
        let result = scaled(frame, toWidth, toHeight)
        func cubic(_ x: Double) -> Double {
            let x = abs(x)
            if x < 1 { return 1.5 * x * x * x - 2.5 * x * x + 1 }
            return x < 2 ? -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2 : 0
        }
        func resampled(_ line: [Double], _ count: Int) -> [Double] {
            let ratio = Double(line.count) / Double(count)
            let stretch = max(1, ratio)
            return (0..<count).map { index in
                let centre = (Double(index) + 0.5) * ratio - 0.5
                var (sum, weights) = (0.0, 0.0)
                for tap in Int(centre - 2 * stretch - 1)...Int(centre + 2 * stretch + 1) {
                    let weight = cubic((Double(tap) - centre) / stretch)
                    sum += weight * line[min(max(tap, 0), line.count - 1)]
                    weights += weight
                }
                return sum / weights
            }
        }
        let wide = (0..<height).map { y in resampled((0..<width).map { Double(frame.luma($0, y)) }, toWidth) }
        var (worst, sum) = (0.0, 0.0)
        for x in 0..<toWidth {
            let column = resampled(wide.map { $0[x] }, toHeight)
            for y in 0..<toHeight {
                let error = abs(Double(result.luma(x, y)) - min(max(column[y], 0), 255))
                worst = max(worst, error)
                sum += error
            }
        }
        #expect(worst < 4, "\(worst)")
        #expect(sum / Double(toWidth * toHeight) < 1, "\(sum / Double(toWidth * toHeight))")
    }
}
