import Core
import Testing
import Transport

extension SCTPTests {
    struct FullStackTests {
        /// DTLS, and SCTP in it, over one lossy link.
        @Test("Data channels in DTLS over a lossy link", arguments: 0..<6) func overDTLS(_ seed: Int) throws {
            let conditions = Link.Conditions(loss: Double(seed) * 0.02, jitter: .milliseconds(seed))
            let pair = try DTLSPair(conditions, seed: UInt64(seed))
            // The role in SCTP is that of DTLS; here the server speaks first.
            let (client, server) = (DataChannels(), DataChannels())
            var got: [DataMessage] = []
            func turn() {
                pair.drain()
                if client.deadline == nil, pair.client.state == .connected, !isStarted.client {
                    isStarted.client = true
                    client.start(role: .client, remoteLimit: 0, at: pair.now)
                }
                if server.deadline == nil, pair.server.state == .connected, !isStarted.server {
                    isStarted.server = true
                    server.start(role: .server, remoteLimit: 0, at: pair.now)
                }
                for bytes in pair.takeToClient() { bytes.withUnsafeBytes { client.receive($0, at: pair.now) } }
                for bytes in pair.takeToServer() { bytes.withUnsafeBytes { server.receive($0, at: pair.now) } }
                if let deadline = client.deadline, deadline <= pair.now { client.expire(at: pair.now) }
                if let deadline = server.deadline, deadline <= pair.now { server.expire(at: pair.now) }
                while let bytes = client.pollPacket({ [UInt8]($0) }) { #expect(pair.send(bytes, fromClient: true)) }
                while let bytes = server.pollPacket({ [UInt8]($0) }) { #expect(pair.send(bytes, fromClient: false)) }
                while let event = client.pollEvent() {
                    if case .message(_, let message) = event { got.append(message) }
                }
            }
            var isStarted = (client: false, server: false)
            let id = try server.open(.init(label: "down"), at: pair.now)
            let bytes = pattern(200_000, seed: 8)
            try server.send(.text("hello"), on: id, at: pair.now)
            try server.send(.binary(Array(bytes.prefix(60_000))), on: id, at: pair.now)
            try pair.start()
            while got.count < 2, pair.now < Instant(nanoseconds: 120_000_000_000) {
                let deadlines = [client.deadline, server.deadline].compactMap { $0 }
                pair.step(to: deadlines.min())
                turn()
            }
            try server.send(.binary(bytes), on: id, at: pair.now)
            while got.count < 3, pair.now < Instant(nanoseconds: 120_000_000_000) {
                let deadlines = [client.deadline, server.deadline].compactMap { $0 }
                pair.step(to: deadlines.min())
                turn()
            }
            let isEqual = got == [.text("hello"), .binary(Array(bytes.prefix(60_000))), .binary(bytes)]
            #expect(isEqual)
            #expect(pair.largestDatagram <= DTLSConnection.mtu)
            client.end(abort: true, at: pair.now)
            server.end(abort: true, at: pair.now)
        }
    }
}
