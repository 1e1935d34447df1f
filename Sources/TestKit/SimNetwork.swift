package import Core

/// The Internet of a simulation: machines with addresses, each on a line of its own, some behind address translation.
/// Everything is a function of the host's clock and a seed. All machines share one `SimHost`; make and use them inside
/// its `run`, or before.
///
/// A datagram goes up the sender's line, through its NAT, through the receiver's NAT and down its line.
package final class SimNetwork: @unchecked Sendable {
    // Sendable: touched only by the one thread that runs the simulation.
    package let host: SimHost
    private var random: SeededRandom
    fileprivate var machines: [IPAddress: SimMachine] = [:]
    fileprivate var names: [String: [IPAddress]] = [:]
    /// Datagrams that were sent to an address nobody has, or that a NAT did not let in.
    package fileprivate(set) var undeliverable = 0

    package init(_ host: SimHost, seed: UInt64) {
        self.host = host
        random = SeededRandom(seed: seed)
    }

    /// A machine with its addresses; behind `nat` it is known by the NAT's address outside.
    package func machine(
        _ addresses: [IPAddress], up: LinkConditions = LinkConditions(), down: LinkConditions = LinkConditions(),
        nat: SimNAT? = nil
    ) -> SimMachine {
        let machine = SimMachine(
            self, addresses, up: SimLink(seed: random.next(), up), down: SimLink(seed: random.next(), down), nat: nat,
            seed: random.next())
        for address in nat.map({ [$0.address] }) ?? addresses { machines[address] = machine }
        return machine
    }

    /// A NAT restarts: everything behind it goes on from another address outside, and old mappings are gone.
    package func move(_ nat: SimNAT, to address: IPAddress) {
        for machine in nat.machines where machines[nat.address] === machine { machines[nat.address] = nil }
        nat.restart(at: address)
        for machine in nat.machines { machines[address] = machine }
    }

    /// What `resolve` finds.
    package func name(_ name: String, _ addresses: [IPAddress]) { names[name] = addresses }

    func addresses(of name: String) -> [IPAddress] { names[name] ?? [] }

    /// The machine that accepts connections at an address, as seen from another; none behind a NAT.
    func machine(at ip: IPAddress, for other: SimMachine) -> SimMachine? {
        if let neighbour = other.neighbour(ip) { return neighbour }
        return machines[ip].flatMap { $0.nat == nil ? $0 : nil }
    }

    /// A packet between the lines of two machines.
    struct Packet {
        var source: SocketAddress
        var destination: SocketAddress
        var bytes: [UInt8]
        var size: Int
    }

    /// From the end of a sender's line to the beginning of the receiver's.
    func route(_ packet: Packet, from sender: SimMachine, at now: Instant) {
        var packet = packet
        // Neighbours behind one NAT, and a machine's own addresses, need no translation.
        if let neighbour = sender.neighbour(packet.destination.ip) { return neighbour.arrive(packet, at: now) }
        if let letsOut = sender.nat?.letsOut, !letsOut(packet.bytes) { return }
        if let nat = sender.nat { packet.source = nat.out(packet.source, to: packet.destination, at: now) }
        guard let receiver = machines[packet.destination.ip] else {
            undeliverable += 1
            return
        }
        if let nat = receiver.nat {
            guard let inside = nat.in(packet.destination, from: packet.source, at: now) else {
                undeliverable += 1
                return
            }
            packet.destination = inside
            guard let owner = nat.owner(of: inside.ip) else { return }
            return owner.arrive(packet, at: now)
        }
        receiver.arrive(packet, at: now)
    }
}

/// Address translation at a home's or company's edge (RFC 4787): ports outside for sockets inside. Shared by the
/// machines behind it.
package final class SimNAT: @unchecked Sendable {
    // Sendable: touched only by the one thread that runs the simulation.
    package enum Kind: Sendable, CaseIterable {
        /// One port outside per socket; lets everybody in.
        case fullCone
        /// One port outside per socket; lets in whom the socket has sent to (address and port).
        case restricted
        /// A port outside per socket and destination; lets in only that destination.
        case symmetric
    }
    private struct Key: Hashable {
        let inside: SocketAddress
        let destination: SocketAddress?
    }
    private struct Mapping {
        let inside: SocketAddress
        var peers: [SocketAddress: Instant]
        var lastUsed: Instant
    }
    package private(set) var address: IPAddress
    private let kind: Kind
    /// A mapping without traffic outwards lives so long.
    private let lifetime: MediaTime
    private var ports: [Key: UInt16] = [:]
    private var mappings: [UInt16: Mapping] = [:]
    private var nextPort: UInt16 = 20_000
    fileprivate var machines: [SimMachine] = []
    /// What of its machines' datagrams goes out; nil: everything.
    package var letsOut: (@Sendable ([UInt8]) -> Bool)?

    package init(_ kind: Kind, address: IPAddress, lifetime: MediaTime = .seconds(30)) {
        self.kind = kind
        self.address = address
        self.lifetime = lifetime
    }

    fileprivate func restart(at address: IPAddress) {
        self.address = address
        ports = [:]
        mappings = [:]
    }

    func owner(of ip: IPAddress) -> SimMachine? { machines.first { $0.addresses.contains(ip) } }

    func out(_ inside: SocketAddress, to destination: SocketAddress, at now: Instant) -> SocketAddress {
        let key = Key(inside: inside, destination: kind == .symmetric ? destination : nil)
        if let port = ports[key], var mapping = mappings[port], now - mapping.lastUsed <= lifetime {
            mapping.peers[destination] = now
            mapping.lastUsed = now
            mappings[port] = mapping
            return SocketAddress(address, port)
        }
        let port = nextPort
        nextPort &+= 1
        if let old = ports[key] { mappings[old] = nil }
        ports[key] = port
        mappings[port] = Mapping(inside: inside, peers: [destination: now], lastUsed: now)
        return SocketAddress(address, port)
    }

    func `in`(_ outside: SocketAddress, from source: SocketAddress, at now: Instant) -> SocketAddress? {
        guard let mapping = mappings[outside.port], now - mapping.lastUsed <= lifetime else { return nil }
        if kind == .fullCone { return mapping.inside }
        guard let last = mapping.peers[source], now - last <= lifetime else { return nil }
        return mapping.inside
    }
}

