package import Core
import Media

// Who owns what, and for how long.
extension RPCServer {
    // MARK: Ties

    /// The session's events go to that connection from now on, and its requests without a session are this one's.
    func tie(_ session: String, to connection: ConnectionState) {
        guard connection.session != session || ties[session] != connection.number else { return }
        if let old = ties[session], old != connection.number { connections[old]?.session = nil }
        if let old = connection.session, ties[old] == connection.number { ties[old] = nil }
        connection.session = session
        ties[session] = connection.number
    }

    // MARK: Owners

    /// A session may begin to exist.
    func checkSession(_ session: String) throws(RPCError) {
        guard sessions[session] == nil else { return }
        if isDraining { throw .notEnoughResources("The server is about to end and takes nobody any more") }
        guard sessions.count < options.sessionsMax else {
            throw .notEnoughResources("The server has \(options.sessionsMax) sessions, the most that are allowed")
        }
    }

    /// The session uses an object: it owns it and all its ancestors. A session that was not known begins here.
    func own(_ object: RPCObject, _ session: String) throws(RPCError) {
        try checkSession(session)
        let held = sessions[session] ?? Session(id: session)
        sessions[session] = held
        held.isUsed = true
        var next: RPCObject? = object
        while let current = next {
            addOwner(session, current)
            next = current.parent
        }
    }

    func addOwner(_ session: String, _ object: RPCObject) {
        guard object.pipeline != nil, let held = sessions[session] else { return }
        if object.owners.insert(session).inserted { held.objects.insert(object.id) }
    }

    /// The session lets go of an object and of what is in it; what nobody owns then goes.
    func disown(_ object: RPCObject, _ session: String) -> MediaRelease? {
        let all = object.subtree
        for one in all where one.owners.remove(session) != nil { sessions[session]?.objects.remove(one.id) }
        guard all.contains(where: { $0.owners.isEmpty && $0.pipeline != nil }) else { return nil }
        var release: MediaRelease?
        for one in all where one.owners.isEmpty && table[one.id] === one {
            guard let more = destroy(one) else { continue }
            release = release?.joined(with: more) ?? more
        }
        return release
    }

    /// Takes an object and what is in it away from everybody; what has to happen on media's side is left to do.
    func destroy(_ object: RPCObject) -> MediaRelease? {
        guard let pipeline = object.pipeline else { return nil }
        let gone = table.remove(object)
        for one in gone {
            for owner in one.owners { sessions[owner]?.objects.remove(one.id) }
            for (session, subscriptions) in one.subscribers.values.joined() {
                for subscription in subscriptions { sessions[session]?.subscriptions[subscription] = nil }
            }
        }
        for one in gone { announce("ObjectDestroyed", [Argument("objectId", .string(one.id))]) }
        return MediaRelease(pipeline: pipeline, ids: gone.map(\.id), isWhole: object.parent == nil)
    }

    /// Forgets a session; what only it owns goes, with `releasing` everything it owns.
    func end(_ id: String, releasing: Bool = false) -> [MediaRelease] {
        guard let session = sessions.removeValue(forKey: id) else { return [] }
        for (subscription, what) in session.subscriptions {
            table[what.object]?.subscribers[what.event]?[id]?.remove(subscription)
            table[what.object]?.subscribers[what.event]?[id] = nil
        }
        let owned = session.objects.compactMap { table[$0] }
        for object in owned { object.owners.remove(id) }
        // The topmost first: what is in them goes with them.
        return owned.sorted { $0.number < $1.number }.compactMap { object in
            guard table[object.id] === object, releasing || object.owners.isEmpty else { return nil }
            return destroy(object)
        }
    }

    // MARK: The collector

    func scheduleCollector() {
        collector = executor.schedule(at: now + options.collectorPeriod) { [weak self] in
            self?.assumeIsolated { $0.collect() }
        }
    }

    private func collect() {
        for (id, session) in sessions {
            if session.isUsed || ties[id] != nil {
                session.isUsed = false
                continue
            }
            log.info("a session has ended: nobody used it", [("session", id)])
            let releases = end(id)
            if releases.isEmpty { continue }
            Task(executorPreference: executor) { for release in releases { await release.run() } }
        }
        forgetOldAnswers()
        scheduleCollector()
    }

    // MARK: The end

    /// Makes no sessions and objects any more, and closes the recordings; returns when they are closed, or after
    /// `patience`, then with false. Clients go on being answered.
    package func drain(patience: MediaTime = .seconds(10)) async -> Bool {
        isDraining = true
        let pipelines = table.objects.values.filter { $0.parent == nil }.compactMap(\.pipeline)
        let deadline = now + patience
        for pipeline in pipelines { await pipeline.perform { Bindings.stopAll($0) } }
        while true {
            var isClosed = true
            for pipeline in pipelines where !(await pipeline.perform({ Bindings.haveStopped($0) })) { isClosed = false }
            if isClosed || now >= deadline { return isClosed }
            await pause(.milliseconds(20))
        }
    }

    /// Releases everything.
    package func end() async {
        isDraining = true
        if let collector { executor.cancel(collector) }
        collector = nil
        let pipelines = table.objects.values.filter { $0.parent == nil && $0.pipeline != nil }
        for release in pipelines.compactMap({ destroy($0) }) { await release.run() }
        sessions = [:]
    }
}

/// What is left to do on media's side for objects that clients no longer have.
struct MediaRelease: Sendable {
    let pipeline: MediaPipeline
    /// Each before what it is in.
    var ids: [String]
    /// The pipeline itself goes.
    let isWhole: Bool

    func joined(with other: MediaRelease) -> MediaRelease {
        other.isWhole
            ? other : MediaRelease(pipeline: pipeline, ids: ids + other.ids, isWhole: isWhole)
    }

    func run() async {
        if isWhole { return await pipeline.release() }
        await pipeline.perform { context in
            for id in ids { context.element(named: id)?.release() }
        }
    }
}
