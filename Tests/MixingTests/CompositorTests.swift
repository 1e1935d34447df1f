import Core
import Media
import TestKit
import Testing

@testable import Mixing

/// Random jobs from a seed: tiles appear, vanish, move, change picture, fit, opacity and order; canvases change
/// size and background now and then; consumers hold pictures for a while.
private struct JobScript {
    var random: SeededRandom
    var width: Int
    var height: Int
    var background = YUVColor.black
    var tiles: [Tile] = []
    var pictures: [VideoFrame]
    var pts = 0

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
        (width, height) = (64 + Int(random.next() % 50), 48 + Int(random.next() % 40))
        var random = random
        pictures = (0..<5).map { _ in
            textured(
                16 + Int(random.next() % 60), 16 + Int(random.next() % 60), seed: random.next(),
                aspect: random.next() % 3 == 0 ? Rational(4, 3) : Rational(1, 1))
        }
        // Other memory, nearly the same pixels: exactness shows.
        pictures.append(touched(pictures[0], x: 5, y: 9))
        pictures.append(touched(pictures[0], x: 5, y: 9))
        self.random = random
    }

    private mutating func fraction() -> Double { Double(random.next() % 1000) / 1000 }

    private mutating func region() -> Region {
        if random.next() % 3 == 0 {
            // A cell of a grid, so that neighbours share edges and tiles are whole.
            return Region(
                x: Double(random.next() % 3) / 3, y: Double(random.next() % 3) / 3, width: 1.0 / 3,
                height: 1.0 / 3, z: 0)
        }
        return Region(
            x: fraction() * 1.4 - 0.4, y: fraction() * 1.4 - 0.4, width: fraction() * 1.2, height: fraction() * 1.2,
            z: Int(random.next() % 3))
    }

    private mutating func tile() -> Tile {
        Tile(
            frame: pictures[Int(random.next() % UInt64(pictures.count))], region: region(),
            fit: Fit.allCases[Int(random.next() % 3)], opacity: random.next() % 3 == 0 ? fraction() : 1)
    }

    mutating func next() -> CompositionJob {
        for _ in 0..<(random.next() % 3) {
            let index = tiles.isEmpty ? 0 : Int(random.next() % UInt64(tiles.count))
            switch random.next() % 10 {
            case 0...2: if tiles.count < 7 { tiles.insert(tile(), at: index) }
            case 3: if !tiles.isEmpty { tiles.remove(at: index) }
            case 4: if !tiles.isEmpty { tiles[index].region = region() }
            case 5: if !tiles.isEmpty { tiles[index].opacity = fraction() }
            case 6: tiles.reverse()
            case 7 where random.next() % 8 == 0:
                background = YUVColor(red: UInt8(random.next() % 256), green: 90, blue: 20)
            case 8 where random.next() % 12 == 0: width += random.next() % 2 == 0 ? 1 : -1
            default:
                if !tiles.isEmpty { tiles[index].frame = pictures[Int(random.next() % UInt64(pictures.count))] }
            }
        }
        pts += 1
        return CompositionJob(
            width: width, height: height, pts: .milliseconds(pts * 33), background: background, tiles: tiles)
    }
}

/// The blocks in which two pictures of one size differ, found the slow way.
private func bruteForceMap(_ old: VideoFrame, _ new: VideoFrame) -> ChangeMap {
    var map = ChangeMap(width: new.width, height: new.height)
    for index in map.blocks.indices { map.blocks[index] = 0 }
    for y in 0..<new.height {
        for x in 0..<new.width where new.luma(x, y) != old.luma(x, y) || new.chroma(x, y) != old.chroma(x, y) {
            map.blocks[y / 16 * map.columns + x / 16] = 1
        }
    }
    return map
}

