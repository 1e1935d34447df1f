// Prints how the bandwidth estimate does on simulated lines (the table of docs/bandwidth.md), and what a packet costs.
// swift run -c release bench-sending [packets | seeds FIRST | CASE [SEED]]
// packets: only their cost; seeds: the table of ten others; a case: its course
import Core
import RTP
import TestKit

/// One decimal.
func tenths(_ value: Double) -> String {
    guard value.isFinite else { return "never" }
    let scaled = Int((value * 10).rounded())
    return "\(scaled / 10).\(scaled % 10)"
}

func padded(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
}

func worst(_ values: [Double]) -> Double { values.max() ?? 0 }
func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(max(1, values.count)) }

// Not the seeds that the constants were chosen with (1 to 10).
let seeds: ClosedRange<UInt64> = 101...110

func table(_ seeds: ClosedRange<UInt64>) {
    print("| line | settled, s | use, % | least use, % | queue p95, ms | dropped, % | fairness, % | rung | changes |")
    print("| --- | --: | --: | --: | --: | --: | --: | --: | --: |")
    for scenario in LineScenario.list {
        let results = seeds.map { scenario.run(seed: $0) }
        let isLadder = scenario.name.hasPrefix("ladder")
        let cells = [
            tenths(worst(results.map(\.settled))), tenths(100 * mean(results.map(\.utilisation))),
            tenths(100 * (results.map(\.utilisation).min() ?? 0)),
            tenths(1000 * worst(results.map(\.queueDelay))), tenths(100 * mean(results.map(\.overflow))),
            scenario.flows.count > 1 ? tenths(100 * (results.map(\.fairness).min() ?? 0)) : "",
            isLadder ? "\(results.map(\.rung).min() ?? 0)" : "",
            isLadder ? "\(results.map(\.rungChanges).max() ?? 0)" : "",
        ]
        print("| \(scenario.name) | \(cells.map { padded($0, 5) }.joined(separator: " | ")) |")
    }
}

func course(of scenario: LineScenario, seed: UInt64) {
    let rig = scenario.rig(seed: seed)
    rig.run(until: scenario.duration)
    print("time target delivered loss-bound inherent-loss noisy rung queue-ms")
    for flow in rig.flows {
        for sample in flow.samples where Int(sample.time * 10 + 0.5) % 5 == 0 {
            print(
                tenths(sample.time), sample.target / 1000, sample.delivered / 1000, (sample.bound ?? -1000) / 1000,
                tenths(100 * sample.inherentLoss), sample.isNoisy, sample.rung,
                tenths(1000 * rig.queueDelay(0.9, from: sample.time - 0.5, to: sample.time)))
        }
    }
}

switch CommandLine.arguments.dropFirst().first {
case nil:
    table(seeds)
    print("")
    packetCost()
case "packets": packetCost()
case "seeds":
    let first = CommandLine.arguments.dropFirst(2).first.flatMap { UInt64($0) } ?? 1
    table(first...(first + 9))
case let name?:
    let seed = CommandLine.arguments.dropFirst(2).first.flatMap { UInt64($0) } ?? 1
    if let scenario = LineScenario.list.first(where: { $0.name.hasPrefix(name) }) { course(of: scenario, seed: seed) }
}
