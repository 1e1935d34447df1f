import Core

/// What fuzzers call: bytes nobody chose, and what must hold whatever they are.
package enum ICEFuzz {
    /// Parsing, checking and routing of one STUN message.
    package static func stun(_ bytes: [UInt8]) {
        let span = bytes.span.bytes
        if let range = STUNRouting.localUfragRange(span) { precondition(range.upperBound <= bytes.count) }
        _ = STUNRouting.tag(span)
        guard let message = try? STUNMessage(span) else { return }
        for range in [
            message.username, message.realm, message.nonce, message.software, message.data, message.errorReason,
        ] {
            precondition(range.map { $0.upperBound <= bytes.count } ?? true, "a range outside of the message")
        }
        precondition(!message.isProtected(by: STUNKey(password: "nobody knows"), in: span), "forged")
    }

    /// A candidate line; what is understood must come out as something that is understood alike.
    package static func candidate(_ bytes: [UInt8]) {
        guard let candidate = try? ICECandidate(String(decoding: bytes, as: UTF8.self)) else { return }
        guard candidate.description.utf8.count <= ICELimits.candidateBytes else { return }
        let again = try? ICECandidate(candidate.description)
        precondition(again == candidate, "a candidate changed on its way: \(candidate)")
    }

    /// A stream, cut where its first byte says, by both framings.
    package static func framing(_ bytes: [UInt8]) {
        guard let piece = bytes.first.map({ Int($0) + 1 }) else { return }
        for kind in [StreamFramer.Framing.length, .turn] {
            var framer = StreamFramer(kind, messageBytesMax: 2000)
            var start = 1
            while start < bytes.count {
                let end = min(start + piece, bytes.count)
                framer.receive(bytes[start..<end].span.bytes)
                while let message = framer.next() { precondition(message.count <= 2000) }
                precondition(framer.pendingCount <= 2000 + 4 + 256, "a framer keeps too much")
                start = end
            }
        }
    }

    /// A TURN client whose server says anything.
    package static func turn(_ bytes: [UInt8]) {
        let (one, two) = (SocketAddress(.loopbackV4, 1), SocketAddress(.loopbackV4, 2))
        let server = TURNServer(two, username: "u", password: "p")
        var client = TURNClient(server, path: NetworkPath(local: one, remote: two), tag: 1, seed: 1)
        var now = Instant(nanoseconds: 0)
        client.start(at: now)
        var reader = ByteReader(bytes.span.bytes)
        while let count = try? reader.u8(), let message = try? reader.bytes(min(Int(count), reader.remaining)) {
            // Answers to what was asked get further than noise.
            var whole = message
            if let asked = client.pollTransmit(), message.count >= 20 {
                whole.replaceSubrange(4..<20, with: asked[4..<20])
            }
            _ = client.receive(whole.span.bytes, at: now)
            client.permit(two.ip, at: now)
            now = now + .milliseconds(100)
            client.expire(at: now)
            while client.pollEvent() != nil {}
            if reader.isAtEnd { break }
        }
    }

    /// An agent driven by commands: a peer that knows the password and behaves as it likes.
    package static func agent(_ bytes: [UInt8]) {
        var driver = AgentDriver(bytes)
        driver.run()
    }
}

