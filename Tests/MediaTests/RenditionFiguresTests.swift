import Core
import Media
import TestKit
import Testing

@Suite struct RenditionFiguresTests {
    @Test func whatIsMadeOfASource() throws {
        let rig = TestRig()
        let coded = RenditionKey.video(VideoSpecification(codec: .vp8, bitrate: 500_000))
        try rig.on { context in
            let source = TestSource(context, name: "source", kinds: [.video])
            source.beginVideo()
            for (name, key) in [("a", coded), ("b", coded), ("native", .native)] {
                try source.connect(to: TestSink(context, name: name, video: key, kinds: [.video]))
            }
            source.sendPictures(10, key: true)
        }
        rig.run(1)
        try rig.on { context in
            let source = try #require(context.source().outputs[.video]?.origin)
            let figures = source.figures
            #expect(figures.map(\.key) == [.native, .raw, coded])
            #expect(figures.map(\.frames) == [10, 10, 10])
            #expect(figures[0].bytes > 0 && figures[1].bytes == 0 && figures[2].bytes > 0)
            // Two sinks and the decoder take what comes, one encoder the pictures, two sinks its result.
            #expect(figures.map(\.sinks) == [2, 1, 2])
            #expect(source.isDecoded)
            #expect(context.sink("a").inputs[.video]?.delivery?.key == coded)
            #expect(context.sink("native").inputs[.video]?.delivery == figures[0])
            for name in ["a", "b"] { context.source().disconnect(from: context.sink(name)) }
            #expect(source.figures.map(\.key) == [.native] && !source.isDecoded)
            #expect(context.sink("a").inputs[.video]?.delivery == nil)
            #expect(context.stageRecords.allSatisfy { !$0.isRunning })
        }
    }

    @Test func stagesCountInTheMetrics() throws {
        let rig = TestRig()
        try rig.on { context in
            let source = TestSource(context, name: "source", kinds: [.video])
            source.beginVideo()
            let coded = RenditionKey.video(VideoSpecification(codec: .vp8, bitrate: 500_000))
            try source.connect(to: TestSink(context, name: "a", video: coded, kinds: [.video]))
            source.sendPictures(10, key: true)
        }
        rig.run(1)
        try rig.on { context in
            let record = try #require(context.stageRecords.first { $0.kind == .decode })
            record.drop("for a reason", 3)
            func value(_ name: String, _ labels: [String]) -> Metrics.Sample? {
                context.metrics.samples().first { $0.name == name && $0.labels.map(\.value) == labels }?.sample
            }
            for stage in ["decode", "encode"] {
                guard case .counter(10)? = value("tessera_stage_frames_total", [stage, "video"]) else {
                    Issue.record("\(stage) is not counted")
                    continue
                }
            }
            guard case .counter(3)? = value("tessera_stage_drops_total", ["decode", "video", "for a reason"]) else {
                Issue.record("drops are not counted")
                return
            }
            // What happens once is counted too, and not listed.
            let count = context.stageRecords.count
            let once = context.makeStageRecord(element: context.source(), kind: .encode, codec: "jpeg", isListed: false)
            once.frames += 1
            #expect(context.stageRecords.count == count)
            guard case .counter(11)? = value("tessera_stage_frames_total", ["encode", "video"]) else {
                Issue.record("a picture is not counted")
                return
            }
        }
    }
}
