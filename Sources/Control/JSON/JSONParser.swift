/// Why a text is not JSON, and where. Prints as `line 12, column 5: expected ',' or '}' after a member, found 'x'`.
package struct JSONError: Error, Hashable, CustomStringConvertible {
    package var position: TextPosition
    package var message: String
    package var description: String { "\(position): \(message)" }
}

/// What a parser accepts. Everything that a sender chooses has a bound here.
package struct JSONLimits: Sendable {
    /// How many arrays and objects may stand inside one another. Parsing recurses; 64 levels need little stack.
    package var depth = 64
    /// Bytes of a text.
    package var bytes = 16 << 20
    /// Whether `// …` and `/* … */` may stand wherever a space may. RFC 8259 has no comments: documents allow them,
    /// the wire does not.
    package var comments = false

    package init(depth: Int = 64, bytes: Int = 16 << 20, comments: Bool = false) {
        self.depth = depth
        self.bytes = bytes
        self.comments = comments
    }

    /// What a pipeline document may be: commented JSON.
    package static let document = JSONLimits(comments: true)
}

extension JSONNode {
    /// Parses one JSON value (RFC 8259) that fills the text; a UTF-8 byte order mark in front is skipped.
    ///
    /// Stricter than the RFC where that finds mistakes: a key may stand once in an object, an unpaired surrogate
    /// escape and a number that neither `Int` nor a finite `Double` holds are errors.
    package init(parsing bytes: [UInt8], limits: JSONLimits = JSONLimits()) throws(JSONError) {
        guard bytes.count <= limits.bytes else {
            throw JSONError(
                position: .start, message: "the text has \(bytes.count) bytes; the limit is \(limits.bytes)")
        }
        var parser = JSONParser(bytes: bytes, limits: limits)
        self = try parser.document()
    }

    /// Parses a string; see `init(parsing:limits:)`.
    package init(parsing text: String, limits: JSONLimits = JSONLimits()) throws(JSONError) {
        try self.init(parsing: [UInt8](text.utf8), limits: limits)
    }
}

/// Recursive descent over bytes that are known to be UTF-8. `nil` from `peek` is the end of the text.
private struct JSONParser {
    let bytes: [UInt8]
    let limits: JSONLimits
    var offset = 0
    /// Where the last asked-for position was: positions are asked for in text order, so columns are counted once.
    var marked = 0
    var mark = TextPosition.start

