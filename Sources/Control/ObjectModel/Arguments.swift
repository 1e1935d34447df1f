/// Checked arguments of one constructor or method call.
package struct Arguments: Hashable, Sendable {
    /// What was written, in the order of the description.
    package var given: [Argument]
    /// What the description fills in for parameters that were left out; those without a default are in neither list.
    package var defaults: [Argument]

    package init(given: [Argument] = [], defaults: [Argument] = []) {
        self.given = given
        self.defaults = defaults
    }

    /// The argument of that name, given or by default; nil where it was left out and has no default.
    package subscript(name: String) -> ArgumentValue? {
        given.first { $0.name == name }?.value ?? defaults.first { $0.name == name }?.value
    }

    /// The text of a string or enumeration argument.
    package func string(_ name: String) -> String? {
        if case .string(let value) = self[name] { return value }
        return nil
    }
    package func int(_ name: String) -> Int? {
        if case .int(let value) = self[name] { return value }
        return nil
    }
    package func float(_ name: String) -> Double? { self[name]?.float }
    package func boolean(_ name: String) -> Bool? {
        if case .boolean(let value) = self[name] { return value }
        return nil
    }
    /// The element's name or the object's id.
    package func object(_ name: String) -> String? {
        if case .object(let value) = self[name] { return value }
        return nil
    }
    /// The members of a structure.
    package func structure(_ name: String) -> [Argument]? {
        if case .structure(let value) = self[name] { return value }
        return nil
    }
}

extension ArgumentValue {
    /// The text of a string; nil for anything else.
    package var text: String? { if case .string(let value) = self { value } else { nil } }
    /// The number of a float or int.
    package var float: Double? {
        switch self {
        case .float(let value): value
        case .int(let value): Double(value)
        default: nil
        }
    }
}

/// A value as it came in, before it is known whether it is what the parameter wants.
package struct GivenValue: Sendable {
    package var content: Content
    package var position: TextPosition

    package enum Content: Sendable {
        case null
        case bool(Bool)
        case int(Int)
        case double(Double)
        case string(String)
        case list([GivenValue])
        case object([GivenMember])
        /// A value that will be known later: the text that stands for it, and the type it will have.
        case pending(String, ValueType)
    }

    package init(_ content: Content, at position: TextPosition = .start) {
        self.content = content
        self.position = position
    }

    /// A parsed value as it is.
    package init(_ node: JSONNode) {
        position = node.position
        switch node.content {
        case .null: content = .null
        case .bool(let value): content = .bool(value)
        case .int(let value): content = .int(value)
        case .double(let value): content = .double(value)
        case .string(let value): content = .string(value)
        case .array(let entries): content = .list(entries.map { GivenValue($0) })
        case .object(let members):
            content = .object(
                members.map { GivenMember(name: $0.key, namePosition: $0.keyPosition, value: GivenValue($0.value)) })
        }
    }

    /// What was found, for an error message.
    var kindName: String {
        switch content {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .int(let value): String(value)
        case .double(let value): String(value)
        case .string(let value): quoted(value)
        case .list: "a list"
        case .object: "an object"
        case .pending(let text, let type): "\(text), which is \(type.expectation)"
        }
    }
}

/// A named value as it came in.
package struct GivenMember: Sendable {
    package var name: String
    package var namePosition: TextPosition
    package var value: GivenValue

    package init(name: String, namePosition: TextPosition = .start, value: GivenValue) {
        self.name = name
        self.namePosition = namePosition
        self.value = value
    }
}

extension ValueType {
    /// What the type wants, after "must be": `a whole number from 16 to 8192`.
    var expectation: String {
        switch self {
        case .string(.any): "a string"
        case .string(.uri): "a path or an address, not empty and without control characters"
        case .string(.colour): "a colour such as '#1a2b3c'"
        case .int(let range):
            constraint == nil
                ? "a whole number"
                : range.upperBound == Int(Int32.max) || range.upperBound == .max
                    ? "a whole number of \(range.lowerBound) or more"
                    : "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .float(let range):
            constraint == nil
                ? "a number"
                : range.upperBound == .greatestFiniteMagnitude
                    ? "a number of \(plain(range.lowerBound)) or more"
                    : "a number from \(plain(range.lowerBound)) to \(plain(range.upperBound))"
        case .double: "a number"
        case .boolean: "true or false"
        case .enumeration(let description): listed(description.values)
        case .structure(let description):
            "an object with \(listed(description.members.map(\.name), "and"))"
        case .object(let className): "the name of a \(className)"
        case .list: "a list"
        case .map: "an object"
        case .any: "a value"
        }
    }
}
