import Codecs
import Core
import Elements
import Media
import TestKit
import Testing

/// Playing by the clock, in virtual time.
@Suite struct PlayerEndpointTests {
    private func rig(_ uri: String, loops: Bool = false) throws -> TestRig {
        let rig = TestRig(codecs: LibraryCodecs())
        try rig.on { context in
            let player = PlayerEndpoint(context, name: "player", uri: uri, loops: loops)
            try player.connect(to: TestSink(context, name: "sink"))
        }
        return rig
    }
    private func states(_ rig: TestRig) -> [UriEndpointState] {
        rig.details("player").compactMap { if case .uriEndpointStateChanged(let state) = $0 { state } else { nil } }
    }
    private static func player(_ context: PipelineContext) -> PlayerEndpoint { context.get("player") }
    private static func frames(_ context: PipelineContext, _ kind: MediaKind) -> [EncodedFrame] {
        context.sink().arrivals.compactMap { arrival in
            if case .encoded(let frame) = arrival.item, arrival.kind == kind { frame } else { nil }
        }
    }

    @Test func playsByTheClockToTheEnd() throws {
        let rig = try rig(Clips.path("a.webm"))
        try rig.on { Self.player($0).play() }
        rig.run(1.2)
        let position = try rig.on { Self.player($0).position }
        #expect(abs(position.seconds - 1) < 0.25, "\(position)")
        rig.run(4)
        try rig.on { context in
            let content = try Clips.read(Self.player(context).uri)
            for kind in [MediaKind.audio, .video] {
                #expect(
                    Self.frames(context, kind).map(\.payload.bytes) == content.payloads(kind), "passed through as it is"
                )
            }
            // None leaves early by more than the lead, none late.
            let early = context.sink().arrivals.compactMap { arrival -> MediaTime? in
                if case .encoded(let frame) = arrival.item { frame.dts - arrival.at } else { nil }
            }
            #expect(early.allSatisfy { $0 >= .zero && $0 <= .milliseconds(100) }, "\(early.sorted().prefix(3))")
            #expect(context.sink().ends.count == 2)
        }
        #expect(states(rig) == [.start, .stop])
        #expect(rig.details("player").filter { $0 == .endOfStream }.count == 1)
        #expect(rig.troubles.isEmpty)
        // Once more, from the beginning.
        try rig.on { context in
            context.sink().forget()
            Self.player(context).play()
        }
        rig.run(5)
        try rig.on { #expect(Self.frames($0, .video).count == 75) }
    }

    @Test func pauseHoldsAndGoesOn() throws {
        let rig = try rig(Clips.path("a.webm"))
        try rig.on { context in
            Self.player(context).pause()
            Self.player(context).play()
            Self.player(context).play()
        }
        rig.run(1)
        let (position, count) = try rig.on { context in
            Self.player(context).pause()
            Self.player(context).pause()
            return (Self.player(context).position, context.sink().arrivals.count)
        }
        rig.run(7)
        try rig.on { context in
            #expect(Self.player(context).position == position && context.sink().arrivals.count == count)
            Self.player(context).play()
        }
        rig.run(4)
        try rig.on { context in
            let times = Self.frames(context, .video).map(\.pts)
            #expect(times.count == 75, "nothing lost, nothing twice")
            let steps = zip(times, times.dropFirst()).map { $1 - $0 }
            #expect(steps.filter { $0 > .milliseconds(41) } == [.milliseconds(7040)], "one step, as long as the pause")
        }
        #expect(states(rig) == [.start, .pause, .start, .stop])
    }

    /// A file that is over while it is paused ends only after it goes on.
    @Test func pausedAtTheVeryEnd() throws {
        let rig = try rig(Clips.path("b.webm"))
        try rig.on { Self.player($0).play() }
        rig.run(2.15)
        try rig.on { Self.player($0).pause() }
        rig.run(10)
        #expect(states(rig) == [.start, .pause])
        try rig.on { Self.player($0).play() }
        rig.run(2)
        #expect(states(rig) == [.start, .pause, .start, .stop])
    }

