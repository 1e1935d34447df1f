import CFFmpeg
@testable import Codecs
import Core
import Media
import TestKit
import Testing

/// Levels and layouts: whatever comes in, limited BT.601 in 4:2:0 comes out, within two levels of the definition.
@Suite struct ColourTests {
    let pool = FramePool()

    /// A colour as R′G′B′ in 0…1.
    struct Colour: Sendable { let r: Double, g: Double, b: Double }
    static let colours = [
        Colour(r: 0.8, g: 0.3, b: 0.2), Colour(r: 0.1, g: 0.6, b: 0.3), Colour(r: 0.2, g: 0.3, b: 0.9),
        Colour(r: 0.5, g: 0.5, b: 0.5), Colour(r: 0.95, g: 0.9, b: 0.1),
    ]

    /// ITU-T H.273: luma weights (red, blue) of each matrix.
    static let weights: [(space: AVColorSpace, red: Double, blue: Double)] = [
        (AVCOL_SPC_SMPTE170M, 0.299, 0.114), (AVCOL_SPC_UNSPECIFIED, 0.299, 0.114), (AVCOL_SPC_BT709, 0.2126, 0.0722),
        (AVCOL_SPC_BT2020_NCL, 0.2627, 0.0593),
    ]

    /// Y, U, V of a colour on a scale of `bits` bits.
    func levels(_ colour: Colour, red: Double, blue: Double, isFull: Bool, bits: Int = 8) -> [Double] {
        let y = red * colour.r + (1 - red - blue) * colour.g + blue * colour.b
        let pb = (colour.b - y) / (2 * (1 - blue))
        let pr = (colour.r - y) / (2 * (1 - red))
        let scale = Double(1 << (bits - 8))
        return isFull
            ? [y * (256 * scale - 1), 128 * scale + pb * (256 * scale - 1), 128 * scale + pr * (256 * scale - 1)]
            : [(16 + 219 * y) * scale, (128 + 224 * pb) * scale, (128 + 224 * pr) * scale]
    }

    func expectLimited601(_ picture: VideoFrame, _ colour: Colour, _ comment: Comment) {
        let expected = levels(colour, red: 0.299, blue: 0.114, isFull: false)
        let planes = picture.planes
        for row in 0..<picture.height {
            for column in 0..<picture.width {
                let y = Double(planes.y[row * planes.strideY + column])
                let u = Double(planes.u[row / 2 * planes.strideUV + column / 2])
                let v = Double(planes.v[row / 2 * planes.strideUV + column / 2])
                guard abs(y - expected[0]) <= 2, abs(u - expected[1]) <= 2, abs(v - expected[2]) <= 2 else {
                    Issue.record("\(comment): (\(y), \(u), \(v)) at \(column), \(row) instead of \(expected)")
                    return
                }
            }
        }
    }

    /// Lossless H.264 of a flat colour in a layout, through the whole decoder.
    func decode(
        _ layout: AVPixelFormat, range: AVColorRange, space: AVColorSpace, values: [Double], bits: Int,
        said: VideoColour? = nil
    ) throws -> VideoFrame {
        let stream = try ForeignStream.video(
            encoder: "libx264", codec: .h264, layout: layout, width: 34, height: 18, count: 1, range: range,
            space: space, options: ["qp": "0", "preset": "ultrafast"]
        ) { _, frame in paint(frame, values: values, bits: bits) }
        var format = stream.format
        format.colour = said
        let decoder = try LibraryCodecs().videoDecoder(format, pool: pool, limits: DecoderLimits())
        var pictures = try decoder.decode(stream.frames[0])
        pictures += try decoder.flush()
        return try #require(pictures.first)
    }

    /// Fills a planar or NV12 frame with one colour.
    func paint(_ frame: UnsafeMutablePointer<AVFrame>, values: [Double], bits: Int) {
        let picture = frame.pointee
        guard let layout = av_pix_fmt_desc_get(AVPixelFormat(picture.format)) else { return }
        let components = withUnsafeBytes(of: layout.pointee.comp) {
            [AVComponentDescriptor]($0.bindMemory(to: AVComponentDescriptor.self))
        }
        let data = [picture.data.0, picture.data.1, picture.data.2]
        let strides = [picture.linesize.0, picture.linesize.1, picture.linesize.2].map { Int($0) }
        for index in 0..<Int(layout.pointee.nb_components) {
            let component = components[index]
            let isChroma = index > 0 && layout.pointee.flags & UInt64(AV_PIX_FMT_FLAG_RGB) == 0
            let rows = isChroma ? -(-picture.height >> Int32(layout.pointee.log2_chroma_h)) : picture.height
            let columns = isChroma ? -(-picture.width >> Int32(layout.pointee.log2_chroma_w)) : picture.width
            guard let plane = data[Int(component.plane)] else { continue }
            let value = Int(values[index].rounded())
            for row in 0..<Int(rows) {
                for column in 0..<Int(columns) {
                    let place =
                        plane + row * strides[Int(component.plane)] + column * Int(component.step)
                        + Int(component.offset)
                    place[0] = UInt8(truncatingIfNeeded: value)
                    if bits > 8 { place[1] = UInt8(truncatingIfNeeded: value >> 8) }
                }
            }
        }
    }

