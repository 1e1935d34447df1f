package import Core

/// What was sent of one stream, in the terms of the W3C's `outbound-rtp` statistics. Counts from the stream's begin.
package struct OutboundRTPStatistics: Hashable, Sendable {
    package var packetsSent = 0
    /// Payload bytes; headers and padding apart.
    package var bytesSent = 0
    package var headerBytesSent = 0
    package var retransmittedPacketsSent = 0
    package var retransmittedBytesSent = 0
    package var framesSent = 0
    package var keyFramesSent = 0
    /// NACK messages, and the packets they named.
    package var nackCount = 0
    package var nackedPackets = 0
    package var pliCount = 0
    package var firCount = 0
    /// Time that packets spent waiting for the pacer, summed up.
    package var totalPacketSendDelay = MediaTime.zero

    // What the W3C does not count.
    package var paddingPacketsSent = 0
    package var paddingBytesSent = 0
    /// Dropped because the pacer's queue was full, or because a key frame had to come first.
    package var framesDropped = 0
    /// Asked for again, but forgotten already, or sent again a moment ago.
    package var nacksTooOld = 0
    package var nacksTooSoon = 0
    /// Asked for again while too many waited.
    package var nacksOverflowed = 0

    package init() {}
}

/// What the receiver reports of one stream, in the terms of the W3C's `remote-inbound-rtp` statistics.
package struct RemoteInboundRTPStatistics: Hashable, Sendable {
    package var packetsReceived = 0
    /// Negative where duplicates outweigh.
    package var packetsLost = 0
    package var jitter = MediaTime.zero
    /// 0–1, since the report before.
    package var fractionLost = 0.0
    /// From LSR and DLSR; nil before the first.
    package var roundTripTime: MediaTime?
    package var totalRoundTripTime = MediaTime.zero
    package var roundTripTimeMeasurements = 0
    package var reports = 0

    package init() {}
}
