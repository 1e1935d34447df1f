extension PipelineDocument {
    /// What `tessera run FILE --help` says: the description, and what can be set, for a terminal of that width.
    package func help(width: Int = 80) -> String {
        var lines = wrapped(printable(description), to: width)
        if !lines.isEmpty { lines.append("") }
        let required = parameters.filter(\.isRequired)
        let rest = parameters.filter { !$0.isRequired }
        let example = required.map { " --set \($0.name)=\($0.type.placeholder)" }.joined()
        let usage = "Usage: tessera run \(printable(file))\(example)\(rest.isEmpty ? "" : " [--set name=value]…")"
        lines += wrapped(usage, to: width - 4).enumerated().map { $0 == 0 ? $1 : "    " + $1 }
        for (title, group) in [("Required:", required), ("Optional:", rest)] where !group.isEmpty {
            lines += ["", title]
            let column = min(24, (group.map(\.name.count).max() ?? 0) + 2)
            for parameter in group { lines += PipelineDocument.help(parameter, column, width) }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func help(_ parameter: Parameter, _ column: Int, _ width: Int) -> [String] {
        var text = parameter.type.summary
        if let value = parameter.defaultValue { text += ", default \(value)" }
        if !parameter.doc.isEmpty { text += ". " + printable(parameter.doc) }
        let body = wrapped(text, to: max(20, width - column - 2))
        return body.enumerated().map { index, line in
            "  " + padded(index == 0 ? parameter.name : "", to: column) + line
        }
    }
}

extension ValueType {
    /// What to write after `name=` in a command line.
    fileprivate var placeholder: String {
        switch self {
        case .list(let inner): "\(inner.placeholder),\(inner.placeholder)…"
        case .string(.uri): "FILE"
        case .int, .float: "NUMBER"
        case .boolean: "true|false"
        default: "TEXT"
        }
    }

    /// The type and what is allowed: `whole number from 16 to 8192`.
    fileprivate var summary: String {
        switch self {
        case .list(let inner): "list (\(inner.summary))"
        case .string(.uri): "file or address"
        case .string(.any): "text"
        default: expectation.hasPrefix("a ") ? String(expectation.dropFirst(2)) : expectation
        }
    }
}
