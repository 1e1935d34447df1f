import Core
import Elements
import Media

/// Who is in the room: sessions by id, each with its endpoint and, at a hub, its port.
///
/// Made with the live document, then used on the pipeline's loop only.
final class LiveFloor: @unchecked Sendable {
    // Sendable: every property is touched only in `MediaPipeline.perform` and in callbacks of its context, which run on
    // the pipeline's loop.
    final class Session {
        let id: String
        /// Of its elements; ids stay secret, since whoever knows one may end the session.
        let name: String
        let door: PipelinePlan.Door
        let role: LiveRole
        let endpoint: WebRtcEndpoint
        let port: HubPort?
        let since: Instant
        var isConnected = false
        var changes = 0
        var waiter: CheckedContinuation<Void, Never>?
        var timers: [PipelineContext.Timer] = []

        init(
            id: String, name: String, door: PipelinePlan.Door, role: LiveRole, endpoint: WebRtcEndpoint,
            port: HubPort?, since: Instant
        ) {
            self.id = id
            self.name = name
            self.door = door
            self.role = role
            self.endpoint = endpoint
            self.port = port
            self.since = since
        }
    }

    let plan: PipelinePlan
    let limits: LiveLimits
    private let services: RealTimeServices
    private(set) var sessions: [String: Session] = [:]
    private var byName: [String: Session] = [:]
    private(set) var joined = 0
    private(set) var left = 0
    private(set) var refused = 0
    /// Why sessions ended, and how often.
    private(set) var endings: [String: Int] = [:]
    /// Sessions whose connection ended before their peer said good-bye over HTTP, the last ones.
    private var endedBefore: [String] = []
    private static let endedBeforeMax = 1000
    var isDraining = false

    init(plan: PipelinePlan, services: RealTimeServices, limits: LiveLimits) {
        self.plan = plan
        self.services = services
        self.limits = limits
    }

    // MARK: Joining

    func begin(
        _ name: String, _ role: LiveRole, _ offer: String, in context: PipelineContext
    ) throws(LiveError) -> Session {
        do throws(LiveError) { return try admit(name, role, offer, context) } catch {
            refused += 1
            throw error
        }
    }

    private func admit(
        _ name: String, _ role: LiveRole, _ offer: String, _ context: PipelineContext
    ) throws(LiveError) -> Session {
        guard let door = plan.doors.first(where: { $0.name == name }) else {
            let names = plan.doors.map(\.name)
            throw .notFound(
                "There is no door \(quoted(name))\(suggestion(for: name, among: names)); "
                    + "there \(names.count == 1 ? "is" : "are") \(listed(names, "and")).")
        }
        try check(door, role)
        guard let element = context.element(named: door.element) else {
            throw .failed("The element behind door '\(door.name)' is gone.")
        }
        let sessionName = "\(door.name).\(role.prefix)-\(joined + refused + 1)"
        var made: [Element] = []
        do {
            var options = WebRtcEndpoint.Options()
            options.sendOnly = role == .watch
            options.receiveOnly = role == .publish && door.gives.isEmpty
            options.usesDataChannels = true
            let endpoint = try WebRtcEndpoint(context, name: sessionName, services: services, options: options)
            made.append(endpoint)
            try negotiate(endpoint, role, offer)
            let port = (element as? Hub).map { HubPort(context, name: "\(sessionName).port", hub: $0) }
            if let port { made.append(port) }
            try link(endpoint, port ?? element, door)
            endpoint.gatherCandidates()
            let session = Session(
                id: makeID(context), name: sessionName, door: door, role: role, endpoint: endpoint, port: port,
                since: context.host.now())
            add(session, context)
            return session
        } catch {
            for element in made.reversed() { element.release() }
            throw error as? LiveError ?? .failed("\(error)")
        }
    }

    private func check(_ door: PipelinePlan.Door, _ role: LiveRole) throws(LiveError) {
        guard !isDraining else { throw .full("The server is about to end and takes nobody any more.") }
        guard sessions.count < limits.sessions else {
            throw .full("All \(limits.sessions) places are taken; try again later.")
        }
        let here = sessions.values.filter { $0.door.name == door.name }
        guard here.count < limits.sessionsPerDoor else {
            throw .full("All \(limits.sessionsPerDoor) places at door '\(door.name)' are taken; try again later.")
        }
        switch role {
        case .publish:
            guard !door.takes.isEmpty else {
                throw .notFound("Nobody can publish at door '\(door.name)': it only gives media. Watch it with WHEP.")
            }
            guard door.isHub || !here.contains(where: { $0.role == .publish }) else {
                throw .taken("Somebody publishes at door '\(door.name)' already, and it takes one at a time.")
            }
        case .watch:
            guard !door.gives.isEmpty else {
                throw .notFound("There is nothing to watch at door '\(door.name)': it only takes media.")
            }
        }
    }