    init(bytes: [UInt8], limits: JSONLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    mutating func document() throws(JSONError) -> JSONNode {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { (offset, marked) = (3, 3) }
        if let bad = UTF8Check.firstInvalid(bytes) {
            throw JSONError(position: position(of: bad), message: "invalid UTF-8: byte \(hexByte(bytes[bad]))")
        }
        try skipSpace()
        let node = try value(depth: 0)
        try skipSpace()
        guard peek == nil else { throw failure("expected the end of the text, found \(found)") }
        return node
    }

    // MARK: places

    var peek: UInt8? { offset < bytes.count ? bytes[offset] : nil }
    func peek(_ distance: Int) -> UInt8? { offset + distance < bytes.count ? bytes[offset + distance] : nil }

    /// The position of a byte, moving the mark; going back starts over from the beginning of the text.
    mutating func position(of target: Int) -> TextPosition {
        if target < marked {
            marked = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? min(3, target) : 0
            mark = .start
        }
        while marked < target {
            let byte = bytes[marked]
            if byte == UInt8(ascii: "\n") {
                mark = TextPosition(line: mark.line + 1, column: 1)
            } else if byte & 0xC0 != 0x80 {
                mark.column += 1
            }
            marked += 1
        }
        // The mark counts a scalar when it passes its first byte, so at a scalar's start the column is exact.
        return mark
    }

    mutating func failure(_ message: String, at target: Int? = nil) -> JSONError {
        JSONError(position: position(of: target ?? offset), message: message)
    }

    /// The character at the cursor, for an error message.
    var found: String {
        guard let byte = peek else { return "the end of the text" }
        if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") { return "the end of the line" }
        var length = 1
        while let next = peek(length), next & 0xC0 == 0x80 { length += 1 }
        return quoted(String(decoding: bytes[offset..<(offset + length)], as: UTF8.self))
    }

    // MARK: space and comments

    mutating func skipSpace() throws(JSONError) {
        while let byte = peek {
            switch byte {
            case 0x20, 0x09, 0x0A, 0x0D: offset += 1
            case UInt8(ascii: "/"): try skipComment()
            default: return
            }
        }
    }

    private mutating func skipComment() throws(JSONError) {
        let start = offset
        guard limits.comments else { throw failure("comments are not allowed here") }
        switch peek(1) {
        case UInt8(ascii: "/"):
            while let byte = peek, byte != UInt8(ascii: "\n") { offset += 1 }
        case UInt8(ascii: "*"):
            offset += 2
            while !(peek == UInt8(ascii: "*") && peek(1) == UInt8(ascii: "/")) {
                if peek == nil { throw failure("a comment that begins with /* never ends", at: start) }
                offset += 1
            }
            offset += 2
        default: throw failure("expected '//' or '/*' to begin a comment, found '/'")
        }
    }

    // MARK: values

    mutating func value(depth: Int) throws(JSONError) -> JSONNode {
        let start = position(of: offset)
        guard let byte = peek else { throw failure("expected a value, found the end of the text") }
        switch byte {
        case UInt8(ascii: "{"):
            try enter(depth)
            return JSONNode(.object(try object(depth: depth + 1)), at: start)
        case UInt8(ascii: "["):
            try enter(depth)
            return JSONNode(.array(try array(depth: depth + 1)), at: start)
        case UInt8(ascii: "\""): return JSONNode(.string(try string()), at: start)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return JSONNode(try number(), at: start)
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"):
            return JSONNode(try word(), at: start)
        case UInt8(ascii: "'"): throw failure("expected a value, found ' (strings stand in double quotes)")
        default: throw failure("expected a value, found \(found)")
        }
    }

    private mutating func enter(_ depth: Int) throws(JSONError) {
        guard depth < limits.depth else { throw failure("nested deeper than the limit of \(limits.depth) levels") }
        offset += 1
    }

    private mutating func array(depth: Int) throws(JSONError) -> [JSONNode] {
        var entries: [JSONNode] = []
        try skipSpace()
        if peek == UInt8(ascii: "]") {
            offset += 1
            return entries
        }
        while true {
            if !entries.isEmpty, peek == UInt8(ascii: "]") {
                throw failure("expected a value after ',', found ']' (no comma after the last entry)")
            }
            entries.append(try value(depth: depth))
            try skipSpace()
            switch peek {
            case UInt8(ascii: ","): offset += 1
            case UInt8(ascii: "]"):
                offset += 1
                return entries
            default: throw failure("expected ',' or ']' after an entry, found \(found)")
            }
            try skipSpace()
        }
    }

    private mutating func object(depth: Int) throws(JSONError) -> [JSONNode.Member] {
        var members: [JSONNode.Member] = []
        var lines: [String: TextPosition] = [:]
        try skipSpace()
        if peek == UInt8(ascii: "}") {
            offset += 1
            return members
        }
        while true {
            guard peek == UInt8(ascii: "\"") else {
                if !members.isEmpty, peek == UInt8(ascii: "}") {
                    throw failure("expected a member after ',', found '}' (no comma after the last member)")
                }
                throw failure("expected a member name in double quotes, found \(found)")
            }
            let start = position(of: offset)
            let key = try string()
            if let first = lines.updateValue(start, forKey: key) {
                throw JSONError(position: start, message: "\(quoted(key)) stands here a second time (first: \(first))")
            }
            try skipSpace()
            guard peek == UInt8(ascii: ":") else { throw failure("expected ':' after a member name, found \(found)") }
            offset += 1
            try skipSpace()
            members.append(JSONNode.Member(key: key, keyPosition: start, value: try value(depth: depth)))
            try skipSpace()
            switch peek {
            case UInt8(ascii: ","): offset += 1
            case UInt8(ascii: "}"):
                offset += 1
                return members
            default: throw failure("expected ',' or '}' after a member, found \(found)")
            }
            try skipSpace()
        }
    }

    private mutating func word() throws(JSONError) -> JSONNode.Content {
        let start = offset
        while let byte = peek, isWordByte(byte) { offset += 1 }
        let text = String(decoding: bytes[start..<offset], as: UTF8.self)
        switch text {
        case "true": return .bool(true)
        case "false": return .bool(false)
        case "null": return .null
        default:
            let hint = ["true", "false", "null"].contains(text.lowercased()) ? " (in lower case)" : ""
            throw failure("expected a value, found \(quoted(text))\(hint)", at: start)
        }
    }

    private func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }

