import Core

/// The classes of Kurento's module `core`, with what Tessera adds to them.
enum CoreClasses {
    private static let details = ParameterDescription(
        "details", .enumeration(ModelTypes.dotDetails), optional: true, module: .core,
        "How much the picture shows; SHOW_VERBOSE if left out.")

    /// The constructor parameter that names the pipeline; a document's objects are in the document's own.
    static let mediaPipeline = ParameterDescription(
        "mediaPipeline", .object("MediaPipeline"), module: .core, "The pipeline it belongs to.")

    static let mediaObject = ClassDescription(
        name: "MediaObject", parent: nil, isAbstract: true, module: .core,
        doc: "Anything a client can hold: it has an id, a name, a parent, tags, and tells of its errors.",
        properties: [
            .init("mediaPipeline", .object("MediaPipeline"), .final, "The pipeline it belongs to."),
            .init("parent", .object("MediaObject"), .final, "The object it was made in; none for a pipeline."),
            .init("id", .text, .final, "Its id."),
            .init("children", .list(.object("MediaObject")), .readOnly, "The objects made directly in it."),
            .init("name", .text, .readWrite, "A name for people; the id at first."),
            .init(
                "sendTagsInEvents", .boolean, .readWrite, default: .boolean(false), "Whether its events carry its tags."
            ),
            .init("creationTime", .int32, .final, "Seconds since the epoch."),
        ],
        methods: [
            .init(
                "addTag",
                [
                    .init("key", .text, module: .core, "Name of the tag."),
                    .init("value", .text, module: .core, "Text of the tag."),
                ], "Puts a note on the object, or replaces it."),
            .init("removeTag", [.init("key", .text, module: .core, "Name of the tag.")], "Takes a note away."),
            .init(
                "getTag", [.init("key", .text, module: .core, "Name of the tag.")], returns: .text, "Reads a note."),
            .init("getTags", returns: .list(.structure(ModelTypes.tag)), "All notes."),
        ],
        events: ["Error"])

    static let manager = ClassDescription(
        name: "ServerManager", parent: "MediaObject", isAbstract: true, module: .core,
        doc: "The server itself, always there as manager_ServerManager.",
        properties: [
            .init("info", .structure(ModelTypes.serverInfo), .readOnly, "Version, modules and classes."),
            .init("pipelines", .list(.object("MediaPipeline")), .readOnly, "All pipelines."),
            .init("sessions", .list(.text), .readOnly, "The ids of all sessions."),
            .init("metadata", .text, .readOnly, "Whatever the configuration says under this name; empty if nothing."),
        ],
        methods: [
            .init(
                "getKmd", [.init("moduleName", .text, module: .core, "Name of the module.")], returns: .text,
                "The interface of a module, as JSON text."),
            .init("getCpuCount", returns: .int32, "Processors that the server may use."),
            .init(
                "getUsedCpu",
                [.init("interval", .int32, module: .core, "Milliseconds to measure for; the answer takes as long.")],
                returns: .number, "What the server uses of the machine's processors, in percent."),
            .init("getUsedMemory", returns: .int64, "Memory of the server, in KiB."),
            .init(
                "createFromDocument",
                [.init("document", .text, module: .tessera, "A pipeline document, as JSON text.")],
                returns: .structure(ModelTypes.createdPipeline), own: true,
                "Makes a whole pipeline in one call: everything that the document says, or nothing."),
        ],
        events: ["ObjectCreated", "ObjectDestroyed"])

    static let pipeline = ClassDescription(
        name: "MediaPipeline", parent: "MediaObject", module: .core,
        doc: "Holds elements and hubs; only objects of one pipeline can be linked.",
        properties: [
            .init(
                "latencyStats", .boolean, .readWrite, default: .boolean(false),
                "Whether every element measures its latency.")
        ],
        methods: graphMethods)

    private static let graphMethods: [MethodDescription] = [
        .init("getGstreamerDot", [details], returns: .text, "A picture of the graph, as Graphviz text."),
        .init("dumpGstreamerDot", [details], "Writes that picture to a file of the server."),
    ]

