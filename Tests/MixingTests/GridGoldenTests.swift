import Core
import Media
import TestKit
import Testing

@testable import Mixing

/// Pixels at known places, and hashes of whole canvases.
@Suite struct GridGoldenTests {
    /// Flat pictures whose luma and chroma name them.
    private func pictures(_ count: Int, _ width: Int, _ height: Int, aspect: Rational = Rational(1, 1)) -> [VideoFrame] {
        (0..<count).map { (index: Int) -> VideoFrame in
            let (y, u, v) = (UInt8(40 + 20 * index), UInt8(60 + 15 * index), UInt8(200 - 15 * index))
            return flat(width, height, y: y, u: u, v: v, aspect: aspect)
        }
    }

    private func render(_ frames: [VideoFrame], _ fit: Fit, _ width: Int, _ height: Int) -> VideoFrame {
        let regions = Layout.grid(count: frames.count, width: width, height: height).regions
        return Compositor(pool: testPool).render(
            CompositionJob(
                width: width, height: height, pts: .zero,
                tiles: zip(frames, regions).map { Tile(frame: $0, region: $1, fit: fit) }))
    }

    /// Which picture a pixel shows: its index, or −1 for background.
    private func index(_ frame: VideoFrame, _ x: Int, _ y: Int) -> Int {
        let (u, v) = frame.chroma(x, y)
        if frame.luma(x, y) == 16 {
            #expect(u == 128 && v == 128)
            return -1
        }
        let index = (Int(frame.luma(x, y)) - 40) / 20
        #expect(Int(u) == 60 + 15 * index && Int(v) == 200 - 15 * index, "chroma and luma at \(x),\(y) disagree")
        return index
    }

    @Test(arguments: [1, 2, 3, 5, 9])
    func everyPixelShowsTheRightPicture(count: Int) {
        let (width, height) = (160, 120)
        let cells = Layout.grid(count: count, width: width, height: height).rectangles(width: width, height: height)
        for fit in Fit.allCases {
            // Wide pictures in cells of 4:3 and 8:3: letterboxed in the first, pillarboxed in the others.
            let canvas = render(pictures(count, 64, 36), fit, width, height)
            for y in 0..<height {
                for x in 0..<width {
                    let cell = cells.firstIndex { $0.contains(PixelRect(x: x, y: y, width: 1, height: 1)) }
                    var expected = cell ?? -1
                    if let cell, fit == .contain {
                        let rect = cells[cell]
                        let fitted = containedByHand(rect, 16.0 / 9)
                        if !fitted.contains(PixelRect(x: x, y: y, width: 1, height: 1)) { expected = -1 }
                    }
                    let got = index(canvas, x, y)
                    if got != expected { Issue.record("\(count) \(fit) \(x),\(y): \(got), not \(expected)") }
                }
            }
        }
    }

    /// The even rectangle of the given shape in the middle of a cell.
    private func containedByHand(_ cell: PixelRect, _ aspect: Double) -> PixelRect {
        let isWide = Double(cell.width) / Double(cell.height) > aspect
        var width = isWide ? 2 * Int((Double(cell.height) * aspect / 2).rounded()) : cell.width
        var height = isWide ? cell.height : 2 * Int((Double(cell.width) / aspect / 2).rounded())
        if cell.width - width < 2 { width = cell.width }
        if cell.height - height < 2 { height = cell.height }
        return PixelRect(
            x: cell.x + (cell.width - width) / 4 * 2, y: cell.y + (cell.height - height) / 4 * 2, width: width,
            height: height)
    }

