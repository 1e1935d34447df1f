import Codecs
import Core
import Elements
import Files
import Media
import TestKit
import Testing

@Suite struct RecorderEndpointTests {
    private static func recorder(_ context: PipelineContext) -> RecorderEndpoint { context.get("recorder") }

    /// A player into a recorder by the clock; both are started.
    private func rig(_ input: String, _ output: String, _ profile: RecordingProfile, plays: Bool = true) throws
        -> TestRig
    {
        let rig = TestRig(codecs: LibraryCodecs())
        try rig.on { context in
            let player = PlayerEndpoint(context, name: "player", uri: input)
            let recorder = RecorderEndpoint(context, name: "recorder", uri: output, profile: profile)
            try player.connect(to: recorder)
            recorder.record()
            if plays { player.play() }
        }
        return rig
    }
    private func stopped(_ rig: TestRig) throws -> Bool {
        try rig.on { Self.recorder($0).stop() }
        return try rig.run(limit: 5) { Self.recorder($0).hasStopped }
    }

    @Test func waitingForTheOtherTrackIsBounded() throws {
        let rig = TestRig(codecs: LibraryCodecs())
        let output = try Clips.output("waiting.webm")
        let dropped = try rig.on { context in
            let source = TestSource(context, name: "source")
            let recorder = RecorderEndpoint(
                context, name: "recorder", uri: output, profile: RecordingProfile(container: .webm))
            try source.connect(to: recorder)
            recorder.record()
            source.source(.video)?.setForm(.encoded(.video(VideoFormat(codec: .vp8, width: 16, height: 16))))
            for index in 0..<2000 {
                let pts = MediaTime(Int64(index), per: Rational(30, 1))
                source.send(EncodedFrame(payload: Payload([0]), pts: pts, isKey: index % 60 == 0))
            }
            return context.stageRecords.first { $0.kind == .mux }?.drops["waiting for the other track"] ?? 0
        }
        // Sound is connected and never comes: of 2000 pictures no more than 300 wait, from a key frame on.
        #expect((1700..<2000).contains(dropped) && dropped % 60 == 0, "\(dropped)")
    }

