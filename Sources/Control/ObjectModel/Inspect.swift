import Core

extension ObjectModel {
    /// What `tessera inspect` says: every class of which objects can be made, with its first sentence.
    package func inspection(width: Int = 80) -> String {
        let column = (concreteClasses.map(\.name.count).max() ?? 0) + 2
        var lines: [String] = []
        for description in concreteClasses {
            let body = wrapped(description.doc, to: max(20, width - column))
            lines += body.enumerated().map { padded($0 == 0 ? description.name : "", to: column) + $1 }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// What `tessera inspect CLASS` says: everything about one class, its ancestors' parts included; nil if there is
    /// no such class.
    package func inspection(of name: String, width: Int = 80) -> String? {
        let lineage = lineage(of: name)
        guard let own = lineage.first else { return nil }
        let path = lineage.map(\.name).joined(separator: " ← ")
        var lines = [own.isAbstract ? "\(path) (abstract)" : path]
        lines += wrapped(own.doc, to: width)
        if !own.sources.isEmpty { lines.append("Gives \(listed(own.sources.map(\.rawValue), "and")).") }
        if !own.sinks.isEmpty { lines.append("Takes \(listed(own.sinks.map(\.rawValue), "and")).") }
        lines += section(
            "Constructor", width,
            own.constructor.map { ($0.signature, $0.details) })
        lines += section(
            "Properties", width,
            lineage.flatMap(\.properties).map { ("\($0.name): \($0.type.name)", "\($0.access.rawValue). \($0.doc)") })
        lines += section("Methods", width, lineage.flatMap(\.methods).map { ($0.signature, $0.doc) })
        let events = eventNames(of: name).compactMap(event)
        lines += section("Events", width, events.map { ($0.signature, $0.doc) })
        return lines.joined(separator: "\n") + "\n"
    }

    private func section(_ title: String, _ width: Int, _ rows: [(head: String, body: String)]) -> [String] {
        guard !rows.isEmpty else { return [] }
        var lines = ["", "\(title):"]
        for row in rows {
            let head = wrapped(row.head, to: max(20, width - 2))
            lines += head.enumerated().map { ($0 == 0 ? "  " : "      ") + $1 }
            lines += wrapped(row.body, to: max(20, width - 6)).map { "      " + $0 }
        }
        return lines
    }
}

extension ParameterDescription {
    /// `width: int? = 800`, in the notation of Kurento's interface files.
    package var signature: String {
        "\(name): \(type.name)\(isOptional ? "?" : "")\(defaultValue.map { " = \($0)" } ?? "")"
    }

    /// What is allowed, what it means, and whether it is Tessera's own.
    var details: String {
        let allowed = type.constraint.map { "\($0). " } ?? ""
        return allowed + doc + (module == .tessera ? " (tessera)" : "")
    }
}

extension MethodDescription {
    /// `connect(source: HubPort, sink: HubPort)`, with `→ type` where it answers something.
    package var signature: String {
        "\(name)(\(parameters.map(\.signature).joined(separator: ", ")))\(returns.map { " → \($0.name)" } ?? "")"
    }
}

extension EventDescription {
    /// `UriEndpointStateChanged(state: UriEndpointState)`.
    package var signature: String {
        members.isEmpty ? name : "\(name)(\(members.map(\.signature).joined(separator: ", ")))"
    }
}
