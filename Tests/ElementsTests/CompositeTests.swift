import Core
import Elements
import Media
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
}