    @Test func bordersLieOnExactRows() {
        // 16:9 in 800×600: 450 rows high, 75 above, rounded down to an even 74.
        let canvas = render(pictures(1, 640, 360), .contain, 800, 600)
        #expect((index(canvas, 0, 73), index(canvas, 0, 74)) == (-1, 0))
        #expect((index(canvas, 799, 523), index(canvas, 799, 524)) == (0, -1))
        // 4:3 in 1280×720: 960 columns, 160 left and right.
        let pillars = render(pictures(1, 640, 480), .contain, 1280, 720)
        #expect((index(pillars, 159, 0), index(pillars, 160, 0)) == (-1, 0))
        #expect((index(pillars, 1119, 719), index(pillars, 1120, 719)) == (0, -1))
    }

    @Test func pixelAspectCounts() {
        // 720×576 with pixels of 16:11 is 1047×576 on screen: fits 1280×720 as 1309 × 720, so limited by width.
        let canvas = render(pictures(1, 720, 576, aspect: Rational(16, 11)), .contain, 1280, 720)
        let shape: Double = 720.0 * 16.0 / 11.0 / 576.0
        let high = 2 * Int((1280.0 / shape / 2).rounded())
        let top = (720 - high) / 4 * 2
        #expect((index(canvas, 640, top - 1), index(canvas, 640, top)) == (-1, 0))
        #expect((index(canvas, 640, top + high - 1), index(canvas, 640, top + high)) == (0, -1))
    }

    @Test func coverCutsEvenlyOnBothSides() {
        // Left quarter dark, middle half light, right quarter dark; a square cell shows the light half only.
        let picture = VideoFrame(width: 128, height: 64, pts: .zero, pool: testPool) { planes in
            PictureView(planes, PixelRect(x: 0, y: 0, width: 128, height: 64)).fill(.black)
            PictureView(planes, PixelRect(x: 32, y: 0, width: 64, height: 64)).fill(YUVColor(y: 200, u: 90, v: 90))
        }
        let canvas = render([picture], .cover, 100, 100)
        #expect(Set(canvas.samples) == [200, 90])
    }

    @Test func zOrderAndOpacity() {
        let (low, high) = (flat(32, 32, y: 40, u: 100, v: 100), flat(32, 32, y: 200, u: 140, v: 160))
        func render(_ opacity: Double, z: Int) -> VideoFrame {
            let job = CompositionJob(
                width: 64, height: 64, pts: .zero,
                tiles: [
                    Tile(frame: high, region: Region(x: 0.25, y: 0.25, width: 0.5, height: 0.5, z: z), opacity: opacity),
                    Tile(frame: low, region: Region(z: 1), fit: .stretch),
                ])
            return Compositor(pool: testPool).render(job)
        }
        #expect(render(1, z: 2).luma(32, 32) == 200)
        #expect(render(1, z: 0).luma(32, 32) == 40)
        #expect(render(0, z: 2).luma(32, 32) == 40)
        #expect(render(0.5, z: 2).luma(32, 32) == 120)
        #expect(render(0.5, z: 2).chroma(32, 32) == (120, 130))
        #expect(render(0.25, z: 2).luma(47, 47) == 80 && render(0.25, z: 2).luma(48, 48) == 40)
        #expect(render(.infinity, z: 2).luma(32, 32) == 200 && render(.nan, z: 2).luma(32, 32) == 40)
    }

    @Test(arguments: [1, 2, 3, 5, 9], Fit.allCases)
    func texturedGridsAreAsTheyWere(count: Int, fit: Fit) {
        let frames = (0..<count).map { textured(96 + 10 * $0, 54 + 6 * $0, seed: UInt64($0)) }
        let regions = Layout.balancedGrid(count: count, width: 320, height: 180).regions
        let canvas = Compositor(pool: testPool).render(
            CompositionJob(
                width: 320, height: 180, pts: .zero,
                tiles: zip(frames, regions).map { Tile(frame: $0, region: $1, fit: fit) }))
        let outcome = GoldenFile("grids.txt").check("\(count)-\(fit.rawValue)", canvas.pixelHash)
        switch outcome {
        case .equal, .updated: break
        case .differs(let golden): Issue.record("\(count) \(fit): \(canvas.pixelHash), golden \(golden ?? "missing")")
        }
    }
}
