/// A request as it came in over HTTP/1.1, whole. Header names are lower case.
package struct HTTPRequest: Sendable {
    /// In capitals, as in `POST`.
    package var method: String
    /// Decoded path without the query, beginning with `/`.
    package var path: String
    /// The part after `?`, as it came; empty without one.
    package var query: String
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]
    /// Who asks, as far as the socket tells.
    package var remote: SocketAddress?
    /// `https` where TLS was spoken.
    package var isSecure: Bool

    package init(
        method: String, path: String, query: String = "", headers: [(name: String, value: String)] = [],
        body: [UInt8] = [], remote: SocketAddress? = nil, isSecure: Bool = false
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.remote = remote
        self.isSecure = isSecure
    }

    /// The first header of that name (lower case).
    package func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}

/// An answer to an HTTP request.
package struct HTTPResponse: Sendable {
    package var status: Int
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]

    package init(_ status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// Text of a type, as in `text/plain; charset=utf-8`.
    package init(_ status: Int, _ type: String, _ text: String, headers: [(name: String, value: String)] = []) {
        self.init(status, headers: [("content-type", type)] + headers, body: Array(text.utf8))
    }

    package func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}