    static let mediaElement = ClassDescription(
        name: "MediaElement", parent: "MediaObject", isAbstract: true, module: .core,
        doc: "An object with sources and sinks of media, which links join.",
        properties: [
            .init(
                "encoderBitrate", .int32, .readWrite,
                "Bits per second of the video that is encoded of the element's output."),
            .init("minEncoderBitrate", .int32, .readWrite, "Lowest bit rate of such video, in bits per second."),
            .init("maxEncoderBitrate", .int32, .readWrite, "Highest bit rate of such video, in bits per second."),
            .init(
                "statisticsInterval", .int(0...3_600_000), .readWrite, own: true,
                "Milliseconds from one Statistics event to the next; 0: none come."),
            .init(
                "renditions", .list(.structure(ModelTypes.rendition)), .readOnly, own: true,
                "The forms in which the element's media is made, and what each costs."),
        ],
        methods: linkMethods + flowMethods + graphMethods + [thumbnail],
        events: [
            "ElementConnected", "ElementDisconnected", "MediaFlowOutStateChanged", "MediaFlowInStateChanged",
            "MediaTranscodingStateChanged", "Statistics",
        ])

    private static let thumbnail = MethodDescription(
        "thumbnail",
        [.init("width", .int(16...1920), default: .int(320), module: .tessera, "Pixels from left to right.")],
        returns: .text, own: true, "The next picture of the element's output as a JPEG, in base64.")

    private static let kind = ParameterDescription(
        "mediaType", .enumeration(ModelTypes.mediaType), optional: true, module: .core, "Only this kind of media.")
    private static func pad(_ name: String) -> ParameterDescription {
        ParameterDescription(name, .text, default: .string("default"), module: .core, "Name of the pad.")
    }
    private static func linkPad(_ name: String) -> ParameterDescription {
        ParameterDescription(name, .text, optional: true, module: .core, "Name of the pad; default if left out.")
    }
    private static let sink = ParameterDescription(
        "sink", .object("MediaElement"), module: .core, "Where the media goes.")

    private static let linkMethods: [MethodDescription] = [
        .init(
            "getSourceConnections", [kind, .init("description", .text, optional: true, module: .core, "Pad.")],
            returns: .list(.structure(ModelTypes.connection)), "The links that bring media in."),
        .init(
            "getSinkConnections", [kind, .init("description", .text, optional: true, module: .core, "Pad.")],
            returns: .list(.structure(ModelTypes.connection)), "The links that take media out."),
        .init(
            "connect", [sink, kind, linkPad("sourceMediaDescription"), linkPad("sinkMediaDescription")],
            "Links this element to another; a sink that had a source for that kind of media changes over."),
        .init(
            "disconnect", [sink, kind, linkPad("sourceMediaDescription"), linkPad("sinkMediaDescription")],
            "Takes links away again."),
        .init(
            "setAudioFormat", [.init("caps", .structure(ModelTypes.audioCaps), module: .core, "The format.")],
            "Has sound made into that format before the element gets it; RAW is decoded sound."),
        .init(
            "setVideoFormat", [.init("caps", .structure(ModelTypes.videoCaps), module: .core, "The format.")],
            "Has pictures made into that format before the element gets them; RAW are decoded pictures."),
    ]

    private static let requiredKind = ParameterDescription(
        "mediaType", .enumeration(ModelTypes.mediaType), module: .core, "AUDIO or VIDEO.")

    private static let flowMethods: [MethodDescription] = [
        .init(
            "getStats", [kind], returns: .map(.structure(ModelTypes.stats)), "Figures, by the id of what they are of."),
        .init(
            "isMediaFlowingIn", [requiredKind, pad("sinkMediaDescription")], returns: .boolean,
            "Whether media comes in."),
        .init(
            "isMediaFlowingOut", [requiredKind, pad("sourceMediaDescription")], returns: .boolean,
            "Whether media goes out."),
        .init(
            "isMediaTranscoding", [requiredKind, pad("binName")], returns: .boolean,
            "Whether the element's output is decoded and encoded again for some sink."),
    ]

