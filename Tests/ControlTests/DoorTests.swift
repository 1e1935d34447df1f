import Control
import Core
import Testing

/// `doors` of a document: what is checked, and what a plan says of them.
@Suite struct DoorTests {
    private static let elements = [
        #""grid": {"class": "Composite"}"#, #""port": {"class": "HubPort", "hub": "grid"}"#,
        #""stage": {"class": "PassThrough"}"#, #""rec": {"class": "RecorderEndpoint", "with": {"uri": "a.webm"}}"#,
        #""film": {"class": "PlayerEndpoint", "with": {"uri": "b.webm"}}"#,
    ]

    private func text(_ doors: String) -> String {
        """
        {"elements": {\(Self.elements.joined(separator: ", "))},
         "links": [{"from": "film", "to": "rec", "media": "video"}],
         "doors": \(doors)}
        """
    }

    @Test func whatGoesInAndOut() throws {
        let document = try document(
            text(
                """
                {"room": {"at": "grid", "doc": "Everybody."}, "tape": {"at": "rec"}, "show": {"at": "film"},
                 "stage": {"at": "stage"}}
                """))
        let doors = try document.plan(Settings()).doors
        #expect(doors.map(\.name) == ["room", "tape", "show", "stage"])
        #expect(doors.map(\.isHub) == [true, false, false, false])
        // The recorder's picture comes from a link, so only its sound is free.
        func words(_ kinds: [MediaKind]) -> String { kinds.map(\.rawValue).joined(separator: " ") }
        let (taken, given) = (doors.map { words($0.takes) }, doors.map { words($0.gives) })
        #expect(taken == ["audio video", "audio", "", "audio video"])
        #expect(given == ["audio video", "", "audio video", "audio video"])
        #expect(doors[0].summary == "audio, video ─▶ grid ─▶ audio, video, any number of peers: Everybody.")
        #expect(doors[1].summary == "audio ─▶ rec, one peer that sends")
        #expect(doors[2].summary == "film ─▶ audio, video")
        let plan = try document.plan(Settings())
        #expect(plan.picture(width: 120).contains("\nDoors:\n  room   audio, video ─▶ grid"))
        #expect(plan.graphviz.contains("\"door show\" [shape=house"))
        #expect(plan.graphviz.contains("\"film\" -> \"door show\""))
        #expect(!plan.graphviz.contains("\"door show\" -> \"film\""))
    }

    @Test(arguments: [
        ("[]", "x.json:3:11: doors must be an object, found a list"),
        (#"{"a": {}}"#, "x.json:3:12: door 'a' needs at, the name of an element"),
        (#"{"a": {"at": 1}}"#, "x.json:3:24: at, the name of an element must be a string, found the number 1"),
        (
            #"{"a": {"at": "gird"}}"#,
            "x.json:3:24: door 'a': at: there is no element 'gird' (did you mean 'grid'?)"
        ),
        (
            #"{"a": {"at": "port"}}"#,
            "x.json:3:24: door 'a': 'port' (HubPort) is a port; name its hub 'grid', and everybody who joins gets a "
                + "port of their own"
        ),
        (#"{"a": {"in": "grid"}}"#, "x.json:3:18: door 'a' has no member 'in'; it has at and doc"),
        (
            #"{"1": {"at": "grid"}}"#,
            "x.json:3:12: the name of a door must be a letter and up to 63 letters, digits, '_' or '-', found '1'"
        ),
    ])
    func errorsOfDoors(doors: String, message: String) {
        #expect(errors(text(doors)).contains(message), "\(errors(text(doors)))")
    }

    @Test func theElementBehindADoorIsNotLoose() throws {
        let plan = try document(#"{"elements": {"a": {"class": "Composite"}}, "doors": {"a": {"at": "a"}}}"#)
            .plan(Settings())
        #expect(plan.warnings.isEmpty)
    }

    @Test func liveGrid() throws {
        let document = try pipeline("live-grid")
        #expect(try document.plan(Settings()).elements.map(\.name) == ["grid"])
        let plan = try document.plan(document.settings(["record=a.webm,b.mp4"]))
        #expect(plan.elements.filter { $0.className == "RecorderEndpoint" }.count == 2)
        #expect(plan.doors.map(\.name) == ["grid"] && plan.warnings.isEmpty)
    }
}
