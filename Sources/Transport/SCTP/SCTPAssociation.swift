import CSCTP
package import Core

/// One SCTP association over DTLS (RFC 8261): packets in and out, messages on streams, reset of streams (RFC 6525).
///
/// Both sides connect, as WebRTC has it. Owned by the loop; `SCTPStack` keeps what usrsctp has for it until the next
/// call here. After each call drain `pollPacket` and `pollEvent`, and look at `deadline`.
package final class SCTPAssociation {
    package enum State: String, Hashable, Sendable { case connecting, connected, closing, closed }
    package enum Event: Hashable, Sendable {
        /// Streams that may be used in either direction.
        case connected(outgoing: Int, incoming: Int)
        case message(SCTPMessage)
        /// The peer's direction of the stream begins anew: its messages are all here.
        case incomingReset(UInt16)
        /// Our direction of the stream begins anew.
        case outgoingReset(UInt16)
        /// The end; nil: both sides agreed to it.
        case closed(reason: String?)
    }
    package struct Configuration: Hashable, Sendable {
        package var localPort: UInt16 = 5000
        package var remotePort: UInt16 = 5000
        /// Streams asked for in each direction. Each costs some hundred bytes.
        package var streams: UInt16 = 512
        /// Largest message taken from the peer; larger ones are dropped and counted.
        package var maxMessageBytes = 4 << 20
        /// What may wait here to be sent, in all.
        package var maxQueuedBytes = 32 << 20
        package init() {}
    }
    package struct Counters: Hashable, Sendable {
        /// Messages of the peer above `maxMessageBytes`.
        package var tooLarge = 0
        /// Messages usrsctp refused to send.
        package var unsent = 0
        /// Messages whose lifetime ended before they were sent at all.
        package var expired = 0
        /// Packets before `start` or after the end.
        package var unexpected = 0
        /// Messages of the peer that it gave up in the middle.
        package var abandoned = 0
    }

    /// SCTP packets fit in what DTLS and the path leave; a multiple of four.
    package static let packetBytes = (DTLSConnection.mtu - DTLSConnection.overhead) / 4 * 4
    /// The common header, which usrsctp does not count as part of the path.
    private static let headerBytes = 12
    /// usrsctp's own windows: enough for 50 Mbit/s over 40 ms.
    static let windowBytes: Int32 = 256 * 1024
    /// Given to usrsctp at once, so that one long message does not hold the lock long.
    private static let partBytes = 64 * 1024
    /// After the last packet, acknowledgements and resets may still be due for so long.
    private static let activeTime = MediaTime.milliseconds(1000)
    /// A peer that does not answer our SHUTDOWN is left.
    private static let shutdownTime = MediaTime.milliseconds(5000)

    package private(set) var state = State.connecting
    package private(set) var counters = Counters()
    package private(set) var deadline: Instant?
    /// Bytes of messages given to `send` and not yet to usrsctp.
    package private(set) var queuedBytes = 0
    private var queuedByStream: [UInt16: Int] = [:]

    private let configuration: Configuration
    private var connection: UInt = 0
    private var socket: OpaquePointer?
    private var packets = DatagramQueue(maxBytes: SCTPStack.maxQueuedBytes)
    private var arrivals = Deque<SCTPStack.Arrival>()
    private var events = Deque<Event>()
    private var queue = Deque<Queued>()
    private var current: Queued?
    private var isBroken = false
    private var pendingResets: [UInt16] = []
    /// By stream and order; empty but while a long message arrives.
    private var partial: [UInt32: [Partial]] = [:]
    private var heldBytes = 0
    private var lastActivity: Instant
    private var shutdownDeadline: Instant?
    private var latest: Instant

    private struct Queued {
        var message: SCTPMessage
        var sent = 0
        var since: Instant
    }
    /// A message of which not all is here, or that waits for one before it.
    private struct Partial {
        let first: UInt32
        var message: SCTPMessage
        var isComplete = false
        var isDropped = false

        init(_ arrival: SCTPStack.Arrival) {
            first = arrival.first
            message = SCTPMessage(
                stream: arrival.stream, ppid: arrival.ppid, isOrdered: !arrival.isUnordered, bytes: [])
        }

        /// Adds a piece; returns by how much the message has grown.
        mutating func add(_ arrival: SCTPStack.Arrival, limit: Int) -> Int {
            let before = message.bytes.count
            if before + arrival.bytes.count > limit {
                isDropped = true
                message.bytes = []
            } else if !isDropped {
                if message.bytes.isEmpty { message.bytes = arrival.bytes } else { message.bytes += arrival.bytes }
            }
            isComplete = arrival.isEnd
            return message.bytes.count - before
        }
    }

    /// Begins to connect: the layer below is ready to carry packets.
    package init(_ configuration: Configuration = Configuration(), at now: Instant) {
        self.configuration = configuration
        lastActivity = now
        latest = now
        var failure: String?
        SCTPStack.run(at: now) { access in
            connection = access.register()
            failure = open()
            collect(access)
        }
        if let failure { finish(failure, at: now) }
        settle(at: now)
    }

    deinit { release(at: latest) }

    /// One packet from the peer.
    package func receive(_ packet: UnsafeRawBufferPointer, at now: Instant) {
        guard state != .closed, let start = packet.baseAddress, packet.count >= 12 else {
            counters.unexpected += 1
            return
        }
        lastActivity = now
        turn(at: now) {
            usrsctp_conninput(UnsafeMutableRawPointer(bitPattern: connection), start, packet.count, 0)
        }
    }

    /// Queues a message; false if it is empty, there is no room, or the association is over.
    package func send(_ message: SCTPMessage, at now: Instant) -> Bool {
        guard state == .connecting || state == .connected, !message.bytes.isEmpty,
            queuedBytes + message.bytes.count <= configuration.maxQueuedBytes
        else { return false }
        queue.append(Queued(message: message, since: now))
        queuedBytes += message.bytes.count
        queuedByStream[message.stream, default: 0] += message.bytes.count
        lastActivity = now
        if state == .connected { turn(at: now) {} }
        return true
    }

    /// Bytes of this stream that wait here.
    package func queuedBytes(on stream: UInt16) -> Int { queuedByStream[stream] ?? 0 }

    /// Ends our direction of a stream after what usrsctp has of it; `outgoingReset` follows.
    package func reset(_ stream: UInt16, at now: Instant) {
        guard state == .connected else { return }
        if !pendingResets.contains(stream) { pendingResets.append(stream) }
        lastActivity = now
        turn(at: now) {}
    }

    /// Ends the association after all that was sent (RFC 9260, section 9.2); `closed` follows.
    package func shutdown(at now: Instant) {
        guard state == .connected, let socket else {
            abort(at: now)
            return
        }
        state = .closing
        shutdownDeadline = now + SCTPAssociation.shutdownTime
        turn(at: now) { _ = usrsctp_shutdown(socket, Int32(SHUT_WR)) }
    }

    /// Ends the association at once; an ABORT is to be sent.
    package func abort(at now: Instant) {
        guard state != .closed else { return }
        finish(nil, at: now)
    }

    /// To be called at `deadline` or later.
    package func expire(at now: Instant) {
        guard state != .closed else { return }
        if let shutdownDeadline, now >= shutdownDeadline {
            finish("the peer did not answer the shutdown", at: now)
            return
        }
        turn(at: now) {}
    }

    /// The next packet to send; `body` must not call this association.
    package func pollPacket<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R? { packets.pop(body) }
    package func pollEvent() -> Event? { events.popFirst() }

    // MARK: - Inside

    /// Calls usrsctp, gives it what waits, and takes what it has for us.
    private func turn(at now: Instant, _ body: () -> Void) {
        latest = now
        var isOutstanding = false
        SCTPStack.run(at: now) { access in
            body()
            collect(access)
            if state == .connected { pump(at: now) }
            resetStreams()
            collect(access)
            if let socket { isOutstanding = csctp_outstanding(socket) > 0 }
        }
        process(at: now)
        if isBroken { finish("a message could not be sent or received to its end", at: now) }
        settle(at: now, isOutstanding: isOutstanding)
    }

    private func collect(_ access: borrowing SCTPStack.Access) {
        access.collect(connection, packet: { packets.append($0) }, arrival: { arrivals.append($0) })
    }

    /// Inside `run`. The reason when it did not work.
    private func open() -> String? {
        let number = UnsafeMutableRawPointer(bitPattern: connection)
        guard
            let socket = usrsctp_socket(
                AF_CONN, Int32(SOCK_STREAM.rawValue), Int32(IPPROTO_SCTP), SCTPStack.arrived, nil, 0, number)
        else { return "usrsctp_socket: \(csctp_errno())" }
        self.socket = socket
        let window = SCTPAssociation.windowBytes
        let steps: [(String, Int32)] = [
            ("non-blocking", usrsctp_set_non_blocking(socket, 1)),
            ("linger", csctp_close_aborts(socket)),
            ("no delay", csctp_set_flag(socket, SCTP_NODELAY)),
            ("explicit end of record", csctp_set_flag(socket, SCTP_EXPLICIT_EOR)),
            ("send buffer", csctp_set_buffer(socket, csctp_SO_SNDBUF, window)),
            ("receive buffer", csctp_set_buffer(socket, csctp_SO_RCVBUF, window)),
            ("stream reset", csctp_allow_stream_reset(socket)),
            ("streams", csctp_set_streams(socket, configuration.streams)),
            ("path", csctp_set_path(socket, UInt32(SCTPAssociation.packetBytes - SCTPAssociation.headerBytes))),
            ("association events", csctp_subscribe(socket, UInt16(SCTP_ASSOC_CHANGE))),
            ("reset events", csctp_subscribe(socket, UInt16(SCTP_STREAM_RESET_EVENT))),
            ("delivery events", csctp_subscribe(socket, UInt16(SCTP_PARTIAL_DELIVERY_EVENT))),
            ("bind", csctp_bind(socket, connection, configuration.localPort)),
        ]
        if let failed = steps.first(where: { $0.1 != 0 }) { return "usrsctp \(failed.0): \(csctp_errno())" }
        if csctp_connect(socket, connection, configuration.remotePort) != 0, csctp_errno() != EINPROGRESS {
            return "usrsctp_connect: \(csctp_errno())"
        }
        return nil
    }

    /// Inside `run`: messages in order, each to its end before the next, as long as usrsctp takes them.
    private func pump(at now: Instant) {
        guard let socket else { return }
        while var queued = current ?? queue.popFirst() {
            current = nil
            let message = queued.message
            if queued.sent == 0, case .maxLifetime(let milliseconds) = message.reliability,
                now > queued.since + MediaTime.milliseconds(Int(milliseconds)), queued.since != now
            {
                counters.expired += 1
                dequeue(message.stream, message.bytes.count)
                continue
            }
            let rest = message.bytes.count - queued.sent
            let part = min(rest, SCTPAssociation.partBytes)
            let taken = offer(message, from: queued.sent, part, ends: part == rest, to: socket)
            if taken > 0 {
                queued.sent += taken
                dequeue(message.stream, taken)
            } else if taken < 0, csctp_would_block() == 0 {
                counters.unsent += 1
                // The peer has its beginning and would take the next message for the rest.
                if queued.sent > 0 { isBroken = true }
                dequeue(message.stream, rest)
                continue
            }
            if queued.sent < message.bytes.count { current = queued }
            if taken < part { return }
        }
    }

    private func offer(
        _ message: SCTPMessage, from start: Int, _ count: Int, ends: Bool, to socket: OpaquePointer
    ) -> Int {
        let (policy, value): (Int32, UInt32) =
            switch message.reliability {
            case .reliable: (SCTP_PR_SCTP_NONE, 0)
            case .maxRetransmits(let count): (SCTP_PR_SCTP_RTX, UInt32(count))
            case .maxLifetime(let milliseconds): (SCTP_PR_SCTP_TTL, UInt32(milliseconds))
            }
        return message.bytes.withUnsafeBytes { bytes in
            csctp_send(
                socket, bytes.baseAddress.map { $0 + start }, count, message.stream, message.ppid,
                message.isOrdered ? 1 : 0, ends ? 1 : 0, UInt16(policy), value)
        }
    }

    private func dequeue(_ stream: UInt16, _ count: Int) {
        queuedBytes -= count
        let left = (queuedByStream[stream] ?? 0) - count
        queuedByStream[stream] = left > 0 ? left : nil
    }

    /// Inside `run`: one request may be under way at a time, the others wait.
    private func resetStreams() {
        guard state == .connected, let socket else { return }
        while let stream = pendingResets.first, queuedBytes(on: stream) == 0 {
            let result = csctp_reset_stream(socket, stream)
            if result != 0, csctp_errno() == EALREADY || csctp_would_block() != 0 { return }
            pendingResets.removeFirst()
            // A peer without RFC 6525: our direction ends here, and nobody is told.
            if result != 0 { events.append(.outgoingReset(stream)) }
        }
    }

    private func process(at now: Instant) {
        while let arrival = arrivals.popFirst() {
            if arrival.isNotification { notify(arrival.bytes, at: now) } else { assemble(arrival) }
        }
    }

    /// usrsctp hands long messages over in pieces, and now and then a later message before the last piece of the one
    /// before: pieces belong together by the number of their first chunk, and ordered messages wait for their turn.
    private func assemble(_ arrival: SCTPStack.Arrival) {
        let place = UInt32(arrival.stream) | (arrival.isUnordered ? 1 << 16 : 0)
        var waiting = partial.removeValue(forKey: place) ?? []
        let index = waiting.firstIndex { $0.first == arrival.first } ?? waiting.count
        if index == waiting.count { waiting.append(Partial(arrival)) }
        heldBytes += waiting[index].add(arrival, limit: configuration.maxMessageBytes)
        while let next = waiting.firstIndex(where: { $0.isComplete }), next == 0 || arrival.isUnordered {
            let message = waiting.remove(at: next)
            heldBytes -= message.message.bytes.count
            if message.isDropped { counters.tooLarge += 1 } else { events.append(.message(message.message)) }
        }
        if !waiting.isEmpty { partial[place] = waiting }
        if heldBytes > 2 * configuration.maxMessageBytes { isBroken = true }
    }

    private func forgetPartial(_ stream: UInt16) {
        for place in [UInt32(stream), UInt32(stream) | 1 << 16] {
            for message in partial.removeValue(forKey: place) ?? [] { heldBytes -= message.message.bytes.count }
        }
    }

    private func notify(_ bytes: [UInt8], at now: Instant) {
        switch SCTPNotification(bytes) {
        case .up(let outgoing, let incoming):
            guard state == .connecting else { return }
            state = .connected
            events.append(.connected(outgoing: outgoing, incoming: incoming))
            turn(at: now) {}
        case .down(let reason): finish(state == .closing ? nil : reason, at: now)
        case .reset(let incoming, let outgoing, let streams):
            for stream in streams {
                if incoming {
                    forgetPartial(stream)
                    events.append(.incomingReset(stream))
                }
                if outgoing { events.append(.outgoingReset(stream)) }
            }
        case .resetRefused(let streams):
            for stream in streams { events.append(.outgoingReset(stream)) }
        case .deliveryAborted(let stream):
            counters.abandoned += 1
            forgetPartial(stream)
        case nil: break
        }
    }

    private func finish(_ reason: String?, at now: Instant) {
        guard state != .closed else { return }
        state = .closed
        release(at: now)
        queue.removeAll()
        current = nil
        arrivals.removeAll()
        partial = [:]
        queuedByStream = [:]
        queuedBytes = 0
        pendingResets = []
        deadline = nil
        events.append(.closed(reason: reason))
    }

    /// Gives back all that usrsctp holds; its last packets are kept to be sent.
    private func release(at now: Instant) {
        guard connection != 0 else { return }
        SCTPStack.run(at: now) { access in
            if let socket { usrsctp_close(socket) }
            access.collect(connection, packet: { packets.append($0) }, arrival: { _ in })
            access.deregister(connection)
        }
        socket = nil
        connection = 0
    }

    private func settle(at now: Instant, isOutstanding: Bool = false) {
        guard state != .closed else {
            deadline = nil
            return
        }
        let isActive =
            state != .connected || isOutstanding || queuedBytes > 0 || !pendingResets.isEmpty
            || now < lastActivity + SCTPAssociation.activeTime
        deadline = isActive ? now + SCTPStack.tick : nil
    }
}
