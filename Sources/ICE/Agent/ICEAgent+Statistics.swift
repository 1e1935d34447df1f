package import Core

/// What is known of the way between two candidates, for statistics.
package struct ICEPairStatus: Sendable {
    /// In the words of the W3C's `RTCStatsIceCandidatePairState`.
    package enum State: String, Hashable, Sendable {
        case frozen, waiting, failed, succeeded
        case inProgress = "in-progress"
    }
    /// The same for as long as the pair lives.
    package var id: Int
    package var local: ICECandidate
    package var remote: ICECandidate
    package var state: State
    package var isNominated: Bool
    package var isSelected: Bool
    package var roundTrip: MediaTime?
}

extension ICEAgent {
    /// All pairs there are now.
    package var pairStatuses: [ICEPairStatus] {
        pairs.map { pair in
            let state: ICEPairStatus.State =
                switch pair.state {
                case .frozen: .frozen
                case .waiting: .waiting
                case .inProgress: .inProgress
                case .succeeded: .succeeded
                case .failed: .failed
                }
            return ICEPairStatus(
                id: pair.id, local: pair.local.candidate, remote: pair.remote, state: state,
                isNominated: pair.nomination > 0, isSelected: pair.id == selectedID, roundTrip: pair.roundTrip)
        }
    }

    /// Every candidate of ours, peer-reflexive ones included.
    package var allLocalCandidates: [ICECandidate] { locals.map(\.candidate) }
    package var allRemoteCandidates: [ICECandidate] { remotes }
}
