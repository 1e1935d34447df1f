import Core

/// One data channel as `DataChannels` keeps it (RFC 8831, section 6).
///
///     waiting ──association up──▶ opening ──ACK or data──▶ open ──close──▶ closing ──both resets──▶ gone
///     (from the peer: begins at open; negotiated: open as soon as the association is up)
struct DataChannel {
    enum State: Hashable { case waiting, opening, open, closing }

    let id: DataChannels.ChannelID
    let parameters: DataChannelParameters
    /// nil until our role is known.
    var stream: UInt16?
    var state: State
    /// Sent before there was a stream, in order.
    var waiting: [DataMessage] = []
    var waitingBytes = 0
    var lowThreshold = 0
    /// Above the threshold: the next time it is not, the application is told.
    var isAboveThreshold = false
    var hasOutgoingReset = false
    var hasIncomingReset = false
    var isResetRequested = false
    var traffic = DataChannels.Traffic()
    /// Pieces of a message in the deprecated form.
    var pieces: [UInt8] = []

    init(id: DataChannels.ChannelID, parameters: DataChannelParameters, stream: UInt16?, state: State) {
        self.id = id
        self.parameters = parameters
        self.stream = stream
        self.state = state
    }
}
