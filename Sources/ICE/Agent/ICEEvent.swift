package import Core

/// Which side decides about the pair that is used (RFC 8445, section 6.1.1): the offerer is controlling, unless its
/// peer alone is a full agent.
package enum ICERole: Hashable, Sendable { case controlling, controlled }

/// An agent's state, in the order in which they come. Neither `ready` nor `failed` is an end: a later check may change it.
package enum ICEState: String, Hashable, Sendable {
    case new, gathering
    /// Candidates of the peer are known.
    case connecting
    /// A pair works and carries data.
    case connected
    /// A nominated pair is selected and nothing better is being tried.
    case ready
    /// No answer on the selected pair for some seconds; data is still sent until consent ends (RFC 7675).
    case disconnected
    /// No pair works, or consent ended: nothing is sent.
    case failed
}

/// What an agent wants its owner to know or do. Drained with `pollEvent` after every call.
package enum ICEEvent: Hashable, Sendable {
    /// A local candidate for the peer.
    case candidate(ICECandidate)
    /// The last local candidate of this generation was found.
    case gatheringDone
    case state(ICEState)
    /// Data now goes over this pair; `ICEAgent.selectedRoute` has changed.
    case selectedPair(local: ICECandidate, remote: ICECandidate)
    /// Answer with `resolved`; no answer is fine.
    case resolve(String)
    /// Answer with `connected` or `connectionFailed`.
    case open(ICEConnection)
    /// A socket opened for this agent is no longer needed.
    case close(NetworkPath)
    /// A server refused, or did something else that its operator should hear of.
    case warning(String)
}

/// A socket that an agent asks for.
package struct ICEConnection: Hashable, Sendable {
    package let id: Int
    /// UDP: a socket of its own, because a TURN server keeps one allocation per pair of addresses.
    package let transport: NetworkPath.Transport
    /// The local address to use; nil: any of the remote one's family.
    package let local: IPAddress?
    package let remote: SocketAddress
    /// The name in the certificate if TLS is to be spoken; the agent sees plain bytes.
    package let tlsName: String?
    /// How messages are cut from the stream (`StreamFramer`); nil for UDP.
    package let framing: StreamFramer.Framing?
}

/// A message to be sent: a datagram, or a whole message for a stream (framed by the owner with `StreamFramer`).
package struct ICETransmit: Hashable, Sendable {
    package var bytes: [UInt8]
    package var path: NetworkPath
    package init(bytes: [UInt8], path: NetworkPath) {
        self.bytes = bytes
        self.path = path
    }
}

/// What became of bytes handed to `ICEAgent.receive`.
package enum ICEDisposition: Hashable, Sendable {
    /// ICE's or TURN's own.
    case consumed
    /// The same, and the sender proved that it knows this session's password: whatever comes over this path belongs to
    /// this agent.
    case authenticated
    /// DTLS, SRTP or whatever the peer sends: this part of the bytes.
    case application(Range<Int>)
    /// Not for us; counted by reason.
    case dropped
}

/// Why bytes were dropped.
package enum ICEDrop: Int, CaseIterable, Hashable, Sendable {
    case malformed, wrongUser, wrongIntegrity, unknownTransaction, unknownPath, tooMany
    /// An answer came over another path than the question went.
    case asymmetric
}

/// Over which way application data goes to the peer. A value to keep until `ICEEvent.selectedPair`: the cheapest way to
/// send is to write `headerCount` bytes with `writeHeader`, then the data, then `trailerCount` zero bytes.
package struct ICERoute: Hashable, Sendable {
    package enum Relay: Hashable, Sendable {
        case none
        /// ChannelData (RFC 8656, section 12.4): four bytes in front.
        case channel(UInt16)
        /// Until the channel is bound: a Send indication to the peer.
        case indication(peer: SocketAddress)
    }
    package let path: NetworkPath
    package let relay: Relay

    package init(path: NetworkPath, relay: Relay = .none) {
        self.path = path
        self.relay = relay
    }
}
