package import Core

/// One whole coded picture as it came over the network, in decoding order.
package struct ReceivedFrame: Sendable {
    package var payload: Payload
    package var codec: VideoCodec
    package var payloadType: UInt8
    /// Unwrapped RTP timestamp, 90 kHz. Goes on over the wrap; jumps where the sender restarts.
    package var timestamp: Int64
    /// Decoding may start here.
    package var isKey: Bool
    /// Coded size in pixels, where the payload tells; else nil.
    package var width: Int?
    package var height: Int?
    /// The decoder configuration (avcC, hvcC) when it has become another one; nil: as before.
    package var configuration: [UInt8]?
    /// Degrees clockwise by which the picture is turned for display: 0, 90, 180 or 270.
    package var rotation: Int
    /// What the sender said about its colours, if it did.
    package var colour: VideoColour?
    /// When the first and the last of its packets arrived, repairs included.
    package var firstArrival: Instant
    package var lastArrival: Instant
    /// A packet of it came by retransmission.
    package var wasRepaired: Bool
}

/// RTCP that a receiver of video wants sent, without the SSRCs of the two ends.
package enum VideoFeedback: Hashable, Sendable {
    /// Generic NACK for these sequence numbers, rising (RFC 4585, section 6.2.1).
    case nack([UInt16])
    /// Picture loss indication (RFC 4585, section 6.3.1).
    case pictureLoss
    /// Full intra request with its command number (RFC 5104, section 4.3.1).
    case fullIntra(UInt8)
}
