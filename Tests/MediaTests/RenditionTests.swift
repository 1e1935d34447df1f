import Core
import Media
import TestKit
import Testing

@Suite struct RenditionTests {
    private static let low = RenditionKey.video(VideoSpecification(codec: .vp8, bitrate: 500_000))
    private static let high = RenditionKey.video(VideoSpecification(codec: .vp8, bitrate: 1_500_000))

    @Test func oneCodecPerDistinctSpecification() throws {
        let rig = TestRig()
        try rig.on { context in
            let source = TestSource(context, name: "source")
            source.beginVideo()
            source.beginAudio()
            for index in 0..<3 {
                let audio = RenditionKey.audio(AudioSpecification(bitrate: index == 0 ? 32_000 : 96_000))
                let sink = TestSink(context, name: "low\(index)", audio: audio, video: Self.low)
                try source.connect(to: sink)
            }
            try source.connect(to: TestSink(context, name: "high", video: Self.high, kinds: [.video]))
            try source.connect(to: TestSink(context, name: "raw", audio: .raw, video: .raw))
            source.sendPictures(10, key: true)
            for block in 0..<5 {
                source.send(SyntheticFrame.sound(level: block, pts: .milliseconds(20 * block)), .audio)
            }
        }
        rig.run(1)
        let codecs = rig.synthetic
        #expect(codecs.videoDecoders.figures == Tally.Figures(made: 1, living: 1, peak: 1))
        #expect(codecs.videoEncoders.figures == Tally.Figures(made: 2, living: 2, peak: 2))
        #expect(codecs.audioDecoders.figures == Tally.Figures(made: 1, living: 1, peak: 1))
        #expect(codecs.audioEncoders.figures == Tally.Figures(made: 2, living: 2, peak: 2))
        try rig.on { context in
            for name in ["low0", "low1", "low2", "raw"] {
                #expect(context.sink(name).counters == Array(1...10), "\(name)")
            }
            #expect(context.sink("raw").sounds.count == 5)
            #expect(context.sink("low2").encoded.count == 15)
            let shares = context.stageRecords.filter { $0.kind == .encode }.map(\.sharedBy)
            #expect(shares.sorted() == [1, 1, 2, 3])
            // The last one to leave stops what only it used.
            for name in ["low0", "low1"] { context.source().disconnect(from: context.sink(name)) }
        }
        rig.run(0.1)
        #expect(codecs.videoEncoders.figures.living == 2 && codecs.audioEncoders.figures.living == 1)
        try rig.on { context in context.source().disconnect(from: context.sink("low2")) }
        rig.run(0.1)
        #expect(codecs.videoEncoders.figures.living == 1 && codecs.audioEncoders.figures.living == 0)
        #expect(codecs.videoDecoders.figures.living == 1)
        try rig.on { context in
            context.source().disconnect(from: context.sink("high"))
            context.source().disconnect(from: context.sink("raw"))
            #expect(context.source().demand[.video] == [true, false])
        }
        rig.run(0.1)
        for tally in [codecs.videoDecoders, codecs.videoEncoders, codecs.audioDecoders, codecs.audioEncoders] {
            #expect(tally.figures.living == 0)
        }
    }

    @Test func passThroughAndBackAgain() throws {
        let rig = TestRig()
        try rig.on { context in
            let source = TestSource(context, name: "source", kinds: [.video])
            source.beginVideo()
            try source.connect(to: TestSink(context, name: "native"))
            source.sendPictures(3, key: true)
            #expect(context.sink("native").counters == [1, 2, 3], "pass-through takes no detour")
            try source.connect(to: TestSink(context, name: "coded", video: Self.low))
            source.disconnect(from: context.sink("coded"))
        }
        let changes = rig.details("source").compactMap { detail -> Bool? in
            if case .mediaTranscodingStateChanged(.video, let isTranscoding) = detail { isTranscoding } else { nil }
        }
        #expect(changes == [false, true, false])
        #expect(rig.synthetic.videoEncoders.figures.living == 0)
    }

