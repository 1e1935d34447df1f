/// Reads an element description as `gst-launch-1.0` does: `videoflip method=4`, `textoverlay text="a b"`.
package enum GStreamerCommand {
    /// Bytes of a command at most.
    private static let bytesMax = 16 << 10

    package static func parse(_ command: String) throws(FilterCommandError) -> GStreamerValues {
        guard command.utf8.count <= bytesMax else {
            throw FilterCommandError(.malformed, "the command is longer than \(bytesMax) bytes")
        }
        let words = try words(of: command)
        guard let first = words.first else {
            throw FilterCommandError(.empty, "the command is empty; it must be one element, such as videoflip method=4")
        }
        if words.contains(where: { $0.isBare && ["!", "(", ")"].contains($0.text) }) || first.text.hasPrefix("bin.(") {
            throw FilterCommandError(
                .bin,
                "“\(command)” is more than one element; the command must be exactly one, such as videoflip method=4")
        }
        guard let element = GStreamerElement.named(first.text) else {
            let known = GStreamerElement.all.map(\.name).joined(separator: ", ")
            throw FilterCommandError(.unknownElement, "there is no element “\(first.text)”; there are \(known)")
        }
        var values = GStreamerValues(element)
        var index = 1
        while index < words.count {
            let (name, value, used) = try assignment(words[index...])
            // Names of instances mean nothing here.
            if name != "name", name != "qos" || element.properties.contains(where: { $0.name == "qos" }) {
                try values.set(name, value)
            }
            index += used
        }
        return values
    }

    private struct Word {
        var text = ""
        /// Without quotes and escapes.
        var isBare = true
        /// Where the first `=` outside quotes is, counted in characters.
        var equals: Int?
    }

    /// `a=b`, or the words `a`, `=`, `b` in any grouping.
    private static func assignment(
        _ words: ArraySlice<Word>
    ) throws(FilterCommandError) -> (name: String, value: String, used: Int) {
        let word = words[words.startIndex]
        var name = word.text
        var value: String?
        var used = 1
        if let equals = word.equals {
            name = String(word.text.prefix(equals))
            value = String(word.text.dropFirst(equals + 1))
            if value?.isEmpty == true, word.isBare, words.count > 1, words[words.startIndex + 1].equals == nil {
                value = words[words.startIndex + 1].text
                used = 2
            }
        } else if words.count > 1, words[words.startIndex + 1].equals == 0 {
            value = String(words[words.startIndex + 1].text.dropFirst())
            used = 2
            if value?.isEmpty == true, words[words.startIndex + 1].isBare, words.count > 2 {
                value = words[words.startIndex + 2].text
                used = 3
            }
        }
        guard let value, !name.isEmpty else {
            throw FilterCommandError(
                .malformed, "“\(name)” is no property with a value; write it as name=value, text with spaces in quotes")
        }
        return (name, value, used)
    }

    private static func words(of command: String) throws(FilterCommandError) -> [Word] {
        var words: [Word] = []
        var word: Word?
        var quote: Character?
        var isEscaped = false
        for character in command {
            if isEscaped {
                word = word ?? Word()
                word?.text.append(character)
                word?.isBare = false
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if let open = quote {
                if character == open { quote = nil } else { word?.text.append(character) }
            } else if character == "\"" || character == "'" {
                quote = character
                word = word ?? Word()
                word?.isBare = false
            } else if character.isWhitespace {
                if let finished = word { words.append(finished) }
                word = nil
            } else {
                var current = word ?? Word()
                if character == "=", current.equals == nil { current.equals = current.text.count }
                current.text.append(character)
                word = current
            }
        }
        guard quote == nil else {
            throw FilterCommandError(.malformed, "a quotation mark is not closed in “\(command)”")
        }
        if let word { words.append(word) }
        return words
    }
}
