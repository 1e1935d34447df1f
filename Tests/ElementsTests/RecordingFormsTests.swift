import Codecs
import Core
import Elements
import Files
import Foundation
import Glibc
import Media
import TestKit
import Testing

/// Containers and places that recordings go to.
@Suite struct RecordingFormsTests {
    private static func recorder(_ context: PipelineContext) -> RecorderEndpoint { context.get("recorder") }

    private func record(
        _ input: String, _ output: String, _ profile: RecordingProfile, seconds: Double = 5,
        kinds: [MediaKind] = [.audio, .video], configure: (inout PipelineConfiguration) -> Void = { _ in }
    ) throws -> TestRig {
        let rig = TestRig(codecs: LibraryCodecs(), configure: configure)
        try rig.on { context in
            let player = PlayerEndpoint(context, name: "player", uri: input)
            let recorder = RecorderEndpoint(context, name: "recorder", uri: output, profile: profile)
            for kind in kinds { try player.connect(to: recorder, kind: kind) }
            recorder.record()
            player.play()
        }
        rig.run(seconds)
        try rig.on { Self.recorder($0).stop() }
        #expect(try rig.run(limit: 5) { !Self.recorder($0).isBusy })
        return rig
    }

    @Test func flvIsH264AndAAC() throws {
        let output = try Clips.output("folder/that/is/not/there/yet.flv")
        let rig = try record(Clips.path("a.webm"), output, RecordingProfile(container: .flv))
        #expect(rig.troubles.isEmpty, "\(rig.troubles)")
        let content = try Clips.read(output)
        #expect(content.formats[.video]?.codecName == "h264" && content.formats[.audio]?.codecName == "aac")
        #expect(abs((content.duration?.seconds ?? 0) - 3) < 0.15, "\(String(describing: content.duration))")
        #expect(content.frames[.video]?.count == 75)
        #expect(content.longestStep(.video) < .milliseconds(45) && content.longestStep(.audio) < .milliseconds(25))
        let samples = try Clips.samples(content)
        #expect(abs(Tones.frequency(in: samples.dropFirst(4800).prefix(96_000)) - 440) < 5)
    }

    /// What a killed program would leave behind.
    @Test func flvPlaysWhileItIsWritten() throws {
        let output = try Clips.output("unfinished.flv")
        let rig = TestRig(codecs: LibraryCodecs())
        let input = try Clips.path("long.webm")
        try rig.on { context in
            let player = PlayerEndpoint(context, name: "player", uri: input)
            let recorder = RecorderEndpoint(
                context, name: "recorder", uri: output, profile: RecordingProfile(container: .flv))
            try player.connect(to: recorder)
            recorder.record()
            player.play()
        }
        rig.run(4)
        let content = try Clips.read(output)
        #expect((content.times(.video).last?.seconds ?? 0) > 2.7, "\(content.times(.video).count) pictures")
        rig.release()
    }

