/// Where the tiles of a canvas go: one region per tile, in the order of the tiles. A plain value; named layouts are
/// pure functions that return one, so a new one is one more function here.
package struct Layout: Hashable, Sendable {
    package var regions: [Region]
    package init(regions: [Region]) { self.regions = regions }

    /// The regions in pixels of a canvas of the given size.
    package func rectangles(width: Int, height: Int) -> [PixelRect] {
        regions.map { $0.rectangle(width: width, height: height) }
    }

    /// One picture over the whole canvas.
    package static let full = Layout(regions: [Region()])

    /// Kurento's grid: ⌈√count⌉ columns, as many rows as needed, filled row by row, the last row left-aligned.
    /// Cells measure canvas ÷ columns × canvas ÷ rows in whole pixels, so a few pixels at the right and lower edge
    /// of the canvas may stay background.
    package static func grid(count: Int, width: Int, height: Int) -> Layout {
        guard count > 0 else { return Layout(regions: []) }
        var columns = 1
        while columns * columns < count { columns += 1 }
        let rows = (count + columns - 1) / columns
        let cellWidth = Double(width / columns) / Double(width)
        let cellHeight = Double(height / rows) / Double(height)
        return Layout(
            regions: (0..<count).map { index in
                Region(
                    x: Double(index % columns) * cellWidth, y: Double(index / columns) * cellHeight,
                    width: cellWidth, height: cellHeight)
            })
    }

    /// The grid whose rows and columns show `count` pictures of the given shape (width ÷ height) largest, whole and
    /// undistorted. Cells fill the canvas to its edges; the last row is centred. Among equals the one with fewer
    /// empty cells wins, then the one with more columns.
    package static func balancedGrid(
        count: Int, width: Int, height: Int, tileAspect: Double = 16.0 / 9.0
    ) -> Layout {
        guard count > 0 else { return Layout(regions: []) }
        let columns = balancedColumns(count: count, width: width, height: height, tileAspect: tileAspect)
        let rows = (count + columns - 1) / columns
        let inLastRow = count - (rows - 1) * columns
        return Layout(
            regions: (0..<count).map { index in
                let (row, column) = (index / columns, index % columns)
                // Counted in half cells, so that edges of neighbours come from the same quotient.
                let shift = row == rows - 1 ? columns - inLastRow : 0
                let left = Double(2 * column + shift) / Double(2 * columns)
                let right = Double(2 * column + 2 + shift) / Double(2 * columns)
                let top = Double(row) / Double(rows)
                let bottom = Double(row + 1) / Double(rows)
                return Region(x: left, y: top, width: right - left, height: bottom - top)
            })
    }

    private static func balancedColumns(count: Int, width: Int, height: Int, tileAspect: Double) -> Int {
        let aspect = tileAspect.isFinite && tileAspect > 0 ? tileAspect : 1
        var best = (columns: 1, area: -1.0, empty: Int.max)
        for columns in 1...count {
            let rows = (count + columns - 1) / columns
            let cellWidth = Double(width) / Double(columns)
            let cellHeight = Double(height) / Double(rows)
            let tileWidth = min(cellWidth, cellHeight * aspect)
            let area = tileWidth * tileWidth / aspect
            let empty = columns * rows - count
            // Areas within a millionth are equal: they came by different roundings.
            let isEqual = abs(area - best.area) <= 1e-6 * area
            if isEqual ? empty <= best.empty : area > best.area { best = (columns, area, empty) }
        }
        return best.columns
    }

    /// One picture over the whole canvas and a small one over it, in a corner. `scale` is the small one's width and
    /// height, `margin` its distance from the canvas's edges, both in fractions of the canvas's width (the margin in
    /// pixels is the same on both sides if the canvas is `canvasAspect` wide ÷ high).
    package static func pictureInPicture(
        corner: Corner = .bottomRight, scale: Double = 0.25, margin: Double = 0.025, canvasAspect: Double = 16.0 / 9.0
    ) -> Layout {
        let marginHigh = margin * canvasAspect
        let inset = Region(
            x: corner.isLeft ? margin : 1 - margin - scale, y: corner.isTop ? marginHigh : 1 - marginHigh - scale,
            width: scale, height: scale, z: 1)
        return Layout(regions: [Region(), inset])
    }

    /// The first picture large, the others in a row below it.
    package static func speaker(count: Int) -> Layout {
        guard count > 1 else { return count == 1 ? full : Layout(regions: []) }
        let width = min(0.25, 1 / Double(count - 1))
        let left = (1 - width * Double(count - 1)) / 2
        let row = (0..<(count - 1)).map { Region(x: left + width * Double($0), y: 0.75, width: width, height: 0.25) }
        return Layout(regions: [Region(width: 1, height: 0.75)] + row)
    }

    /// All in one row, as wide as each other.
    package static func sideBySide(count: Int) -> Layout {
        Layout(
            regions: (0..<max(0, count)).map { index in
                let (left, right) = (Double(index) / Double(count), Double(index + 1) / Double(count))
                return Region(x: left, width: right - left)
            })
    }

    /// A corner of the canvas.
    package enum Corner: String, Hashable, Sendable, CaseIterable {
        case topLeft, topRight, bottomLeft, bottomRight
        var isLeft: Bool { self == .topLeft || self == .bottomLeft }
        var isTop: Bool { self == .topLeft || self == .topRight }
    }
}
