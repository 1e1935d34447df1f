// Runs two peers over bad networks in virtual time, many seeds of each; script/simulate explains.
import Core
import Glibc
import Simulation

@main
struct Simulate {
    private struct Options {
        var seeds: ClosedRange<UInt64> = 1...20
        var scenarios = Scenario.all
        var jobs = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        var isReal = false
        var isTraced = false
        var speech: [Float] = []
        var hearing: String?
    }
    private struct Progress {
        var table = Table()
        var failed: [Outcome] = []
        var done = 0
    }

    static func main() async {
        let options = parse(Array(CommandLine.arguments.dropFirst()))
        var runs: [(Scenario, UInt64)] = []
        for seed in options.seeds { for scenario in options.scenarios { runs.append((scenario, seed)) } }
        let all = runs
        let next = Lock(0)
        let progress = Lock(Progress())
        let (isTraced, hearing) = (options.isTraced, options.hearing)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<min(options.jobs, all.count) {
                group.addTask {
                    while let index = next.withLock({ next in
                        defer { next += 1 }
                        return next < all.count ? next : nil
                    }) {
                        let outcome = run(all[index].0, all[index].1, options)
                        if let hearing { keep(outcome, in: hearing) }
                        if isTraced { print(outcome.trace()) }
                        note(outcome, in: progress, of: all.count)
                    }
                }
            }
        }
        if isatty(2) != 0 { complain("\r\u{1B}[K") }
        let (table, failed) = progress.withLock { ($0.table.text, $0.failed) }
        print(table)
        for outcome in failed.sorted(by: { ($0.scenario, $0.seed) < ($1.scenario, $1.seed) }).prefix(40) {
            let option = options.isReal ? " --real" : ""
            complain("\(outcome.complaints.joined(separator: "; "))\n")
            complain("    script/simulate\(option) --scenario \(outcome.scenario) --seed \(outcome.seed)\n")
        }
        if failed.count > 40 { complain("… and \(failed.count - 40) more\n") }
        exit(failed.isEmpty ? 0 : 1)
    }

    private static func run(_ scenario: Scenario, _ seed: UInt64, _ options: Options) -> Outcome {
        do {
            return try PeerRig(scenario, seed: seed, isReal: options.isReal, speech: options.speech).run()
        } catch {
            var outcome = Outcome(scenario: scenario.name, seed: seed)
            outcome.complaints = ["\(error)"]
            return outcome
        }
    }

    private static func note(_ outcome: Outcome, in progress: Lock<Progress>, of count: Int) {
        let (done, failed) = progress.withLock { progress -> (Int, Int) in
            progress.table.add(outcome)
            progress.done += 1
            if !outcome.complaints.isEmpty { progress.failed.append(outcome) }
            return (progress.done, progress.failed.count)
        }
        guard isatty(2) != 0 else { return }
        let filled = done * 40 / count
        let bar = String(repeating: "█", count: filled) + String(repeating: "·", count: 40 - filled)
        complain("\r\(bar) \(done)/\(count), \(failed) failed")
    }

    private static func parse(_ arguments: [String]) -> Options {
        var options = Options()
        var (first, count) = (UInt64(1), UInt64(20))
        var rest = arguments[...]
        func value(_ name: String) -> String {
            guard let value = rest.popFirst() else { die("\(name) needs a value") }
            return value
        }
        func whole(_ name: String) -> UInt64 {
            let text = value(name)
            guard let number = UInt64(text), number > 0 else { die("\(name) needs a number above 0, not \(text)") }
            return number
        }
        while let argument = rest.popFirst() {
            switch argument {
            case "--seeds": count = whole(argument)
            case "--from": first = whole(argument)
            case "--seed": (first, count) = (whole(argument), 1)
            case "--scenario":
                let name = value(argument)
                guard let scenario = Scenario.named(name) else {
                    die("no scenario \(name) (known: \(Scenario.all.map(\.name).joined(separator: ", ")))")
                }
                options.scenarios = [scenario]
            case "--jobs": options.jobs = Int(clamping: whole(argument))
            case "--real": options.isReal = true
            case "--trace": options.isTraced = true
            case "--speech":
                options.speech = speech(value(argument))
                options.hearing = value(argument)
            default: die("unknown option \(argument)")
            }
        }
        let (last, isTooMuch) = first.addingReportingOverflow(count - 1)
        guard !isTooMuch else { die("there are no seeds behind \(UInt64.max)") }
        options.seeds = first...last
        return options
    }

    /// Reads samples of 48 kHz, one channel, 16 bits each.
    private static func speech(_ path: String) -> [Float] {
        guard let file = fopen(path, "rb") else { die("cannot read \(path)") }
        defer { fclose(file) }
        var samples: [Float] = []
        var part = [Int16](repeating: 0, count: 4096)
        while case let count = fread(&part, 2, part.count, file), count > 0 {
            samples += part[..<count].map { Float($0) / 32_768 }
        }
        return samples
    }

    /// Writes what was heard into a folder, as NETWORK-SEED.raw.
    private static func keep(_ outcome: Outcome, in folder: String) {
        guard let file = fopen("\(folder)/\(outcome.scenario)-\(outcome.seed).raw", "wb") else { return }
        defer { fclose(file) }
        let samples = outcome.heard.map { Int16(max(-1, min(1, $0)) * 32_767) }
        fwrite(samples, 2, samples.count, file)
    }

    private static func complain(_ text: String) {
        _ = text.withCString { write(2, $0, strlen($0)) }
    }

    private static func die(_ text: String) -> Never {
        complain("simulate: \(text)\n")
        exit(2)
    }
}
