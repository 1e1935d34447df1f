import Core
import Media

/// The linear map from 8-bit YUV of one matrix and range to limited-range BT.601 (ITU-T H.273, equations for
/// MatrixCoefficients). Exact to the rounding of one step, without a detour through RGB that would clip.
struct ColourMatrix: Equatable {
    private static let one = 65_536.0

    /// Fixed point with 16 bits: what Y, U − 128 and V − 128 contribute to each output.
    private let lumaGain: Int32
    private let lumaOffset: Int32
    private let lumaFromU: Int32
    private let lumaFromV: Int32
    private let uFromU: Int32
    private let uFromV: Int32
    private let vFromU: Int32
    private let vFromV: Int32

    let isIdentity: Bool

    init(from space: VideoColour.Matrix, isFull: Bool) {
        isIdentity = space == .bt601 && !isFull
        let (red, blue) =
            switch space {
            case .bt601: (0.299, 0.114)
            case .bt709: (0.2126, 0.0722)
            case .smpte240: (0.212, 0.087)
            case .bt2020: (0.2627, 0.0593)
            }
        /// Luma and colour differences in BT.601 of a colour without luma: what one unit of Pb or Pr means there.
        func image(_ pb: Double, _ pr: Double) -> (y: Double, pb: Double, pr: Double) {
            let r = 2 * (1 - red) * pr
            let b = 2 * (1 - blue) * pb
            let g = -(red * r + blue * b) / (1 - red - blue)
            let y = 0.299 * r + 0.587 * g + 0.114 * b
            return (y, (b - y) / (2 * (1 - 0.114)), (r - y) / (2 * (1 - 0.299)))
        }
        let (u, v) = (image(1, 0), image(0, 1))
        func fixed(_ value: Double) -> Int32 { Int32((value * Self.one).rounded()) }
        let chromaRange = isFull ? 255.0 : 224.0
        let gain = isFull ? 219.0 / 255 : 1
        lumaGain = fixed(gain)
        lumaOffset = fixed((isFull ? 16 : 0) + 0.5)
        lumaFromU = fixed(u.y * 219 / chromaRange)
        lumaFromV = fixed(v.y * 219 / chromaRange)
        uFromU = fixed(u.pb * 224 / chromaRange)
        uFromV = fixed(v.pb * 224 / chromaRange)
        vFromU = fixed(u.pr * 224 / chromaRange)
        vFromV = fixed(v.pr * 224 / chromaRange)
    }

    /// Converts a picture; `source` and `out` may be the same memory.
    func convert(_ source: VideoFrame.Planes, into out: VideoFrame.Planes) {
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: out.chromaWidth * 2) { shift in
            for chromaRow in 0..<out.chromaHeight {
                convertChroma(source, out, row: chromaRow, shift: shift)
                for row in (chromaRow * 2)..<min(chromaRow * 2 + 2, out.height) {
                    let from = source.y + row * source.strideY
                    let to = out.y + row * out.strideY
                    for x in 0..<out.width {
                        let value = (Int32(from[x]) &* lumaGain &+ shift[x]) >> 16
                        to[x] = UInt8(truncatingIfNeeded: min(max(value, 0), 255))
                    }
                }
            }
        }
    }

    /// One row of both chroma planes; leaves in `shift` what it adds to the luma of each pixel under it.
    private func convertChroma(
        _ source: VideoFrame.Planes, _ out: VideoFrame.Planes, row: Int, shift: UnsafeMutableBufferPointer<Int32>
    ) {
        let (fromU, fromV) = (source.u + row * source.strideUV, source.v + row * source.strideUV)
        let (toU, toV) = (out.u + row * out.strideUV, out.v + row * out.strideUV)
        let centre: Int32 = 128 << 16 + 1 << 15
        for x in 0..<out.chromaWidth {
            let (u, v) = (Int32(fromU[x]) - 128, Int32(fromV[x]) - 128)
            toU[x] = UInt8(truncatingIfNeeded: min(max((u &* uFromU &+ v &* uFromV &+ centre) >> 16, 0), 255))
            toV[x] = UInt8(truncatingIfNeeded: min(max((u &* vFromU &+ v &* vFromV &+ centre) >> 16, 0), 255))
            let luma = u &* lumaFromU &+ v &* lumaFromV &+ lumaOffset
            shift[2 * x] = luma
            shift[2 * x + 1] = luma
        }
    }
}
