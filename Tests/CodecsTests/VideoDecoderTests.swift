import CFFmpeg
import Codecs
import Core
import Media
import TestKit
import Testing

/// What foreign, odd and broken streams make of the decoder.
@Suite struct VideoDecoderTests {
    let pool = FramePool()

    func decoder(_ format: VideoFormat, limits: DecoderLimits = DecoderLimits()) throws -> any VideoDecoder {
        try LibraryCodecs().videoDecoder(format, pool: pool, limits: limits)
    }

    /// A stream of our own encoder.
    func stream(
        _ codec: VideoCodec, _ width: Int, _ height: Int, count: Int, keyEvery: Int = 1000, first: Int = 0
    ) throws -> ForeignStream.Video {
        let encoder = try LibraryCodecs().videoEncoder(
            VideoSpecification(codec: codec, width: width, height: height, frameRate: Rational(25, 1)))
        let frames = try (first..<(first + count)).flatMap { index in
            try encoder.encode(
                Pictures.moving(
                    width: width, height: height, index: index, pts: MediaTime(Int64(index), per: Rational(25, 1)),
                    pool: pool), forceKeyFrame: (index - first) % keyEvery == 0)
        }
        return ForeignStream.Video(format: encoder.format, frames: frames)
    }

    /// H.264 with three B-frames; picture `n` is flat with luma 40 + n.
    func reordered(count: Int, globalHeader: Bool = true) throws -> ForeignStream.Video {
        try ForeignStream.video(
            encoder: "libx264", codec: .h264, layout: AV_PIX_FMT_YUV420P, width: 64, height: 48, count: count,
            aspect: (4, 3), options: ["bf": "3", "preset": "medium", "g": "250", "x264-params": "b-adapt=0"],
            globalHeader: globalHeader
        ) { index, frame in fill(frame, y: UInt8(40 + index), u: 128, v: 128) }
    }

    func fill(_ frame: UnsafeMutablePointer<AVFrame>, y: UInt8, u: UInt8, v: UInt8) {
        let picture = frame.pointee
        picture.data.0?.update(repeating: y, count: Int(picture.linesize.0 * picture.height))
        picture.data.1?.update(repeating: u, count: Int(picture.linesize.1 * (picture.height + 1) / 2))
        picture.data.2?.update(repeating: v, count: Int(picture.linesize.2 * (picture.height + 1) / 2))
    }

    @Test(arguments: [true, false])
    func bFramesComeInOrder(outOfBand: Bool) throws {
        let stream = try reordered(count: 40, globalHeader: outOfBand)
        #expect(stream.frames.contains { $0.pts > $0.dts }, "the stream is reordered indeed")
        #expect(stream.format.configuration.isEmpty != outOfBand)
        let decoder = try decoder(stream.format)
        var pictures: [VideoFrame] = []
        for frame in stream.frames { pictures += try decoder.decode(frame) }
        pictures += try decoder.flush()
        try #require(pictures.count == 40)
        for (index, picture) in pictures.enumerated() {
            #expect(picture.pts == MediaTime(Int64(index), per: Rational(25, 1)))
            #expect(abs(Int(picture.planes.y[100]) - (40 + index)) <= 1)
            #expect(picture.pixelAspect == Rational(4, 3))
        }
    }

    @Test func afterAFlushItStartsAnewAtAKeyFrame() throws {
        let stream = try reordered(count: 12)
        let decoder = try decoder(stream.format)
        for _ in 0..<2 {
            var pictures: [VideoFrame] = []
            for frame in stream.frames { pictures += try decoder.decode(frame) }
            pictures += try decoder.flush()
            #expect(pictures.map { Int($0.planes.y[0]) } == pictures.indices.map { 40 + $0 })
            #expect(pictures.count == 12)
        }
    }

    /// H.265 and AV1 of other people's encoders: flat pictures whose luma counts.
    @Test(arguments: ["libx265", "libaom-av1"])
    func codecsThatOnlyOthersMake(encoder: String) throws {
        let isAV1 = encoder == "libaom-av1"
        let stream = try ForeignStream.video(
            encoder: encoder, codec: isAV1 ? .av1 : .h265, layout: AV_PIX_FMT_YUV420P, width: 192, height: 128,
            count: 12,
            options: isAV1
                ? ["usage": "realtime", "cpu-used": "8", "lag-in-frames": "0"]
                : ["preset": "ultrafast", "x265-params": "log-level=none:bframes=2:pools=none:frame-threads=1"],
            globalHeader: isAV1
        ) { index, frame in fill(frame, y: UInt8(60 + 8 * index), u: 110, v: 150) }
        let decoder = try decoder(stream.format)
        var pictures: [VideoFrame] = []
        for frame in stream.frames { pictures += try decoder.decode(frame) }
        pictures += try decoder.flush()
        try #require(pictures.count == 12)
        for (index, picture) in pictures.enumerated() {
            #expect(picture.pts == MediaTime(Int64(index), per: Rational(25, 1)))
            #expect(abs(Int(picture.planes.y[100]) - (60 + 8 * index)) <= 2)
            #expect(abs(Int(picture.planes.v[50]) - 150) <= 2)
            #expect(picture.width == 192 && picture.height == 128)
        }
    }

