import Core
import Files
import Foundation
import TestKit
import Testing

@Suite struct MuxerTests {
    /// Container and a source whose tracks it takes.
    static let cases: [(Container, String)] = [
        (.webm, "vp8.webm"), (.webm, "vp9.webm"), (.mkv, "vp8.webm"), (.mkv, "b.mkv"), (.mp4, "b.mp4"), (.mp4, "b.ts"),
        (.mp4, "opus.mp4"), (.mkv, "b.mp4"), (.mp4, "late.mkv"), (.mkv, "pcm.wav"), (.mp4, "a.flac"), (.mp4, "a.mp3"),
    ]

    /// The packets of a file in decoding order over all tracks, and its formats.
    struct Source {
        let formats: [EncodedFormat]
        var packets: [Packet]
        init(_ name: String) throws {
            let demuxer = try Demuxer(url: try TestMedia.path(name))
            var packets: [Packet] = []
            while let packet = try demuxer.read() { packets.append(packet) }
            self.packets = packets.enumerated().sorted {
                ($0.element.frame.dts, $0.offset) < ($1.element.frame.dts, $1.offset)
            }.map(\.element)
            formats = demuxer.tracks.compactMap(\.format)
        }
        /// When the last frame of a kind ends.
        func end(_ kind: MediaKind) -> Double? {
            packets.filter { formats[$0.track].kind == kind }.map { ($0.frame.pts + $0.frame.duration).seconds }.max()
        }
    }

    static func write(_ source: Source, to path: String, _ container: Container) throws {
        let muxer = try Muxer(url: path, container: container, tracks: source.formats)
        for packet in source.packets { try muxer.write(track: packet.track, frame: packet.frame) }
        try muxer.finish()
        #expect(muxer.repairCount == 0)
        #expect(muxer.frameCounts.reduce(0, +) == source.packets.count)
    }

