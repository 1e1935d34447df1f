import Core
import TestKit

extension Outcome {
    /// The course of a run as lines of text: the sender's line and the pictures shown in each `step` seconds.
    package func trace(every step: Double = 0.25) -> String {
        var lines = ["seconds  target   media delivered   bound  inherent  queue ms  waiting  pictures"]
        var last = 0.0
        for sample in samples where sample.at >= last + step - 0.01 {
            let pictures = shown.count { $0.at >= last && $0.at < sample.at }
            let cells: [(String, Int)] = [
                (Table.number(sample.at, 2), 7), (kilobits(sample.target), 8), (kilobits(sample.mediaTarget), 8),
                (kilobits(sample.delivered), 10), (sample.lossBound.map(kilobits) ?? "", 8),
                (Table.number(sample.inherentLoss, 2), 10), (Table.number(sample.queueDelay * 1000, 0), 10),
                ("\(sample.waiting)", 9), ("\(pictures)", 10),
            ]
            let line = cells.map { String(repeating: " ", count: max(0, $1 - $0.count)) + $0 }.joined()
            lines.append(line + (sample.isDown ? "  down" : ""))
            last = sample.at
        }
        return lines.joined(separator: "\n")
    }

    private func kilobits(_ rate: Int) -> String { "\(rate / 1000)" }
}

/// The outcomes of many seeds as a table in Markdown: per scenario a row, each figure as its median and its worst.
package struct Table: Sendable {
    private var outcomes: [String: [Outcome]] = [:]

    package init() {}

    package mutating func add(_ outcome: Outcome) {
        var outcome = outcome
        (outcome.samples, outcome.shown, outcome.heard) = ([], [], [])
        outcomes[outcome.scenario, default: []].append(outcome)
    }

    package var text: String {
        var lines = [
            "| network | runs | held | connected after, s | pictures/s | freezes > 200 ms per minute "
                + "| longest freeze, ms | moving again after, ms | sound made up, % | queueing delay, ms "
                + "| target, kbit/s |",
            "| --- " + String(repeating: "| ---: ", count: 10) + "|",
        ]
        for scenario in Scenario.all {
            if let runs = outcomes[scenario.name] { lines.append(row(scenario, runs)) }
        }
        return lines.joined(separator: "\n")
    }

    private func row(_ scenario: Scenario, _ runs: [Outcome]) -> String {
        let held = runs.count { $0.complaints.isEmpty }
        let freezes = Double(runs.reduce(0) { $0 + $1.freezes }) / Double(runs.count) * 60 / scenario.duration
        let recovers = scenario.restored != nil
        let isNarrow = scenario.forward.bitsPerSecond != nil
        let cells: [String] = [
            scenario.name, "\(runs.count)", "\(held)",
            both(runs.map { $0.connectedAfter ?? .infinity }, digits: 2),
            both(runs.map(\.framesPerSecond), digits: 1, worstIsLeast: true), Table.number(freezes, 1),
            both(runs.map { $0.longestFreeze * 1000 }),
            recovers ? both(runs.map { ($0.recovery ?? .infinity) * 1000 }) : "",
            both(runs.map { $0.concealed * 100 }, digits: 1),
            isNarrow ? both(runs.map { $0.queueDelay95 * 1000 }) : "",
            both(runs.map { $0.target / 1000 }, worstIsLeast: true),
        ]
        return "| " + cells.joined(separator: " | ") + " |"
    }

    /// Median, and the worst in brackets.
    private func both(_ values: [Double], digits: Int = 0, worstIsLeast: Bool = false) -> String {
        let sorted = values.sorted()
        guard let worst = worstIsLeast ? sorted.first : sorted.last else { return "" }
        return "\(Table.number(sorted[sorted.count / 2], digits)) (\(Table.number(worst, digits)))"
    }

    fileprivate static func number(_ value: Double, _ digits: Int) -> String {
        guard value.isFinite else { return "never" }
        let scale = digits == 0 ? 1 : digits == 1 ? 10 : 100
        let scaled = Int((value * Double(scale)).rounded())
        guard digits > 0 else { return "\(scaled)" }
        let part = String(scaled % scale)
        return "\(scaled / scale)." + String(repeating: "0", count: digits - part.count) + part
    }
}
