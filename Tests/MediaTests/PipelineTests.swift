import Core
import Elements
import Media
import TestKit
import Testing

@Suite struct PipelineTests {
    private final class Watched: Sendable {
        private struct References {
            weak var pipeline: MediaPipeline?
            var codecs: SyntheticCodecs
        }
        private let references: Lock<References>
        init(_ pipeline: MediaPipeline, _ codecs: SyntheticCodecs) {
            references = Lock(References(pipeline: pipeline, codecs: codecs))
        }
        var isGone: Bool { references.withLock { $0.pipeline == nil } }
        var living: [Int] {
            references.withLock { held in
                [
                    held.codecs.videoDecoders, held.codecs.videoEncoders, held.codecs.audioDecoders,
                    held.codecs.audioEncoders,
                ]
                .map(\.figures.living)
            }
        }
    }

    /// A pipeline with everything in it, dropped in the middle of its work without a release.
    @Test(arguments: [false, true])
    func aDroppedPipelineLeavesNothing(_ releases: Bool) throws {
        let sim = SimHost()
        var elements: [Weak] = []
        let watched: Watched
        do {
            let rig = TestRig(sim)
            watched = Watched(rig.pipeline, rig.synthetic)
            try rig.on { context in
                let specification = VideoSpecification(codec: .vp8, width: 64, height: 48)
                let hub = Composite(context, name: "hub")
                let through = PassThrough(context, name: "through")
                for name in ["a", "b"] {
                    let source = TestSource(context, name: name)
                    source.beginVideo()
                    source.beginAudio()
                    let port = HubPort(context, name: "port-\(name)", hub: hub)
                    try source.connect(to: port)
                    try source.connect(
                        to: TestSink(
                            context, name: "sink-\(name)", audio: .audio(AudioSpecification()),
                            video: .video(specification)))
                    try port.connect(
                        to: TestSink(
                            context, name: "out-\(name)", audio: .audio(AudioSpecification()),
                            video: .video(specification)))
                    source.every(.milliseconds(20), until: .infinity) { source in
                        source.sendPictures(1, key: source.counter == 0)
                        source.send(SyntheticFrame.sound(level: 1, pts: source.context.now), .audio)
                    }
                }
                try through.connect(to: through)
                let blending = AlphaBlending(context, name: "blending")
                try context.source("a").connect(to: HubPort(context, name: "blend", hub: blending))
                let mixer = Mixer(context, name: "mixer")
                let port = HubPort(context, name: "mixed", hub: mixer)
                try context.source("a").connect(to: port)
                try mixer.connect(.audio, source: port, sink: port)
                try port.connect(to: TestSink(context, name: "listener", audio: .raw, video: .raw))
            }
            rig.run(1)
            #expect(watched.living[0] >= 1 && watched.living[1] >= 1, "\(watched.living)")
            elements = try rig.on { context in context.elements.map(Weak.init) }
            #expect(elements.count > 10)
            if releases { rig.release() }
        }
        sim.run(limit: .seconds(3))
        #expect(watched.isGone)
        #expect(elements.filter { $0.element != nil }.isEmpty)
        #expect(watched.living == [0, 0, 0, 0])
    }

    private struct Weak: @unchecked Sendable {
        // Sendable: only ever asked whether the element is gone.
        weak var element: Element?
    }

    @Test func elementsComeAndGoFromOneMomentToTheNext() throws {
        let rig = TestRig()
        try rig.on { context in
            // Emptied and filled again within one flow tick.
            TestSource(context, name: "first").release()
            let source = TestSource(context, name: "source", kinds: [.video])
            source.beginVideo()
            try source.connect(to: TestSink(context, name: "sink"))
        }
        rig.run(1.9)
        let sent = try rig.on { context in
            context.source().sendPictures(1, key: true)
            return context.now
        }
        rig.run(5)
        let stopped = rig.events.last { $0.event.detail == .mediaFlowOutStateChanged(kind: .video, isFlowing: false) }
        let silence = (stopped?.at ?? .zero) - sent
        #expect(silence >= .seconds(2) && silence <= .seconds(4), "\(silence)")
    }

    @Test func timers() throws {
        let rig = TestRig()
        let fired = Lock<[Int]>([])
        try rig.on { context in
            for index in [3, 1, 2] {
                _ = context.schedule(at: .milliseconds(10 * index)) { fired.withLock { $0.append(index) } }
            }
            let cancelled = context.schedule(at: .milliseconds(15)) { fired.withLock { $0.append(99) } }
            context.cancel(cancelled)
            context.cancel(cancelled)
        }
        rig.run(1)
        #expect(fired.withLock { $0 } == [1, 2, 3])
    }
}
