/// The events that the classes name.
enum ModelEvents {
    private static let kind = ParameterDescription(
        "mediaType", .enumeration(ModelTypes.mediaType), module: .core, "Which media.")
    private static let sourcePad = ParameterDescription("sourceMediaDescription", .text, module: .core, "Pad.")
    private static let sinkPad = ParameterDescription("sinkMediaDescription", .text, module: .core, "Pad.")
    private static let sink = ParameterDescription("sink", .object("MediaElement"), module: .core, "The other side.")
    private static let flow = ParameterDescription(
        "state", .enumeration(ModelTypes.flowState), module: .core, "The new state.")
    private static let pad = ParameterDescription("padName", .text, module: .core, "Pad: default.")

    static let all: [EventDescription] = [
        .init(
            name: "ObjectCreated", module: .core,
            members: [.init("object", .object("MediaObject"), module: .core, "The new object.")],
            doc: "An object of any client was made."),
        .init(
            name: "ObjectDestroyed", module: .core,
            members: [.init("objectId", .text, module: .core, "Its id.")], doc: "An object of any client is gone."),
        .init(
            name: "Error", module: .core,
            members: [
                .init("description", .text, module: .core, "What happened, in a sentence."),
                .init("errorCode", .int32, module: .core, "A number for programs."),
                .init("type", .text, module: .core, "Name of the error, such as INVALID_URI."),
            ], doc: "Something went wrong in the object; the rest of the pipeline goes on."),
        .init(
            name: "ElementConnected", module: .core, members: [sink, kind, sourcePad, sinkPad],
            doc: "A link was made."),
        .init(
            name: "ElementDisconnected", module: .core, members: [sink, kind, sourcePad, sinkPad],
            doc: "A link was taken away."),
        .init(
            name: "MediaFlowOutStateChanged", module: .core, members: [flow, pad, kind],
            doc: "Media began or ceased to go out of the element."),
        .init(
            name: "MediaFlowInStateChanged", module: .core, members: [flow, pad, kind],
            doc: "Media began or ceased to come into the element."),
        .init(
            name: "MediaTranscodingStateChanged", module: .core,
            members: [
                .init("state", .enumeration(ModelTypes.transcodingState), module: .core, "The new state."),
                .init("binName", .text, module: .core, "The part that converts."), kind,
            ], doc: "The element's output began or ceased to be encoded again for some sink."),
        .init(
            name: "UriEndpointStateChanged", module: .core,
            members: [
                .init("state", .enumeration(ModelTypes.uriEndpointState), module: .core, "The new state.")
            ], doc: "The endpoint started, paused or stopped."),
        .init(name: "EndOfStream", module: .elements, members: [], doc: "Everything has been played."),
        .init(name: "Recording", module: .elements, members: [], doc: "The first media is being written."),
        .init(name: "Paused", module: .elements, members: [], doc: "Recording holds."),
        .init(name: "Stopped", module: .elements, members: [], doc: "Everything is written and the file is closed."),
        .init(
            name: "Statistics", module: .tessera,
            members: [
                .init("stats", .map(.structure(ModelTypes.stats)), module: .tessera, "As getStats answers them.")
            ], doc: "The figures of now, every statisticsInterval."),
    ]
}
