import Core
import Testing
import Transport

struct TLSStreamTests {
    static let certificate = Result { () throws(TransportError) in
        try Certificate.selfSigned(name: "turn.example", unixSeconds: DTLSPair.unixSeconds)
    }

    private static func pair(
        host: String = "turn.example", unixSeconds: Int64 = DTLSPair.unixSeconds, trusts: Bool = true
    ) throws -> (TLSStream, TLSStream) {
        let certificate = try Self.certificate.get()
        let trust = try trusts ? certificate.pem() : DTLSPair.ecdsa.get().certificate.pem()
        let now = Instant(nanoseconds: 0)
        return (
            TLSStream(try TLSContext(trusting: .only(pem: trust)), host: host, unixSeconds: unixSeconds, at: now),
            TLSStream(server: try TLSContext(server: certificate), at: now)
        )
    }

    /// Carries bytes in pieces of `size` until nothing moves.
    private func carry(_ a: TLSStream, _ b: TLSStream, size: Int) {
        var moved = true
        while moved {
            moved = false
            for (from, to) in [(a, b), (b, a)] {
                let bytes = from.pollOutput()
                for start in stride(from: 0, to: bytes.count, by: size) {
                    bytes[start..<min(start + size, bytes.count)].withUnsafeBytes { to.receive($0) }
                    moved = true
                }
            }
        }
    }

    private func send(_ bytes: [UInt8], _ stream: TLSStream) -> Bool { bytes.withUnsafeBytes { stream.send($0) } }

    @Test("Both ways, in pieces of any size", arguments: [1, 7, 1400, 100_000]) func talk(_ size: Int) throws {
        let (client, server) = try Self.pair()
        #expect(send([1, 2, 3], client))
        carry(client, server, size: size)
        #expect(client.pollEvent() == .connected && server.pollEvent() == .connected)
        #expect(server.pollReceived() == [1, 2, 3] && client.deadline == nil)
        let long = pattern(size == 1 ? 20_000 : 300_000, seed: 5)
        #expect(send(long, server))
        carry(client, server, size: size)
        let isEqual = client.pollReceived() == long
        #expect(isEqual)
        client.close()
        carry(client, server, size: size)
        #expect(client.pollEvent() == .closed && server.pollEvent() == .closed)
        #expect(!send([1], client))
    }

    @Test("Certificates that are not accepted", arguments: [0, 1, 2, 3]) func refused(_ reason: Int) throws {
        let (client, server) =
            switch reason {
            case 0: try Self.pair(host: "other.example")
            case 1: try Self.pair(host: "192.0.2.1")
            case 2: try Self.pair(unixSeconds: DTLSPair.unixSeconds + 400 * 86400)
            default: try Self.pair(trusts: false)
            }
        carry(client, server, size: 5000)
        guard case .failed(let text) = client.pollEvent() else {
            Issue.record("\(client.state)")
            return
        }
        let expected = ["hostname mismatch", "IP address mismatch", "expired", "self-signed"]
        #expect(text.lowercased().contains(expected[reason].lowercased()), "\(text)")
    }

    @Test func theSystemTrustsNobodyUnknown() throws {
        let now = Instant(nanoseconds: 0)
        let client = TLSStream(
            try TLSContext(trusting: .system), host: "turn.example", unixSeconds: DTLSPair.unixSeconds, at: now)
        let server = TLSStream(server: try TLSContext(server: Self.certificate.get()), at: now)
        carry(client, server, size: 5000)
        #expect(client.state == .failed && server.state == .failed)
    }

    @Test func garbageAndSilence() throws {
        let (client, server) = try Self.pair()
        [UInt8]("GET / HTTP/1.1\r\n\r\n".utf8).withUnsafeBytes { server.receive($0) }
        #expect(server.state == .failed)
        client.expire(at: Instant(nanoseconds: 0) + TLSStream.handshakeTimeout)
        #expect(client.pollEvent() == .failed("the handshake timed out"))
        let (other, _) = try Self.pair()
        other.carrierEnded()
        #expect(other.state == .failed)
    }
}
