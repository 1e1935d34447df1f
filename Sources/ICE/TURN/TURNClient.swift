import Core

/// One allocation on a TURN server (RFC 8656): whole messages in and out over one path, time as an argument. Owned by
/// an `ICEAgent`. UDP retransmits; over TCP and TLS the stream does.
///
///     idle → allocating → allocated → closed
///                 └→ failed       └→ failed
struct TURNClient {
    enum State: Equatable { case idle, allocating, allocated, failed(String), closed }
    /// What the agent is to know; drained with `pollEvent`.
    enum Event: Equatable {
        /// The relayed address, and ours as the server sees it.
        case allocated(relayed: SocketAddress, mapped: SocketAddress?)
        case failed(String)
        /// The server lets this peer's datagrams through, or not.
        case permitted(IPAddress)
        case refused(IPAddress, String)
        case bound(SocketAddress)
    }
    struct Permission {
        var isGranted = false
        var refreshAt: Instant
    }
    struct Channel {
        let number: UInt16
        var isBound = false
        var refreshAt: Instant
    }
    private enum Purpose: Equatable { case allocate, refresh, permission(IPAddress), channel(SocketAddress), end }
    private struct Transaction {
        let id: STUNTransactionID
        let purpose: Purpose
        let message: [UInt8]
        var sent = 1
        var rto: MediaTime
        var nextAt: Instant
        /// After a 401 or 438 a request is made again; more than twice in a row is a server that wants something else.
        let retries: Int
    }

    let server: TURNServer
    let path: NetworkPath
    private(set) var state = State.idle
    private(set) var relayed: SocketAddress?
    private(set) var permissions: [IPAddress: Permission] = [:]
    private(set) var channels: [SocketAddress: Channel] = [:]
    private var key: STUNKey?
    private var realm = ""
    private var nonce: [UInt8] = []
    private var transactions: [Transaction] = []
    private var refreshAt: Instant?
    private var nextChannel: UInt16 = 0x4000
    private let tag: UInt32
    private var random: SecretRandom
    private var outgoing = Deque<[UInt8]>()
    private var events = Deque<Event>()

    /// Peers a client asks permission for; a session's remote candidates.
    static let peersMax = ICELimits.remoteCandidates
    /// RFC 8489, section 6.2.1: retransmissions begin after 500 ms and double; seven in all; the last waits 16 times.
    static let rto = MediaTime.milliseconds(500)
    private static let requestsMax = 7
    /// Permissions last five minutes, channels ten: each is renewed in good time.
    private static let permissionInterval = MediaTime.milliseconds(240_000)
    private static let channelInterval = MediaTime.milliseconds(480_000)
    /// What is asked for; the server may say less.
    private static let lifetimeSeconds: UInt32 = 600

    init(_ server: TURNServer, path: NetworkPath, tag: UInt32, seed: UInt64) {
        self.server = server
        self.path = path
        self.tag = tag
        random = SecretRandom(seed: seed)
    }

    var deadline: Instant? {
        var first = refreshAt
        func take(_ time: Instant) { first = min(first ?? time, time) }
        for transaction in transactions { take(transaction.nextAt) }
        if state == .allocated {
            for permission in permissions.values { take(permission.refreshAt) }
            for channel in channels.values { take(channel.refreshAt) }
        }
        return first
    }

    mutating func pollTransmit() -> [UInt8]? { outgoing.popFirst() }
    mutating func pollEvent() -> Event? { events.popFirst() }

    mutating func start(at now: Instant) {
        guard state == .idle else { return }
        state = .allocating
        request(.allocate, at: now)
    }

    /// Lets a peer's datagrams through; `permitted` or `refused` follows, at once if it is granted already.
    mutating func permit(_ peer: IPAddress, at now: Instant) {
        guard state == .allocated else { return }
        if let known = permissions[peer] {
            if known.isGranted { events.append(.permitted(peer)) }
            return
        }
        guard permissions.count < TURNClient.peersMax else {
            events.append(.refused(peer, "too many peers"))
            return
        }
        permissions[peer] = Permission(refreshAt: now + TURNClient.permissionInterval)
        request(.permission(peer), at: now)
    }

    func isPermitted(_ peer: IPAddress) -> Bool { permissions[peer]?.isGranted ?? false }

    /// Binds a channel: four bytes of header instead of 36.
    mutating func bind(_ peer: SocketAddress, at now: Instant) {
        guard state == .allocated, channels[peer] == nil, nextChannel < 0x4FFF, channels.count < TURNClient.peersMax
        else { return }
        channels[peer] = Channel(number: nextChannel, refreshAt: now + TURNClient.channelInterval)
        nextChannel += 1
        request(.channel(peer), at: now)
    }

