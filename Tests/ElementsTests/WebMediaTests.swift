import Core
import Elements
import Files
import Media
import TestKit
import Testing

/// Media of web servers: playlists, slow lines, and what may not be reached.
@Suite(.serialized, .timeLimit(.minutes(2))) struct WebMediaTests {
    private static func player(_ context: PipelineContext) -> PlayerEndpoint { context.get("player") }

    /// A folder served over HTTP; `pause`: seconds of silence in the middle of each file.
    private static let server = """
        import http.server, os, sys, time
        class Handler(http.server.SimpleHTTPRequestHandler):
            def copyfile(self, source, out):
                data = source.read()
                half = len(data) // 2
                out.write(data[:half]); out.flush()
                time.sleep(float(sys.argv[3]))
                out.write(data[half:])
            def log_message(self, *rest): pass
        os.chdir(sys.argv[2])
        server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
        print("ready", flush=True)
        server.serve_forever()
        """

    private func serve(_ folder: String, pause: Double = 0) async throws -> (Shell.Running, Int) {
        let port = try RealRig.freePort()
        let server = try Shell.start("/usr/bin/python3", ["-c", Self.server, "\(port)", folder, "\(pause)"])
        for _ in 0..<250 where !server.output.contains("ready") { try await Task.sleep(nanoseconds: 20_000_000) }
        return (server, port)
    }

    private func rig(
        _ uri: String, configure: @escaping (inout PipelineConfiguration) -> Void = { _ in }
    ) async throws -> RealRig {
        let rig = await RealRig(configure: configure)
        try await rig.on { context in
            let player = PlayerEndpoint(context, name: "player", uri: uri)
            try player.connect(to: TestSink(context, name: "sink"))
            player.play()
        }
        return rig
    }

    private static func pictures(_ context: PipelineContext) -> [TestSink.Arrival] {
        context.sink().arrivals.filter { arrival in
            if case .encoded = arrival.item { arrival.kind == .video } else { false }
        }
    }

    private func playlist() throws -> String {
        let folder = try Shell.scratch("hls")
        try Shell.ffmpeg([
            "-i", try Clips.path("b-frames.mp4"), "-c", "copy", "-f", "hls", "-hls_time", "1", "-hls_list_size", "0",
            folder + "/list.m3u8",
        ])
        return folder
    }

    @Test func aPlaylist() async throws {
        let (server, port) = try await serve(try playlist())
        defer { server.stop() }
        let rig = try await rig("http://127.0.0.1:\(port)/list.m3u8")
        #expect(try await rig.wait(15) { Self.player($0).hasFinished }, "\(rig.events)")
        try await rig.on { context in
            #expect(Self.pictures(context).count == 50)
            #expect(Self.player(context).state == .stop)
        }
        #expect(rig.errors("player").isEmpty && rig.details("player").contains(.endOfStream), "\(rig.events)")
        await rig.release()
    }

    @Test func aHostThatMayNotBeReached() async throws {
        let (server, port) = try await serve(try playlist())
        defer { server.stop() }
        let rig = try await rig("http://127.0.0.1:\(port)/list.m3u8") { $0.access.allowsPrivateNetworks = false }
        #expect(try await rig.wait(5) { Self.player($0).hasFinished })
        #expect(rig.errors("player").map(\.type) == [.invalidURI], "\(rig.events)")
        try await rig.on { #expect(Self.player($0).state == .start) }
        await rig.release()
    }

    /// The server says nothing for two seconds in the middle: what follows is played in its time, not in a rush.
    @Test func aLineThatStalls() async throws {
        let folder = try Shell.scratch("stall")
        try Shell.ffmpeg([
            "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25", "-t", "6", "-c:v", "libx264", "-preset", "ultrafast",
            "-qp", "10", "-g", "25", folder + "/a.mkv",
        ])
        let (server, port) = try await serve(folder, pause: 4)
        defer { server.stop() }
        let rig = try await rig("http://127.0.0.1:\(port)/a.mkv")
        #expect(try await rig.wait(20) { Self.player($0).hasFinished }, "\(rig.events)")
        try await rig.on { context in
            let pictures = Self.pictures(context)
            #expect(pictures.count == 150)
            let late = pictures.compactMap { arrival in
                if case .encoded(let frame) = arrival.item { arrival.at - frame.dts } else { nil }
            }
            #expect(late.filter { $0 > .milliseconds(350) }.count <= 2, "\(late.sorted().suffix(5))")
        }
        #expect(rig.errors("player").isEmpty, "\(rig.events)")
        await rig.release()
    }
}
