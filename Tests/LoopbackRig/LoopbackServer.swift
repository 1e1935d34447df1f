package import Core
package import Elements
package import Media
package import Reactor
import TestKit
import WebRTC

/// A server of its own on loopback: one loop, one port, one pipeline. Two of them in one process are two machines, as
/// far as their endpoints can tell.
package final class LoopbackServer: Sendable {
    package let host: SystemHost
    package let services: RealTimeServices
    package let pipeline: MediaPipeline

    /// Each endpoint has a port of its own, as browsers have; else all share one, as a server's do.
    private let isCrowd: Bool

    /// A crowd is many peers in one process, each behind a port of its own: peers of two one-port servers would all
    /// have the same pair of addresses.
    package init(isCrowd: Bool = false) {
        self.isCrowd = isCrowd
        host = SystemHost(workers: 1)
        services = LoopbackServer.services(host)
        pipeline = makePipeline(host, .realTime)
    }

    private static func services(_ host: SystemHost) -> RealTimeServices {
        var options = RealTimeServices.Options()
        options.addresses = [.loopbackV4]
        options.listensTCP = false
        return RealTimeServices(host: host, options: options)
    }

    package func addEndpoint(_ name: String, _ options: WebRtcEndpoint.Options) async throws {
        try await pipeline.perform { context in
            let services = isCrowd ? LoopbackServer.services(host) : services
            _ = try WebRtcEndpoint(context, name: name, services: services, options: options)
        }
    }

    package func endpoint<R: Sendable>(
        _ name: String, _ body: @Sendable (WebRtcEndpoint) throws -> R
    ) async throws -> R {
        try await pipeline.perform { try body($0.get(name, WebRtcEndpoint.self)) }
    }

    /// Where the one port is; some endpoint must have been made.
    package func port() async throws -> SocketAddress? {
        try await pipeline.perform { [services] context in try services.mux(on: context.loop).udpAddresses.first }
    }

    /// Datagrams that came to the port and belonged to nobody.
    package func strangers() async throws -> Int {
        try await pipeline.perform { [services] context in
            try services.mux(on: context.loop).counters.unknownPeer
        }
    }

    /// Lets real time pass.
    package func pause(_ time: MediaTime) async {
        await withCheckedContinuation { continuation in
            let (loop, host) = (host.nextLoop(), host)
            loop.post { _ = loop.schedule(at: host.now() + time) { continuation.resume() } }
        }
    }

    /// Offers from an endpoint of this server to one of another; returns when media may pass. False: it did not come
    /// to that within `limit`.
    package func call(
        _ name: String, _ other: LoopbackServer, _ otherName: String, limit: MediaTime = .seconds(20)
    ) async throws -> Bool {
        try await negotiate(name, other, otherName)
        let end = host.now() + limit
        while host.now() < end {
            let isUp = try await endpoint(name) { $0.connectionState == .connected }
            let isOtherUp = try await other.endpoint(otherName) { $0.connectionState == .connected }
            if isUp, isOtherUp { return true }
            await pause(.milliseconds(10))
        }
        return false
    }

    /// Offer and answer, with all candidates in them.
    package func negotiate(_ name: String, _ other: LoopbackServer, _ otherName: String) async throws {
        let offer = try await endpoint(name) { endpoint in
            let early = try endpoint.generateOffer()
            endpoint.gatherCandidates()
            return endpoint.localSessionDescriptor ?? early
        }
        let answer = try await other.endpoint(otherName) { endpoint in
            let early = try endpoint.processOffer(offer)
            endpoint.gatherCandidates()
            return endpoint.localSessionDescriptor ?? early
        }
        try await endpoint(name) { _ = try $0.processAnswer(answer) }
    }

    package func release(_ name: String) async {
        await pipeline.perform { $0.element(named: name)?.release() }
    }
}
