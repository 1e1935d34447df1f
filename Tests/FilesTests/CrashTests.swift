import Core
import Files
import Foundation
import Glibc
import TestKit
import Testing

/// What is left of a recording when its program is killed, when the disk is full, and after `repair`.
@Suite struct CrashTests {
    /// Sources with a key frame only at the start.
    static let cases: [(Container, String)] = [
        (.webm, "single.webm"), (.mkv, "single.webm"), (.mkv, "single.mp4"), (.mp4, "single.mp4"),
    ]

    /// What the kernel has of a file while it is being written, at several points: the bytes and the time written.
    private func snapshots(
        _ container: Container, _ source: MuxerTests.Source, every count: Int, skipTrack: Int? = nil
    ) throws -> [(bytes: [UInt8], written: Double)] {
        let path = try Shell.scratch("crash") + "/out.\(container.rawValue)"
        let muxer = try Muxer(url: path, container: container, tracks: source.formats)
        var result: [(bytes: [UInt8], written: Double)] = []
        var written = 0.0
        for (index, packet) in source.packets.enumerated() where packet.track != skipTrack {
            try muxer.write(track: packet.track, frame: packet.frame)
            written = max(written, packet.frame.dts.seconds)
            if index % count == count - 1 { result.append((try TestMedia.bytes(path), written)) }
        }
        return result
    }

    @Test(arguments: cases) func aKilledRecordingPlaysToTheLastSecond(container: Container, name: String) throws {
        let source = try MuxerTests.Source(name)
        let folder = try Shell.scratch("killed")
        for (index, snapshot) in try snapshots(container, source, every: 53).enumerated() where snapshot.written > 1 {
            let path = "\(folder)/\(index).\(container.rawValue)"
            try TestMedia.write(snapshot.bytes, to: path)
            for stream in ["v", "a"] {
                let (end, frames) = try TestMedia.decodedEnd(path, stream)
                #expect(end >= snapshot.written - 1, "\(stream): \(end) of \(snapshot.written) s")
                #expect(frames > 0)
            }
        }
    }

    @Test(arguments: cases) func aSilentTrackHoldsNothingBack(container: Container, name: String) throws {
        let source = try MuxerTests.Source(name)
        let folder = try Shell.scratch("silent")
        for silent in [0, 1] {
            let snapshot = try #require(try snapshots(container, source, every: 70, skipTrack: silent).last)
            let path = "\(folder)/\(silent).\(container.rawValue)"
            try TestMedia.write(snapshot.bytes, to: path)
            let (end, _) = try TestMedia.decodedEnd(path, silent == 0 ? "a" : "v")
            #expect(end >= snapshot.written - 1, "\(end) of \(snapshot.written) s")
        }
    }

