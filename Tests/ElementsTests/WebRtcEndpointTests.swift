import Codecs
import Core
import Elements
import Glibc
import Media
import Reactor
import TestKit
import Testing

/// Two endpoints on two pipelines of one machine, over real sockets on loopback.
@Suite(.serialized) struct WebRtcEndpointTests {
    /// A pipeline with one endpoint, and what it has seen.
    private final class Side: Sendable {
        let pipeline: MediaPipeline
        let events = Lock<[PipelineEvent.Detail]>([])

        // Without data channels: SCTP has one clock per process, and other suites turn it back (`SCTPTests`).
        init(_ host: SystemHost, _ services: RealTimeServices) async throws {
            pipeline = makePipeline(host, .realTime, codecs: LibraryCodecs())
            try await pipeline.perform { [events] context in
                context.onEvent = { event in events.withLock { $0.append(event.detail) } }
                _ = try WebRtcEndpoint(context, name: "peer", services: services)
            }
        }

        func peer<R: Sendable>(_ body: @Sendable (WebRtcEndpoint) throws -> R) async throws -> R {
            try await pipeline.perform { try body($0.get("peer", WebRtcEndpoint.self)) }
        }

        func add(candidatesOf other: Side) async throws {
            let lines = other.events.withLock { events in
                events.compactMap { if case .iceCandidateFound(let text, _, 0) = $0 { text } else { nil } }
            }
            try await peer { peer in for line in lines { peer.addIceCandidate(line) } }
        }
    }

    /// Offer, answer, candidates.
    private func join(_ one: Side, _ two: Side) async throws {
        let offer = try await one.peer { try $0.generateOffer() }
        let answer = try await two.peer { try $0.processOffer(offer) }
        _ = try await one.peer { try $0.processAnswer(answer) }
        for side in [one, two] { try await side.peer { $0.gatherCandidates() } }
        // Twice: each finds that the other is behind the same port, and tells of a socket of its own.
        for _ in 0..<2 {
            try await one.add(candidatesOf: two)
            try await two.add(candidatesOf: one)
        }
    }

    private func eventually(_ what: String, _ isTrue: @Sendable () async throws -> Bool) async throws {
        let host = SystemHost(workers: 1)
        for _ in 0..<400 {
            if try await isTrue() { return }
            await withCheckedContinuation { continuation in
                let loop = host.nextLoop()
                loop.post { _ = loop.schedule(at: host.now() + .milliseconds(50)) { continuation.resume() } }
            }
        }
        Issue.record("\(what) did not come to pass within twenty seconds")
    }

    @Test func picturesAndSoundArrive() async throws {
        let host = SystemHost(workers: 2)
        let services = RealTimeServices(host: host)
        let (one, two) = (try await Side(host, services), try await Side(host, services))
        try await one.pipeline.perform { context in
            let source = TestSource(context, name: "source", kinds: [.audio, .video])
            source.source(.video)?.setForm(.pictures(width: 320, height: 180, frameRate: Rational(30, 1)))
            source.source(.audio)?.setForm(.sound(channels: 1))
            var count = 0
            source.every(.milliseconds(33), until: .seconds(60)) { source in
                count += 1
                let picture = VideoFrame(
                    counter: count, width: 320, height: 180, pts: source.context.now,
                    pool: source.context.configuration.pool)
                source.source(.video)?.push(.picture(picture))
            }
            source.every(.milliseconds(20), until: .seconds(60)) { source in
                let samples = (0..<960).map { Float(sinf(Float($0) * 2 * .pi * 500 / 48_000)) * 0.5 }
                source.source(.audio)?.push(
                    .sound(AudioFrame(pts: source.context.now, channels: 1, samples: samples)))
            }
            try source.connect(to: context.get("peer", WebRtcEndpoint.self))
        }
        try await two.pipeline.perform { context in
            let sink = TestSink(context, name: "sink", audio: .raw, video: .raw)
            try context.get("peer", WebRtcEndpoint.self).connect(to: sink, kind: .video)
            try context.get("peer", WebRtcEndpoint.self).connect(to: sink, kind: .audio)
        }
        try await join(one, two)
        try await eventually("a picture and a tone at the other side") {
            await two.pipeline.perform { context in
                let sink = context.get("sink", TestSink.self)
                let pictures = sink.arrivals.filter { if case .picture = $0.item { true } else { false } }.count
                let tones = sink.arrivals.filter {
                    if case .sound(let block) = $0.item { (block.samples.max() ?? 0) > 0.2 } else { false }
                }.count
                return pictures >= 60 && tones >= 50
            }
        }
        for side in [one, two] {
            let events = side.events.withLock { $0 }
            #expect(events.contains(.connectionStateChanged(old: .disconnected, new: .connected)))
            #expect(events.contains(.iceGatheringDone))
        }
        try await expectFigures(one, two)
        for side in [one, two] { await side.pipeline.release() }
    }

    private func expectFigures(_ one: Side, _ two: Side) async throws {
        let sent = try await one.peer { $0.statistics() }
        let received = try await two.peer { $0.statistics() }
        for statistics in [sent, received] {
            #expect(Set(statistics.map(\.id)).count == statistics.count, "ids are unique")
            let transport = try #require(statistics.first { $0.type == .transport })
            #expect(transport[.dtlsState]?.text == "connected")
            let pair = try #require(statistics.first { $0.id == transport[.selectedCandidatePairId]?.text })
            #expect(pair[.state]?.text == "succeeded" && (pair[.currentRoundTripTime]?.number ?? 9) < 1)
            for end in [StatisticsMember.localCandidateId, .remoteCandidateId] {
                #expect(statistics.contains { $0.id == pair[end]?.text })
            }
        }
        #expect(sent.filter { $0.type == .outboundRTP }.allSatisfy { ($0[.packetsSent]?.int ?? 0) > 20 })
        let pictures = try #require(received.first { $0.type == .inboundRTP && $0[.kind]?.text == "video" })
        #expect((pictures[.framesReceived]?.int ?? 0) >= 60 && pictures[.frameWidth]?.int != nil)
        #expect(received.contains { $0.type == .inboundRTP && ($0[.totalSamplesReceived]?.int ?? 0) > 48_000 })
    }
}
