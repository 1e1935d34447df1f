import Core
import Media

@testable import Mixing

/// A picture of one colour.
func flat(_ width: Int, _ height: Int, y: UInt8, u: UInt8 = 128, v: UInt8 = 128, aspect: Rational = Rational(1, 1))
    -> VideoFrame
{
    VideoFrame(width: width, height: height, pts: .zero, pixelAspect: aspect, pool: testPool) { planes in
        PictureView(planes, PixelRect(x: 0, y: 0, width: width, height: height)).fill(YUVColor(y: y, u: u, v: v))
    }
}

/// A picture that differs in every place from every other seed's: slopes with noise over them.
func textured(_ width: Int, _ height: Int, seed: UInt64, aspect: Rational = Rational(1, 1)) -> VideoFrame {
    var random = SeededRandom(seed: seed)
    return VideoFrame(width: width, height: height, pts: .zero, pixelAspect: aspect, pool: testPool) { planes in
        func draw(_ plane: UnsafeMutablePointer<UInt8>, _ stride: Int, _ width: Int, _ height: Int) {
            let (a, b) = (Int(random.next() % 7), Int(random.next() % 7))
            for row in 0..<height {
                for column in 0..<width {
                    let noise = random.next() % 32
                    plane[row * stride + column] = UInt8(truncatingIfNeeded: column * a + row * b) / 2 + UInt8(noise)
                }
            }
        }
        draw(planes.y, planes.strideY, planes.width, planes.height)
        draw(planes.u, planes.strideUV, planes.chromaWidth, planes.chromaHeight)
        draw(planes.v, planes.strideUV, planes.chromaWidth, planes.chromaHeight)
    }
}

/// The same picture with one luma sample changed by one.
func touched(_ frame: VideoFrame, x: Int, y: Int) -> VideoFrame {
    VideoFrame(width: frame.width, height: frame.height, pts: frame.pts, pool: testPool) { planes in
        let whole = PixelRect(x: 0, y: 0, width: frame.width, height: frame.height)
        PictureView(planes, whole).copy(PictureView(frame.planes, whole))
        planes.y[y * planes.strideY + x] ^= 1
    }
}

let testPool = FramePool()

extension VideoFrame {
    func luma(_ x: Int, _ y: Int) -> UInt8 { planes.y[y * planes.strideY + x] }
    /// The chroma of the pixel at x, y.
    func chroma(_ x: Int, _ y: Int) -> (u: UInt8, v: UInt8) {
        let index = y / 2 * planes.strideUV + x / 2
        return (planes.u[index], planes.v[index])
    }

    /// All visible samples in one array.
    var samples: [UInt8] {
        func rows(_ plane: UnsafeMutablePointer<UInt8>, _ stride: Int, _ width: Int, _ height: Int) -> [UInt8] {
            (0..<height).flatMap { UnsafeBufferPointer(start: plane + $0 * stride, count: width) }
        }
        return rows(planes.y, planes.strideY, planes.width, planes.height)
            + rows(planes.u, planes.strideUV, planes.chromaWidth, planes.chromaHeight)
            + rows(planes.v, planes.strideUV, planes.chromaWidth, planes.chromaHeight)
    }
}
