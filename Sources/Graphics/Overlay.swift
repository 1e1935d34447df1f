import CFFmpeg
package import Media

/// A bitmap made ready to be laid over video pictures at one size: limited-range BT.601 with transparency.
/// Immutable, made once and drawn many times. Chroma samples cover 2×2 pixels, so it is made for a place whose
/// coordinates are even or odd.
package struct Overlay: Sendable {
    /// Even; the bitmap with up to one transparent row and column before and behind it.
    package let width: Int
    package let height: Int
    private let isShiftedRight: Bool
    private let isShiftedDown: Bool
    /// Luma times alpha, alpha; then for each 2×2: chroma times alpha, alpha.
    private var y: [UInt8]
    private var alpha: [UInt8]
    private var u: [UInt8]
    private var v: [UInt8]
    private var chromaAlpha: [UInt8]

    /// Scales `bitmap` to `width` × `height` pixels, for places whose x is odd (`atOddX`) or even, likewise y.
    package init(_ bitmap: Bitmap, width: Int, height: Int, atOddX: Bool = false, atOddY: Bool = false) {
        let scaled = Overlay.scaled(bitmap, width, height)
        let (left, top) = (atOddX ? 1 : 0, atOddY ? 1 : 0)
        self.width = (width + left + 1) & ~1
        self.height = (height + top + 1) & ~1
        isShiftedRight = atOddX
        isShiftedDown = atOddY
        y = [UInt8](repeating: 0, count: self.width * self.height)
        alpha = y
        u = [UInt8](repeating: 0, count: self.width / 2 * (self.height / 2))
        v = u
        chromaAlpha = u
        // Sums of the up to four pixels below each chroma sample: Cb and Cr in 1/65536 steps, and alpha.
        var sums = [(cb: Int, cr: Int, alpha: Int)](repeating: (0, 0, 0), count: u.count)
        for row in 0..<height {
            for column in 0..<width {
                let from = 4 * (row * width + column)
                let (red, green, blue) = (Int(scaled[from]), Int(scaled[from + 1]), Int(scaled[from + 2]))
                let opacity = Int(scaled[from + 3])
                let to = (row + top) * self.width + column + left
                // ITU-R BT.601 in 16-bit fixed point; 16 and 128 are scaled with alpha like the colours.
                let luma = 16_829 * red + 33_039 * green + 6416 * blue + 4112 * opacity
                y[to] = UInt8(clamping: (luma + 32_768) >> 16)
                alpha[to] = UInt8(opacity)
                let chroma = (row + top) / 2 * (self.width / 2) + (column + left) / 2
                sums[chroma].cb += -9714 * red - 19_070 * green + 28_784 * blue + 32_896 * opacity
                sums[chroma].cr += 28_784 * red - 24_103 * green - 4681 * blue + 32_896 * opacity
                sums[chroma].alpha += opacity
            }
        }
        for (index, sum) in sums.enumerated() {
            u[index] = UInt8(clamping: (sum.cb + 131_072) >> 18)
            v[index] = UInt8(clamping: (sum.cr + 131_072) >> 18)
            chromaAlpha[index] = UInt8(clamping: (sum.alpha + 2) >> 2)
        }
    }

    /// Lays it over a picture with the bitmap's upper left corner at `x`, `y`, which may lie outside; whether those
    /// are odd must be as said at the making.
    package func draw(onto planes: VideoFrame.Planes, x: Int, y: Int) {
        precondition((x & 1 == 1) == isShiftedRight && (y & 1 == 1) == isShiftedDown, "made for another place")
        let (left, top) = (x - (isShiftedRight ? 1 : 0), y - (isShiftedDown ? 1 : 0))
        Overlay.blend(
            self.y, alpha, width, height, onto: planes.y, planes.strideY, planes.width, planes.height, left, top)
        for (source, target) in [(u, planes.u), (v, planes.v)] {
            Overlay.blend(
                source, chromaAlpha, width / 2, height / 2, onto: target, planes.strideUV, planes.chromaWidth,
                planes.chromaHeight, left / 2, top / 2)
        }
    }

    private static func blend(
        _ source: [UInt8], _ alpha: [UInt8], _ width: Int, _ height: Int, onto plane: UnsafeMutablePointer<UInt8>,
        _ stride: Int, _ planeWidth: Int, _ planeHeight: Int, _ left: Int, _ top: Int
    ) {
        let columns = max(0, -left)..<max(0, -left, min(width, planeWidth - left))
        let rows = max(0, -top)..<max(0, -top, min(height, planeHeight - top))
        source.withUnsafeBufferPointer { source in
            alpha.withUnsafeBufferPointer { alpha in
                for row in rows {
                    let line = plane + (top + row) * stride + left
                    for column in columns {
                        let opacity = Int(alpha[row &* width &+ column])
                        guard opacity > 0 else { continue }
                        let below = (Int(line[column]) &* (255 &- opacity) &+ 127) / 255
                        line[column] = UInt8(clamping: Int(source[row &* width &+ column]) &+ below)
                    }
                }
            }
        }
    }

    /// Premultiplied colours are scaled like any others; without the multiplication, the colour of what is
    /// transparent would bleed into the edges.
    private static func scaled(_ bitmap: Bitmap, _ width: Int, _ height: Int) -> [UInt8] {
        if width == bitmap.width, height == bitmap.height { return bitmap.pixels }
        let method = width < bitmap.width || height < bitmap.height ? SWS_AREA : SWS_BICUBIC
        let stride = (width * 4 + 63) & ~63
        var wide = [UInt8](repeating: 0, count: stride * height + 64)
        // Four planes in one would be scaled as colour with a matrix; RGBA to RGBA is scaled byte by byte.
        guard
            let scaler = sws_getContext(
                Int32(clamping: bitmap.width), Int32(clamping: bitmap.height), AV_PIX_FMT_RGBA,
                Int32(clamping: width), Int32(clamping: height), AV_PIX_FMT_RGBA,
                Int32(method) | Int32(SWS_ACCURATE_RND), nil, nil, nil)
        else { return [UInt8](repeating: 0, count: 4 * width * height) }
        defer { sws_freeContext(scaler) }
        bitmap.pixels.withUnsafeBufferPointer { source in
            wide.withUnsafeMutableBufferPointer { target in
                var from: [UnsafePointer<UInt8>?] = [source.baseAddress, nil, nil, nil]
                var to: [UnsafeMutablePointer<UInt8>?] = [target.baseAddress, nil, nil, nil]
                let (fromStrides, toStrides) = ([Int32(4 * bitmap.width), 0, 0, 0], [Int32(stride), 0, 0, 0])
                sws_scale(scaler, &from, fromStrides, 0, Int32(bitmap.height), &to, toStrides)
            }
        }
        return (0..<height).flatMap { row in
            wide[(row * stride)..<(row * stride + 4 * width)]
        }
    }
}

extension VideoFrame {
    /// A copy of the picture with something drawn onto it.
    package func drawn(pool: FramePool, _ draw: (Planes) -> Void) -> VideoFrame {
        VideoFrame(width: width, height: height, pts: pts, pixelAspect: pixelAspect, pool: pool) { out in
            let source = planes
            for row in 0..<height {
                (out.y + row * out.strideY).update(from: source.y + row * source.strideY, count: width)
            }
            for row in 0..<source.chromaHeight {
                let count = source.chromaWidth
                (out.u + row * out.strideUV).update(from: source.u + row * source.strideUV, count: count)
                (out.v + row * out.strideUV).update(from: source.v + row * source.strideUV, count: count)
            }
            draw(out)
        }
    }
}
