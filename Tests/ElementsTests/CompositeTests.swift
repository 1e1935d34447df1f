import Core
import Elements
import Media
import Mixing
import TestKit
import Testing

@Suite struct CompositeTests {
    private static func options(_ rate: Int = 25) -> Composite.Options {
        var options = Composite.Options()
        (options.width, options.height, options.frameRate) = (160, 120, Rational(rate, 1))
        return options
    }

    /// A hub with a viewer; who joins gets a source, a port and a listener of their own.
    private func rig(rate: Int = 25) throws -> TestRig {
        let rig = TestRig()
        try rig.on { context in
            let hub = Composite(context, name: "hub", options: Self.options(rate))
            try HubPort(context, name: "view", hub: hub).connect(
                to: TestSink(context, name: "sink", audio: .raw, video: .raw))
        }
        return rig
    }

    private static func join(_ context: PipelineContext, _ name: String, luma: UInt8?, tone: Double? = nil) throws {
        let port = HubPort(context, name: "port-" + name, hub: context.get("hub", Composite.self))
        let source = TestSource(context, name: name)
        try source.connect(to: port)
        try port.connect(to: TestSink(context, name: "out-" + name, audio: .raw, kinds: [.audio]))
        source.live(luma: luma, tone: tone)
    }

    /// Everything that is set takes effect with the next picture, and no picture of the canvas is late for it.
    @Test func layoutsChangeLive() throws {
        let rig = try rig()
        try rig.on { context in
            for (name, luma) in [("a", 60), ("b", 110), ("c", 160)] { try Self.join(context, name, luma: UInt8(luma)) }
        }
        @Sendable func canvas(_ places: [(Double, Double)]) throws -> [UInt8] {
            rig.run(0.3)
            return try rig.on { context in
                let canvas = context.sink().pictures.last
                return places.map { canvas?.luma($0.0, $0.1) ?? 0 }
            }
        }
        rig.run(0.5)
        #expect(try canvas([(0.25, 0.25), (0.75, 0.25), (0.25, 0.75)]) == [60, 110, 160])
        try rig.on { $0.get("hub", Composite.self).setLayout(.sideBySide) }
        #expect(try canvas([(0.15, 0.5), (0.5, 0.5), (0.85, 0.5)]) == [60, 110, 160])
        try rig.on { context in
            let hub: Composite = context.get("hub")
            hub.setLayout(.speaker)
            let port: HubPort = context.get("port-b")
            port.options.isPinned = true
        }
        #expect(try canvas([(0.5, 0.4), (0.3, 0.9), (0.6, 0.9)]) == [110, 60, 160])
        try rig.on { context in
            let hub: Composite = context.get("hub")
            let port: HubPort = context.get("port-b")
            port.options.isPinned = false
            try hub.setLayout([Region(width: 0.5, height: 1), Region(x: 0.5, y: 0.5, width: 0.5, height: 0.5)])
            hub.setFit(.stretch)
            hub.setBackground(YUVColor(red: 255, green: 255, blue: 255))
            for bad in [
                [], [Region(x: 0.6, width: 0.5)], [Region(width: 0)], [Region(x: .nan)], [Region(y: -0.1)],
            ] as [[Region]] {
                #expect(throws: GraphError.self) { try hub.setLayout(bad) }
            }
        }
        #expect(try canvas([(0.25, 0.02), (0.75, 0.75), (0.75, 0.25)]) == [60, 110, 235], "and c has no place")
        try rig.on { context in
            let port: HubPort = context.get("port-c")
            port.options.region = Region(x: 0.5, width: 0.5, height: 0.5)
            context.get("hub", Composite.self).setLayout(.full)
        }
        #expect(try canvas([(0.25, 0.75), (0.75, 0.25)]) == [60, 160])
        let times = try rig.on { $0.sink().pictures.map(\.pts) }
        #expect(zip(times, times.dropFirst()).allSatisfy { $1 - $0 == .milliseconds(40) })
    }

    @Test func labelsAreWritten() throws {
        let rig = try rig()
        try rig.on { context in
            try Self.join(context, "a", luma: 100)
            context.get("port-a", HubPort.self).options.label = "안녕 🙂"
        }
        func spread() throws -> Int {
            rig.run(0.5)
            return try rig.on { context in
                guard let canvas = context.sink().pictures.last else { return -1 }
                let row = (90..<118).flatMap { y in (4..<60).map { canvas.planes.y[y * canvas.planes.strideY + $0] } }
                return Int(row.max() ?? 0) - Int(row.min() ?? 0)
            }
        }
        #expect(try spread() == 0, "not asked for")
        try rig.on { $0.get("hub", Composite.self).setShowsLabels(true) }
        #expect(try spread() > 120, "white on dark")
        try rig.on { $0.get("port-a", HubPort.self).options.label = "" }
        #expect(try spread() == 0)
    }

