import CFFmpeg
package import Media

/// Writes one picture as a JPEG file. Pure.
package enum JPEGWriter {
    /// `quality`: 1 (worst) to 100. Throws in libavcodec's words.
    package static func write(_ picture: VideoFrame, quality: Int = 80) throws(CodecError) -> [UInt8] {
        guard let codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG), let context = avcodec_alloc_context3(codec),
            let packet = av_packet_alloc(), let frame = av_frame_alloc()
        else { throw CodecError(call: "avcodec_find_encoder", code: -1, text: "libavcodec here writes no JPEG") }
        var (owned, ownedPacket, ownedFrame) = (Optional(context), Optional(packet), Optional(frame))
        defer {
            avcodec_free_context(&owned)
            av_packet_free(&ownedPacket)
            av_frame_free(&ownedFrame)
        }
        context.pointee.width = Int32(picture.width)
        context.pointee.height = Int32(picture.height)
        context.pointee.pix_fmt = AV_PIX_FMT_YUVJ420P
        context.pointee.color_range = AVCOL_RANGE_JPEG
        context.pointee.time_base = AVRational(num: 1, den: 25)
        context.pointee.thread_count = 1
        context.pointee.flags |= AV_CODEC_FLAG_QSCALE
        // libavcodec counts quantisers from 2 (best) to 31.
        let quantiser = Int32(2 + (100 - min(max(quality, 1), 100)) * 29 / 99)
        context.pointee.global_quality = quantiser * FF_QP2LAMBDA
        try check(avcodec_open2(context, codec, nil), "avcodec_open2")
        try fill(frame, from: picture)
        frame.pointee.quality = quantiser * FF_QP2LAMBDA
        try check(avcodec_send_frame(context, frame), "avcodec_send_frame")
        try check(avcodec_send_frame(context, nil), "avcodec_send_frame")
        try check(avcodec_receive_packet(context, packet), "avcodec_receive_packet")
        return [UInt8](UnsafeBufferPointer(start: packet.pointee.data, count: Int(packet.pointee.size)))
    }

    /// JPEG is full range (JFIF): 16…235 becomes 0…255.
    private static func fill(_ frame: UnsafeMutablePointer<AVFrame>, from picture: VideoFrame) throws(CodecError) {
        frame.pointee.width = Int32(picture.width)
        frame.pointee.height = Int32(picture.height)
        frame.pointee.format = AV_PIX_FMT_YUVJ420P.rawValue
        frame.pointee.pts = 0
        try check(av_frame_get_buffer(frame, 0), "av_frame_get_buffer")
        let luma = (0..<256).map { UInt8(clamping: (($0 - 16) * 255 + 109) / 219) }
        let chroma = (0..<256).map { value -> UInt8 in
            let scaled = (value - 128) * 255
            return UInt8(clamping: 128 + (scaled + (scaled < 0 ? -112 : 112)) / 224)
        }
        let planes = picture.planes
        func copy(
            _ source: UnsafeMutablePointer<UInt8>, _ stride: Int, _ target: UnsafeMutablePointer<UInt8>?,
            _ targetStride: Int32, _ width: Int, _ height: Int, _ table: [UInt8]
        ) {
            guard let target else { return }
            for row in 0..<height {
                let (from, to) = (source + row * stride, target + row * Int(targetStride))
                for column in 0..<width { to[column] = table[Int(from[column])] }
            }
        }
        let (data, strides) = (frame.pointee.data, frame.pointee.linesize)
        copy(planes.y, planes.strideY, data.0, strides.0, planes.width, planes.height, luma)
        copy(planes.u, planes.strideUV, data.1, strides.1, planes.chromaWidth, planes.chromaHeight, chroma)
        copy(planes.v, planes.strideUV, data.2, strides.2, planes.chromaWidth, planes.chromaHeight, chroma)
    }

    private static func check(_ result: Int32, _ call: String) throws(CodecError) {
        if result < 0 { throw CodecError(call: call, code: Int(result), text: "no JPEG could be made of the picture") }
    }
}
