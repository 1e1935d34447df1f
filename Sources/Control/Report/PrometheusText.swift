package import Core

extension Metrics {
    /// All metrics in Prometheus's text format (version 0.0.4), series of one name together.
    package var prometheusText: String {
        var order: [String] = []
        var families: [String: (head: String, lines: String)] = [:]
        for (name, help, labels, sample) in samples() {
            if families[name] == nil {
                order.append(name)
                let kind =
                    switch sample {
                    case .counter: "counter"
                    // What is counted in fractions (seconds of CPU) is kept as a gauge.
                    case .gauge: name.hasSuffix("_total") ? "counter" : "gauge"
                    case .histogram: "histogram"
                    }
                let line = help.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
                families[name] = ("# HELP \(name) \(line)\n# TYPE \(name) \(kind)\n", "")
            }
            families[name]?.lines += Self.lines(name, labels, sample)
        }
        return order.compactMap { families[$0] }.map { $0.head + $0.lines }.joined()
    }

    private static func lines(_ name: String, _ labels: [(name: String, value: String)], _ sample: Sample) -> String {
        switch sample {
        case .counter(let value): return "\(name)\(braced(labels)) \(value)\n"
        case .gauge(let value): return "\(name)\(braced(labels)) \(number(value))\n"
        case .histogram(let snapshot):
            var out = ""
            var count = 0
            for (index, bound) in (snapshot.bounds + [.infinity]).enumerated() {
                count += snapshot.counts[index]
                out += "\(name)_bucket\(braced(labels + [("le", number(bound))])) \(count)\n"
            }
            out += "\(name)_sum\(braced(labels)) \(number(snapshot.sum))\n"
            return out + "\(name)_count\(braced(labels)) \(count)\n"
        }
    }

    private static func braced(_ labels: [(name: String, value: String)]) -> String {
        guard !labels.isEmpty else { return "" }
        let pairs = labels.map { label in
            let value = label.value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
            return "\(label.name)=\"\(value.replacing("\n", with: "\\n"))\""
        }
        return "{" + pairs.joined(separator: ",") + "}"
    }

    private static func number(_ value: Double) -> String {
        value.isNaN ? "NaN" : value.isInfinite ? (value < 0 ? "-Inf" : "+Inf") : plain(value)
    }
}
