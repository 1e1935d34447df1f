import CFFmpeg
import Core
package import Media

/// Encodes pictures as JPEG through libavcodec. Owned by one stage; takes pictures of any size, one after the other.
package final class JPEGEncoder {
    /// libavcodec's scale from 2 (best) to 31: about 90 of the usual hundred.
    private static let quality: Int32 = 3
    private var libav: LibavContext?
    private var size: (width: Int, height: Int) = (0, 0)

    package init() {}

    /// A whole JPEG file (JFIF) of the picture.
    package func encode(_ frame: VideoFrame) throws(CodecError) -> [UInt8] {
        let libav = try context(for: frame)
        let picture = libav.frame
        defer { av_frame_unref(picture) }
        picture.pointee.format = AV_PIX_FMT_YUVJ420P.rawValue
        picture.pointee.width = Int32(frame.width)
        picture.pointee.height = Int32(frame.height)
        picture.pointee.quality = Self.quality * FF_QP2LAMBDA
        var result = av_frame_get_buffer(picture, 0)
        if result < 0 { throw CodecError(libav: "av_frame_get_buffer", result) }
        fill(picture, with: frame)
        result = avcodec_send_frame(libav.pointer, picture)
        if result < 0 { throw CodecError(libav: "avcodec_send_frame", result) }
        result = avcodec_receive_packet(libav.pointer, libav.packet)
        if result < 0 { throw CodecError(libav: "avcodec_receive_packet", result) }
        defer { av_packet_unref(libav.packet) }
        return [UInt8](UnsafeBufferPointer(start: libav.packet.pointee.data, count: Int(libav.packet.pointee.size)))
    }

    /// JPEG knows the full range only (JFIF), pictures here have the limited one.
    private static let luma = (0..<256).map { UInt8(clamping: (($0 - 16) * 255 + 109) / 219) }
    private static let chroma = (0..<256).map { value in
        UInt8(clamping: 128 + Int((Double(value - 128) * 255 / 224).rounded()))
    }

    private func fill(_ picture: UnsafeMutablePointer<AVFrame>, with frame: VideoFrame) {
        let planes = frame.planes
        let (columns, rows) = ((frame.width + 1) / 2, (frame.height + 1) / 2)
        func copy(
            _ to: UnsafeMutablePointer<UInt8>?, _ stride: Int32, _ from: UnsafePointer<UInt8>, _ fromStride: Int,
            _ width: Int, _ height: Int, _ table: [UInt8]
        ) {
            guard let to else { return }
            table.withUnsafeBufferPointer { table in
                for row in 0..<height {
                    let (target, source) = (to + row * Int(stride), from + row * fromStride)
                    for column in 0..<width { target[column] = table[Int(source[column])] }
                }
            }
        }
        let (data, strides) = (picture.pointee.data, picture.pointee.linesize)
        copy(data.0, strides.0, planes.y, planes.strideY, frame.width, frame.height, Self.luma)
        copy(data.1, strides.1, planes.u, planes.strideUV, columns, rows, Self.chroma)
        copy(data.2, strides.2, planes.v, planes.strideUV, columns, rows, Self.chroma)
    }

    private func context(for frame: VideoFrame) throws(CodecError) -> LibavContext {
        if let libav, size == (frame.width, frame.height) { return libav }
        guard let codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG) else {
            throw CodecError(call: "avcodec_find_encoder", code: -1, text: "there is no encoder for JPEG")
        }
        let made = LibavContext(codec)
        let context = made.pointer
        context.pointee.width = Int32(frame.width)
        context.pointee.height = Int32(frame.height)
        context.pointee.pix_fmt = AV_PIX_FMT_YUVJ420P
        context.pointee.color_range = AVCOL_RANGE_JPEG
        context.pointee.time_base = AVRational(num: 1, den: 25)
        context.pointee.flags |= AV_CODEC_FLAG_QSCALE
        context.pointee.global_quality = Self.quality * FF_QP2LAMBDA
        try made.open()
        libav = made
        size = (frame.width, frame.height)
        return made
    }
}
