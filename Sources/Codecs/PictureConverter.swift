import CFFmpeg
import CYUV
import Core
import Media

/// Brings any picture of libavcodec to 8-bit 4:2:0, limited range, BT.601, upright. Owned by one decoder.
///
/// Layout and depth go through libswscale without touching levels; matrix and range are then converted exactly in
/// YUV by `ColourMatrix` (libswscale would go through RGB and clip). RGB goes through libswscale alone.
final class PictureConverter {
    private let rotation: Int
    /// Goes before what the pictures say themselves.
    private let colour: VideoColour?
    private let pool: FramePool
    private var scaler: OpaquePointer?
    private var scalerKey: ScalerKey?

    private struct ScalerKey: Equatable {
        let width: Int32
        let height: Int32
        let format: Int32
    }

    init(rotation: Int, colour: VideoColour? = nil, pool: FramePool) {
        self.colour = colour
        self.rotation = ((rotation % 360) + 360) % 360
        self.pool = pool
    }

    deinit { sws_freeContext(scaler) }

    /// Whether the picture can be shown as it is.
    func isNative(_ picture: UnsafePointer<AVFrame>) -> Bool {
        picture.pointee.format == AV_PIX_FMT_YUV420P.rawValue && rotation == 0 && matrix(picture).isIdentity
    }

    func convert(
        _ picture: UnsafeMutablePointer<AVFrame>, pts: MediaTime, pixelAspect: Rational
    ) throws(CodecError) -> VideoFrame {
        let upright = try VideoFrame(
            width: Int(picture.pointee.width), height: Int(picture.pointee.height), pts: pts, pixelAspect: pixelAspect,
            pool: pool
        ) { out throws(CodecError) in
            try draw(picture, into: out)
        }
        return rotation == 0 ? upright : turned(upright)
    }

    private func draw(_ picture: UnsafePointer<AVFrame>, into out: VideoFrame.Planes) throws(CodecError) {
        let format = picture.pointee.format
        var source = out
        if format == AV_PIX_FMT_YUV420P.rawValue || format == AV_PIX_FMT_YUVJ420P.rawValue,
            let y = picture.pointee.data.0, let u = picture.pointee.data.1, let v = picture.pointee.data.2
        {
            source = VideoFrame.Planes(
                y: y, u: u, v: v, strideY: Int(picture.pointee.linesize.0),
                strideUV: Int(picture.pointee.linesize.1), width: out.width, height: out.height)
        } else if format == AV_PIX_FMT_GRAY8.rawValue, let y = picture.pointee.data.0 {
            CopyPlane(
                y, picture.pointee.linesize.0, out.y, Int32(out.strideY), Int32(out.width), Int32(out.height))
            out.u.update(repeating: 128, count: out.strideUV * out.chromaHeight)
            out.v.update(repeating: 128, count: out.strideUV * out.chromaHeight)
        } else {
            try rescale(picture, into: out)
            if isRGB(format) { return }
        }
        let matrix = matrix(picture)
        if !matrix.isIdentity {
            matrix.convert(source, into: out)
        } else if source.y != out.y {
            I420Copy(
                source.y, Int32(source.strideY), source.u, Int32(source.strideUV), source.v, Int32(source.strideUV),
                out.y, Int32(out.strideY), out.u, Int32(out.strideUV), out.v, Int32(out.strideUV),
                Int32(out.width), Int32(out.height))
        }
    }

    private func matrix(_ picture: UnsafePointer<AVFrame>) -> ColourMatrix {
        if let colour { return ColourMatrix(from: colour.matrix, isFull: colour.isFullRange) }
        let format = picture.pointee.format
        let jpeg = [AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUVJ422P, AV_PIX_FMT_YUVJ444P, AV_PIX_FMT_YUVJ440P]
        let isFull = picture.pointee.color_range == AVCOL_RANGE_JPEG || jpeg.contains { $0.rawValue == format }
        let primaries: VideoColour.Matrix =
            switch picture.pointee.colorspace {
            case AVCOL_SPC_BT709: .bt709
            case AVCOL_SPC_SMPTE240M: .smpte240
            case AVCOL_SPC_BT2020_NCL, AVCOL_SPC_BT2020_CL: .bt2020
            default: .bt601
            }
        return ColourMatrix(from: primaries, isFull: isFull)
    }

    // MARK: libswscale

    private func rescale(_ picture: UnsafePointer<AVFrame>, into out: VideoFrame.Planes) throws(CodecError) {
        let key = ScalerKey(
            width: picture.pointee.width, height: picture.pointee.height, format: picture.pointee.format)
        if key != scalerKey { try makeScaler(key) }
        var planes: [UnsafeMutablePointer<UInt8>?] = [out.y, out.u, out.v, nil]
        var strides = [Int32(out.strideY), Int32(out.strideUV), Int32(out.strideUV), 0]
        let result = cffmpeg_scale_frame(scaler, picture, &planes, &strides)
        if result < 0 { throw CodecError(libav: "sws_scale", result) }
    }

    private func makeScaler(_ key: ScalerKey) throws(CodecError) {
        sws_freeContext(scaler)
        scaler = nil
        scalerKey = nil
        scaler = sws_getContext(
            key.width, key.height, AVPixelFormat(key.format), key.width, key.height, AV_PIX_FMT_YUV420P,
            Int32(SWS_BILINEAR) | Int32(SWS_ACCURATE_RND) | Int32(SWS_FULL_CHR_H_INP), nil, nil, nil)
        guard let scaler else {
            let name = av_get_pix_fmt_name(AVPixelFormat(key.format)).map { String(cString: $0) } ?? "\(key.format)"
            throw CodecError(call: "sws_getContext", code: -1, text: "pictures in the layout \(name) are not supported")
        }
        // YUV keeps its range here (both ends the same); RGB, which is full range, becomes limited BT.601.
        let table = sws_getCoefficients(SWS_CS_ITU601)
        sws_setColorspaceDetails(scaler, table, isRGB(key.format) ? 1 : 0, table, 0, 0, 1 << 16, 1 << 16)
        scalerKey = key
    }

    private func isRGB(_ format: Int32) -> Bool {
        guard let description = av_pix_fmt_desc_get(AVPixelFormat(format)) else { return false }
        return description.pointee.flags & UInt64(AV_PIX_FMT_FLAG_RGB) != 0
    }

    // MARK: Rotation

    private func turned(_ frame: VideoFrame) -> VideoFrame {
        let isSideways = rotation == 90 || rotation == 270
        let mode = rotation == 90 ? kRotate90 : rotation == 180 ? kRotate180 : rotation == 270 ? kRotate270 : kRotate0
        let aspect = frame.pixelAspect
        return VideoFrame(
            width: isSideways ? frame.height : frame.width, height: isSideways ? frame.width : frame.height,
            pts: frame.pts, pixelAspect: isSideways ? Rational(aspect.denominator, aspect.numerator) : aspect,
            pool: pool
        ) { out in
            let source = frame.planes
            I420Rotate(
                source.y, Int32(source.strideY), source.u, Int32(source.strideUV), source.v, Int32(source.strideUV),
                out.y, Int32(out.strideY), out.u, Int32(out.strideUV), out.v, Int32(out.strideUV),
                Int32(frame.width), Int32(frame.height), mode)
        }
    }
}
