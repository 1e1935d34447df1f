package import Core

/// Bounds of a live document.
package struct LiveLimits: Sendable {
    /// Peers at one door: what one loop serves comfortably.
    package var sessionsPerDoor = 200
    package var sessions = 500
    /// A peer that was answered and has not connected by then is gone (browsers give up ICE after about half a minute).
    package var connectTimeout = MediaTime.seconds(30)
    /// How long an answer waits for candidates that only servers can tell; others come by themselves.
    package var gatheringWait = MediaTime.milliseconds(400)
    /// Candidates of a peer come in several requests; more are somebody's idea.
    package var changesPerSession = 1000

    package init() {}
}
