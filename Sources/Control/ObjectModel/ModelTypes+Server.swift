/// What the server tells of itself, the rest of Kurento's types, and Tessera's own.
extension ModelTypes {
    static let serverType = EnumDescription(name: "ServerType", module: .core, values: ["KMS", "KCS"])
    static let gapsFixMethod = EnumDescription(
        name: "GapsFixMethod", module: .elements, values: ["NONE", "GENPTS", "FILL_IF_TRANSCODING"])

    static let moduleInfo = StructureDescription(
        name: "ModuleInfo", module: .core,
        members: [
            .init("version", .text, "Version."), .init("name", .text, "Name, such as core."),
            .init("generationTime", .text, "When it was built."),
            .init("factories", .list(.text), "Classes of which objects can be made, by name."),
        ], doc: "A module of the server.")
    static let serverInfo = StructureDescription(
        name: "ServerInfo", module: .core,
        members: [
            .init("version", .text, "Version of the interface."),
            .init("modules", .list(.structure(moduleInfo)), "Modules."),
            .init("type", .enumeration(serverType), "Kind of server."),
            .init("capabilities", .list(.text), "What it can do beyond the least."),
        ], doc: "What the server is.")
    static let codecConfiguration = StructureDescription(
        name: "CodecConfiguration", module: .core,
        members: [
            .init("name", .text, optional: true, "Name of the codec."),
            .init("properties", .map(.text), optional: true, "Settings by name."),
        ], doc: "A codec with its settings.")

    // MARK: Tessera's own

    static let rendition = StructureDescription(
        name: "Rendition", module: .tessera,
        members: [
            .init("mediaType", .enumeration(mediaType), "Which media."),
            .init("stage", .text, "What is done: decode, encode, compose, mix."),
            .init("detail", .text, "How, as in vp8 640×360 30 fps."),
            .init("frames", .int64, "Frames that came out."), .init("dropped", .int64, "Frames that were left out."),
            .init("cpuMillis", .number, "Time of the processor so far, in milliseconds."),
        ], doc: "One form in which the element's media is made, and what it costs.")
    static let simulcastLayer = StructureDescription(
        name: "SimulcastLayer", module: .tessera,
        members: [
            .init("rid", .text, "Name of the layer."),
            .init("isCurrent", .boolean, "Whether it is the one that goes into the pipeline."),
            .init("packetsReceived", .int64, "Packets."), .init("bytesReceived", .int64, "Bytes."),
        ], doc: "One of several forms in which a peer sends the same picture.")
    static let createdPipeline = StructureDescription(
        name: "CreatedPipeline", module: .tessera,
        members: [
            .init("pipeline", .object("MediaPipeline"), "The new pipeline."),
            .init("objects", .map(.object("MediaObject")), "Its objects by their names in the document."),
        ], doc: "What a document has become.")
}
