import Core
import ICE

/// What a mux knows of one client. Owned by the mux, on its loop.
final class MuxEntry {
    let number: Int
    weak var client: (any MuxClient)?
    var paths: Set<NetworkPath> = []
    /// Addresses the other side told of, by which it will come to our shared ports.
    var claims: Set<SocketAddress> = []
    var sockets: Set<NetworkPath> = []
    var ownSockets: [SocketAddress] = []
    /// The path that is in use.
    var used: NetworkPath?
    /// The same, if its datagrams are kept apart from strangers'.
    var reserved: NetworkPath?
    /// Its names in `byUfrag`: the present one, and that of before a restart while it is valid.
    var ufrag: String
    var previousUfrag: String?
    /// SSRCs that it sends by, as of this revision of its peer's.
    var sources: Set<UInt32> = []
    var sourcesRevision = 0
    var timer: (id: TimerID, at: Instant)?
    var isChanged = false
    /// Made once: timers are set all the time.
    var onTimer: @Sendable () -> Void = {}
    init(number: Int, client: any MuxClient) {
        self.number = number
        self.client = client
        ufrag = client.peer.ice.local.ufrag
    }
}

/// What came to the port and belonged to nobody, by reason.
package struct UDPMuxCounters: Hashable, Sendable {
    package var unknownPeer = 0
    /// Asked for one peer over the path of another.
    package var takenPath = 0
    package var brokenStreams = 0
    /// Media of a known peer from an address that it has not proved to be its own: taken in.
    package var strays = 0
    package init() {}
}
