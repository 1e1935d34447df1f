import Core
import Testing

@testable import Reactor

@Suite(.ownThread, .timeLimit(.minutes(1))) struct NameResolverTests {
    private func resolve(_ name: String, on probe: NetworkProbe) async -> [IPAddress] {
        await withCheckedContinuation { continuation in
            probe.loop.post {
                Task(executorPreference: probe.host.workers(.files)) {
                    try? await probe.with { network in
                        network.resolve(name) { continuation.resume(returning: $0) }
                    }
                }
            }
        }
    }

    @Test func literalsAndHostNames() async {
        let probe = await NetworkProbe()
        #expect(await resolve("192.0.2.7", on: probe) == [IPAddress(v4: 0xC000_0207)])
        #expect(await resolve("2001:db8::1", on: probe).map(\.description) == ["2001:db8::1"])
        #expect(await resolve("localhost", on: probe).allSatisfy(\.isLoopback))
        #expect(await !resolve("localhost", on: probe).isEmpty)
        for name in ["", String(repeating: "a", count: 300), "a\0b", "no.such.name.invalid"] {
            #expect(await resolve(name, on: probe).isEmpty)
        }
    }

    @Test("A name ending in .local is asked for by multicast, and again when nobody answers")
    func multicast() async throws {
        let responder = await NetworkProbe()
        let address = try await responder.with { try $0.openUDP(SocketAddress(.loopbackV4, 0)) }
        var options = NetworkOptions()
        options.multicastGroups = [address]
        options.resolveTimeout = .milliseconds(4000)
        let probe = await NetworkProbe(options)
        async let answer = resolve("Abc-1.local", on: probe)
        // The first question is not answered, the second is.
        try #require(await responder.wait { $0.datagrams.count == 2 })
        let query = responder.seen.withLock { $0.datagrams[1] }
        #expect(query.bytes == MDNSMessage.query("abc-1.local", id: 1))
        try await responder.with { network in
            MDNSMessageTests.answer.withUnsafeBytes { network.send($0, over: query.path) }
        }
        #expect(await answer.map(\.description) == ["10.1.2.3", "fe80::1"])
        #expect(await resolve("other.local", on: probe).isEmpty, "nobody answers in time")
        #expect(await resolve("a..local", on: probe).isEmpty, "an empty label")
    }

    @Test func interfacesAreFiltered() async throws {
        let probe = await NetworkProbe()
        let all = try await probe.with { $0.interfaceAddresses() }
        #expect(!all.isEmpty)
        #expect(all.contains { !$0.isLoopback } == !all.contains { $0.isLoopback })
        var options = NetworkOptions()
        options.allowedInterfaces = NetworkOptions.interfaces(" lo , ,eth99")
        #expect(options.allowedInterfaces == ["lo", "eth99"])
        let onlyLoopback = await NetworkProbe(options)
        #expect(try await onlyLoopback.with { $0.interfaceAddresses() }.contains(.loopbackV4))
        options.ignoredInterfaces = ["lo"]
        let none = await NetworkProbe(options)
        #expect(try await none.with { $0.interfaceAddresses() }.isEmpty)
    }
}
