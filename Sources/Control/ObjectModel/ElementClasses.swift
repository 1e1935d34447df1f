import Core

/// The classes of Kurento's module `elements`, with what Tessera adds to them.
enum ElementClasses {
    static let player = ClassDescription(
        name: "PlayerEndpoint", parent: "UriEndpoint", module: .elements,
        doc: "Plays a file or a network stream into the pipeline.",
        sources: [.audio, .video],
        constructor: [
            CoreClasses.mediaPipeline,
            .init(
                "uri", .string(.uri),
                "A path, or an address that begins with file:, http:, https:, rtsp:, rtsps:, rtmp:, srt: or udp:."),
            .init(
                "useEncodedMedia", .boolean, default: .boolean(false),
                "Kurento's hint; coded frames are handed on as they are wherever a sink takes them, with or without it."
            ),
            .init(
                "networkCache", .int(0...Int(Int32.max)), default: .int(2000),
                "Milliseconds for which live sources (RTSP) are held to even out the network; files and http need none."
            ),
            .init(
                "loop", .boolean, default: .boolean(false), module: .tessera,
                "Starts again from the beginning at the end, without a gap in time."),
        ],
        properties: [
            .init(
                "videoInfo", .structure(ModelTypes.videoInfo), .readOnly, "What is known of the media."),
            .init("elementGstreamerDot", .text, .readOnly, "A picture of its inside, as Graphviz text."),
            .init("position", .int64, .readWrite, "Position in milliseconds; setting it seeks."),
        ],
        methods: [.init("play", "Begins, or goes on after a pause.")],
        events: ["EndOfStream"])

    static let recorder = ClassDescription(
        name: "RecorderEndpoint", parent: "UriEndpoint", module: .elements,
        doc: "Writes what it gets into a file. Coded frames go in as they are where the container takes their codec "
            + "and no other is asked for.",
        sinks: [.audio, .video],
        constructor: [
            CoreClasses.mediaPipeline,
            .init(
                "uri", .string(.uri),
                "A path, or an address that begins with file:, or with http: or https: for an upload."),
            .init(
                "mediaProfile", .enumeration(ModelTypes.mediaProfile), default: .string("WEBM"),
                "The container, and which media it holds. In a pipeline document the default follows from the ending "
                    + "of the uri and from the kinds of media linked to the recorder."),
            .init(
                "stopOnEndOfStream", .boolean, default: .boolean(false),
                "Stops by itself when all that is linked to it has ended."),
            .init(
                "videoCodec", .enumeration(ModelTypes.recordedVideo), optional: true, module: .tessera,
                "The codec of the video; without one, what comes in if the container takes it, else the "
                    + "container's usual one."),
            .init(
                "videoBitrate", .int(10_000...200_000_000), optional: true, module: .tessera,
                "Bits per second of video that has to be encoded."),
            .init(
                "videoWidth", .int(16...8192), optional: true, module: .tessera,
                "Scales the video to that many pixels; the height follows if it is not given."),
            .init(
                "videoHeight", .int(16...8192), optional: true, module: .tessera,
                "Scales the video to that many pixels; the width follows if it is not given."),
            .init(
                "videoFramerate", .int(1...240), optional: true, module: .tessera,
                "Frames per second; without one, as many as come in."),
            .init(
                "audioCodec", .enumeration(ModelTypes.recordedAudio), optional: true, module: .tessera,
                "The codec of the sound; without one, what comes in if the container takes it, else the "
                    + "container's usual one."),
            .init(
                "audioBitrate", .int(6000...510_000), optional: true, module: .tessera,
                "Bits per second of sound that has to be encoded."),
        ],
        methods: [
            .init("record", "Begins, or goes on after a pause."),
            .init("stopAndWait", "Stops, and answers when everything is written."),
        ],
        events: ["Recording", "Paused", "Stopped"])

    static let composite = ClassDescription(
        name: "Composite", parent: "Hub", module: .elements,
        doc: "Composes the pictures of its ports into one and mixes their sound. Every port gets the same picture, "
            + "and the sum of what the others say.",
        sources: [.audio, .video, .data], sinks: [.audio, .video, .data],
        constructor: [
            CoreClasses.mediaPipeline,
            .init("width", .int(16...8192), default: .int(800), "Width of the canvas in pixels."),
            .init("height", .int(16...8192), default: .int(600), "Height of the canvas in pixels."),
            .init("framerate", .int(1...240), default: .int(15), "Pictures per second."),
            .init(
                "fit", .enumeration(ModelTypes.fit), default: .string("contain"), module: .tessera,
                "How a picture fills its place: cover cuts, contain leaves a border, stretch distorts."),
            .init(
                "layout", .enumeration(ModelTypes.layout), default: .string("grid"), module: .tessera,
                "grid: as many columns as rows, or one more; balanced: the rows and columns that waste the least; "
                    + "speaker: the first large, the others below it; sideBySide; pictureInPicture: the second in a "
                    + "corner of the first; full: only the first."),
            .init(
                "background", .string(.colour), default: .string("#000000"), module: .tessera,
                "Colour of the canvas where no picture is."),
            .init(
                "showLabels", .boolean, default: .boolean(false), module: .tessera,
                "Writes the labels of the ports onto their pictures."),
        ],
        properties: [
            .init(
                "layout", .text, .readWrite, own: true,
                "Where pictures stand: grid, balanced, speaker (the first one large), sideBySide, pictureInPicture, "
                    + "full (only the first one), or a list of areas as JSON text, one for each picture."),
            .init("fit", .enumeration(ModelTypes.fit), .readWrite, own: true, "How a picture fills its place."),
            .init("background", .string(.colour), .readWrite, own: true, "Colour where no picture is."),
            .init("showLabels", .boolean, .readWrite, own: true, "Whether labels stand on their pictures."),
        ])

