import Glibc
import Media

/// A window onto the planes of a picture, on whole chroma samples. Points into memory it does not own: used only
/// within one call, by whoever holds the picture.
struct PictureView {
    let y: UnsafeMutablePointer<UInt8>
    let u: UnsafeMutablePointer<UInt8>
    let v: UnsafeMutablePointer<UInt8>
    let strideY: Int
    let strideUV: Int
    /// Pixels.
    let width: Int
    let height: Int

    /// Chroma samples: a last odd column or row of pixels has some of its own.
    var chromaWidth: Int { (width + 1) / 2 }
    var chromaHeight: Int { (height + 1) / 2 }

    /// `rect` lies within the planes and starts on even pixels.
    init(_ planes: VideoFrame.Planes, _ rect: PixelRect) {
        precondition(
            rect.x >= 0 && rect.y >= 0 && rect.right <= planes.width && rect.bottom <= planes.height && !rect.isEmpty,
            "a view lies inside its picture")
        precondition(rect.x % 2 == 0 && rect.y % 2 == 0, "a view starts on a whole chroma sample")
        let chroma = rect.y / 2 * planes.strideUV + rect.x / 2
        y = planes.y + rect.y * planes.strideY + rect.x
        u = planes.u + chroma
        v = planes.v + chroma
        strideY = planes.strideY
        strideUV = planes.strideUV
        width = rect.width
        height = rect.height
    }

    func fill(_ color: YUVColor) {
        for row in 0..<height { memset(y + row * strideY, Int32(color.y), width) }
        for row in 0..<chromaHeight {
            memset(u + row * strideUV, Int32(color.u), chromaWidth)
            memset(v + row * strideUV, Int32(color.v), chromaWidth)
        }
    }

    /// Takes the pixels of a view of the same size.
    func copy(_ source: PictureView) {
        precondition(source.width == width && source.height == height, "a copy has the size of its source")
        for row in 0..<height { memcpy(y + row * strideY, source.y + row * source.strideY, width) }
        for row in 0..<chromaHeight {
            memcpy(u + row * strideUV, source.u + row * source.strideUV, chromaWidth)
            memcpy(v + row * strideUV, source.v + row * source.strideUV, chromaWidth)
        }
    }

    /// Lays a view of the same size over this one. `opacity` is in 256ths. Each result depends on its two pixels
    /// only, so a part of a picture blends to the same values as the whole.
    func blend(_ source: PictureView, opacity: Int) {
        precondition(source.width == width && source.height == height, "a blend has the size of its source")
        for row in 0..<height {
            blendRow(y + row * strideY, source.y + row * source.strideY, width, opacity)
        }
        for row in 0..<chromaHeight {
            blendRow(u + row * strideUV, source.u + row * source.strideUV, chromaWidth, opacity)
            blendRow(v + row * strideUV, source.v + row * source.strideUV, chromaWidth, opacity)
        }
    }
}

private func blendRow(
    _ destination: UnsafeMutablePointer<UInt8>, _ source: UnsafeMutablePointer<UInt8>, _ count: Int, _ opacity: Int
) {
    // At most 255 × 256 + 128, which 16 bits hold.
    let over = UInt16(truncatingIfNeeded: opacity)
    let under = UInt16(truncatingIfNeeded: Placement.opaque - opacity)
    for index in 0..<count {
        let sum = UInt16(source[index]) &* over &+ UInt16(destination[index]) &* under &+ 128
        destination[index] = UInt8(truncatingIfNeeded: sum >> 8)
    }
}
