import Core
import Elements
import LoopbackRig
import Media
import TestKit
import Testing
import WebRTC

/// Two servers with one port each, and several peers of one joined with several of the other: all have the same pair of
/// addresses, unless they see to it that they have not.
@Suite(.serialized) struct CascadeTests {
    private static let count = 4

    /// Each with pictures of its own from one to the other.
    private func fill(_ from: LoopbackServer, _ to: LoopbackServer) async throws {
        for number in 0..<CascadeTests.count {
            for side in [from, to] { try await side.addEndpoint("peer-\(number)", WebRtcEndpoint.Options()) }
            try await from.pipeline.perform { context in
                let source = SteadySource(context, name: "source-\(number)", bytes: 1500)
                try source.connect(to: context.get("peer-\(number)", WebRtcEndpoint.self))
            }
            try await to.pipeline.perform { context in
                let sink = SteadySink(context, name: "sink-\(number)")
                for kind in [MediaKind.audio, .video] {
                    try context.get("peer-\(number)", WebRtcEndpoint.self).connect(to: sink, kind: kind)
                }
            }
        }
    }

    private func expectPictures(_ from: LoopbackServer, _ to: LoopbackServer) async throws {
        await to.pause(.seconds(1))
        for number in 0..<CascadeTests.count {
            _ = await to.pipeline.perform { $0.get("sink-\(number)", SteadySink.self).take() }
        }
        await to.pause(.seconds(2))
        var paths: Set<String> = []
        for number in 0..<CascadeTests.count {
            let count = await to.pipeline.perform { $0.get("sink-\(number)", SteadySink.self).take() }
            #expect(count.pictures >= 40 && count.missing == 0 && count.blocks >= 70, "peer \(number): \(count)")
            for side in [from, to] {
                let counters = try await side.endpoint("peer-\(number)") { $0.peer.counters }
                #expect(counters.unprotectable == 0 && counters.early == 0, "peer \(number): \(counters)")
            }
            paths.insert(try await to.endpoint("peer-\(number)") { $0.selectedPath ?? "none" })
        }
        #expect(paths.count == CascadeTests.count, "\(paths)")
    }

    @Test func oneAfterTheOther() async throws {
        let (one, other) = (LoopbackServer(), LoopbackServer())
        try await fill(one, other)
        for number in 0..<CascadeTests.count { #expect(try await one.call("peer-\(number)", other, "peer-\(number)")) }
        try await expectPictures(one, other)
        // The way that the first one had is free again, and taken.
        for side in [one, other] { await side.release("peer-0") }
        for side in [one, other] { try await side.addEndpoint("late", WebRtcEndpoint.Options()) }
        #expect(try await one.call("late", other, "late"))
        let ports = [try await one.port(), try await other.port()].compactMap { $0 }
        let path = try #require(try await one.endpoint("late") { $0.selectedPath })
        #expect(ports.count == 2 && ports.allSatisfy { path.contains("\($0)") }, "\(path), not \(ports)")
        for side in [one, other] { await side.pipeline.release() }
    }

    /// Offers and answers cross: each side may let another of its peers have the pair of ports.
    @Test func allAtOnceAndFromBothSides() async throws {
        let (one, other) = (LoopbackServer(), LoopbackServer())
        try await fill(one, other)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<CascadeTests.count {
                let name = "peer-\(number)"
                group.addTask {
                    number % 2 == 0 ? try await one.call(name, other, name) : try await other.call(name, one, name)
                }
            }
            for try await isUp in group { #expect(isUp) }
        }
        try await expectPictures(one, other)
        for side in [one, other] { await side.pipeline.release() }
    }
}
