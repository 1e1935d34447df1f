import Core
import Media
import TestKit

/// Pictures that say which one they are: small ones by their first bytes, for codecs without pixels, and large ones by
/// a row of dark and bright squares that a real codec keeps, in front of something that moves.
package enum NumberedPicture {
    /// Squares side by side: a bit each, the lowest on the left.
    private static let squares = 20

    /// `isReal`: to be coded by a real codec.
    static func make(
        _ counter: Int, _ size: (width: Int, height: Int), isReal: Bool, pts: MediaTime, pool: FramePool
    ) -> VideoFrame {
        guard isReal else { return VideoFrame(counter: counter, pts: pts, pool: pool) }
        let (width, height) = size
        let side = width / squares
        // Noise makes it as hard as what a camera sees in bad light: the encoder needs all bits it gets.
        var noise = UInt32(truncatingIfNeeded: counter)
        return VideoFrame(width: width, height: height, pts: pts, pool: pool) { planes in
            planes.u.update(repeating: 110, count: planes.strideUV * planes.chromaHeight)
            planes.v.update(repeating: 140, count: planes.strideUV * planes.chromaHeight)
            for row in 0..<height {
                let line = planes.y + row * planes.strideY
                for column in 0..<width {
                    if row < 2 * side {
                        line[column] = counter >> (column / side) & 1 == 1 ? 210 : 40
                    } else {
                        let wave = (column * 3 + row * 2 + counter * 5) & 0x7F
                        noise = noise &* 1_664_525 &+ 1_013_904_223
                        line[column] = UInt8(50 + (wave < 64 ? wave : 127 - wave) * 2 + Int(noise >> 27))
                    }
                }
            }
        }
    }

    static func counter(of picture: VideoFrame) -> Int {
        let side = picture.width / squares
        guard picture.width > 16, side >= 2 else { return picture.counter }
        let line = picture.planes.y + side * picture.planes.strideY
        return (0..<squares).reduce(0) { $0 | (line[$1 * side + side / 2] > 125 ? 1 << $1 : 0) }
    }
}
