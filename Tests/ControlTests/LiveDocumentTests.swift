import Control
import Core
import Elements
import Media
import TestKit
import Testing

/// A live document on a simulated machine: who gets in, what may be changed, and that nobody stays who does not come.
@Suite struct LiveDocumentTests {
    /// A document that runs on a machine, and offers of a browser that never sends anything.
    private final class Rig: Sendable {
        let host = SimHost()
        let machine: SimMachine
        let live: LiveDocument
        let offers: MediaPipeline

        init(_ text: String, limits: LiveLimits = LiveLimits()) throws {
            let network = SimNetwork(host, seed: 1)
            machine = network.machine([IPAddress(v4: 0xC000_0201)])
            let services = RealTimeServices(host: machine)
            let configuration = PipelineConfiguration(
                mode: .realTime, codecs: SyntheticCodecs(), pool: FramePool(),
                log: Log(host: machine, level: .error) { _ in })
            let plan = try document(text).plan(Settings())
            live = LiveDocument(
                plan, host: machine, services: services, configuration: configuration, limits: limits)
            let away = network.machine([IPAddress(v4: 0xC000_0202)])
            offers = makePipeline(away, .realTime)
            let theirs = RealTimeServices(host: away)
            try complete { [live, offers] in
                try await live.start()
                try await offers.perform { context in
                    var watching = WebRtcEndpoint.Options()
                    watching.receiveOnly = true
                    for (name, options) in [("sender", WebRtcEndpoint.Options()), ("watcher", watching)] {
                        _ = try WebRtcEndpoint(context, name: name, services: theirs, options: options)
                    }
                }
            }
        }

        @discardableResult
        func complete<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) throws -> R {
            try #require(host.complete(limit: .seconds(120), body)).get()
        }

        func offer(_ name: String = "sender") throws -> String {
            try complete { [offers] in
                try await offers.perform { context in
                    guard let endpoint = context.element(named: name) as? WebRtcEndpoint else { return "" }
                    return try endpoint.generateOffer()
                }
            }
        }

        func join(_ door: String, _ role: LiveRole = .publish, _ offer: String? = nil) throws -> LiveAnswer {
            let text = try offer ?? self.offer(role == .publish ? "sender" : "watcher")
            return try complete { [live] in try await live.join(door, as: role, offer: text) }
        }

        func leave(_ answer: LiveAnswer) throws -> Bool { try complete { [live] in await live.leave(answer.id) } }

        func count(_ name: String) throws -> Int? {
            let statistics = try complete { [live] in await live.statistics() }
            if case .int(let number)? = statistics[name] { return number }
            if case .array(let entries)? = statistics[name] { return entries.count }
            return nil
        }

        func run(_ seconds: Double) {
            let isOver = Lock(false)
            _ = host.schedule(at: host.now() + .seconds(seconds)) { isOver.withLock { $0 = true } }
            host.run(limit: .seconds(seconds + 1)) { isOver.withLock { $0 } }
        }
    }

    private static let room = #"{"elements": {"grid": {"class": "Composite"}}, "doors": {"grid": {"at": "grid"}}}"#
    private static let stage = #"{"elements": {"a": {"class": "PassThrough"}}, "doors": {"a": {"at": "a"}}}"#

    @Test func whoDoesNotConnectIsForgotten() throws {
        let rig = try Rig(Self.room)
        let answer = try rig.join("grid")
        #expect(answer.sdp.contains("a=candidate:") && answer.sdp.contains("a=sendrecv"))
        #expect(answer.id.count == 32)
        #expect(try rig.count("elements") == 3)
        rig.run(29)
        #expect(try rig.count("sessions") == 1)
        rig.run(2)
        #expect(try rig.count("sessions") == 0)
        #expect(try rig.count("elements") == 1)
    }

    @Test func aStageTakesOneAndAnyNumberWatch() throws {
        let rig = try Rig(Self.stage)
        let first = try rig.join("a")
        #expect(throws: LiveError.taken("Somebody publishes at door 'a' already, and it takes one at a time.")) {
            try rig.join("a")
        }
        let watcher = try rig.join("a", .watch)
        #expect(watcher.id != first.id && watcher.sdp.contains("a=sendonly"))
        let left = try rig.leave(first)
        let leftAgain = try rig.leave(first)
        #expect(left && !leftAgain)
        _ = try rig.join("a")
        #expect(try rig.count("sessions") == 2)
    }

    @Test func limits() throws {
        var limits = LiveLimits()
        limits.sessionsPerDoor = 2
        let rig = try Rig(Self.room, limits: limits)
        for _ in 0..<2 { _ = try rig.join("grid") }
        #expect(throws: LiveError.full("All 2 places at door 'grid' are taken; try again later.")) {
            try rig.join("grid")
        }
        let live = rig.live
        let isClosed = try rig.complete { await live.drain() }
        #expect(isClosed)
        #expect(try rig.count("sessions") == 0)
        #expect(throws: LiveError.full("The server is about to end and takes nobody any more.")) {
            try rig.join("grid")
        }
    }

    @Test func whatCannotBeUsedLeavesNothingBehind() throws {
        let rig = try Rig(Self.room)
        #expect(throws: LiveError.self) { try rig.join("grid", .publish, "hello") }
        let watching = try rig.offer("watcher")
        #expect(throws: LiveError.unusable("The offer sends neither audio nor video that could be used.")) {
            try rig.join("grid", .publish, watching)
        }
        #expect(throws: LiveError.notFound("There is no door 'gird' (did you mean 'grid'?); there is grid.")) {
            try rig.join("gird")
        }
        #expect(try rig.count("elements") == 1)
        #expect(try rig.count("refused") == 3)
    }

    @Test func tagsAndRestarts() throws {
        let rig = try Rig(Self.room)
        let answer = try rig.join("grid")
        func change(_ match: LiveMatch, _ fragment: SDPFragment) throws -> LiveChange {
            let live = rig.live
            return try rig.complete { try await live.change(answer.id, match, fragment) }
        }
        let candidates = SDPFragment(candidates: ["candidate:1 1 udp 2113667327 192.0.2.9 54400 typ host"])
        #expect(try change(.tags([answer.tag]), candidates) == .added)
        #expect(throws: LiveError.self) { try change(.tags(["other"]), candidates) }
        let renewed = SDPFragment(ufrag: "newname", password: "0123456789012345678901")
        #expect(throws: LiveError.self) { try change(.tags([answer.tag]), renewed) }
        guard case .restarted(let text, let tag) = try change(.any, renewed) else {
            Issue.record("ICE was not restarted")
            return
        }
        let ours = try SDPFragment(text)
        #expect(ours.ufrag == tag && tag != answer.tag && ours.isComplete)
        #expect(ours.candidates.count == answer.sdp.components("a=candidate:"))
        #expect(throws: LiveError.self) { try change(.tags([answer.tag]), candidates) }
        #expect(try change(.tags([tag]), candidates) == .added)
    }
}

extension String {
    /// How often another text is in it.
    fileprivate func components(_ other: String) -> Int {
        split(separator: other, omittingEmptySubsequences: false).count - 1
    }
}
