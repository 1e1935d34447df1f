import Core
import Elements
import Media
import TestKit
import Testing

@Suite struct ConnectionTests {
    @Test func loopback() throws {
        let rig = TestRig()
        try rig.on { context in
            let through = PassThrough(context, name: "through")
            try through.connect(to: through)
            #expect(through.inputs[.video]?.upstream === through.outputs[.video])
            // A hub port that shows itself the canvas it is part of.
            let port = HubPort(context, name: "port", hub: Composite(context, name: "hub"))
            try port.connect(to: port)
            try port.connect(to: TestSink(context, name: "sink", video: .raw, kinds: [.video]))
        }
        rig.run(1)
        try rig.on { context in
            let port: HubPort = context.get("port")
            #expect(port.isMediaFlowingIn(.video))
            port.disconnect(from: port)
        }
        #expect(rig.troubles.isEmpty)
    }

    @Test func disconnectingWhatIsNotConnected() throws {
        let rig = TestRig()
        try rig.on { context in
            let source = TestSource(context, name: "source")
            source.disconnect(from: TestSink(context, name: "sink"))
        }
        #expect(
            rig.details("source") == [
                .elementDisconnected(sink: "sink", kind: .audio), .elementDisconnected(sink: "sink", kind: .video),
            ])
    }

    @Test func connectingAgainRelinks() throws {
        let rig = TestRig()
        try rig.on { context in
            let source = TestSource(context, name: "source", kinds: [.video])
            let sink = TestSink(context, name: "sink")
            try source.connect(to: sink)
            try source.connect(to: sink, kind: .video)
            source.beginVideo()
            source.sendPictures(1, key: true)
            #expect(sink.counters == [1], "once, not twice")
        }
        #expect(
            rig.details("source").prefix(3) == [
                .elementConnected(sink: "sink", kind: .video), .elementDisconnected(sink: "sink", kind: .video),
                .elementConnected(sink: "sink", kind: .video),
            ])
    }

    @Test func refusals() throws {
        let rig = TestRig(), other = TestRig(rig.sim)
        try rig.on { context in
            let source = TestSource(context, name: "source", kinds: [.video])
            let sink = TestSink(context, name: "sink", kinds: [.audio])
            #expect(throws: GraphError.self) { try source.connect(to: sink) }
            #expect(throws: GraphError.self) { try source.connect(to: sink, kind: .video) }
            #expect(throws: GraphError.self) { try source.connect(to: sink, kind: .audio) }
            sink.release()
            #expect(throws: GraphError.self) { try source.connect(to: sink) }
        }
        #expect(other.events.isEmpty)
    }

    /// Media that ended before somebody came: who comes is told so, through routers and hubs too.
    @Test func comingAfterTheEnd() throws {
        let rig = TestRig(mode: .offline) { $0.endsWithInputs = true }
        try rig.on { context in
            let source = TestSource(context, name: "source")
            source.beginAudio()
            source.send(SyntheticFrame.sound(level: 1, pts: .zero), .audio)
            for kind in [MediaKind.audio, .video] { source.source(kind)?.push(.end(.milliseconds(20))) }
            let hub = Composite(context, name: "hub")
            let port = HubPort(context, name: "port", hub: hub)
            try port.connect(to: TestSink(context, name: "sink", audio: .raw, video: .raw))
            try source.connect(to: port)
        }
        rig.run(5)
        try rig.on { context in
            #expect(context.sink().ends.count == 2, "both sides of the hub are over")
            #expect(context.isReproducible)
        }
        #expect(rig.troubles.isEmpty, "\(rig.troubles)")
    }
}