    @Test func unknownTimesAreDerived() throws {
        var stream = try stream(.vp8, 64, 48, count: 5)
        for index in [2, 3] { stream.frames[index].pts = .distantPast }
        let decoder = try decoder(stream.format)
        let times = try stream.frames.flatMap { try decoder.decode($0).map(\.pts) }
        #expect(times == (0..<5).map { MediaTime(Int64($0), per: Rational(25, 1)) })
    }

    @Test(arguments: [VideoCodec.vp8, .vp9])
    func sizeChangesInTheMiddle(codec: VideoCodec) throws {
        let small = try stream(codec, 160, 90, count: 3)
        let large = try stream(codec, 641, 361, count: 3, first: 3)
        let decoder = try decoder(small.format)
        let pictures = try (small.frames + large.frames + small.frames).flatMap { try decoder.decode($0) }
        #expect(pictures.map(\.width) == [160, 160, 160, 641, 641, 641, 160, 160, 160])
        let expected = Pictures.moving(width: 641, height: 361, index: 5, pool: pool)
        #expect(Pictures.psnr(pictures[5], expected) > 28)
    }

    @Test(arguments: [VideoCodec.vp8, .vp9, .h264])
    func picturesKeptAreNotWrittenAgain(codec: VideoCodec) throws {
        let stream = try stream(codec, 96, 64, count: 30)
        let decoder = try decoder(stream.format)
        var pictures: [(frame: VideoFrame, luma: [UInt8])] = []
        for frame in stream.frames {
            for picture in try decoder.decode(frame) { pictures.append((picture, luma(picture))) }
        }
        #expect(pictures.count == 30)
        for (picture, before) in pictures { #expect(luma(picture) == before) }
    }

    func luma(_ picture: VideoFrame) -> [UInt8] {
        [UInt8](UnsafeBufferPointer(start: picture.planes.y, count: picture.planes.strideY * picture.height))
    }

    @Test func memoryGoesBackToThePool() throws {
        do {
            let stream = try stream(.vp8, 96, 64, count: 20)
            let decoder = try decoder(stream.format)
            for frame in stream.frames { _ = try decoder.decode(frame) }
        }
        #expect(pool.liveBytes.now == 0)
        #expect(pool.liveBytes.peak < 12 * 96 * 64 * 2, "no more pictures live than a decoder refers to")
    }

    @Test(arguments: [90, 180, 270])
    func rotation(degrees: Int) throws {
        // Upper left quarter bright: where it lands tells the rotation.
        let source = VideoFrame(width: 62, height: 34, pts: .zero, pool: pool) { planes in
            for row in 0..<34 {
                for column in 0..<62 { planes.y[row * planes.strideY + column] = row < 17 && column < 31 ? 200 : 50 }
            }
            planes.u.update(repeating: 128, count: planes.strideUV * planes.chromaHeight)
            planes.v.update(repeating: 128, count: planes.strideUV * planes.chromaHeight)
        }
        let encoder = try LibraryCodecs().videoEncoder(
            VideoSpecification(codec: .vp8, width: 62, height: 34, frameRate: Rational(25, 1)))
        var format = encoder.format
        format.rotation = degrees
        format.pixelAspect = Rational(4, 3)
        let decoder = try decoder(format)
        let coded = try #require(try encoder.encode(source, forceKeyFrame: true).first)
        let picture = try #require(try decoder.decode(coded).first)
        let sideways = degrees != 180
        #expect(picture.width == (sideways ? 34 : 62) && picture.height == (sideways ? 62 : 34))
        #expect(picture.pixelAspect == (sideways ? Rational(3, 4) : Rational(4, 3)))
        func bright(_ x: Double, _ y: Double) -> Bool {
            picture.planes.y[Int(y * Double(picture.height)) * picture.planes.strideY + Int(x * Double(picture.width))]
                > 125
        }
        let corners = [bright(0.2, 0.2), bright(0.8, 0.2), bright(0.8, 0.8), bright(0.2, 0.8)]
        #expect(corners == (0..<4).map { $0 == degrees / 90 }, "clockwise from upper left")
    }

    // MARK: Limits

    @Test func aHugePictureIsRefusedWithASentence() throws {
        // A VP8 key frame header of 16000×16000 pixels (RFC 6386, 9.1) and some data.
        var bytes: [UInt8] = [0x10, 0x02, 0x00, 0x9D, 0x01, 0x2A, 0x80, 0x3E, 0x80, 0x3E]
        bytes += [UInt8](repeating: 0x55, count: 400)
        let decoder = try decoder(VideoFormat(codec: .vp8, width: 0, height: 0))
        let error = try #require(throws: CodecError.self) {
            try decoder.decode(EncodedFrame(payload: Payload(bytes), pts: .zero, isKey: true))
        }
        #expect(
            error.text == "the picture is 16000×16000 pixels; the limit is 8192 on a side and 35389440 altogether")
        #expect(pool.liveBytes.peak == 0)
        // and it goes on with the next
        let stream = try stream(.vp8, 64, 48, count: 2)
        #expect(try stream.frames.flatMap { try decoder.decode($0) }.count == 2)
    }

    @Test(arguments: [VideoCodec.vp8, .vp9, .h264])
    func limitsHoldForEveryCodec(codec: VideoCodec) throws {
        var limits = DecoderLimits()
        limits.sideMax = 200
        let small = try stream(codec, 160, 90, count: 2)
        let large = try stream(codec, 320, 90, count: 2)
        let decoder = try decoder(codec == .h264 ? large.format : small.format, limits: limits)
        let before = pool.liveBytes.peak
        let error = try #require(throws: CodecError.self) { try decoder.decode(large.frames[0]) }
        #expect(error.text == "the picture is 320×90 pixels; the limit is 200 on a side and 35389440 altogether")
        #expect(pool.liveBytes.peak == before)
        if codec != .h264 {
            #expect(try small.frames.flatMap { try decoder.decode($0) }.count == 2)
        }
    }

    // MARK: Broken input

    @Test(arguments: [VideoCodec.vp8, .vp9, .h264], [1, 2] as [UInt64])
    func damageNeverCrashesAndEndsAtAKeyFrame(codec: VideoCodec, seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let stream = try stream(codec, 176, 144, count: 50, keyEvery: 10)
        let decoder = try decoder(stream.format)
        var thrown = 0
        for _ in 0..<5 {  // 250 packets per seed, 500 per codec
            for frame in stream.frames {
                var bytes = frame.payload.bytes
                for _ in 0..<Int.random(in: 1...10, using: &random) {
                    let place = Int.random(in: 0..<bytes.count, using: &random)
                    bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
                }
                if Int.random(in: 0..<5, using: &random) == 0 {
                    bytes.removeLast(Int.random(in: 0...bytes.count, using: &random))
                }
                var damaged = frame
                damaged.payload = Payload(bytes)
                do { _ = try decoder.decode(damaged) } catch { thrown += 1 }
            }
        }
        #expect(thrown > 0)
        var pictures: [VideoFrame] = []
        for frame in stream.frames[..<10] { pictures += try decoder.decode(frame) }
        let last = try #require(pictures.last)
        #expect(last.pts == stream.frames[9].pts)
        let expected = Pictures.moving(width: 176, height: 144, index: 9, pool: pool)
        #expect(Pictures.psnr(last, expected) > 26, "sound again after a sound key frame")
    }

    @Test(arguments: [VideoCodec.vp8, .vp9, .h264])
    func damageLooksTheSameInEveryRun(codec: VideoCodec) throws {
        var stream = try stream(codec, 176, 144, count: 20)
        var random = SeededRandom(seed: 7)
        for index in stream.frames.indices where index % 3 != 0 {
            var bytes = stream.frames[index].payload.bytes
            bytes.removeLast(Int.random(in: 0...(bytes.count / 2), using: &random))
            bytes[bytes.count / 2] ^= 0x10
            stream.frames[index].payload = Payload(bytes)
        }
        func run(dirt: UInt8) throws -> [[UInt8]] {
            // Other content in recycled memory must not shine through.
            let pool = FramePool()
            do {
                // of every height to which a decoder may pad
                let dirty = (144...192).flatMap { height in
                    (0..<4).map { _ in
                        Pictures.flat(width: 176, height: height, y: dirt, u: dirt, v: dirt, pool: pool)
                    }
                }
                #expect(dirty.count == 49 * 4)
            }
            let decoder = try LibraryCodecs().videoDecoder(stream.format, pool: pool, limits: DecoderLimits())
            var shown: [[UInt8]] = []
            for frame in stream.frames {
                let pictures = (try? decoder.decode(frame)) ?? []
                shown += pictures.map { picture in
                    (0..<144).flatMap { row in
                        UnsafeBufferPointer(start: picture.planes.y + row * picture.planes.strideY, count: 176)
                    }
                }
            }
            return shown
        }
        let first = try run(dirt: 1)
        #expect(!first.isEmpty)
        #expect(try first == run(dirt: 250))
    }

    @Test func anEmptyPacketIsAnErrorAndNotTheEnd() throws {
        let stream = try stream(.vp8, 64, 48, count: 3)
        let decoder = try decoder(stream.format)
        #expect(try decoder.decode(stream.frames[0]).count == 1)
        #expect(throws: CodecError.self) {
            try decoder.decode(EncodedFrame(payload: Payload([]), pts: .zero, isKey: false))
        }
        #expect(try decoder.decode(stream.frames[1]).count == 1)
    }
}
