/// Counters, gauges and histograms that anything can register; read as a whole by whoever shows them.
///
/// Names follow Prometheus: base units, `_total` on counters. Who registers a name with the same labels again gets the
/// metric that is there. All live as long as this does, so labels must be few: classes and kinds, never ids.
package final class Metrics: Sendable {
    private struct Key: Hashable {
        let name: String
        let labels: [String]
    }
    private struct Registered {
        let name: String
        let help: String
        let labels: [(name: String, value: String)]
        let metric: any AnyObject & Sendable
        let read: @Sendable () -> Sample
    }
    private struct State {
        var entries: [Registered] = []
        var index: [Key: Int] = [:]
    }
    private let state = Lock(State())

    package init() {}

    /// A value that only rises.
    package func counter(_ name: String, help: String, labels: [(String, String)] = []) -> Counter {
        register(name, help, labels, Counter()) { .counter($0.value) }
    }

    /// A value that rises and falls.
    package func gauge(_ name: String, help: String, labels: [(String, String)] = []) -> Gauge {
        register(name, help, labels, Gauge()) { .gauge($0.value) }
    }

    /// A distribution over fixed upper bounds, in the metric's unit.
    package func histogram(
        _ name: String, help: String, bounds: [Double], labels: [(String, String)] = []
    ) -> Histogram {
        register(name, help, labels, Histogram(bounds: bounds)) { .histogram($0.snapshot) }
    }

    private func register<M: AnyObject & Sendable>(
        _ name: String, _ help: String, _ labels: [(String, String)], _ made: M,
        read: @escaping @Sendable (M) -> Sample
    ) -> M {
        let key = Key(name: name, labels: labels.flatMap { [$0.0, $0.1] })
        return state.withLock { state in
            if let place = state.index[key], let known = state.entries[place].metric as? M { return known }
            state.index[key] = state.entries.count
            state.entries.append(
                Registered(
                    name: name, help: help, labels: labels.map { (name: $0.0, value: $0.1) }, metric: made,
                    read: { read(made) }))
            return made
        }
    }

    /// What a metric shows at one moment.
    package enum Sample: Sendable {
        case counter(Int)
        case gauge(Double)
        case histogram(Histogram.Snapshot)
    }

    /// Every metric, in order of registration.
    package func samples() -> [(name: String, help: String, labels: [(name: String, value: String)], sample: Sample)] {
        state.withLock { $0.entries.map { ($0.name, $0.help, $0.labels, $0.read()) } }
    }
}

package final class Counter: Sendable {
    private let state = Lock(0)
    package init() {}
    package func add(_ amount: Int = 1) { state.withLock { $0 += amount } }
    package var value: Int { state.withLock { $0 } }
}

package final class Gauge: Sendable {
    private let state = Lock(0.0)
    package init() {}
    package func set(_ value: Double) { state.withLock { $0 = value } }
    package func add(_ amount: Double) { state.withLock { $0 += amount } }
    package var value: Double { state.withLock { $0 } }
}

package final class Histogram: Sendable {
    /// Counts per bucket: bucket i holds observations ≤ `bounds[i]`, the last one all above.
    package struct Snapshot: Sendable, Hashable {
        package let bounds: [Double]
        package fileprivate(set) var counts: [Int]
        package fileprivate(set) var sum = 0.0
        package var count: Int { counts.reduce(0, +) }

        /// The upper bound of the bucket in which the quantile (0–1) lies; nil without observations.
        package func quantile(_ fraction: Double) -> Double? {
            guard count > 0 else { return nil }
            var remaining = Int((Double(count) * fraction).rounded(.up))
            for (index, bucket) in counts.enumerated() {
                remaining -= bucket
                if remaining <= 0 { return index < bounds.count ? bounds[index] : .infinity }
            }
            return .infinity
        }
    }
    private let state: Lock<Snapshot>

    package init(bounds: [Double]) {
        precondition(bounds == bounds.sorted(), "histogram bounds rise")
        state = Lock(Snapshot(bounds: bounds, counts: [Int](repeating: 0, count: bounds.count + 1)))
    }
    package func observe(_ value: Double) {
        state.withLock { state in
            state.counts[state.bounds.firstIndex { value <= $0 } ?? state.bounds.count] += 1
            state.sum += value
        }
    }
    package var snapshot: Snapshot { state.withLock { $0 } }
}
