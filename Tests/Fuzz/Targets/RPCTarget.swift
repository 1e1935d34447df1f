import Control
import Core
import Elements
import Media
import TestKit

extension FuzzTarget {
    /// A client's messages, one per line, at a server in virtual time: each must be answered, by a right answer.
    static let rpc = FuzzTarget("rpc", sizeMax: 8192) { bytes in
        let text = bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
        let sim = SimHost()
        let client = FuzzedClient()
        let server = fuzzedServer(sim)
        guard case .success(let connection)? = sim.complete({ await server.connect { client.receive($0) } }) else {
            preconditionFailure("the server takes no connection")
        }
        var sent = 0
        for line in text.split(separator: "\n", omittingEmptySubsequences: true).prefix(64) {
            sent += 1
            let message = client.filled(line)
            sim.post { connection.receive(message) }
            sim.run(limit: .milliseconds(1))
        }
        // Whatever takes its time.
        sim.run(limit: .seconds(20)) { client.answers >= sent }
        precondition(client.answers == sent, "\(sent) messages, \(client.answers) answers")
        sim.post { connection.ended() }
        _ = sim.complete { await server.end() }
    }

    /// Without what would read and write files.
    private static func fuzzedServer(_ sim: SimHost) -> RPCServer {
        let machine = SimNetwork(sim, seed: 1).machine([IPAddress(v4: 0xC000_0201)])
        let configuration = PipelineConfiguration(
            mode: .realTime, codecs: SyntheticCodecs(), pool: FramePool(), log: Log(host: machine) { _ in })
        var bindings = Bindings.all
        for place in bindings.indices where keptOut.contains(bindings[place].className) {
            bindings[place].construct = { _ throws(RPCError) in throw .notAvailable("not while fuzzing") }
        }
        bindings += keptOut.filter { name in !bindings.contains { $0.className == name } }.map { name in
            ClassBinding(name, construct: { _ throws(RPCError) in throw .notAvailable("not while fuzzing") })
        }
        return RPCServer(
            on: sim,
            services: RPCServices(
                host: machine, realTime: RealTimeServices(host: machine), configuration: configuration),
            bindings: bindings)
    }

    private static let keptOut: Set = [
        "PlayerEndpoint", "RecorderEndpoint", "HttpPostEndpoint", "ImageOverlayFilter", "FaceOverlayFilter",
        "GStreamerFilter", "ZBarFilter",
    ]
}

/// Counts answers, checks their form, and remembers what was made.
private final class FuzzedClient: Sendable {
    private struct State {
        var answers = 0
        var values: [String] = []
    }
    private let state = Lock(State())

    var answers: Int { state.withLock { $0.answers } }

    func receive(_ text: String) {
        guard let json = try? JSONNode(parsing: text, limits: JSONLimits(depth: 200)).json else {
            preconditionFailure("no JSON: \(text)")
        }
        precondition(json["jsonrpc"] == "2.0", "no answer: \(text)")
        if json["method"] == "onEvent" { return }
        precondition((json["result"] == nil) != (json["error"] == nil), "both or neither: \(text)")
        state.withLock { state in
            state.answers += 1
            if case .string(let value)? = json["result"]?["value"], value.utf8.count < 200 {
                state.values.append(value)
            }
        }
    }

    /// `$0` to `$9` stand for the last results.
    func filled(_ line: Substring) -> String {
        var text = String(line)
        for (place, value) in state.withLock({ $0.values }).suffix(10).enumerated() {
            text = text.replacing("$\(place)", with: value)
        }
        return text
    }
}
