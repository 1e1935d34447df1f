import Core
import Media
import RTP
import WebRTC

/// What all endpoints of one class send and receive together, as metrics. Labels are class and kind of
/// media only, so that there are as many series as there are classes, whoever comes and goes.
final class TrafficMetrics {
    /// Of one kind of media.
    struct Totals: Hashable {
        var packetsReceived = 0, bytesReceived = 0, packetsSent = 0, bytesSent = 0
        var packetsLost = 0, nacksSent = 0, nacksReceived = 0, keyFramesAsked = 0, keyFramesWanted = 0

        /// What one session has counted so far.
        init(_ sessions: [RTPSession], _ kind: MediaKind) {
            for session in sessions {
                for track in session.incoming where track.kind == kind { add(track) }
                for track in session.outgoing where track.kind == kind {
                    let counts = track.stream.statistics
                    packetsSent += counts.packetsSent
                    bytesSent += counts.bytesSent + counts.headerBytesSent
                    nacksReceived += counts.nackCount
                    keyFramesWanted += counts.pliCount + counts.firCount
                }
            }
        }

        init() {}

        private mutating func add(_ track: IncomingTrack) {
            for layer in track.layers {
                let counts = layer.stream.statistics
                packetsReceived += counts.packetsReceived
                bytesReceived += counts.bytesReceived + counts.headerBytesReceived
                packetsLost += max(0, Int(layer.stream.reception.lost))
                nacksSent += counts.nackCount
                keyFramesAsked += counts.pliCount + counts.firCount
            }
            guard let sound = track.sound else { return }
            packetsReceived += sound.statistics.packetsReceived
            bytesReceived += sound.statistics.bytesReceived + sound.statistics.headerBytesReceived
            packetsLost += max(0, Int(sound.reception.lost))
            nacksSent += sound.statistics.nackCount
        }
    }

    private struct Series {
        let counter: Counter
        let value: KeyPath<Totals, Int>
    }
    private var series: [MediaKind: [Series]] = [:]
    /// The sum of what the lines of all peers carry.
    let estimate: Gauge

    private static var counters: [(name: String, help: String, value: KeyPath<Totals, Int>)] {
        [
            ("tessera_rtp_packets_received_total", "RTP packets from peers.", \.packetsReceived),
            ("tessera_rtp_bytes_received_total", "Bytes of RTP packets from peers.", \.bytesReceived),
            ("tessera_rtp_packets_sent_total", "RTP packets to peers.", \.packetsSent),
            ("tessera_rtp_bytes_sent_total", "Bytes of RTP packets to peers.", \.bytesSent),
            ("tessera_rtp_packets_lost_total", "RTP packets of peers that did not arrive.", \.packetsLost),
            ("tessera_rtp_nacks_sent_total", "Messages that asked peers for lost packets.", \.nacksSent),
            ("tessera_rtp_nacks_received_total", "Messages of peers that asked for lost packets.", \.nacksReceived),
            ("tessera_rtp_key_frame_requests_sent_total", "Key frames that peers were asked for.", \.keyFramesAsked),
            ("tessera_rtp_key_frame_requests_received_total", "Key frames that peers asked for.", \.keyFramesWanted),
        ]
    }

    init(_ metrics: Metrics, className: String) {
        for kind in [MediaKind.audio, .video] {
            series[kind] = TrafficMetrics.counters.map { name, help, value in
                let labels = [("class", className), ("kind", kind.rawValue)]
                return Series(counter: metrics.counter(name, help: help, labels: labels), value: value)
            }
        }
        estimate = metrics.gauge(
            "tessera_rtp_estimate_bits_per_second", help: "What the lines to peers carry, all together.",
            labels: [("class", className)])
    }

    /// Adds what has come since. A source that was replaced begins at zero again; nothing is taken back.
    func add(_ new: Totals, since old: Totals, _ kind: MediaKind) {
        for entry in series[kind] ?? [] {
            let step = new[keyPath: entry.value] - old[keyPath: entry.value]
            if step > 0 { entry.counter.add(step) }
        }
    }
}

/// One endpoint's share of the metrics; brought up to date every second.
struct TrafficShare {
    private let metrics: TrafficMetrics
    private var known: [MediaKind: TrafficMetrics.Totals] = [:]
    private var estimate = 0
    private var next: Instant?
    private static let interval = MediaTime.seconds(1)

    init(_ metrics: TrafficMetrics) { self.metrics = metrics }

    mutating func update(_ sessions: [RTPSession], at now: Instant) {
        guard next.map({ now >= $0 }) ?? true else { return }
        next = now + TrafficShare.interval
        count(sessions)
        set(sessions.reduce(0) { $0 + $1.sender.target })
    }

    /// The endpoint goes.
    mutating func end(_ sessions: [RTPSession]) {
        count(sessions)
        set(0)
    }

    private mutating func count(_ sessions: [RTPSession]) {
        for kind in [MediaKind.audio, .video] {
            let totals = TrafficMetrics.Totals(sessions, kind)
            metrics.add(totals, since: known[kind] ?? .init(), kind)
            known[kind] = totals
        }
    }

    private mutating func set(_ new: Int) {
        metrics.estimate.add(Double(new - estimate))
        estimate = new
    }
}
