extension Attribute {
    /// Parses what follows `a=`. Throws where a value that we use is malformed; `line` is for the error.
    static func parse(_ text: Substring, line: Int) throws(SDPError) -> Attribute {
        let (name, value) = text.halves(at: ":")
        guard !name.trimmed.isEmpty else { throw SDPError(line: line, "an attribute without a name") }
        guard let value else {
            if let direction = MediaDirection(rawValue: String(name.trimmed)) { return .direction(direction) }
            return .other(name: String(name.trimmed), value: nil)
        }
        let parser = AttributeParser(line: line, name: name, value: value)
        // Not `??`: an error of a typed throw gets lost in its right side.
        if let attribute = try parser.media() { return attribute }
        if let attribute = try parser.source() { return attribute }
        if let attribute = try parser.transport() { return attribute }
        return .other(name: String(name), value: String(value))
    }
}

/// One attribute with a value, looked at by topic: each method gives nil for names of another topic.
private struct AttributeParser {
    let line: Int
    let name: Substring
    let value: Substring

    private func wrong(_ expected: String) -> SDPError {
        SDPError(line: line, "a=\(name): \(expected) is expected, found `\(value.prefix(60))`")
    }

    private func token() throws(SDPError) -> String {
        let words = value.words
        guard let word = words.first, words.count == 1 else { throw wrong("one word") }
        return String(word)
    }

    private func payloadType(_ text: Substring) throws(SDPError) -> UInt8 {
        guard let value = text.decimal(UInt8.self), value < 128 else { throw wrong("a payload type from 0 to 127") }
        return value
    }

    func media() throws(SDPError) -> Attribute? {
        switch name {
        case "rtpmap": return .rtpmap(try rtpmap())
        case "fmtp":
            guard let format = value.words.first else { throw wrong("a format and its parameters") }
            return .fmtp(
                format: String(format), FormatParameters(String(value.trimmed.dropBytes(format.utf8.count).trimmed)))
        case "rtcp-fb": return .rtcpFeedback(try rtcpFeedback())
        case "extmap": return .extmap(try extmap())
        case "mid": return .mid(try token())
        case "group":
            let words = value.words
            guard let semantics = words.first else { throw wrong("the kind of group") }
            return .group(MediaGroup(semantics: String(semantics), mids: words.dropFirst().map { String($0) }))
        case "rid": return .rid(try rid())
        case "simulcast": return try simulcast()
        case "ptime", "maxptime":
            // Only a hint: whatever is no number is kept as text.
            guard let number = Double(value.trimmed), number.isFinite, number > 0, number < 10_000 else { return nil }
            return name == "ptime" ? .ptime(number) : .maxptime(number)
        default: return nil
        }
    }

    func source() throws(SDPError) -> Attribute? {
        switch name {
        case "ssrc":
            let words = value.words
            guard words.count >= 2, let ssrc = words[0].decimal(UInt32.self) else {
                throw wrong("a source number and an attribute")
            }
            let (name, value) = value.trimmed.dropBytes(words[0].utf8.count).trimmed.halves(at: ":")
            return .ssrc(SourceAttribute(ssrc: ssrc, name: String(name), value: value.map { String($0) }))
        case "ssrc-group":
            let words = value.words
            guard let semantics = words.first else { throw wrong("the kind of group") }
            var ssrcs: [UInt32] = []
            for word in words.dropFirst() {
                guard let ssrc = word.decimal(UInt32.self) else { throw wrong("source numbers") }
                ssrcs.append(ssrc)
            }
            return .ssrcGroup(SourceGroup(semantics: String(semantics), ssrcs: ssrcs))
        case "msid":
            let words = value.words
            guard let stream = words.first else { throw wrong("a stream and a track") }
            return .msid(stream: String(stream), track: words.count > 1 ? String(words[1]) : nil)
        default: return nil
        }
    }

    func transport() throws(SDPError) -> Attribute? {
        switch name {
        case "fingerprint": return .fingerprint(try fingerprint())
        case "setup":
            guard let role = SetupRole(rawValue: try token().lowercased()) else {
                throw wrong("active, passive, actpass or holdconn")
            }
            return .setup(role)
        case "ice-ufrag": return .iceUfrag(try token())
        case "ice-pwd": return .icePassword(try token())
        case "ice-options": return .iceOptions(value.words.map { String($0) })
        case "candidate": return .candidate("candidate:\(value.trimmed)")
        case "crypto":
            let words = value.words
            guard words.count >= 3, let tag = words[0].decimal(Int.self) else { throw wrong("tag, suite and key") }
            return .crypto(
                CryptoAttribute(
                    tag: tag, suite: String(words[1]), keyParameters: String(words[2]),
                    sessionParameters: words.dropFirst(3).map { String($0) }))
        case "rtcp":
            let words = value.words
            guard words.count == 1 || words.count == 4, let port = words[0].decimal(UInt16.self) else {
                throw wrong("a port, and maybe an address")
            }
            let connection = ConnectionData(
                networkType: String(words[min(1, words.count - 1)]), addressType: String(words[words.count / 2]),
                address: String(words[words.count - 1]))
            return .rtcp(port: port, words.count == 4 ? connection : nil)
        case "sctp-port":
            guard let port = value.trimmed.decimal(UInt16.self) else { throw wrong("a port from 0 to 65535") }
            return .sctpPort(port)
        case "max-message-size":
            guard let size = value.trimmed.decimal(UInt64.self) else { throw wrong("a number of bytes") }
            return .maxMessageSize(size)
        case "sctpmap":
            let words = value.words
            guard words.count >= 2, let port = words[0].decimal(UInt16.self) else {
                throw wrong("port and application")
            }
            return .sctpmap(
                port: port, application: String(words[1]),
                streams: words.count > 2 ? words[2].decimal(Int.self) : nil)
        default: return nil
        }
    }