    /// Who does not want to see themself gets a canvas of their own; the others still share one.
    @Test func selfHidden() throws {
        let rig = try rig()
        try rig.on { context in
            for (name, luma) in [("a", 60), ("b", 160)] { try Self.join(context, name, luma: UInt8(luma)) }
            let port: HubPort = context.get("port-a")
            port.options.isSelfHidden = true
            try port.connect(to: TestSink(context, name: "own", video: .raw, kinds: [.video]), kind: .video)
        }
        rig.run(0.5)
        let seen: @Sendable (PipelineContext) -> [UInt8] = { context in
            ["own", "sink"].flatMap { name in
                [0.25, 0.75].map { context.sink(name).pictures.last?.luma($0, 0.5) ?? 0 }
            }
        }
        #expect(try rig.on(seen) == [160, 160, 60, 160])
        try rig.on { $0.get("port-a", HubPort.self).options.isSelfHidden = false }
        rig.run(0.5)
        #expect(try rig.on(seen) == [60, 160, 60, 160])
        try rig.on { context in
            let port: HubPort = context.get("port-a")
            port.options.isSelfHidden = true
            context.sink("own").release()
            port.release()
        }
        rig.run(0.3)
        #expect(try rig.on { $0.sink().pictures.last?.luma(0.25, 0.5) } == 160)
        #expect(rig.troubles == [])
    }

    @Test func portsEnterAtTheirFirstPictureAndLeave() throws {
        let rig = try rig()
        let left: @Sendable (PipelineContext) -> [UInt8] = { context in
            let canvas = context.sink().pictures.last
            return [0.1, 0.4, 0.6, 0.9].map { canvas?.luma($0, 0.5) ?? 0 }
        }
        rig.run(0.5)
        #expect(try rig.on(left) == [16, 16, 16, 16], "black")
        // A port without media takes no place.
        try rig.on { context in
            try Self.join(context, "silent", luma: nil)
            try Self.join(context, "a", luma: 100)
        }
        rig.run(0.5)
        #expect(try rig.on(left) == [100, 100, 100, 100])
        try rig.on { try Self.join($0, "b", luma: 200) }
        rig.run(0.5)
        #expect(try rig.on(left) == [100, 100, 200, 200])
        // The end of the stream takes it off; a new picture brings it back.
        try rig.on { context in
            context.source("a").release()
        }
        rig.run(0.5)
        #expect(try rig.on(left) == [200, 200, 200, 200])
        try rig.on { $0.source("b").end() }
        rig.run(0.02)
        try rig.on { context in
            let port: HubPort = context.get("port-b")
            port.release()
        }
        rig.run(0.5)
        #expect(try rig.on(left) == [16, 16, 16, 16])
    }

    /// Everybody hears the others and not themselves; who says nothing shares one mix.
    @Test func mixMinus() throws {
        let rig = try rig()
        let tones = ["a": 400.0, "b": 1000, "c": 2500]
        try rig.on { context in
            for (name, tone) in tones.sorted(by: { $0.key < $1.key }) {
                try Self.join(context, name, luma: nil, tone: tone)
            }
            let hub: Composite = context.get("hub")
            for index in 0..<5 {
                try HubPort(context, name: "ear\(index)", hub: hub).connect(
                    to: TestSink(context, name: "ear-sink\(index)", audio: .raw, kinds: [.audio]))
            }
            let ears = (0..<5).compactMap { context.get("ear\($0)", HubPort.self).outputs[.audio]?.origin }
            #expect(ears.count == 5 && ears.allSatisfy { $0 === ears[0] }, "one mix for all who say nothing")
            #expect(context.get("port-a", HubPort.self).outputs[.audio]?.origin !== ears[0])
        }
        rig.run(3)
        try rig.on { context in
            for (name, _) in tones {
                for (other, tone) in tones {
                    let loudness = context.sink("out-" + name).loudness(tone)
                    if other == name {
                        #expect(loudness < 0.001, "\(name) hears itself")
                    } else {
                        #expect(abs(loudness - 0.2) < 0.01, "\(name) hears \(other) at \(loudness)")
                    }
                }
            }
            for tone in tones.values { #expect(abs(context.sink("ear-sink3").loudness(tone) - 0.2) < 0.01) }
            // Gain and mute.
            context.get("port-a", HubPort.self).options.gain = 0.5
            context.get("port-b", HubPort.self).options.isMuted = true
            context.source("c").disconnect(from: context.get("port-c", HubPort.self))
        }
        rig.run(3)
        try rig.on { context in
            let ear = context.sink("ear-sink0")
            #expect(abs(ear.loudness(400) - 0.1) < 0.01 && ear.loudness(1000) < 0.001 && ear.loudness(2500) < 0.001)
            let (c, silent) = (context.get("port-c", HubPort.self), context.get("ear0", HubPort.self))
            #expect(
                c.outputs[.audio]?.origin === silent.outputs[.audio]?.origin, "who was cut off listens with the others")
            #expect(context.sink("out-c").loudness(400) > 0.09, "and still hears")
        }
    }

