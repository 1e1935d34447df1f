extension SessionDescription: CustomStringConvertible {
    /// The description as it goes over the wire, every line ended by CRLF.
    package var description: String {
        var text = "v=0\r\no=\(origin.username) \(origin.sessionID) \(origin.sessionVersion) \(origin.connection)\r\n"
        text += "s=\(name)\r\n"
        func line(_ line: String) { text += line + "\r\n" }
        if let information { line("i=\(information)") }
        for other in otherLines where !other.hasPrefix("k=") { line(other) }
        if let connection { line("c=\(connection)") }
        for bandwidth in bandwidths { line("b=\(bandwidth.type):\(bandwidth.value)") }
        times.forEach(line)
        for other in otherLines where other.hasPrefix("k=") { line(other) }
        for attribute in attributes { line("a=\(attribute)") }
        for media in media { media.lines.forEach(line) }
        return text
    }
}

extension ConnectionData: CustomStringConvertible {
    package var description: String { "\(networkType) \(addressType) \(address)" }
}

extension MediaDescription {
    /// The lines of the section without their ends.
    package var lines: [String] {
        let count = portCount.map { "/\($0)" } ?? ""
        var lines = ["m=\(media) \(port)\(count) \(transportProtocol) \(formats.joined(separator: " "))"]
        if let information { lines.append("i=\(information)") }
        lines += connections.map { "c=\($0)" }
        lines += bandwidths.map { "b=\($0.type):\($0.value)" }
        lines += otherLines
        lines += attributes.map { "a=\($0)" }
        return lines
    }
}
