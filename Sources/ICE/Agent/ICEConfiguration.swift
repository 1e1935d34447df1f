package import Core

/// What an agent is told before it begins. A plain value; times are of the host's clock.
package struct ICEConfiguration: Sendable {
    /// RFC 8445, section 2.5: the agent answers checks and sends none.
    package var isLite = false
    /// Asked for our address as they see it, once per UDP host candidate of their family.
    package var stunServers: [SocketAddress] = []
    package var turnServers: [TURNServer] = []
    /// External address of each local one, as a 1:1 NAT gives them: written into host candidates.
    package var externalAddresses: [IPAddress: IPAddress] = [:]
    /// Whether host candidates with the internal address are told too where there is an external one.
    package var advertisesInternalAddresses = false
    /// Ta (RFC 8445, section 14.2): the span between two new transactions; at least 5 ms.
    package var pacing = MediaTime.milliseconds(20)
    /// RFC 8863: how long to wait for a pair that works before the session counts as failed; the lifetime of one STUN
    /// transaction with default timers.
    package var patience = MediaTime.milliseconds(39_500)
    /// Gathering is over after this span, whatever servers have not answered yet.
    package var gatheringTimeout = MediaTime.milliseconds(10_000)
    /// How long the controlling side waits, after the first pair that works, for one of higher priority.
    package var nominationDelay = MediaTime.milliseconds(250)
    /// The same when all pairs that work go through a relay.
    package var relayNominationDelay = MediaTime.milliseconds(1000)

    package init() {}
}

/// A TURN server with long-term credentials (RFC 8656, section 5).
package struct TURNServer: Hashable, Sendable {
    /// How its client talks to it; relayed traffic on its other side is always UDP.
    package enum Transport: Hashable, Sendable {
        case udp, tcp
        /// TLS over TCP; the certificate's name. The caller runs TLS and hands plain bytes to the agent.
        case tls(String)
    }
    package var address: SocketAddress
    package var transport: Transport
    package var username: String
    package var password: String

    package init(_ address: SocketAddress, _ transport: Transport = .udp, username: String, password: String) {
        self.address = address
        self.transport = transport
        self.username = username
        self.password = password
    }
}

/// Bounds of an agent, each with its reason.
package enum ICELimits {
    /// RFC 8445, section 6.1.2.5, proposes 100 pairs in all checklists.
    package static let pairs = 100
    /// A browser with many interfaces sends some twenty; more than this is somebody else's idea.
    package static let remoteCandidates = 64
    package static let localCandidates = 64
    /// mDNS names that wait for an answer.
    package static let names = 16
    /// TCP connections to the peer that are being made or in use.
    package static let connections = 16
    /// Events and messages that nobody fetched; the oldest goes.
    package static let queue = 256
    /// Checks without retransmission (consent, probes) whose answers are still welcome.
    package static let pings = 64
    /// A candidate line; browsers' are about 150 bytes long.
    package static let candidateBytes = 512
}
