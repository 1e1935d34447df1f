import CLibraryClock
import Core
import Testing
import Transport

struct DTLSConnectionTests {
    @Test("Every pair of certificates connects, with the same keys, in datagrams that pass", arguments: [0, 1, 2, 3])
    func certificates(_ combination: Int) throws {
        let client = try (combination & 1 == 0 ? DTLSPair.ecdsa : DTLSPair.rsa).get()
        let server = try (combination & 2 == 0 ? DTLSPair.ecdsa : DTLSPair.rsa).get()
        let pair = DTLSPair(client: client, server: server)
        try pair.start(server: server, client: client)
        let began = pair.now
        pair.run { pair.bothConnected }
        pair.drain()
        #expect(pair.bothConnected)
        #expect(pair.keys.client != nil && pair.keys.client == pair.keys.server)
        #expect(pair.keys.client?.profile == .aeadAES128GCM)
        // Two round trips of 40 ms, and nothing sent twice.
        #expect(pair.now - began == .milliseconds(80))
        #expect(pair.client.counters.retransmissions + pair.server.counters.retransmissions == 0)
        #expect(pair.largestDatagram <= DTLSConnection.mtu && pair.largestDatagram > 500)
    }

    @Test("Lost, late and reordered flights are sent again in our time", arguments: 0..<60)
    func loss(_ seed: Int) throws {
        let loss = Double(seed % 4) * 0.1
        let conditions = Link.Conditions(loss: loss, delay: .milliseconds(20), jitter: .milliseconds(seed % 3 * 30))
        let context = try (seed % 5 == 0 ? DTLSPair.rsa : DTLSPair.ecdsa).get()
        let pair = DTLSPair(client: context, server: context, conditions, seed: UInt64(seed))
        try pair.start(server: context, client: context)
        pair.run { pair.bothConnected }
        #expect(pair.bothConnected, "seed \(seed): \(pair.client.state), \(pair.server.state), lost \(pair.lost)")
        #expect(pair.keys.client == pair.keys.server && pair.keys.client != nil)
        #expect(pair.largestDatagram <= DTLSConnection.mtu)
        // Time came from us alone: the wall clock has not moved by the seconds this took.
        if pair.lost > 0, seed % 3 == 0 {
            #expect(pair.client.counters.retransmissions + pair.server.counters.retransmissions > 0)
        }
    }

    @Test func nobodyAnswers() throws {
        let connection = try DTLSConnection(context: DTLSPair.ecdsa.get())
        var now = Instant(nanoseconds: 0)
        connection.start(.client, fingerprints: [], at: now)
        var times: [Int64] = []
        while let deadline = connection.deadline {
            now = deadline
            while connection.pollDatagram({ _ in }) != nil {}
            connection.expire(at: now)
            times.append(now.nanoseconds / 1_000_000)
        }
        #expect(times.prefix(5) == [150, 450, 1050, 2250, 4250])
        #expect(connection.state == .failed && connection.pollEvent() == .failed(.timedOut))
        #expect(now <= Instant(nanoseconds: 0) + DTLSConnection.handshakeTimeout)
    }

