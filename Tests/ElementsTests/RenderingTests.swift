import Codecs
import Core
import Elements
import Files
import Media
import Reactor
import TestKit
import Testing

/// Offline runs with real codecs and files: the same bytes from any host.
@Suite struct RenderingTests {
    /// Inputs → Composite → WebM, as `tessera run` wires it.
    private static func render(
        _ inputs: [String], to outputs: [(uri: String, profile: RecordingProfile)], _ context: PipelineContext,
        onStopped: @escaping () -> Void = {}
    ) throws {
        var options = Composite.Options()
        options.width = 160
        options.height = 120
        options.frameRate = Rational(25, 1)
        let hub = Composite(context, name: "hub", options: options)
        var players: [PlayerEndpoint] = []
        for (index, input) in inputs.enumerated() {
            let player = PlayerEndpoint(context, name: "player\(index)", uri: input)
            try player.connect(to: HubPort(context, name: "port\(index)", hub: hub))
            players.append(player)
        }
        let mix = HubPort(context, name: "mix", hub: hub)
        var left = outputs.count
        for (index, output) in outputs.enumerated() {
            let recorder = RecorderEndpoint(
                context, name: "recorder\(index)", uri: output.uri, profile: output.profile)
            try mix.connect(to: recorder)
            recorder.onStopped = {
                left -= 1
                if left == 0 { onStopped() }
            }
            recorder.record()
        }
        for player in players { player.play() }
    }

    private func simulated(_ inputs: [String], _ outputs: [(uri: String, profile: RecordingProfile)]) throws -> TestRig
    {
        let rig = TestRig(mode: .offline, codecs: LibraryCodecs()) { $0.endsWithInputs = true }
        try rig.on { try Self.render(inputs, to: outputs, $0) }
        let count = outputs.count
        let isDone = try rig.run { context in
            (0..<count).allSatisfy { context.get("recorder\($0)", RecorderEndpoint.self).hasStopped }
        }
        #expect(isDone, "the run never ended: \(rig.troubles)")
        #expect(rig.troubles.isEmpty, "\(rig.troubles)")
        #expect(try rig.on { $0.isReproducible })
        return rig
    }

    private func real(_ inputs: [String], _ output: String) async throws {
        let host = SystemHost(workers: 3)
        let pipeline = makePipeline(host, .offline, codecs: LibraryCodecs()) { $0.endsWithInputs = true }
        await withCheckedContinuation { continuation in
            let pipeline = pipeline
            Task {
                try await pipeline.perform { context in
                    try Self.render(inputs, to: [(output, .encoded())], context) { continuation.resume() }
                }
            }
        }
        await pipeline.release()
    }

    @Test(arguments: [["a.webm", "b.webm"], ["b-frames.mp4", "a.webm", "sound.ogg"]])
    func equalOnEveryHost(_ names: [String]) async throws {
        let inputs = try names.map(Clips.path)
        let outputs = try (0..<3).map { try Clips.output("\($0).webm") }
        for output in outputs.prefix(2) { _ = try simulated(inputs, [(output, .encoded())]) }
        try await real(inputs, outputs[2])
        let contents = try outputs.map(Clips.read)
        #expect(contents[0].payloads(.video).count == 75, "three seconds at 25")
        // The file counts in milliseconds.
        for (index, time) in contents[0].times(.video).enumerated() {
            #expect(abs(time.seconds - 0.04 * Double(index)) < 0.0011, "\(index): \(time)")
        }
        for other in contents.dropFirst() {
            for kind in [MediaKind.audio, .video] {
                #expect(other.payloads(kind) == contents[0].payloads(kind), "\(kind)")
                #expect(other.times(kind) == contents[0].times(kind), "\(kind)")
            }
        }
        // Everybody is in the mix.
        let samples = try Clips.samples(contents[0])[12_000..<72_000]
        for tone in names.contains("sound.ogg") ? [700.0, 440, 300] : [440, 1000] {
            #expect(Tones.amplitude(of: tone, in: samples) > 0.05, "\(tone) Hz")
        }
    }

    /// One Composite, three recorders of one profile and one of another: two encoders, four whole files.
    @Test func encodeOnce() throws {
        let outputs = try (0..<4).map { index in
            (
                uri: try Clips.output("\(index).webm"),
                profile: RecordingProfile.encoded(bitrate: index < 3 ? 300_000 : 100_000)
            )
        }
        let rig = try simulated([Clips.path("a.webm"), Clips.path("b.webm")], outputs)
        let shares = try rig.on { context in
            context.stageRecords.filter { $0.kind == .encode && $0.codec == "vp8" }.map(\.sharedBy)
        }
        #expect(shares.sorted() == [1, 3])
        let contents = try outputs.map { try Clips.read($0.uri) }
        for content in contents {
            #expect(content.frames[.video]?.count == 75 && content.duration.map { abs($0.seconds - 3) < 0.05 } == true)
        }
        #expect(contents[0].payloads(.video) == contents[2].payloads(.video))
        #expect(contents[0].frames[.video]?.filter(\.isKey).count == 1, "no key frame by the clock")
    }

    /// An input that never comes is left behind after the stall time, said once, and the run counts as one of a kind.
    @Test func aStalledInputIsLeftBehind() throws {
        let rig = TestRig(mode: .offline, codecs: LibraryCodecs()) {
            $0.endsWithInputs = true
            $0.stallTimeout = .seconds(10)
        }
        let (input, output) = (try Clips.path("b.webm"), try Clips.output("stalled.webm"))
        try rig.on { context in
            try Self.render([input], to: [(output, .encoded())], context)
            let source = TestSource(context, name: "stuck")
            guard let hub = context.element(named: "hub") as? Composite else { return }
            try source.connect(to: HubPort(context, name: "port-stuck", hub: hub))
        }
        rig.run(9)
        #expect(try rig.on { !$0.get("recorder0", RecorderEndpoint.self).hasStopped })
        #expect(try rig.run { $0.get("recorder0", RecorderEndpoint.self).hasStopped })
        #expect(try rig.on { !$0.isReproducible })
        #expect(rig.troubles.filter { $0.contains("stuck has sent no video for 10.0 s") }.count == 1, "\(rig.troubles)")
        #expect(rig.troubles.count == 2, "one for each kind: \(rig.troubles)")
        let content = try Clips.read(output)
        #expect(content.frames[.video]?.count == 50)
    }

    /// Nobody looks: nothing is decoded, nothing is composed.
    @Test func withoutViewersNothingIsDecoded() throws {
        let rig = TestRig(codecs: LibraryCodecs())
        let input = try Clips.path("a.webm")
        try rig.on { context in
            let hub = Composite(context, name: "hub")
            let player = PlayerEndpoint(context, name: "player", uri: input)
            try player.connect(to: HubPort(context, name: "port", hub: hub))
            player.play()
        }
        rig.run(5)
        try rig.on { context in
            #expect(context.stageRecords.map(\.kind) == [.demux])
            #expect(context.get("player", PlayerEndpoint.self).hasFinished)
        }
    }
}
