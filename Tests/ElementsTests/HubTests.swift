import Core
import Elements
import Media
import TestKit
import Testing

/// The routing hubs.
@Suite struct HubTests {
    /// Three sources into ports a, b, c of `hub`, each port into a sink of its own.
    private static func wire(_ hub: Hub, _ context: PipelineContext) throws -> [HubPort] {
        try ["a", "b", "c"].enumerated().map { index, name in
            let port = HubPort(context, name: name, hub: hub)
            let source = TestSource(context, name: "source-" + name)
            try source.connect(to: port)
            try port.connect(to: TestSink(context, name: "sink-" + name, audio: .raw, video: .raw))
            source.live(luma: UInt8(50 + 50 * index), tone: [400, 1000, 2500][index])
            return port
        }
    }
    /// Brightness of the last picture at each sink since `forget`; 0 for none.
    private static func lumas(_ context: PipelineContext) -> [UInt8] {
        ["a", "b", "c"].map { context.sink("sink-" + $0).pictures.last?.luma(0.5, 0.5) ?? 0 }
    }
    private static func forget(_ context: PipelineContext) {
        for name in ["a", "b", "c"] { context.sink("sink-" + name).forget() }
    }
    private static func port(_ context: PipelineContext, _ name: String) -> HubPort { context.get(name) }

