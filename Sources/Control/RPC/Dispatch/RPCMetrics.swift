import Core

/// What the control API counts. Labels are methods, classes and events of the model, never ids. Owned by the server's
/// actor.
final class RPCMetrics {
    /// What requests with other methods are counted under.
    private static let otherMethod = "other"
    private static let methods: Set<String> = [
        "ping", "connect", "closeSession", "create", "describe", "invoke", "subscribe", "unsubscribe", "release", "ref",
        "unref", "keepAlive", "transaction",
    ]
    /// From a look-up to something that waits for a peer.
    private static let bounds = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10]

    private struct Method {
        let good, bad: Counter
        let time: Histogram
    }
    private let metrics: Metrics
    private var methods: [String: Method] = [:]
    private var events: [String: Counter] = [:]
    private var classes: [String: Gauge] = [:]
    private let connections, sessions, pipelines: Gauge

    init(_ metrics: Metrics) {
        self.metrics = metrics
        connections = metrics.gauge("tessera_rpc_connections", help: "Connections of clients of the control API.")
        sessions = metrics.gauge("tessera_rpc_sessions", help: "Sessions of clients of the control API.")
        pipelines = metrics.gauge("tessera_rpc_pipelines", help: "Pipelines that clients have made.")
    }

    /// A request was answered. `method` nil: it was none.
    func answered(_ method: String?, isGood: Bool, after time: MediaTime) {
        let name =
            method.map { RPCMetrics.methods.contains($0) ? $0 : RPCMetrics.otherMethod } ?? RPCMetrics.otherMethod
        let known = methods[name] ?? make(name)
        (isGood ? known.good : known.bad).add()
        known.time.observe(time.seconds)
    }

    private func make(_ name: String) -> Method {
        func counter(_ outcome: String) -> Counter {
            metrics.counter(
                "tessera_rpc_requests_total", help: "Requests of the control API that were answered.",
                labels: [("method", name), ("outcome", outcome)])
        }
        let made = Method(
            good: counter("ok"), bad: counter("error"),
            time: metrics.histogram(
                "tessera_rpc_request_duration_seconds", help: "From a request to its answer, waiting not counted.",
                bounds: RPCMetrics.bounds, labels: [("method", name)]))
        methods[name] = made
        return made
    }

    func sent(event: String) {
        let counter =
            events[event]
            ?? metrics.counter(
                "tessera_rpc_events_total", help: "Events that were sent to clients.", labels: [("event", event)])
        events[event] = counter
        counter.add()
    }

    /// Brings the gauges up to date.
    func refresh(connections: Int, sessions: Int, pipelines: Int, objects: [String: Int]) {
        self.connections.set(Double(connections))
        self.sessions.set(Double(sessions))
        self.pipelines.set(Double(pipelines))
        for (name, count) in objects {
            let gauge =
                classes[name]
                ?? metrics.gauge(
                    "tessera_rpc_objects", help: "Objects of clients, by class.", labels: [("class", name)])
            classes[name] = gauge
            gauge.set(Double(count))
        }
    }
}

extension RPCServer {
    /// Brings the gauges of the metrics up to date; to be called before they are read.
    package func refreshMetrics() {
        metrics.refresh(
            connections: connections.count, sessions: sessions.count, pipelines: table.pipelines.count,
            objects: table.counts.filter { $0.key != "ServerManager" })
    }

    /// A line for a request that failed, or that changed something: failures, and objects that come and go, at `info`,
    /// the rest at `debug`.
    func note(_ request: RPCRequest, session: String?, _ result: Result<Outcome, RPCError>) {
        // `ping` and its like come ten thousand times a second.
        guard log.writes(.info) else { return }
        switch result {
        case .failure(let error):
            log.info(
                "a request failed",
                fields(request, session) + [("code", String(error.code)), ("reason", error.message)])
        case .success(let outcome):
            switch request.method {
            case "create":
                guard case .string(let id)? = outcome.result["value"] else { return }
                log.info("an object was made", fields(request, session) + [("object", id)])
            case "release", "unref": log.info("an object was let go", fields(request, session))
            case "closeSession": log.info("a session was closed", fields(request, session))
            case "invoke", "subscribe", "unsubscribe", "transaction":
                if log.writes(.debug) { log.debug("done", fields(request, session)) }
            default: break
            }
        }
    }

    private func fields(_ request: RPCRequest, _ session: String?) -> [(String, String)] {
        var out = [("method", shortened(printable(request.method)))]
        if let session { out.append(("session", shortened(printable(session)))) }
        for name in ["object", "operation", "type", "subscription"] {
            if case .string(let value)? = request.params[name] {
                // Ids are long, and cut they are good for nothing.
                out.append((name, printable(String(value.prefix(RPCMetrics.idMax)))))
            }
        }
        return out
    }
}

extension RPCMetrics {
    /// Characters of an id in a log line: a pipeline's, a hub's and a port's together.
    fileprivate static let idMax = 240
}
