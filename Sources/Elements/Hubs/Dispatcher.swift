import Core
package import Media

/// What the dispatchers route; messages stay where they are, as in Kurento.
private let routedKinds = [MediaKind.audio, .video]

/// Routes ports to ports: each output port shows one input port, an input port may feed many. Pure routing, so every
/// rendition is shared with whoever else has the same source.
package final class Dispatcher: Hub {
    /// Output port → the port whose input it shows.
    private var routes: [ObjectIdentifier: HubPort] = [:]

    package init(_ context: PipelineContext, name: String) {
        super.init(context, name: name, className: "Dispatcher")
    }

    /// Sends what enters `source` out of `sink`, instead of what left there before.
    package func connect(source: HubPort, sink: HubPort) throws(GraphError) {
        try checkOwn(source)
        try checkOwn(sink)
        routes[ObjectIdentifier(sink)] = source
        for kind in routedKinds { route(sink, kind) }
    }

    private func route(_ sink: HubPort, _ kind: MediaKind) {
        sink.outputs[kind]?.origin = routes[ObjectIdentifier(sink)]?.inputs[kind]?.origin
    }

    override func inputChanged(of port: HubPort, _ kind: MediaKind) {
        guard routedKinds.contains(kind) else { return }
        for sink in ports where routes[ObjectIdentifier(sink)] === port { route(sink, kind) }
    }

    override func portRemoved(_ port: HubPort) {
        routes[ObjectIdentifier(port)] = nil
        for sink in ports where routes[ObjectIdentifier(sink)] === port {
            routes[ObjectIdentifier(sink)] = nil
            for kind in routedKinds { route(sink, kind) }
        }
    }
}

/// Routes one chosen port to all ports, its own output included.
package final class DispatcherOneToMany: Hub {
    private weak var chosen: HubPort?

    package init(_ context: PipelineContext, name: String) {
        super.init(context, name: name, className: "DispatcherOneToMany")
    }

    package func setSource(_ port: HubPort) throws(GraphError) {
        try checkOwn(port)
        chosen = port
        routeAll()
    }

    package func removeSource() {
        chosen = nil
        routeAll()
    }

    private func routeAll() {
        for kind in routedKinds {
            for port in ports { port.outputs[kind]?.origin = chosen?.inputs[kind]?.origin }
        }
    }

    override func portAdded(_ port: HubPort) { routeAll() }
    override func inputChanged(of port: HubPort, _ kind: MediaKind) { if port === chosen { routeAll() } }
    override func portRemoved(_ port: HubPort) { if port === chosen { removeSource() } }
}
