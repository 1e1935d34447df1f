package import Core

/// Words that let a client in (RFC 6750): one of them in `Authorization: Bearer …`, or as `access_token` in the query,
/// since pages cannot give a WebSocket headers.
package struct BearerTokens: Sendable {
    private let tokens: [[UInt8]]

    /// None: everybody may come in.
    package init(_ tokens: [String]) { self.tokens = tokens.map { Array($0.utf8) } }

    /// nil where the request may pass.
    package func refusal(of request: HTTPRequest) -> HTTPResponse? {
        guard !tokens.isEmpty else { return nil }
        let challenge = "Bearer realm=\"tessera\""
        guard let given = Self.token(of: request) else {
            return .refusal(
                401, "A token is needed here: Authorization: Bearer …", [("www-authenticate", challenge)])
        }
        // All are compared, so that the time tells nothing.
        let isRight = tokens.map { Self.isSame(given, $0) }.contains(true)
        return isRight
            ? nil
            : .refusal(
                401, "The token is not the right one.",
                [("www-authenticate", challenge + ", error=\"invalid_token\"")])
    }

    private static func token(of request: HTTPRequest) -> [UInt8]? {
        let words = request.header("authorization")?.split(separator: " ", maxSplits: 1).map(String.init) ?? []
        if words.count == 2, words[0].lowercased() == "bearer" { return Array(words[1].utf8) }
        for pair in request.query.split(separator: "&") where pair.hasPrefix("access_token=") {
            return percentDecoded(pair.dropFirst("access_token=".count).utf8)
        }
        return nil
    }

    private static func percentDecoded(_ text: Substring.UTF8View) -> [UInt8] {
        var out: [UInt8] = []
        var rest = Array(text)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                rest = rest.dropFirst(2)
                out.append(value)
            } else {
                out.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        return out
    }

    /// Takes as long whichever byte differs, so that nobody finds a token byte by byte.
    private static func isSame(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        guard a.count == b.count else { return false }
        return zip(a, b).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
