import Core
import Testing

@testable import Mixing

@Suite struct LayoutTests {
    static let canvases = [(1280, 720), (800, 600), (641, 361), (360, 640), (1920, 1080)]

    /// Every pixel is covered exactly once, or at most once where `isFull` is false.
    private func expectPartition(_ rects: [PixelRect], _ width: Int, _ height: Int, isFull: Bool, _ name: String) {
        for (index, rect) in rects.enumerated() {
            #expect(!rect.isEmpty, "\(name): \(rect)")
            #expect(rect.x % 2 == 0 && rect.y % 2 == 0, "\(name): \(rect)")
            #expect(rect.right % 2 == 0 || rect.right == width, "\(name): \(rect)")
            #expect(rect.bottom % 2 == 0 || rect.bottom == height, "\(name): \(rect)")
            #expect(rect.right <= width && rect.bottom <= height, "\(name): \(rect)")
            for other in rects[(index + 1)...] { #expect(!rect.intersects(other), "\(name): \(rect), \(other)") }
        }
        if isFull {
            #expect(rects.reduce(0) { $0 + $1.width * $1.height } == width * height, "\(name)")
        }
    }

    @Test func gridsPartitionTheCanvas() {
        for (width, height) in LayoutTests.canvases {
            for count in 1...49 {
                let name = "\(count) on \(width)×\(height)"
                let balanced = Layout.balancedGrid(count: count, width: width, height: height)
                #expect(balanced.regions.count == count)
                let rects = balanced.rectangles(width: width, height: height)
                let rows = Set(rects.map(\.y)).count
                let columns = rects.filter { $0.y == 0 }.count
                expectPartition(rects, width, height, isFull: rows * columns == count, "balanced \(name)")
                #expect(rects.map(\.bottom).max() == height && rects.filter { $0.y == 0 }.map(\.right).max() == width)
                let kurento = Layout.grid(count: count, width: width, height: height)
                expectPartition(
                    kurento.rectangles(width: width, height: height), width, height, isFull: false,
                    "grid \(name)")
            }
        }
    }

    @Test func kurentoGridMatchesItsRule() {
        func cells(_ count: Int, _ width: Int, _ height: Int) -> [PixelRect] {
            Layout.grid(count: count, width: width, height: height).rectangles(width: width, height: height)
        }
        #expect(cells(0, 800, 600).isEmpty)
        #expect(cells(1, 800, 600) == [PixelRect(x: 0, y: 0, width: 800, height: 600)])
        // Two: two columns, one row.
        #expect(cells(2, 800, 600).map(\.width) == [400, 400] && cells(2, 800, 600).map(\.height) == [600, 600])
        // Three: two columns, two rows, the last row from the left.
        #expect(cells(3, 800, 600)[2] == PixelRect(x: 0, y: 300, width: 400, height: 300))
        // Nine on 720p: whole-number cells of 426, two columns of pixels left over at the right.
        #expect(
            cells(9, 1280, 720).prefix(4) == [
                PixelRect(x: 0, y: 0, width: 426, height: 240), PixelRect(x: 426, y: 0, width: 426, height: 240),
                PixelRect(x: 852, y: 0, width: 426, height: 240), PixelRect(x: 0, y: 240, width: 426, height: 240),
            ])
        // Odd cells share their rounded edges.
        let odd = cells(9, 640, 480)
        #expect(odd[0].right == odd[1].x && odd[1].right == odd[2].x && odd[2].right == 640)
    }

    @Test(arguments: [(1, 1), (2, 2), (3, 2), (4, 2), (5, 3), (6, 3), (7, 3), (9, 3), (10, 4), (16, 4), (25, 5)])
    func balancedGridOfWidePictures(count: Int, columns: Int) {
        let rects = Layout.balancedGrid(count: count, width: 1280, height: 720).rectangles(width: 1280, height: 720)
        #expect(rects.filter { $0.y == 0 }.count == columns)
        // Centred last row: the same room left and right, but for the rounding to even pixels.
        let lastRow = rects.filter { $0.y == rects.last?.y }
        let left = lastRow.map(\.x).min() ?? 0
        let right = 1280 - (lastRow.map(\.right).max() ?? 0)
        #expect(abs(left - right) <= 2)
    }

    @Test func balancedGridFollowsShapes() {
        func columns(_ count: Int, _ width: Int, _ height: Int, _ aspect: Double) -> Int {
            Layout.balancedGrid(count: count, width: width, height: height, tileAspect: aspect)
                .rectangles(width: width, height: height).filter { $0.y == 0 }.count
        }
        #expect(columns(2, 360, 640, 16.0 / 9) == 1)
        #expect(columns(3, 1280, 720, 9.0 / 16) == 3)
        #expect(columns(4, 1280, 720, 9.0 / 16) == 4)
        #expect(columns(3, 1280, 720, .nan) > 0)
    }

    @Test func wildFractionsAreTame() {
        for value in [Double.nan, .infinity, -.infinity, 1e300, -1e300] {
            let rect = Region(x: value, y: 0, width: value, height: 1).rectangle(width: 640, height: 360)
            #expect(abs(rect.x) <= 16 * 640 && rect.width <= 32 * 640)
        }
    }

    @Test func pictureInPictureSitsInItsCorner() {
        for corner in Layout.Corner.allCases {
            let layout = Layout.pictureInPicture(corner: corner)
            let rects = layout.rectangles(width: 1280, height: 720)
            #expect(rects[0] == PixelRect(x: 0, y: 0, width: 1280, height: 720))
            #expect((rects[1].width, rects[1].height) == (320, 180))
            #expect(corner.isLeft ? rects[1].x == 32 : rects[1].right == 1280 - 32)
            #expect(corner.isTop ? rects[1].y == 32 : rects[1].bottom == 720 - 32)
            #expect(layout.regions[1].z > layout.regions[0].z)
        }
    }
}
