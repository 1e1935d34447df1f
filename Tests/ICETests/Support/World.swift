import Core
import ICE

/// A network of agents, NATs and servers in virtual time: loss, latency and order come from a seed.
final class World {
    enum Delivery {
        case datagram([UInt8], from: SocketAddress, to: SocketAddress)
        case stream(Int, toServer: Bool, [UInt8])
        case action(() -> Void)
    }
    /// A TCP connection: who opened it, and who listens at `to`.
    struct Stream {
        let peer: Peer
        let clientPath: NetworkPath
        let serverPath: NetworkPath
        var readyAt: Instant
    }

    private(set) var now = Instant(nanoseconds: 1_000_000_000)
    var random: SeededRandom
    var loss = 0.0
    var latency = MediaTime.milliseconds(10)...MediaTime.milliseconds(30)
    /// Signalling takes this long.
    var signalling = MediaTime.milliseconds(40)
    var peers: [Peer] = []
    var nats: [NAT] = []
    var stunServers: Set<SocketAddress> = []
    var turnServers: [TestTURNServer] = []
    var streams: [Int: Stream] = [:]
    var sent = 0
    private var nextStream = 1
    private var queue = TimerQueue<Delivery>()

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    func delay() -> MediaTime {
        let (low, high) = (latency.lowerBound.nanoseconds, latency.upperBound.nanoseconds)
        return MediaTime(nanoseconds: Int64.random(in: low...high, using: &random))
    }

    func after(_ span: MediaTime, _ body: @escaping () -> Void) { _ = queue.add(now + span, .action(body)) }

    // MARK: Sending

    func send(_ bytes: [UInt8], over path: NetworkPath, from peer: Peer) {
        sent += 1
        if path.transport == .tcp {
            guard let id = streams.first(where: { $0.value.clientPath == path || $0.value.serverPath == path })?.key
            else { return }
            return write(bytes, id, toServer: streams[id]?.clientPath == path)
        }
        if peer.isCut || peer.isContent && bytes.starts(with: [0, 1]) { return }
        peer.destinations.append((path.remote, bytes.first ?? 0))
        var source = path.local
        if let nat = peer.nat {
            // Behind the same NAT there is a direct way.
            let isInside = peers.contains { $0.nat === nat && $0.addresses.contains { $0.ip == path.remote.ip } }
            if !isInside {
                guard path.remote.ip != nat.publicIP else { return }
                source = nat.outgoing(path.local, to: path.remote)
            }
        }
        datagram(bytes, from: source, to: path.remote)
    }

    func datagram(_ bytes: [UInt8], from: SocketAddress, to: SocketAddress) {
        guard Double.random(in: 0..<1, using: &random) >= loss else { return }
        _ = queue.add(now + delay(), .datagram(bytes, from: from, to: to))
    }

    func write(_ bytes: [UInt8], _ stream: Int, toServer: Bool) {
        guard var connection = streams[stream] else { return }
        // In order: never before what was written earlier.
        connection.readyAt = max(connection.readyAt, now + delay())
        streams[stream] = connection
        _ = queue.add(connection.readyAt, .stream(stream, toServer: toServer, bytes))
    }

    func open(_ wish: ICEConnection, from peer: Peer) {
        let local = SocketAddress(wish.local ?? peer.addresses[0].ip, UInt16(40_000 + nextStream))
        let path = NetworkPath(wish.transport, local: local, remote: wish.remote)
        let id = nextStream
        nextStream += 1
        guard wish.transport == .tcp else {
            peer.extraSockets.insert(local)
            peer.agent.connected(wish.id, over: path, at: now)
            return drain(peer)
        }
        let outside = SocketAddress(peer.nat?.publicIP ?? local.ip, local.port)
        let isServed =
            peers.contains { $0.listening.contains(wish.remote) }
            || turnServers.contains { $0.address == wish.remote }
        after(delay()) { [self] in
            if isServed {
                streams[id] = Stream(
                    peer: peer, clientPath: path,
                    serverPath: NetworkPath(.tcp, local: wish.remote, remote: outside), readyAt: now)
                peer.agent.connected(wish.id, over: path, at: now)
            } else {
                peer.agent.connectionFailed(wish.id, reason: "refused", at: now)
            }
            drain(peer)
        }
    }

    // MARK: Running

    func run(for span: MediaTime, until isDone: () -> Bool = { false }) {
        let end = now + span
        for peer in peers { drain(peer) }
        while !isDone() {
            var next = queue.nextDeadline
            for peer in peers {
                if let deadline = peer.agent.deadline { next = min(next ?? deadline, deadline) }
            }
            guard let next, next <= end else { break }
            now = max(now, next)
            while let delivery = queue.popDue(at: now) { deliver(delivery) }
            for peer in peers where peer.agent.deadline.map({ $0 <= now }) ?? false {
                peer.agent.expire(at: now)
                peer.turns += 1
                drain(peer)
            }
        }
        if !isDone() { now = max(now, end) }
    }

    private func deliver(_ delivery: Delivery) {
        switch delivery {
        case .action(let body): body()
        case .datagram(let bytes, let from, let to): deliver(bytes, from: from, to: to)
        case .stream(let id, let toServer, let bytes):
            guard let stream = streams[id] else { return }
            if !toServer { return receive(stream.peer, bytes, stream.clientPath) }
            if let server = turnServers.first(where: { $0.address == stream.serverPath.local }) {
                return server.receive(bytes, from: stream.serverPath.remote, stream: id)
            }
            if let peer = peers.first(where: { $0.listening.contains(stream.serverPath.local) }) {
                receive(peer, bytes, stream.serverPath)
            }
        }
    }