    @Test("A certificate with another fingerprint is refused, by either side", arguments: [true, false])
    func wrongFingerprint(_ serverIsWrong: Bool) throws {
        let (mine, other) = try (DTLSPair.ecdsa.get(), DTLSPair.rsa.get())
        let pair = DTLSPair(client: mine, server: mine)
        let wrong = other.certificate.fingerprint
        pair.server.start(.server, fingerprints: [serverIsWrong ? mine.certificate.fingerprint : wrong], at: pair.now)
        pair.client.start(.client, fingerprints: [serverIsWrong ? wrong : mine.certificate.fingerprint], at: pair.now)
        pair.run()
        let (first, second) =
            serverIsWrong ? (pair.clientEvents, pair.serverEvents) : (pair.serverEvents, pair.clientEvents)
        #expect(first == [.failed(.wrongFingerprint)])
        // The other side was told by an alert, well before any timeout.
        guard case .failed(.handshake(let reason)) = try #require(second.last) else {
            Issue.record("\(second)")
            return
        }
        #expect(reason.contains("alert"))
    }

    @Test func fingerprintsOfAllAlgorithms() throws {
        let context = try DTLSPair.ecdsa.get()
        for algorithm in Fingerprint.Algorithm.allCases {
            let fingerprint = try #require(context.certificate.fingerprint(algorithm))
            let pair = try DTLSPair()
            pair.server.start(.server, fingerprints: [fingerprint], at: pair.now)
            pair.client.start(.client, fingerprints: [fingerprint], at: pair.now)
            pair.run { pair.bothConnected }
            #expect(pair.bothConnected, "\(algorithm)")
        }
    }

    @Test func aHelloBeforeWeAreReady() throws {
        let pair = try DTLSPair()
        let fingerprint = try DTLSPair.ecdsa.get().certificate.fingerprint
        pair.client.start(.client, fingerprints: [fingerprint], at: pair.now)
        pair.run(for: .milliseconds(100))
        #expect(pair.server.state == .new)
        pair.server.start(.server, fingerprints: [fingerprint], at: pair.now)
        pair.run { pair.bothConnected }
        #expect(pair.bothConnected)
        #expect(pair.client.counters.retransmissions == 0)
    }

    @Test("What was held may end the connection that just begins") func aHelloThatFails() throws {
        let pair = try DTLSPair()
        // A plain alert, and more behind it.
        for _ in 0..<3 { pair.inject([21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40], toServer: true) }
        pair.server.start(.server, fingerprints: [], at: pair.now)
        pair.drain()
        #expect(pair.server.state == .failed && pair.server.counters.late == 2)
    }

    @Test func applicationDataBothWays() throws {
        let pair = try DTLSPair()
        #expect(!pair.send([1], fromClient: true))
        try pair.start()
        pair.run { pair.bothConnected }
        let big = [UInt8](repeating: 7, count: DTLSConnection.mtu - DTLSConnection.overhead)
        #expect(pair.send([1, 2, 3], fromClient: true) && pair.send(big, fromClient: false))
        #expect(pair.send([4], fromClient: true))
        #expect(!pair.send([UInt8](repeating: 0, count: 1201), fromClient: true))
        pair.run(for: .milliseconds(1000))
        #expect(pair.toServer == [[1, 2, 3], [4]] && pair.toClient == [big])
        #expect(pair.largestDatagram <= DTLSConnection.mtu)
        #expect(pair.client.counters.unsent == 2)
        #expect(pair.client.deadline == nil && pair.server.deadline == nil)
    }

    @Test("close_notify reaches the other side", arguments: [true, false])
    func close(_ byClient: Bool) throws {
        let pair = try DTLSPair()
        try pair.start()
        pair.run { pair.bothConnected }
        pair.close(client: byClient)
        pair.run(for: .milliseconds(1000))
        #expect(pair.client.state == .closed && pair.server.state == .closed)
        #expect(pair.clientEvents.last == .closed && pair.serverEvents.last == .closed)
        pair.inject([22] + [UInt8](repeating: 0, count: 20), toServer: true)
        #expect(pair.server.counters.late == 1)
    }

    @Test("Garbage changes nothing", arguments: 0..<20)
    func garbage(_ seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        let pair = try DTLSPair(seed: UInt64(seed))
        try pair.start()
        func noise() {
            for _ in 0..<20 {
                var bytes = (0..<Int.random(in: 0...300, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
                // Records that look real, too: application data and later epochs. What is not authenticated and
                // belongs to the handshake may end it; ICE lets only the peer say such things.
                if bytes.count > 13, Bool.random(using: &random) {
                    bytes.replaceSubrange(0..<5, with: [23, 0xFE, 0xFD, 0, 1])
                } else if let first = bytes.first, (20...22).contains(first) {
                    bytes[0] = 23
                }
                pair.inject(bytes, toServer: Bool.random(using: &random))
            }
        }
        noise()
        pair.run(for: .milliseconds(30))
        noise()
        pair.run { pair.bothConnected }
        #expect(pair.bothConnected)
        noise()
        #expect(pair.send([1, 2, 3], fromClient: true))
        pair.run(for: .milliseconds(100))
        #expect(pair.toServer == [[1, 2, 3]])
        #expect(pair.server.counters.notDTLS > 0)
    }
}
