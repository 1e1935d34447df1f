import Codecs
import Core
import Elements
import Files
import Media
import Reactor
import TestKit
import Testing

/// RTSP cameras as input, from a real server (Tests/Cameras).
@Suite(.serialized, .timeLimit(.minutes(3))) struct CameraTests {
    private static func player(_ context: PipelineContext) -> PlayerEndpoint { context.get("player") }
    private static func frames(_ context: PipelineContext, _ kind: MediaKind) -> [(frame: EncodedFrame, at: MediaTime)]
    {
        context.sink().arrivals.compactMap {
            if case .encoded(let frame) = $0.item, $0.kind == kind { (frame, $0.at) } else { nil }
        }
    }

    private func rig(
        _ uri: String, cache: Int = 200, audio: RenditionKey? = nil, video: RenditionKey? = nil
    ) async throws -> RealRig {
        let rig = await RealRig()
        try await rig.on { context in
            var options = PlayerEndpoint.Options()
            options.networkCache = .milliseconds(cache)
            let player = PlayerEndpoint(context, name: "player", uri: uri, options: options)
            try player.connect(to: TestSink(context, name: "sink", audio: audio, video: video))
            player.play()
        }
        return rig
    }

    @Test(arguments: [("h264", "aac", "rtspt"), ("h264", "pcma", "rtspu"), ("h265", "opus", "rtsp")])
    func plays(_ video: String, _ audio: String, _ scheme: String) async throws {
        let port = try RealRig.freePort()
        let camera = try await Camera.start(port, ["--video", video, "--audio", audio])
        defer { camera.stop() }
        let rig = try await rig("\(scheme)://127.0.0.1:\(port)/cam")
        let came = try await rig.wait(20) { Self.frames($0, .video).count >= 50 && Self.frames($0, .audio).count >= 50 }
        #expect(came, "\(rig.events)")
        try await rig.on { context in
            let formats = context.sink().formats.map(\.codecName)
            #expect(formats.contains(video) && formats.contains(audio), "\(formats)")
            for case .video(let format) in context.sink().formats {
                #expect(format.width == 320 && format.height == 240 && !format.configuration.isEmpty)
            }
            let pictures = Self.frames(context, .video)
            #expect(pictures.first?.frame.isKey == true, "nothing that cannot be decoded")
            let times = pictures.map(\.frame.pts)
            #expect(times == times.sorted())
            // Pictures leave before they are due, and by no more than the lead; some are late where camera and server
            // have to wait for a processor.
            let early = pictures.dropFirst(5).map { $0.frame.pts - $0.at }.sorted()
            #expect(early.count { $0 > .milliseconds(-150) } > early.count / 2, "\(early)")
            #expect(early.allSatisfy { $0 <= .milliseconds(101) }, "\(early)")
            #expect(Self.player(context).state == .start)
            #expect(!Self.player(context).isSeekable)
            #expect(throws: GraphError.self) { try Self.player(context).seek(to: .seconds(1)) }
            Self.player(context).stop()
        }
        #expect(rig.errors("player").isEmpty, "\(rig.events)")
        await rig.release()
    }

    @Test func isDecodedAndHeard() async throws {
        let port = try RealRig.freePort()
        let camera = try await Camera.start(port, ["--video", "h265", "--audio", "pcma"])
        defer { camera.stop() }
        let rig = try await rig("rtsp://127.0.0.1:\(port)/cam", audio: .raw, video: .raw)
        #expect(
            try await rig.wait(20) { $0.sink().pictures.count >= 30 && $0.sink().sounds.count >= 40 }, "\(rig.events)")
        try await rig.on { context in
            #expect(context.sink().pictures.allSatisfy { $0.width == 320 && $0.height == 240 })
            let samples = context.sink().samples().suffix(24_000)
            #expect(abs(Tones.frequency(in: samples) - 440) < 10)
        }
        #expect(rig.errors("player").isEmpty, "\(rig.events)")
        await rig.release()
    }

    @Test(arguments: ["rtspt", "rtspu"]) func isLostAndFoundAgain(_ scheme: String) async throws {
        let port = try RealRig.freePort()
        var camera = try await Camera.start(port)
        let rig = try await rig("\(scheme)://127.0.0.1:\(port)/cam")
        #expect(try await rig.wait(20) { Self.frames($0, .video).count >= 25 }, "\(rig.events)")
        camera.stop()
        for _ in 0..<500 where rig.errors("player").count < 2 { try await rig.pause(0.02) }
        let errors = rig.errors("player")
        #expect(errors.first?.type == .streamFailed && errors.first?.text.contains("lost") == true, "\(errors)")
        #expect(errors.dropFirst().first?.type == .resourceOpen, "\(errors)")
        let count = try await rig.on { context in
            #expect(Self.player(context).state == .start)
            #expect(context.sink().ends.isEmpty, "it may come back")
            return Self.frames(context, .video).count
        }
        camera = try await Camera.start(port)
        defer { camera.stop() }
        #expect(try await rig.wait(30) { Self.frames($0, .video).count >= count + 25 }, "\(rig.events)")
        try await rig.on { context in
            let times = Self.frames(context, .video).map(\.frame.pts)
            #expect(times == times.sorted() && Self.frames(context, .video)[count].frame.isKey)
            Self.player(context).stop()
            #expect(context.sink().ends.count == 2)
        }
        await rig.release()
    }

    @Test func pauseAndPlay() async throws {
        let port = try RealRig.freePort()
        let camera = try await Camera.start(port, ["--audio", "none"])
        defer { camera.stop() }
        let rig = try await rig("rtspt://127.0.0.1:\(port)/cam", cache: 0)
        #expect(try await rig.wait(20) { Self.frames($0, .video).count >= 10 }, "\(rig.events)")
        let count = try await rig.on { context in
            Self.player(context).pause()
            return Self.frames(context, .video).count
        }
        try await rig.pause(2)
        try await rig.on { context in
            #expect(Self.frames(context, .video).count == count)
            Self.player(context).play()
        }
        #expect(try await rig.wait(5) { Self.frames($0, .video).count >= count + 25 }, "\(rig.events)")
        try await rig.on { context in
            let next = Self.frames(context, .video)[count]
            #expect(next.frame.isKey && abs((next.frame.pts - next.at).seconds) < 0.15, "goes on with what is now")
        }
        #expect(rig.details("player").filter { $0 == .uriEndpointStateChanged(.pause) }.count == 1)
        await rig.release()
    }

    @Test func wrongCredentialsAreNamedAndNotTriedAgain() async throws {
        let port = try RealRig.freePort()
        let camera = try await Camera.start(port, ["--user", "me", "--password", "secret"])
        defer { camera.stop() }
        let rig = try await rig("rtsp://me:wrong@127.0.0.1:\(port)/cam")
        try await rig.pause(2)
        let errors = rig.errors("player")
        #expect(errors.count == 1 && errors[0].type == .resourceOpen, "\(errors)")
        #expect(errors[0].text.contains("401") && !errors[0].text.contains("wrong"), "\(errors)")
        try await rig.on { #expect(Self.player($0).state == .start) }
        await rig.release()
        let right = try await self.rig("rtsp://me:secret@127.0.0.1:\(port)/cam")
        #expect(try await right.wait(20) { Self.frames($0, .video).count >= 5 }, "\(right.events)")
        await right.release()
    }

    @Test func wrongAddressesAreNamed() async throws {
        let port = try RealRig.freePort()
        let camera = try await Camera.start(port, ["--audio", "none"])
        defer { camera.stop() }
        for (uri, word) in [
            ("rtsp://127.0.0.1:\(port)/other", "404"), ("rtsp://127.0.0.1:\(try RealRig.freePort())/cam", "refused"),
        ] {
            let rig = try await rig(uri)
            for _ in 0..<250 where rig.errors("player").isEmpty { try await rig.pause(0.02) }
            let errors = rig.errors("player")
            #expect(errors.first?.type == .resourceOpen && errors.first?.text.contains(word) == true, "\(errors)")
            await rig.release()
        }
    }
}
