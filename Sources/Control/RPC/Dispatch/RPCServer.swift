package import Core
import Media

/// The control API: JSON-RPC 2.0 in the words of the Kurento Protocol. Text in, text out; carriers bring connections.
///
/// Lives on the control thread, so what needs no media (`ping`, tags, subscriptions) is answered without a hop. What
/// needs media awaits the pipeline's loop: requests of one connection are handled one after another and answered in
/// order, those of others go on meanwhile.
package actor RPCServer {
    package nonisolated let executor: any Loop & TaskExecutor
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    package nonisolated let services: RPCServices
    package nonisolated let options: RPCOptions
    package nonisolated let model: ObjectModel
    nonisolated let bindings: BindingTable
    nonisolated let encoder: WireEncoder

    /// The id of the one object that is always there.
    package static let managerID = "manager_ServerManager"

    private(set) lazy var serverID = makeUUID()
    var connections: [Int: ConnectionState] = [:]
    private var lastConnection = 0
    var sessions: [String: Session] = [:]
    /// Session → the connection that gets its events.
    var ties: [String: Int] = [:]
    var table = ObjectTable()
    private var cache = RequestCache()
    /// Requests that are being handled, and the connections on which they came again meanwhile.
    private var running: [String: [Int]] = [:]
    private var lastRandom: UInt64 = 0
    var isDraining = false
    var collector: TimerID?
    let metrics: RPCMetrics

    /// - Parameter executor: the control thread; the server's own work and its timers run there.
    package init(
        on executor: any Loop & TaskExecutor, services: RPCServices, options: RPCOptions = RPCOptions(),
        model: ObjectModel = .tessera, bindings: [ClassBinding] = Bindings.all
    ) {
        self.executor = executor
        self.services = services
        self.options = options
        self.model = model
        self.bindings = BindingTable(model, bindings)
        encoder = WireEncoder(model)
        metrics = RPCMetrics(services.configuration.metrics)
        table.insert(
            RPCObject(
                id: RPCServer.managerID, className: "ServerManager", parent: nil, pipeline: nil,
                arguments: Arguments(), creationTime: Int(services.host.unixMilliseconds() / 1000),
                number: table.nextNumber()))
    }

    /// The server's clock.
    package var now: Instant { services.host.now() }
    nonisolated var log: Log { services.configuration.log }

    /// The object of that id.
    package func object(_ id: String) -> RPCObject? { table[id] }

    /// A random UUID (RFC 9562, version 4).
    package func makeUUID() -> String {
        // The count keeps ids apart on a simulated host, whose seeds are all the same.
        func word() -> UInt64 {
            lastRandom += 1
            var random = SeededRandom(seed: services.host.seed() &+ lastRandom)
            return random.next()
        }
        let high = word() & 0xFFFF_FFFF_FFFF_0FFF | 0x4000
        let low = word() & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        let digits = [high, low].map { word in
            let text = String(word, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }.joined()
        var uuid = ""
        for (place, digit) in digits.enumerated() {
            if [8, 12, 16, 20].contains(place) { uuid += "-" }
            uuid.append(digit)
        }
        return uuid
    }

    // MARK: Connections

    /// A client has connected; `send` takes what goes to it. To be called on the executor.
    package func connect(send: @escaping @Sendable (String) -> Void) -> RPCConnection {
        lastConnection += 1
        connections[lastConnection] = ConnectionState(
            number: lastConnection, requestsPerSecond: options.requestsPerSecondMax, now: now, send: send)
        if collector == nil { scheduleCollector() }
        return RPCConnection(number: lastConnection, server: self)
    }

    func disconnected(_ number: Int) {
        // Thousands that go together leave megabytes behind.
        defer { services.host.memoryWasFreed() }
        guard let connection = connections.removeValue(forKey: number) else { return }
        guard let session = connection.session, ties[session] == number else { return }
        ties[session] = nil
        // Its period begins now.
        sessions[session]?.isUsed = true
    }

    // MARK: A message

    func receive(_ text: String, on number: Int) {
        guard let connection = connections[number] else { return }
        guard connection.isBusy else { return take(text, connection) }
        let size = text.utf8.count
        guard connection.waiting.count < options.waitingMax,
            connection.waitingBytes + size <= options.waitingBytesMax
        else { return refuse(text, connection) }
        connection.waiting.append(text)
        connection.waitingBytes += size
    }

    /// More waits than may: said at once, though out of turn, since the message is not kept.
    private func refuse(_ text: String, _ connection: ConnectionState) {
        let id = (try? RPCRequest(parsing: text, limits: limits))?.id
        let error = RPCError.notEnoughResources(
            "\(connection.waiting.count) requests of this connection wait for their turn; this one was not taken")
        connection.send(RPCAnswer.failure(id, error).compact)
        metrics.answered(nil, isGood: false, after: .zero)
    }

    private var limits: JSONLimits { JSONLimits(depth: options.nestingMax, bytes: options.messageBytesMax) }

    private func take(_ text: String, _ connection: ConnectionState) {
        let request: RPCRequest
        do throws(RPCRequest.Refusal) {
            request = try RPCRequest(parsing: text, limits: limits)
        } catch {
            metrics.answered(nil, isGood: false, after: .zero)
            log.info(
                "a message is no request",
                [("session", connection.session ?? ""), ("code", String(error.error.code))])
            return connection.send(RPCAnswer.failure(error.id, error.error).compact)
        }
        var turn = Turn(connection: connection.number, request: request, begunAt: now)
        do throws(RPCError) {
            guard connection.mayAsk(options.requestsPerSecondMax, at: now) else {
                throw .notEnoughResources(
                    "More than \(options.requestsPerSecondMax) requests in a second on this connection")
            }
            turn.session = try request.params.optionalText("sessionId") ?? connection.session
            if let key = turn.key {
                if let answer = cache.answer(to: key, at: now) { return connection.send(answer) }
                if running[key] != nil {
                    connection.isBusy = true
                    running[key]?.append(connection.number)
                    return
                }
            }
            switch try begin(request, session: turn.session) {
            case .now(let outcome): finish(turn, .success(outcome))
            case .later(let work):
                connection.isBusy = true
                if let key = turn.key { running[key] = [] }
                Task(executorPreference: executor) { [turn] in await self.complete(turn, work) }
            }
        } catch {
            finish(turn, .failure(error))
        }
    }

    private func complete(_ turn: Turn, _ work: Work) async {
        let result: Result<Outcome, RPCError>
        do throws(RPCError) { result = .success(try await work(self)) } catch { result = .failure(error) }
        finish(turn, result)
        resume(turn.connection)
    }

    /// The answer goes out, and is kept for whoever asks again.
    private func finish(_ turn: Turn, _ result: Result<Outcome, RPCError>) {
        let connection = connections[turn.connection]
        let answer: JSON
        var session = turn.session
        switch result {
        case .success(let outcome):
            if let used = outcome.session {
                session = used
                if let connection { tie(used, to: connection) }
            }
            answer =
                turn.request.id == nil
                ? RPCAnswer.unasked(outcome.result) : RPCAnswer.success(turn.request.id, outcome.result)
        case .failure(let error): answer = RPCAnswer.failure(turn.request.id, error)
        }
        if case .success = result {
            metrics.answered(turn.request.method, isGood: true, after: now - turn.begunAt)
        } else {
            metrics.answered(turn.request.method, isGood: false, after: now - turn.begunAt)
        }
        note(turn.request, session: session, result)
        let text = answer.compact
        connection?.send(text)
        let waiters = turn.key.flatMap { running.removeValue(forKey: $0) } ?? []
        if let key = Turn.key(session, turn.request), options.cachePeriod > .zero {
            cache.store(
                text, for: key, at: now, period: options.cachePeriod, bytesMax: options.cacheBytesMax)
        }
        for number in waiters {
            connections[number]?.send(text)
            resume(number)
        }
    }

    /// Goes on with what waits on a connection.
    private func resume(_ number: Int) {
        connections[number]?.isBusy = false
        while let connection = connections[number], !connection.isBusy, let text = connection.waiting.popFirst() {
            connection.waitingBytes -= text.utf8.count
            take(text, connection)
        }
    }

    func forgetOldAnswers() { cache.dropExpired(at: now) }
}

/// What a method did: the session that was used, and the answer's result.
struct Outcome: Sendable {
    var session: String?
    var result: JSON

    init(session: String?, result: JSON) {
        self.session = session
        self.result = result
    }

    /// `value` nil: the answer has none.
    init(_ session: String, value: JSON?) {
        self.session = session
        var members = [JSON.Member("sessionId", .string(session))]
        if let value { members.append(JSON.Member("value", value)) }
        result = .object(members)
    }
}

/// The part of a method that may await.
typealias Work = @Sendable (isolated RPCServer) async throws(RPCError) -> Outcome

/// What a method comes to: done, or to be awaited.
enum Reply {
    case now(Outcome)
    case later(Work)
}

/// A request on its way.
private struct Turn: Sendable {
    let connection: Int
    let request: RPCRequest
    let begunAt: Instant
    /// The request's session, or its connection's.
    var session: String?

    init(connection: Int, request: RPCRequest, begunAt: Instant) {
        self.connection = connection
        self.request = request
        self.begunAt = begunAt
    }

    var key: String? { Turn.key(session, request) }

    /// What tells a request from others; nil where there is nothing to keep. A `ping` may well be answered twice.
    static func key(_ session: String?, _ request: RPCRequest) -> String? {
        guard let session, let id = request.id, request.method != "ping" else { return nil }
        return "\(session)\u{0}\(id.compact)"
    }
}
