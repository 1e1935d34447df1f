/// One packet of coded sound on its way from the loop, which ordered a little and dropped duplicates, to the thread
/// that decodes. Immutable; the payload is shared, not copied.
package struct SoundPacket: Sendable {
    /// The RTP sequence number, unwrapped: consecutive packets differ by one, also across a restart of the sender.
    package var sequence: Int64
    /// The RTP timestamp of the first sample, unwrapped, in units of the payload's clock rate.
    package var timestamp: Int64
    package var payload: Payload
    /// When the packet that carried it reached the machine.
    package var arrival: Instant
    /// The RTP payload type, which says the codec as negotiated. For a block out of RED, the block's own.
    package var payloadType: UInt8
    /// What the sender says about its loudness (RFC 6464), where the extension is used.
    package var level: VoiceLevel?
    /// It came late by nature, as redundancy or retransmission: its arrival says nothing about the network's jitter.
    package var isRecovered: Bool

    package init(
        sequence: Int64, timestamp: Int64, payload: Payload, arrival: Instant, payloadType: UInt8,
        level: VoiceLevel? = nil, isRecovered: Bool = false
    ) {
        self.sequence = sequence
        self.timestamp = timestamp
        self.payload = payload
        self.arrival = arrival
        self.payloadType = payloadType
        self.level = level
        self.isRecovered = isRecovered
    }
}

/// A client-to-mixer audio level (RFC 6464).
package struct VoiceLevel: Hashable, Sendable {
    /// 0 (overload) to 127 (digital silence): the level in dBov with its sign left out.
    package var attenuation: UInt8
    /// The sender's own detector heard a voice.
    package var isVoice: Bool

    package init(attenuation: UInt8, isVoice: Bool) {
        self.attenuation = min(attenuation, 127)
        self.isVoice = isVoice
    }
}
