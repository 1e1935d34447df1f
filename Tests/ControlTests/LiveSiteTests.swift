import Core
import Testing

@testable import Control

/// A room that notes what it is asked, and answers what a test wants.
private final class FakeRoom: LiveRoom {
    let doors: [PipelinePlan.Door]
    let asked = Lock<[String]>([])
    let failure = Lock<LiveError?>(nil)
    let change = Lock<LiveChange>(.added)

    init(_ names: [String] = ["grid"]) {
        doors = names.map {
            PipelinePlan.Door(
                name: $0, element: $0, isHub: true, takes: [.audio, .video], gives: [.audio, .video], doc: "")
        }
    }

    var last: String { asked.withLock { $0.last } ?? "" }

    private func note(_ text: String) throws(LiveError) {
        asked.withLock { $0.append(text) }
        if let error = failure.withLock({ $0 }) { throw error }
    }
    func join(_ door: String, as role: LiveRole, offer: String) async throws(LiveError) -> LiveAnswer {
        try note("join \(door) \(role) \(offer)")
        return LiveAnswer(id: "77", sdp: "v=0\r\n", tag: "abcd")
    }
    func change(_ id: String, _ match: LiveMatch, _ fragment: SDPFragment) async throws(LiveError) -> LiveChange {
        try note("change \(id) \(match) \(fragment.candidates)")
        return change.withLock { $0 }
    }
    func leave(_ id: String) async -> Bool { id == "77" }
    func statistics() async -> JSON { ["sessions": []] }
}

@Suite struct LiveSiteTests {
    private let room = FakeRoom()

    private func site(_ change: (inout LiveSite.Options) -> Void = { _ in }) -> LiveSite {
        var options = LiveSite.Options()
        options.pages["/"] = .init(type: "text/html", body: Array("hello".utf8))
        change(&options)
        return LiveSite(room, options: options)
    }

    private func request(
        _ method: String, _ path: String, _ body: String = "", _ headers: [String: String] = [:]
    ) -> HTTPRequest {
        var request = HTTPRequest(method: method, path: path, body: Array(body.utf8))
        request.headers = headers.map { ($0.key, $0.value) }
        return request
    }
    private func text(_ response: HTTPResponse) -> String { String(decoding: response.body, as: UTF8.self) }
    private let sdp = ["content-type": "application/sdp"]
    private let fragment = ["content-type": "application/trickle-ice-sdpfrag", "if-match": "\"abcd\""]

    @Test func anOfferIsAnswered() async {
        let site = site { $0.iceServers = [ICEServerLink(url: "stun:192.0.2.1:3478")] }
        let answer = await site.respond(
            to: request("POST", "/whip/grid", "v=0", ["content-type": "Application/SDP; x=1"]))
        #expect(answer.status == 201 && text(answer) == "v=0\r\n")
        #expect(answer.header("content-type") == "application/sdp")
        #expect(answer.header("location") == "/whip/grid/77" && answer.header("etag") == "\"abcd\"")
        #expect(answer.header("accept-patch") == "application/trickle-ice-sdpfrag")
        #expect(answer.header("link") == "<stun:192.0.2.1:3478>; rel=\"ice-server\"")
        #expect(answer.header("access-control-allow-origin") == "*")
        #expect(room.last == "join grid publish v=0")
        // The only door needs no name.
        #expect(await site.respond(to: request("POST", "/whep", "v=0", sdp)).status == 201)
        #expect(room.last == "join grid watch v=0")
    }

    @Test func severalDoorsNeedAName() async {
        let answer = await LiveSite(FakeRoom(["a", "b"])).respond(to: request("POST", "/whip", "v=0", sdp))
        #expect(answer.status == 404 && text(answer).contains("/whip/a or /whip/b"))
    }

    @Test(arguments: [
        (LiveError.notFound("x"), 404), (.malformed("x"), 400), (.unusable("x"), 422), (.taken("x"), 409),
        (.conflict("x"), 409), (.stale("x"), 412), (.full("x"), 503), (.failed("x"), 500),
    ])
    func errorsHaveTheirStatus(error: LiveError, status: Int) async {
        room.failure.withLock { $0 = error }
        let answer = await site().respond(to: request("POST", "/whip/grid", "v=0", sdp))
        #expect(answer.status == status && text(answer) == "x\n")
        #expect((answer.header("retry-after") != nil) == (status == 503))
    }

    @Test func changes() async {
        let lines = "a=ice-ufrag:abcd\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n"
        let added = await site().respond(to: request("PATCH", "/whip/grid/77", lines, fragment))
        #expect(added.status == 204 && added.body.isEmpty)
        #expect(room.last.hasPrefix("change 77 tags([\"abcd\"])"))
        room.change.withLock { $0 = .restarted(fragment: "a=ice-ufrag:new\r\n", tag: "new") }
        let restarted = await site().respond(
            to: request("PATCH", "/whip/grid/77", lines, fragment.merging(["if-match": "*"]) { $1 }))
        #expect(restarted.status == 200 && restarted.header("etag") == "\"new\"")
        #expect(restarted.header("content-type") == "application/trickle-ice-sdpfrag")
        #expect(room.last.hasPrefix("change 77 any"))
        let without = await site().respond(
            to: request("PATCH", "/whip/grid/77", lines, ["content-type": fragment["content-type"] ?? ""]))
        #expect(without.status == 428)
        let plain = await site().respond(to: request("PATCH", "/whip/grid/77", lines, ["content-type": "text/plain"]))
        #expect(plain.status == 415 && plain.header("accept-patch") != nil)
    }