    static let endpoint = ClassDescription(
        name: "Endpoint", parent: "MediaElement", isAbstract: true, module: .core,
        doc: "An element through which media enters or leaves the pipeline.")

    static let uriEndpoint = ClassDescription(
        name: "UriEndpoint", parent: "Endpoint", isAbstract: true, module: .core,
        doc: "An endpoint whose other side is a file or a network address.",
        properties: [
            .init("uri", .text, .final, "The address, as given at creation."),
            .init("state", .enumeration(ModelTypes.uriEndpointState), .readOnly, "STOP at first."),
        ],
        methods: [
            .init("pause", "Holds; going on continues from there."),
            .init("stop", "Ends; a player starts again from the beginning, a recorder has closed its file."),
        ],
        events: ["UriEndpointStateChanged"])

    static let hub = ClassDescription(
        name: "Hub", parent: "MediaObject", isAbstract: true, module: .core,
        doc: "Joins many: elements are linked to its ports, and it decides what each port gets.",
        methods: graphMethods)

    static let hubPort = ClassDescription(
        name: "HubPort", parent: "MediaElement", module: .core,
        doc: "A place at a hub. What is linked to it feeds the hub; what it is linked to gets the hub's output. "
            + "The options of picture and sound count in a Composite.",
        sources: [.audio, .video, .data], sinks: [.audio, .video, .data],
        constructor: [
            .init("hub", .object("Hub"), module: .core, "The hub it belongs to."),
            .init(
                "label", .text, optional: true, module: .tessera,
                "A name for people, such as the participant's; pictures of the graph show it, and a Composite that "
                    + "shows labels."),
            .init(
                "gain", .float(0...8), default: .float(1), module: .tessera,
                "Factor on its sound in the mix; 1 leaves it as it is, 2 is 6 dB louder."),
            .init("muted", .boolean, default: .boolean(false), module: .tessera, "Leaves its sound out of the mix."),
            .init(
                "region", .structure(ModelTypes.region), optional: true, module: .tessera,
                "Where its picture stands; without one, in the next cell of the layout."),
            .init(
                "fit", .enumeration(ModelTypes.fit), optional: true, module: .tessera,
                "How its picture fills its place; the hub's own fit if left out."),
            .init(
                "zOrder", .int(-1000...1000), default: .int(0), module: .tessera,
                "Pictures with a higher number lie over those with a lower one."),
            .init(
                "selfHidden", .boolean, default: .boolean(false), module: .tessera,
                "Whether what leaves it does not show what enters it; costs a canvas and an encoder of its own."),
        ],
        properties: [
            .init("label", .text, .readWrite, own: true, "A name for people."),
            .init("gain", .float(0...8), .readWrite, own: true, "Factor on its sound in the mix."),
            .init("muted", .boolean, .readWrite, own: true, "Whether its sound is left out of the mix."),
            .init("pinned", .boolean, .readWrite, own: true, "Whether its picture comes before those that are not."),
            .init("zOrder", .int(-1000...1000), .readWrite, own: true, "Higher pictures lie over lower ones."),
            .init(
                "region", .structure(ModelTypes.region), .readWrite, own: true,
                "Where its picture stands; null: where the layout places it."),
            .init("fit", .enumeration(ModelTypes.fit), .readWrite, own: true, "How its picture fills its place."),
            .init(
                "selfHidden", .boolean, .readWrite, own: true,
                "Whether what leaves it does not show what enters it: a composition of its own."),
        ],
        methods: [.init("unsetRegion", own: true, "Leaves its picture to the layout again.")])

    static let passThrough = ClassDescription(
        name: "PassThrough", parent: "MediaElement", module: .core,
        doc: "Hands on what it gets: a fixed place to which others can be linked and relinked.",
        sources: [.audio, .video, .data], sinks: [.audio, .video, .data],
        constructor: [mediaPipeline])
}
