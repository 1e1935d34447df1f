/// A room without doors: what the HTTP handlers have where no document is served.
package struct EmptyRoom: LiveRoom {
    package init() {}
    package var doors: [PipelinePlan.Door] { [] }

    package func join(_ door: String, as role: LiveRole, offer: String) async throws(LiveError) -> LiveAnswer {
        throw .notFound("There are no doors here: no pipeline document is served.")
    }
    package func change(
        _ id: String, _ match: LiveMatch, _ fragment: SDPFragment
    ) async throws(LiveError) -> LiveChange {
        throw .notFound("There is no such session: no pipeline document is served.")
    }
    package func leave(_ id: String) async -> Bool { false }
    package func statistics() async -> JSON { ["doors": [:], "sessions": []] }
}
