import Core
import Transport

/// Two DTLS connections over a lossy link in virtual time.
final class DTLSPair {
    let client: DTLSConnection
    let server: DTLSConnection
    private(set) var now = Instant(nanoseconds: 1_000_000_000)
    private(set) var clientEvents: [DTLSConnection.Event] = []
    private(set) var serverEvents: [DTLSConnection.Event] = []
    private(set) var toClient: [[UInt8]] = []
    private(set) var toServer: [[UInt8]] = []
    private var up: Link
    private var down: Link

    static let unixSeconds: Int64 = 1_700_000_000
    static let ecdsa = Result { () throws(TransportError) in
        try DTLSContext(certificate: .selfSigned(.ecdsaP256, unixSeconds: unixSeconds))
    }
    static let rsa = Result { () throws(TransportError) in
        try DTLSContext(certificate: .selfSigned(.rsa2048, unixSeconds: unixSeconds))
    }

    init(client: DTLSContext, server: DTLSContext, _ conditions: Link.Conditions = .init(), seed: UInt64 = 1) {
        self.client = DTLSConnection(context: client)
        self.server = DTLSConnection(context: server)
        up = Link(conditions, seed: seed)
        down = Link(conditions, seed: seed &+ 0x5EED)
    }

    convenience init(_ conditions: Link.Conditions = .init(), seed: UInt64 = 1) throws {
        try self.init(client: Self.ecdsa.get(), server: Self.ecdsa.get(), conditions, seed: seed)
    }

    var largestDatagram: Int { max(up.largest, down.largest) }
    var lost: Int { up.lost + down.lost }
    var bothConnected: Bool { client.state == .connected && server.state == .connected }

    /// Begins on both sides, each knowing the other's fingerprint.
    func start(server contextS: DTLSContext? = nil, client contextC: DTLSContext? = nil) throws {
        let (s, c) = try (contextS ?? Self.ecdsa.get(), contextC ?? Self.ecdsa.get())
        server.start(.server, fingerprints: [c.certificate.fingerprint], at: now)
        client.start(.client, fingerprints: [s.certificate.fingerprint], at: now)
    }

    func drain() {
        while let bytes = client.pollDatagram({ [UInt8]($0) }) { up.send(bytes, at: now) }
        while let bytes = server.pollDatagram({ [UInt8]($0) }) { down.send(bytes, at: now) }
        while let bytes = client.pollApplicationData({ [UInt8]($0) }) { toClient.append(bytes) }
        while let bytes = server.pollApplicationData({ [UInt8]($0) }) { toServer.append(bytes) }
        while let event = client.pollEvent() { clientEvents.append(event) }
        while let event = server.pollEvent() { serverEvents.append(event) }
    }

    /// Moves time to whatever is next, until nothing is, or `limit` has passed, or `done` says so.
    func run(for limit: MediaTime = .milliseconds(60_000), until done: () -> Bool = { false }) {
        let end = now + limit
        drain()
        while !done() {
            guard let next = nextTime, next <= end else { return }
            step(to: nil)
        }
    }

    private var nextTime: Instant? {
        [client.deadline, server.deadline, up.nextArrival, down.nextArrival].compactMap { $0 }.min()
    }

    /// Moves time to what is next here, or to `other` if that is earlier, and does what is due.
    func step(to other: Instant?) {
        guard let next = [nextTime, other].compactMap({ $0 }).min() else { return }
        now = max(now, next)
        while let bytes = up.arrival(at: now) { bytes.withUnsafeBytes { server.receive($0, at: now) } }
        while let bytes = down.arrival(at: now) { bytes.withUnsafeBytes { client.receive($0, at: now) } }
        if let deadline = client.deadline, deadline <= now { client.expire(at: now) }
        if let deadline = server.deadline, deadline <= now { server.expire(at: now) }
        drain()
    }

    func takeToClient() -> [[UInt8]] {
        defer { toClient = [] }
        return toClient
    }

    func takeToServer() -> [[UInt8]] {
        defer { toServer = [] }
        return toServer
    }

    func inject(_ bytes: [UInt8], toServer: Bool) {
        bytes.withUnsafeBytes { (toServer ? server : client).receive($0, at: now) }
        drain()
    }

    func send(_ bytes: [UInt8], fromClient: Bool) -> Bool {
        let sent = bytes.withUnsafeBytes { (fromClient ? client : server).send($0, at: now) }
        drain()
        return sent
    }

    func close(client closesClient: Bool) {
        (closesClient ? client : server).close(at: now)
        drain()
    }

    var keys: (client: SRTPKeys?, server: SRTPKeys?) {
        func keys(_ events: [DTLSConnection.Event]) -> SRTPKeys? {
            for case .connected(let keys) in events { return keys }
            return nil
        }
        return (keys(clientEvents), keys(serverEvents))
    }
}