    @Test func leaving() async {
        #expect(await site().respond(to: request("DELETE", "/whep/grid/77")).status == 200)
        #expect(await site().respond(to: request("DELETE", "/whep/grid/78")).status == 404)
    }

    @Test func aTokenGuardsEverythingButPreflightsAndPages() async {
        let site = site { $0.tokens = ["s3cret"] }
        for path in ["/whip/grid", "/whep/grid"] {
            let answer = await site.respond(to: request("POST", path, "v=0", sdp))
            #expect(answer.status == 401 && answer.header("www-authenticate") == "Bearer realm=\"tessera\"")
        }
        let wrong = ["authorization": "Bearer s3creT"]
        #expect(await site.respond(to: request("DELETE", "/whip/grid/77", "", wrong)).status == 401)
        #expect(await site.respond(to: request("GET", "/stats")).status == 401)
        let right = ["authorization": "bearer s3cret"]
        #expect(await site.respond(to: request("DELETE", "/whip/grid/77", "", right)).status == 200)
        #expect(await site.respond(to: request("GET", "/stats", "", right)).status == 200)
        #expect(await site.respond(to: request("OPTIONS", "/whip/grid")).status == 204)
        #expect(await site.respond(to: request("GET", "/")).status == 200)
        #expect(text(await site.respond(to: request("GET", "/doors"))).contains("\"needsToken\":true"))
    }

    @Test func methodsAndPaths() async {
        let cases: [(String, String, Int)] = [
            ("GET", "/whip/grid", 405), ("PUT", "/whip/grid/77", 405), ("POST", "/whip/grid/77", 405),
            ("DELETE", "/whip/grid", 405), ("GET", "/whip/grid/77/x", 404), ("GET", "/nothing", 404),
            ("POST", "/", 405), ("HEAD", "/healthz", 200), ("OPTIONS", "/stats", 204), ("GET", "/", 200),
        ]
        for (method, path, status) in cases {
            let answer = await site().respond(to: request(method, path))
            #expect(answer.status == status, "\(method) \(path)")
            #expect((answer.header("allow") != nil) == [405, 204].contains(status), "\(method) \(path)")
        }
    }

    @Test func bodiesThatAreRefused() async {
        #expect(await site().respond(to: request("POST", "/whip/grid", "", sdp)).status == 411)
        var empty = request("POST", "/whip/grid", "", sdp)
        empty.headers.append(("content-length", "0"))
        #expect(await site().respond(to: empty).status == 400)
        let long = await site { $0.offerBytesMax = 3 }.respond(to: request("POST", "/whip/grid", "v=0\n", sdp))
        #expect(long.status == 413)
        var binary = request("POST", "/whip/grid", "", sdp)
        binary.body = [0xFF, 0xFE]
        #expect(await site().respond(to: binary).status == 400)
        let picky = sdp.merging(["accept": "text/html, application/json;q=0.5"]) { $1 }
        #expect(await site().respond(to: request("POST", "/whip/grid", "v=0", picky)).status == 406)
        let fine = sdp.merging(["accept": "text/html, application/*;q=0.5"]) { $1 }
        #expect(await site().respond(to: request("POST", "/whip/grid", "v=0", fine)).status == 201)
    }

    @Test func turnServersKeepTheirQuotes() {
        let link = ICEServerLink(url: "turn:h:1?transport=udp", username: #"a"b"#, credential: #"c\d"#)
        #expect(
            link.header == #"<turn:h:1?transport=udp>; rel="ice-server"; username="a\"b"; credential="c\\d"; "#
                + #"credential-type="password""#)
    }
}

@Suite struct SDPFragmentTests {
    @Test func candidatesAndCredentials() throws {
        let text = """
            a=group:BUNDLE 0 1\r\na=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 RTP/AVP 0\r
            a=mid:0\r\na=candidate:1 1 udp 2113667327 192.0.2.1 54400 typ host\r\na=end-of-candidates\r\n
            """
        let fragment = try SDPFragment(text)
        #expect(fragment.ufrag == "EsAw" && fragment.password == "P2uYro0UCOQ4zxjKXaWCBui1")
        #expect(fragment.candidates == ["candidate:1 1 udp 2113667327 192.0.2.1 54400 typ host"])
        #expect(fragment.isComplete)
        let again = try SDPFragment(fragment.text(mid: "0", media: "audio"))
        #expect(again == fragment)
    }

    @Test(arguments: [
        ("nonsense", "Line 1 of the fragment is no line of SDP: 'nonsense'."),
        ("a=ice-ufrag:abc", "ice-ufrag must have 4 to 256 characters, and has 3."),
        ("a=ice-pwd:short", "ice-pwd must have 22 to 256 characters, and has 5."),
        (String(repeating: "a=candidate:1\n", count: 101), "More than 100 candidates in one fragment."),
    ])
    func refused(text: String, message: String) {
        #expect(throws: LiveError.malformed(message)) { try SDPFragment(text) }
    }
}