    /// How a datagram to `peer` is wrapped.
    func route(to peer: SocketAddress) -> ICERoute {
        if let channel = channels[peer], channel.isBound {
            return ICERoute(path: path, relay: .channel(channel.number))
        }
        return ICERoute(path: path, relay: .indication(peer: peer))
    }

    /// Gives the allocation back.
    mutating func close(at now: Instant) {
        guard state == .allocated else {
            state = .closed
            return
        }
        transactions = []
        request(.end, at: now)
        transactions = []
        refreshAt = nil
        state = .closed
    }

    mutating func fail(_ reason: String) {
        guard state != .closed else { return }
        if case .failed = state { return }
        state = .failed(reason)
        transactions = []
        refreshAt = nil
        relayed = nil
        events.append(.failed("TURN server \(server.address): \(reason)"))
    }

    mutating func expire(at now: Instant) {
        for index in transactions.indices.reversed() where transactions[index].nextAt <= now {
            let transaction = transactions[index]
            if transaction.sent >= TURNClient.requestsMax || path.transport == .tcp {
                transactions.remove(at: index)
                timedOut(transaction.purpose)
                if transactions.isEmpty { break }
                continue
            }
            transactions[index].sent += 1
            transactions[index].rto = transaction.rto + transaction.rto
            let isLast = transaction.sent + 1 == TURNClient.requestsMax
            transactions[index].nextAt = now + (isLast ? MediaTime.milliseconds(8000) : transactions[index].rto)
            outgoing.append(transaction.message)
        }
        guard state == .allocated else { return }
        if let at = refreshAt, at <= now {
            refreshAt = nil
            request(.refresh, at: now)
        }
        for (peer, permission) in permissions where permission.refreshAt <= now {
            permissions[peer]?.refreshAt = now + TURNClient.permissionInterval
            request(.permission(peer), at: now)
        }
        for (peer, channel) in channels where channel.refreshAt <= now {
            channels[peer]?.refreshAt = now + TURNClient.channelInterval
            request(.channel(peer), at: now)
        }
    }

    private mutating func timedOut(_ purpose: Purpose) {
        switch purpose {
        case .allocate: fail("no answer")
        case .refresh: fail("no answer to a refresh: the allocation is lost")
        case .permission(let peer):
            permissions[peer] = nil
            events.append(.refused(peer, "no answer"))
        case .channel(let peer): channels[peer] = nil
        case .end: break
        }
    }

    // MARK: Messages

    private mutating func request(_ purpose: Purpose, at now: Instant, retries: Int = 0) {
        let id = STUNTransactionID(tag: tag, random.next())
        let method: STUNMethod =
            switch purpose {
            case .allocate: .allocate
            case .refresh, .end: .refresh
            case .permission: .createPermission
            case .channel: .channelBind
            }
        var writer = STUNWriter(.request, method, id)
        switch purpose {
        case .allocate:
            writer.add(.requestedTransport, [17, 0, 0, 0])
            writer.add(.lifetime, u32: TURNClient.lifetimeSeconds)
        case .refresh: writer.add(.lifetime, u32: TURNClient.lifetimeSeconds)
        case .end: writer.add(.lifetime, u32: 0)
        case .permission(let peer): writer.addAddress(.xorPeerAddress, SocketAddress(peer, 0))
        case .channel(let peer):
            writer.add(.channelNumber, u32: UInt32(channels[peer]?.number ?? 0) << 16)
            writer.addAddress(.xorPeerAddress, peer)
        }
        if key != nil {
            writer.add(.username, server.username)
            writer.add(.realm, realm)
            writer.add(.nonce, nonce)
        }
        let message = writer.finish(key, fingerprint: false)
        let rto = path.transport == .tcp ? MediaTime.milliseconds(39_500) : TURNClient.rto
        transactions.append(
            Transaction(id: id, purpose: purpose, message: message, rto: rto, nextAt: now + rto, retries: retries))
        outgoing.append(message)
    }

    /// What came from the server.
    enum Received: Equatable {
        case consumed, dropped(ICEDrop)
        /// A peer's datagram: where it lies in the message.
        case data(Range<Int>, from: SocketAddress)
    }

