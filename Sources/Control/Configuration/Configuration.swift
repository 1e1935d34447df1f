/// What was set, and where. Later readings win over earlier ones, a setting at a time: read a file first, then the
/// environment, then the command line.
package struct Configuration: Sendable {
    package enum Origin: Hashable, Sendable, CustomStringConvertible {
        case file(String, TextPosition)
        case environment(String)
        case commandLine
        package var description: String {
            switch self {
            case .file(let path, let position): "\(path), \(position)"
            case .environment(let name): "environment variable \(name)"
            case .commandLine: "command line"
            }
        }
    }
    package struct Entry: Hashable, Sendable {
        package var values: [String]
        package var origin: Origin
    }
    /// A setting that is wrong, in a sentence that says where it stands.
    package struct Trouble: Error, Hashable, CustomStringConvertible {
        package let description: String
    }

    package let table: SettingTable
    package private(set) var entries: [String: Entry] = [:]
    /// What was not understood and does no harm, in sentences.
    package private(set) var warnings: [String] = []

    package init(_ table: SettingTable) { self.table = table }

    // MARK: Reading

    /// Commented JSON: one object, settings by name.
    package mutating func read(file: [UInt8], path: String) throws(Trouble) {
        let root: JSONNode
        do { root = try JSONNode(parsing: file, limits: .document) } catch {
            throw Trouble(description: "\(path), \(error)")
        }
        guard let members = root.members else {
            throw Trouble(description: "\(path): expected an object of settings, found \(root.kindName)")
        }
        for member in members {
            let place = Origin.file(path, member.keyPosition)
            guard let setting = table[member.key] else {
                let names = table.settings.map(\.name)
                throw Trouble(
                    description: "\(place): there is no setting \(quoted(member.key))"
                        + "\(suggestion(for: member.key, among: names)); `tessera configuration` lists them")
            }
            try set(setting, try values(of: member.value, setting, place), place)
        }
    }

    private func values(of node: JSONNode, _ setting: Setting, _ place: Origin) throws(Trouble) -> [String] {
        if setting.kind == .json { return [node.json.compact] }
        if let entries = node.entries {
            guard setting.isList else {
                throw Trouble(description: "\(place): \(setting.name) is a list; it must be one value")
            }
            var out: [String] = []
            for entry in entries { out.append(try text(of: entry, setting, place)) }
            return out
        }
        return [try text(of: node, setting, place)]
    }

    private func text(of node: JSONNode, _ setting: Setting, _ place: Origin) throws(Trouble) -> String {
        switch (node.content, setting.kind) {
        case (.bool(let value), .flag): return value ? "true" : "false"
        case (.int(let value), .number), (.int(let value), .text): return String(value)
        case (.string(let value), .text), (.string(let value), .choice): return value
        default:
            let wanted =
                switch setting.kind {
                case .flag: "true or false"
                case .number: "a number"
                default: "a string"
                }
            throw Trouble(description: "\(place): \(setting.name) is \(node.kindName); it must be \(wanted)")
        }
    }

    /// Variables that begin with `TESSERA_`, and those of the table's aliases, which count less.
    package mutating func read(environment: [String: String]) throws(Trouble) {
        for alias in table.aliases {
            guard let setting = table[alias.setting],
                let name = alias.variables.first(where: { environment[$0] != nil })
            else { continue }
            switch alias.read(environment.filter { !$0.value.isEmpty }) {
            case .values(let values): try set(setting, values, .environment(name))
            case .notUnderstood(let why): warnings.append("environment variable \(name): \(why)")
            case .absent: break
            }
        }
        for setting in table.settings {
            guard let text = environment[setting.variable], !text.isEmpty else { continue }
            let values =
                setting.isList
                ? text.split(separator: ",").map { $0.trimmingSpaces } : [text]
            try set(setting, values, .environment(setting.variable))
        }
    }

    /// One option of the command line, whole.
    package mutating func read(option name: String, _ values: [String]) throws(Trouble) {
        guard let setting = table[name], !values.isEmpty else { return }
        try set(setting, setting.isList ? values : Array(values.suffix(1)), .commandLine)
    }

    private mutating func set(_ setting: Setting, _ values: [String], _ origin: Origin) throws(Trouble) {
        for value in values {
            guard let complaint = setting.complaint(about: value) else { continue }
            let name = origin == .commandLine ? setting.flag : setting.name
            let place = origin == .commandLine ? "" : "\(origin): "
            throw Trouble(description: "\(place)\(name) is “\(shortened(printable(value)))”; \(complaint)")
        }
        entries[setting.name] = Entry(values: values, origin: origin)
    }

    static func truth(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true", "yes", "on", "1": true
        case "false", "no", "off", "0": false
        default: nil
        }
    }

    // MARK: Values

    package func text(_ name: String) -> String? { entries[name]?.values.last }
    package func all(_ name: String) -> [String] { entries[name]?.values ?? [] }
    package func number(_ name: String) -> Int? { text(name).flatMap { Int($0) } }
    /// nil where nobody said either.
    package func flag(_ name: String) -> Bool? { text(name).flatMap(Self.truth) }

    /// A complaint about the value of a setting that only its user can judge.
    package func trouble(_ name: String, _ complaint: String) -> Trouble {
        guard let entry = entries[name] else { return Trouble(description: "\(name): \(complaint)") }
        let value = shortened(printable(entry.values.joined(separator: ", ")))
        return entry.origin == .commandLine
            ? Trouble(description: "--\(name) is “\(value)”; \(complaint)")
            : Trouble(description: "\(entry.origin): \(name) is “\(value)”; \(complaint)")
    }

    /// What is set and where, one line each; secrets (names in `hidden`) as dots.
    package func listing(hidden: Set<String>) -> String {
        var out = ""
        for setting in table.settings {
            guard let entry = entries[setting.name] else { continue }
            let value = hidden.contains(setting.name) ? "…" : entry.values.joined(separator: ", ")
            out += "\(padded(setting.name, to: 24)) \(printable(value))   (\(entry.origin))\n"
        }
        return out
    }
}

extension Substring {
    fileprivate var trimmingSpaces: String {
        var rest = self
        while rest.first == " " { rest.removeFirst() }
        while rest.last == " " { rest.removeLast() }
        return String(rest)
    }
}
