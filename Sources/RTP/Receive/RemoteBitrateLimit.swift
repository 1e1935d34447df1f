package import Core

/// The bit rate that a sender is asked not to exceed, by REMB (draft-alvestrand-rmcat-remb-03): what the tiles that
/// show its picture can use, between a configured minimum and maximum. One per peer; owned by its loop.
///
/// A lower limit is told at once, a higher one at most every 200 ms, and the valid one again every second, because the
/// message is not acknowledged and senders forget it.
package struct RemoteBitrateLimit: Sendable {
    package static let refresh = MediaTime.milliseconds(1000)
    package static let shortestInterval = MediaTime.milliseconds(200)
    /// Changes of less than one part in this many wait for the refresh.
    private static let grain: Int64 = 32

    /// Bits per second, whatever anybody wants.
    package private(set) var allowed: ClosedRange<Int64>
    /// The streams it is about.
    package var ssrcs: [UInt32]
    private var wanted: Int64
    private var told: Int64?
    private var lastTold: Instant?

    /// Starts at the maximum: until somebody knows better, the sender's own estimate rules.
    package init(allowed: ClosedRange<Int64>, ssrcs: [UInt32] = []) {
        self.allowed = max(0, allowed.lowerBound)...max(0, allowed.upperBound)
        self.ssrcs = ssrcs
        wanted = self.allowed.upperBound
    }

    /// The limit that holds now, in bits per second.
    package var bitrate: Int64 { min(max(wanted, allowed.lowerBound), allowed.upperBound) }

    /// Says what can be used; the largest need of all who show this sender's picture.
    package mutating func want(_ bitrate: Int64) { wanted = bitrate }

    package mutating func allow(_ range: ClosedRange<Int64>) {
        allowed = max(0, range.lowerBound)...max(0, range.upperBound)
    }

    /// When there is something to tell; nil without streams.
    package var deadline: Instant? {
        guard !ssrcs.isEmpty else { return nil }
        guard let told, let lastTold else { return .distantPast }
        let step = told / RemoteBitrateLimit.grain
        if bitrate < told - step { return .distantPast }
        return lastTold + (bitrate > told + step ? RemoteBitrateLimit.shortestInterval : RemoteBitrateLimit.refresh)
    }

    /// The message to send now, if one is due.
    package mutating func poll(at now: Instant, senderSSRC: UInt32) -> ReceiverEstimatedMaximumBitrate? {
        guard let deadline, deadline <= now else { return nil }
        told = bitrate
        lastTold = now
        return ReceiverEstimatedMaximumBitrate(senderSSRC: senderSSRC, bitrate: UInt64(bitrate), ssrcs: ssrcs)
    }
}
