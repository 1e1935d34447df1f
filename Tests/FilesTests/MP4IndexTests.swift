import Core
import Foundation
import Glibc
import TestKit
import Testing

@testable import Files

/// Boxes made by hand: right ones, and such as no honest writer makes.
@Suite struct MP4IndexTests {
    private func box(_ name: StaticString, _ body: [UInt8] = []) -> [UInt8] {
        var writer = MP4Writer()
        writer.box(MP4Box.code(name)) { $0.raw(body) }
        return writer.bytes
    }
    private func be(_ value: Int, _ bytes: Int = 4) -> [UInt8] {
        (0..<bytes).reversed().map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }

    /// A file of ours with one track (number 1, 1000 ticks a second, zero at tick 1000).
    private func header(trackBody: [UInt8]? = nil) -> [UInt8] {
        let media = box(
            "mdia",
            box("mdhd", be(0) + be(0) + be(0) + be(1000) + be(0) + be(0))
                + box("minf", box("stbl", box("stsd", be(0) + be(0)))))
        let zeros = [UInt8](repeating: 0, count: 60)
        let track =
            trackBody ?? box("tkhd", be(3) + be(0) + be(0) + be(1) + be(0) + be(0) + zeros)
            + box("edts", box("elst", be(0) + be(1) + be(0) + be(1000) + be(1 << 16))) + media
        return box("ftyp", Array("isom".utf8) + be(0)) + box("free", [UInt8](repeating: 0, count: 8))
            + box(
                "moov",
                box("mvhd", be(0) + be(0) + be(0) + be(90_000) + be(0) + [UInt8](repeating: 0, count: 80))
                    + box("trak", track) + box("mvex", box("trex", be(0) + be(1) + be(1) + be(40) + be(5) + be(0))))
    }

    /// A fragment of samples of 5 bytes, 40 ticks each, beginning at `time`.
    private func fragment(at time: Int, samples: Int, sizeTold: Int? = nil, track: Int = 1) -> [UInt8] {
        let head = box("tfhd", be(0x020000) + be(track)) + box("tfdt", be(0) + be(time))
        let runSize = 8 + 12
        let moofSize = 8 + 8 + head.count + runSize
        let run = box("trun", be(1) + be(sizeTold ?? samples) + be(moofSize + 8))
        return box("moof", box("traf", head + run)) + box("mdat", [UInt8](repeating: 0xAA, count: 5 * samples))
    }

    private func index(_ bytes: [UInt8]) throws -> MP4Index {
        let path = try Shell.scratch("index") + "/a.mp4"
        try TestMedia.write(bytes, to: path)
        let descriptor = open(path, O_RDWR)
        defer { close(descriptor) }
        return try MP4Index(descriptor: descriptor, path: path)
    }

    @Test func fragmentsAreCollected() throws {
        let bytes = header() + fragment(at: 1000, samples: 10) + fragment(at: 1400, samples: 5)
        let found = try index(bytes)
        #expect(found.state == .unfinished)
        #expect(found.end == Int64(bytes.count))
        #expect(found.tracks[0].samples.map(\.dts) == (0..<15).map { 1000 + 40 * $0 })
        #expect(found.tracks[0].samples.allSatisfy { $0.size == 5 && $0.isSync })
        #expect(found.tracks[0].chunks.map(\.count) == [10, 5])
        #expect(found.duration == .milliseconds(600))
        #expect(bytes[Int(found.tracks[0].chunks[1].offset)] == 0xAA)
    }

    @Test func incompleteEndsAreLeftOut() throws {
        let good = header() + fragment(at: 1000, samples: 10)
        let last = fragment(at: 1400, samples: 5)
        for cut in 1..<last.count {
            let found = try index(good + last.dropLast(cut))
            #expect(found.end == Int64(good.count))
            #expect(found.tracks[0].samples.count == 10)
            // Up to 33 bytes are the mdat; with more the moof that announces it is torn itself.
            #expect(found.samplesLost == (cut <= 33 ? 5 : 0))
        }
    }

    @Test func gapsBecomeDurationsAndOverlapsKeepOrder() throws {
        let found = try index(
            header() + fragment(at: 1000, samples: 2) + fragment(at: 2000, samples: 2) + fragment(at: 1500, samples: 2))
        #expect(found.tracks[0].samples.map(\.dts) == [1000, 1040, 2000, 2040, 2041, 2081])
        let plan = MP4TrackPlan(found.tracks[0], movieScale: 90_000)
        #expect(plan.durations == [40, 960, 40, 1, 40, 40])
    }

