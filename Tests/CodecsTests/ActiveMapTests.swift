@testable import Codecs
import Core
import Glibc
import Media
import TestKit
import Testing

/// What does not change is not coded again, and nobody sees it (design section 6).
@Suite struct ActiveMapTests {
    let pool = FramePool()
    static let width = 480
    static let height = 288

    /// Nine textured tiles on a canvas, of which the first `moving` move. `still` is a canvas to start from.
    func canvas(_ index: Int, moving: Int, still: PictureBuffer? = nil) -> PictureBuffer {
        let (width, height) = (Self.width, Self.height)
        let buffer = pool.picture(width: width, height: height)
        let (tileWidth, tileHeight) = (width / 3 & ~1, height / 3 & ~1)
        if let still {
            memcpy(buffer.planes.y, still.planes.y, buffer.byteCount - 64)
        } else {
            memset(buffer.planes.y, 128, buffer.byteCount - 64)
        }
        for tile in 0..<(still == nil ? 9 : moving) {
            // Tile 4, in the middle, moves first: it has still neighbours on every side.
            let place = tile == 0 ? 4 : tile == 4 ? 0 : tile
            Pictures.paint(
                buffer.planes, x: place % 3 * tileWidth, y: place / 3 * tileHeight, width: tileWidth,
                height: tileHeight, shift: 17 * tile + (tile < moving ? index * 3 : 0))
        }
        return buffer
    }

    /// Exact comparison per 16×16 block, as the compositor makes it.
    func changes(_ a: VideoFrame.Planes, _ b: VideoFrame.Planes) -> ChangeMap {
        var map = ChangeMap(width: a.width, height: a.height)
        for row in 0..<map.rows {
            for column in 0..<map.columns {
                let isEqual = (row * 16..<min(a.height, row * 16 + 16)).allSatisfy { y in
                    let count = min(16, a.width - column * 16)
                    return memcmp(a.y + y * a.strideY + column * 16, b.y + y * b.strideY + column * 16, count) == 0
                        && memcmp(
                            a.u + y / 2 * a.strideUV + column * 8, b.u + y / 2 * b.strideUV + column * 8,
                            (count + 1) / 2) == 0
                        && memcmp(
                            a.v + y / 2 * a.strideUV + column * 8, b.v + y / 2 * b.strideUV + column * 8,
                            (count + 1) / 2) == 0
                }
                map.blocks[row * map.columns + column] = isEqual ? 0 : 1
            }
        }
        return map
    }

    struct Run {
        var decoded: [VideoFrame] = []
        var coded: [EncodedFrame] = []
        var nanoseconds: [Int64] = []
        var skipped = 0
        /// Share of blocks left alone, per frame.
        var resting: [Double] = []
    }

    func run(
        _ codec: VideoCodec, count: Int, moving: (Int) -> Int, withMap: Bool, bitrate: Int = 600_000,
        keys: Set<Int> = [], decode: Bool = true
    ) throws -> Run {
        let (width, height) = (Self.width, Self.height)
        let still = canvas(0, moving: 0)
        let encoder = try VPXEncoder(
            VideoSpecification(
                codec: codec, width: width, height: height, frameRate: Rational(25, 1), bitrate: bitrate))
        let decoder = try LibraryCodecs().videoDecoder(encoder.format, pool: pool, limits: DecoderLimits())
        var run = Run()
        var last: PictureBuffer?
        var position = 0
        for index in 0..<count {
            let isMoving = moving(index)
            if isMoving > 0 { position += 1 }
            let buffer = canvas(position, moving: isMoving, still: still)
            let map =
                last.map { changes($0.planes, buffer.planes) }
                ?? ChangeMap(width: width, height: height)
            last = buffer
            let frame = VideoFrame(
                buffer: buffer, pts: MediaTime(Int64(index), per: Rational(25, 1)),
                changes: withMap ? PictureChanges(sequence: UInt64(index), map: map) : nil)
            let before = cpuNanoseconds()
            let coded = try encoder.encode(frame, forceKeyFrame: keys.contains(index))
            run.nanoseconds.append(cpuNanoseconds() - before)
            run.resting.append(Double(encoder.restingBlocks.count) / Double(encoder.restingBlocks.of))
            run.coded += coded
            if decode { for frame in coded { run.decoded += try decoder.decode(frame) } }
        }
        run.skipped = encoder.skippedCount
        return run
    }