/// Turns bytes into calls on an agent and looks after its promises.
private struct AgentDriver {
    private let bytes: [UInt8]
    private var place = 0
    private var now = Instant(nanoseconds: 1_000_000_000)
    private let agent: ICEAgent
    private var asked: [ICETransmit] = []
    private var wishes: [ICEConnection] = []
    private let peer = ICECredentials(ufrag: "peer", password: "0123456789abcdefghijkl")
    private let here = SocketAddress(IPAddress(v4: 0x0A00_0001), 5000)

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        var configuration = ICEConfiguration()
        let first = bytes.first ?? 0
        configuration.isLite = first & 1 == 1
        if first & 2 == 2 { configuration.stunServers = [SocketAddress(IPAddress(v4: 0x0B00_0001), 3478)] }
        if first & 4 == 4 {
            let server = SocketAddress(IPAddress(v4: 0x0B00_0002), 3478)
            configuration.turnServers = [TURNServer(server, username: "u", password: "p")]
        }
        agent = ICEAgent(configuration, role: first & 8 == 8 ? .controlling : .controlled, seed: 1)
        place = 1
    }

    private mutating func byte() -> UInt8 {
        guard place < bytes.count else { return 0 }
        place += 1
        return bytes[place - 1]
    }

    private mutating func address() -> SocketAddress {
        SocketAddress(IPAddress(v4: 0x0A00_0000 | UInt32(byte() & 7)), UInt16(byte() & 3) + 4998)
    }

    mutating func run() {
        agent.addLocalHost(here, at: now)
        while place < bytes.count {
            step()
            drain()
            if agent.deadline.map({ $0 <= now }) ?? false { agent.expire(at: now) }
            drain()
            precondition(agent.pairs.count <= ICELimits.pairs + 1, "too many pairs")
            precondition(agent.transactions.count <= 4 * ICELimits.pairs + 1, "too many checks")
            let route = agent.selectedRoute
            precondition(route == nil || agent.selectedID != nil, "a route without a pair")
        }
        agent.close(at: now)
        drain()
        precondition(agent.deadline == nil && agent.selectedRoute == nil, "closed, and still alive")
    }

    private mutating func step() {
        let kind = byte()
        if kind >= 240 {
            agent.heardAuthentic(over: NetworkPath(local: here, remote: address()), at: now)
            return
        }
        switch kind % 13 {
        case 0: agent.setRemote(peer, isLite: byte() & 1 == 1, at: now)
        case 1: agent.gather(at: now)
        case 2: agent.restart(at: now)
        case 3:
            let at = address()
            agent.addRemote(
                ICECandidate(
                    foundation: "f\(byte() & 3)", priority: UInt32(byte()) << 24, host: .ip(at.ip), port: at.port,
                    kind: .host),
                at: now)
        case 4: now = now + .milliseconds(Int(byte()) * 20)
        case 5: now = now + .milliseconds(Int(byte()) * 200)
        case 6, 7: request()
        case 8, 9: answer()
        case 10:
            let wish = wishes.popLast()
            if let wish {
                agent.connected(wish.id, over: NetworkPath(wish.transport, local: here, remote: wish.remote), at: now)
            }
        case 11:
            let tcp = byte() & 1 == 1
            agent.addLocalHost(
                SocketAddress(here.ip, tcp ? 9 : 5001), tcp ? .tcp : .udp, tcpType: tcp ? .active : nil, at: now)
        default:
            let message = Array(bytes[place..<min(place + 24, bytes.count)])
            place += message.count
            _ = agent.receive(message.span.bytes, over: NetworkPath(local: here, remote: address()), at: now)
        }
    }

    private mutating func request() {
        let flags = byte()
        var writer = STUNWriter(.request, .binding, STUNTransactionID(tag: 7, UInt64(place)))
        writer.add(.username, "\(agent.local.ufrag):peer")
        writer.add(.priority, u32: UInt32(flags) << 20)
        writer.add(flags & 1 == 1 ? .iceControlling : .iceControlled, u64: UInt64(byte()) << 56)
        if flags & 2 == 2 { writer.addFlag(.useCandidate) }
        let message = writer.finish(STUNKey(password: agent.local.password))
        _ = agent.receive(message.span.bytes, over: NetworkPath(local: here, remote: address()), at: now)
    }

    private mutating func answer() {
        guard let question = asked.popLast(), let message = try? STUNMessage(question.bytes.span.bytes) else { return }
        let flags = byte()
        var writer = STUNWriter(flags & 3 == 0 ? .failure : .success, message.method, message.id)
        if flags & 3 == 0 { writer.addError(flags & 4 == 4 ? 487 : 401, "") }
        writer.addAddress(.xorMappedAddress, flags & 8 == 8 ? address() : question.path.local)
        let answer = writer.finish(STUNKey(password: peer.password))
        var path = question.path
        if flags & 48 == 48 { path.remote = address() }
        _ = agent.receive(answer.span.bytes, over: path, at: now)
    }

    private mutating func drain() {
        while let message = agent.pollTransmit() {
            if STUNMessage.isSTUN(message.bytes.span.bytes), message.bytes[0] == 0, asked.count < 50 {
                asked.append(message)
            }
        }
        while let event = agent.pollEvent() {
            if case .open(let wish) = event { wishes.append(wish) }
        }
    }
}
