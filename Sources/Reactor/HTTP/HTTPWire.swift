import CWebSockets
import Core

/// Between the library's view of a request and ours. Pure, but for reading the library's header store.
enum HTTPWire {
    private static let methods: [(lws_token_indexes, String)] = [
        (WSI_TOKEN_GET_URI, "GET"), (WSI_TOKEN_POST_URI, "POST"), (WSI_TOKEN_OPTIONS_URI, "OPTIONS"),
        (WSI_TOKEN_PUT_URI, "PUT"), (WSI_TOKEN_PATCH_URI, "PATCH"), (WSI_TOKEN_DELETE_URI, "DELETE"),
        (WSI_TOKEN_HEAD_URI, "HEAD"),
    ]

    /// The request whose headers the library holds now; nil for a method we do not know.
    static func request(_ wsi: OpaquePointer, extraHeaders: [String], isSecure: Bool) -> HTTPRequest? {
        guard let (token, method) = methods.first(where: { lws_hdr_total_length(wsi, $0.0) > 0 }),
            let path = header(wsi, token)
        else { return nil }
        var request = HTTPRequest(method: method, path: path, query: query(wsi), isSecure: isSecure)
        for index in 0..<WSI_TOKEN_COUNT.rawValue {
            let token = lws_token_indexes(rawValue: index)
            guard lws_hdr_total_length(wsi, token) > 0, let name = name(token), let value = header(wsi, token) else {
                continue
            }
            request.headers.append((name, value))
        }
        for name in extraHeaders {
            let length = lws_hdr_custom_length(wsi, name + ":", Int32(name.utf8.count + 1))
            guard length > 0 else { continue }
            var value = [CChar](repeating: 0, count: Int(length) + 1)
            let copied = lws_hdr_custom_copy(wsi, &value, length + 1, name + ":", Int32(name.utf8.count + 1))
            if copied >= 0 { request.headers.append((name, text(value))) }
        }
        return request
    }

    /// The name as it stands in requests; nil for what is no header.
    private static func name(_ token: lws_token_indexes) -> String? {
        guard let known = lws_token_to_string(token) else { return nil }
        let name = String(cString: UnsafeRawPointer(known).assumingMemoryBound(to: CChar.self))
        return name.hasSuffix(":") && !name.hasPrefix(":") ? String(name.dropLast()) : nil
    }

    private static func header(_ wsi: OpaquePointer, _ token: lws_token_indexes) -> String? {
        var value = [CChar](repeating: 0, count: Int(lws_hdr_total_length(wsi, token)) + 8)
        return lws_hdr_copy(wsi, &value, Int32(value.count), token) >= 0 ? text(value) : nil
    }

    /// The arguments, which the library has taken apart and decoded, as a query again.
    private static func query(_ wsi: OpaquePointer) -> String {
        var parts: [String] = []
        var index: Int32 = 0
        while true {
            let length = lws_hdr_fragment_length(wsi, WSI_TOKEN_HTTP_URI_ARGS, index)
            guard length > 0 else { break }
            var value = [CChar](repeating: 0, count: Int(length) + 1)
            guard lws_hdr_copy_fragment(wsi, &value, length + 1, WSI_TOKEN_HTTP_URI_ARGS, index) >= 0 else { break }
            parts.append(escaped(text(value)))
            index += 1
        }
        return parts.joined(separator: "&")
    }

    /// Percent-encodes what has a meaning in a query, except `=`.
    private static func escaped(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case 0x21...0x7E where !"%&+#\"<>".utf8.contains(byte): bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The answer as it goes over the wire (RFC 9112). `closes` adds `connection: close`.
    static func bytes(_ response: HTTPResponse, withBody: Bool, closes: Bool) -> [UInt8] {
        var head = "HTTP/1.1 \(response.status) \(reason(response.status))\r\n"
        for (name, value) in response.headers where !["content-length", "connection"].contains(name.lowercased()) {
            head += "\(oneLine(name)): \(oneLine(value))\r\n"
        }
        // No length where there can be no body (RFC 9110, section 8.6).
        if response.status != 204, response.status != 304 { head += "content-length: \(response.body.count)\r\n" }
        if closes { head += "connection: close\r\n" }
        head += "\r\n"
        return Array(head.utf8) + (withBody ? response.body : [])
    }

    /// A header ends at its line's end, whoever made its value.
    private static func oneLine(_ text: String) -> String {
        text.utf8.contains(where: { $0 == 13 || $0 == 10 || $0 == 0 })
            ? String(decoding: text.utf8.filter { $0 != 13 && $0 != 10 && $0 != 0 }, as: UTF8.self) : text
    }

    private static let reasons: [Int: String] = [
        100: "Continue", 200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 206: "Partial Content",
        301: "Moved Permanently", 302: "Found", 303: "See Other", 304: "Not Modified", 307: "Temporary Redirect",
        308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
        405: "Method Not Allowed", 406: "Not Acceptable", 408: "Request Timeout", 409: "Conflict", 410: "Gone",
        411: "Length Required", 412: "Precondition Failed", 413: "Content Too Large", 415: "Unsupported Media Type",
        422: "Unprocessable Content", 426: "Upgrade Required", 428: "Precondition Required", 429: "Too Many Requests",
        500: "Internal Server Error", 501: "Not Implemented", 503: "Service Unavailable", 504: "Gateway Timeout",
    ]
    private static func reason(_ status: Int) -> String { reasons[status] ?? "Status" }
}
