package import Core
import ICE
import SDP
import WebRTC

// What signalling beside offers and answers needs: fragments of descriptions (RFC 8840), and what was agreed on.
extension WebRtcEndpoint {
    /// Whether the peer may send media of that kind.
    package func receives(_ kind: MediaKind) -> Bool { isAgreed(kind) { $0.receives } }
    /// Whether the peer takes media of that kind.
    package func sends(_ kind: MediaKind) -> Bool { isAgreed(kind) { $0.sends } }

    private func isAgreed(_ kind: MediaKind, _ direction: (SDP.MediaDirection) -> Bool) -> Bool {
        agreement?.session.media.contains { $0.kind == kind && $0.isActive && direction($0.direction) } ?? false
    }

    /// Whether data channels may be opened.
    package var agreedOnData: Bool {
        agreement?.session.media.contains { $0.isActive && $0.data != nil } ?? false
    }

    /// Why lines of the peer's offer are not in use, one sentence each.
    package var refusals: [String] {
        agreement?.session.media.compactMap { media in
            media.rejection.map { "m-line \(media.index + 1): \($0)" }
        } ?? []
    }

    /// Codecs of that kind by name, the one in use first.
    package func codecs(_ kind: MediaKind) -> [String] {
        agreement?.session.media.first { $0.kind == kind && $0.isActive }?.codecs.map(\.name) ?? []
    }

    /// What names the present ICE session on our side.
    package var localUfrag: String? { agreement == nil ? nil : peer.ice.local.ufrag }
    package var remoteUfrag: String? { agreement == nil ? nil : peer.ice.remote?.ufrag }
    package var localPassword: String? { agreement == nil ? nil : peer.ice.local.password }
    package var isGatheringDone: Bool { localSessionDescriptor?.contains("a=end-of-candidates") ?? false }

    /// Our candidates, each beginning with `candidate:`.
    package var localCandidates: [String] { agreement == nil ? [] : peer.ice.localCandidates.map(\.description) }

    /// The first line in use: where fragments place candidates.
    package var firstLine: (mid: String, media: String)? {
        guard let local = agreement?.local, let line = local.media.first(where: { $0.port != 0 }) else { return nil }
        return (line.mid ?? "0", line.media)
    }

    /// The pair in use, as `udp 192.0.2.1:5000 → 192.0.2.2:6000`.
    package var selectedPath: String? {
        guard let pair = selectedPair else { return nil }
        let address = { (candidate: ICECandidate) in "\(candidate.host):\(candidate.port)" }
        return "\(pair.local.transport.rawValue) \(address(pair.local)) → \(address(pair.remote))"
    }

    /// The peer restarts ICE with these credentials; ours are new afterwards. As if it had sent its last offer again
    /// with nothing else changed.
    package func restartICE(ufrag: String, password: String) throws {
        guard var remote = agreement?.remote else { return }
        func renewed(_ attributes: [Attribute]) -> [Attribute] {
            attributes.compactMap { attribute in
                switch attribute {
                case .iceUfrag: .iceUfrag(ufrag)
                case .icePassword: .icePassword(password)
                case .candidate, .endOfCandidates: nil
                default: attribute
                }
            }
        }
        remote.attributes = renewed(remote.attributes)
        for index in remote.media.indices { remote.media[index].attributes = renewed(remote.media[index].attributes) }
        _ = try processOffer(remote.description)
    }
}

extension RealTimeServices {
    /// Opens the port on that loop now, not with the first endpoint. To be called on the loop.
    package func open(on loop: any Loop) throws(NetworkError) { _ = try mux(on: loop) }
}
