package import Core

/// What a stage has done so far; part of the summary, and counted in the metrics. Lives on the loop.
package final class StageRecord {
    package enum Kind: String, Sendable { case decode, encode, compose, mix, demux, mux, filter }
    package let element: String
    package let kind: Kind
    package let codec: String?
    /// What tells it from its neighbours, as in `1280×720 1500 kbit/s`.
    package let detail: String
    package var frames = 0 {
        didSet { metrics?.add(frames: frames - oldValue) }
    }
    package var cpuNanoseconds: Int64 = 0 {
        didSet { metrics?.add(cpuNanoseconds: cpuNanoseconds - oldValue) }
    }
    /// Sinks that shared the result, at most at one time.
    package var sharedBy = 0
    /// What was dropped, by reason.
    package private(set) var drops: [String: Int] = [:]
    /// False once the stage has ended.
    package internal(set) var isRunning = true
    private let metrics: StageMetrics?

    init(element: String, kind: Kind, codec: String?, detail: String, metrics: StageMetrics? = nil) {
        self.element = element
        self.kind = kind
        self.codec = codec
        self.detail = detail
        self.metrics = metrics
    }

    package func drop(_ reason: String, _ count: Int = 1) {
        drops[reason, default: 0] += count
        metrics?.drop(reason, count)
    }

    /// The kind of media that it makes; nil where it works on both.
    package var media: MediaKind? { StageRecord.media(kind, codec) }

    static func media(_ kind: Kind, _ codec: String?) -> MediaKind? {
        switch kind {
        case .mix: return .audio
        case .compose: return .video
        case .demux, .mux, .filter: return nil
        case .decode, .encode:
            guard let codec else { return nil }
            return AudioCodec(rawValue: codec) == nil ? .video : .audio
        }
    }
}

/// What all stages of one kind have done, of every pipeline that counts in the same place. Labels are the kind of stage
/// and of media, and reasons that stand in the code, so there are few series whoever comes and goes.
final class StageMetrics {
    private let metrics: Metrics
    private let labels: [(String, String)]
    private let frames: Counter
    private let cpu: Gauge
    private var drops: [String: Counter] = [:]

    init(_ metrics: Metrics, _ kind: StageRecord.Kind, _ media: MediaKind?) {
        self.metrics = metrics
        labels = [("stage", kind.rawValue)] + (media.map { [("media", $0.rawValue)] } ?? [])
        frames = metrics.counter(
            "tessera_stage_frames_total", help: "Pictures, or blocks of sound, that stages have worked on.",
            labels: labels)
        cpu = metrics.gauge(
            "tessera_stage_cpu_seconds_total", help: "CPU time of stages, by what they do.", labels: labels)
    }

    func add(frames count: Int) { frames.add(count) }
    func add(cpuNanoseconds: Int64) { cpu.add(Double(cpuNanoseconds) / 1e9) }

    func drop(_ reason: String, _ count: Int) {
        let counter =
            drops[reason]
            ?? metrics.counter(
                "tessera_stage_drops_total", help: "Frames that were dropped, and why.",
                labels: labels + [("reason", reason)])
        drops[reason] = counter
        counter.add(count)
    }
}
