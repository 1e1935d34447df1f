import Control
import Core
import Testing

@Suite struct ObjectModelTests {
    private let model = ObjectModel.tessera

    /// Names and order of Kurento's parameters are the protocol; what Tessera adds comes after them.
    @Test(arguments: [
        ("MediaPipeline", "MediaObject", "", ""),
        ("PassThrough", "MediaElement", "mediaPipeline", ""),
        ("HubPort", "MediaElement", "hub", "label gain muted region fit zOrder selfHidden"),
        ("PlayerEndpoint", "UriEndpoint", "mediaPipeline uri useEncodedMedia networkCache", "loop"),
        (
            "RecorderEndpoint", "UriEndpoint", "mediaPipeline uri mediaProfile stopOnEndOfStream",
            "videoCodec videoBitrate videoWidth videoHeight videoFramerate audioCodec audioBitrate"
        ),
        ("RtpEndpoint", "BaseRtpEndpoint", "mediaPipeline crypto useIpv6", ""),
        (
            "WebRtcEndpoint", "BaseRtpEndpoint",
            "mediaPipeline recvonly sendonly useDataChannels certificateKeyType qosDscp", ""
        ),
        ("Composite", "Hub", "mediaPipeline width height framerate", "fit layout background showLabels"),
        ("Dispatcher", "Hub", "mediaPipeline", ""), ("DispatcherOneToMany", "Hub", "mediaPipeline", ""),
        ("GStreamerFilter", "Filter", "mediaPipeline command filterType", ""),
        ("ImageOverlayFilter", "Filter", "mediaPipeline", ""), ("FaceOverlayFilter", "Filter", "mediaPipeline", ""),
        ("ZBarFilter", "Filter", "mediaPipeline", ""),
        ("Mixer", "Hub", "mediaPipeline", ""), ("AlphaBlending", "Hub", "mediaPipeline", ""),
    ])
    func constructors(name: String, parent: String, kurento: String, tessera: String) throws {
        let description = try #require(model.classDescription(name))
        #expect(description.parent == parent && !description.isAbstract)
        let own = description.constructor.filter { $0.module == .tessera }
        #expect(own.map(\.name).joined(separator: " ") == tessera)
        #expect(own.allSatisfy { $0.isOptional }, "stock clients do not know them")
        #expect(
            description.constructor.map(\.name).joined(separator: " ")
                == [kurento, tessera].filter { !$0.isEmpty }.joined(separator: " "))
    }

    @Test func lineage() {
        #expect(
            model.lineage(of: "PlayerEndpoint").map(\.name)
                == ["PlayerEndpoint", "UriEndpoint", "Endpoint", "MediaElement", "MediaObject"])
        #expect(model.isClass("Composite", a: "Hub") && !model.isClass("HubPort", a: "Hub"))
        #expect(model.lineage(of: "Nothing").isEmpty)
        #expect(model.method("pause", of: "RecorderEndpoint") != nil)
        #expect(model.method("connect", of: "Dispatcher")?.parameters.map(\.name) == ["source", "sink"])
        #expect(
            model.eventNames(of: "PlayerEndpoint") == [
                "EndOfStream", "UriEndpointStateChanged", "ElementConnected", "ElementDisconnected",
                "MediaFlowOutStateChanged", "MediaFlowInStateChanged", "MediaTranscodingStateChanged", "Statistics",
                "Error",
            ])
    }

    /// Defaults are arguments like any other: each passes its own check.
    @Test func defaultsPassTheirChecks() {
        for description in model.classes {
            let parameters = description.constructor + description.methods.flatMap(\.parameters)
            for parameter in parameters {
                guard let value = parameter.defaultValue else { continue }
                var checker = ArgumentChecker()
                let given =
                    switch value {
                    case .string(let text): GivenValue(.string(text))
                    case .int(let number): GivenValue(.int(number))
                    case .float(let number): GivenValue(.double(number))
                    case .boolean(let flag): GivenValue(.bool(flag))
                    case .structure([]): GivenValue(.object([]))
                    default: GivenValue(.null)
                    }
                #expect(checker.check(given, as: parameter.type, name: parameter.name) == value)
            }
        }
    }

    @Test func everyDocIsASentence() {
        for description in model.classes {
            let docs =
                [description.doc] + description.constructor.map(\.doc) + description.properties.map(\.doc)
                + description.methods.flatMap { [$0.doc] + $0.parameters.map(\.doc) }
            for doc in docs { #expect(doc.hasSuffix("."), "\(description.name): \(doc)") }
        }
    }

    @Test func markdownNamesEverything() {
        let text = model.markdown
        for description in model.classes {
            #expect(text.contains("\n## \(description.name)\n"))
            for parameter in description.constructor { #expect(text.contains("`\(parameter.signature)`")) }
            for method in description.methods { #expect(text.contains("`\(method.signature)`")) }
        }
        for event in model.events { #expect(text.contains("| \(event.name) ")) }
        #expect(text.contains("| FitMode *tessera* | cover, contain, stretch |  |"))
        #expect(text.contains("| `loop: boolean? = false` *tessera* |"))
        #expect(text.split(separator: "\n").filter { $0.hasPrefix("| ---") }.count > 20)
    }

    @Test func inspection() throws {
        #expect(model.inspection(of: "Nothing") == nil)
        let list = model.inspection(width: 60)
        #expect(
            list.hasPrefix(
                """
                MediaPipeline        Holds elements and hubs; only objects
                                     of one pipeline can be linked.
                PlayerEndpoint       Plays a file or a network stream into
                """))
        #expect(list.split(separator: "\n").allSatisfy { cellWidth(String($0)) <= 60 })
        let text = try #require(model.inspection(of: "DispatcherOneToMany"))
        #expect(
            text == """
                DispatcherOneToMany ← Hub ← MediaObject
                Gives what one port receives to all ports.
                Gives audio and video.
                Takes audio and video.

                Constructor:
                  mediaPipeline: MediaPipeline
                      The pipeline it belongs to.

                Properties:
                  mediaPipeline: MediaPipeline
                      final. The pipeline it belongs to.
                  parent: MediaObject
                      final. The object it was made in; none for a pipeline.
                  id: String
                      final. Its id.
                  children: MediaObject[]
                      read only. The objects made directly in it.
                  name: String
                      read and write. A name for people; the id at first.
                  sendTagsInEvents: boolean
                      read and write. Whether its events carry its tags.
                  creationTime: int
                      final. Seconds since the epoch.

                Methods:
                  setSource(source: HubPort)
                      Chooses the port that all get.
                  removeSource()
                      Gives nothing to anybody.
                  getGstreamerDot(details: GstreamerDotDetails?) → String
                      A picture of the graph, as Graphviz text.
                  dumpGstreamerDot(details: GstreamerDotDetails?)
                      Writes that picture to a file of the server.
                  addTag(key: String, value: String)
                      Puts a note on the object, or replaces it.
                  removeTag(key: String)
                      Takes a note away.
                  getTag(key: String) → String
                      Reads a note.
                  getTags() → Tag[]
                      All notes.

                Events:
                  Error(description: String, errorCode: int, type: String)
                      Something went wrong in the object; the rest of the pipeline goes on.

                """)
    }

    @Test(
        arguments: [
            (.list(.int(0...3)), "[0, 4]", nil, "p[1] must be a whole number from 0 to 3, found 4"),
            (.list(.int(0...3)), "[0, 3]", .list([.int(0), .int(3)]), ""),
            (.list(.text), "\"a\"", nil, "p must be a list, found 'a'"),
            (.map(.boolean), #"{"a": true}"#, .structure([Argument("a", .boolean(true))]), ""),
            (.map(.boolean), #"{"a": 1}"#, nil, "p.a must be true or false, found 1"),
            (.number, "1e300", .float(1e300), ""), (.number, "3", .float(3), ""),
            (.int32, "2147483648", nil, "p must be a whole number, found 2147483648"),
            (.int64, "2147483648", .int(2_147_483_648), ""),
            (.string(.colour), "\"#09aFF0\"", .string("#09aFF0"), ""),
            (.string(.colour), "\"#09aFFg\"", nil, "p must be a colour such as '#1a2b3c', found '#09aFFg'"),
            (
                .string(.uri), "\"a\\nb\"", nil,
                "p must be a path or an address, not empty and without control characters, found 'a\\nb'"
            ),
            (.object("HubPort"), "\"x\"", nil, "p must be the name of a HubPort: objects cannot be named here"),
            (.any, #"[1, null, {"a": "b"}]"#, .list([.int(1), .structure([Argument("a", .string("b"))])]), ""),
        ] as [(ValueType, String, ArgumentValue?, String)])
    func values(type: ValueType, text: String, value: ArgumentValue?, message: String) throws {
        var checker = ArgumentChecker()
        let node = try JSONNode(parsing: text)
        #expect(checker.check(GivenValue(node), as: type, name: "p") == value)
        #expect(checker.problems.map(\.message) == (message.isEmpty ? [] : [message]))
    }

    @Test(arguments: [
        ("widht", ["height", "width"], " (did you mean 'width'?)"), ("WIDTH", ["width"], " (did you mean 'width'?)"),
        ("x", ["y", "width"], ""), ("", ["a"], ""), ("uri", [], ""),
        ("Recorder", ["RecorderEndpoint", "PlayerEndpoint"], ""),
        ("RecordEndpoint", ["RecorderEndpoint"], " (did you mean 'RecorderEndpoint'?)"),
    ])
    func suggestions(word: String, candidates: [String], text: String) {
        #expect(suggestion(for: word, among: candidates) == text)
    }
}
