package import Core

/// Answers the HTTP requests of a live document: WHIP and WHEP, statistics, and the pages that stand beside them.
/// Text in, text out: no sockets, no state of its own.
package struct LiveSite: Sendable {
    package struct Options: Sendable {
        /// What peers have to show in `Authorization: Bearer …`; nil: anybody may join.
        package var token: String?
        package var iceServers: [ICEServerLink] = []
        /// Files by path, as `/` for the front page.
        package var pages: [String: Page] = [:]
        /// A longer offer is refused; a browser's has some ten thousand bytes.
        package var offerBytesMax = 256 << 10
        package init() {}
    }

    /// A file that is served as it is.
    package struct Page: Sendable {
        package var type: String
        package var body: [UInt8]
        package init(type: String, body: [UInt8]) {
            self.type = type
            self.body = body
        }
    }

    let room: any LiveRoom
    package let options: Options

    package init(_ room: any LiveRoom, options: Options = Options()) {
        self.room = room
        self.options = options
    }

    package func respond(to request: HTTPRequest) async -> HTTPResponse {
        var response = await answer(request)
        response.headers += LiveSite.everywhere
        return response
    }

    /// Pages of any origin may join; nothing here hangs on cookies.
    private static let everywhere = [
        ("access-control-allow-origin", "*"),
        (
            "access-control-expose-headers",
            "Location, ETag, Link, Accept-Post, Accept-Patch, Allow, Retry-After, WWW-Authenticate"
        ),
        ("x-content-type-options", "nosniff"),
    ]

    private func answer(_ request: HTTPRequest) async -> HTTPResponse {
        let parts = request.path.split(separator: "/", omittingEmptySubsequences: true).map(String.init)
        if let first = parts.first, let role = [LiveRole.publish, .watch].first(where: { $0.prefix == first }) {
            return await SignallingHandler(site: self, role: role).answer(request, Array(parts.dropFirst()))
        }
        let readers = ["/healthz", "/stats", "/doors"]
        guard readers.contains(request.path) || options.pages[request.path] != nil else {
            return .refusal(404, "There is nothing at \(shortened(printable(request.path))).")
        }
        let allow = ("allow", "GET, HEAD, OPTIONS")
        if request.method == "OPTIONS" {
            return HTTPResponse(
                204,
                headers: [
                    allow, ("access-control-allow-methods", allow.1),
                    ("access-control-allow-headers", "Authorization"), ("access-control-max-age", "86400"),
                ])
        }
        guard ["GET", "HEAD"].contains(request.method) else {
            return .refusal(405, "\(request.path) can only be read.", [allow])
        }
        switch request.path {
        case "/healthz": return HTTPResponse(200, "text/plain; charset=utf-8", "ok\n")
        case "/doors": return .json(doors)
        case "/stats":
            if let refusal = refusal(of: request) { return refusal }
            return .json(await room.statistics())
        default:
            guard let page = options.pages[request.path] else { return .refusal(404, "There is nothing here.") }
            return HTTPResponse(
                200, headers: [("content-type", page.type), ("cache-control", "no-cache")], body: page.body)
        }
    }

    /// What a page has to know before it joins.
    private var doors: JSON {
        func kinds(_ kinds: [MediaKind]) -> JSON { .array(kinds.map { .string($0.rawValue) }) }
        let doors = room.doors.map { door -> JSON in
            [
                "name": .string(door.name), "doc": .string(door.doc), "many": .bool(door.isHub),
                "takes": kinds(door.takes), "gives": kinds(door.gives),
            ]
        }
        return ["doors": .array(doors), "needsToken": .bool(options.token != nil)]
    }

    /// nil where the request may pass.
    func refusal(of request: HTTPRequest) -> HTTPResponse? {
        guard let token = options.token else { return nil }
        let words = request.header("authorization")?.split(separator: " ", maxSplits: 1).map(String.init) ?? []
        let challenge = "Bearer realm=\"tessera\""
        guard words.count == 2, words[0].lowercased() == "bearer" else {
            return .refusal(
                401, "A token is needed here: Authorization: Bearer …", [("www-authenticate", challenge)])
        }
        guard LiveSite.isSame(words[1], token) else {
            return .refusal(
                401, "The token is not the right one.",
                [("www-authenticate", challenge + ", error=\"invalid_token\"")])
        }
        return nil
    }

    /// Takes as long whichever byte differs, so that nobody finds a token byte by byte.
    private static func isSame(_ given: String, _ wanted: String) -> Bool {
        let (a, b) = (Array(given.utf8), Array(wanted.utf8))
        guard a.count == b.count else { return false }
        return zip(a, b).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

extension HTTPResponse {
    /// A sentence for people who read answers.
    static func refusal(_ status: Int, _ text: String, _ headers: [(name: String, value: String)] = []) -> HTTPResponse
    {
        HTTPResponse(status, "text/plain; charset=utf-8", text + "\n", headers: headers)
    }

    static func json(_ value: JSON) -> HTTPResponse {
        HTTPResponse(200, "application/json", value.compact + "\n", headers: [("cache-control", "no-store")])
    }
}
