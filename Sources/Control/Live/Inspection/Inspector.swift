import Core
import Media

/// What the page at `/inspect` shows: the document's pipeline and those of clients, sessions, the machine. Callable from
/// anywhere; each pipeline is asked on its own loop.
package final class Inspector: Sendable {
    /// Pipelines whose graph is told; more are only counted. A page with more helps nobody, and each costs its loop
    /// some microseconds per element.
    private static let pipelinesMax = 32
    private static let sessionsMax = 200
    /// However many people look, a picture is made once in this time.
    private static let pictureAge = MediaTime.milliseconds(900)
    private static let picturesKeptMax = 256
    private static let picturesInWorkMax = 16

    private struct Pictures {
        var made: [String: (at: Instant, bytes: [UInt8])] = [:]
        var inWork: Set<String> = []
    }
    private let room: any LiveRoom
    private let server: RPCServer
    private let host: any Host
    private let startedAt: Instant
    private let version: String
    private let pictures = Lock(Pictures())

    package init(_ room: any LiveRoom, _ server: RPCServer, version: String) {
        self.room = room
        self.server = server
        self.version = version
        host = server.services.host
        startedAt = host.now()
    }

    /// Everything at this moment.
    package func report() async -> JSON {
        var pipelines: [PipelineSnapshot] = []
        if let snapshot = await room.snapshot() { pipelines.append(snapshot) }
        let (known, count, sessions, sessionCount) = await server.inspected(
            pipelines: Inspector.pipelinesMax, sessions: Inspector.sessionsMax)
        for one in known {
            pipelines.append(
                await one.pipeline.perform { PipelineSnapshot($0, id: one.id, name: one.name, names: one.names) })
        }
        let machine = server.services.machine
        return [
            "time": .double(Double((host.now() - startedAt).nanoseconds) / 1e9), "version": .string(version),
            "cores": .int(machine.coreCount), "cpuSeconds": .double(Double(machine.cpuNanoseconds()) / 1e9),
            "memoryBytes": .int(machine.memoryKiB() * 1024),
            "pipelineCount": .int(count + pipelines.count - known.count),
            "pipelines": .array(pipelines.map(\.json)), "sessionCount": .int(sessionCount),
            "sessions": .array(sessions), "room": await room.statistics(),
        ]
    }

    /// Why there is no picture.
    package enum PictureFailure: Error {
        case unknown
        case busy
        case none(String)
    }

    /// What an element of any pipeline shows, as JPEG.
    package func thumbnail(of id: String) async throws(PictureFailure) -> [UInt8] {
        let now = host.now()
        let (known, isBusy) = pictures.withLock { pictures -> ([UInt8]?, Bool) in
            if let kept = pictures.made[id], now - kept.at < Inspector.pictureAge { return (kept.bytes, false) }
            // Somebody is waiting for it already: the last one is as good.
            if pictures.inWork.contains(id) { return (pictures.made[id]?.bytes, pictures.made[id] == nil) }
            if pictures.inWork.count >= Inspector.picturesInWorkMax { return (nil, true) }
            pictures.inWork.insert(id)
            return (nil, false)
        }
        if let known { return known }
        if isBusy { throw .busy }
        let result = await make(id)
        let at = host.now()
        pictures.withLock { pictures in
            pictures.inWork.remove(id)
            guard case .success(let bytes) = result else { return }
            if pictures.made.count >= Inspector.picturesKeptMax { pictures.made = [:] }
            pictures.made[id] = (at, bytes)
        }
        switch result {
        case .success(let bytes): return bytes
        case .failure(let error): throw .none("\(error)")
        case nil: throw .unknown
        }
    }

    private func make(_ id: String) async -> Result<[UInt8], GraphError>? {
        if let pipeline = await server.pipeline(of: id) { return await pipeline.glance(at: id) }
        return await room.thumbnail(of: id)
    }
}

extension RPCObject {
    /// What clients call it and what is in it, by id; only where they gave a name.
    fileprivate var namesGiven: [String: String] {
        var names: [String: String] = [:]
        for one in subtree where one.name != one.id { names[one.id] = one.name }
        return names
    }
}

extension RPCServer {
    /// What clients call the elements of an object's pipeline, by id.
    func namesGiven(inPipelineOf id: String) -> [String: String] { table[id]?.root?.namesGiven ?? [:] }

    func pipeline(of id: String) -> MediaPipeline? { table[id]?.pipeline }

    /// A client's pipeline as the inspector asks for it.
    struct InspectedPipeline: Sendable {
        let id: String
        let name: String
        let pipeline: MediaPipeline
        /// What clients call its elements.
        let names: [String: String]
    }

    /// The newest pipelines, and sessions; with how many of each there are. Ids of sessions are cut: whoever knows one
    /// may use it.
    func inspected(
        pipelines pipelinesMax: Int, sessions sessionsMax: Int
    ) -> (pipelines: [InspectedPipeline], count: Int, sessions: [JSON], sessionCount: Int) {
        let all = table.pipelines
        let shown = all.suffix(pipelinesMax).compactMap { object -> InspectedPipeline? in
            guard let pipeline = object.pipeline else { return nil }
            let names = object.namesGiven
            let name = object.name == object.id ? String(object.id.prefix(8)) : object.name
            return InspectedPipeline(id: object.id, name: name, pipeline: pipeline, names: names)
        }
        let listed = sessions.values.sorted { $0.id < $1.id }.prefix(sessionsMax).map { session -> JSON in
            [
                "id": .string(String(session.id.prefix(8))), "connected": .bool(ties[session.id] != nil),
                "objects": .int(session.objects.count), "subscriptions": .int(session.subscriptions.count),
            ]
        }
        return (shown, all.count, listed, sessions.count)
    }
}
