package import Media

/// What a peer comes for.
package enum LiveRole: String, Hashable, Sendable {
    /// Sends, and may receive over the same connection (WHIP, RFC 9725).
    case publish
    /// Only receives (WHEP, draft-ietf-wish-whep).
    case watch

    /// `whip` or `whep`, as paths begin.
    package var prefix: String { self == .publish ? "whip" : "whep" }
}

/// What came of an offer.
package struct LiveAnswer: Hashable, Sendable {
    /// Names the session for whoever may change or end it; cannot be guessed.
    package var id: String
    package var sdp: String
    /// The ICE session; another one after a restart.
    package var tag: String

    package init(id: String, sdp: String, tag: String) {
        self.id = id
        self.sdp = sdp
        self.tag = tag
    }
}

/// Which ICE session a change is meant for.
package enum LiveMatch: Hashable, Sendable {
    /// Whichever it is: the way to restart ICE.
    case any
    case tags([String])
}

/// What came of a change.
package enum LiveChange: Hashable, Sendable {
    case added
    /// ICE was restarted; our part as a fragment of SDP.
    case restarted(fragment: String, tag: String)
}

/// Why a request was refused. The text says what is wrong, and what is allowed.
package enum LiveError: Error, Hashable, Sendable {
    /// There is no such door or session, or it does not take this.
    case notFound(String)
    /// No description at all.
    case malformed(String)
    /// A description that we cannot work with.
    case unusable(String)
    /// Somebody is there already.
    case taken(String)
    case conflict(String)
    /// The change is meant for an ICE session that is over.
    case stale(String)
    /// A limit is reached, or the server is about to end.
    case full(String)
    case failed(String)

    package var text: String {
        switch self {
        case .notFound(let text), .malformed(let text), .unusable(let text), .taken(let text), .conflict(let text),
            .stale(let text), .full(let text), .failed(let text):
            text
        }
    }
}

/// Where peers join and leave, seen from the HTTP handlers. Callable from anywhere.
package protocol LiveRoom: Sendable {
    var doors: [PipelinePlan.Door] { get }
    /// Takes an offer in. Returns when the answer has its candidates.
    func join(_ door: String, as role: LiveRole, offer: String) async throws(LiveError) -> LiveAnswer
    /// Adds candidates, or restarts ICE where the fragment has new credentials.
    func change(_ id: String, _ match: LiveMatch, _ fragment: SDPFragment) async throws(LiveError) -> LiveChange
    /// Ends a session; false where there is none of that name.
    func leave(_ id: String) async -> Bool
    func statistics() async -> JSON
    /// The pipeline that peers join; nil where there is none.
    func snapshot() async -> PipelineSnapshot?
    /// What an element of it shows, as JPEG; nil where there is no such element.
    func thumbnail(of element: String) async -> Result<[UInt8], GraphError>?
}

extension LiveRoom {
    package func snapshot() async -> PipelineSnapshot? { nil }
    package func thumbnail(of element: String) async -> Result<[UInt8], GraphError>? { nil }
}