    @Test func passesThroughWithoutEncoding() throws {
        let (input, output) = (try Clips.path("a.webm"), try Clips.output("copy.webm"))
        let rig = try rig(input, output, RecordingProfile(container: .webm))
        rig.run(5)
        #expect(try stopped(rig))
        let (before, after) = (try Clips.read(input), try Clips.read(output))
        for kind in [MediaKind.audio, .video] {
            #expect(after.payloads(kind) == before.payloads(kind), "\(kind)")
            #expect(
                zip(before.times(kind), after.times(kind)).allSatisfy { abs(($0 - $1).seconds) < 0.0011 }, "\(kind)")
        }
        try rig.on { context in
            #expect(context.stageRecords.map(\.kind) == [.mux, .demux])
            Self.recorder(context).record()
        }
        #expect(rig.troubles == ["recorder: a stopped recorder cannot record again"])
        let details = rig.details("recorder")
        for once in [
            PipelineEvent.Detail.recording, .stopped, .uriEndpointStateChanged(.start), .uriEndpointStateChanged(.stop),
        ] {
            #expect(details.filter { $0 == once }.count == 1, "\(once)")
        }
    }

    /// Three seconds of pause leave no trace in the file, and sound and picture keep their distance.
    @Test(arguments: [false, true])
    func pausesAreCutOut(_ encodes: Bool) throws {
        let output = try Clips.output("paused.webm")
        let profile = encodes ? RecordingProfile.encoded(64, 48) : RecordingProfile(container: .webm)
        let rig = try rig(Clips.path("long.webm"), output, profile)
        rig.run(2.5)
        try rig.on { context in
            Self.recorder(context).pause()
            Self.recorder(context).pause()
        }
        rig.run(3)
        try rig.on { context in
            Self.recorder(context).record()
            Self.recorder(context).record()
        }
        rig.run(4)
        #expect(try stopped(rig))
        let content = try Clips.read(output)
        let seconds = content.duration?.seconds ?? 0
        #expect(seconds > 5.8 && seconds < 6.7, "\(seconds) s")
        // Pass-through goes on at the next key frame, at most a second away; an encoder makes one at once.
        #expect(content.longestStep(.video) < (encodes ? .milliseconds(120) : .milliseconds(1100)))
        #expect(content.longestStep(.audio) < .milliseconds(60))
        for kind in [MediaKind.audio, .video] {
            #expect(content.times(kind) == content.times(kind).sorted())
        }
        // Each frame of sound and picture in the file, found again in the input, is moved by the same time.
        if !encodes {
            let input = try Clips.read(Clips.path("long.webm"))
            func shift(_ kind: MediaKind) -> MediaTime? {
                guard let last = content.frames[kind]?.last,
                    let original = input.frames[kind]?.last(where: { $0.payload.bytes == last.payload.bytes })
                else { return nil }
                return original.pts - last.pts
            }
            let (audio, video) = (try #require(shift(.audio)), try #require(shift(.video)))
            #expect(abs((audio - video).seconds) < 0.003, "\(audio) \(video)")
            #expect(abs(audio.seconds - 3) < 0.05, "\(audio)")
        }
        let details = rig.details("recorder").filter { $0 == .paused || $0 == .recording }
        #expect(details == [.recording, .paused, .recording])
        #expect(rig.troubles.isEmpty, "\(rig.troubles)")
    }

    @Test func aSizeThatChangesInTheMiddle() throws {
        let (first, second) = (try Clips.read(Clips.path("a.webm")), try Clips.read(Clips.path("b.webm")))
        for encodes in [false, true] {
            let output = try Clips.output("sizes.webm")
            let rig = TestRig(mode: .offline, codecs: LibraryCodecs())
            try rig.on { context in
                let source = TestSource(context, name: "source", kinds: [.video])
                let profile = RecordingProfile(
                    container: .webm, kinds: [.video], width: encodes ? 96 : nil, height: encodes ? 64 : nil)
                let recorder = RecorderEndpoint(context, name: "recorder", uri: output, profile: profile)
                try source.connect(to: recorder)
                recorder.record()
                var offset = MediaTime.zero
                for content in [first, second, first] {
                    guard let format = content.formats[.video] else { continue }
                    source.source(.video)?.setForm(.encoded(format))
                    for frame in (content.frames[.video] ?? []).prefix(20) {
                        var moved = frame
                        moved.pts += offset
                        moved.dts += offset
                        source.send(moved)
                    }
                    offset += .seconds(1)
                }
            }
            rig.run(1)
            #expect(try stopped(rig))
            #expect(rig.troubles.isEmpty, "\(rig.troubles)")
            let content = try Clips.read(output)
            // An encoder started at 25 a second leaves out some of those that come at 30.
            let count = content.frames[.video]?.count ?? 0
            #expect(encodes ? (56...60).contains(count) : count == 60, "\(encodes): \(count)")
            let text = try Shell.check(
                "ffprobe",
                ["-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", output])
            #expect(text.split(separator: "\n").first.map { $0.hasPrefix("\(count)") } == true, "\(text)")
        }
    }

    /// In a run of a document that is a failure; elsewhere it is as if nobody had asked, and may go on later.
    @Test(arguments: [false, true]) func stopBeforeAnythingArrived(_ isRun: Bool) throws {
        let output = try Clips.output("nothing.webm")
        let rig = TestRig(codecs: LibraryCodecs()) { $0.endsWithInputs = isRun }
        let input = try Clips.path("a.webm")
        try rig.on { context in
            let player = PlayerEndpoint(context, name: "player", uri: input)
            let recorder = RecorderEndpoint(
                context, name: "recorder", uri: output, profile: RecordingProfile(container: .webm))
            try player.connect(to: recorder)
            recorder.record()
            recorder.record()
        }
        rig.run(1)
        try rig.on { Self.recorder($0).stop() }
        #expect(try rig.run(limit: 5) { !Self.recorder($0).isBusy })
        #expect(!Clips.exists(output), "no file that pretends to be one")
        #expect(rig.troubles.count == (isRun ? 1 : 0), "\(rig.troubles)")
        #expect(rig.troubles.allSatisfy { $0.contains("no media arrived") }, "\(rig.troubles)")
        #expect(rig.details("recorder").contains(.stopped) == isRun)
        try rig.on { Self.recorder($0).stop() }
        guard !isRun else { return }
        try rig.on { context in
            Self.recorder(context).record()
            (context.get("player") as PlayerEndpoint).play()
        }
        rig.run(2)
        #expect(try stopped(rig) && Clips.exists(output))
    }

    /// Released while it records: the file is whole up to then.
    @Test(arguments: [false, true])
    func releasedWhileRecording(_ whole: Bool) throws {
        let output = try Clips.output("released.webm")
        let rig = try rig(Clips.path("a.webm"), output, RecordingProfile(container: .webm))
        rig.run(2)
        if whole { rig.release() } else { try rig.on { Self.recorder($0).release() } }
        rig.run(1)
        let content = try Clips.read(output)
        let seconds = content.duration?.seconds ?? 0
        #expect(seconds > 1.7 && seconds < 2.1, "\(seconds)")
    }

    @Test func aPathThatCannotBeWritten() throws {
        let rig = try rig(Clips.path("a.webm"), "/dev/null/no.webm", RecordingProfile(container: .webm))
        #expect(try rig.run(limit: 5) { Self.recorder($0).hasStopped })
        #expect(rig.troubles.count == 1 && rig.troubles[0].hasPrefix("recorder: RESOURCE_ERROR"), "\(rig.troubles)")
    }

    @Test func stopsByItselfAtTheEndOfTheStream() throws {
        let output = try Clips.output("end.webm")
        let input = try Clips.path("b.webm")
        let rig = TestRig(codecs: LibraryCodecs())
        try rig.on { context in
            let player = PlayerEndpoint(context, name: "player", uri: input)
            let recorder = RecorderEndpoint(
                context, name: "recorder", uri: output, profile: RecordingProfile(container: .webm),
                stopOnEndOfStream: true)
            try player.connect(to: recorder)
            recorder.record()
            player.play()
        }
        #expect(try rig.run(limit: 5) { Self.recorder($0).hasStopped })
        #expect(try Clips.read(output).frames[.video]?.count == 60)
    }
}
