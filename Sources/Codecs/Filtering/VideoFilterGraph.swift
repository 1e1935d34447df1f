import CFFmpeg
package import Core
package import Media

/// A chain of libavfilter for pictures of one size. Owned by one stage; not thread-safe.
package final class VideoFilterGraph {
    private let graph: FilterGraph
    private let converter: PictureConverter
    /// Of what comes in, in pixels.
    package let width: Int
    package let height: Int
    package let pixelAspect: Rational
    private static let nanoseconds: Int32 = 1_000_000_000

    /// Throws in libavfilter's words where the steps do not fit pictures of that size.
    package init(
        _ steps: [FilterStep], width: Int, height: Int, pixelAspect: Rational, pool: FramePool
    ) throws(CodecError) {
        self.width = width
        self.height = height
        self.pixelAspect = pixelAspect
        converter = PictureConverter(rotation: 0, pool: pool)
        graph = try FilterGraph(
            source: FilterStep(
                "buffer",
                [
                    "width": "\(width)", "height": "\(height)", "pix_fmt": "yuv420p",
                    "time_base": "1/\(VideoFilterGraph.nanoseconds)",
                    "pixel_aspect": "\(pixelAspect.numerator)/\(pixelAspect.denominator)",
                ]), steps: steps, end: FilterStep("format", ["pix_fmts": "yuv420p"]), sink: "buffersink")
    }

    /// Whether pictures like this one may go in.
    package func fits(_ picture: VideoFrame) -> Bool {
        picture.width == width && picture.height == height && picture.pixelAspect == pixelAspect
    }

    /// Takes one picture (without copying it), and gives what comes of it: none, one or more.
    package func filter(_ picture: VideoFrame) throws(CodecError) -> [VideoFrame] {
        guard let frame = av_frame_alloc() else { fatalError("out of memory: a frame") }
        defer {
            var frame = Optional(frame)
            av_frame_free(&frame)
        }
        let planes = picture.planes
        let owner = Unmanaged.passRetained(picture)
        let result = cffmpeg_lend_picture(
            frame, planes.y, planes.u, planes.v, Int32(planes.strideY), Int32(planes.strideUV), picture.byteCount,
            { owner, _ in if let owner { Unmanaged<VideoFrame>.fromOpaque(owner).release() } }, owner.toOpaque())
        if result < 0 {
            owner.release()
            throw CodecError(libav: "av_buffer_create", result)
        }
        frame.pointee.width = Int32(picture.width)
        frame.pointee.height = Int32(picture.height)
        frame.pointee.pts = picture.pts.nanoseconds
        frame.pointee.sample_aspect_ratio = AVRational(
            num: Int32(clamping: pixelAspect.numerator), den: Int32(clamping: pixelAspect.denominator))
        return try run(frame)
    }

    /// What is still held back, at the end; the graph takes no more after it.
    package func flush() throws(CodecError) -> [VideoFrame] { try run(nil) }

    /// Goes over to other options; false where a new graph is needed.
    package func change(to steps: [FilterStep]) -> Bool { graph.change(to: steps) }

    private func run(_ input: UnsafeMutablePointer<AVFrame>?) throws(CodecError) -> [VideoFrame] {
        var out: [VideoFrame] = []
        try graph.run(input) { frame throws(CodecError) in
            let time = cffmpeg_sink_time(graph.sink, frame, VideoFilterGraph.nanoseconds)
            guard time != cffmpeg_no_pts else { return }
            let aspect = frame.pointee.sample_aspect_ratio
            let isSane = (1...65_535).contains(aspect.num) && (1...65_535).contains(aspect.den)
            out.append(
                try converter.convert(
                    frame, pts: MediaTime(nanoseconds: time),
                    pixelAspect: isSane ? Rational(Int(aspect.num), Int(aspect.den)) : Rational(1, 1)))
        }
        return out
    }
}
