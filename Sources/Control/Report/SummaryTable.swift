import Core

extension RunSummary {
    /// The table at the end of a run: one line per element and stage, then totals, drops, outputs and troubles.
    ///
    /// Times are processor time in the stage's own work: in all, and per frame. `frames` of an element are what came
    /// in → what went out; of a stage, what it dealt with.
    package func table(width: Int = 80) -> String {
        let rows = elements.flatMap { element in
            [Row(element)] + element.stages.map { Row($0) }
        }
        var lines: [String] = []
        if !rows.isEmpty {
            // The first column takes what the others leave; it is cut before they are.
            let columns = Row.head.numbers.indices.map { column in
                ([Row.head] + rows).map { cellWidth($0.numbers[column]) }.max() ?? 0
            }
            let used = columns.reduce(0) { $0 + $1 + 2 }
            let longest = ([Row.head] + rows).map { cellWidth($0.text) }.max() ?? 0
            let first = max(12, min(longest, width - used))
            for row in [Row.head] + rows {
                var line = padded(fitted(row.text, to: first), to: first)
                for (number, column) in zip(row.numbers, columns) { line += "  " + aligned(number, to: column) }
                lines.append(trimmed(line))
            }
            lines.append("")
        }
        lines += dropLines(width)
        lines += wrapped(totals, to: width)
        lines += outputs.map { output in
            let state = output.isComplete ? "" : ", not closed properly"
            let facts = "  \(RunSummary.size(output.bytes)), \(RunProgress.clock(output.duration))\(state)"
            return fitted(printable(output.uri), to: max(16, width - cellWidth(facts))) + facts
        }
        if !isReproducible { lines.append("Not reproducible: another run may give other bytes.") }
        lines += troubles.flatMap { wrapped("! " + printable($0), to: width) }
        return lines.joined(separator: "\n") + "\n"
    }

    /// `Made 0:00:20 of media in 2.4 s (8.3× real time), 4.1 s of CPU, 85.0 MiB of memory.`
    private var totals: String {
        let wall = wallTime.isFinite ? wallTime.seconds : 0
        let speed = wall > 0 && mediaTime.isFinite ? " (\(fixed(mediaTime.seconds / wall, 1))× real time)" : ""
        let memory = peakMemoryBytes > 0 ? ", \(RunSummary.size(peakMemoryBytes)) of memory at most" : ""
        return "Made \(RunProgress.clock(mediaTime)) of media in \(fixed(wall, 1)) s\(speed), "
            + "\(fixed(cpuSeconds, 1)) s of CPU\(memory)."
    }

    /// One line per stage that dropped something; one that says so if none did.
    private func dropLines(_ width: Int) -> [String] {
        var lines: [String] = []
        for element in elements {
            for stage in element.stages {
                let drops = stage.drops.filter { $0.count > 0 }
                guard !drops.isEmpty else { continue }
                let total = drops.reduce(0) { $0 + $1.count }
                let reasons = drops.map { "\($0.count) \($0.reason)" }.joined(separator: ", ")
                let label = [stage.kind.rawValue, stage.codec].compactMap { $0 }.joined(separator: " ")
                lines += wrapped("Dropped \(total) in \(element.name), \(label): \(printable(reasons)).", to: width)
            }
        }
        return lines.isEmpty ? ["Nothing was dropped."] : lines
    }

    /// Bytes in the unit that leaves one to four digits: `512 B`, `85.0 MiB`.
    static func size(_ bytes: Int) -> String {
        var value = Double(bytes)
        for unit in ["B", "KiB", "MiB", "GiB"] {
            if abs(value) < 1024 { return unit == "B" ? "\(bytes) B" : "\(fixed(value, 1)) \(unit)" }
            value /= 1024
        }
        return "\(fixed(value, 1)) TiB"
    }

    private func trimmed(_ line: String) -> String {
        var line = line
        while line.hasSuffix(" ") { line.removeLast() }
        return line
    }

    /// One line of the table, before it is aligned.
    private struct Row {
        var text: String
        var numbers: [String]

        static let head = Row(
            text: "element, stage", numbers: ["shared", "frames", "dropped", "CPU ms", "ms/frame"])

        private init(text: String, numbers: [String]) {
            self.text = text
            self.numbers = numbers
        }

        init(_ element: Element) {
            text = printable("\(element.name)  \(element.className)")
            let drops = element.stages.flatMap(\.drops).reduce(0) { $0 + $1.count }
            let time = element.stages.reduce(0) { $0 + $1.cpuSeconds }
            let frames = "\(element.framesIn) → \(element.framesOut)"
            let cpu = element.stages.isEmpty ? "" : fixed(time * 1000, 1)
            numbers = ["", frames, element.stages.isEmpty ? "" : String(drops), cpu, ""]
        }

        init(_ stage: Stage) {
            let words = [stage.kind.rawValue, stage.codec, stage.name].compactMap { $0 }.filter { !$0.isEmpty }
            text = printable("  " + words.joined(separator: " "))
            let drops = stage.drops.reduce(0) { $0 + $1.count }
            numbers = [
                stage.sharedBy > 1 ? "by \(stage.sharedBy)" : "", String(stage.frames), String(drops),
                fixed(stage.cpuSeconds * 1000, 1),
                stage.frames > 0 ? fixed(stage.cpuSeconds * 1000 / Double(stage.frames), 3) : "",
            ]
        }
    }
}