    private func rtpmap() throws(SDPError) -> RTPMap {
        let words = value.words
        guard words.count >= 2 else { throw wrong("payload type, name and clock rate") }
        let parts = words[1].fields(of: "/")
        guard parts.count >= 2, !parts[0].isEmpty, let clockRate = parts[1].decimal(Int.self),
            (1...10_000_000).contains(clockRate)
        else { throw wrong("name/clock rate, as in `VP8/90000`") }
        let channels = parts.count > 2 ? parts[2].decimal(Int.self) : 1
        guard let channels, (1...255).contains(channels) else { throw wrong("a number of channels from 1 to 255") }
        return RTPMap(
            payloadType: try payloadType(words[0]), name: String(parts[0]), clockRate: clockRate, channels: channels)
    }

    private func rtcpFeedback() throws(SDPError) -> RTCPFeedback {
        let words = value.words
        guard words.count >= 2 else { throw wrong("payload type or `*`, and a kind of feedback") }
        return RTCPFeedback(
            payloadType: words[0] == "*" ? nil : try payloadType(words[0]), words.dropFirst().joined(separator: " "))
    }

    private func extmap() throws(SDPError) -> ExtensionMap {
        let words = value.words
        guard words.count >= 2 else { throw wrong("a number and a URI") }
        let (number, direction) = words[0].halves(at: "/")
        guard let id = number.decimal(Int.self), (1...65_535).contains(id) else { throw wrong("a number from 1") }
        var map = ExtensionMap(id: id, uri: String(words[1]))
        if let direction {
            guard let known = MediaDirection(rawValue: String(direction)) else { throw wrong("a direction") }
            map.direction = known
        }
        if words.count > 2 { map.parameters = words.dropFirst(2).joined(separator: " ") }
        return map
    }

    private func rid() throws(SDPError) -> RestrictionIdentifier {
        let words = value.words
        guard words.count >= 2, words[1] == "send" || words[1] == "recv", AttributeParser.isRID(words[0]) else {
            throw wrong("a name, and `send` or `recv`")
        }
        var rid = RestrictionIdentifier(id: String(words[0]), sends: words[1] == "send")
        for part in words.dropFirst(2).joined(separator: ";").fields(of: ";") where !part.isEmpty {
            let (key, value) = part.halves(at: "=")
            if key == "pt", let value, rid.payloadTypes.isEmpty {
                for number in value.fields(of: ",") { rid.payloadTypes.append(try payloadType(number)) }
            } else {
                rid.restrictions.append(.init(name: String(key), value: value.map { String($0) }))
            }
        }
        return rid
    }

    static func isRID(_ text: Substring) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) || $0 == 0x2D
                    || $0 == 0x5F
            }
    }

    /// Nil for the form of early drafts (`send rid=a;b`), which is then kept as text.
    private func simulcast() throws(SDPError) -> Attribute? {
        let words = value.words
        guard words.count == 2 || words.count == 4 else { return nil }
        var result = SimulcastDescription()
        var count = 0
        for index in stride(from: 0, to: words.count, by: 2) {
            var streams: [[SimulcastDescription.Alternative]] = []
            for stream in words[index + 1].fields(of: ";") {
                var alternatives: [SimulcastDescription.Alternative] = []
                for text in stream.fields(of: ",") {
                    let isPaused = text.utf8.first == 0x7E
                    let rid = isPaused ? text.dropBytes(1) : text
                    guard AttributeParser.isRID(rid) else { return nil }
                    alternatives.append(.init(rid: String(rid), isPaused: isPaused))
                    count += 1
                }
                streams.append(alternatives)
            }
            switch words[index] {
            case "send" where result.send.isEmpty: result.send = streams
            case "recv" where result.receive.isEmpty: result.receive = streams
            default: throw wrong("`send` or `recv`, each once")
            }
        }
        guard count <= SDPLimits.ridsMax else { throw wrong("at most \(SDPLimits.ridsMax) streams") }
        return .simulcast(result)
    }

    private func fingerprint() throws(SDPError) -> Fingerprint {
        let words = value.words
        guard words.count == 2 else { throw wrong("a hash function and its value") }
        var bytes: [UInt8] = []
        for pair in words[1].fields(of: ":") {
            guard pair.utf8.count == 2, let byte = UInt8(pair, radix: 16), pair.utf8.first != 0x2B else {
                throw wrong("pairs of hexadecimal digits with colons between")
            }
            bytes.append(byte)
        }
        return Fingerprint(algorithm: words[0].lowercased(), bytes: bytes)
    }
}
