import Core
import Files
import Foundation
import TestKit
import Testing

/// Seeded damage to good files: nothing crashes, nothing runs for ever. A failure names its seed.
@Suite struct FuzzTests {
    private static let corruptions = 300
    /// More packets than any of the files could hold, even cut into single bytes.
    private static let packetsMax = 200_000

    /// Changes, removes, repeats or inserts some bytes: half the time mostly near the start, where the structure is,
    /// else behind the headers.
    private func damage(_ original: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
        var bytes = original
        let spares = Bool.random(using: &random) ? min(4_600, original.count / 2) : 0
        func place() -> Int {
            let reach = spares == 0 && Bool.random(using: &random) ? min(bytes.count, 2_048) : bytes.count
            return Int.random(in: min(spares, reach - 1)..<reach, using: &random)
        }
        for _ in 0..<Int.random(in: 1...12, using: &random) where bytes.count > 64 {
            guard bytes.count > spares + 64 else { break }
            let at = place()
            let length = min(Int.random(in: 1...40, using: &random), bytes.count - at)
            switch Int.random(in: 0..<6, using: &random) {
            case 0: for index in at..<(at + length) { bytes[index] = UInt8.random(in: 0...255, using: &random) }
            case 1: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 2: for index in at..<(at + length) { bytes[index] = Bool.random(using: &random) ? 0xFF : 0 }
            case 3: bytes.removeSubrange(at..<(at + length))
            case 4: bytes.insert(contentsOf: bytes[at..<(at + length)], at: place())
            default: if Int.random(in: 0..<4, using: &random) == 0 { bytes.removeLast(bytes.count - max(at, 32)) }
            }
        }
        return bytes
    }

    @Test(arguments: ["vp8.webm", "b.mp4", "b.mkv", "vorbis.ogg", "pcm.wav", "fragmented.mp4", "b.ts", "a.flac"])
    func brokenFilesAreRead(name: String) throws {
        let original = try TestMedia.bytes(try TestMedia.path(name))
        var opened = 0
        for seed in 0..<Self.corruptions {
            var random = SeededRandom(seed: UInt64(seed))
            let bytes = damage(original, &random)
            do throws(FileError) {
                let demuxer = try Demuxer(source: MemorySource(bytes, isSeekable: seed % 8 != 0), name: name)
                opened += 1
                var count = 0
                var last = [MediaTime](repeating: .distantPast, count: demuxer.tracks.count)
                while let packet = try demuxer.read() {
                    count += 1
                    let (frame, before) = (packet.frame, last[packet.track])
                    #expect(frame.dts <= frame.pts && frame.dts >= before, "seed \(seed)")
                    last[packet.track] = frame.dts
                    guard count < Self.packetsMax else {
                        Issue.record("\(name) with seed \(seed) does not end")
                        break
                    }
                }
                if demuxer.isSeekable {
                    try demuxer.seek(to: .milliseconds(Int.random(in: 0..<5_000, using: &random)))
                    for _ in 0..<20 where try demuxer.read() == nil { break }
                }
            } catch {
                #expect("\(error)".hasPrefix("“\(name)”"), "seed \(seed): \(error)")
            }
        }
        // Damage that always kills would test nothing but the first check.
        #expect(opened > Self.corruptions / 10, "only \(opened) could be opened")
    }

    @Test(arguments: [Container.mp4, .mkv, .webm])
    func brokenRecordingsAreRepairedOrRefused(container: Container) throws {
        let source = try MuxerTests.Source(container == .webm ? "vp8.webm" : "b.mp4")
        let folder = try Shell.scratch("fuzz")
        let path = "\(folder)/a.\(container.rawValue)"
        let muxer = try Muxer(url: path, container: container, tracks: source.formats)
        for packet in source.packets { try muxer.write(track: packet.track, frame: packet.frame) }
        let original = try TestMedia.bytes(path)
        var mended = 0
        for seed in 0..<Self.corruptions {
            var random = SeededRandom(seed: UInt64(seed))
            let bytes = damage(original, &random)
            let copy = "\(folder)/b.\(container.rawValue)"
            try TestMedia.write(bytes, to: copy)
            do {
                let report = try repair(path: copy)
                if report.wasWhole { #expect(try TestMedia.bytes(copy) == bytes) } else { mended += 1 }
            } catch is FileError {
                #expect(try TestMedia.bytes(copy) == bytes, "seed \(seed): refused, but changed")
            }
            #expect(!TestMedia.exists(copy + ".repair"))
        }
        #expect(mended > Self.corruptions / 10, "only \(mended) were mended")
    }
}
