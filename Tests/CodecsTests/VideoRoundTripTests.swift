import Codecs
import Core
import Media
import TestKit
import Testing

/// Pictures through our encoder and our decoder.
@Suite struct VideoRoundTripTests {
    static let codecs: [VideoCodec] = [.vp8, .vp9, .h264, .av1]
    let pool = FramePool()

    func specification(
        _ codec: VideoCodec, _ width: Int, _ height: Int, bitrate: Int = 2_000_000, keyFrameInterval: Double? = nil
    ) -> VideoSpecification {
        VideoSpecification(
            codec: codec, width: width, height: height, frameRate: Rational(25, 1), bitrate: bitrate,
            keyFrameInterval: keyFrameInterval)
    }

    func pictures(_ width: Int, _ height: Int, count: Int) -> [VideoFrame] {
        (0..<count).map {
            Pictures.moving(
                width: width, height: height, index: $0, pts: MediaTime(Int64($0), per: Rational(25, 1)), motion: 1,
                pool: pool)
        }
    }

    @Test(arguments: codecs, [[1, 1], [2, 2], [17, 33], [320, 180], [641, 359]])
    func sizes(codec: VideoCodec, size: [Int]) throws {
        let (width, height) = (size[0], size[1])
        let encoder = try LibraryCodecs().videoEncoder(specification(codec, width, height))
        let decoder = try LibraryCodecs().videoDecoder(encoder.format, pool: pool, limits: DecoderLimits())
        let originals = pictures(width, height, count: 8)
        var decoded: [VideoFrame] = []
        for picture in originals {
            for frame in try encoder.encode(picture, forceKeyFrame: false) { decoded += try decoder.decode(frame) }
        }
        decoded += try decoder.flush()
        try #require(decoded.count == originals.count)
        for (original, result) in zip(originals, decoded) {
            #expect(result.pts == original.pts)
            if codec == .h264 {
                #expect(result.width == width + width % 2 && result.height == height + height % 2)
            } else {
                #expect(result.width == width && result.height == height)
            }
            let shown = VideoFrame(width: width, height: height, pts: result.pts, pool: pool) { out in
                for row in 0..<height {
                    (out.y + row * out.strideY).update(
                        from: result.planes.y + row * result.planes.strideY, count: width)
                }
                for row in 0..<out.chromaHeight {
                    let offset = row * result.planes.strideUV
                    (out.u + row * out.strideUV).update(from: result.planes.u + offset, count: out.chromaWidth)
                    (out.v + row * out.strideUV).update(from: result.planes.v + offset, count: out.chromaWidth)
                }
            }
            #expect(Pictures.psnr(original, shown) > (width < 16 ? 25 : 28), "\(codec) \(width)×\(height)")
        }
    }

    @Test(arguments: codecs)
    func forcedKeyFrames(codec: VideoCodec) throws {
        let encoder = try LibraryCodecs().videoEncoder(specification(codec, 64, 48))
        var keys: [Int] = []
        for (index, picture) in pictures(64, 48, count: 90).enumerated() {
            let frames = try encoder.encode(picture, forceKeyFrame: index == 7 || index == 8)
            #expect(frames.count == 1)
            if frames.first?.isKey == true { keys.append(index) }
        }
        #expect(keys == [0, 7, 8], "a key frame at the start and where it was asked for, nowhere else")
    }

    @Test(arguments: codecs)
    func keyFrameInterval(codec: VideoCodec) throws {
        let encoder = try LibraryCodecs().videoEncoder(specification(codec, 64, 48, keyFrameInterval: 1))
        var keys: [Int] = []
        for (index, picture) in pictures(64, 48, count: 60).enumerated() {
            let frames = try encoder.encode(picture, forceKeyFrame: index == 10)
            if frames.first?.isKey == true { keys.append(index) }
        }
        #expect(keys == [0, 10, 35], "one second after the last key frame, whoever asked for it")
    }

