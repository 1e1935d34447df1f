import CYUV

extension PictureView {
    /// Takes the pixels of a view of any size, scaled to this one's.
    ///
    /// libyuv's box filter: it averages all source pixels under a target pixel when shrinking to half or less, and
    /// is bilinear above. The result does not depend on where in memory the two lie.
    func scale(_ source: PictureView) {
        if source.width == width && source.height == height { return copy(source) }
        let result = I420Scale(
            source.y, Int32(source.strideY), source.u, Int32(source.strideUV), source.v, Int32(source.strideUV),
            Int32(source.width), Int32(source.height), y, Int32(strideY), u, Int32(strideUV), v, Int32(strideUV),
            Int32(width), Int32(height), kFilterBox)
        precondition(result == 0, "libyuv refuses to scale \(source.width)×\(source.height) to \(width)×\(height)")
    }
}
