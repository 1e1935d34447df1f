import Core

/// The classes of Kurento's module `filters`.
enum FilterClasses {
    private static func share(_ name: String, _ doc: String) -> ParameterDescription {
        ParameterDescription(name, .number, module: .filters, doc)
    }

    static let filter = ClassDescription(
        name: "Filter", parent: "MediaElement", isAbstract: true, module: .core,
        doc: "An element between two others that changes or watches media.")

    static let openCV = ClassDescription(
        name: "OpenCVFilter", parent: "Filter", isAbstract: true, module: .filters,
        doc: "The base of filters that others write with OpenCV.")

    static let gstreamer = ClassDescription(
        name: "GStreamerFilter", parent: "Filter", module: .filters,
        doc: "One GStreamer element by its description; docs/gstreamer-filter.md lists them.",
        sources: [.audio, .video, .data], sinks: [.audio, .video, .data],
        constructor: [
            CoreClasses.mediaPipeline,
            .init("command", .text, module: .filters, "The element with its properties: videoflip method=4."),
            .init(
                "filterType", .enumeration(ModelTypes.filterType), default: .string("AUTODETECT"), module: .filters,
                "The media it is for; AUTODETECT leaves that to the element."),
        ],
        properties: [.init("command", .text, .readOnly, "The element's description, as given at creation.")],
        methods: [
            .init(
                "setElementProperty",
                [
                    .init("propertyName", .text, module: .filters, "Name of the property."),
                    .init("propertyValue", .text, module: .filters, "Its value as text."),
                ], "Sets a property of the element while it runs.")
        ])

    static let imageOverlay = ClassDescription(
        name: "ImageOverlayFilter", parent: "Filter", module: .filters,
        doc: "Lays images over the picture.",
        sources: [.audio, .video, .data], sinks: [.audio, .video, .data],
        constructor: [CoreClasses.mediaPipeline],
        methods: [
            .init(
                "removeImage", [.init("id", .text, module: .filters, "Its id.")],
                "Takes an image away; one that is not there is no error."),
            .init(
                "addImage",
                [
                    .init("id", .text, module: .filters, "Names the image; one with the same id is replaced."),
                    .init(
                        "uri", .text, module: .filters, "A path, or an address that begins with file:, http: or https:."
                    ),
                    share("offsetXPercent", "Left edge, in fractions of the picture's width."),
                    share("offsetYPercent", "Top edge, in fractions of the picture's height."),
                    share("widthPercent", "Width, in fractions of the picture's."),
                    share("heightPercent", "Height, in fractions of the picture's."),
                    .init("keepAspectRatio", .boolean, module: .filters, "Whether the image keeps its shape."),
                    .init("center", .boolean, module: .filters, "Whether it stands in the middle of its place."),
                ], "Shows an image as soon as it is loaded; one that cannot be loaded is an Error event."),
        ])

    static let faceOverlay = ClassDescription(
        name: "FaceOverlayFilter", parent: "Filter", module: .filters,
        doc: "Lays an image over every face.",
        sources: [.audio, .video, .data], sinks: [.audio, .video, .data],
        constructor: [CoreClasses.mediaPipeline],
        methods: [
            .init("unsetOverlayedImage", "Takes the image away."),
            .init(
                "setOverlayedImage",
                [
                    .init(
                        "uri", .text, module: .filters, "A path, or an address that begins with file:, http: or https:."
                    ),
                    share("offsetXPercent", "Left edge from that of the face, in fractions of its width."),
                    share("offsetYPercent", "Top edge from that of the face, in fractions of its height."),
                    share("widthPercent", "Width, in fractions of the face's."),
                    share("heightPercent", "Height, in fractions of the face's."),
                ], "Shows an image on every face as soon as it is loaded."),
        ])

    static let zbar = ClassDescription(
        name: "ZBarFilter", parent: "Filter", module: .filters,
        doc: "Tells which bar codes and QR codes are to be seen.",
        sources: [.audio, .video, .data], sinks: [.audio, .video, .data],
        constructor: [CoreClasses.mediaPipeline],
        events: ["CodeFound"])

    static let codeFound = EventDescription(
        name: "CodeFound", module: .filters,
        members: [
            .init("codeType", .text, module: .filters, "Kind of the code, such as QR-Code or EAN-13."),
            .init("value", .text, module: .filters, "What it says."),
        ], doc: "A code is to be seen; the same one is told once a second at most.")
}
