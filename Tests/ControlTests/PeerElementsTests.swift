import Control
import Core
import Elements
import Media
import TestKit
import Testing

/// Elements with a peer, as documents name them.
@Suite struct PeerElementsTests {
    private let text = graph(
        elements: [
            #""web": {"class": "WebRtcEndpoint", "with": {"useDataChannels": true}}"#,
            #""rtp": {"class": "RtpEndpoint", "with": {"crypto": {"crypto": "AES_256_CM_HMAC_SHA1_80"}}}"#,
        ], links: [#"{"from": "web", "to": "rtp"}"#])

    /// Makes the document's elements on a simulated machine, and asks something of them.
    private func make<R: Sendable>(
        _ text: String, hasNetwork: Bool = true, _ body: @escaping @Sendable (PipelineContext) throws -> R
    ) throws -> R {
        let host = SimHost()
        let machine = SimNetwork(host, seed: 1).machine([IPAddress(v4: 0xC000_0201)])
        let services = RealTimeServices(host: machine)
        let pipeline = makePipeline(machine, .realTime)
        let plan = try document(text).plan(Settings())
        let result = host.complete {
            try await pipeline.perform { context in
                var factory = ElementFactory(context, services: hasNetwork ? services : nil)
                try factory.make(plan)
                return try body(context)
            }
        }
        defer { _ = host.complete { await pipeline.release() } }
        return try #require(result).get()
    }

    @Test func areMade() throws {
        let (offer, plain) = try make(text) { context -> (String, String) in
            let web = try #require(context.element(named: "web") as? WebRtcEndpoint)
            let rtp = try #require(context.element(named: "rtp") as? RtpEndpoint)
            return (try web.generateOffer(), try rtp.generateOffer())
        }
        #expect(offer.contains("webrtc-datachannel"))
        #expect(plain.contains("RTP/SAVPF") && plain.contains("a=crypto:1 AES_256_CM_HMAC_SHA1_80 inline:"))
        #expect(plain.contains("192.0.2.1") && !plain.contains("ice-ufrag"))
    }

    @Test func needANetwork() {
        #expect {
            try make(text, hasNetwork: false) { _ in }
        } throws: { "\($0)" == "web: a WebRtcEndpoint needs a server for its peer to reach; use tessera serve" }
    }

    @Test func keysHaveTheirLength() {
        let short = text.replacing(#""crypto": "AES_256"#, with: #""keyBase64": "AAAA", "crypto": "AES_256"#)
        #expect {
            try make(short) { _ in }
        } throws: { "\($0)" == "rtp: a key for AES_256_CM_HMAC_SHA1_80 has 46 bytes, not 3" }
    }
}
