package import Core
import WebRTC

/// What comes and goes by the port that all `WebRtcEndpoint`s share, as metrics. Reasons are those in the code.
///
/// Owned by whoever shows the metrics; `refresh` before they are read.
package final class NetworkMetrics: Sendable {
    private let services: RealTimeServices
    private let metrics: Metrics
    /// What has been added so far.
    private let known = Lock(PortFigures())

    package init(_ services: RealTimeServices, _ metrics: Metrics) {
        self.services = services
        self.metrics = metrics
    }

    /// Brings the metrics up to date; nothing is there before the first endpoint has opened the port. Hops to the loops.
    package func refresh() async {
        guard let new = await services.portFigures() else { return }
        let old = known.withLock { known in
            defer { known = known.raised(to: new) }
            return known
        }
        for (place, figure) in PortFigures.all.enumerated() {
            let counter = metrics.counter(figure.name, help: figure.help, labels: figure.labels)
            // Who asked first may be answered last.
            let step = new.values[place] - old.values[place]
            if step > 0 { counter.add(step) }
        }
    }
}

/// The counts of one port, or of several, at one moment. A value.
struct PortFigures: Sendable {
    /// In the order of `all`.
    private(set) var values: [Int]

    init() { values = [Int](repeating: 0, count: PortFigures.all.count) }

    init(_ network: NetworkCounters, _ mux: UDPMuxCounters) {
        values = PortFigures.all.map { $0.value(network, mux) }
    }

    static func + (a: PortFigures, b: PortFigures) -> PortFigures { a.joined(b, by: +) }

    /// The greater of each.
    func raised(to other: PortFigures) -> PortFigures { joined(other, by: max) }

    private func joined(_ other: PortFigures, by body: (Int, Int) -> Int) -> PortFigures {
        var result = self
        for place in values.indices { result.values[place] = body(values[place], other.values[place]) }
        return result
    }

    /// One counter of the metrics.
    struct Figure: Sendable {
        let name: String
        let help: String
        let labels: [(String, String)]
        let value: @Sendable (NetworkCounters, UDPMuxCounters) -> Int
    }

    static let all: [Figure] = received + dropped + others

    private static let received: [Figure] = {
        let (name, help) = (
            "tessera_network_datagrams_received_total", "UDP datagrams that came to the port of all peers."
        )
        return [
            Figure(name: name, help: help, labels: [("by", "reserved")]) { network, _ in network.datagramsReserved },
            Figure(name: name, help: help, labels: [("by", "open")]) { network, _ in
                network.datagramsReceived - network.datagramsReserved
            },
            Figure(name: "tessera_network_bytes_received_total", help: "Bytes that came to that port.", labels: []) {
                network, _ in network.bytesReceived
            },
            Figure(
                name: "tessera_network_datagrams_sent_total", help: "UDP datagrams that were sent from that port.",
                labels: []
            ) { network, _ in network.datagramsSent },
            Figure(name: "tessera_network_bytes_sent_total", help: "Bytes that were sent from that port.", labels: []) {
                network, _ in network.bytesSent
            },
        ]
    }()

    private static let dropped: [Figure] = {
        let reasons: [(String, @Sendable (NetworkCounters, UDPMuxCounters) -> Int)] = [
            ("unknown-peer", { _, mux in mux.unknownPeer }),
            ("taken-path", { _, mux in mux.takenPath }),
            ("too-long", { network, _ in network.droppedTooLong }),
            ("kernel-open", { network, _ in network.droppedByKernelOpen }),
            ("kernel-reserved", { network, _ in network.droppedByKernelReserved }),
            ("queue-full", { network, _ in network.droppedQueueFull }),
            ("no-socket", { network, _ in network.droppedNoSocket }),
            ("refused", { network, _ in network.droppedRefused }),
        ]
        return reasons.map { reason, value in
            Figure(
                name: "tessera_network_dropped_total", help: "Datagrams of that port that were dropped, by reason.",
                labels: [("reason", reason)], value: value)
        }
    }()

    private static let others: [Figure] = {
        let reasons: [(String, @Sendable (NetworkCounters, UDPMuxCounters) -> Int)] = [
            ("limit", { network, _ in network.connectionsRefused }),
            ("unread", { network, _ in network.connectionsOverflowed }),
            ("idle", { network, _ in network.connectionsIdled }),
            ("senseless", { _, mux in mux.brokenStreams }),
        ]
        let connections = reasons.map { reason, value in
            Figure(
                name: "tessera_network_connections_closed_total", help: "TCP connections of peers that we closed.",
                labels: [("reason", reason)], value: value)
        }
        return connections + [
            Figure(
                name: "tessera_network_strays_total",
                help: "Packets of a known peer from an address it had not proved, taken in.", labels: []
            ) { _, mux in mux.strays },
            Figure(
                name: "tessera_network_reservations_refused_total",
                help: "Times that the system would not keep known peers' datagrams apart.", labels: []
            ) { network, _ in network.reservationsRefused },
        ]
    }()
}