    private func negotiate(_ endpoint: WebRtcEndpoint, _ role: LiveRole, _ offer: String) throws(LiveError) {
        do { _ = try endpoint.processOffer(offer) } catch {
            throw .malformed("The body is no SDP offer that can be read: \(error).")
        }
        let kinds = [MediaKind.audio, .video]
        let isUsable =
            role == .publish ? kinds.contains(where: endpoint.receives) : kinds.contains(where: endpoint.sends)
        guard !isUsable else { return }
        let why = endpoint.refusals.isEmpty ? "" : " (\(endpoint.refusals.joined(separator: "; ")))"
        throw .unusable(
            role == .publish
                ? "The offer sends neither audio nor video that could be used\(why)."
                : "The offer receives neither audio nor video that could be used\(why).")
    }

    private func link(_ endpoint: WebRtcEndpoint, _ element: Element, _ door: PipelinePlan.Door) throws {
        for kind in door.takes where endpoint.receives(kind) { try endpoint.connect(to: element, kind: kind) }
        for kind in door.gives where endpoint.sends(kind) { try element.connect(to: endpoint, kind: kind) }
        try linkMessages(endpoint, element)
    }

    /// Messages of data channels go the way of the media: only who publishes speaks, everybody listens.
    private func linkMessages(_ endpoint: WebRtcEndpoint, _ element: Element) throws {
        guard endpoint.agreedOnData else { return }
        // What a link of the document feeds stays with it.
        if !endpoint.options.sendOnly, let input = element.inputs[.data], input.upstream == nil {
            try endpoint.connect(to: element, kind: .data)
        }
        if element.outputs[.data] != nil { try element.connect(to: endpoint, kind: .data) }
    }

    /// 128 bits in hexadecimal.
    private func makeID(_ context: PipelineContext) -> String {
        // The count keeps ids apart on a simulated host, whose seeds are all the same.
        [UInt64(joined), UInt64(joined) + 1 << 32].map { number in
            let digits = String(context.host.seed() &+ number, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }

    private func add(_ session: Session, _ context: PipelineContext) {
        joined += 1
        sessions[session.id] = session
        byName[session.name] = session
        count(session.role, 1, context)
        session.timers.append(
            context.schedule(at: context.now + limits.connectTimeout) { [weak self, weak session] in
                guard let self, let session, !session.isConnected else { return }
                remove(session, "not connected in time", context)
            })
    }

    private func count(_ role: LiveRole, _ change: Double, _ context: PipelineContext) {
        context.metrics.gauge(
            "tessera_peers", help: "Peers at the doors of the document.", labels: [("role", role.rawValue)]
        ).add(change)
    }

    // MARK: Gathering

    /// Resumes the continuation when the session's candidates are there, or the wait is over.
    func awaitCandidates(
        _ session: Session, _ continuation: CheckedContinuation<Void, Never>, _ context: PipelineContext
    ) {
        guard sessions[session.id] != nil, !session.endpoint.isGatheringDone else { return continuation.resume() }
        session.waiter = continuation
        session.timers.append(
            context.schedule(at: context.now + limits.gatheringWait) { [weak self, weak session] in
                if let self, let session { resume(session) }
            })
    }

    private func resume(_ session: Session) {
        session.waiter?.resume()
        session.waiter = nil
    }

    // MARK: Events

    /// What happened to an element of the pipeline.
    func handle(_ event: PipelineEvent, _ context: PipelineContext) {
        guard let session = byName[event.element] else { return }
        switch event.detail {
        case .iceGatheringDone: resume(session)
        case .connectionStateChanged(_, let new):
            if new == .connected {
                session.isConnected = true
            } else {
                leaveSoon(session, "connection ended", context)
            }
        case .iceComponentStateChanged(.failed): leaveSoon(session, "connection lost", context)
        case .dtlsConnectionStateChange(.closed): leaveSoon(session, "closed by the peer", context)
        case .dtlsConnectionStateChange(.failed): leaveSoon(session, "DTLS failed", context)
        default: break
        }
    }

    /// Not at once: the endpoint is in the middle of telling us.
    private func leaveSoon(_ session: Session, _ reason: String, _ context: PipelineContext) {
        session.timers.append(
            context.schedule(at: context.now) { [weak self, weak session] in
                if let self, let session { remove(session, reason, context) }
            })
    }

    /// Ends a session at its peer's wish; false where there is none of that name. A peer that closes its connection
    /// first, as browsers do, may find the session gone: its good-bye is right all the same, once.
    func leave(_ id: String, _ context: PipelineContext) -> Bool {
        if let session = sessions[id] {
            remove(session, LiveFloor.leftByWish, context)
            return true
        }
        guard let place = endedBefore.firstIndex(of: id) else { return false }
        endedBefore.remove(at: place)
        return true
    }

    private static let leftByWish = "left"

    func remove(_ session: Session, _ reason: String, _ context: PipelineContext) {
        guard sessions.removeValue(forKey: session.id) != nil else { return }
        if reason != LiveFloor.leftByWish {
            if endedBefore.count == LiveFloor.endedBeforeMax { endedBefore.removeFirst() }
            endedBefore.append(session.id)
        }
        byName[session.name] = nil
        count(session.role, -1, context)
        left += 1
        endings[reason, default: 0] += 1
        for timer in session.timers { context.cancel(timer) }
        resume(session)
        session.endpoint.release()
        session.port?.release()
        context.log.info("a peer has left", [("session", session.name), ("reason", reason)])
    }
}