    /// Payload checksums per stream, as ffmpeg computes them.
    static func checksums(_ path: String) throws -> [[String]] {
        let text = try Shell.ffmpeg(["-i", path, "-map", "0", "-c", "copy", "-f", "framemd5", "-"])
        var result: [[String]] = [[], []]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let fields = line.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
            if let stream = Int(fields[0]), let sum = fields.last { result[stream].append(sum) }
        }
        return result
    }

    @Test(arguments: cases) func payloadsTimesAndDurationSurvive(container: Container, name: String) throws {
        let source = try Source(name)
        let path = try Shell.scratch("mux") + "/out.\(container.rawValue)"
        try Self.write(source, to: path, container)
        // The same frames come back, byte for byte, at the same times (Matroska: to the millisecond).
        let demuxer = try Demuxer(url: path)
        let again = try TestMedia.frames(demuxer)
        let tolerance = container == .mp4 ? 0.00003 : 0.00101
        for track in source.formats.indices {
            let expected = source.packets.filter { $0.track == track }.map(\.frame)
            #expect(again[track].map(\.payload.bytes) == expected.map(\.payload.bytes))
            // Matroska moves everything where the first sound is priming.
            let offset = (again[track].first?.pts ?? .zero) - (expected.first?.pts ?? .zero)
            #expect(abs(offset.seconds) < (container == .mp4 ? tolerance : 0.05))
            for (a, b) in zip(again[track], expected) {
                #expect(abs((a.pts - offset).seconds - b.pts.seconds) < tolerance)
                #expect(a.isKey == b.isKey)
            }
        }
        let end = max(source.end(.video) ?? 0, source.end(.audio) ?? 0)
        let duration = try #require(try TestMedia.duration(path))
        #expect(abs(duration - end) < 0.04, "\(duration) instead of \(end)")
        if container != .mp4 {
            // Cues (RFC 9559, 5.1.5): named by the seek head, and there.
            let bytes = try TestMedia.bytes(path)
            let cues: [UInt8] = [0x1C, 0x53, 0xBB, 0x6B]
            let places = bytes.indices.dropLast(3).filter {
                bytes[$0] == cues[0] && bytes[$0..<($0 + 4)].elementsEqual(cues)
            }
            #expect(places.count >= 2)
        }
        // ffmpeg reads it without complaint, and from the middle.
        try Shell.ffmpeg(["-xerror", "-i", path, "-f", "null", "-"])
        let tail = try Shell.ffmpeg(["-ss", "2.5", "-i", path, "-f", "framecrc", "-"])
        #expect(tail.split(separator: "\n").filter { !$0.hasPrefix("#") }.count > 10)
    }

    @Test func frameChecksumsEqualTheInputs() throws {
        for (container, name) in [(Container.webm, "vp8.webm"), (.mkv, "b.mkv"), (.mp4, "b.mp4")] {
            let path = try Shell.scratch("md5") + "/out.\(container.rawValue)"
            try Self.write(try Source(name), to: path, container)
            #expect(try Self.checksums(path) == Self.checksums(try TestMedia.path(name)))
        }
    }

    @Test func soundAndPictureStayTogether() throws {
        // The offset between the first picture and the first audible sample, before and after.
        for (container, name) in Self.cases {
            let source = try Source(name)
            guard source.formats.count == 2 else { continue }
            let path = try Shell.scratch("skew") + "/out.\(container.rawValue)"
            try Self.write(source, to: path, container)
            func skew(_ path: String) throws -> Double {
                let frames = try TestMedia.frames(try Demuxer(url: path))
                let picture = frames[0].map(\.pts).min() ?? .zero
                // The second block: what precedes it may be priming that Matroska cannot mark.
                return (picture - frames[1][1].pts).seconds
            }
            let before = try skew(try TestMedia.path(name))
            let after = try skew(path)
            #expect(abs(before - after) < 0.0021, "\(name) in \(container): \(before) → \(after)")
        }
    }

    @Test func aLateTrackKeepsItsOffset() throws {
        for container in [Container.mp4, .mkv] {
            var source = try Source("opus.mp4")
            for index in source.packets.indices where source.packets[index].track == 1 {
                source.packets[index].frame.pts += .milliseconds(1_234)
                source.packets[index].frame.dts += .milliseconds(1_234)
            }
            source.packets.sort { $0.frame.dts < $1.frame.dts }
            let path = try Shell.scratch("late") + "/out.\(container.rawValue)"
            try Self.write(source, to: path, container)
            let probed = try TestMedia.probe(path).filter { $0.stream == 1 }
            let first = try #require(probed.compactMap(\.pts).min())
            #expect(abs(first - 1.2275) < 0.0075)
            let video = try #require(try TestMedia.probe(path).filter { $0.stream == 0 }.compactMap(\.pts).min())
            #expect(abs(video) < 0.002)
        }
    }

    @Test func aFinishedMP4IsProgressive() throws {
        for name in ["b.mp4", "opus.mp4", "b.ts"] {
            let path = try Shell.scratch("progressive") + "/out.mp4"
            try Self.write(try Source(name), to: path, .mp4)
            #expect(try topLevel(path) == ["ftyp", "mdat", "moov"])
            let probed = try TestMedia.probe(path)
            let frames = try TestMedia.frames(try Demuxer(url: path))
            let expected = try Source(name)
            let first = try #require(expected.packets.filter { $0.track == 0 }.map(\.frame.pts).min())
            let probedFirst = try #require(probed.filter { $0.stream == 0 }.compactMap(\.pts).min())
            #expect(abs(probedFirst - first.seconds) < 2e-5)
            for track in [0, 1] {
                let dts = expected.packets.filter { $0.track == track }.map(\.frame.dts.seconds)
                let shift = frames[track][0].dts.seconds - dts[0]
                #expect(zip(frames[track], dts).allSatisfy { abs($0.dts.seconds - $1 - shift) < 3e-5 })
            }
        }
    }

    @Test func equalInputGivesEqualBytes() throws {
        for (container, name) in [(Container.webm, "vp8.webm"), (.mkv, "b.mkv"), (.mp4, "b.mp4")] {
            let folder = try Shell.scratch("equal")
            let source = try Source(name)
            try Self.write(source, to: "\(folder)/1", container)
            try Self.write(source, to: "\(folder)/2", container)
            #expect(try TestMedia.bytes("\(folder)/1") == TestMedia.bytes("\(folder)/2"), "\(container)")
        }
    }

    @Test func rotationIsKeptInMP4AndRefusedByMatroska() throws {
        let folder = try Shell.scratch("turn")
        // White in the upper left corner.
        try Shell.ffmpeg(
            [
                "-f", "lavfi", "-i", "color=black:s=160x120:d=1,drawbox=x=0:y=0:w=80:h=60:c=white:t=fill", "-c:v",
                "libx264", "-pix_fmt", "yuv420p", "\(folder)/in.mp4",
            ])
        let demuxer = try Demuxer(url: "\(folder)/in.mp4")
        guard case .video(var video)? = demuxer.tracks[0].format else { return #expect(Bool(false), "no video") }
        video.rotation = 90
        #expect(!Container.mkv.accepts(.video(video)))
        let muxer = try Muxer(url: "\(folder)/out.mp4", container: .mp4, tracks: [.video(video)])
        while let packet = try demuxer.read() { try muxer.write(track: 0, frame: packet.frame) }
        try muxer.finish()
        guard case .video(let again)? = try Demuxer(url: "\(folder)/out.mp4").tracks[0].format else { return }
        #expect(again.rotation == 90)
        // Turned clockwise, the white corner is on the upper right; ffmpeg turns when it decodes.
        try Shell.ffmpeg(
            [
                "-i", "\(folder)/out.mp4", "-vf", "scale=2:2:flags=area,format=gray", "-frames:v", "1", "-f",
                "rawvideo",
                "\(folder)/gray",
            ])
        let gray = try TestMedia.bytes("\(folder)/gray")
        #expect(gray.map { $0 > 128 } == [false, true, false, false])
    }

    @Test func paddingAtTheEndIsTold() throws {
        for (container, name) in [(Container.webm, "vp8.webm"), (.mp4, "opus.mp4")] {
            let source = try Source(name)
            let path = try Shell.scratch("padding") + "/out.\(container.rawValue)"
            try Self.write(source, to: path, container)
            let frames = try TestMedia.frames(try Demuxer(url: path))[1]
            #expect(frames.first?.skipStart == 312)
            let expected = try #require(source.packets.last { $0.track == 1 }).frame.skipEnd
            #expect(expected > 0)
            #expect(abs((frames.last?.skipEnd ?? 0) - expected) <= 1, "\(container)")
        }
    }

    @Test func parameterSetsTravelInBandAfterAChange() throws {
        let folder = try Shell.scratch("change")
        try Shell.ffmpeg(
            [
                "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25", "-t", "2", "-c:v", "libx264", "-bf", "0", "-g",
                "10",
                "-pix_fmt", "yuv420p", "\(folder)/second.mp4",
            ])
        let first = try Source("b.mp4")
        let second = try Demuxer(url: "\(folder)/second.mp4")
        let format = try #require(second.tracks[0].format)
        for container in [Container.mkv, .mp4] {
            let path = "\(folder)/out.\(container.rawValue)"
            let muxer = try Muxer(url: path, container: container, tracks: [first.formats[0]])
            for packet in first.packets where packet.track == 0 { try muxer.write(track: 0, frame: packet.frame) }
            try muxer.updateFormat(track: 0, format: format)
            for var frame in try TestMedia.frames(try Demuxer(url: "\(folder)/second.mp4"))[0] {
                frame.pts += .milliseconds(4_000)
                frame.dts += .milliseconds(4_000)
                try muxer.write(track: 0, frame: frame)
            }
            try muxer.finish()
            let sizes = try Shell.check(
                "ffprobe", ["-v", "error", "-show_entries", "frame=width", "-of", "csv=p=0", path]
            ).split(separator: "\n").compactMap { Int($0.prefix { $0.isNumber }) }
            #expect(sizes.filter { $0 == 160 }.count == 100 && sizes.filter { $0 == 320 }.count == 50)
            // And from the middle of the second part.
            try Shell.ffmpeg(["-xerror", "-ss", "5", "-i", path, "-f", "null", "-"])
        }
        let muxer = try Muxer(url: "\(folder)/x.mkv", container: .mkv, tracks: [format])
        #expect(
            throws: FileError.unsupported(
                path: "\(folder)/x.mkv", what: "a change from h264 to vp8 while recording")
        ) {
            try muxer.updateFormat(track: 0, format: .video(VideoFormat(codec: .vp8, width: 320, height: 240)))
        }
    }

    @Test func timesThatDoNotRiseAreMendedOrRefused() throws {
        let folder = try Shell.scratch("times")
        let source = try Source("vp8.webm")
        let frame = try #require(source.packets.first { $0.track == 0 }).frame
        for container in [Container.webm, .mkv] {
            let path = "\(folder)/out.\(container.rawValue)"
            let muxer = try Muxer(url: path, container: container, tracks: [source.formats[0]])
            for milliseconds in [0, 40, 80, 60, 80, 120] {
                var moved = frame
                moved.pts = .milliseconds(milliseconds)
                moved.dts = moved.pts
                try muxer.write(track: 0, frame: moved)
            }
            #expect(muxer.repairCount == 1)
            try muxer.flush()
            var moved = frame
            moved.pts = .milliseconds(-2_000)
            moved.dts = moved.pts
            try muxer.write(track: 0, frame: frame.at(.milliseconds(3_000)))
            #expect {
                try muxer.write(track: 0, frame: moved)
            } throws: { error in
                if case FileError.badTimes? = error as? FileError { true } else { false }
            }
            try muxer.write(track: 0, frame: frame.at(.milliseconds(3_040)))
            try muxer.finish()
            let pts = try TestMedia.probe(path).compactMap(\.pts)
            #expect(pts == [0, 0.04, 0.08, 0.08, 0.08, 0.12, 3, 3.04])
        }
    }

    @Test func containersChoose() {
        func video(_ codec: VideoCodec) -> EncodedFormat { .video(VideoFormat(codec: codec, width: 16, height: 16)) }
        func audio(_ codec: AudioCodec) -> EncodedFormat {
            .audio(AudioFormat(codec: codec, sampleRate: 48_000, channels: 2))
        }
        #expect(VideoCodec.allCases.filter { Container.webm.accepts(video($0)) } == [.vp8, .vp9, .av1])
        #expect(VideoCodec.allCases.filter { Container.mp4.accepts(video($0)) } == [.vp9, .h264, .h265, .av1])
        #expect(VideoCodec.allCases.allSatisfy { Container.mkv.accepts(video($0)) })
        #expect(AudioCodec.allCases.filter { Container.webm.accepts(audio($0)) } == [.opus, .vorbis])
        #expect(AudioCodec.allCases.filter { Container.mp4.accepts(audio($0)) } == [.opus, .aac, .mp3, .flac])
        #expect(AudioCodec.allCases.allSatisfy { Container.mkv.accepts(audio($0)) })
        #expect(Container(pathExtension: "WebM") == .webm && Container(pathExtension: ".mp4") == .mp4)
        #expect(Container(path: "/a.b/c.mkv") == .mkv && Container(path: "http://h/x.webm?y=z") == .webm)
        #expect(Container(path: "/a.mkv/c") == nil && Container(pathExtension: "avi") == nil)
        #expect(Container.webm.defaultVideoCodec == .vp8 && Container.mp4.defaultAudioCodec == .aac)
    }

    private func topLevel(_ path: String) throws -> [String] {
        let bytes = try TestMedia.bytes(path)
        var names: [String] = []
        var offset = 0
        while offset + 8 <= bytes.count {
            func number(_ at: Int, _ count: Int) -> Int { bytes[at..<(at + count)].reduce(0) { $0 << 8 | Int($1) } }
            names.append(String(decoding: bytes[(offset + 4)..<(offset + 8)], as: UTF8.self))
            let size = number(offset, 4)
            offset += size == 1 ? number(offset + 8, 8) : size
        }
        #expect(offset == bytes.count)
        return names
    }
}

extension EncodedFrame {
    /// The same frame at another time.
    func at(_ time: MediaTime) -> EncodedFrame {
        var copy = self
        copy.dts = time - (pts - dts)
        copy.pts = time
        return copy
    }
}
