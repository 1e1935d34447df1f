import Codecs
import Core
import Elements
import Files
import Media
import Reactor
import TestKit
import Testing

/// Media sent by curl and ffmpeg.
@Suite(.serialized, .timeLimit(.minutes(2))) struct HttpPostEndpointTests {
    private static func endpoint(_ context: PipelineContext) -> HttpPostEndpoint { context.get("post") }

    private func rig(_ timeout: Double = 0.5) async throws -> (rig: RealRig, url: String, server: UploadServer) {
        let rig = await RealRig()
        var options = UploadServer.Options()
        options.address = SocketAddress(.loopbackV4, 0)
        let server = UploadServer(host: rig.host, options: options)
        let url = try await rig.on { context in
            var options = HttpPostEndpoint.Options()
            options.disconnectionTimeout = .seconds(timeout)
            let endpoint = HttpPostEndpoint(context, name: "post", server: server, options: options)
            try endpoint.connect(to: TestSink(context, name: "sink"))
            let url = try endpoint.getUrl()
            #expect(try endpoint.getUrl() == url)
            return url
        }
        return (rig, url, server)
    }

    private func sessionEvents(_ rig: RealRig) -> [PipelineEvent.Detail] {
        rig.details("post").filter { [.mediaSessionStarted, .mediaSessionTerminated, .endOfStream].contains($0) }
    }

    @Test(arguments: ["raw", "form", "chunked", "ffmpeg"]) func plays(_ way: String) async throws {
        let (rig, url, server) = try await rig()
        let file = try Clips.path("b.webm")
        let client =
            switch way {
            case "raw":
                try Shell.start(
                    "curl",
                    ["-sS", "-w", "%{http_code}", "-H", "Content-Type: video/webm", "--data-binary", "@\(file)", url])
            case "form":
                try Shell.start("curl", ["-sS", "-w", "%{http_code}", "-F", "name=x", "-F", "file=@\(file)", url])
            case "chunked":
                try Shell.start(
                    "curl",
                    ["-sS", "-w", "%{http_code}", "-X", "POST", "-H", "Transfer-Encoding: chunked", "-T", file, url])
            default:
                try Shell.start(
                    "ffmpeg", ["-v", "error", "-i", file, "-c", "copy", "-f", "matroska", "-method", "POST", url])
            }
        #expect(try await rig.wait(10) { $0.sink().ends.count == 2 }, "\(rig.events) \(client.output)")
        #expect(try await rig.wait(3) { _ in self.sessionEvents(rig).last == .mediaSessionTerminated })
        #expect(sessionEvents(rig) == [.mediaSessionStarted, .endOfStream, .mediaSessionTerminated])
        let content = try Clips.read(file)
        try await rig.on { context in
            for kind in [MediaKind.audio, .video] {
                let frames = context.sink().arrivals.compactMap {
                    if case .encoded(let frame) = $0.item, $0.kind == kind { frame.payload.bytes } else { nil }
                }
                #expect(frames == content.payloads(kind), "\(kind)")
            }
        }
        if way != "ffmpeg" { #expect(client.output.contains("200"), "\(client.output)") }
        #expect(rig.errors("post").isEmpty, "\(rig.events)")
        let late = try Shell.run("curl", ["-sS", "-w", "%{http_code}", "--data-binary", "x", url])
        #expect(late.stdout.contains("404"), "the URL has expired: \(late.stdout)")
        let next = try await rig.on { try Self.endpoint($0).getUrl() }
        #expect(next != url)
        await rig.release()
        server.stop()
    }

    /// ffmpeg's own MP4 files have their index at the end.
    @Test func anMP4FileWhoseIndexComesLast() async throws {
        let (rig, url, server) = try await rig()
        let client = try Shell.start("curl", ["-sS", "-F", "file=@\(try Clips.path("b-frames.mp4"))", url])
        #expect(try await rig.wait(10) { $0.sink().ends.count == 2 }, "\(rig.events) \(client.output)")
        #expect(rig.errors("post").isEmpty, "\(rig.events)")
        try await rig.on { context in
            #expect(context.sink().encoded.count > 100)
        }
        await rig.release()
        server.stop()
    }

    @Test func whatIsNoMediaIsAnError() async throws {
        let (rig, url, server) = try await rig()
        let answer = try Shell.run("curl", ["-sS", "-w", "%{http_code}", "--data-binary", "this is no film", url])
        #expect(answer.stdout.contains("415"), "\(answer)")
        #expect(try await rig.wait(3) { _ in self.sessionEvents(rig).last == .mediaSessionTerminated })
        #expect(rig.errors("post").map(\.type) == [.invalidMedia], "\(rig.events)")
        for (arguments, status) in [(["-X", "GET"], "405"), (["-X", "OPTIONS"], "200")] {
            let url = try await rig.on { try Self.endpoint($0).getUrl() }
            let answer = try Shell.run("curl", ["-sS", "-w", "%{http_code}"] + arguments + [url])
            #expect(answer.stdout.contains(status), "\(answer)")
        }
        await rig.release()
        server.stop()
    }

    /// A long file leaves no faster than it plays, and the rest stays with the client.
    @Test func theClientWaits() async throws {
        let (rig, url, server) = try await rig()
        let file = try Clips.output("big.mkv")
        try Shell.ffmpeg([
            "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25", "-t", "12", "-c:v", "libx264", "-qp", "0", "-preset",
            "ultrafast", file,
        ])
        let client = try Shell.start("curl", ["-sS", "--data-binary", "@\(file)", url])
        try await rig.pause(3)
        #expect(client.isRunning, "twelve seconds are not taken in three")
        let (frames, _) = try await rig.on { context in
            (context.sink().encoded.count, Self.endpoint(context).release())
        }
        #expect(frames > 40 && frames < 110, "\(frames)")
        for _ in 0..<100 where client.isRunning { try await rig.pause(0.02) }
        #expect(!client.isRunning, "release ends the request")
        #expect(sessionEvents(rig) == [.mediaSessionStarted, .mediaSessionTerminated])
        await rig.release()
        server.stop()
    }
}
