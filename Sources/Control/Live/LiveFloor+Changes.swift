import Core
import Elements
import Media

// What becomes of a session after its answer, and what is told about it.
extension LiveFloor {
    func change(_ id: String, _ match: LiveMatch, _ fragment: SDPFragment) throws(LiveError) -> LiveChange {
        guard let session = sessions[id] else { throw .notFound("There is no such session; it may have ended.") }
        let endpoint = session.endpoint
        if case .tags(let tags) = match, let tag = endpoint.localUfrag, !tags.contains(tag) {
            throw .stale("The ICE session has changed since; its tag is \"\(tag)\" now.")
        }
        session.changes += 1
        guard session.changes <= limits.changesPerSession else {
            throw .full("The session was changed \(limits.changesPerSession) times, the most that is allowed.")
        }
        if let ufrag = fragment.ufrag, ufrag != endpoint.remoteUfrag {
            guard match == .any else {
                throw .conflict(
                    "The fragment has another ice-ufrag than the session; to restart ICE, send If-Match: *.")
            }
            guard let password = fragment.password else {
                throw .malformed("To restart ICE the fragment needs ice-pwd beside ice-ufrag.")
            }
            do { try endpoint.restartICE(ufrag: ufrag, password: password) } catch { throw .unusable("\(error)") }
            add(fragment, to: endpoint)
            return restarted(endpoint)
        }
        add(fragment, to: endpoint)
        return .added
    }

    private func add(_ fragment: SDPFragment, to endpoint: WebRtcEndpoint) {
        for candidate in fragment.candidates { endpoint.addIceCandidate(candidate) }
        if fragment.isComplete { endpoint.addIceCandidate("") }
    }

    private func restarted(_ endpoint: WebRtcEndpoint) -> LiveChange {
        let ours = SDPFragment(
            ufrag: endpoint.localUfrag, password: endpoint.localPassword, candidates: endpoint.localCandidates,
            isComplete: endpoint.isGatheringDone)
        let line = endpoint.firstLine ?? ("0", "audio")
        return .restarted(fragment: ours.text(mid: line.mid, media: line.media), tag: endpoint.localUfrag ?? "")
    }

    // MARK: Statistics

    func statistics(_ elapsed: MediaTime, _ context: PipelineContext) -> JSON {
        let now = context.host.now()
        let open = sessions.values.sorted { ($0.since, $0.name) < ($1.since, $1.name) }
        return [
            "uptime": .double(elapsed.seconds),
            "draining": .bool(isDraining),
            "doors": .object(
                plan.doors.map { door in
                    let here = open.filter { $0.door.name == door.name }
                    return JSON.Member(
                        door.name,
                        [
                            "at": .string(door.element),
                            "publishing": .int(here.filter { $0.role == .publish }.count),
                            "watching": .int(here.filter { $0.role == .watch }.count),
                        ])
                }),
            "joined": .int(joined), "left": .int(left), "refused": .int(refused),
            "endings": .object(endings.sorted { $0.key < $1.key }.map { JSON.Member($0.key, .int($0.value)) }),
            "elements": .int(context.elements.count),
            "sessions": .array(open.map { describe($0, now) }),
        ]
    }

    private func describe(_ session: Session, _ now: Instant) -> JSON {
        let endpoint = session.endpoint
        func media(_ kind: MediaKind) -> JSON {
            [
                "receives": .bool(endpoint.receives(kind)), "sends": .bool(endpoint.sends(kind)),
                "codecs": .array(endpoint.codecs(kind).map { .string($0) }),
            ]
        }
        return [
            "name": .string(session.name), "door": .string(session.door.name), "role": .string(session.role.rawValue),
            "seconds": .double((now - session.since).seconds),
            "connection": .string(endpoint.connectionState.rawValue), "ice": .string(endpoint.iceState.rawValue),
            "dtls": .string(endpoint.dtlsState.rawValue), "media": .string(endpoint.mediaState.rawValue),
            "path": endpoint.selectedPath.map { .string($0) } ?? .null,
            "audio": media(.audio), "video": media(.video),
            "framesIn": .int(endpoint.framesIn), "framesOut": .int(endpoint.framesOut),
        ]
    }
}