    @Test(arguments: cases) func repairMendsAKilledRecording(container: Container, name: String) throws {
        let source = try MuxerTests.Source(name)
        let folder = try Shell.scratch("repair")
        let whole = "\(folder)/whole.\(container.rawValue)"
        try MuxerTests.write(source, to: whole, container)
        let expected = try MuxerTests.checksums(whole)
        let snapshot = try #require(try snapshots(container, source, every: 90).last)
        // As the kernel has it, and torn at arbitrary bytes.
        for cut in [0, 1, 100, 3_333, 20_000] {
            let path = "\(folder)/\(cut).\(container.rawValue)"
            try TestMedia.write(snapshot.bytes.dropLast(cut), to: path)
            let report = try repair(path: path)
            #expect(!report.wasWhole)
            #expect(cut == 0 || report.bytesLost > 0 || report.framesLost > 0, "\(report)")
            let sums = try MuxerTests.checksums(path)
            #expect(sums.joined().count == report.frames)
            for (mended, all) in zip(sums, expected) { #expect(Array(all.prefix(mended.count)) == mended) }
            let duration = try #require(try TestMedia.duration(path))
            let ends = try ["v", "a"].map { try TestMedia.decodedEnd(path, $0).end }
            #expect(abs(duration - (ends.max() ?? 0)) < 0.05)
            #expect(abs((report.duration ?? .zero).seconds - duration) < 0.05)
            #expect(duration > snapshot.written - (cut > 3_000 ? 3 : 1.1))
            // A second repair finds nothing to do and changes nothing.
            let bytes = try TestMedia.bytes(path)
            #expect(try repair(path: path).wasWhole)
            #expect(try TestMedia.bytes(path) == bytes)
            #expect(!TestMedia.exists(path + ".repair"))
        }
    }

    @Test func repairAndACleanEndMakeTheSameMP4() throws {
        let source = try MuxerTests.Source("b.mp4")
        let folder = try Shell.scratch("same")
        let muxer = try Muxer(url: "\(folder)/a.mp4", container: .mp4, tracks: source.formats)
        for packet in source.packets { try muxer.write(track: packet.track, frame: packet.frame) }
        try muxer.flush()
        try TestMedia.write(try TestMedia.bytes("\(folder)/a.mp4"), to: "\(folder)/b.mp4")
        try muxer.finish()
        _ = try repair(path: "\(folder)/b.mp4")
        #expect(try TestMedia.bytes("\(folder)/a.mp4") == TestMedia.bytes("\(folder)/b.mp4"))
    }

    @Test func aKillBetweenIndexAndPatchIsMended() throws {
        let source = try MuxerTests.Source("b.mp4")
        let folder = try Shell.scratch("patch")
        try MuxerTests.write(source, to: "\(folder)/a.mp4", .mp4)
        let whole = try TestMedia.bytes("\(folder)/a.mp4")
        // The 16 bytes behind ftyp are as they were before the last write.
        let ftyp = Int(whole[3])
        var bytes = whole
        let reserve = [0, 0, 0, 16] + Array("free".utf8) + [UInt8](repeating: 0, count: 8)
        bytes.replaceSubrange(ftyp..<(ftyp + 16), with: reserve)
        for cut in [0, 7, 500] {
            try TestMedia.write(bytes.dropLast(cut), to: "\(folder)/b.mp4")
            #expect(try !repair(path: "\(folder)/b.mp4").wasWhole)
            #expect(try TestMedia.bytes("\(folder)/b.mp4") == whole)
        }
        // Power lost after the patch but before the index: the fragments are still found.
        try TestMedia.write(whole.dropLast(300), to: "\(folder)/c.mp4")
        #expect(try !repair(path: "\(folder)/c.mp4").wasWhole)
        #expect(try TestMedia.bytes("\(folder)/c.mp4") == whole)
    }

    @Test func repairLeavesWhatItDoesNotUnderstand() throws {
        let folder = try Shell.scratch("foreign")
        func refused(_ name: String, _ bytes: [UInt8]) throws {
            let path = "\(folder)/\(name)"
            try TestMedia.write(bytes, to: path)
            #expect(throws: FileError.self) { try repair(path: path) }
            #expect(try TestMedia.bytes(path) == bytes)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [name])
            try FileManager.default.removeItem(atPath: path)
        }
        try refused("letter.webm", Array("This is a letter, and a rather long one at that.".utf8))
        try refused("short.mp4", [0, 0, 0])
        try refused("sound.wav", try TestMedia.bytes(try TestMedia.path("pcm.wav")))
        try refused("head.mkv", Array(try TestMedia.bytes(try TestMedia.path("b.mkv")).prefix(300)))
        let progressive = try TestMedia.bytes(try TestMedia.path("b.mp4"))
        try refused("headless.mp4", Array(progressive.prefix(progressive.count / 2)))
        for name in ["b.mp4", "vp8.webm", "b.mkv", "fragmented.mp4"] {
            let path = "\(folder)/\(name)"
            let bytes = try TestMedia.bytes(try TestMedia.path(name))
            try TestMedia.write(bytes, to: path)
            #expect(try repair(path: path).wasWhole, "\(name)")
            #expect(try TestMedia.bytes(path) == bytes)
        }
        // Fragments of another program, cut off: copied into a whole file.
        let fragments = try TestMedia.bytes(try TestMedia.path("fragmented.mp4"))
        try TestMedia.write(Array(fragments.prefix(fragments.count * 3 / 4)), to: "\(folder)/cut.mp4")
        #expect(try !repair(path: "\(folder)/cut.mp4").wasWhole)
        #expect(try TestMedia.decodedEnd("\(folder)/cut.mp4", "v").frames > 40)
    }

    @Test func aRecordingInProgressIsLeftAlone() throws {
        let source = try MuxerTests.Source("vp8.webm")
        let path = try Shell.scratch("busy") + "/a.webm"
        let muxer = try Muxer(url: path, container: .webm, tracks: source.formats)
        for packet in source.packets { try muxer.write(track: packet.track, frame: packet.frame) }
        #expect(throws: FileError.inUse(path: path)) { try repair(path: path) }
        #expect(throws: FileError.inUse(path: path)) {
            try Muxer(url: path, container: .webm, tracks: source.formats)
        }
        try muxer.finish()
        #expect(try TestMedia.decodedEnd(path, "v").frames == 100)
    }

