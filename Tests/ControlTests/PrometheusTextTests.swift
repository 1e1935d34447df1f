import Control
import Core
import Testing

struct PrometheusTextTests {
    @Test func seriesOfANameStandTogether() {
        let metrics = Metrics()
        metrics.counter("a_total", help: "Counts a\\b.", labels: [("kind", "x\"y")]).add(3)
        metrics.gauge("g", help: "A gauge.").set(1.5)
        metrics.counter("a_total", help: "Counts a\\b.", labels: [("kind", "z")]).add()
        let seconds = metrics.histogram("h_seconds", help: "Times.", bounds: [0.1, 1])
        for value in [0.05, 0.5, 7] { seconds.observe(value) }
        #expect(
            metrics.prometheusText == """
                # HELP a_total Counts a\\\\b.
                # TYPE a_total counter
                a_total{kind="x\\"y"} 3
                a_total{kind="z"} 1
                # HELP g A gauge.
                # TYPE g gauge
                g 1.5
                # HELP h_seconds Times.
                # TYPE h_seconds histogram
                h_seconds_bucket{le="0.1"} 1
                h_seconds_bucket{le="1"} 2
                h_seconds_bucket{le="+Inf"} 3
                h_seconds_sum 7.55
                h_seconds_count 3

                """)
    }

    @Test func tokensLetIn() {
        let tokens = BearerTokens(["one", "t+w o"])
        func ask(_ header: String? = nil, query: String = "") -> Int? {
            let headers = header.map { [(name: "authorization", value: $0)] } ?? []
            return tokens.refusal(of: HTTPRequest(method: "GET", path: "/", query: query, headers: headers))?.status
        }
        #expect(ask("Bearer one") == nil)
        #expect(ask("bearer t+w o") == nil)
        #expect(ask(query: "a=b&access_token=t%2bw+o") == nil)
        #expect(ask() == 401)
        #expect(ask("Basic one") == 401)
        #expect(ask("Bearer two") == 401)
        #expect(ask("Bearer one two") == 401)
        #expect(ask(query: "access_token=%") == 401)
        #expect(BearerTokens([]).refusal(of: HTTPRequest(method: "GET", path: "/")) == nil)
    }

    @Test func originsAreThosePagesThatMayConnect() {
        func ask(_ origin: String?, _ allowed: [String]) -> Int? {
            let headers = origin.map { [(name: "origin", value: $0)] } ?? []
            return AllowedOrigins(allowed).refusal(of: HTTPRequest(method: "GET", path: "/", headers: headers))?.status
        }
        #expect(ask("https://a.example", []) == nil)
        #expect(ask("https://A.example", ["https://a.example"]) == nil)
        #expect(ask("http://a.example", ["https://a.example"]) == 403)
        #expect(ask("null", ["https://a.example"]) == 403)
        #expect(ask(nil, ["https://a.example"]) == nil)
    }
}