    @Test func stopThenPlayBeginsAnew() throws {
        let rig = try rig(Clips.path("a.webm"))
        try rig.on { Self.player($0).play() }
        rig.run(1)
        try rig.on { context in
            Self.player(context).stop()
            Self.player(context).stop()
            #expect(context.sink().ends.count == 2)
            context.sink().forget()
        }
        rig.run(1)
        try rig.on { context in
            #expect(context.sink().arrivals.isEmpty)
            Self.player(context).play()
        }
        rig.run(5)
        try rig.on { #expect(Self.frames($0, .video).count == 75) }
        #expect(states(rig) == [.start, .stop, .start, .stop])
    }

    /// Key frames every second: from the one before the target on, without anything from before the seek.
    @Test func seeking() throws {
        let rig = try rig(Clips.path("long.webm"))
        try rig.on { context in
            #expect(throws: GraphError.self) { try Self.player(context).seek(to: .seconds(1)) }
            Self.player(context).play()
        }
        let content = try Clips.read(Clips.path("long.webm"))
        rig.run(1)
        for target in [8, 3, 10] {
            let asked = try rig.on { context in
                context.sink().forget()
                try Self.player(context).seek(to: .seconds(Double(target) + 0.5))
                return context.now
            }
            rig.run(1)
            try rig.on { context in
                let frames = Self.frames(context, .video)
                let expected = Array(
                    (content.frames[.video] ?? []).filter { $0.pts >= .seconds(Double(target)) }.prefix(frames.count))
                #expect(frames.map(\.payload.bytes) == expected.map(\.payload.bytes), "from \(target) s on")
                #expect(frames.first?.isKey == true && frames.count > 25)
                #expect(frames.map(\.pts) == frames.map(\.pts).sorted())
                #expect((frames.first?.pts ?? .infinity) - asked < .milliseconds(200), "at once")
                #expect(abs(Self.player(context).position.seconds - Double(target) - 1.4) < 0.2)
            }
        }
        rig.run(3)
        #expect(states(rig) == [.start, .stop])
    }

    /// Who gets pictures sees none, and who gets sound hears none, from before the place that was sought.
    @Test func seekingShowsNothingFromBefore() throws {
        let rig = TestRig(codecs: LibraryCodecs())
        try rig.on { context in
            let player = PlayerEndpoint(context, name: "player", uri: try Clips.path("long.webm"))
            try player.connect(to: TestSink(context, name: "sink", audio: .raw, video: .raw))
            player.play()
        }
        rig.run(1)
        for target in [8.5, 3.9, 6.0] {
            let asked = try rig.on { context in
                context.sink().forget()
                try Self.player(context).seek(to: .seconds(target))
                return context.now
            }
            rig.run(0.02)
            try rig.on { #expect(Self.player($0).position >= .seconds(target)) }
            rig.run(1.18)
            try rig.on { context in
                // The pool's own time is none here: the first ones may still be from before the seek.
                let pictures = context.sink().pictures.map(\.pts).filter { $0 >= asked + .milliseconds(99) }
                let steps = zip(pictures, pictures.dropFirst()).map { $1 - $0 }
                #expect(
                    pictures.count > 20 && steps.allSatisfy { $0 > .milliseconds(30) }, "\(steps.sorted().prefix(3))")
                let begun = asked + .milliseconds(100)
                #expect((pictures.first ?? .zero) - begun <= .milliseconds(160), "a tenth of what was run through")
                let sound = context.sink().sounds.map(\.pts).filter { $0 >= asked + .milliseconds(80) }
                let apart = ((sound.first ?? .zero) - (pictures.first ?? .zero)).seconds
                #expect(abs(apart) < 0.06, "\(apart)")
            }
        }
    }

    @Test func looping() throws {
        let rig = try rig(Clips.path("b.webm"), loops: true)
        try rig.on { Self.player($0).play() }
        rig.run(9)
        try rig.on { context in
            let frames = Self.frames(context, .video)
            #expect(frames.count > 240)
            #expect(frames[60].payload.bytes == frames[0].payload.bytes, "the first picture again")
            for kind in [MediaKind.audio, .video] {
                let times = Self.frames(context, kind).map(\.pts)
                let steps = zip(times, times.dropFirst()).map { $1 - $0 }
                #expect(
                    steps.allSatisfy { $0 > .zero && $0 <= .milliseconds(90) }, "\(kind): \(steps.sorted().suffix(2))")
            }
            Self.player(context).stop()
        }
        #expect(states(rig) == [.start, .stop])
    }

    @Test func aMissingFile() throws {
        let rig = try rig("/nonexistent/no.webm")
        try rig.on { Self.player($0).play() }
        rig.run(1)
        #expect(rig.details("player").contains { if case .error(.invalidURI, _) = $0 { true } else { false } })
        #expect(rig.troubles.count == 1 && rig.troubles[0].contains("no.webm"), "\(rig.troubles)")
        try rig.on { context in
            #expect(context.sink().ends.count == 2, "who waits for it knows")
            #expect(Self.player(context).position == .zero && Self.player(context).duration == nil)
        }
    }
}
