import Core
import Media
import TestKit
import Testing

@Suite struct OverloadTests {
    /// Real time: a decoder that falls behind drops up to the next key frame, counts, and asks for one.
    @Test func realTimeDecoderDropsToTheNextKeyFrame() throws {
        let rig = TestRig()
        try rig.on { context in
            let source = TestSource(context, name: "source", kinds: [.video])
            source.beginVideo()
            try source.connect(to: TestSink(context, name: "sink", video: .raw))
            // All at once, before any worker gets to run: one format and 59 frames fit the queue of 60.
            source.sendPictures(100, key: true)
            #expect(source.keyFrameRequests.count == 1)
        }
        rig.run(0.1)
        try rig.on { context in
            #expect(context.sink().counters == Array(1...59))
            let drops = context.stageRecords.first { $0.kind == .decode }?.drops ?? [:]
            #expect(drops == ["overflow": 1, "decoder behind": 40])
            context.source().sendPictures(3)
        }
        rig.run(0.1)
        try rig.on { context in
            #expect(context.sink().counters.count == 59, "nothing before a key frame")
            context.source().sendPictures(3, key: true)
        }
        rig.run(0.1)
        try rig.on { #expect($0.sink().counters.suffix(3) == [104, 105, 106]) }
        #expect(rig.troubles.isEmpty, "no picture was decoded without what it needs")
    }

    /// Real time: an encoder that falls behind drops the oldest pictures, and is not burdened with key frames for it.
    @Test func realTimeEncoderDropsTheOldest() throws {
        let rig = TestRig()
        try rig.on { context in
            let source = TestSource(context, name: "source", kinds: [.video])
            source.source(.video)?.setForm(.pictures(width: 16, height: 16, frameRate: Rational(30, 1)))
            try source.connect(to: TestSink(context, name: "sink", video: .video(VideoSpecification(codec: .vp8))))
        }
        for round in 0..<2 {
            try rig.on { context in
                for index in 1...10 {
                    let pts = MediaTime(Int64(10 * round + index), per: Rational(30, 1))
                    let picture = VideoFrame(counter: 10 * round + index, pts: pts, pool: context.configuration.pool)
                    context.source().source(.video)?.push(.picture(picture))
                }
            }
            rig.run(0.1)
        }
        try rig.on { context in
            #expect(context.sink().counters == [1, 8, 9, 10, 11, 18, 19, 20])
            #expect(context.sink().encoded.filter(\.isKey).count == 1, "no key frame for each loss")
            #expect(context.stageRecords.first { $0.kind == .encode }?.drops == ["overflow": 12])
        }
    }

    /// Offline nothing is dropped, and no more waits than the bounds say, however slow the sink.
    @Test func offlineNeverDropsAndStaysBounded() throws {
        let rig = TestRig(mode: .offline)
        let peak = Lock(0)
        try rig.on { context in
            let source = TestSource(context, name: "source", kinds: [.video])
            source.beginVideo()
            let sink = TestSink(context, name: "sink", video: .video(VideoSpecification(codec: .vp8)))
            try source.connect(to: sink)
            sink.hasRoom = true
            sink.onArrival = { sink, arrival in
                guard arrival.item.isFrame else { return }
                peak.withLock { $0 = max($0, sink.context.source().counter - sink.framesIn) }
                // Takes one, and is busy for 10 ms.
                sink.hasRoom = false
                _ = sink.context.schedule(at: sink.context.now + .milliseconds(10)) { [weak sink] in
                    sink?.hasRoom = true
                    sink?.inputs[.video]?.roomAvailable()
                }
            }
            var hasEnded = false
            source.onRoom = { [unowned source] in
                let interval = MediaTime(1, per: Rational(30, 1))
                while source.counter < 2000, source.source(.video)?.hasRoom == true {
                    source.sendPictures(
                        1, key: source.counter == 0, from: MediaTime(Int64(source.counter), per: Rational(30, 1)),
                        interval: interval)
                }
                if source.counter == 2000, !hasEnded {
                    hasEnded = true
                    source.source(.video)?.push(.end(.seconds(67)))
                }
            }
            source.onRoom()
        }
        rig.run(40)
        try rig.on { context in
            #expect(context.sink().counters == Array(1...2000))
            #expect(context.sink().ends == [.seconds(67)])
            #expect(context.stageRecords.allSatisfy { $0.drops.isEmpty })
        }
        // 32 coded ones wait, 8 are being decoded, 4 encoded, and those of a batch.
        let most = peak.withLock { $0 }
        #expect(most >= 4 && most <= 64, "\(most) frames in flight")
    }

    /// What a decoder that reorders holds back, its watermark does not promise.
    @Test(arguments: [1, 2, 3])
    func watermarksWithReorderedPictures(_ depth: Int) throws {
        let rig = TestRig(mode: .offline)
        try rig.on { context in
            let source = TestSource(context, name: "source", kinds: [.video])
            source.beginVideo(.h264, reorderDepth: depth)
            try source.connect(to: TestSink(context, name: "sink", video: .raw))
            // Decoding order: each group's last picture first, then those before it.
            var counter = 0
            for group in 0..<10 {
                let order = [depth] + Array(0..<depth)
                for (place, position) in order.enumerated() {
                    counter += 1
                    let (index, decodeIndex) = (group * (depth + 1) + position, group * (depth + 1) + place)
                    source.send(
                        SyntheticFrame.picture(
                            counter, needs: counter == 1 ? nil : counter - 1, pts: .milliseconds(40 * (index + depth)),
                            dts: .milliseconds(40 * decodeIndex)))
                    source.source(.video)?.push(.watermark(.milliseconds(40 * decodeIndex + 1)))
                }
            }
            source.source(.video)?.push(.end(.seconds(10)))
        }
        rig.run(1)
        try rig.on { context in
            var promised = MediaTime.distantPast
            var seen: [MediaTime] = []
            var kept = true
            for arrival in context.sink().arrivals {
                switch arrival.item {
                case .picture(let picture):
                    kept = kept && picture.pts >= promised
                    seen.append(picture.pts)
                case .watermark(let time): promised = max(promised, time)
                default: break
                }
            }
            #expect(kept, "a picture came after a watermark had ruled it out")
            #expect(seen.count == 10 * (depth + 1) && seen == seen.sorted())
            #expect(promised > .milliseconds(200), "the watermarks do move")
        }
    }
}
