import Core
import Elements
import Media
import TestKit
import Testing

@Suite struct ThumbnailTests {
    @Test func thumbnail() throws {
        let rig = TestRig()
        let results = Lock<[Result<[UInt8], GraphError>]>([])
        try rig.on { context in
            let source = TestSource(context, name: "source", kinds: [.video])
            let through = PassThrough(context, name: "through")
            try source.connect(to: through)
            source.live(luma: 120, width: 320, height: 240, until: .seconds(2))
            through.thumbnail(width: 160) { result in results.withLock { $0.append(result) } }
            PassThrough(context, name: "alone").thumbnail { result in results.withLock { $0.append(result) } }
        }
        // Two seconds in which whoever looks again need not wait.
        rig.run(3.5)
        try rig.on { context in
            #expect(context.source().demand[.video] == [true, false], "asked for no longer than needed")
            // No more pictures come: patience ends it.
            context.get("through", Element.self).thumbnail(patience: .seconds(2)) { result in
                results.withLock { $0.append(result) }
            }
        }
        rig.run(3)
        let found = results.withLock { $0 }
        try #require(found.count == 3)
        #expect(throws: GraphError.self) { try found[0].get() }
        let jpeg = try found[1].get()
        #expect(jpeg.starts(with: [0xFF, 0xD8, 0xFF]) && jpeg.suffix(2) == [0xFF, 0xD9])
        #expect(throws: GraphError.self) { try found[2].get() }
    }

    /// How long a thumbnail of a hub's port took, in pipeline time.
    private func look(_ rig: TestRig, _ name: String, patience: MediaTime = .seconds(5)) throws -> MediaTime {
        let took = Lock<MediaTime?>(nil)
        try rig.on { context in
            let began = context.now
            context.get(name, Element.self).thumbnail(patience: patience) { result in
                if case .success = result { took.withLock { $0 = context.now - began } }
            }
        }
        rig.run(2)
        let time = took.withLock { $0 }
        return try #require(time)
    }

    private func hub(_ rig: TestRig, until end: MediaTime = .infinity) throws {
        try rig.on { context in
            let hub = Composite(context, name: "hub")
            for name in ["a", "b"] {
                let source = TestSource(context, name: name, kinds: [.video])
                try source.connect(to: HubPort(context, name: "port-\(name)", hub: hub))
                source.live(luma: 200, until: end)
            }
        }
    }

    /// Nobody has looked at a hub before, or nobody for a while: its picture comes once its inputs are there.
    @Test func aHubIsSeenAsSoonAsItsInputsAre() throws {
        let rig = TestRig()
        try hub(rig)
        rig.run(1)
        #expect(try look(rig, "port-a") < .milliseconds(200))
        rig.run(5)
        #expect(try look(rig, "port-a") < .milliseconds(200), "after a while")
    }

    /// An input from which nothing comes is waited for, but no longer than a second.
    @Test func aSilentInputHoldsNobodyUpForLong() throws {
        let rig = TestRig()
        try hub(rig)
        try rig.on { context in
            let hub = context.get("hub", Composite.self)
            try TestSource(context, name: "c", kinds: [.video]).connect(to: HubPort(context, name: "port-c", hub: hub))
        }
        rig.run(1)
        let took = try look(rig, "port-a")
        #expect(took >= .milliseconds(900) && took <= .milliseconds(1200), "\(took)")
        // Somebody looks already.
        #expect(try look(rig, "port-a") < .milliseconds(100))
    }

    /// The picture is of now: not that of the last look, nor black where something is about to come.
    @Test func whatIsSeenIsNew() throws {
        let rig = TestRig()
        let seen = Lock<[UInt8]>([])
        try hub(rig, until: .seconds(5))
        func glance() throws {
            try rig.on { context in
                let source = try #require(context.get("port-a", Element.self).outputs[.video]?.origin)
                _ = PictureTaker(source, patience: .seconds(5)) { picture in
                    seen.withLock { $0 += [picture?.luma(0.25, 0.5) ?? 0, picture?.luma(0.75, 0.5) ?? 0] }
                }
            }
            rig.run(6)
        }
        try glance()
        try rig.on { context in
            for name in ["a", "b"] { context.source(name).live(luma: 100) }
        }
        try glance()
        #expect(seen.withLock { $0 } == [200, 200, 100, 100])
    }

    /// A filter that feeds itself asks nobody for ever.
    @Test func aFilterInALoop() throws {
        let rig = TestRig()
        let failed = Lock(false)
        try rig.on { context in
            let filter = ImageOverlayFilter(context, name: "filter")
            try filter.connect(to: filter)
            filter.thumbnail(patience: .seconds(1)) { result in
                if case .failure = result { failed.withLock { $0 = true } }
            }
        }
        rig.run(2)
        #expect(failed.withLock { $0 })
    }

    /// A pipeline that is dropped while a picture is waited for, and while a taker lingers, leaves nothing, and whoever
    /// waits is told.
    @Test(arguments: ["source", "port-a"])
    func aDroppedPipelineSaysSo(_ looked: String) throws {
        let sim = SimHost()
        let answers = Lock(0)
        let watched: Watched
        do {
            let rig = TestRig(sim)
            try hub(rig)
            watched = Watched()
            try rig.on { context in
                watched.context.withLock { $0.value = context }
                _ = TestSource(context, name: "source", kinds: [.video])
                context.get(looked, Element.self).thumbnail { _ in answers.withLock { $0 += 1 } }
            }
            rig.run(0.5)
        }
        sim.run(limit: .seconds(10))
        let isGone = watched.context.withLock { $0.value == nil }
        #expect(isGone)
        #expect(answers.withLock { $0 } == 1)
    }

    private final class Watched: Sendable {
        struct Reference: @unchecked Sendable {
            // Sendable: only ever asked whether the context is gone.
            weak var value: PipelineContext?
        }
        let context = Lock(Reference())
    }
}
