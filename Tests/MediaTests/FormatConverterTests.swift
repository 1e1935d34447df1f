import Core
import Media
import TestKit
import Testing

@Suite struct FormatConverterTests {
    private static let vp8 = WantedFormat.video(.vp8, frameRate: Rational(30, 1))
    private static let h264 = WantedFormat.video(.h264, frameRate: nil)

    private func rig(_ wanted: WantedFormat?, sink key: RenditionKey = .native) throws -> TestRig {
        let rig = TestRig()
        try rig.on { context in
            let source = TestSource(context, name: "source")
            source.beginVideo()
            source.beginAudio()
            let sink = TestSink(context, name: "sink", audio: key, video: key)
            sink.inputs[.video]?.wantedFormat = wanted
            try source.connect(to: sink)
        }
        return rig
    }

    @Test("What comes in that codec already is handed on as it is") func nothingToDo() throws {
        let rig = try rig(Self.vp8)
        try rig.on { $0.source().sendPictures(10, key: true) }
        rig.run(1)
        #expect(rig.synthetic.videoEncoders.figures.made == 0 && rig.synthetic.videoDecoders.figures.made == 0)
        try rig.on { #expect($0.sink().counters == Array(1...10)) }
    }

    @Test("Another codec is made once, and by itself again after the wish has gone") func otherCodec() throws {
        let rig = try rig(Self.h264)
        try rig.on { $0.source().sendPictures(10, key: true) }
        rig.run(1)
        #expect(rig.synthetic.videoEncoders.figures.made == 1)
        try rig.on { context in
            #expect(context.sink().formats.contains { $0.codecName == "h264" })
            #expect(context.sink().formats.contains { $0.codecName == "opus" }, "sound is left alone")
            #expect(context.sink().counters == Array(1...10))
            #expect(context.sink().framesOut == 0)
            context.sink().forget()
            context.sink().inputs[.video]?.wantedFormat = nil
            context.source().sendPictures(5, key: true)
        }
        rig.run(1)
        #expect(rig.synthetic.videoEncoders.figures.living == 0 && rig.synthetic.videoDecoders.figures.living == 0)
        try rig.on { context in
            #expect(context.sink().formats.map(\.codecName).filter { $0 != "opus" } == ["vp8"])
            #expect(context.sink().encoded.count == 5)
        }
    }

    @Test("Nobody looks, nothing is made; key frames are asked for through it") func idle() throws {
        let rig = TestRig()
        try rig.on { context in
            let source = TestSource(context, name: "source", kinds: [.video])
            source.beginVideo()
            let pass = PassElement(context, name: "pass")
            pass.inputs[.video]?.wantedFormat = Self.h264
            try source.connect(to: pass, kind: .video)
            source.sendPictures(3, key: true)
        }
        rig.run(0.5)
        #expect(rig.synthetic.videoDecoders.figures.made == 0)
        try rig.on { context in
            #expect(context.source().demand[.video] == nil)
            let sink = TestSink(context, name: "sink", video: .native, kinds: [.video])
            try context.get("pass", PassElement.self).connect(to: sink, kind: .video)
            context.source().sendPictures(3, key: true)
        }
        rig.run(0.5)
        #expect(rig.synthetic.videoEncoders.figures.living == 1)
        try rig.on { context in
            #expect(context.sink().formats.map(\.codecName) == ["h264"])
            context.get("pass", PassElement.self).disconnect(from: context.sink())
        }
        rig.run(0.5)
        #expect(rig.synthetic.videoEncoders.figures.living == 0 && rig.synthetic.videoDecoders.figures.living == 0)
        try rig.on { context in
            // The element goes while somebody takes from it.
            try context.get("pass", PassElement.self).connect(to: context.sink(), kind: .video)
            context.source().sendPictures(3, key: true)
        }
        rig.run(0.5)
        try rig.on { $0.get("pass", PassElement.self).release() }
        rig.run(0.5)
        #expect(rig.synthetic.videoEncoders.figures.living == 0 && rig.synthetic.videoDecoders.figures.living == 0)
    }

    @Test("Decoded pictures come no faster than wished for") func slower() throws {
        let rig = try rig(.video(nil, frameRate: Rational(10, 1)))
        try rig.on { $0.source().sendPictures(30, key: true) }
        rig.run(2)
        try rig.on { context in
            let times = context.sink().pictures.map(\.pts)
            #expect((11...13).contains(times.count), "\(times.count)")
        }
    }
}

/// Hands on what comes in.
private final class PassElement: Element {
    init(_ context: PipelineContext, name: String) {
        super.init(context, name: name, className: "PassElement")
        addOutput(.video)
        addInput(.video)
    }
    override func originChanged(of pad: InputPad) { outputs[pad.kind]?.origin = pad.origin }
}
