import Core

/// Asks the local networks for names that end in `.local`: one-shot queries (RFC 6762, section 5.1) from a port of our
/// own, out of every interface, answered directly to it. Opens its sockets for as long as somebody waits. Owned by a
/// loop and touched only there.
final class MulticastResolver: NetworkReceiver, @unchecked Sendable {
    // Sendable: touched only on the loop's thread; closures carry it to another turn of that thread.
    private struct Question {
        var answers: [@Sendable ([IPAddress]) -> Void]
        let timers: [TimerID]
    }
    private let loop: any Loop
    private let groups: [SocketAddress]
    private let timeout: MediaTime
    private let clock: () -> Instant
    private let makeNetwork: () -> any LoopNetwork
    private var network: (any LoopNetwork)?
    private var sockets: [SocketAddress] = []
    /// By name in lower case, without the dot at the end.
    private var questions: [String: Question] = [:]
    private var lastID: UInt16 = 0
    /// When a question is put again: packets get lost, phones sleep. At least a second apart (RFC 6762, section 5.2).
    private static let repeats: [MediaTime] = [.seconds(1), .seconds(3)]

    init(
        _ loop: any Loop, groups: [SocketAddress], timeout: MediaTime, clock: @escaping () -> Instant,
        makeNetwork: @escaping () -> any LoopNetwork
    ) {
        self.loop = loop
        self.groups = groups
        self.timeout = timeout
        self.clock = clock
        self.makeNetwork = makeNetwork
    }

    /// `answer` is called once, on the loop; empty when nobody has answered in time, or the name is none.
    func resolve(_ name: String, answer: @escaping @Sendable ([IPAddress]) -> Void) {
        let key = MDNSMessage.key(name)
        if questions[key] != nil {
            questions[key]?.answers.append(answer)
            return
        }
        lastID &+= 1
        guard let query = MDNSMessage.query(name, id: lastID), open() else { return loop.post { answer([]) } }
        let now = clock()
        var timers = Self.repeats.filter { $0 < timeout }.map { delay in
            loop.schedule(at: now + delay) { [weak self] in self?.send(query) }
        }
        timers.append(loop.schedule(at: now + timeout) { [weak self] in self?.finish(key, []) })
        questions[key] = Question(answers: [answer], timers: timers)
        send(query)
    }

    private func finish(_ key: String, _ addresses: [IPAddress]) {
        guard let question = questions.removeValue(forKey: key) else { return }
        for timer in question.timers { loop.cancel(timer) }
        for answer in question.answers { answer(addresses) }
        if questions.isEmpty {
            network = nil
            sockets = []
        }
    }

    /// A machine may have only one of the families.
    private func open() -> Bool {
        if network != nil { return true }
        let network = makeNetwork()
        sockets = [IPAddress.anyV4, IPAddress.anyV6].compactMap { try? network.openUDP(SocketAddress($0, 0)) }
        guard !sockets.isEmpty else { return false }
        network.attach(self)
        self.network = network
        return true
    }

    private func send(_ query: [UInt8]) {
        guard let network else { return }
        let interfaces = network.interfaceAddresses()
        for group in groups {
            guard let socket = sockets.first(where: { $0.ip.isV4 == group.ip.isV4 }) else { continue }
            // A source address chooses the interface that a multicast datagram leaves by.
            for source in group.ip.isLoopback ? [group.ip] : interfaces where source.isV4 == group.ip.isV4 {
                // Link-local sources reach every IPv6 neighbour; the others of an interface would only ask again.
                if !source.isV4, !source.isLinkLocal, !source.isLoopback { continue }
                let path = NetworkPath(.udp, local: SocketAddress(source, socket.port), remote: group)
                query.withUnsafeBytes { network.send($0, over: path) }
            }
        }
    }

    func receive(_ bytes: UnsafeMutableRawBufferPointer, over path: NetworkPath, at now: Instant) {
        let message = RawSpan(_unsafeBytes: UnsafeRawBufferPointer(bytes))
        guard let records = try? MDNSMessage.addresses(in: message) else { return }
        var found: [String: [IPAddress]] = [:]
        for record in records where questions[record.name] != nil { found[record.name, default: []].append(record.ip) }
        for (name, addresses) in found { finish(name, addresses) }
    }

    func batchEnded(at now: Instant) {}
    func connected(_ path: NetworkPath, at now: Instant) {}
    func disconnected(_ path: NetworkPath, reason: String, at now: Instant) {}
}
