import Core
import Elements
import Media
import TestKit
import Testing

@Suite struct FlowTests {
    private func flows(_ rig: TestRig, _ element: String, out: Bool) -> [(isFlowing: Bool, at: MediaTime)] {
        rig.events.compactMap { noted in
            guard noted.event.element == element else { return nil }
            switch noted.event.detail {
            case .mediaFlowOutStateChanged(.video, let isFlowing) where out: return (isFlowing, noted.at)
            case .mediaFlowInStateChanged(.video, let isFlowing) where !out: return (isFlowing, noted.at)
            default: return nil
            }
        }
    }

    /// Source → PassThrough → Dispatcher → sink: every pad tells, at the first frame, and 2–4 s after the last.
    @Test(arguments: [0.3, 1.9, 2.1, 3.7])
    func everyPadTells(_ start: Double) throws {
        let rig = TestRig()
        try rig.on { context in
            let source = TestSource(context, name: "source", kinds: [.video])
            let through = PassThrough(context, name: "through")
            let hub = Dispatcher(context, name: "hub")
            let (a, b) = (HubPort(context, name: "a", hub: hub), HubPort(context, name: "b", hub: hub))
            try source.connect(to: through)
            try through.connect(to: a)
            try hub.connect(source: a, sink: b)
            try b.connect(to: TestSink(context, name: "sink"))
            source.beginVideo()
        }
        rig.run(start)
        let began = try rig.on { context in
            context.source().sendPictures(1, key: true)
            context.source().every(.milliseconds(100), until: context.now + .seconds(3)) { $0.sendPictures() }
            return context.now
        }
        rig.run(10)
        let pads = [
            ("source", true), ("through", false), ("through", true), ("a", false), ("b", true), ("sink", false),
        ]
        for (element, out) in pads {
            let changes = flows(rig, element, out: out)
            #expect(changes.map(\.isFlowing) == [true, false], "\(element) \(out)")
            guard changes.count == 2 else { continue }
            #expect(changes[0].at == began)
            let silence = changes[1].at - (began + .milliseconds(2900))
            #expect(silence >= .seconds(2) && silence <= .milliseconds(4100), "\(element): \(silence)")
        }
        try rig.on { context in
            #expect(!context.source().isMediaFlowingOut(.video) && !context.sink().isMediaFlowingIn(.video))
            context.source().sendPictures()
            #expect(context.source().isMediaFlowingOut(.video) && context.sink().isMediaFlowingIn(.video))
            context.source().disconnect(from: context.element(named: "through") ?? context.sink())
            #expect(!context.sink().isMediaFlowingIn(.video), "cut off")
        }
    }

    /// Released elements are told nothing more, and the others still are.
    @Test func aReleasedListenerIsForgotten() throws {
        let rig = TestRig()
        try rig.on { context in
            let hub = Composite(context, name: "hub")
            for name in ["a", "b"] {
                let port = HubPort(context, name: name, hub: hub)
                try port.connect(to: TestSink(context, name: "sink-\(name)", video: .raw, kinds: [.video]))
            }
        }
        rig.run(1)
        try rig.on { context in
            let port: HubPort = context.get("a")
            port.release()
        }
        rig.run(5)
        try rig.on { context in
            #expect(context.sink("sink-b").isMediaFlowingIn(.video))
            let port: HubPort = context.get("b")
            port.disconnect(from: context.sink("sink-b"))
        }
        rig.run(5)
        #expect(flows(rig, "a", out: true).map(\.isFlowing) == [true, false])
        #expect(flows(rig, "b", out: true).map(\.isFlowing) == [true, false])
    }
}
