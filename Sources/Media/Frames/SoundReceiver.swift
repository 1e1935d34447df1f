package import Core

/// Makes continuous sound of what a lossy network delivers: orders, decodes, repairs, conceals, stretches in time.
///
/// One per participant, owned by the sound thread; not thread-safe. `Codecs.AudioReceiver` is the real one.
package protocol SoundReceiver: AnyObject {
    /// What a payload type stands for. Packets of another one are ignored and counted. May change at any time.
    func setFormats(_ formats: [UInt8: SoundPayloadFormat])
    /// Takes a packet as it arrived; order, duplicates and age do not matter.
    func insert(_ packet: SoundPacket)
    /// The next 20 ms, whatever the network did: always 960 samples per channel at 48 kHz. `now` is on the clock of
    /// `SoundPacket.arrival`; calls are 20 ms apart. `pts` counts the samples given out.
    func pull(at now: Instant) -> AudioFrame
    /// Delay on top of what the network needs, so that sound waits for a picture that is later (lip sync).
    var extraDelay: MediaTime { get set }
    /// How things are after the last `pull`.
    var report: SoundReport { get }
}

/// What one RTP payload type of a sound stream carries.
package enum SoundPayloadFormat: Hashable, Sendable {
    /// Coded sound; `clockRate` is that of its RTP time stamps (G.722 counts 8000 although it has 16 000 samples).
    case sound(AudioFormat, clockRate: Int)
    /// RFC 3389: a silence of which the packet tells the level.
    case comfortNoise(clockRate: Int)
    /// RFC 4733: keys pressed, not to be heard.
    case telephoneEvent
}

/// Bounds of the delay that a receiver chooses by itself.
package struct SoundReceiverOptions: Hashable, Sendable {
    /// Delay, beyond that of the fastest packet, that is kept even where the network would need less.
    package var delayMin: MediaTime
    /// What comes later than this is lost.
    package var delayMax: MediaTime
    package init(delayMin: MediaTime = .zero, delayMax: MediaTime = .milliseconds(1000)) {
        self.delayMin = delayMin
        self.delayMax = delayMax
    }
}

/// State of a receiver after a block.
package struct SoundReport: Hashable, Sendable {
    /// Delay now, beyond that of the fastest packet lately: what the picture has to wait for.
    package var currentDelay = MediaTime.zero
    /// Where the delay is going.
    package var targetDelay = MediaTime.zero
    /// The RTP time stamp of the first sample of the last block, and the payload type whose clock it counts in: with
    /// sender reports, the link to the picture. Nil while nothing has been heard.
    package var playout: SoundPlayout?
    /// Parts per million by which the sender's clock is faster than ours, as far as that is known.
    package var driftPPM = 0.0
    /// −dBov of the last block as in RFC 6464: 0 is full scale, 127 silence; the sender's word where it gave one.
    package var level: UInt8 = 127
    package var isVoice = false
    package var statistics = SoundStatistics()
    package init() {}
}

/// What was heard when.
package struct SoundPlayout: Hashable, Sendable {
    package var timestamp: Int64
    package var payloadType: UInt8
    /// When the sample of that time stamp was given out.
    package var at: Instant
    package init(timestamp: Int64, payloadType: UInt8, at: Instant) {
        self.timestamp = timestamp
        self.payloadType = payloadType
        self.at = at
    }
}

/// Counters in the terms of W3C's statistics (webrtc-stats, RTCInboundRtpStreamStats). Samples are per channel at
/// 48 kHz; times are sums in seconds.
package struct SoundStatistics: Hashable, Sendable {
    package var jitterBufferDelay = 0.0
    package var jitterBufferTargetDelay = 0.0
    package var jitterBufferMinimumDelay = 0.0
    package var jitterBufferEmittedCount = 0
    package var totalSamplesReceived = 0
    package var concealedSamples = 0
    package var silentConcealedSamples = 0
    package var concealmentEvents = 0
    package var insertedSamplesForDeceleration = 0
    package var removedSamplesForAcceleration = 0
    package var packetsReceived = 0
    /// Came too late to be heard, or did not fit.
    package var packetsDiscarded = 0
    package var fecPacketsReceived = 0
    package var fecPacketsDiscarded = 0
    /// 0…1, of the last block.
    package var audioLevel = 0.0
    package var totalAudioEnergy = 0.0
    package var totalSamplesDuration = 0.0
    // Beyond W3C's: why packets were not heard.
    package var packetsDuplicated = 0
    package var packetsLate = 0
    package var packetsOverflowed = 0
    package var packetsUndecodable = 0
    package var packetsOfUnknownType = 0
    /// Times the stream began anew: a jump in its time stamps, or another clock.
    package var resets = 0
    package init() {}
}
