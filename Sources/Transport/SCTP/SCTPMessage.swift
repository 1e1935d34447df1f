/// One user message on a stream of an association (RFC 9260), with what RFC 3758 and RFC 7496 say of its delivery.
package struct SCTPMessage: Hashable, Sendable {
    /// How long the sender tries.
    package enum Reliability: Hashable, Sendable {
        case reliable
        /// Sent again at most so often (RFC 7496, section 4.1).
        case maxRetransmits(UInt16)
        /// Given up after so many milliseconds (RFC 7496, section 3).
        case maxLifetime(milliseconds: UInt16)
    }
    package var stream: UInt16
    /// Payload protocol identifier.
    package var ppid: UInt32
    package var isOrdered: Bool
    package var reliability: Reliability
    /// At least one byte: SCTP has no empty messages.
    package var bytes: [UInt8]

    package init(
        stream: UInt16, ppid: UInt32, isOrdered: Bool = true, reliability: Reliability = .reliable, bytes: [UInt8]
    ) {
        self.stream = stream
        self.ppid = ppid
        self.isOrdered = isOrdered
        self.reliability = reliability
        self.bytes = bytes
    }
}