    @Test func dispatcher() throws {
        let rig = TestRig()
        try rig.on { context in
            let hub = Dispatcher(context, name: "hub")
            let ports = try Self.wire(hub, context)
            try hub.connect(source: ports[0], sink: ports[1])
            try hub.connect(source: ports[0], sink: ports[0])
            try hub.connect(source: ports[1], sink: ports[2])
        }
        rig.run(0.2)
        #expect(try rig.on(Self.lumas) == [50, 50, 100])
        try rig.on { context in
            // One source per sink: the later one counts.
            try context.get("hub", Dispatcher.self).connect(
                source: Self.port(context, "c"), sink: Self.port(context, "b"))
            let stranger = HubPort(context, name: "x", hub: Dispatcher(context, name: "other"))
            #expect(throws: GraphError.self) {
                try context.get("hub", Dispatcher.self).connect(source: stranger, sink: Self.port(context, "b"))
            }
            Self.forget(context)
        }
        rig.run(0.2)
        #expect(try rig.on(Self.lumas) == [50, 150, 100])
        try rig.on { context in
            Self.port(context, "b").release()
            Self.forget(context)
        }
        rig.run(0.2)
        #expect(try rig.on(Self.lumas) == [50, 0, 0], "what showed the released port shows nothing")
        #expect(rig.synthetic.videoDecoders.figures.made == 0, "pure routing")
    }

    /// Dispatchers route sound and pictures only; a Composite gives messages to all ports, the sender's too.
    @Test func messages() throws {
        for (isComposite, expected) in [(false, [0, 0]), (true, [1, 1])] {
            let rig = TestRig()
            try rig.on { context in
                let hub: Hub = isComposite ? Composite(context, name: "hub") : DispatcherOneToMany(context, name: "hub")
                let ports = try ["a", "b"].map { name in
                    let port = HubPort(context, name: name, hub: hub)
                    try port.connect(to: TestSink(context, name: "sink-" + name, kinds: [.data]))
                    return port
                }
                let source = TestSource(context, name: "source", kinds: [.data])
                source.source(.data)?.setForm(.messages)
                try source.connect(to: ports[0])
                try (hub as? DispatcherOneToMany)?.setSource(ports[0])
                source.source(.data)?.push(.message(.text("hello")))
            }
            rig.run(0.1)
            let counts = try rig.on { context in
                ["a", "b"].map { context.sink("sink-" + $0).arrivals.count { $0.item.isFrame } }
            }
            #expect(counts == expected)
        }
    }

    @Test func oneToMany() throws {
        let rig = TestRig()
        try rig.on { context in
            let hub = DispatcherOneToMany(context, name: "hub")
            try hub.setSource(try Self.wire(hub, context)[1])
        }
        rig.run(0.2)
        #expect(try rig.on(Self.lumas) == [100, 100, 100], "its own output too")
        try rig.on { context in
            try context.get("hub", DispatcherOneToMany.self).setSource(Self.port(context, "c"))
            Self.forget(context)
        }
        rig.run(0.2)
        #expect(try rig.on(Self.lumas) == [150, 150, 150])
        try rig.on { context in
            context.get("hub", DispatcherOneToMany.self).removeSource()
            Self.forget(context)
        }
        rig.run(0.2)
        #expect(try rig.on(Self.lumas) == [0, 0, 0])
        try rig.on { context in
            let hub: DispatcherOneToMany = context.get("hub")
            try hub.setSource(Self.port(context, "a"))
            // A port that comes later is served as well.
            try HubPort(context, name: "d", hub: hub).connect(
                to: TestSink(context, name: "sink-d", video: .raw, kinds: [.video]))
        }
        rig.run(0.2)
        try rig.on { context in
            #expect(context.sink("sink-d").pictures.last?.luma(0.5, 0.5) == 50)
            Self.port(context, "a").release()
            Self.forget(context)
        }
        rig.run(0.2)
        #expect(try rig.on(Self.lumas) == [0, 0, 0], "releasing the source port ends it")
    }

    @Test func mixer() throws {
        let rig = TestRig()
        try rig.on { context in
            let hub = Mixer(context, name: "hub")
            let ports = try Self.wire(hub, context)
            try hub.connect(.video, source: ports[0], sink: ports[1])
            for source in [0, 1, 1] { try hub.connect(.audio, source: ports[source], sink: ports[2]) }
            try hub.connect(.audio, source: ports[2], sink: ports[0])
            do throws(GraphError) {
                try hub.connect(.data, source: ports[0], sink: ports[1])
                Issue.record("messages are not mixed")
            } catch {
                #expect(error.reason == .unsupportedMedia)
            }
            #expect(throws: GraphError.self) { try hub.disconnect(.video, source: ports[0], sink: ports[1]) }
        }
        rig.run(2)
        let heard: @Sendable (PipelineContext) -> [[Bool]] = { context in
            ["a", "b", "c"].map { name in [400.0, 1000, 2500].map { context.sink("sink-" + name).loudness($0) > 0.1 } }
        }
        let none = [false, false, false]
        #expect(try rig.on(Self.lumas) == [0, 50, 0])
        #expect(try rig.on(heard) == [[false, false, true], none, [true, true, false]])
        try rig.on { context in
            let hub: Mixer = context.get("hub")
            try hub.disconnect(.audio, source: Self.port(context, "b"), sink: Self.port(context, "c"))
            try hub.connect(.video, source: Self.port(context, "c"), sink: Self.port(context, "b"))
        }
        rig.run(2)
        #expect(try rig.on(Self.lumas) == [0, 150, 0])
        #expect(try rig.on(heard) == [[false, false, true], none, [true, false, false]])
        try rig.on { Self.port($0, "c").release() }
        rig.run(2)
        #expect(try rig.on(heard)[0] == none, "a released port is heard by nobody")
    }

    @Test func alphaBlending() throws {
        let rig = TestRig()
        try rig.on { context in
            let hub = AlphaBlending(context, name: "hub")
            let ports = try Self.wire(hub, context)
            try hub.setPortProperties(
                ports[1], relativeX: 0.5, relativeY: 0.5, zOrder: 2, relativeWidth: 0.5, relativeHeight: 0.5)
            #expect(throws: GraphError.self) {
                try hub.setPortProperties(
                    ports[1], relativeX: 1.5, relativeY: 0, zOrder: 2, relativeWidth: 0.5, relativeHeight: 0.5)
            }
        }
        rig.run(0.5)
        try rig.on { context in
            #expect(context.sink("sink-a").pictures.isEmpty, "no canvas before there is a master")
            try context.get("hub", AlphaBlending.self).setMaster(Self.port(context, "a"), zOrder: 1)
        }
        rig.run(1.5)
        try rig.on { context in
            for name in ["a", "b", "c"] {
                let canvas = try #require(context.sink("sink-" + name).pictures.last)
                #expect(canvas.width == 32 && canvas.height == 24, "the master's size")
                #expect(canvas.luma(0.2, 0.2) == 50 && canvas.luma(0.8, 0.8) == 100, "and nobody placed c")
            }
            #expect(context.sink("sink-a").loudness(1000) > 0.1 && context.sink("sink-a").loudness(400) < 0.01)
        }
    }

    @Test func passThroughRoutesAndShares() throws {
        let rig = TestRig()
        try rig.on { context in
            let source = TestSource(context, name: "source", kinds: [.video])
            source.beginVideo()
            var last: Element = source
            for index in 0..<3 {
                let through = PassThrough(context, name: "through\(index)")
                try last.connect(to: through)
                last = through
            }
            let key = RenditionKey.video(VideoSpecification(codec: .vp9))
            try last.connect(to: TestSink(context, name: "far", video: key))
            try source.connect(to: TestSink(context, name: "near", video: key))
            source.sendPictures(3, key: true)
        }
        rig.run(0.1)
        try rig.on { #expect($0.sink("far").counters == [1, 2, 3] && $0.sink("near").counters == [1, 2, 3]) }
        #expect(rig.synthetic.videoEncoders.figures.made == 1, "shared across routers")
    }
}
