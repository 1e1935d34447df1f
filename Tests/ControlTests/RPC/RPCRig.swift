import Control
import Core
import Elements
import Media
import TestKit
import Testing

/// A JSON-RPC server on a simulated machine, and clients that talk to it.
final class RPCRig: Sendable {
    let sim = SimHost()
    let server: RPCServer

    init(_ options: RPCOptions = RPCOptions(), bindings: [ClassBinding] = []) {
        let machine = SimNetwork(sim, seed: 1).machine([IPAddress(v4: 0xC000_0201)])
        let configuration = PipelineConfiguration(
            mode: .realTime, codecs: SyntheticCodecs(), pool: FramePool(), log: Log(host: machine) { _ in })
        server = RPCServer(
            on: sim,
            services: RPCServices(
                host: machine, realTime: RealTimeServices(host: machine), configuration: configuration),
            options: options, bindings: Bindings.all + bindings)
    }

    /// Lets virtual time pass.
    func run(_ seconds: Double) {
        let isOver = Lock(false)
        _ = sim.schedule(at: sim.now() + .seconds(seconds)) { isOver.withLock { $0 = true } }
        sim.run(limit: .seconds(seconds + 1)) { isOver.withLock { $0 } }
    }

    func client() throws -> RPCClient { try RPCClient(self) }
}

/// One connection. Requests get rising ids, other than those of all other clients.
final class RPCClient: Sendable {
    private struct State {
        var received: [JSON] = []
        var lastID = 0
    }
    private let rig: RPCRig
    private let connection: RPCConnection
    private let state: Lock<State>
    private static let made = Lock(0)

    init(_ rig: RPCRig) throws {
        self.rig = rig
        let number = RPCClient.made.withLock { made in
            made += 1
            return made
        }
        let state = Lock(State(lastID: number * 100_000))
        self.state = state
        let server = rig.server
        connection = try #require(
            rig.sim.complete {
                await server.connect { text in
                    guard let json = try? JSONNode(parsing: text).json else { return }
                    state.withLock { $0.received.append(json) }
                }
            }
        ).get()
    }

    /// Sends text as it is, without waiting for anything.
    func post(_ text: String) { rig.sim.post { [connection] in connection.receive(text) } }

    /// Sends text and returns what has come by and by.
    func say(_ text: String, seconds: Double = 0.001) -> [JSON] {
        let before = received.count
        post(text)
        rig.run(seconds)
        return Array(received.dropFirst(before))
    }

    /// Sends a request and returns its answer, whole.
    @discardableResult
    func ask(_ method: String, _ params: JSON? = nil, id: JSON? = nil, seconds: Double = 0.001) throws -> JSON {
        let id = id ?? .int(nextID())
        var members: [JSON.Member] = [.init("id", id), .init("jsonrpc", "2.0"), .init("method", .string(method))]
        if let params { members.append(.init("params", params)) }
        let answers = say(JSON.object(members).compact, seconds: seconds).filter { $0["method"] == nil }
        #expect(answers.count == 1)
        let answer = try #require(answers.first)
        #expect(answer["id"] == id)
        #expect((answer["result"] == nil) != (answer["error"] == nil))
        return answer
    }

    private func nextID() -> Int {
        state.withLock { state in
            state.lastID += 1
            return state.lastID
        }
    }

    /// `result.value` of a request that succeeds.
    @discardableResult
    func value(_ method: String, _ params: JSON) throws -> JSON {
        let answer = try ask(method, params)
        if answer["error"] != nil { Issue.record("\(method) \(params.compact): \(answer.compact)") }
        return answer["result"]?["value"] ?? .null
    }

    func text(_ method: String, _ params: JSON) throws -> String {
        guard case .string(let text) = try value(method, params) else {
            Issue.record("\(method) gave no text")
            return ""
        }
        return text
    }

    /// `error` of a request that fails.
    func error(_ method: String, _ params: JSON? = nil) throws -> JSON {
        let answer = try ask(method, params)
        return try #require(answer["error"], "\(method) succeeded: \(answer.compact)")
    }

    /// The code and the message of a request that fails.
    func failure(_ method: String, _ params: JSON? = nil) throws -> String {
        let error = try error(method, params)
        guard case .int(let code)? = error["code"], case .string(let message)? = error["message"] else { return "?" }
        return "\(code) \(message)"
    }

    func create(_ type: String, _ params: JSON = [:]) throws -> String {
        try text("create", ["type": .string(type), "constructorParams": params])
    }
    func create(_ type: String, in pipeline: String) throws -> String {
        try create(type, ["mediaPipeline": .string(pipeline)])
    }

    @discardableResult
    func invoke(_ object: String, _ operation: String, _ params: JSON? = nil) throws -> JSON {
        try value("invoke", call(object, operation, params))
    }
    func call(_ object: String, _ operation: String, _ params: JSON? = nil) -> JSON {
        var members: [JSON.Member] = [
            .init("object", .string(object)), .init("operation", .string(operation)),
        ]
        if let params { members.append(.init("operationParams", params)) }
        return .object(members)
    }

    @discardableResult
    func subscribe(_ object: String, _ event: String) throws -> String {
        try text("subscribe", ["object": .string(object), "type": .string(event)])
    }

    /// The session that the server knows this connection by.
    func session() throws -> JSON? { try ask("ping")["result"]?["sessionId"] }

    func close() {
        rig.sim.post { [connection] in connection.ended() }
        rig.run(0.001)
    }

    var received: [JSON] { state.withLock { $0.received } }

    /// The `value`s of all events so far.
    var events: [JSON] { received.filter { $0["method"] == "onEvent" }.compactMap { $0["params"]?["value"] } }
    func events(_ name: String) -> [JSON] { events.filter { $0["type"] == .string(name) } }
}