    mutating func receive(_ bytes: RawSpan, at now: Instant) -> Received {
        if let data = channelData(bytes) { return data }
        guard let message = try? STUNMessage(bytes) else { return .dropped(.malformed) }
        if message.kind == .indication {
            guard message.method == .data, let peer = message.peerAddress, let data = message.data else {
                return .dropped(.malformed)
            }
            guard permissions[peer.ip] != nil else { return .dropped(.unknownPath) }
            return .data(data, from: peer)
        }
        guard let index = transactions.firstIndex(where: { $0.id == message.id }) else {
            return .dropped(.unknownTransaction)
        }
        let transaction = transactions[index]
        // Errors about the credentials themselves come unprotected.
        let isChallenge = message.errorCode == 401 || message.errorCode == 438 || message.errorCode == 400
        if let key, !isChallenge, !message.isProtected(by: key, in: bytes) { return .dropped(.wrongIntegrity) }
        if key == nil, message.kind == .success { return .dropped(.wrongIntegrity) }
        transactions.remove(at: index)
        if message.kind == .success {
            succeeded(transaction.purpose, message, at: now)
        } else {
            failed(transaction, message, bytes, at: now)
        }
        return .consumed
    }

    private func channelData(_ bytes: RawSpan) -> Received? {
        guard bytes.byteCount >= 4 else { return nil }
        let number = UInt16(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt16.self))
        guard (0x4000..<0x5000).contains(number) else { return nil }
        let count = Int(UInt16(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: 2, as: UInt16.self)))
        guard 4 + count <= bytes.byteCount else { return .dropped(.malformed) }
        guard let peer = channels.first(where: { $0.value.number == number })?.key else {
            return .dropped(.unknownPath)
        }
        return .data(4..<(4 + count), from: peer)
    }

    private mutating func succeeded(_ purpose: Purpose, _ message: STUNMessage, at now: Instant) {
        switch purpose {
        case .allocate:
            guard let address = message.relayedAddress else { return fail("its answer has no relayed address") }
            relayed = address
            state = .allocated
            scheduleRefresh(message, at: now)
            events.append(.allocated(relayed: address, mapped: message.mappedAddress))
        case .refresh: scheduleRefresh(message, at: now)
        case .permission(let peer):
            permissions[peer]?.isGranted = true
            events.append(.permitted(peer))
        case .channel(let peer):
            let wasBound = channels[peer]?.isBound ?? true
            channels[peer]?.isBound = true
            // A channel brings its permission along.
            if !wasBound { events.append(.bound(peer)) }
        case .end: break
        }
    }

    /// A minute before the end, or after half of a short life; a server that says zero means it.
    private mutating func scheduleRefresh(_ message: STUNMessage, at now: Instant) {
        let seconds = Int(min(message.lifetime ?? TURNClient.lifetimeSeconds, 3600))
        guard seconds > 0 else { return fail("it ended the allocation") }
        refreshAt = now + MediaTime.milliseconds(1000 * max(1, seconds > 120 ? seconds - 60 : seconds / 2))
    }

    private mutating func failed(
        _ transaction: Transaction, _ message: STUNMessage, _ bytes: RawSpan, at now: Instant
    ) {
        let code = message.errorCode ?? 0
        let wasStale = code == 438 && key != nil
        if (code == 401 && key == nil) || wasStale, transaction.retries < 2, let newNonce = message.nonce {
            nonce = bytes.extracting(newNonce).withUnsafeBytes { [UInt8]($0) }
            if let newRealm = message.realm { realm = bytes.text(newRealm) }
            key = STUNKey(username: server.username, realm: realm, password: server.password)
            return request(transaction.purpose, at: now, retries: transaction.retries + 1)
        }
        let told = message.errorReason.map { bytes.text($0) } ?? ""
        let reason = TURNClient.explain(code, told, wasAuthenticated: key != nil)
        switch transaction.purpose {
        case .allocate: fail(reason)
        case .refresh: fail("a refresh was refused: \(reason)")
        case .permission(let peer):
            permissions[peer] = nil
            events.append(.refused(peer, reason))
        case .channel(let peer): channels[peer] = nil
        case .end: break
        }
    }

    /// An error code in words for people who run servers.
    static func explain(_ code: Int, _ told: String, wasAuthenticated: Bool) -> String {
        let words: String
        switch code {
        case 300: words = "it sends us to another server, which is not followed"
        case 400: words = "it could not read the request"
        case 401:
            words = wasAuthenticated ? "user name or password is wrong" : "it asks for credentials without a nonce"
        case 403: words = "this is forbidden by its configuration"
        case 420: words = "it does not know an attribute that is needed"
        case 437: words = "it has an allocation for this address already, or none"
        case 438: words = "it keeps calling the nonce stale"
        case 440, 443: words = "this address family is not supported"
        case 441: words = "the allocation belongs to another user"
        case 442: words = "it does not relay UDP"
        case 486: words = "the quota of allocations is reached"
        case 508: words = "it has no relay port left"
        case 500...599: words = "it has trouble of its own"
        default: words = "it refused"
        }
        return "\(words) (\(code)\(told.isEmpty ? "" : " \(told)"))"
    }
}
