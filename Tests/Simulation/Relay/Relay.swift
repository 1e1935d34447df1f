import Core
import Glibc
import Reactor
import Simulation
import TestKit

/// A network of the simulation between real peers: datagrams that come to its port go on to the server as the line of a
/// scenario lets them, and answers back. To the server each peer's address is one of the relay's own, as behind a NAT.
///
/// Lives on a loop of its own; loss and jitter come from a seed, times from the clock.
final class Relay: NetworkReceiver, @unchecked Sendable {
    // Sendable: after `init` everything happens on `loop`.
    private struct Datagram {
        let bytes: [UInt8]
        let path: NetworkPath
    }
    /// What the measured line did from the settling time on.
    private struct Settled {
        var delays: [Int] = []
        var bytesBefore: Int?
        var bytesAfter = 0
        var since: Instant?
    }

    private let host: SystemHost
    private let loop: any Loop
    private let network: any LoopNetwork
    private let scenario: Scenario
    private let mediaGoesUp: Bool
    private let server: SocketAddress
    let address: SocketAddress
    private var up: SimLink<Datagram>
    private var down: SimLink<Datagram>
    /// Our socket towards the server for each address of a peer, and the other way round.
    private var outside: [SocketAddress: SocketAddress] = [:]
    private var inside: [SocketAddress: SocketAddress] = [:]
    private var timer: TimerID?
    private var settled = Settled()
    /// The longest queueing delay of each second since the scenario began, milliseconds.
    private var course: [Int] = []
    private var peersRefused = 0

    private static let headerBytes = 28
    /// The simulation's lines have two ends of 25 ms; here is one.
    private static let farEnd = MediaTime.milliseconds(25)
    /// A browser tries from a few sockets.
    private static let peersMax = 64
    private static let sampleInterval = MediaTime.milliseconds(50)

    /// To be made on `loop`.
    init(
        _ scenario: Scenario, mediaGoesUp: Bool, to server: SocketAddress, at listening: IPAddress, seed: UInt64,
        host: SystemHost, loop: any Loop
    ) throws(NetworkError) {
        self.host = host
        self.loop = loop
        self.scenario = scenario
        self.mediaGoesUp = mediaGoesUp
        self.server = server
        network = loop.makeNetwork()
        address = try network.openUDP(SocketAddress(listening, 0))
        // While peers connect nothing is lost or held up: what is measured is media.
        up = SimLink(seed: seed, Relay.whole(LinkConditions()))
        down = SimLink(seed: seed &+ 1, Relay.whole(LinkConditions()))
        network.attach(self)
    }

    private static func whole(_ conditions: LinkConditions) -> LinkConditions {
        var conditions = conditions
        conditions.delay = conditions.delay + farEnd
        return conditions
    }

    // MARK: Course

    /// The scenario begins.
    func begin() {
        let start = host.now()
        set(forward: scenario.forward, back: scenario.back)
        for (at, change) in scenario.changes {
            _ = loop.schedule(at: start + .seconds(at)) { [weak self] in self?.apply(change) }
        }
        _ = loop.schedule(at: start) { [weak self] in self?.sample(since: start) }
    }

    private func set(forward: LinkConditions, back: LinkConditions) {
        let now = host.now()
        up.change(to: Relay.whole(mediaGoesUp ? forward : back), at: now)
        down.change(to: Relay.whole(mediaGoesUp ? back : forward), at: now)
        pump(at: now)
    }

    private func apply(_ change: Scenario.Change) {
        switch change {
        case .lines(let forward, let back): set(forward: forward, back: back)
        case .senderMoves, .receiverMoves:
            // Only the peer is behind the relay, so it is the one who moves.
            outside = [:]
            inside = [:]
        }
    }

    private func sample(since start: Instant) {
        defer { _ = loop.schedule(at: host.now() + Relay.sampleInterval) { [weak self] in self?.sample(since: start) } }
        let link = mediaGoesUp ? up : down
        let (delay, seconds) = (Int(link.queueDelay.nanoseconds / 1_000_000), (host.now() - start).seconds)
        if course.count <= Int(seconds) { course.append(0) }
        course[course.count - 1] = max(course[course.count - 1], delay)
        guard seconds >= Scenario.settlingTime else { return }
        settled.delays.append(delay)
        settled.bytesAfter = link.counters.deliveredBytes
        if settled.bytesBefore == nil {
            settled.bytesBefore = settled.bytesAfter
            settled.since = host.now()
        }
    }

    /// What happened, as a line of JSON.
    func report() -> String {
        let link = (mediaGoesUp ? up : down).counters
        let delays = settled.delays.sorted()
        let delay = delays.isEmpty ? 0 : delays[delays.count * 95 / 100]
        let seconds = settled.since.map { (host.now() - $0).seconds } ?? 0
        let rate = seconds > 0 ? Double((settled.bytesAfter - (settled.bytesBefore ?? 0)) * 8) / seconds : 0
        return "{\"sent\": \(link.sent), \"delivered\": \(link.delivered), \"lost\": \(link.lost), "
            + "\"overflowed\": \(link.overflowed), \"cut\": \(link.cut), \"duplicated\": \(link.duplicated), "
            + "\"queueMilliseconds\": \(delay), \"bitsPerSecond\": \(Int(rate)), \"refused\": \(peersRefused), \"course\": \(course)}"
    }

    // MARK: Datagrams

    func receive(_ bytes: UnsafeMutableRawBufferPointer, over path: NetworkPath, at now: Instant) {
        let size = bytes.count + Relay.headerBytes
        if path.local == address {
            guard let own = outside[path.remote] ?? open(for: path.remote) else { return }
            let onward = NetworkPath(local: own, remote: server)
            up.send(Datagram(bytes: Array(bytes), path: onward), size: size, at: now)
        } else if path.remote == server, let peer = inside[path.local] {
            let onward = NetworkPath(local: address, remote: peer)
            down.send(Datagram(bytes: Array(bytes), path: onward), size: size, at: now)
        }
    }

    private func open(for peer: SocketAddress) -> SocketAddress? {
        guard outside.count < Relay.peersMax, let own = try? network.openUDP(SocketAddress(address.ip, 0)) else {
            peersRefused += 1
            return nil
        }
        outside[peer] = own
        inside[own] = peer
        return own
    }

    func batchEnded(at now: Instant) { pump(at: now) }
    func connected(_ path: NetworkPath, at now: Instant) {}
    func disconnected(_ path: NetworkPath, reason: String, at now: Instant) {}

    private func pump(at now: Instant) {
        while let datagram = up.poll(at: now) ?? down.poll(at: now) {
            datagram.bytes.withUnsafeBytes { network.send($0, over: datagram.path) }
        }
        if let timer { loop.cancel(timer) }
        let next = [up.nextArrival, down.nextArrival].compactMap { $0 }.min()
        timer = next.map { deadline in
            loop.schedule(at: max(deadline, now)) { [weak self] in
                guard let self else { return }
                pump(at: host.now())
            }
        }
    }
}
