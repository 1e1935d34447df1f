import Graphics
import Media

/// An image and the rectangle that it is drawn into; keeps what was scaled last. Owned by one stage.
struct PlacedImage {
    let bitmap: Bitmap
    private var overlay: Overlay?
    private var key: Key?
    private struct Key: Equatable { let width: Int, height: Int, oddX: Bool, oddY: Bool }
    /// Pixels on a side that an image is scaled to at most.
    private static let sideMax = 8192

    init(_ bitmap: Bitmap) { self.bitmap = bitmap }

    /// Draws the image into a rectangle in pixels, which may reach beyond the picture.
    mutating func draw(onto planes: VideoFrame.Planes, x: Int, y: Int, width: Int, height: Int) {
        guard (1...PlacedImage.sideMax).contains(width), (1...PlacedImage.sideMax).contains(height),
            x < planes.width, y < planes.height, x > -width, y > -height
        else { return }
        let key = Key(width: width, height: height, oddX: x & 1 == 1, oddY: y & 1 == 1)
        if self.key != key {
            overlay = Overlay(bitmap, width: width, height: height, atOddX: key.oddX, atOddY: key.oddY)
            self.key = key
        }
        overlay?.draw(onto: planes, x: x, y: y)
    }
}

/// A number of pixels from a fraction that somebody wrote, safe to count with.
func pixels(_ fraction: Double, of extent: Double) -> Int {
    let value = (fraction * extent).rounded()
    return value.isFinite ? Int(min(max(value, -100_000), 100_000)) : 0
}
