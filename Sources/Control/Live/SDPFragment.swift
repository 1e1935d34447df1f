/// `application/trickle-ice-sdpfrag` (RFC 8840, section 9): credentials and candidates of a peer, apart from a whole
/// description. Lines that mean nothing here are passed over.
package struct SDPFragment: Hashable, Sendable {
    package var ufrag: String?
    package var password: String?
    /// Each beginning with `candidate:`.
    package var candidates: [String] = []
    package var isComplete = false

    /// A browser has some twenty; the agent keeps fewer than this.
    package static let candidatesMax = 100

    package init(ufrag: String? = nil, password: String? = nil, candidates: [String] = [], isComplete: Bool = false) {
        self.ufrag = ufrag
        self.password = password
        self.candidates = candidates
        self.isComplete = isComplete
    }

    /// Throws where a line is none of SDP, or a credential has a length that ICE does not allow (RFC 8839, section 5.4).
    package init(_ text: String) throws(LiveError) {
        for (number, line) in text.split(whereSeparator: \.isNewline).enumerated() {
            guard line.utf8.count >= 2, line.utf8.dropFirst().first == UInt8(ascii: "=") else {
                throw .malformed("Line \(number + 1) of the fragment is no line of SDP: \(quoted(String(line))).")
            }
            guard line.hasPrefix("a=") else { continue }
            let attribute = line.dropFirst(2)
            if let value = SDPFragment.value(attribute, "ice-ufrag:") {
                guard (4...256).contains(value.utf8.count) else {
                    throw .malformed("ice-ufrag must have 4 to 256 characters, and has \(value.utf8.count).")
                }
                // All lines of a bundle share one transport: the first counts.
                ufrag = ufrag ?? value
            } else if let value = SDPFragment.value(attribute, "ice-pwd:") {
                guard (22...256).contains(value.utf8.count) else {
                    throw .malformed("ice-pwd must have 22 to 256 characters, and has \(value.utf8.count).")
                }
                password = password ?? value
            } else if attribute.hasPrefix("candidate:") {
                guard candidates.count < SDPFragment.candidatesMax else {
                    throw .malformed("More than \(SDPFragment.candidatesMax) candidates in one fragment.")
                }
                candidates.append(String(attribute))
            } else if attribute == "end-of-candidates" {
                isComplete = true
            }
        }
    }

    private static func value(_ attribute: Substring, _ name: String) -> String? {
        attribute.hasPrefix(name) ? String(attribute.dropFirst(name.count)) : nil
    }

    /// As a body; `mid` and `media` name the line that carries the transport.
    package func text(mid: String, media: String) -> String {
        var lines: [String] = []
        if let ufrag { lines.append("a=ice-ufrag:\(ufrag)") }
        if let password { lines.append("a=ice-pwd:\(password)") }
        if !candidates.isEmpty || isComplete {
            lines += ["m=\(media) 9 UDP/TLS/RTP/SAVPF 0", "a=mid:\(mid)"]
            lines += candidates.map { "a=\($0)" }
        }
        if isComplete { lines.append("a=end-of-candidates") }
        return lines.joined(separator: "\r\n") + "\r\n"
    }
}
