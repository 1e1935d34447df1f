import Control
import Core
import Testing

@Suite struct ExpansionTests {
    private func plan(_ name: String, _ settings: [String]) throws -> PipelinePlan {
        let document = try pipeline(name)
        return try document.plan(document.settings(settings))
    }

    private func failure(_ document: PipelineDocument, _ settings: [String]) -> [String] {
        do throws(DocumentErrors) {
            _ = try document.plan(document.settings(settings))
            return []
        } catch {
            return error.description.split(separator: "\n").map(String.init)
        }
    }

    @Test func grid() throws {
        let plan = try plan("grid", ["inputs=a.webm,b.mp4", "output=out.MKV", "fps=25", "videoCodec=VP9"])
        #expect(plan.elements.map(\.name) == ["grid", "input[0]", "input[1]", "port[0]", "port[1]", "out", "recorder"])
        #expect(plan.elements.map(\.hub) == [nil, nil, nil, "grid", "grid", "grid", nil])
        #expect(
            plan.links == [
                .init(from: "input[0]", to: "port[0]", kinds: [.audio, .video]),
                .init(from: "input[1]", to: "port[1]", kinds: [.audio, .video]),
                .init(from: "out", to: "recorder", kinds: [.audio, .video]),
            ])
        let grid = try #require(plan.element("grid")).arguments
        #expect(grid.int("width") == 1280 && grid.int("framerate") == 25 && grid.string("fit") == "contain")
        #expect(grid.string("background") == "#000000", "defaults of the class are filled in")
        let recorder = try #require(plan.element("recorder")).arguments
        #expect(recorder.string("mediaProfile") == "MKV", "by the ending, in any case")
        #expect(recorder.string("videoCodec") == "vp9", "Tessera's own words may be written in any case")
        #expect(recorder.boolean("stopOnEndOfStream") == true)
        #expect(recorder["videoWidth"] == nil)
        #expect(try #require(plan.element("input[1]")).arguments.string("uri") == "b.mp4")
        #expect(plan.warnings.isEmpty && !plan.isOutline)
        #expect(
            plan.parameters.map(\.name) == [
                "inputs", "output", "width", "height", "fps", "fit", "videoBitrate",
                "videoCodec", "audioBitrate",
            ])
    }

    @Test func optionalParametersLeaveArgumentsOut() throws {
        let bare = try plan("transcode", ["input=a.mp4", "output=b.webm"])
        #expect(
            try #require(bare.element("recorder")).arguments.given.map(\.name)
                == ["uri", "mediaProfile", "stopOnEndOfStream"])
        let full = try plan("transcode", ["input=a.mp4", "output=b.webm", "width=320", "audioCodec=opus"])
        #expect(try #require(full.element("recorder")).arguments.int("videoWidth") == 320)
    }

    @Test func soundAloneMakesAFileWithSoundAlone() throws {
        let profile = { (output: String) in
            try #require(try plan("mix-audio", ["inputs=a,b", "output=\(output)"]).element("recorder")).arguments
                .string("mediaProfile")
        }
        #expect(try profile("x.webm") == "WEBM_AUDIO_ONLY")
        #expect(try profile("x.mp4?a.mkv") == "MP4_AUDIO_ONLY")
        #expect(try profile("x.mka") == "MKV_AUDIO_ONLY")
        #expect(
            try plan("mix-audio", ["inputs=a,b", "output=x.weba", "gain=0.5"]).element("port[1]")?.arguments
                .float("gain") == 0.5)
    }

    @Test func splitTracks() throws {
        let plan = try plan("split-tracks", ["inputs=a,b", "output=m.webm", "tracks=x.webm,y.mkv"])
        #expect(plan.element("track[1]")?.arguments.string("uri") == "y.mkv")
        #expect(plan.element("track[1]")?.arguments.string("mediaProfile") == "MKV")
        #expect(plan.links.filter { $0.from == "input[1]" }.map(\.to) == ["port[1]", "track[1]"])
        #expect(
            failure(try pipeline("split-tracks"), ["inputs=a,b,c", "output=m.webm", "tracks=x.webm,y.mkv"]) == [
                "pipelines/split-tracks.json:35:24: 'track[0]': 'tracks' has 2 entries and 'inputs' has 3; they are "
                    + "read side by side and must be as many"
            ])
    }

    @Test func pictureInPicture() throws {
        let settings = ["main=a.webm", "inset=b.webm", "output=o.mp4"]
        let plan = try plan("picture-in-picture", settings)
        let region = try #require(plan.element("insetPort")?.arguments.structure("region"))
        #expect(region.map(\.value.float) == [0.72, 0.72, 0.25, 0.25])
        #expect(
            failure(try pipeline("picture-in-picture"), settings + ["insetSize=0.5"]).map { $0.suffix(71) }
                == [
                    "'insetPort': region.x + region.width must be at most 1, found 0.72 + 0.5",
                    "'insetPort': region.y + region.height must be at most 1, found 0.72 + 0.5",
                ].map { $0.suffix(71) })
    }

    @Test func substitution() throws {
        let document = try document(
            graph(
                parameters: """
                    "files": {"type": "list", "of": "string"}, "n": {"type": "int", "default": 7},
                    "b": {"type": "boolean", "default": true}, "f": {"type": "float", "default": 2}
                    """,
                elements: [
                    #""h": {"class": "Composite", "with": {"width": 64}}"#,
                    #"""
                    "p": {"class": "HubPort", "hub": "h", "each": "files", "with": {
                      "muted": "${b}", "gain": "${f}", "zOrder": "${number}",
                      "label": "${number}/${index} ${item} ${n} ${b} $${x} $ ${files[0]}"}}
                    """#,
                    #""q": {"class": "PassThrough"}"#,
                ],
                links: [#"{"from": "p[1]", "to": "q"}"#]))
        let plan = try document.plan(document.settings(["files=é,b"]))
        let second = try #require(plan.element("p[1]")).arguments
        #expect(second.string("label") == "2/1 b 7 true ${x} $ é")
        #expect(second.boolean("muted") == true && second.float("gain") == 2 && second.int("zOrder") == 2)
        #expect(plan.links == [.init(from: "p[1]", to: "q", kinds: [.audio, .video, .data])])
        #expect(
            failure(document, ["files=a"]) == [
                "x.json:9:10: from: there is no 'p[1]'; 'files' has 1 entry"
            ])
    }

    @Test func manySinksOfOneSource() throws {
        let document = try document(
            graph(
                parameters: #""outs": {"type": "list", "of": "uri", "optional": true}"#,
                elements: [
                    #""in": {"class": "PlayerEndpoint", "with": {"uri": "a"}}"#,
                    #""rec": {"class": "RecorderEndpoint", "each": "outs", "with": {"uri": "${item}"}}"#,
                ], links: [#"{"from": "in", "to": "rec"}"#]))
        let plan = try document.plan(document.settings(["outs=a.webm,b.mkv", "outs=c.mp4"]))
        #expect(plan.links.map(\.to) == ["rec[0]", "rec[1]", "rec[2]"])
        // An optional list that nobody sets makes no elements.
        #expect(try document.plan(document.settings([])).elements.map(\.name) == ["in"])
    }

    @Test func operations() throws {
        let document = try document(
            graph(
                parameters: #""ins": {"type": "list", "of": "uri"}"#,
                elements: [
                    #""in": {"class": "PlayerEndpoint", "each": "ins", "with": {"uri": "${item}"}}"#,
                    #""m": {"class": "Mixer"}"#, #""p": {"class": "HubPort", "hub": "m", "each": "ins"}"#,
                    #""out": {"class": "HubPort", "hub": "m"}"#,
                ], links: [#"{"from": "in", "to": "p"}"#],
                invoke: [
                    #"""
                    {"object": "m", "method": "connect",
                     "with": {"media": "VIDEO", "source": "p[0]", "sink": "out"}}
                    """#,
                    #"""
                    {"object": "m", "method": "connect", "each": "ins",
                     "with": {"media": "AUDIO", "source": "p[${index}]", "sink": "out"}}
                    """#,
                    #"{"object": "in[${index}]", "method": "play", "each": "ins"}"#,
                ]))
        let plan = try document.plan(document.settings(["ins=a,b"]))
        #expect(plan.invocations.map(\.method) == ["connect", "connect", "connect", "play", "play"])
        #expect(plan.invocations.map { $0.arguments.object("source") } == ["p[0]", "p[0]", "p[1]", nil, nil])
        #expect(plan.invocations.last?.object == "in[1]")
        #expect(plan.links.first?.kinds == [.audio, .video], "a Mixer's ports carry no data")
    }

    /// Hubs may be one per entry, each with its own port.
    @Test func hubPerEntry() throws {
        let document = try document(
            graph(
                parameters: #""ins": {"type": "list", "of": "uri"}"#,
                elements: [
                    #""h": {"class": "Dispatcher", "each": "ins"}"#,
                    #""p": {"class": "HubPort", "hub": "h", "each": "ins"}"#,
                    #""q": {"class": "HubPort", "hub": "h[0]"}"#,
                    #""in": {"class": "PlayerEndpoint", "each": "ins", "with": {"uri": "${item}"}}"#,
                ], links: [#"{"from": "in", "to": "p"}"#]))
        let plan = try document.plan(document.settings(["ins=a,b"]))
        #expect(plan.element("p[1]")?.hub == "h[1]")
        #expect(plan.element("q")?.hub == "h[0]")
    }

    @Test func limits() throws {
        var limits = DocumentLimits()
        (limits.elements, limits.links, limits.listEntries) = (5, 2, 4)
        let document = try PipelineDocument(
            parsing: projectFile("pipelines/grid.json"), file: "g.json", limits: DocumentLimits())
        #expect(throws: Never.self) { try document.plan(document.settings(["inputs=a,b,c,d,e", "output=x.webm"])) }
        // Three sample entries are already too many here.
        #expect(throws: DocumentErrors.self) {
            try PipelineDocument(parsing: projectFile("pipelines/grid.json"), file: "g.json", limits: limits)
        }
        limits.elements = 9
        let small = try PipelineDocument(
            parsing: projectFile("pipelines/transcode.json"), file: "t.json", limits: limits)
        #expect(small.parameters.count == 9)
        (limits.elements, limits.links) = (100, 100)
        let grid = try PipelineDocument(parsing: projectFile("pipelines/grid.json"), file: "g.json", limits: limits)
        #expect(
            failure(grid, ["inputs=a,b,c,d,e", "output=x.webm"]) == [
                "g.json: --set inputs has 5 entries; the limit is 4"
            ])
        limits.links = 3
        let few = try PipelineDocument(
            parsing: projectFile("pipelines/mix-audio.json"), file: "g.json", limits: DocumentLimits())
        #expect(failure(few, ["inputs=a,b,c", "output=x.webm"]) == [])
    }

    /// A product of two lists is counted before it is made.
    @Test func explosion() throws {
        let text = graph(
            parameters: #""a": {"type": "list", "of": "uri"}, "b": {"type": "list", "of": "uri"}"#,
            elements: [
                #""in": {"class": "PlayerEndpoint", "each": "a", "with": {"uri": "${item}"}}"#,
                #""out": {"class": "RecorderEndpoint", "each": "b", "with": {"uri": "${item}"}}"#,
            ], links: [#"{"from": "in[0]", "to": "out"}"#])
        let document = try document(text)
        let many = (0..<6000).map { "\($0).webm" }.joined(separator: ",")
        #expect(
            failure(document, ["a=\(many)", "b=\(many)"]) == [
                "x.json:3:1: more than 10000 elements with 'out'; that is the limit"
            ])
    }

    /// Nine thousand inputs are no trouble.
    @Test(.timeLimit(.minutes(1))) func many() throws {
        let many = (0..<4500).map { "\($0).webm" }.joined(separator: ",")
        let plan = try plan("grid", ["inputs=\(many)", "output=x.webm"])
        #expect(plan.elements.count == 9003 && plan.links.count == 4501)
        #expect(plan.picture().utf8.count < 4000)
        #expect(plan.graphviz.utf8.count > 100_000)
    }
}
