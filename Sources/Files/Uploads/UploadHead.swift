import Core

/// What is wrong with an upload's HTTP.
package enum UploadError: Error, Hashable, Sendable, CustomStringConvertible {
    case badHead
    case badLength
    case badChunk
    /// multipart/form-data without a boundary, or not as it was announced.
    case badMultipart
    /// The body ended before it was whole.
    case cutOff

    package var description: String {
        switch self {
        case .badHead: "the request cannot be read"
        case .badLength: "the body has no length that can be read"
        case .badChunk: "the chunked body cannot be read"
        case .badMultipart: "the multipart body cannot be read, or holds no file"
        case .cutOff: "the connection ended in the middle of the body"
        }
    }
}

/// The head of an HTTP/1.1 request whose body is to be streamed (RFC 9112, sections 3 and 5).
package struct UploadHead: Hashable, Sendable {
    package var method: String
    /// Without the query.
    package var path: String
    /// Names in lower case.
    package var headers: [String: String]

    /// More is no head of a browser or an encoder.
    package static let bytesMax = 16 << 10

    /// Reads the bytes before the empty line.
    package init(_ bytes: some Collection<UInt8>) throws(UploadError) {
        let text = String(decoding: bytes, as: UTF8.self)
        var lines = text.split(separator: "\r\n", omittingEmptySubsequences: false)[...]
        let words = (lines.popFirst() ?? "").split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, words[2].hasPrefix("HTTP/1."), !words[0].isEmpty, words[1].hasPrefix("/") else {
            throw .badHead
        }
        method = String(words[0])
        path = String(words[1].prefix { $0 != "?" && $0 != "#" })
        headers = [:]
        for line in lines where !line.isEmpty {
            guard let colon = line.firstIndex(of: ":"), colon > line.startIndex, !line.hasPrefix(" ") else {
                throw .badHead
            }
            let name = line[..<colon].lowercased()
            let value = UploadHead.trimmed(line[line.index(after: colon)...])
            // Two lengths are a way to smuggle (RFC 9112, section 11.2).
            guard headers[name] == nil || name != "content-length" && name != "transfer-encoding" else {
                throw .badHead
            }
            headers[name] = value
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text.drop { $0 == " " || $0 == "\t" }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return String(text)
    }
}