    @Test(arguments: [0, 1, 2, 7, 9, 0x7FFF_FFFF, 0xFFFF_FFFF]) func hostileSizesEndTheWalk(size: Int) throws {
        let good = header() + fragment(at: 1000, samples: 10)
        for name in ["moof", "mdat", "traf", "moov"] {
            let found = try index(good + be(size) + Array(name.utf8) + [UInt8](repeating: 0xFF, count: 40))
            #expect(found.tracks[0].samples.count == 10)
            #expect(found.end == Int64(good.count))
        }
    }

    @Test(arguments: [0, 15, 16, 0x7FFF_FFFF_FFFF_FFFF, -1, 1 << 62])
    func hostileLongSizesEndTheWalk(size: Int) throws {
        let good = header() + fragment(at: 1000, samples: 10)
        let found = try index(good + be(1) + Array("mdat".utf8) + be(size, 8) + [UInt8](repeating: 0, count: 9))
        #expect(found.tracks[0].samples.count == 10)
        #expect(found.end == Int64(good.count))
    }

    @Test func nestedAndLyingBoxesAreRefused() throws {
        let good = header() + fragment(at: 1000, samples: 10)
        let bad: [[UInt8]] = [
            // A box inside that is larger than what holds it; one of size 1 without 64 bits; too many samples told.
            box("moof", be(0x4000) + Array("traf".utf8)) + box("mdat"),
            box("moof", box("traf", be(1) + Array("tfhd".utf8))) + box("mdat"),
            fragment(at: 1400, samples: 2, sizeTold: 0xFFFF_FFFF), fragment(at: 1400, samples: 2, sizeTold: 60_000),
            fragment(at: 1400, samples: 2, sizeTold: 3), fragment(at: 1400, samples: 2, track: 2),
            box("moof", box("traf", box("tfhd", be(0)))) + box("mdat"), box("moof", box("traf")) + box("mdat"),
            box(
                "moof",
                box(
                    "traf",
                    box("tfhd", be(1) + be(1) + be(-1, 8))
                        + box("trun", be(1) + be(1) + be(-1)))) + box("mdat"),
            box(
                "moof",
                box(
                    "traf",
                    box("tfhd", be(1) + be(1) + be(0x7FFF_FFFF_FFFF_FFFF, 8))
                        + box("trun", be(1) + be(1) + be(0x7FFF_FFFF)))) + box("mdat"),
            box("moof", box("traf", box("tfhd", be(0) + be(1)) + box("tfdt", be(1 << 24) + be(-1, 8)))) + box("mdat"),
            box(
                "moof",
                box(
                    "traf",
                    box("tfhd", be(0) + be(1))
                        + box("trun", be(0xF00) + be(0x1000_0000)))) + box("mdat"),
        ]
        for (number, extra) in bad.enumerated() {
            let found = try index(good + extra + fragment(at: 1800, samples: 1))
            #expect(found.tracks[0].samples.count == 10, "case \(number)")
            #expect(found.end == Int64(good.count), "case \(number)")
        }
        for body in [[], box("tkhd"), box("tkhd", be(0)), box("mdia"), be(1) + Array("tkhd".utf8)] {
            #expect(throws: FileError.self) { try index(header(trackBody: body)) }
        }
        #expect(throws: MP4Error.self) {
            let list = be(0) + be(0x7FFF_FFFF)
            _ = try MP4Edit.read(box("elst", list), MP4Box(type: MP4Box.code("elst"), range: 0..<16, body: 8..<16))
        }
    }

    @Test func theEmptyRecordingCannotBeFinished() throws {
        let path = try Shell.scratch("index") + "/a.mp4"
        try TestMedia.write(header(), to: path)
        #expect(throws: FileError.truncated(path: path, what: "it holds not one whole fragment")) {
            try repair(path: path)
        }
        #expect(try TestMedia.bytes(path) == header())
    }

    /// The tables of a track, by box name.
    private func tables(_ track: MP4TrackIndex) throws -> [String: [UInt8]] {
        var writer = MP4Writer()
        MP4TrackPlan(track, movieScale: 90_000).writeTables(isOpus: false, &writer)
        var result: [String: [UInt8]] = [:]
        for box in try MP4Box.children(writer.bytes, in: 0..<writer.bytes.count) {
            result[String(decoding: be(Int(box.type)), as: UTF8.self)] = Array(writer.bytes[box.body])
        }
        return result
    }

    @Test func offsetsBeyondFourGigabytesTakeSixtyFourBits() throws {
        var track = MP4TrackIndex(id: 1, timeScale: 1000, zero: 0, defaults: MP4SampleDefaults())
        track.samples = [MP4Sample(dts: 0, composition: 0, duration: 40, size: 5, isSync: true)]
        track.chunks = [MP4Chunk(offset: 0xFFFF_FFFF, count: 1)]
        #expect(try tables(track)["stco"] == be(0) + be(1) + be(0xFFFF_FFFF))
        track.samples.append(MP4Sample(dts: 40, composition: -4, duration: 40, size: 6, isSync: false))
        track.chunks.append(MP4Chunk(offset: 0x1_0000_0000, count: 1))
        let found = try tables(track)
        #expect(found["stco"] == nil)
        #expect(found["co64"] == be(0) + be(2) + be(0xFFFF_FFFF, 8) + be(0x1_0000_0000, 8))
        #expect(found["stsc"] == be(0) + be(1) + be(1) + be(1) + be(1))
        #expect(found["stsz"] == be(0) + be(0) + be(2) + be(5) + be(6))
        #expect(found["stss"] == be(0) + be(1) + be(1))
        #expect(found["stts"] == be(0) + be(1) + be(2) + be(40))
        #expect(found["ctts"] == be(1 << 24) + be(2) + be(1) + be(0) + be(1) + be(-4))
    }

    @Test func longRecordingsTakeLongDurations() throws {
        // Fifteen hours at 90 kHz do not fit into 32 bits.
        var track = MP4TrackIndex(id: 1, timeScale: 1000, zero: 0, defaults: MP4SampleDefaults())
        track.samples = (0..<2).map {
            MP4Sample(dts: Int64($0) * 54_000_000, composition: 0, duration: 40, size: 5, isSync: true)
        }
        track.chunks = [MP4Chunk(offset: 100, count: 2)]
        let movie = Array(header()[(16 + 16)...])
        let built = try MP4Movie.build(movie, tracks: [track])
        let box = try MP4Box.child("mvhd", built, in: 8..<built.count)
        #expect(built[box.body.lowerBound] == 1)
        #expect(try MP4MediaHeader(built, box).duration == 54_000_040 * 90)
        let rebuilt = try MP4Movie.build(built, tracks: [track])
        #expect(rebuilt == built)
    }

    @Test func hostileTimesDoNotOverflow() throws {
        var track = MP4TrackIndex(id: 1, timeScale: 1, zero: (1 << 60) - 1, defaults: MP4SampleDefaults())
        track.samples = [
            MP4Sample(dts: 0, composition: .min, duration: .max, size: .max, isSync: true),
            MP4Sample(dts: (1 << 60) - 1, composition: .max, duration: .max, size: .max, isSync: true),
        ]
        track.chunks = [MP4Chunk(offset: .max, count: 2)]
        let plan = MP4TrackPlan(track, movieScale: .max)
        #expect(plan.durations == [.max, .max])
        var writer = MP4Writer()
        plan.writeTables(isOpus: true, &writer)
        #expect(try MP4Box.children(writer.bytes, in: 0..<writer.bytes.count).count == 7)
        track = MP4TrackIndex(id: 1, timeScale: .max, zero: 0, defaults: MP4SampleDefaults(), samples: track.samples)
        plan.writeTables(isOpus: true, &writer)
        #expect(MP4TrackPlan(track, movieScale: 1).presented > 0)
    }

    @Test func editListsPutTracksWhereTheyWere() {
        var track = MP4TrackIndex(id: 1, timeScale: 48_000, zero: 48_000, defaults: MP4SampleDefaults())
        func sample(_ dts: Int64, _ composition: Int32 = 0) -> MP4Sample {
            MP4Sample(dts: dts, composition: composition, duration: 960, size: 5, isSync: true)
        }
        // Priming before zero is cut off; a late start becomes a pause; reordering is taken out.
        track.samples = [sample(48_000 - 312), sample(48_000 - 312 + 960)]
        #expect(MP4TrackPlan(track, movieScale: 48_000).edits == [MP4Edit(duration: 1608, mediaTime: 312)])
        track.samples = [sample(96_000), sample(96_960)]
        #expect(
            MP4TrackPlan(track, movieScale: 90_000).edits
                == [MP4Edit(duration: 90_000, mediaTime: -1), MP4Edit(duration: 3600, mediaTime: 0)])
        track.samples = [sample(48_000 - 1920, 1920), sample(48_000 - 960, 3840), sample(48_000, 960)]
        #expect(MP4TrackPlan(track, movieScale: 48_000).edits == [MP4Edit(duration: 3840, mediaTime: 1920)])
    }
}