    @Test(arguments: [
        (AV_PIX_FMT_YUV420P, 8), (AV_PIX_FMT_YUV422P, 8), (AV_PIX_FMT_YUV444P, 8), (AV_PIX_FMT_YUV420P10LE, 10),
        (AV_PIX_FMT_YUV422P10LE, 10), (AV_PIX_FMT_YUV444P10LE, 10),
    ])
    func matricesAndRanges(layout: AVPixelFormat, bits: Int) throws {
        for (space, red, blue) in Self.weights {
            for range in [AVCOL_RANGE_MPEG, AVCOL_RANGE_JPEG, AVCOL_RANGE_UNSPECIFIED] {
                for colour in Self.colours {
                    let isFull = range == AVCOL_RANGE_JPEG
                    let values = levels(colour, red: red, blue: blue, isFull: isFull, bits: bits)
                    let picture = try decode(layout, range: range, space: space, values: values, bits: bits)
                    expectLimited601(
                        picture, colour, "layout \(layout.rawValue) space \(space.rawValue) full \(isFull)")
                }
            }
        }
    }

    /// Pictures say one thing, and the sender another beside them, as Chromium does with canvases.
    @Test func whatIsSaidBesideThePicturesGoesFirst() throws {
        let said = VideoColour(matrix: .bt709, isFullRange: true)
        for colour in Self.colours {
            let values = levels(colour, red: 0.2126, blue: 0.0722, isFull: true)
            let picture = try decode(
                AV_PIX_FMT_YUV420P, range: AVCOL_RANGE_MPEG, space: AVCOL_SPC_SMPTE170M, values: values, bits: 8,
                said: said)
            expectLimited601(picture, colour, "said beside")
        }
    }

    @Test func grey() throws {
        for isFull in [false, true] {
            let grey = Colour(r: 0.7, g: 0.7, b: 0.7)
            let picture = try decode(
                AV_PIX_FMT_GRAY8, range: isFull ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG, space: AVCOL_SPC_BT709,
                values: levels(grey, red: 0.2126, blue: 0.0722, isFull: isFull), bits: 8)
            expectLimited601(picture, grey, "grey, full \(isFull)")
        }
    }

    /// Layouts that no codec here yields today, and RGB, straight into the converter.
    @Test(
        arguments: [
            (AV_PIX_FMT_NV12, 8), (AV_PIX_FMT_GRAY8, 8), (AV_PIX_FMT_GRAY10LE, 10), (AV_PIX_FMT_YUV440P, 8),
            (AV_PIX_FMT_YUV411P, 8), (AV_PIX_FMT_YUVJ422P, 8), (AV_PIX_FMT_YUVJ444P, 8), (AV_PIX_FMT_GBRP, 8),
            (AV_PIX_FMT_GBRP10LE, 10), (AV_PIX_FMT_RGB24, 8), (AV_PIX_FMT_BGRA, 8),
        ], [[34, 18], [35, 17], [1, 1], [2, 2], [641, 3]])
    func otherLayouts(layout: (AVPixelFormat, Int), size: [Int]) throws {
        let description = try #require(av_pix_fmt_desc_get(layout.0))
        let isRGB = description.pointee.flags & UInt64(AV_PIX_FMT_FLAG_RGB) != 0
        let isGrey = description.pointee.nb_components < 3
        let isFull = [AV_PIX_FMT_YUVJ422P, AV_PIX_FMT_YUVJ444P].contains(layout.0)
        for colour in isGrey ? [Self.colours[3]] : Self.colours {
            var frame = av_frame_alloc()
            defer { av_frame_free(&frame) }
            let picture = try #require(frame)
            picture.pointee.format = layout.0.rawValue
            picture.pointee.width = Int32(size[0])
            picture.pointee.height = Int32(size[1])
            picture.pointee.colorspace = isRGB ? AVCOL_SPC_RGB : AVCOL_SPC_BT709
            try #require(av_frame_get_buffer(picture, 0) >= 0)
            let top = Double(1 << layout.1) - 1
            let values =
                isRGB
                ? [colour.r * top, colour.g * top, colour.b * top, top]
                : levels(colour, red: 0.2126, blue: 0.0722, isFull: isFull, bits: layout.1)
            paint(picture, values: values, bits: layout.1)
            let converted = try PictureConverter(rotation: 0, pool: pool).convert(
                picture, pts: .zero, pixelAspect: Rational(1, 1))
            #expect(converted.width == size[0] && converted.height == size[1])
            expectLimited601(converted, colour, "layout \(layout.0.rawValue) \(size[0])×\(size[1])")
        }
    }

    @Test func edgesStayWhereTheyAre() throws {
        // A left half and a right half of different colours in 4:4:4: no pixel away from the seam may change.
        let (left, right) = (Self.colours[0], Self.colours[2])
        var frame = av_frame_alloc()
        defer { av_frame_free(&frame) }
        let picture = try #require(frame)
        picture.pointee.format = AV_PIX_FMT_YUV444P.rawValue
        (picture.pointee.width, picture.pointee.height) = (64, 16)
        try #require(av_frame_get_buffer(picture, 0) >= 0)
        let expected = [left, right].map { levels($0, red: 0.299, blue: 0.114, isFull: false) }
        let data = [picture.pointee.data.0, picture.pointee.data.1, picture.pointee.data.2]
        for (index, plane) in data.enumerated() {
            for place in 0..<(16 * 64) {
                let row = place / 64 * Int(picture.pointee.linesize.0)
                plane?[row + place % 64] = UInt8(expected[place % 64 / 32][index].rounded())
            }
        }
        let converted = try PictureConverter(rotation: 0, pool: pool).convert(
            picture, pts: .zero, pixelAspect: Rational(1, 1))
        for column in 0..<64 {
            #expect(abs(Double(converted.planes.y[column]) - expected[column / 32][0]) <= 1)
            if !(14...17).contains(column / 2) {
                #expect(abs(Double(converted.planes.u[column / 2]) - expected[column / 32][1]) <= 1)
                #expect(abs(Double(converted.planes.v[column / 2]) - expected[column / 32][2]) <= 1)
            }
        }
    }
}