    static let http = ClassDescription(
        name: "HttpEndpoint", parent: "SessionEndpoint", isAbstract: true, module: .elements,
        doc: "An endpoint at an address of this server's own.",
        methods: [.init("getUrl", returns: .text, "The address.")])

    static let httpPost = ClassDescription(
        name: "HttpPostEndpoint", parent: "HttpEndpoint", module: .elements,
        doc: "Plays what a client of HTTP sends to it.",
        sources: [.audio, .video],
        constructor: [
            CoreClasses.mediaPipeline,
            .init(
                "disconnectionTimeout", .int(0...86_400), default: .int(2),
                "Seconds after the end of the request before the session is over."),
            .init(
                "useEncodedMedia", .boolean, default: .boolean(false),
                "Kurento's hint; coded frames are handed on as they are wherever a sink takes them, with or without it."
            ),
        ],
        events: ["EndOfStream"])

    private static let source = ParameterDescription("source", .object("HubPort"), "The port that gives.")
    private static let sink = ParameterDescription("sink", .object("HubPort"), "The port that takes.")
    private static let media = ParameterDescription(
        "media", .enumeration(ModelTypes.mediaType), "AUDIO or VIDEO.")

    static let dispatcher = ClassDescription(
        name: "Dispatcher", parent: "Hub", module: .elements,
        doc: "Routes port to port: each sink port takes from one source port.",
        sources: [.audio, .video], sinks: [.audio, .video],
        constructor: [CoreClasses.mediaPipeline],
        methods: [.init("connect", [source, sink], "Routes one port to another, in place of what it had.")])

    static let dispatcherOneToMany = ClassDescription(
        name: "DispatcherOneToMany", parent: "Hub", module: .elements,
        doc: "Gives what one port receives to all ports.",
        sources: [.audio, .video], sinks: [.audio, .video],
        constructor: [CoreClasses.mediaPipeline],
        methods: [
            .init("setSource", [source], "Chooses the port that all get."),
            .init("removeSource", "Gives nothing to anybody."),
        ])

    static let mixer = ClassDescription(
        name: "Mixer", parent: "Hub", module: .elements,
        doc: "Routes video port to port and mixes the sound of any ports into any port.",
        sources: [.audio, .video], sinks: [.audio, .video],
        constructor: [CoreClasses.mediaPipeline],
        methods: [
            .init("connect", [media, source, sink], "Routes video, or adds a port's sound to another's mix."),
            .init("disconnect", [media, source, sink], "Takes a port's sound out of another's mix."),
        ])

    static let alphaBlending = ClassDescription(
        name: "AlphaBlending", parent: "Hub", module: .elements,
        doc: "Lays pictures over the picture of one port, the master, and mixes the sound of all.",
        sources: [.audio, .video], sinks: [.audio, .video],
        constructor: [CoreClasses.mediaPipeline],
        methods: [
            .init(
                "setMaster", [source, .init("zOrder", .int(-1000...1000), "Height of the master's picture.")],
                "Chooses the port whose picture is the canvas."),
            .init(
                "setPortProperties",
                [
                    .init("relativeX", .float(0...1), "Left edge, in fractions of the master's picture."),
                    .init("relativeY", .float(0...1), "Top edge."),
                    .init("zOrder", .int(-1000...1000), "Pictures with a higher number lie over the others."),
                    .init("relativeWidth", .float(0...1), "Width."),
                    .init("relativeHeight", .float(0...1), "Height."),
                    .init("port", .object("HubPort"), "The port that is meant."),
                ], "Places a port's picture."),
        ])
}

extension ObjectModel {
    /// What this server has.
    package static let tessera = ObjectModel(
        classes: [
            CoreClasses.mediaObject, CoreClasses.manager, CoreClasses.pipeline, CoreClasses.mediaElement,
            CoreClasses.endpoint, CoreClasses.uriEndpoint, ElementClasses.player, ElementClasses.recorder,
            SessionClasses.session, SessionClasses.sdp, SessionClasses.rtp, SessionClasses.webRTC,
            SessionClasses.plainRTP, ElementClasses.http, ElementClasses.httpPost, CoreClasses.passThrough,
            FilterClasses.filter, FilterClasses.openCV, FilterClasses.gstreamer, FilterClasses.imageOverlay,
            FilterClasses.faceOverlay, FilterClasses.zbar, CoreClasses.hubPort, CoreClasses.hub,
            ElementClasses.composite, ElementClasses.dispatcher, ElementClasses.dispatcherOneToMany,
            ElementClasses.mixer, ElementClasses.alphaBlending,
        ],
        events: ModelEvents.all + ModelEvents.session + [FilterClasses.codeFound], types: ModelTypes.furtherTypes)
}
