/// Counters, gauges and histograms that anything can register; read as a whole by whoever shows them.
///
/// Names follow Prometheus: base units, `_total` on counters. A metric lives as long as somebody holds it.
package final class Metrics: Sendable {
    private struct Registered {
        let name: String
        let help: String
        let labels: [(name: String, value: String)]
        let read: @Sendable () -> Sample?
    }
    private let registered = Lock<[Registered]>([])

    package init() {}

    /// A value that only rises.
    package func counter(_ name: String, help: String, labels: [(String, String)] = []) -> Counter {
        let counter = Counter()
        register(name, help, labels) { [weak counter] in counter.map { .counter($0.value) } }
        return counter
    }

    /// A value that rises and falls.
    package func gauge(_ name: String, help: String, labels: [(String, String)] = []) -> Gauge {
        let gauge = Gauge()
        register(name, help, labels) { [weak gauge] in gauge.map { .gauge($0.value) } }
        return gauge
    }

    /// A distribution over fixed upper bounds, in the metric's unit.
    package func histogram(
        _ name: String, help: String, bounds: [Double], labels: [(String, String)] = []
    ) -> Histogram {
        let histogram = Histogram(bounds: bounds)
        register(name, help, labels) { [weak histogram] in histogram.map { .histogram($0.snapshot) } }
        return histogram
    }

    private func register(
        _ name: String, _ help: String, _ labels: [(String, String)], read: @escaping @Sendable () -> Sample?
    ) {
        let entry = Registered(name: name, help: help, labels: labels.map { (name: $0.0, value: $0.1) }, read: read)
        registered.withLock { $0.append(entry) }
    }

    /// What a metric shows at one moment.
    package enum Sample: Sendable {
        case counter(Int)
        case gauge(Double)
        case histogram(Histogram.Snapshot)
    }

    /// Every living metric, in order of registration; dead ones are forgotten.
    package func samples() -> [(name: String, help: String, labels: [(name: String, value: String)], sample: Sample)] {
        registered.withLock { entries in
            let read = entries.map { ($0, $0.read()) }
            entries = read.filter { $0.1 != nil }.map(\.0)
            return read.compactMap { entry, sample in
                sample.map { (entry.name, entry.help, entry.labels, $0) }
            }
        }
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
