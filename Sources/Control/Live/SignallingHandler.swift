import Core

/// One request of WHIP (RFC 9725) or WHEP (draft-ietf-wish-whep), which differ only in the direction of the media:
/// `/whip/DOOR` takes offers, `/whip/DOOR/ID` is a session. The only door of a document may be left out.
struct SignallingHandler {
    let site: LiveSite
    let role: LiveRole

    private static let offerType = "application/sdp"
    private static let fragmentType = "application/trickle-ice-sdpfrag"
    private static let endpointMethods = "POST, OPTIONS"
    private static let sessionMethods = "PATCH, DELETE, OPTIONS"

    /// `parts`: the path behind `/whip`.
    func answer(_ request: HTTPRequest, _ parts: [String]) async -> HTTPResponse {
        guard parts.count <= 2 else { return .refusal(404, "There is nothing at \(printable(request.path)).") }
        let isSession = parts.count == 2
        let methods = isSession ? Self.sessionMethods : Self.endpointMethods
        // A preflight carries no token (CORS).
        if request.method == "OPTIONS" { return options(methods, isSession) }
        if let refusal = site.refusal(of: request) { return refusal }
        switch (request.method, isSession) {
        case ("POST", false): return await join(request, parts.first)
        case ("PATCH", true): return await change(request, parts[1])
        case ("DELETE", true): return await leave(parts[1])
        default:
            let advice =
                isSession ? "it can be changed with PATCH and ended with DELETE" : "send an offer to it with POST"
            return .refusal(
                405, "\(request.method) means nothing for \(printable(request.path)); \(advice).", [("allow", methods)])
        }
    }

    private func options(_ methods: String, _ isSession: Bool) -> HTTPResponse {
        var headers: [(String, String)] = [
            ("allow", methods), ("access-control-allow-methods", methods),
            ("access-control-allow-headers", "Authorization, Content-Type, If-Match"),
            ("access-control-max-age", "86400"),
            isSession ? ("accept-patch", Self.fragmentType) : ("accept-post", Self.offerType),
        ]
        headers += links
        return HTTPResponse(204, headers: headers)
    }

    private var links: [(String, String)] { site.options.iceServers.map { ("link", $0.header) } }

    // MARK: An offer

    private func join(_ request: HTTPRequest, _ name: String?) async -> HTTPResponse {
        let accept = [("accept-post", Self.offerType)]
        let offer: String
        do throws(Refusal) {
            offer = try text(of: request, Self.offerType, accept)
        } catch {
            return error.response
        }
        guard accepts(request, Self.offerType) else {
            return .refusal(406, "The answer is \(Self.offerType), which the request does not accept.")
        }
        guard let door = name ?? onlyDoor else {
            let names = site.room.doors.map { "/\(role.prefix)/\($0.name)" }
            return .refusal(404, "There are several doors; choose \(listed(names)).")
        }
        do throws(LiveError) {
            let answer = try await site.room.join(door, as: role, offer: offer)
            let headers = [
                ("location", "/\(role.prefix)/\(door)/\(answer.id)"), ("etag", "\"\(answer.tag)\""),
                ("accept-patch", Self.fragmentType), ("cache-control", "no-store"),
            ]
            return HTTPResponse(201, Self.offerType, answer.sdp, headers: headers + links)
        } catch {
            return response(to: error)
        }
    }

    private var onlyDoor: String? { site.room.doors.count == 1 ? site.room.doors.first?.name : nil }

    // MARK: A session

    private func change(_ request: HTTPRequest, _ id: String) async -> HTTPResponse {
        let body: String
        do throws(Refusal) {
            body = try text(of: request, Self.fragmentType, [("accept-patch", Self.fragmentType)])
        } catch {
            return error.response
        }
        guard let condition = request.header("if-match") else {
            return .refusal(
                428, "PATCH needs If-Match with the ETag of the session, or with * to restart ICE.")
        }
        do throws(LiveError) {
            let fragment = try SDPFragment(body)
            switch try await site.room.change(id, Self.match(condition), fragment) {
            case .added: return HTTPResponse(204)
            case .restarted(let text, let tag):
                return HTTPResponse(
                    200, Self.fragmentType, text, headers: [("etag", "\"\(tag)\""), ("cache-control", "no-store")])
            }
        } catch {
            return response(to: error)
        }
    }

    /// `*`, or a list of tags; weak ones match nothing (RFC 9110, section 13.1.1).
    static func match(_ condition: String) -> LiveMatch {
        let entries = condition.split(separator: ",").map { $0.filter { $0 != " " && $0 != "\t" } }
        if entries == ["*"] { return .any }
        return .tags(
            entries.compactMap { entry in
                entry.count >= 2 && entry.hasPrefix("\"") && entry.hasSuffix("\"")
                    ? String(entry.dropFirst().dropLast()) : nil
            })
    }

    private func leave(_ id: String) async -> HTTPResponse {
        await site.room.leave(id)
            ? HTTPResponse(200) : .refusal(404, "There is no such session; it may have ended.")
    }

    // MARK: Bodies and errors

    private struct Refusal: Error {
        let response: HTTPResponse
    }

    private func text(
        of request: HTTPRequest, _ type: String, _ accept: [(String, String)]
    ) throws(Refusal) -> String {
        let given = request.header("content-type")?.split(separator: ";").first.map { $0.filter { $0 != " " } } ?? ""
        guard given.lowercased() == type else {
            let found = given.isEmpty ? "none" : quoted(given)
            throw Refusal(response: .refusal(415, "The content-type must be \(type), found \(found).", accept))
        }
        guard request.header("content-length") != nil || !request.body.isEmpty else {
            throw Refusal(response: .refusal(411, "A body must come with its content-length."))
        }
        guard request.body.count <= site.options.offerBytesMax else {
            throw Refusal(
                response: .refusal(
                    413, "The body has \(request.body.count) bytes; at most \(site.options.offerBytesMax) are taken."))
        }
        guard let text = String(validating: request.body, as: UTF8.self), !text.isEmpty else {
            throw Refusal(
                response: .refusal(400, request.body.isEmpty ? "The body is empty." : "The body is no UTF-8 text."))
        }
        return text
    }

    private func accepts(_ request: HTTPRequest, _ type: String) -> Bool {
        guard let accept = request.header("accept") else { return true }
        let group = type.prefix { $0 != "/" } + "/*"
        return accept.split(separator: ",").contains { entry in
            let name = entry.split(separator: ";").first.map { $0.filter { $0 != " " }.lowercased() } ?? ""
            return ["*/*", type, String(group)].contains(name)
        }
    }

    private func response(to error: LiveError) -> HTTPResponse {
        switch error {
        case .notFound(let text): .refusal(404, text)
        case .malformed(let text): .refusal(400, text)
        case .unusable(let text): .refusal(422, text)
        case .taken(let text), .conflict(let text): .refusal(409, text)
        case .stale(let text): .refusal(412, text)
        case .full(let text): .refusal(503, text, [("retry-after", "10")])
        case .failed(let text): .refusal(500, text)
        }
    }
}