/// A machine of a simulated network: a host whose loop has sockets. Give it to what should run there.
package final class SimMachine: Host, Loop, @unchecked Sendable {
    // Sendable: touched only by the one thread that runs the simulation.
    package let addresses: [IPAddress]
    let network: SimNetwork
    let nat: SimNAT?
    private var up: SimLink<SimNetwork.Packet>
    private var down: SimLink<SimNetwork.Packet>
    private var timer: TimerID?
    private var sets: [WeakSet] = []
    private var nextPort: UInt16 = 40_000
    private var random: SeededRandom

    private struct WeakSet { weak var value: SimSockets? }

    fileprivate init(
        _ network: SimNetwork, _ addresses: [IPAddress], up: SimLink<SimNetwork.Packet>,
        down: SimLink<SimNetwork.Packet>, nat: SimNAT?, seed: UInt64
    ) {
        random = SeededRandom(seed: seed)
        self.network = network
        self.addresses = addresses
        self.up = up
        self.down = down
        self.nat = nat
        nat?.machines.append(self)
    }

    var allSockets: [SimSockets] { sets.compactMap(\.value) }

    /// Paths that are reserved at any of its sockets.
    package var reservedPaths: Set<NetworkPath> { allSockets.reduce(into: []) { $0.formUnion($1.reserved) } }

    /// Some ports that were not given out lately.
    func takePorts() -> [UInt16] {
        let first = nextPort
        nextPort = nextPort >= 60_000 ? 40_000 : nextPort + 1
        return Array(first...60_100)
    }

    func neighbour(_ ip: IPAddress) -> SimMachine? {
        if addresses.contains(ip) { return self }
        return nat?.owner(of: ip)
    }

    // MARK: Lines

    /// Changes what this machine's line does, from now on. `seed`: its luck begins anew.
    package func change(up: LinkConditions? = nil, down: LinkConditions? = nil, seed: UInt64? = nil) {
        let now = now()
        if let up { self.up.change(to: up, seed: seed, at: now) }
        if let down { self.down.change(to: down, seed: seed.map { $0 &+ 1 }, at: now) }
        pump()
    }

    /// How long a packet sent now would wait at the bottleneck upwards.
    package var upQueueDelay: MediaTime { up.queueDelay }

    func send(_ packet: SimNetwork.Packet) {
        up.send(packet, size: packet.size, at: now())
        pump()
    }

    fileprivate func arrive(_ packet: SimNetwork.Packet, at now: Instant) {
        down.send(packet, size: packet.size, at: now)
        pump()
    }

    /// Moves on what has arrived at the end of either line, and comes back when more may have.
    private func pump() {
        let now = now()
        while let packet = up.poll(at: now) { network.route(packet, from: self, at: now) }
        while let packet = down.poll(at: now) { deliver(packet, at: now) }
        if let timer { network.host.cancel(timer) }
        let next = [up.nextArrival, down.nextArrival].compactMap { $0 }.min()
        timer = next.map { deadline in
            network.host.schedule(at: max(deadline, now)) { [self] in pump() }
        }
    }

    private func deliver(_ packet: SimNetwork.Packet, at now: Instant) {
        for set in allSockets {
            if set.receive(packet.bytes, to: packet.destination, from: packet.source, at: now) { return }
        }
        network.undeliverable += 1
    }

    // MARK: Host and loop

    package func now() -> Instant { network.host.now() }
    package func unixMilliseconds() -> Int64 { network.host.unixMilliseconds() }
    package func threadCPUNanoseconds() -> Int64 { 0 }
    /// Another one with each call: two machines, and two endpoints of one, never draw the same numbers.
    package func seed() -> UInt64 { random.next() }
    package func nextLoop() -> any Loop { self }
    package func workers(_ priority: WorkPriority) -> any TaskExecutor { network.host }
    package func disk(for path: String) -> any TaskExecutor { network.host }
    package func ioThread(named name: String) -> any TaskExecutor { network.host }
    package func enqueue(_ job: consuming ExecutorJob) { network.host.enqueue(UnownedJob(job), for: self) }
    package func post(_ body: @escaping @Sendable () -> Void) { network.host.post(body) }
    package func schedule(at deadline: Instant, _ body: @escaping @Sendable () -> Void) -> TimerID {
        network.host.schedule(at: deadline, body)
    }
    package func cancel(_ timer: TimerID) { network.host.cancel(timer) }
    package func isIsolatingCurrentContext() -> Bool? { network.host.isIsolatingCurrentContext() }
    package func checkIsolated() { network.host.checkIsolated() }
    package func makeNetwork() -> any LoopNetwork {
        let set = SimSockets(self)
        sets.removeAll { $0.value == nil }
        sets.append(WeakSet(value: set))
        return set
    }
}