    @Test func joiningMidStreamStartsAtAKeyFrameThatIsAskedFor() throws {
        let rig = TestRig()
        try rig.on { context in
            let source = TestSource(context, name: "source", kinds: [.video])
            source.beginVideo()
            try source.connect(to: TestSink(context, name: "first"))
            source.sendPictures(5, key: true)
            #expect(source.keyFrameRequests.isEmpty, "nobody had to ask")
            try source.connect(to: TestSink(context, name: "second"))
            #expect(source.keyFrameRequests.count == 1)
            source.sendPictures(2)
            #expect(context.sink("second").counters.isEmpty)
            #expect(context.sink("second").formats.count == 1)
            source.sendPictures(2, key: true)
            #expect(context.sink("second").counters == [8, 9])
            #expect(context.sink("first").counters == Array(1...9))
        }
    }

    /// A new viewer of an encoder gets its own start: the encoder, not the source, makes the key frame.
    @Test func joiningAnEncoderMidStream() throws {
        let rig = TestRig()
        try rig.on { context in
            let source = TestSource(context, name: "source", kinds: [.video])
            source.beginVideo()
            try source.connect(to: TestSink(context, name: "first", video: Self.low))
            source.sendPictures(4, key: true)
        }
        rig.run(0.2)
        try rig.on { context in
            try context.source().connect(to: TestSink(context, name: "second", video: Self.low))
            context.source().sendPictures(4)
        }
        rig.run(0.2)
        try rig.on { context in
            #expect(context.sink("second").encoded.map(\.isKey) == [true, false, false, false])
            #expect(
                context.sink("first").encoded.map(\.isKey) == [true, false, false, false, true, false, false, false])
            #expect(context.source().keyFrameRequests.isEmpty)
        }
    }

    @Test func keyFrameRequestsAreMerged() throws {
        let rig = TestRig()
        try rig.on { context in
            let source = TestSource(context, name: "source", kinds: [.video])
            source.beginVideo()
            try source.connect(to: TestSink(context, name: "sink"))
            source.sendPictures(1, key: true)
        }
        // One a millisecond for two seconds, and none is answered.
        for _ in 0..<2000 {
            try rig.on { $0.sink().inputs[.video]?.requestKeyFrame() }
            rig.run(0.001)
        }
        rig.run(2)
        try rig.on { context in
            let times = context.source().keyFrameRequests
            #expect(times.count == 5)
            if times.count == 5 {
                #expect((1..<5).allSatisfy { times[$0] - times[$0 - 1] == .milliseconds(500) })
            }
            // One that is answered at once serves those merged behind it, too.
            context.sink().inputs[.video]?.requestKeyFrame()
            context.sink().inputs[.video]?.requestKeyFrame()
            context.source().sendPictures(1, key: true)
        }
        rig.run(1)
        try rig.on { #expect($0.source().keyFrameRequests.count == 6) }
    }

    /// Requests that the clock lets through late change nothing about an offline run.
    @Test func requestsBeforeTheFirstPictureForceNothing() throws {
        let rig = TestRig(mode: .offline)
        try rig.on { context in
            let source = TestSource(context, name: "source", kinds: [.video])
            source.beginVideo()
            for name in ["a", "b", "c"] {
                let sink = TestSink(context, name: name, video: Self.low)
                try source.connect(to: sink)
                sink.inputs[.video]?.requestKeyFrame()
            }
        }
        rig.run(0.3)
        try rig.on { $0.source().sendPictures(4, key: true) }
        rig.run(0.4)
        try rig.on { $0.source().sendPictures(4) }
        rig.run(1)
        try rig.on { #expect($0.sink("b").encoded.map(\.isKey) == [true] + [Bool](repeating: false, count: 7)) }
    }

    @Test func takeOver() throws {
        let rig = TestRig()
        try rig.on { context in
            for name in ["a", "b"] {
                let source = TestSource(context, name: name, kinds: [.video])
                source.beginVideo()
                try source.connect(to: name == "a" ? TestSink(context, name: "sink") : context.sink())
                source.sendPictures(2, key: true)
            }
            context.source("a").sendPictures(1)
            #expect(context.sink().counters == [1, 2, 1, 2])
            #expect(context.source("a").demand[.video] == [true, false])
        }
        #expect(
            rig.details("a").filter { if case .mediaTranscodingStateChanged = $0 { false } else { true } }.prefix(3)
                .contains(.elementDisconnected(sink: "sink", kind: .video)))
        #expect(rig.details("b").contains(.elementConnected(sink: "sink", kind: .video)))
    }

    @Test func aNewFormatMidStream() throws {
        let rig = TestRig()
        try rig.on { context in
            let source = TestSource(context, name: "source", kinds: [.video])
            source.beginVideo(.vp8)
            try source.connect(to: TestSink(context, name: "native"))
            try source.connect(to: TestSink(context, name: "raw", video: .raw))
            source.sendPictures(3, key: true)
            source.beginVideo(.vp9)
            source.sendPictures(3, key: true)
        }
        rig.run(0.1)
        try rig.on { context in
            #expect(context.sink("raw").counters == Array(1...6))
            #expect(context.sink("native").formats.map(\.codecName) == ["vp8", "vp9"])
        }
        #expect(rig.synthetic.videoDecoders.figures == Tally.Figures(made: 2, living: 1, peak: 2))
        #expect(rig.troubles.isEmpty)
    }

    @Test func decodeErrorsAreReportedOnceAndDecodingGoesOn() throws {
        let rig = TestRig()
        try rig.on { context in
            let source = TestSource(context, name: "source", kinds: [.video])
            source.beginVideo()
            try source.connect(to: TestSink(context, name: "sink", video: .raw))
            source.sendPictures(2, key: true)
            for _ in 0..<3 { source.send(SyntheticFrame.picture(99, isBroken: true, pts: context.now)) }
            source.sendPictures(2)
        }
        rig.run(0.1)
        try rig.on { context in
            #expect(context.sink().counters == [1, 2, 3, 4])
            #expect(context.source().keyFrameRequests.count == 1)
            #expect(context.stageRecords.first { $0.kind == .decode }?.drops == ["not decodable": 3])
        }
        #expect(rig.troubles.count == 1, "\(rig.troubles)")
        #expect(rig.troubles.first?.contains("broken frame") == true)
    }

    @Test func aCodecThatCannotBeMade() throws {
        let rig = TestRig(codecs: SyntheticCodecs(refusing: [.vp9]))
        try rig.on { context in
            let source = TestSource(context, name: "source", kinds: [.video])
            source.beginVideo()
            let key = RenditionKey.video(VideoSpecification(codec: .vp9))
            try source.connect(to: TestSink(context, name: "sink", video: key))
            source.sendPictures(5, key: true)
            source.source(.video)?.push(.end(.seconds(1)))
        }
        rig.run(0.1)
        #expect(rig.troubles.count == 1 && rig.troubles[0].contains("vp9 refused"), "\(rig.troubles)")
        try rig.on { #expect($0.sink().ends == [.seconds(1)], "the end comes all the same") }
    }

    /// One sink leaves while an item is handed out; its neighbours still get that item.
    @Test func leavingInTheMiddleOfADelivery() throws {
        let rig = TestRig()
        try rig.on { context in
            let source = TestSource(context, name: "source", kinds: [.video])
            source.beginVideo()
            for name in ["a", "b", "c"] { try source.connect(to: TestSink(context, name: name)) }
            context.sink("a").onArrival = { sink, arrival in
                if case .end = arrival.item { context.source().disconnect(from: sink) }
            }
            source.sendPictures(1, key: true)
            source.source(.video)?.push(.end(.seconds(1)))
            for name in ["a", "b", "c"] { #expect(context.sink(name).ends == [.seconds(1)], "\(name)") }
        }
    }
}