    @Test(arguments: codecs)
    func bitrateFollows(codec: VideoCodec) throws {
        let encoder = try LibraryCodecs().videoEncoder(specification(codec, 320, 180, bitrate: 600_000))
        let originals = (0..<200).map {
            Pictures.moving(
                width: 320, height: 180, index: $0 * $0 % 977, pts: MediaTime(Int64($0), per: Rational(25, 1)),
                pool: pool)
        }
        func bits(_ range: Range<Int>) throws -> Int {
            var sum = 0
            for picture in originals[range] {
                for frame in try encoder.encode(picture, forceKeyFrame: false) { sum += frame.payload.count * 8 }
            }
            return sum
        }
        let before = try bits(0..<100)  // four seconds
        try encoder.setBitrate(200_000)
        _ = try bits(100..<125)  // the buffer of the old rate runs out
        let after = try bits(125..<200)  // three seconds
        #expect((1_800_000...3_000_000).contains(before), "\(codec): \(before / 4) instead of 600000 bit/s")
        #expect((420_000...800_000).contains(after), "\(codec): \(after / 3) instead of 200000 bit/s")
    }

    @Test(arguments: codecs)
    func twoEncodesAreEqual(codec: VideoCodec) throws {
        func encode() throws -> [[UInt8]] {
            let encoder = try LibraryCodecs().videoEncoder(specification(codec, 322, 178, keyFrameInterval: 0.5))
            return try pictures(322, 178, count: 30).flatMap {
                try encoder.encode($0, forceKeyFrame: false).map(\.payload.bytes)
            }
        }
        let first = try encode()
        #expect(first.count == 30)
        #expect(try first == encode())
    }

    @Test(arguments: codecs)
    func aPictureOfAnotherSizeIsRefused(codec: VideoCodec) throws {
        let encoder = try LibraryCodecs().videoEncoder(specification(codec, 64, 48))
        let error = try #require(throws: CodecError.self) {
            try encoder.encode(Pictures.flat(width: 66, height: 48, y: 80, pool: pool), forceKeyFrame: false)
        }
        #expect(error.text.contains("66×48"))
        #expect(error.text.contains("64×48"))
    }

    @Test func thereIsNoEncoderForEverything() throws {
        let error = try #require(throws: CodecError.self) {
            try LibraryCodecs().videoEncoder(specification(.h265, 64, 48))
        }
        #expect(error.text == "there is no encoder for h265")
    }

    @Test func scaling() throws {
        let picture = Pictures.flat(width: 641, height: 359, y: 90, u: 70, v: 200, pool: pool)
        for (width, height) in [(160, 90), (1281, 721), (1, 1), (7, 300), (640, 720)] {
            let scaled = LibraryCodecs().scale(picture, width: width, height: height, pool: pool)
            #expect(scaled.width == width && scaled.height == height)
            let expected = Pictures.flat(width: width, height: height, y: 90, u: 70, v: 200, pool: pool)
            #expect(Pictures.psnr(scaled, expected) > 42, "\(width)×\(height)")
            let shape = scaled.pixelAspect.value * Double(width) / Double(height)
            #expect(abs(shape - 641.0 / 359) < 1e-9, "the shape on screen is kept")
        }
        #expect(LibraryCodecs().scale(picture, width: 641, height: 359, pool: pool) === picture)
    }

    @Test func catalogue() throws {
        let entries = CodecCatalogue.entries
        for codec in ["vp8", "vp9", "h264", "av1"] {
            for role in [CodecCatalogue.Entry.Role.decoder, .encoder] {
                let entry = try #require(entries.first { $0.codec == codec && $0.role == role })
                #expect(!entry.version.isEmpty)
            }
        }
        #expect(entries.contains { $0.library == "libopus" && $0.version.first?.isNumber == true })
        #expect(entries.contains { $0.role == .encoder && $0.library == "libvpx" && $0.version.hasPrefix("v") })
    }
}
