package import Core

/// What a received video stream counts, in the words of W3C webrtc-stats (`RTCInboundRtpStreamStats`); loss and jitter
/// are in `ReceptionStatistics`. Retransmissions are counted in the packets and bytes, as there.
package struct VideoReceiveStatistics: Hashable, Sendable {
    package var packetsReceived = 0
    /// Payload, without headers and padding.
    package var bytesReceived = 0
    /// Headers and padding.
    package var headerBytesReceived = 0
    package var retransmittedPacketsReceived = 0
    package var retransmittedBytesReceived = 0
    /// Too late, twice there, or without room: never used.
    package var packetsDiscarded = 0
    package var duplicatesReceived = 0
    /// NACK messages sent.
    package var nackCount = 0
    /// Sequence numbers in them.
    package var packetsRequested = 0
    package var pliCount = 0
    package var firCount = 0
    /// Whole frames, used or not.
    package var framesReceived = 0
    package var keyFramesReceived = 0
    /// Whole or partly received frames that were not handed on, because what they build on is missing.
    package var framesDropped = 0
    /// Frames handed on.
    package var framesAssembled = 0
    /// Holes in the sequence numbers that were given up.
    package var holesAbandoned = 0
    /// Packets whose payload breaks the rules of its format.
    package var malformedPayloads = 0
    /// Packets of a payload type that was not negotiated.
    package var unknownPayloadTypes = 0
    /// Restarts of the sender's sequence numbers.
    package var restarts = 0
    package var freezeCount = 0
    package var totalFreezesDuration = MediaTime.zero
    package var totalInterFrameDelay = MediaTime.zero
    /// In seconds squared.
    package var totalSquaredInterFrameDelay = 0.0
    /// First packet to whole frame, summed over the frames handed on.
    package var totalAssemblyTime = MediaTime.zero
    /// Size of the last frame that told one.
    package var frameWidth: Int?
    package var frameHeight: Int?
    package var lastPacketReceived: Instant?
}

/// Sees a picture stand still by the rule of webrtc-stats (`freezeCount`): an interval of at least three times the mean
/// of the last 30, and of at least that mean plus 150 ms.
struct FreezeMeter {
    private static let window = 30
    private static let margin: Int64 = 150_000_000

    private var intervals = [Int64](repeating: 0, count: FreezeMeter.window)
    private var count = 0
    private var sum: Int64 = 0
    private var last: Instant?

    /// Notes a frame handed on.
    mutating func frame(at now: Instant, in statistics: inout VideoReceiveStatistics) {
        defer { last = now }
        guard let last else { return }
        let interval = max(0, (now - last).nanoseconds)
        statistics.totalInterFrameDelay += MediaTime(nanoseconds: interval)
        statistics.totalSquaredInterFrameDelay += Double(interval) * Double(interval) / 1e18
        if count > 0 {
            let mean = sum / Int64(min(count, FreezeMeter.window))
            if interval >= max(3 * mean, mean + FreezeMeter.margin) {
                statistics.freezeCount += 1
                statistics.totalFreezesDuration += MediaTime(nanoseconds: interval)
            }
        }
        let slot = count % FreezeMeter.window
        sum += interval - intervals[slot]
        intervals[slot] = interval
        count += 1
    }
}
