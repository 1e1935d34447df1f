extension SessionDescription {
    /// Parses a whole description; lines may end in CRLF or LF, empty lines are passed over. Throws with line and
    /// reason. Missing `o=`, `s=` and `t=` lines get values that say nothing; the order of line types within a section
    /// is not checked.
    package init(_ text: String) throws(SDPError) {
        var parser = DescriptionParser()
        self = try parser.parse(text)
    }

    /// Bytes from outside; what is not UTF-8 becomes U+FFFD.
    package init(bytes: [UInt8]) throws(SDPError) {
        guard bytes.count <= SDPLimits.descriptionBytesMax else {
            throw SDPError("\(bytes.count) bytes; at most \(SDPLimits.descriptionBytesMax) are allowed")
        }
        try self.init(String(decoding: bytes, as: UTF8.self))
    }
}

private struct DescriptionParser {
    private var line = 0
    private var session = SessionDescription()
    private var media: MediaDescription?
    private var times: [String] = []

    mutating func parse(_ text: String) throws(SDPError) -> SessionDescription {
        guard text.utf8.count <= SDPLimits.descriptionBytesMax else {
            throw SDPError("\(text.utf8.count) bytes; at most \(SDPLimits.descriptionBytesMax) are allowed")
        }
        var hasVersion = false
        for var bytes in text.utf8.split(separator: 0x0A, omittingEmptySubsequences: false) {
            line += 1
            guard line <= SDPLimits.linesMax else { throw error("more than \(SDPLimits.linesMax) lines") }
            if bytes.last == 0x0D { bytes.removeLast() }
            guard !bytes.isEmpty else { continue }
            guard bytes.count <= SDPLimits.lineBytesMax else {
                throw error("\(bytes.count) bytes; at most \(SDPLimits.lineBytesMax) are allowed in a line")
            }
            guard !bytes.contains(where: { $0 == 0 || $0 == 0x0D }) else {
                throw error("a NUL or a lone carriage return stands in the line")
            }
            let text = Substring(bytes)
            guard hasVersion else {
                guard text.trimmed == "v=0" else { throw error("`v=0` is expected, found `\(text.prefix(40))`") }
                hasVersion = true
                continue
            }
            let (type, value) = text.halves(at: "=")
            guard let value, type.utf8.count == 1 else {
                throw error("a letter and `=` are expected, found `\(text.prefix(40))`")
            }
            try take(type: type, value: value)
        }
        guard hasVersion else { throw SDPError("the description is empty; `v=0` is expected") }
        if let media { session.media.append(media) }
        session.times = times.isEmpty ? [SessionDescription.unboundedTime] : times
        return session
    }

    private func error(_ text: String) -> SDPError { SDPError(line: line, text) }

    private mutating func take(type: Substring, value: Substring) throws(SDPError) {
        switch type {
        case "m":
            if let media { session.media.append(media) }
            guard session.media.count < SDPLimits.mediaDescriptionsMax else {
                throw error("more than \(SDPLimits.mediaDescriptionsMax) m-lines")
            }
            media = try mediaLine(value)
        case "a":
            let attribute = try Attribute.parse(value, line: line)
            if media == nil { session.attributes.append(attribute) } else { media?.attributes.append(attribute) }
        case "c":
            let connection = try connectionData(value.words[...], of: "c=")
            if media == nil { session.connection = connection } else { media?.connections.append(connection) }
        case "b":
            guard let bandwidth = try bandwidth(value) else { return }
            if media == nil { session.bandwidths.append(bandwidth) } else { media?.bandwidths.append(bandwidth) }
        case "i":
            if media == nil { session.information = String(value) } else { media?.information = String(value) }
        case "o" where media == nil: session.origin = try origin(value)
        case "s" where media == nil: session.name = value.trimmed.isEmpty ? "-" : String(value)
        case "t" where media == nil, "r" where media == nil, "z" where media == nil: times.append("\(type)=\(value)")
        case "u" where media == nil, "e" where media == nil, "p" where media == nil, "k" where media == nil:
            session.otherLines.append("\(type)=\(value)")
        case "k": media?.otherLines.append("k=\(value)")
        case "v": throw error("a second `v=` line")
        case "o", "s", "t", "r", "z", "u", "e", "p": throw error("`\(type)=` may not stand in an m-section")
        // RFC 8866, section 5: a parser must ignore descriptions with type letters it does not know; we only pass
        // over the line, which is what other implementations do.
        default: return
        }
    }

    private func origin(_ value: Substring) throws(SDPError) -> Origin {
        let words = value.words
        guard words.count == 6 else {
            throw error("o= has \(words.count) fields; user, id, version, and three for the address are expected")
        }
        return Origin(
            username: String(words[0]), sessionID: String(words[1]), sessionVersion: String(words[2]),
            connection: try connectionData(words[3...], of: "o="))
    }

    private func connectionData(_ words: ArraySlice<Substring>, of name: String) throws(SDPError) -> ConnectionData {
        let words = Array(words)
        guard words.count == 3 else {
            throw error("\(name) needs network type, address type and address, as in `IN IP4 192.0.2.1`")
        }
        return ConnectionData(
            networkType: String(words[0]), addressType: String(words[1]), address: String(words[2]))
    }

    /// Nil for a value that is no number: some senders write units or minus signs, and a hint is not worth a call.
    private func bandwidth(_ value: Substring) throws(SDPError) -> Bandwidth? {
        let (type, number) = value.halves(at: ":")
        guard let number, !type.trimmed.isEmpty else { throw error("b= needs a type and a number, as in `AS:500`") }
        guard let value = number.trimmed.decimal(UInt64.self) else { return nil }
        return Bandwidth(type: String(type.trimmed), value: value)
    }

    private func mediaLine(_ value: Substring) throws(SDPError) -> MediaDescription {
        let words = value.words
        guard words.count >= 4 else {
            throw error("m= needs media, port, protocol and at least one format, found `\(value.prefix(40))`")
        }
        let (port, count) = words[1].halves(at: "/")
        guard let port = port.decimal(UInt16.self) else {
            throw error("`\(words[1].prefix(40))` is no port; 0 to 65535 is allowed")
        }
        guard words.count - 3 <= SDPLimits.formatsMax else {
            throw error("\(words.count - 3) formats; at most \(SDPLimits.formatsMax) are allowed in an m-line")
        }
        var media = MediaDescription(
            media: String(words[0]), port: port, transportProtocol: String(words[2]),
            formats: words[3...].map { String($0) })
        if let count {
            guard let count = count.decimal(Int.self), count > 0 else {
                throw error("`\(words[1].prefix(40))`: the number of ports is 1 or more")
            }
            media.portCount = count
        }
        return media
    }
}