    /// Law 3: whatever the inputs do, the next picture and the next 20 ms of sound come in time.
    @Test func nothingStopsTheOutput() throws {
        let rig = try rig(rate: 30)
        rig.run(0.5)
        var random = SeededRandom(seed: 42)
        var inside: [String] = []
        for step in 0..<200 {
            let (action, victim) = (Int.random(in: 0..<10, using: &random), Int.random(in: 0..<16, using: &random))
            let late = Bool.random(using: &random)
            let inRoom = inside
            let left: String? = try rig.on { context in
                guard !inRoom.isEmpty, action < 5 || inRoom.count > 12 else {
                    try Self.join(context, "p\(step)", luma: late ? nil : UInt8(40 + step), tone: 300)
                    // Starts late, or without sound, or with one that begins in the middle.
                    if late { context.source("p\(step)").live(luma: 90, until: context.now + .milliseconds(150)) }
                    return nil
                }
                let name = inRoom[victim % inRoom.count]
                switch action {
                case 0: context.source(name).end()
                case 1: context.get("port-" + name, HubPort.self).release()
                case 2: context.source(name).disconnect(from: context.get("port-" + name, HubPort.self))
                // Freezes: sends nothing any more, and says nothing about it.
                case 3: context.source(name).release()
                default:
                    context.source(name).release()
                    context.get("port-" + name, HubPort.self).release()
                    context.sink("out-" + name).release()
                }
                return name
            }
            if let left { inside.removeAll { $0 == left } } else { inside.append("p\(step)") }
            rig.run(Double.random(in: 0.01..<0.06, using: &random))
        }
        rig.run(0.5)
        try rig.on { context in
            var video = GapMeter(), audio = GapMeter()
            for arrival in context.sink().arrivals {
                switch arrival.item {
                case .picture: video.mark(arrival.at)
                case .sound: audio.mark(arrival.at)
                default: break
                }
            }
            #expect(video.count > 200 && video.longest <= .milliseconds(67), "\(video.longest)")
            #expect(audio.count > 300 && audio.longest <= .milliseconds(40), "\(audio.longest)")
            let times = context.sink().pictures.map(\.pts)
            #expect(
                zip(times, times.dropFirst()).allSatisfy { abs(($1 - $0).seconds - 1 / 30) < 0.001 }, "not one skipped")
        }
        #expect(rig.troubles.isEmpty, "\(rig.troubles)")
    }

    /// The tick moves behind the pictures of a live sender, wherever these lie between two of them, so that they do not
    /// wait for it; and none is lost or shown twice.
    @Test(arguments: [3, 11, 19, 27])
    func pictureOfALiveSenderHardlyWaits(phase: Int) throws {
        let rig = try rig(rate: 30)
        try rig.on { context in
            let port = HubPort(context, name: "port", hub: context.get("hub", Composite.self))
            let source = TestSource(context, name: "source")
            try source.connect(to: port)
            let rate = Rational(30, 1)
            source.source(.video)?.setForm(.pictures(width: 32, height: 24, frameRate: rate))
            let begin = MediaTime.milliseconds(phase)
            _ = context.schedule(at: begin) {
                source.every(MediaTime(1, per: rate), until: .infinity) { source in
                    // Brightness counts, 200 steps round.
                    let number = (source.context.now - begin).count(per: rate)
                    let picture = Pictures.flat(
                        width: 32, height: 24, y: UInt8(20 + number % 200), pts: source.context.now,
                        pool: source.context.configuration.pool)
                    source.source(.video)?.push(.picture(picture))
                }
            }
        }
        rig.run(6)
        let shown = try rig.on { context in context.sink().pictures.suffix(60).map { ($0.pts, $0.luma(0.5, 0.5)) } }
        for (pts, luma) in shown {
            let number = (pts - .milliseconds(phase)).seconds * 30
            let sent = number.rounded(.down)
            #expect(Int(sent) % 200 + 20 == Int(luma), "the newest is shown")
            #expect((number - sent) / 30 < 0.004, "it waited \((number - sent) * 1000 / 30) ms")
        }
        #expect(Set(shown.map(\.1)).count == shown.count)
        rig.release()
    }
}