    private mutating func number() throws(JSONError) -> JSONNode.Content {
        let start = offset
        if peek == UInt8(ascii: "-") { offset += 1 }
        let leading = peek
        guard digits() > 0 else { throw failure("expected a digit after '-', found \(found)") }
        let wholeDigits = offset - start - (bytes[start] == UInt8(ascii: "-") ? 1 : 0)
        if leading == UInt8(ascii: "0"), wholeDigits > 1 {
            throw failure("a number may not begin with a zero", at: start)
        }
        var isWhole = true
        if peek == UInt8(ascii: ".") {
            isWhole = false
            offset += 1
            guard digits() > 0 else { throw failure("expected a digit after '.', found \(found)") }
        }
        if peek == UInt8(ascii: "e") || peek == UInt8(ascii: "E") {
            isWhole = false
            offset += 1
            if peek == UInt8(ascii: "+") || peek == UInt8(ascii: "-") { offset += 1 }
            guard digits() > 0 else { throw failure("expected a digit in the exponent, found \(found)") }
        }
        let text = String(decoding: bytes[start..<offset], as: UTF8.self)
        if isWhole {
            guard let value = Int(text) else { throw failure("the number \(shortened(text)) is too large", at: start) }
            return .int(value)
        }
        guard let value = Double(text), value.isFinite else {
            throw failure("the number \(shortened(text)) is too large", at: start)
        }
        return .double(value)
    }

    /// How many digits were read.
    private mutating func digits() -> Int {
        let start = offset
        while let byte = peek, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { offset += 1 }
        return offset - start
    }

    // MARK: strings

    private mutating func string() throws(JSONError) -> String {
        let start = offset
        offset += 1
        var out: [UInt8] = []
        while true {
            guard let byte = peek else { throw failure("a string that begins here never ends", at: start) }
            switch byte {
            case UInt8(ascii: "\""):
                offset += 1
                return String(decoding: out, as: UTF8.self)
            case UInt8(ascii: "\\"):
                out.append(contentsOf: String(Character(try escape())).utf8)
            case UInt8(ascii: "\n"), UInt8(ascii: "\r"):
                throw failure("a string that begins here does not end on its line", at: start)
            case 0..<0x20: throw failure("control character \(hexByte(byte)) in a string; write it as an escape")
            default:
                out.append(byte)
                offset += 1
            }
        }
    }

    private mutating func escape() throws(JSONError) -> Unicode.Scalar {
        let start = offset
        guard let letter = peek(1) else { throw failure("a string ends in the middle of an escape", at: start) }
        offset += 2
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(letter)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try unicodeEscape(from: start)
        default:
            offset = start + 1
            throw failure("unknown escape: a backslash followed by \(found)", at: start)
        }
    }

    private mutating func unicodeEscape(from start: Int) throws(JSONError) -> Unicode.Scalar {
        let first = try hexadecimal(from: start)
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xDC00, peek == UInt8(ascii: "\\"), peek(1) == UInt8(ascii: "u") else {
            throw failure("half of a surrogate pair in an escape", at: start)
        }
        offset += 2
        let second = try hexadecimal(from: start)
        guard (0xDC00...0xDFFF).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { throw failure("half of a surrogate pair in an escape", at: start) }
        return scalar
    }

    private mutating func hexadecimal(from start: Int) throws(JSONError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = peek, let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
                throw failure("expected four hexadecimal digits after \\u", at: start)
            }
            value = value << 4 | UInt32(digit)
            offset += 1
        }
        return value
    }
}

/// UTF-8 by the table of The Unicode Standard, 3.9 (no overlong forms, no surrogates, nothing above U+10FFFF).
private enum UTF8Check {
    /// The first byte that does not belong to a well-formed sequence; nil if there is none.
    static func firstInvalid(_ bytes: [UInt8]) -> Int? {
        var index = 0
        while index < bytes.count {
            let lead = bytes[index]
            if lead < 0x80 {
                index += 1
                continue
            }
            let second: ClosedRange<UInt8>
            let length: Int
            switch lead {
            case 0xC2...0xDF: (length, second) = (2, 0x80...0xBF)
            case 0xE0: (length, second) = (3, 0xA0...0xBF)
            case 0xED: (length, second) = (3, 0x80...0x9F)
            case 0xE1...0xEF: (length, second) = (3, 0x80...0xBF)
            case 0xF0: (length, second) = (4, 0x90...0xBF)
            case 0xF1...0xF3: (length, second) = (4, 0x80...0xBF)
            case 0xF4: (length, second) = (4, 0x80...0x8F)
            default: return index
            }
            guard index + length <= bytes.count, second.contains(bytes[index + 1]) else { return index }
            for next in bytes[(index + 1)..<(index + length)] where next & 0xC0 != 0x80 { return index }
            index += length
        }
        return nil
    }
}
