/// A picture with transparency: red, green, blue, alpha, 8 bits each, full range, colours multiplied by alpha.
/// Immutable; rows follow each other without padding.
package struct Bitmap: Hashable, Sendable {
    /// Pixels.
    package let width: Int
    package let height: Int
    /// Four bytes per pixel.
    package let pixels: [UInt8]

    /// `pixels` are 4 × width × height bytes.
    package init(width: Int, height: Int, pixels: [UInt8]) {
        precondition(width > 0 && height > 0, "a bitmap has at least one pixel")
        precondition(pixels.count == 4 * width * height, "a bitmap has four bytes per pixel")
        self.width = width
        self.height = height
        self.pixels = pixels
    }
}