    @Test func flvTakesWhatFitsAsItIs() throws {
        let output = try Clips.output("copy.flv")
        let rig = try record(Clips.path("b-frames.mp4"), output, RecordingProfile(container: .flv))
        #expect(rig.troubles.isEmpty, "\(rig.troubles)")
        let (before, after) = (try Clips.read(Clips.path("b-frames.mp4")), try Clips.read(output))
        for kind in [MediaKind.audio, .video] { #expect(after.payloads(kind) == before.payloads(kind), "\(kind)") }
        try rig.on { #expect($0.stageRecords.map(\.kind) == [.mux, .demux]) }
    }

    @Test func jpegPictures() throws {
        let output = try Clips.output("pictures.jpg")
        let rig = try record(
            Clips.path("a.webm"), output, RecordingProfile(container: .jpeg, kinds: [.video]), kinds: [.video])
        #expect(rig.troubles.isEmpty, "\(rig.troubles)")
        #expect(
            rig.details("recorder").filter { $0 == .recording || $0 == .stopped || $0 == .paused }
                == [.recording, .stopped])
        // As a picture, and as a film.
        let picture = try Shell.check(
            "ffprobe",
            ["-v", "error", "-f", "image2", "-show_entries", "stream=codec_name,width", "-of", "csv", output])
        #expect(picture.contains("mjpeg,160"), "\(picture)")
        let film = try Shell.check(
            "ffprobe",
            [
                "-v", "error", "-f", "mjpeg", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv",
                output,
            ])
        let count = Int(film.filter(\.isNumber)) ?? 0
        #expect(count > 60 && count <= 75, "\(film)")
    }

    @Test func pausesAreCutOutOfFLV() throws {
        let output = try Clips.output("paused.flv")
        let rig = TestRig(codecs: LibraryCodecs())
        let input = try Clips.path("long.webm")
        try rig.on { context in
            let player = PlayerEndpoint(context, name: "player", uri: input)
            let recorder = RecorderEndpoint(
                context, name: "recorder", uri: output, profile: RecordingProfile(container: .flv))
            try player.connect(to: recorder)
            recorder.record()
            player.play()
        }
        rig.run(2)
        try rig.on { Self.recorder($0).pause() }
        rig.run(3)
        try rig.on { context in
            #expect(Self.recorder(context).state == .pause)
            Self.recorder(context).record()
        }
        rig.run(2)
        let isOver = Lock(false)
        try rig.on { Self.recorder($0).stopAndWait { isOver.withLock { $0 = true } } }
        #expect(try rig.run(limit: 3) { _ in isOver.withLock { $0 } })
        let seconds = try Clips.read(output).duration?.seconds ?? 0
        #expect(seconds > 3.4 && seconds < 4.3, "\(seconds)")
    }

    /// Kurento's way: with a profile of two kinds both must flow.
    @Test func bothKindsMustFlow() throws {
        let output = try Clips.output("both.webm")
        var profile = RecordingProfile(container: .webm)
        profile.waitsForAllKinds = true
        let rig = try record(Clips.path("a.webm"), output, profile, kinds: [.video])
        #expect(!Clips.exists(output) && rig.troubles.isEmpty)
        #expect(rig.details("recorder").allSatisfy { if case .mediaFlowInStateChanged = $0 { true } else { false } })
        try rig.on { context in
            let recorder = Self.recorder(context)
            #expect(recorder.state == .stop && !recorder.hasStopped)
            recorder.record()
            recorder.pause()
            recorder.stop()
            #expect(!recorder.isBusy)
        }
    }

    @Test func aFolderThatMayNotBeWritten() throws {
        let allowed = try Shell.scratch("allowed")
        let rig = try record(
            Clips.path("a.webm"), allowed + "/../outside.webm", RecordingProfile(container: .webm)
        ) { $0.access.writableFolders = [allowed] }
        #expect(rig.troubles.count == 1 && rig.troubles[0].contains("INVALID_URI"), "\(rig.troubles)")
        #expect(rig.troubles[0].contains("only below \(allowed)"), "\(rig.troubles)")
        #expect(!Clips.exists(allowed + "/../outside.webm"))
        let inside = try record(
            Clips.path("b.webm"), "new/inside.webm", RecordingProfile(container: .webm)
        ) {
            $0.access.writableFolders = [allowed]
            $0.access.defaultPath = "file://\(allowed)/"
        }
        // The default path stands before what has no scheme; the input has none either, and is looked for there.
        #expect(inside.troubles.contains { $0.contains("INVALID_URI") && $0.contains("player") }, "\(inside.troubles)")
    }
}

/// Recordings over HTTP, to a real server.
@Suite(.serialized, .timeLimit(.minutes(2))) struct UploadingTests {
    /// A small HTTP server that keeps what it gets (Python's own, with chunked bodies).
    private static let receiver = """
        import http.server, sys
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            def do_POST(self):
                if self.path.startswith("/denied"):
                    self.send_response(403); self.send_header("Content-Length", "0"); self.end_headers()
                    self.close_connection = True
                    return
                body = open(sys.argv[2], "wb")
                total = 0
                while True:
                    size = int(self.rfile.readline().strip(), 16)
                    data = self.rfile.read(size)
                    self.rfile.readline()
                    if size == 0: break
                    body.write(data)
                    total += size
                    if self.path.startswith("/gone") and total > 20000:
                        self.connection.close(); return
                body.close()
                print(self.headers["Content-Type"], self.headers.get("Authorization"), flush=True)
                self.send_response(201); self.send_header("Content-Length", "0"); self.end_headers()
            def log_message(self, *rest): pass
        server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
        print("ready", flush=True)
        server.serve_forever()
        """

    private func server(_ body: String) async throws -> (Shell.Running, Int) {
        let port = try RealRig.freePort()
        let server = try Shell.start("/usr/bin/python3", ["-c", Self.receiver, "\(port)", body])
        for _ in 0..<250 where !server.output.contains("ready") { try await Task.sleep(nanoseconds: 20_000_000) }
        return (server, port)
    }

    private func rig(_ uri: String, _ profile: RecordingProfile) async throws -> RealRig {
        let rig = await RealRig()
        let (input, other) = (try Clips.path("long.webm"), try Clips.output("beside.webm"))
        try await rig.on { context in
            let player = PlayerEndpoint(context, name: "player", uri: input)
            for (name, uri) in [("recorder", uri), ("beside", other)] {
                let recorder = RecorderEndpoint(context, name: name, uri: uri, profile: profile)
                try player.connect(to: recorder)
                recorder.record()
            }
            player.play()
        }
        return rig
    }

    @Test(arguments: ["webm", "mp4", "flv"]) func isReceivedWhole(_ name: String) async throws {
        let got = try Clips.output("got.\(name)")
        let (server, port) = try await server(got)
        defer { server.stop() }
        let container = try #require(Container(rawValue: name))
        let rig = try await rig("http://me:word@127.0.0.1:\(port)/up/x.\(name)", RecordingProfile(container: container))
        try await rig.pause(3)
        try await rig.on { context in
            for name in ["recorder", "beside"] { (context.get(name) as RecorderEndpoint).stop() }
        }
        #expect(try await rig.wait(10) { !($0.get("recorder") as RecorderEndpoint).isBusy })
        #expect(rig.errors("recorder").isEmpty, "\(rig.events)")
        #expect(server.output.contains("video/") && server.output.contains("Basic bWU6d29yZA=="), "\(server.output)")
        let content = try Clips.read(got)
        #expect(content.frames[.video]?.count ?? 0 > 50 && content.frames[.audio]?.count ?? 0 > 80)
        await rig.release()
    }

    @Test(arguments: [("/gone", ErrorType.resourceWrite, ""), ("/denied", .resourceWrite, "403")])
    func aReceiverThatGoesIsAnError(_ path: String, _ type: ErrorType, _ word: String) async throws {
        let (server, port) = try await server(try Clips.output("part"))
        defer { server.stop() }
        let rig = try await rig("http://127.0.0.1:\(port)\(path)", RecordingProfile(container: .webm))
        for _ in 0..<400 where rig.errors("recorder").isEmpty { try await rig.pause(0.02) }
        let errors = rig.errors("recorder")
        #expect(errors.first?.type == type && (word.isEmpty || errors.first?.text.contains(word) == true), "\(errors)")
        let count = try await rig.on { ($0.get("beside") as RecorderEndpoint).picturesRecorded }
        try await rig.pause(1)
        try await rig.on { context in
            let beside: RecorderEndpoint = context.get("beside")
            #expect(beside.picturesRecorded >= count + 20, "nobody else is disturbed")
        }
        #expect(rig.errors("beside").isEmpty && rig.errors("player").isEmpty)
        await rig.release()
    }
}
