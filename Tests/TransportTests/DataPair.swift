import Core
import Transport

/// Two peers' data channels over a lossy link in virtual time. usrsctp is one per process: suites that use this are
/// inside `SCTPTests`, which runs one test at a time.
final class DataPair {
    let client = DataChannels()
    let server = DataChannels()
    private(set) var now: Instant
    private(set) var clientEvents: [DataChannels.Event] = []
    private(set) var serverEvents: [DataChannels.Event] = []
    private(set) var turns = 0
    var up: Link
    var down: Link
    /// Time goes on from test to test, as usrsctp's does.
    nonisolated(unsafe) static var start = Instant(nanoseconds: 0)  // Sendable: one test at a time

    init(_ conditions: Link.Conditions = .init(), seed: UInt64 = 1, limit: Int = 0) {
        now = DataPair.start
        up = Link(conditions, seed: seed)
        down = Link(conditions, seed: seed &+ 99)
        client.start(role: .client, remoteLimit: limit, at: now)
        server.start(role: .server, remoteLimit: limit, at: now)
        drain()
    }

    deinit {
        client.end(abort: true, at: now)
        server.end(abort: true, at: now)
        DataPair.start = now + .milliseconds(1000)
    }

    func drain() {
        while let bytes = client.pollPacket({ [UInt8]($0) }) { up.send(bytes, at: now) }
        while let bytes = server.pollPacket({ [UInt8]($0) }) { down.send(bytes, at: now) }
        while let event = client.pollEvent() { clientEvents.append(event) }
        while let event = server.pollEvent() { serverEvents.append(event) }
    }

    func run(for limit: MediaTime = .milliseconds(60_000), until done: () -> Bool = { false }) {
        let end = now + limit
        drain()
        while !done() {
            let times = [client.deadline, server.deadline, up.nextArrival, down.nextArrival].compactMap { $0 }
            guard let next = times.min(), next <= end else {
                now = max(now, end)
                return
            }
            turns += 1
            now = max(now, next)
            while let bytes = up.arrival(at: now) { bytes.withUnsafeBytes { server.receive($0, at: now) } }
            while let bytes = down.arrival(at: now) { bytes.withUnsafeBytes { client.receive($0, at: now) } }
            if let deadline = client.deadline, deadline <= now { client.expire(at: now) }
            if let deadline = server.deadline, deadline <= now { server.expire(at: now) }
            drain()
        }
    }

    var bothConnected: Bool { client.isConnected && server.isConnected }

    /// Messages in the order they came.
    static func messages(_ events: [DataChannels.Event]) -> [DataMessage] {
        events.compactMap { if case .message(_, let message) = $0 { message } else { nil } }
    }

    static func remote(_ events: [DataChannels.Event]) -> [(DataChannels.ChannelID, DataChannelParameters)] {
        events.compactMap { if case .opened(let id, let parameters, true) = $0 { (id, parameters) } else { nil } }
    }

    static func closed(_ events: [DataChannels.Event]) -> Int {
        events.count { if case .closed = $0 { true } else { false } }
    }
}

/// Bytes that depend on their place, so that nothing is mixed up unseen.
func pattern(_ count: Int, seed: UInt64) -> [UInt8] {
    var random = SeededRandom(seed: seed)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + 8)
    while bytes.count < count { withUnsafeBytes(of: random.next()) { bytes.append(contentsOf: $0) } }
    return Array(bytes.prefix(count))
}
