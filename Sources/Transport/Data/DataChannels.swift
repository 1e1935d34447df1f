package import Core

/// All data channels of one peer over one SCTP association (RFC 8831, RFC 8832).
///
/// Owned by the loop. Channels may be opened and written to before `start`; they wait. After each call drain
/// `pollPacket` (to be sent as DTLS application data) and `pollEvent`, and look at `deadline`.
package final class DataChannels {
    /// Ours, unlike the stream's number never used twice.
    package struct ChannelID: Hashable, Sendable {
        package let value: Int
    }
    package enum Event: Hashable, Sendable {
        /// The association is there.
        case connected
        /// A channel that we opened may be used, or the peer opened one.
        case opened(ChannelID, DataChannelParameters, isRemote: Bool)
        case message(ChannelID, DataMessage)
        /// What waits on the channel has fallen to its threshold.
        case bufferedAmountLow(ChannelID)
        /// The channel has ended, by either side or with the association.
        case closed(ChannelID)
        /// The association has ended; nil: as agreed.
        case disconnected(reason: String?)
    }
    package enum Failure: Error, Hashable, Sendable, CustomStringConvertible {
        case noSuchChannel
        case tooManyChannels
        case streamInUse(UInt16)
        /// Above the peer's `a=max-message-size`, or ours.
        case messageTooLarge(limit: Int)
        case bufferFull(limit: Int)
        case notOpen

        package var description: String {
            switch self {
            case .noSuchChannel: "there is no such data channel"
            case .tooManyChannels: "there are already \(DataChannels.maxChannels) data channels"
            case .streamInUse(let stream): "stream \(stream) has a data channel already, or is none"
            case .messageTooLarge(let limit): "the message has more than \(limit) bytes"
            case .bufferFull(let limit): "more than \(limit) bytes wait to be sent"
            case .notOpen: "the data channel is closing or closed"
            }
        }
    }
    package struct Counters: Hashable, Sendable {
        /// Messages on streams without a channel.
        package var unknownStream = 0
        /// Control messages that are none, or make no sense now.
        package var malformed = 0
        /// Channels of the peer beyond the limit.
        package var refused = 0
        /// Text or binary messages above our limit.
        package var tooLarge = 0
        package var unknownPPID = 0
    }

    package static let maxChannels = 256
    /// Per channel, as browsers have it.
    package static let maxBufferedBytes = 16 << 20
    /// What we announce as `a=max-message-size`, and take.
    package static let maxMessageBytes = 4 << 20
    /// Where the peer said nothing (RFC 8841, section 6.1).
    package static let defaultRemoteLimit = 64 * 1024

    package private(set) var counters = Counters()
    package var deadline: Instant? { association?.deadline }
    package var isConnected: Bool { association?.state == .connected }
    private var association: SCTPAssociation?
    private var channels: [ChannelID: DataChannel] = [:]
    private var byStream: [UInt16: ChannelID] = [:]
    private var events = Deque<Event>()
    private var lastID = 0
    private var streamLimit = 0
    private var isClient = false
    private var remoteLimit = DataChannels.defaultRemoteLimit
    private var hasEnded = false

    package init() {}

    /// DTLS is up: begins the association. The DTLS client opens even streams, the server odd ones. `remoteLimit` is
    /// the peer's `a=max-message-size`; 0: any size.
    package func start(
        role: DTLSConnection.Role, remoteLimit: Int = defaultRemoteLimit,
        configuration: SCTPAssociation.Configuration = SCTPAssociation.Configuration(), at now: Instant
    ) {
        precondition(association == nil, "data channels start once")
        isClient = role == .client
        self.remoteLimit = remoteLimit > 0 ? remoteLimit : .max
        association = SCTPAssociation(configuration, at: now)
        process(at: now)
    }

    /// Opens a channel; `opened` follows.
    package func open(_ parameters: DataChannelParameters, at now: Instant) throws(Failure) -> ChannelID {
        guard !hasEnded else { throw .notOpen }
        guard channels.count < DataChannels.maxChannels else { throw .tooManyChannels }
        if let stream = parameters.negotiatedStream {
            // 65535 is reserved (RFC 8832, section 6).
            let isTaken = byStream[stream] != nil || stream == .max || (isConnected && Int(stream) >= streamLimit)
            if isTaken { throw .streamInUse(stream) }
        }
        lastID += 1
        let id = ChannelID(value: lastID)
        let stream = parameters.negotiatedStream
        channels[id] = DataChannel(id: id, parameters: parameters, stream: stream, state: .waiting)
        if let stream { byStream[stream] = id }
        if isConnected { begin(id, at: now) }
        process(at: now)
        return id
    }

    /// Queues a message; before the channel is open it waits.
    package func send(_ message: DataMessage, on id: ChannelID, at now: Instant) throws(Failure) {
        guard var channel = channels[id] else { throw .noSuchChannel }
        guard channel.state != .closing else { throw .notOpen }
        let limit = min(remoteLimit, DataChannels.maxMessageBytes)
        guard message.bytes.count <= limit else { throw .messageTooLarge(limit: limit) }
        guard bufferedAmount(id) + message.bytes.count <= DataChannels.maxBufferedBytes else {
            throw .bufferFull(limit: DataChannels.maxBufferedBytes)
        }
        if channel.state == .waiting {
            channel.waiting.append(message)
            channel.waitingBytes += message.bytes.count
            channels[id] = channel
        } else if !transmit(message, channel, at: now) {
            throw .bufferFull(limit: DataChannels.maxBufferedBytes)
        }
        channels[id]?.traffic.messagesSent += 1
        channels[id]?.traffic.bytesSent += message.bytes.count
        if bufferedAmount(id) > channel.lowThreshold { channels[id]?.isAboveThreshold = true }
        process(at: now)
    }

    /// Messages of one channel and the bytes in them.
    package struct Traffic: Hashable, Sendable {
        package var messagesSent = 0
        package var bytesSent = 0
        package var messagesReceived = 0
        package var bytesReceived = 0
    }
    /// How things are with a channel, in the words of the W3C.
    package struct Status: Hashable, Sendable {
        package enum State: String, Hashable, Sendable { case connecting, open, closing }
        package var parameters: DataChannelParameters
        /// nil until the association is up.
        package var stream: UInt16?
        package var state: State
        package var traffic: Traffic
    }

    /// nil for a channel that has gone.
    package func status(_ id: ChannelID) -> Status? {
        guard let channel = channels[id] else { return nil }
        let state: Status.State =
            switch channel.state {
            case .waiting, .opening: .connecting
            case .open: .open
            case .closing: .closing
            }
        return Status(parameters: channel.parameters, stream: channel.stream, state: state, traffic: channel.traffic)
    }

    /// Bytes of messages that were not yet handed to the network.
    package func bufferedAmount(_ id: ChannelID) -> Int {
        guard let channel = channels[id] else { return 0 }
        return channel.waitingBytes + (channel.stream.map { association?.queuedBytes(on: $0) ?? 0 } ?? 0)
    }

    package func setLowThreshold(_ bytes: Int, on id: ChannelID) { channels[id]?.lowThreshold = max(0, bytes) }

    /// Ends a channel after what was sent on it; `closed` follows.
    package func close(_ id: ChannelID, at now: Instant) {
        guard let channel = channels[id], channel.state != .closing else { return }
        if channel.state == .waiting {
            forget(id)
        } else {
            channels[id]?.state = .closing
            requestReset(id, at: now)
        }
        process(at: now)
    }

    /// Ends all: in order (`abort` false), or at once.
    package func end(abort: Bool, at now: Instant) {
        guard let association else { return disconnect(nil) }
        if abort { association.abort(at: now) } else { association.shutdown(at: now) }
        process(at: now)
    }

    /// One message of DTLS application data.
    package func receive(_ packet: UnsafeRawBufferPointer, at now: Instant) {
        association?.receive(packet, at: now)
        process(at: now)
    }

    package func expire(at now: Instant) {
        association?.expire(at: now)
        process(at: now)
    }

    /// The next packet to send; `body` must not call these channels.
    package func pollPacket<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R? { association?.pollPacket(body) }
    package func pollEvent() -> Event? { events.popFirst() }
    package var associationCounters: SCTPAssociation.Counters? { association?.counters }

    // MARK: - Association

    private func process(at now: Instant) {
        while let event = association?.pollEvent() {
            switch event {
            case .connected(let outgoing, let incoming):
                streamLimit = min(outgoing, incoming)
                events.append(.connected)
                for id in channels.keys.sorted(by: { $0.value < $1.value }) { begin(id, at: now) }
            case .message(let message): receive(message, at: now)
            case .incomingReset(let stream): reset(stream, incoming: true, at: now)
            case .outgoingReset(let stream): reset(stream, incoming: false, at: now)
            case .closed(let reason): disconnect(reason)
            }
        }
        for (id, channel) in channels where channel.isAboveThreshold && bufferedAmount(id) <= channel.lowThreshold {
            channels[id]?.isAboveThreshold = false
            events.append(.bufferedAmountLow(id))
        }
    }

    private func disconnect(_ reason: String?) {
        guard !hasEnded else { return }
        hasEnded = true
        for id in channels.keys.sorted(by: { $0.value < $1.value }) { forget(id) }
        events.append(.disconnected(reason: reason))
    }

    private func forget(_ id: ChannelID) {
        guard let channel = channels.removeValue(forKey: id) else { return }
        if let stream = channel.stream { byStream[stream] = nil }
        events.append(.closed(id))
    }

    // MARK: - One channel

    /// Gives a waiting channel its stream and opens it there.
    private func begin(_ id: ChannelID, at now: Instant) {
        guard var channel = channels[id], channel.state == .waiting else { return }
        guard let stream = channel.stream ?? freeStream(), Int(stream) < streamLimit else {
            counters.refused += 1
            forget(id)
            return
        }
        channel.stream = stream
        byStream[stream] = id
        let isNegotiated = channel.parameters.negotiatedStream != nil
        channel.state = isNegotiated ? .open : .opening
        let waiting = channel.waiting
        channel.waiting = []
        channel.waitingBytes = 0
        channels[id] = channel
        if isNegotiated {
            events.append(.opened(id, channel.parameters, isRemote: false))
        } else {
            control(.open(channel.parameters), on: stream, at: now)
        }
        for message in waiting { _ = transmit(message, channel, at: now) }
        // What waited here is now queued or on its way; only what is left is to be reported.
        let isAbove = bufferedAmount(id) > channel.lowThreshold
        channels[id]?.isAboveThreshold = isAbove
    }

    private func freeStream() -> UInt16? {
        stride(from: isClient ? 0 : 1, to: streamLimit, by: 2).lazy.map { UInt16($0) }
            .first { byStream[$0] == nil }
    }

    private func control(_ message: DCEPMessage, on stream: UInt16, at now: Instant) {
        _ = association?.send(SCTPMessage(stream: stream, ppid: DataPPID.control, bytes: message.bytes), at: now)
    }

    private func transmit(_ message: DataMessage, _ channel: DataChannel, at now: Instant) -> Bool {
        guard let stream = channel.stream, let association else { return false }
        let isEmpty = message.bytes.isEmpty
        let ppid =
            message.isText
            ? (isEmpty ? DataPPID.emptyText : DataPPID.text) : (isEmpty ? DataPPID.emptyBinary : DataPPID.binary)
        return association.send(
            SCTPMessage(
                stream: stream, ppid: ppid,
                // Until the peer has our OPEN, nothing may overtake it (RFC 8832, section 6).
                isOrdered: channel.parameters.isOrdered || channel.state == .opening,
                reliability: channel.parameters.reliability, bytes: isEmpty ? [0] : message.bytes), at: now)
    }

    func receive(_ message: SCTPMessage, at now: Instant) {
        if message.ppid == DataPPID.control {
            receiveControl(message, at: now)
            return
        }
        guard let id = byStream[message.stream], var channel = channels[id], channel.state != .waiting else {
            counters.unknownStream += 1
            return
        }
        acknowledge(&channel)
        defer { channels[id] = channel }
        switch message.ppid {
        case DataPPID.emptyText:
            channel.traffic.messagesReceived += 1
            events.append(.message(id, .text("")))
        case DataPPID.emptyBinary:
            channel.traffic.messagesReceived += 1
            events.append(.message(id, .binary([])))
        case DataPPID.text, DataPPID.binary:
            let bytes = channel.pieces.isEmpty ? message.bytes : channel.pieces + message.bytes
            channel.pieces = []
            guard bytes.count <= DataChannels.maxMessageBytes else {
                counters.tooLarge += 1
                return
            }
            channel.traffic.messagesReceived += 1
            channel.traffic.bytesReceived += bytes.count
            events.append(.message(id, DataMessage(isText: message.ppid == DataPPID.text, bytes: bytes)))
        case DataPPID.textPart, DataPPID.binaryPart:
            // Kept one byte beyond the limit, so that the whole is seen to be too large.
            let room = max(0, DataChannels.maxMessageBytes + 1 - channel.pieces.count)
            channel.pieces += message.bytes.prefix(room)
        default: counters.unknownPPID += 1
        }
    }

    /// Anything on its stream says that the peer has our OPEN.
    private func acknowledge(_ channel: inout DataChannel) {
        guard channel.state == .opening else { return }
        channel.state = .open
        events.append(.opened(channel.id, channel.parameters, isRemote: false))
    }

    private func receiveControl(_ message: SCTPMessage, at now: Instant) {
        guard let control = try? DCEPMessage(message.bytes) else {
            counters.malformed += 1
            return
        }
        switch control {
        case .acknowledge:
            guard let id = byStream[message.stream], var channel = channels[id] else {
                counters.malformed += 1
                return
            }
            acknowledge(&channel)
            channels[id] = channel
        case .open(let parameters):
            // The peer's streams have the other parity.
            guard byStream[message.stream] == nil, message.stream % 2 == (isClient ? 1 : 0) else {
                counters.malformed += 1
                return
            }
            guard channels.count < DataChannels.maxChannels else {
                counters.refused += 1
                association?.reset(message.stream, at: now)
                return
            }
            lastID += 1
            let id = ChannelID(value: lastID)
            channels[id] = DataChannel(id: id, parameters: parameters, stream: message.stream, state: .open)
            byStream[message.stream] = id
            self.control(.acknowledge, on: message.stream, at: now)
            events.append(.opened(id, parameters, isRemote: true))
        }
    }

    // MARK: - Closing (RFC 8831, section 6.7)

    private func requestReset(_ id: ChannelID, at now: Instant) {
        guard let channel = channels[id], let stream = channel.stream, !channel.isResetRequested else { return }
        channels[id]?.isResetRequested = true
        association?.reset(stream, at: now)
    }

    private func reset(_ stream: UInt16, incoming: Bool, at now: Instant) {
        guard let id = byStream[stream] else { return }
        if incoming {
            channels[id]?.hasIncomingReset = true
            channels[id]?.state = .closing
            requestReset(id, at: now)
        } else {
            channels[id]?.hasOutgoingReset = true
        }
        if let channel = channels[id], channel.hasIncomingReset, channel.hasOutgoingReset { forget(id) }
    }
}