@Suite struct CompositorTests {
    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func incrementalEqualsFresh(seed: UInt64) {
        var script = JobScript(seed: seed)
        let cache = ScaledTileCache(bytesMax: 1 << 16)
        let incremental = Compositor(pool: testPool)
        let sharing = Compositor(pool: testPool, cache: cache)
        let sharingToo = Compositor(pool: testPool, cache: cache)
        var held: [(frame: VideoFrame, hash: String)] = []
        var last: VideoFrame?
        for step in 0..<30 {
            let job = script.next()
            let fresh = Compositor(pool: testPool).render(job)
            let frame = incremental.render(job)
            let hash = fresh.pixelHash
            #expect(frame.pixelHash == hash, "seed \(seed), step \(step)")
            #expect(sharing.render(job).pixelHash == hash, "seed \(seed), step \(step), shared tiles")
            if step % 3 != 1 { #expect(sharingToo.render(job).pixelHash == hash, "seed \(seed), step \(step)") }
            #expect(frame.pts == job.pts)
            #expect(frame.changes?.sequence == UInt64(step + 1))
            if let last, last.width == frame.width, last.height == frame.height {
                #expect(frame.changes?.map == bruteForceMap(last, frame), "seed \(seed), step \(step)")
                if frame.changes?.map.isUnchanged == true { #expect(frame.sharesPixels(with: last)) }
            } else {
                #expect(frame.changes?.map == ChangeMap(width: frame.width, height: frame.height))
            }
            last = frame
            // Nothing is drawn over a picture that somebody still reads.
            held.append((frame, hash))
            if held.count > Int(seed % 9) { held.removeFirst(held.count - Int(seed % 9)) }
            for (frame, hash) in held { #expect(frame.pixelHash == hash, "seed \(seed), step \(step)") }
        }
    }

    @Test func aSecondRunGivesTheSamePixels() {
        func run() -> [String] {
            var script = JobScript(seed: 77)
            let compositor = Compositor(pool: FramePool())
            return (0..<20).map { _ in compositor.render(script.next()).pixelHash }
        }
        #expect(run() == run())
    }

    private func gridJob(_ frames: [VideoFrame]) -> CompositionJob {
        let regions = Layout.balancedGrid(count: frames.count, width: 240, height: 135).regions
        return CompositionJob(
            width: 240, height: 135, pts: .zero,
            tiles: zip(frames, regions).map { Tile(frame: $0, region: $1, fit: .stretch) })
    }

    @Test func onlyWhatChangedIsScaled() {
        let compositor = Compositor(pool: testPool)
        var frames = (0..<9).map { textured(64, 36, seed: UInt64($0)) }
        var output = [compositor.render(gridJob(frames))]
        #expect(compositor.statistics.tilesScaled == 9)
        for step in 0..<12 {
            frames[step % 9] = textured(64, 36, seed: UInt64(100 + step))
            output.append(compositor.render(gridJob(frames)))
            if output.count > 3 { output.removeFirst() }
        }
        #expect(compositor.statistics.tilesScaled == 9 + 12)
        #expect(compositor.statistics.repeats == 0)
    }

    @Test func anUnchangedJobIsTheSameMemoryWithAnEmptyMap() throws {
        let compositor = Compositor(pool: testPool)
        let frames = (0..<4).map { textured(64, 36, seed: UInt64($0)) }
        let first = compositor.render(gridJob(frames))
        // New frame values over the same memory, as a source repeats its last picture.
        let second = compositor.render(gridJob(frames.map { VideoFrame($0, pts: .milliseconds(40)) }))
        #expect(second.sharesPixels(with: first))
        #expect(try #require(second.changes).map.isUnchanged)
        #expect(try #require(second.changes).sequence == 2)
        // Other memory, same pixels: seen by comparison.
        let third = compositor.render(gridJob((0..<4).map { textured(64, 36, seed: UInt64($0)) }))
        #expect(third.sharesPixels(with: first))
        #expect(try #require(third.changes).map.isUnchanged)
        #expect(compositor.statistics.repeats == 2)
    }

    @Test func oneSampleMarksOneBlock() throws {
        let compositor = Compositor(pool: testPool)
        let picture = textured(240, 135, seed: 3)
        let region = Region()
        func job(_ frame: VideoFrame) -> CompositionJob {
            CompositionJob(width: 240, height: 135, pts: .zero, tiles: [Tile(frame: frame, region: region)])
        }
        _ = compositor.render(job(picture))
        let changed = compositor.render(job(touched(picture, x: 239, y: 134)))
        let map = try #require(changed.changes).map
        #expect((map.columns, map.rows) == (15, 9))
        #expect(map.blocks.indices.filter { map.blocks[$0] == 1 } == [9 * 15 - 1])
    }

    @Test func ringReusesMemoryAndSurvivesHoarders() {
        let pool = FramePool()
        let compositor = Compositor(pool: pool)
        let one = gridJob([textured(64, 36, seed: 1)])
        let two = gridJob([textured(64, 36, seed: 2)])
        for _ in 0..<50 {
            _ = compositor.render(one)
            _ = compositor.render(two)
        }
        let canvas = FramePool()
        _ = canvas.picture(width: 240, height: 135)
        let canvasBytes = canvas.liveBytes.peak
        #expect(pool.liveBytes.peak <= 3 * canvasBytes)
        // Forty pictures held at once: each keeps its own memory, and all of it comes back.
        var hoard = (0..<40).map { compositor.render($0 % 2 == 0 ? one : two) }
        #expect(pool.liveBytes.now >= 40 * canvasBytes)
        hoard = []
        #expect(pool.liveBytes.now <= 7 * canvasBytes)
        _ = hoard
    }

    @Test func sharedTilesAreScaledOnceForAllCanvases() {
        let cache = ScaledTileCache()
        let frames = (0..<4).map { textured(64, 36, seed: UInt64($0)) }
        let compositors = (0..<5).map { _ in Compositor(pool: testPool, cache: cache) }
        for compositor in compositors { _ = compositor.render(gridJob(frames)) }
        #expect(compositors.map(\.statistics.tilesScaled) == [4, 0, 0, 0, 0])
        #expect(cache.statistics.misses == 4 && cache.statistics.hits == 16)
    }

    @Test func theTileCacheKeepsToItsBound() {
        let cache = ScaledTileCache(bytesMax: 100_000)
        let compositor = Compositor(pool: testPool, cache: cache)
        for seed in 0..<50 { _ = compositor.render(gridJob([textured(64, 36, seed: UInt64(seed))])) }
        #expect(cache.statistics.bytes > 0 && cache.statistics.bytes <= 100_000)
    }
}
