/// The text as a terminal may show it: control characters become escapes, so that a file name cannot move the
/// cursor or change colours.
package func printable(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isControl) else { return text }
    var out = ""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\n": out += "\\n"
        case "\t": out += "\\t"
        case _ where isControl(scalar): out += "\\u{" + String(scalar.value, radix: 16) + "}"
        default: out.unicodeScalars.append(scalar)
        }
    }
    return out
}

/// C0, C1 and DEL, line and paragraph separators, and the marks that reorder text.
private func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0, 0x2028...0x202E, 0x2066...0x2069: true
    default: false
    }
}

/// At most `limit` characters of the text, the last an ellipsis if anything is missing.
package func shortened(_ text: String, to limit: Int = 60) -> String {
    text.count <= limit ? text : text.prefix(limit - 1) + "…"
}

/// The text in single quotes, printable and not too long for a sentence.
package func quoted(_ text: String) -> String { "'" + shortened(printable(text)) + "'" }

/// `0x0A` and the like.
package func hexByte(_ byte: UInt8) -> String {
    (byte < 16 ? "0x0" : "0x") + String(byte, radix: 16, uppercase: true)
}

/// `a`, `a or b`, `a, b or c`.
package func listed(_ items: [String], _ conjunction: String = "or") -> String {
    guard let last = items.last, items.count > 1 else { return items.first ?? "" }
    return items.dropLast().joined(separator: ", ") + " \(conjunction) " + last
}

/// `1 element`, `3 elements`.
package func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

/// Terminal cells the text fills: two for East Asian wide characters and emoji, none for combining marks.
package func cellWidth(_ text: String) -> Int {
    text.reduce(0) { width, character in
        guard let scalar = character.unicodeScalars.first else { return width }
        if scalar.value < 0x300 { return width + 1 }
        switch scalar.value {
        case 0x300...0x36F, 0x200B...0x200F, 0xFE00...0xFE0F: return width
        case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60,
            0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD:
            return width + 2
        default: return width + 1
        }
    }
}

/// The text cut or not so that it fills at most `width` cells, the last an ellipsis if anything is missing.
package func fitted(_ text: String, to width: Int) -> String {
    if cellWidth(text) <= width { return text }
    var out = ""
    var used = 0
    for character in text {
        let cells = cellWidth(String(character))
        if used + cells > width - 1 { break }
        out.append(character)
        used += cells
    }
    return width > 0 ? out + "…" : ""
}

/// The text with spaces behind it up to `width` cells.
package func padded(_ text: String, to width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - cellWidth(text)))
}

/// The text with spaces in front of it up to `width` cells.
package func aligned(_ text: String, to width: Int) -> String {
    String(repeating: " ", count: max(0, width - cellWidth(text))) + text
}

/// Words of the text in lines of at most `width` cells; a longer word has a line of its own.
package func wrapped(_ text: String, to width: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in text.split(whereSeparator: { $0 == " " || $0 == "\n" }) {
        if !line.isEmpty, cellWidth(line) + 1 + cellWidth(String(word)) > width {
            lines.append(line)
            line = ""
        }
        line += (line.isEmpty ? "" : " ") + word
    }
    if !line.isEmpty { lines.append(line) }
    return lines
}

/// The value with that many digits behind the point, rounded half away from zero: `fixed(2.345, 1)` is `2.3`.
package func fixed(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite, abs(value) < 1e15 else { return value.isNaN ? "-" : value < 0 ? "-∞" : "∞" }
    var scale = 1
    for _ in 0..<digits { scale *= 10 }
    // Beyond 2^53 a double has no fraction left, and the product could leave the range of Int.
    let scaled = (abs(value) * Double(scale)).rounded()
    guard scaled < 9e18 else { return String(Int(value)) }
    let whole = Int(scaled)
    let sign = value < 0 && whole > 0 ? "-" : ""
    if digits == 0 { return sign + String(whole) }
    let fraction = String(whole % scale)
    return sign + String(whole / scale) + "." + String(repeating: "0", count: digits - fraction.count) + fraction
}
