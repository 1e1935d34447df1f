/// What `${…}` means at one place of a document.
struct Scope {
    /// The parameters of the document.
    let parameters: [String: PipelineDocument.Parameter]
    let bindings: [String: Binding]
    /// The entry that this copy of an element stands for: the list it comes from and where it is in it.
    var entry: (list: String, index: Int)?
    /// Parameters that were used anywhere.
    var used: Set<String> = []

    /// A word that `${…}` could have meant.
    var names: [String] {
        parameters.keys.sorted() + (entry == nil ? [] : DocumentReader.reserved)
    }
}

/// Why a `${…}` has no meaning; a clause.
struct SubstitutionError: Error {
    var message: String
}

extension Scope {
    /// A part of a text: as it stands, or what stood between `${` and `}`.
    private enum Part {
        case text(String)
        case reference(String)
    }

    /// The text with its references replaced. A text that is nothing but one reference becomes the value, with its
    /// type; nil if that is an optional parameter without a value. `$${` stands for `${`.
    mutating func substitute(_ text: String) throws(SubstitutionError) -> GivenValue.Content? {
        guard text.utf8.contains(UInt8(ascii: "$")) else { return .string(text) }
        let parts = try Scope.split(text)
        if parts.count == 1, case .reference(let reference) = parts[0] { return try value(of: reference) }
        var out = ""
        var isPending = false
        for part in parts {
            switch part {
            case .text(let text): out += text
            case .reference(let reference):
                guard let value = try value(of: reference) else {
                    throw SubstitutionError(
                        message: "${\(reference)} has no value and is only part of a text; give it one")
                }
                switch value {
                case .string(let text): out += text
                case .int(let number): out += String(number)
                case .double(let number): out += plain(number)
                case .bool(let flag): out += flag ? "true" : "false"
                case .pending(let text, .list), .pending(let text, .structure):
                    throw SubstitutionError(message: "\(text) is not a single value and cannot be part of a text")
                case .pending(let text, _):
                    out += text
                    isPending = true
                case .null, .list, .object:
                    throw SubstitutionError(
                        message: "${\(reference)} is not a single value and cannot be part of a text")
                }
            }
        }
        return isPending ? .pending(out, .text) : .string(out)
    }

    private static func split(_ text: String) throws(SubstitutionError) -> [Part] {
        var parts: [Part] = []
        var plain = ""
        var rest = Substring(text)
        while let character = rest.first {
            if rest.hasPrefix("$${") {
                plain += "${"
                rest = rest.dropFirst(3)
            } else if rest.hasPrefix("${") {
                guard let end = rest.firstIndex(of: "}") else {
                    throw SubstitutionError(message: "a '${' without '}' (write '$${' for the text itself)")
                }
                if !plain.isEmpty { parts.append(.text(plain)) }
                plain = ""
                parts.append(.reference(String(rest[rest.index(rest.startIndex, offsetBy: 2)..<end])))
                rest = rest[rest.index(after: end)...]
            } else {
                plain.append(character)
                rest = rest.dropFirst()
            }
        }
        if !plain.isEmpty || parts.isEmpty { parts.append(.text(plain)) }
        return parts
    }

    /// `name`, `name[2]`, `name[index]`, and inside `each` also `item`, `index` (from 0) and `number` (from 1).
    private mutating func value(of reference: String) throws(SubstitutionError) -> GivenValue.Content? {
        if DocumentReader.reserved.contains(reference) {
            guard let entry else {
                throw SubstitutionError(message: "${\(reference)} has a meaning only together with 'each'")
            }
            switch reference {
            case "index": return .int(entry.index)
            case "number": return .int(entry.index + 1)
            default: return try self.entry(entry.index, of: entry.list, reference)
            }
        }
        var name = reference
        var index: Int?
        if reference.hasSuffix("]"), let open = reference.firstIndex(of: "[") {
            name = String(reference[..<open])
            let inner = reference[reference.index(after: open)...].dropLast()
            if inner == "index" {
                guard let entry else {
                    throw SubstitutionError(message: "[index] has a meaning only together with 'each'")
                }
                index = entry.index
            } else if let number = Int(inner), number >= 0 {
                index = number
            } else {
                throw SubstitutionError(message: "[\(shortened(String(inner), to: 20))] must be a number or [index]")
            }
        }
        guard let parameter = parameters[name] else {
            throw SubstitutionError(
                message: "there is no parameter \(quoted(name))\(suggestion(for: name, among: names))")
        }
        used.insert(name)
        if let index {
            if reference.hasSuffix("[index]") { try checkSideBySide(name) }
            return try entry(index, of: name, reference)
        }
        return switch bindings[name] {
        case .value(let value): Scope.given(value, as: parameter.type)
        case .absent, nil: nil
        }
    }

    /// `[index]` reads a list along another: both must have the same length.
    private func checkSideBySide(_ name: String) throws(SubstitutionError) {
        guard let entry, case .value(.list(let mine)) = bindings[name],
            case .value(.list(let theirs)) = bindings[entry.list], mine.count != theirs.count
        else { return }
        if case .pending? = mine.first { return }
        if case .pending? = theirs.first { return }
        throw SubstitutionError(
            message: "'\(name)' has \(mine.count == 1 ? "1 entry" : "\(mine.count) entries") and '\(entry.list)' has "
                + "\(theirs.count); they are read side by side and must be as many")
    }

    private mutating func entry(
        _ index: Int, of name: String, _ reference: String
    ) throws(SubstitutionError) -> GivenValue.Content? {
        guard let parameter = parameters[name], case .list(let inner) = parameter.type else {
            throw SubstitutionError(message: "\(quoted(name)) is not a list")
        }
        used.insert(name)
        guard case .value(.list(let values)) = bindings[name] else { return nil }
        guard values.indices.contains(index) else {
            // An outline's lists have a length of their own.
            if case .pending? = values.first { return .pending("${\(name)[\(index)]}", inner) }
            throw SubstitutionError(
                message: "${\(reference)} asks for entry \(index + 1) of '\(name)', which has \(values.count)")
        }
        return Scope.given(values[index], as: inner)
    }

    private static func given(_ value: ArgumentValue, as type: ValueType) -> GivenValue.Content {
        switch value {
        case .string(let text), .object(let text): return .string(text)
        case .int(let number): return .int(number)
        case .float(let number): return .double(number)
        case .boolean(let flag): return .bool(flag)
        case .list(let values):
            let inner: ValueType = if case .list(let entry) = type { entry } else { .any }
            return .list(values.map { GivenValue(given($0, as: inner)) })
        case .structure(let members):
            return .object(members.map { GivenMember(name: $0.name, value: GivenValue(given($0.value, as: .any))) })
        case .pending(let text): return .pending(text, type)
        }
    }
}