    @Test func whatCannotStartLeavesNoFile() throws {
        let folder = try Shell.scratch("start")
        let source = try MuxerTests.Source("b.mp4")
        func start(_ path: String, _ container: Container, _ formats: [EncodedFormat]) throws {
            _ = try Muxer(url: path, container: container, tracks: formats)
        }
        #expect(throws: FileError.unsupported(path: "\(folder)/a.webm", what: "h264 in webm")) {
            try start("\(folder)/a.webm", .webm, source.formats)
        }
        let sizeless = EncodedFormat.video(VideoFormat(codec: .vp8, width: 0, height: 0))
        #expect(throws: FileError.unsupported(path: "\(folder)/b.webm", what: "a picture of 0×0 pixels")) {
            try start("\(folder)/b.webm", .webm, [sizeless])
        }
        // AAC without its configuration cannot be described.
        let bare = EncodedFormat.audio(AudioFormat(codec: .vorbis, sampleRate: 48_000, channels: 2))
        #expect(throws: FileError.self) { try start("\(folder)/c.webm", .webm, [bare]) }
        #expect(throws: FileError.notFound(path: "\(folder)/no/a.mp4")) {
            try start("\(folder)/no/a.mp4", .mp4, source.formats)
        }
        #expect(throws: FileError.notAFile(path: folder)) { try start(folder, .mp4, source.formats) }
        #expect(throws: FileError.full(path: "/dev/full")) { try start("/dev/full", .mp4, source.formats) }
        #expect(throws: FileError.full(path: "/dev/full")) { try start("/dev/full", .mkv, source.formats) }
        #expect(TestMedia.exists("/dev/full"))
        let muxer = try Muxer(url: "\(folder)/d.mkv", container: .mkv, tracks: source.formats)
        #expect(throws: FileError.nothingRecorded(path: "\(folder)/d.mkv")) { try muxer.finish() }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
        var options = Muxer.Options()
        options.createsFolders = true
        let deep = try Muxer(url: "\(folder)/x/y/z.mkv", container: .mkv, tracks: source.formats, options: options)
        for packet in source.packets { try deep.write(track: packet.track, frame: packet.frame) }
        try deep.finish()
        #expect(TestMedia.exists("\(folder)/x/y/z.mkv"))
        #expect(throws: FileError.self) { try start("http://127.0.0.1:9/up.webm", .webm, [sizeless]) }
    }

    /// A limit on the size of files stands for the full disk; it holds for a whole process, so the test has its own.
    @Test(arguments: [Container.webm, .mkv, .mp4])
    func aFullDiskIsReportedAndTheRestPlays(container: Container) async throws {
        let media = try TestMedia.path(container == .webm ? "single.webm" : "single.mp4")
        let path = try Shell.scratch("full") + "/out.\(container.rawValue)"
        let name = container.rawValue
        await #expect(processExitsWith: .success) {
            [path = path as String, media = media as String, name = name as String] in
            let container = try #require(Container(pathExtension: name))
            var limit = rlimit(rlim_cur: 90_000, rlim_max: 90_000)
            signal(SIGXFSZ, SIG_IGN)
            setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            let demuxer = try Demuxer(url: media)
            let muxer = try Muxer(url: path, container: container, tracks: demuxer.tracks.compactMap(\.format))
            #expect(throws: FileError.full(path: path)) {
                while let packet = try demuxer.read() { try muxer.write(track: packet.track, frame: packet.frame) }
            }
            #expect(throws: FileError.full(path: path)) { try muxer.finish() }
        }
        let size = try TestMedia.bytes(path).count
        #expect(size > 30_000 && size <= 90_000, "\(size) bytes")
        try Shell.ffmpeg(["-xerror", "-i", path, "-f", "null", "-"])
        #expect(try TestMedia.decodedEnd(path, "v").end > 0.4)
        if container == .mp4 { #expect(try repair(path: path).wasWhole) }
    }
}