    private func deliver(_ bytes: [UInt8], from: SocketAddress, to: SocketAddress) {
        if stunServers.contains(to), let message = try? STUNMessage(bytes.span.bytes), message.kind == .request {
            var answer = STUNWriter(.success, .binding, message.id)
            answer.addAddress(.xorMappedAddress, from)
            return datagram(answer.finish(), from: to, to: from)
        }
        if let server = turnServers.first(where: { $0.owns(to) }) {
            return to == server.address
                ? server.receive(bytes, from: from, stream: nil) : server.relay(bytes, from: from, to: to)
        }
        var target = to
        if let nat = nats.first(where: { $0.publicIP == to.ip }) {
            guard let inside = nat.incoming(to.port, from: from) else { return }
            target = inside
        }
        for peer in peers where peer.addresses.contains(target) || peer.extraSockets.contains(target) {
            // Private addresses are reached from inside only.
            if target == to, let nat = peer.nat {
                guard peers.contains(where: { $0.nat === nat && $0.addresses.contains(from) }) else { return }
            }
            guard !peer.isCut else { return }
            return receive(peer, bytes, NetworkPath(.udp, local: target, remote: from))
        }
    }

    private func receive(_ peer: Peer, _ bytes: [UInt8], _ path: NetworkPath) {
        if case .application(let range) = peer.agent.receive(bytes.span.bytes, over: path, at: now) {
            peer.data.append(Array(bytes[range]))
            if path != peer.agent.selectedRoute?.path { peer.agent.heardAuthentic(over: path, at: now) }
        }
        drain(peer)
    }

    func drain(_ peer: Peer) {
        while true {
            if let message = peer.agent.pollTransmit() {
                send(message.bytes, over: message.path, from: peer)
            } else if let event = peer.agent.pollEvent() {
                peer.handle(event, in: self)
            } else {
                return
            }
        }
    }
}

/// One side: an agent, its sockets, and whoever it signals to.
final class Peer {
    let agent: ICEAgent
    var addresses: [SocketAddress]
    let nat: NAT?
    weak var other: Peer?
    var listening: Set<SocketAddress> = []
    var extraSockets: Set<SocketAddress> = []
    /// No datagram goes in or out.
    var isCut = false
    /// It asks nothing: its binding requests do not leave.
    var isContent = false
    /// Where datagrams went, and their first bytes.
    var destinations: [(to: SocketAddress, kind: UInt8)] = []
    var states: [(Instant, ICEState)] = []
    var candidates: [ICECandidate] = []
    var selected: [(local: ICECandidate, remote: ICECandidate)] = []
    var warnings: [String] = []
    var data: [[UInt8]] = []
    var gatheringDone = 0
    var turns = 0
    var tellsCandidates = true
    var names: [String: IPAddress] = [:]

    init(_ agent: ICEAgent, _ addresses: [String], nat: NAT? = nil) {
        self.agent = agent
        self.addresses = addresses.compactMap { SocketAddress($0) }
        self.nat = nat
    }

    func handle(_ event: ICEEvent, in world: World) {
        switch event {
        case .candidate(let candidate):
            candidates.append(candidate)
            guard tellsCandidates else { return }
            world.after(world.signalling) { [weak self] in
                guard let other = self?.other, let told = try? ICECandidate(candidate.description) else { return }
                other.agent.addRemote(told, at: world.now)
                world.drain(other)
            }
        case .gatheringDone: gatheringDone += 1
        case .state(let state): states.append((world.now, state))
        case .selectedPair(let local, let remote): selected.append((local, remote))
        case .resolve(let name):
            agent.resolved(name, names[name].map { [$0] } ?? [], at: world.now)
        case .open(let wish): world.open(wish, from: self)
        case .close: break
        case .warning(let text): warnings.append(text)
        }
    }

    func firstTime(_ state: ICEState) -> Instant? { states.first { $0.1 == state }?.0 }

    /// Sends application data the way the agent says; false if there is none.
    @discardableResult func say(_ bytes: [UInt8], in world: World) -> Bool {
        guard let route = agent.selectedRoute else { return false }
        world.send(route.wrap(bytes), over: route.path, from: self)
        return true
    }
}

extension World {
    /// Two agents that signal to each other; the first is controlling, both gather at once.
    func pair(
        _ a: ICEConfiguration, _ b: ICEConfiguration, _ natA: NAT? = nil, _ natB: NAT? = nil, seed: UInt64,
        roles: (ICERole, ICERole) = (.controlling, .controlled), start: Bool = true
    ) -> (Peer, Peer) {
        let one = Peer(
            ICEAgent(a, role: roles.0, seed: seed), [natA == nil ? "198.51.100.1:5000" : "10.0.0.2:5000"], nat: natA)
        let two = Peer(
            ICEAgent(b, role: roles.1, seed: seed &+ 1000), [natB == nil ? "198.51.100.2:5000" : "10.1.0.2:5000"],
            nat: natB)
        (one.other, two.other) = (two, one)
        peers += [one, two]
        nats += [natA, natB].compactMap { $0 }
        if start { begin(one, two) }
        return (one, two)
    }

    func begin(_ one: Peer, _ two: Peer, udp: Bool = true) {
        for (peer, other) in [(one, two), (two, one)] {
            if udp { for address in peer.addresses { peer.agent.addLocalHost(address, at: now) } }
            peer.agent.gather(at: now)
            after(signalling) { [self] in
                peer.agent.setRemote(other.agent.local, at: now)
                drain(peer)
            }
        }
    }

    func isConnected(_ peers: Peer...) -> Bool { peers.allSatisfy { [.connected, .ready].contains($0.agent.state) } }
}
