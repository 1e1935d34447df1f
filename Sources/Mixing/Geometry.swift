/// A rectangle in whole pixels, origin top left. A plain value; may lie partly or wholly outside a canvas.
package struct PixelRect: Hashable, Sendable, CustomStringConvertible {
    package var x: Int
    package var y: Int
    package var width: Int
    package var height: Int

    package init(x: Int, y: Int, width: Int, height: Int) {
        self.x = x
        self.y = y
        self.width = width
        self.height = height
    }

    /// The rectangle between two corners; empty if they are the wrong way round.
    package init(left: Int, top: Int, right: Int, bottom: Int) {
        self.init(x: left, y: top, width: max(0, right - left), height: max(0, bottom - top))
    }

    package var right: Int { x + width }
    package var bottom: Int { y + height }
    package var isEmpty: Bool { width <= 0 || height <= 0 }

    /// What both cover; empty where they do not meet.
    package func intersection(_ other: PixelRect) -> PixelRect {
        PixelRect(
            left: max(x, other.x), top: max(y, other.y), right: min(right, other.right),
            bottom: min(bottom, other.bottom))
    }

    package func intersects(_ other: PixelRect) -> Bool {
        x < other.right && other.x < right && y < other.bottom && other.y < bottom
    }

    package func contains(_ other: PixelRect) -> Bool {
        x <= other.x && y <= other.y && right >= other.right && bottom >= other.bottom
    }

    /// The smallest rectangle around both.
    package func union(_ other: PixelRect) -> PixelRect {
        PixelRect(
            left: min(x, other.x), top: min(y, other.y), right: max(right, other.right),
            bottom: max(bottom, other.bottom))
    }

    package var description: String { "\(width)×\(height) at \(x),\(y)" }
}

/// A part of a canvas in fractions of its size (0–1, origin top left), and its place in the stack.
/// Parts that reach beyond the canvas are cut off when drawn.
package struct Region: Hashable, Sendable {
    package var x: Double
    package var y: Double
    package var width: Double
    package var height: Double
    /// Higher is nearer to the viewer; equal ones stack in the order in which they are given.
    package var z: Int

    package init(x: Double = 0, y: Double = 0, width: Double = 1, height: Double = 1, z: Int = 0) {
        self.x = x
        self.y = y
        self.width = width
        self.height = height
        self.z = z
    }

    /// The region's pixels on a canvas of the given size. Edges lie on even pixels, because a chroma sample covers
    /// 2×2 of them, or on the canvas's own edge. Each edge is rounded by itself, so regions that share an edge in
    /// fractions share it in pixels, without gap or overlap.
    package func rectangle(width canvasWidth: Int, height canvasHeight: Int) -> PixelRect {
        PixelRect(
            left: Region.edge(x, of: canvasWidth), top: Region.edge(y, of: canvasHeight),
            right: Region.edge(x + width, of: canvasWidth), bottom: Region.edge(y + height, of: canvasHeight))
    }

    /// The even pixel nearest to a fraction of `extent`; the far edge itself where that is as near.
    private static func edge(_ fraction: Double, of extent: Int) -> Int {
        guard fraction.isFinite else { return 0 }
        // The first rounding hides the error of sums of fractions, which would otherwise decide ties.
        // Nothing further off than 16 canvases is told apart: it is not visible, and Int stays safe.
        let pixels = (min(max(fraction, -16), 16) * Double(extent) * 4096).rounded() / 4096
        if abs(pixels - Double(extent)) < 1 { return extent }
        return 2 * Int((pixels / 2).rounded())
    }
}

/// How a picture whose shape differs from its region's is put into it.
package enum Fit: String, Hashable, Sendable, CaseIterable {
    /// Fills the region; what sticks out is cut off, evenly on both sides.
    case cover
    /// Whole picture, centred; the rest of the region stays as it is (normally background).
    case contain
    /// Whole picture, whole region, shape not kept.
    case stretch
}