    private func cpuNanoseconds() -> Int64 {
        var now = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now)
        return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
    }

    /// Luma PSNR of the eight still tiles alone.
    func stillPSNR(_ picture: VideoFrame, _ original: VideoFrame) -> Double {
        let (columns, rows) = (Self.width / 3 & ~1, Self.height / 3 & ~1)
        var errors = 0.0
        for place in 0..<9 where place != 4 {
            let (x, y) = (place % 3 * columns, place / 3 * rows)
            let psnr = Pictures.psnr(picture, original, luma: (x: x..<(x + columns), y: y..<(y + rows)))
            errors += pow(10, -psnr / 10) / 8
        }
        return -10 * log10(errors)
    }

    @Test(arguments: [VideoCodec.vp8, .vp9], [200_000, 600_000])
    func stillAreasLoseNothing(codec: VideoCodec, bitrate: Int) throws {
        let count = 150
        let plain = try run(codec, count: count, moving: { _ in 1 }, withMap: false, bitrate: bitrate, keys: [60])
        let mapped = try run(codec, count: count, moving: { _ in 1 }, withMap: true, bitrate: bitrate, keys: [60])
        try #require(plain.decoded.count == count && mapped.decoded.count == count)
        for index in [59, 100, 149] {
            let original = VideoFrame(buffer: canvas(index + 1, moving: 1), pts: .zero, changes: nil)
            let without = stillPSNR(plain.decoded[index], original)
            let with = stillPSNR(mapped.decoded[index], original)
            #expect(with > without - 1, "\(codec) \(bitrate) frame \(index): \(with) dB with a map, \(without) without")
        }
        #expect(mapped.skipped == 0)
    }

    @Test(arguments: [VideoCodec.vp8, .vp9])
    func aStillCanvasIsSkippedButStaysAlive(codec: VideoCodec) throws {
        let run = try run(codec, count: 150, moving: { _ in 0 }, withMap: true, keys: [])
        #expect(run.skipped > 90)
        #expect(run.coded.count == 150 - run.skipped)
        let gaps = zip(run.coded, run.coded.dropFirst()).map { $1.pts - $0.pts }
        #expect(gaps.max() == .seconds(1), "one frame per second at least")
        let original = VideoFrame(buffer: canvas(0, moving: 0), pts: .zero, changes: nil)
        #expect(stillPSNR(try #require(run.decoded.last), original) > 40)
        // and the first frame after movement begins comes at once
        let moving = try self.run(
            codec, count: 100, moving: { $0 >= 80 ? 1 : 0 }, withMap: true)
        #expect(moving.coded.suffix(20).map(\.pts) == (80..<100).map { MediaTime(Int64($0), per: Rational(25, 1)) })
    }

    @Test func withoutAMapEverythingIsCoded() throws {
        let run = try run(.vp8, count: 60, moving: { _ in 0 }, withMap: false, decode: false)
        #expect(run.coded.count == 60 && run.skipped == 0)
    }

    @Test func theMapSavesTime() throws {
        // libvpx is an optimised library whatever this test is built with.
        for codec in [VideoCodec.vp8, .vp9] {
            let all = try run(codec, count: 90, moving: { _ in 9 }, withMap: true, bitrate: 2_500_000, decode: false)
            let one = try run(codec, count: 90, moving: { _ in 1 }, withMap: true, bitrate: 2_500_000, decode: false)
            let plain = try run(codec, count: 90, moving: { _ in 1 }, withMap: false, bitrate: 2_500_000, decode: false)
            #expect(one.resting.suffix(30).allSatisfy { $0 > 0.7 }, "most of eight tiles rest")
            #expect(all.resting.suffix(30).allSatisfy { $0 < 0.2 })
            func median(_ run: Run) -> Double { Double(run.nanoseconds.suffix(30).sorted()[15]) / 1e6 }
            #expect(median(one) < 0.85 * median(all), "\(codec): \(median(one)) of \(median(all)) ms")
            #expect(median(one) < 0.95 * median(plain), "\(codec): \(median(one)) of \(median(plain)) ms")
        }
    }

    // MARK: The count itself

    /// Feeds one picture; returns how many of the eight blocks are left alone.
    func take(
        _ map: inout RefinementMap, _ sequence: Int, changed: Set<Int> = [], isKey: Bool = false,
        quantizer: Int32 = 20
    ) -> Int {
        var blocks = ChangeMap(width: 64, height: 32)
        for index in blocks.blocks.indices { blocks.blocks[index] = changed.contains(index) ? 1 : 0 }
        map.take(PictureChanges(sequence: UInt64(sequence), map: blocks))
        map.coded(isKey: isKey, quantizer: quantizer, limit: 2)
        return map.restingCount
    }

    @Test func blocksRestAfterSixtyFramesAndAreDoneAfterThirtyTurns() {
        var map = RefinementMap(width: 64, height: 32)
        #expect(take(&map, 0, isKey: true) == 0)
        for number in 1...60 { #expect(take(&map, number) == 0) }
        for number in 61...300 { #expect(take(&map, number) == 7, "one block of eight has its turn") }
        #expect(take(&map, 301) == 8)
        #expect(map.isSettled)
        #expect(take(&map, 302, changed: [3]) == 7)
        #expect(!map.isSettled)
        for number in 303...362 { #expect(take(&map, number) == 7) }
        #expect((363...370).map { take(&map, $0) }.reduce(0, +) == 63)
        #expect(take(&map, 370) >= 7, "the very same picture again")
    }

    @Test func keyFramesAndGapsStartAgain() {
        for event in ["key", "gap", "other size", "no map"] {
            var map = RefinementMap(width: 64, height: 32)
            for number in 0...62 { _ = take(&map, number, isKey: number == 0) }
            #expect(map.restingCount == 7)
            switch event {
            case "key": _ = take(&map, 63, isKey: true)
            case "gap": _ = take(&map, 70)
            case "other size": map.take(PictureChanges(sequence: 63, map: ChangeMap(width: 64, height: 64)))
            default: map.take(nil)
            }
            #expect(take(&map, event == "gap" ? 71 : 64) == 0, "\(event)")
        }
    }

    @Test func theFinestQuantiserIsEnough() {
        var map = RefinementMap(width: 64, height: 32)
        #expect(take(&map, 0, isKey: true, quantizer: 2) == 0)
        #expect(take(&map, 1, quantizer: 2) == 0)
        #expect(take(&map, 2) == 8)
        #expect(map.isSettled)
    }

    @Test func aFinerQuantiserWakesWhatWasCoarse() {
        var map = RefinementMap(width: 64, height: 32)
        _ = take(&map, 0, isKey: true)
        for number in 1...60 { #expect(take(&map, number, quantizer: 40) == 0) }
        #expect(take(&map, 61, quantizer: 45) == 7)
        #expect(take(&map, 62, quantizer: 39) == 7)
        for number in 63...92 { #expect(take(&map, number, quantizer: 39) <= 2, "thirty frames at 39") }
        #expect(take(&map, 94, quantizer: 39) == 0, "a gap")
        #expect(take(&map, 95, quantizer: 50) == 0)
    }
}
