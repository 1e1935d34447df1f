/// A JSON value (RFC 8259). Objects keep the order of their members; whole numbers and fractions stay apart.
package enum JSON: Hashable, Sendable {
    case null
    case bool(Bool)
    case int(Int)
    /// Finite: the parser refuses what a double cannot hold, the printer writes `null` for anything else.
    case double(Double)
    case string(String)
    case array([JSON])
    /// Keys are distinct in everything the parser makes.
    case object([Member])

    /// One `"key": value` of an object.
    package struct Member: Hashable, Sendable {
        package var key: String
        package var value: JSON

        package init(_ key: String, _ value: JSON) {
            self.key = key
            self.value = value
        }
    }

    /// The first member of that name; nil where there is none, and on a value that is not an object.
    package subscript(key: String) -> JSON? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.key == key }?.value
    }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int) { self = .int(value) }
    package init(floatLiteral value: Double) { self = .double(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(arrayLiteral elements: JSON...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, JSON)...) { self = .object(elements.map { Member($0.0, $0.1) }) }
    package init(nilLiteral: ()) { self = .null }
}

/// A place in a text. Both count from 1; a column is one Unicode scalar, a tab included.
package struct TextPosition: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var line: Int
    package var column: Int

    package init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    /// The first character of a text.
    package static let start = TextPosition(line: 1, column: 1)
    package static func < (a: TextPosition, b: TextPosition) -> Bool { (a.line, a.column) < (b.line, b.column) }
    package var description: String { "line \(line), column \(column)" }
}

/// A parsed JSON value that knows where it stood in the text.
package struct JSONNode: Sendable {
    package var content: Content
    package var position: TextPosition

    package enum Content: Sendable {
        case null
        case bool(Bool)
        case int(Int)
        case double(Double)
        case string(String)
        case array([JSONNode])
        case object([Member])
    }

    /// One member of an object; `keyPosition` is that of the opening quote of the key.
    package struct Member: Sendable {
        package var key: String
        package var keyPosition: TextPosition
        package var value: JSONNode
    }

    package init(_ content: Content, at position: TextPosition) {
        self.content = content
        self.position = position
    }

    /// The value without its positions.
    package var json: JSON {
        switch content {
        case .null: .null
        case .bool(let value): .bool(value)
        case .int(let value): .int(value)
        case .double(let value): .double(value)
        case .string(let value): .string(value)
        case .array(let nodes): .array(nodes.map(\.json))
        case .object(let members): .object(members.map { JSON.Member($0.key, $0.value.json) })
        }
    }

    /// The value, if the node is a string.
    package var string: String? {
        if case .string(let value) = content { return value }
        return nil
    }
    /// The members, if the node is an object.
    package var members: [Member]? {
        if case .object(let members) = content { return members }
        return nil
    }
    /// The entries, if the node is an array.
    package var entries: [JSONNode]? {
        if case .array(let entries) = content { return entries }
        return nil
    }
    /// What kind of value this is, for error messages: `a string`, `an object`, `the number 7`.
    package var kindName: String {
        switch content {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .int(let value): "the number \(value)"
        case .double(let value): "the number \(value)"
        case .string(let value): "the string \(quoted(value))"
        case .array: "a list"
        case .object: "an object"
        }
    }
}
