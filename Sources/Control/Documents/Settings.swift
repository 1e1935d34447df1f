/// Values for the parameters of a document, already checked against their types.
package struct Settings: Hashable, Sendable {
    package internal(set) var values: [String: ArgumentValue] = [:]

    /// No values: every parameter has its default.
    package init() {}
}

extension PipelineDocument {
    /// Reads `name=value` texts, as `--set` brings them.
    ///
    /// A list takes entries separated by commas (`\,` is a comma inside an entry, `\\` a backslash) and may be set
    /// several times: later entries come behind. Anything else may be set once. Throws every mistake there is.
    package func settings(_ assignments: [String]) throws(DocumentErrors) -> Settings {
        var settings = Settings()
        var found = DiagnosticCollector(file: file, limit: limits.diagnostics)
        for assignment in assignments {
            guard let equals = assignment.firstIndex(of: "=") else {
                found.error(nil, "--set \(quoted(assignment)) must be name=value")
                continue
            }
            let name = String(assignment[..<equals])
            let text = String(assignment[assignment.index(after: equals)...])
            guard let parameter = parameters.first(where: { $0.name == name }) else {
                let names = parameters.map(\.name)
                let known = names.isEmpty ? "it has none" : "it has \(listed(names, "and"))"
                found.error(
                    nil,
                    "--set \(quoted(name)): the document has no such parameter"
                        + "\(suggestion(for: name, among: names)); \(known)")
                continue
            }
            for message in set(parameter, text, in: &settings) { found.error(nil, "--set \(message)") }
        }
        for parameter in parameters {
            guard case .list(let entries)? = settings.values[parameter.name] else { continue }
            if entries.count < parameter.minimumCount {
                found.error(
                    nil,
                    "--set \(parameter.name) needs at least \(parameter.minimumCount) "
                        + "\(parameter.minimumCount == 1 ? "entry" : "entries"), found \(entries.count)")
            } else if entries.count > limits.listEntries {
                found.error(
                    nil, "--set \(parameter.name) has \(entries.count) entries; the limit is \(limits.listEntries)")
            }
        }
        try found.throwIfAny()
        return settings
    }

    /// What is wrong with the value; nothing if it went into the settings.
    private func set(_ parameter: Parameter, _ text: String, in settings: inout Settings) -> [String] {
        var checker = ArgumentChecker()
        if case .list(let inner) = parameter.type {
            var values: [ArgumentValue] = []
            if case .list(let earlier)? = settings.values[parameter.name] { values = earlier }
            for entry in PipelineDocument.splitList(text) {
                let given = GivenValue(PipelineDocument.given(entry, as: inner))
                if let value = checker.check(given, as: inner, name: "\(parameter.name)[\(values.count)]") {
                    values.append(value)
                }
            }
            settings.values[parameter.name] = .list(values)
        } else if settings.values[parameter.name] != nil {
            return ["\(parameter.name) is given a second time; only lists can be"]
        } else {
            let given = GivenValue(PipelineDocument.given(text, as: parameter.type))
            settings.values[parameter.name] = checker.check(given, as: parameter.type, name: parameter.name)
        }
        return checker.problems.map(\.message)
    }

    /// Entries between commas; an empty text has none.
    static func splitList(_ text: String) -> [String] {
        if text.isEmpty { return [] }
        var entries = [""]
        var isEscaped = false
        for character in text {
            if isEscaped {
                if character != "," && character != "\\" { entries[entries.count - 1].append("\\") }
                entries[entries.count - 1].append(character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character == "," {
                entries.append("")
            } else {
                entries[entries.count - 1].append(character)
            }
        }
        if isEscaped { entries[entries.count - 1].append("\\") }
        return entries
    }

    /// A text as the type reads it; what does not fit stays a text, and the check says so.
    private static func given(_ text: String, as type: ValueType) -> GivenValue.Content {
        switch type {
        case .int: Int(text).map { .int($0) } ?? .string(text)
        case .float:
            // Double also reads "nan", "inf" and hexadecimal, which nobody means here.
            text.allSatisfy({ "0123456789+-.eE".contains($0) })
                ? Double(text).map { .double($0) } ?? .string(text)
                : .string(text)
        case .boolean: text == "true" ? .bool(true) : text == "false" ? .bool(false) : .string(text)
        default: .string(text)
        }
    }
}
