package import Core

/// Answers the HTTP requests of a live document: WHIP and WHEP, statistics, and the pages that stand beside them.
/// Text in, text out: no sockets, no state of its own.
package struct LiveSite: Sendable {
    package struct Options: Sendable {
        /// Peers have to show one of them in `Authorization: Bearer …`; none: anybody may join.
        package var tokens: [String] = []
        package var iceServers: [ICEServerLink] = []
        /// Files by path, as `/` for the front page.
        package var pages: [String: Page] = [:]
        /// What `/metrics` shows; nil: nothing is there.
        package var metrics: (@Sendable () async -> String)?
        /// What the page at `/inspect` shows; nil: nothing is there.
        package var inspector: Inspector?
        /// Whether new work is taken; while not, `/readyz` is a 503.
        package var isReady: @Sendable () -> Bool = { true }
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
        let readers = ["/healthz", "/readyz", "/metrics", "/stats", "/doors", "/inspect.json"]
        let picture = request.path.hasPrefix(LiveSite.pictures) ? request.path.dropFirst(LiveSite.pictures.count) : nil
        guard readers.contains(request.path) || options.pages[request.path] != nil || picture != nil else {
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
        if let picture { return await thumbnail(String(picture), request) }
        switch request.path {
        case "/healthz": return HTTPResponse(200, "text/plain; charset=utf-8", "ok\n")
        case "/readyz":
            return options.isReady()
                ? HTTPResponse(200, "text/plain; charset=utf-8", "ready\n")
                : .refusal(503, "The server is about to end and takes no new work.")
        case "/metrics":
            guard let metrics = options.metrics else { return .refusal(404, "There are no metrics here.") }
            if let refusal = refusal(of: request) { return refusal }
            return HTTPResponse(200, "text/plain; version=0.0.4; charset=utf-8", await metrics())
        case "/inspect.json":
            guard let inspector = options.inspector else { return .refusal(404, "There is nothing to inspect here.") }
            if let refusal = refusal(of: request) { return refusal }
            return .json(await inspector.report())
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

    private static let pictures = "/inspect/thumbnail/"

    /// What an element shows.
    private func thumbnail(_ id: String, _ request: HTTPRequest) async -> HTTPResponse {
        guard let inspector = options.inspector else { return .refusal(404, "There is nothing to inspect here.") }
        if let refusal = refusal(of: request) { return refusal }
        do throws(Inspector.PictureFailure) {
            return HTTPResponse(
                200, headers: [("content-type", "image/jpeg"), ("cache-control", "no-store")],
                body: try await inspector.thumbnail(of: id))
        } catch {
            switch error {
            case .unknown: return .refusal(404, "There is no element \(shortened(printable(id))).")
            case .busy: return .refusal(503, "Other pictures are being made; try again.", [("retry-after", "1")])
            case .none(let reason): return .refusal(404, reason)
            }
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
        return ["doors": .array(doors), "needsToken": .bool(!options.tokens.isEmpty)]
    }

    /// nil where the request may pass.
    func refusal(of request: HTTPRequest) -> HTTPResponse? {
        BearerTokens(options.tokens).refusal(of: request)
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
