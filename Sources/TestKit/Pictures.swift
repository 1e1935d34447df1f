import Glibc
package import Core
package import Media

/// Test pictures as functions of their number, and the measure of how alike two pictures are.
package enum Pictures {
    /// A textured picture that moves with `index`: two gradients, a fine pattern, and a bright block that wanders.
    /// The same arguments give the same pixels. `motion` 0 leaves only the still texture.
    package static func moving(
        width: Int, height: Int, index: Int, pts: MediaTime = .zero, motion: Int = 3, pool: FramePool
    ) -> VideoFrame {
        VideoFrame(width: width, height: height, pts: pts, pool: pool) { planes in
            paint(planes, x: 0, y: 0, width: width, height: height, shift: index * motion)
        }
    }

    /// Every pixel the same, in the levels of limited-range BT.601.
    package static func flat(
        width: Int, height: Int, y: UInt8, u: UInt8 = 128, v: UInt8 = 128, pts: MediaTime = .zero, pool: FramePool
    ) -> VideoFrame {
        VideoFrame(width: width, height: height, pts: pts, pool: pool) { planes in
            planes.y.update(repeating: y, count: planes.strideY * height)
            planes.u.update(repeating: u, count: planes.strideUV * planes.chromaHeight)
            planes.v.update(repeating: v, count: planes.strideUV * planes.chromaHeight)
        }
    }

    /// Paints the texture into a part of a picture; `x` and `y` even. The texture is anchored at the part's corner.
    package static func paint(
        _ planes: VideoFrame.Planes, x left: Int, y top: Int, width: Int, height: Int, shift: Int
    ) {
        for row in 0..<height {
            let line = planes.y + (top + row) * planes.strideY + left
            for column in 0..<width {
                let a = column &+ shift
                let texture = ((a &* 7) ^ (row &* 5)) & 31
                line[column] = UInt8(truncatingIfNeeded: 48 &+ ((a &+ row) & 127) &+ texture)
            }
        }
        // A block that wanders, so that motion is not the same everywhere.
        let side = max(1, min(width, height) / 5)
        let (startX, startY) = ((shift * 2) % max(1, width - side), (shift * 3) % max(1, height - side))
        for row in startY..<min(height, startY + side) {
            let line = planes.y + (top + row) * planes.strideY + left
            for column in startX..<min(width, startX + side) { line[column] = 210 }
        }
        for row in 0..<((height + 1) / 2) {
            let lineU = planes.u + (top / 2 + row) * planes.strideUV + left / 2
            let lineV = planes.v + (top / 2 + row) * planes.strideUV + left / 2
            for column in 0..<((width + 1) / 2) {
                lineU[column] = UInt8(truncatingIfNeeded: 96 &+ ((column &+ shift / 2) >> 1 & 63))
                lineV[column] = UInt8(truncatingIfNeeded: 96 &+ ((row &* 2) >> 1 & 63))
            }
        }
    }

    /// Peak signal-to-noise ratio of two pictures of one size in dB, all three planes together or a part of the luma
    /// (in pixels). Equal pictures give 100.
    package static func psnr(
        _ a: VideoFrame, _ b: VideoFrame, luma part: (x: Range<Int>, y: Range<Int>)? = nil
    ) -> Double {
        precondition(a.width == b.width && a.height == b.height, "pictures of one size are compared")
        var sum = 0
        var count = 0
        func add(
            _ a: UnsafeMutablePointer<UInt8>, _ b: UnsafeMutablePointer<UInt8>, _ strideA: Int, _ strideB: Int,
            _ columns: Range<Int>, _ rows: Range<Int>
        ) {
            for row in rows {
                let (lineA, lineB) = (a + row * strideA, b + row * strideB)
                for column in columns {
                    let difference = Int(lineA[column]) &- Int(lineB[column])
                    sum &+= difference &* difference
                }
            }
            count += columns.count * rows.count
        }
        let (p, q) = (a.planes, b.planes)
        if let part {
            add(p.y, q.y, p.strideY, q.strideY, part.x, part.y)
        } else {
            add(p.y, q.y, p.strideY, q.strideY, 0..<p.width, 0..<p.height)
            add(p.u, q.u, p.strideUV, q.strideUV, 0..<p.chromaWidth, 0..<p.chromaHeight)
            add(p.v, q.v, p.strideUV, q.strideUV, 0..<p.chromaWidth, 0..<p.chromaHeight)
        }
        return sum == 0 ? 100 : 10 * log10(255 * 255 * Double(count) / Double(sum))
    }
}
