import Core
import Elements
import Media
import Mixing

// What hubs do with their ports.
extension Bindings {
    static let hubs = [
        ClassBinding(
            "Composite",
            properties: [
                "layout": .on(Composite.self) { hub throws(RPCError) in
                    layoutText(hub.options)
                } set: { hub, call throws(RPCError) in
                    try setLayout(call.arguments.string("layout") ?? "", of: hub)
                },
                "fit": .on(Composite.self) { hub throws(RPCError) in
                    .string(hub.options.fit.rawValue)
                } set: { hub, call throws(RPCError) in
                    hub.setFit(call.arguments.string("fit").flatMap(Fit.init(rawValue:)) ?? hub.options.fit)
                },
                "showLabels": .on(Composite.self) { hub throws(RPCError) in
                    .boolean(hub.options.showsLabels)
                } set: { hub, call throws(RPCError) in
                    hub.setShowsLabels(call.arguments.boolean("showLabels") ?? false)
                },
                "background": PropertyBinding(
                    get: .record { _, call throws(RPCError) in
                        call.object.kept["background"] ?? call.object.arguments["background"] ?? .string("#000000")
                    },
                    set: .slow { call throws(RPCError) in
                        let text = call.arguments.string("background") ?? ""
                        guard let colour = YUVColor(hex: text) else { return nil }
                        try await call.perform { call throws(RPCError) in
                            let hub = try call.element(as: Composite.self)
                            hub.setBackground(colour)
                        }
                        await call.server.keep("background", .string(text), of: call.id)
                        return nil
                    }),
            ]),
        ClassBinding(
            "Dispatcher",
            methods: [
                "connect": .on(Dispatcher.self) { hub, call throws(RPCError) in
                    let (source, sink) = (try port(call, "source"), try port(call, "sink"))
                    try graph { () throws(GraphError) in try hub.connect(source: source, sink: sink) }
                    return nil
                }
            ]),
        ClassBinding(
            "DispatcherOneToMany",
            methods: [
                "setSource": .on(DispatcherOneToMany.self) { hub, call throws(RPCError) in
                    let source = try port(call, "source")
                    try graph { () throws(GraphError) in try hub.setSource(source) }
                    return nil
                },
                "removeSource": .on(DispatcherOneToMany.self) { hub, _ throws(RPCError) in
                    hub.removeSource()
                    return nil
                },
            ]),
        ClassBinding(
            "Mixer",
            methods: [
                "connect": .on(Mixer.self) { hub, call throws(RPCError) in
                    let (source, sink) = (try port(call, "source"), try port(call, "sink"))
                    let kind = try mixedKind(call, [.audio, .video])
                    try graph { () throws(GraphError) in try hub.connect(kind, source: source, sink: sink) }
                    return nil
                },
                "disconnect": .on(Mixer.self) { hub, call throws(RPCError) in
                    let (source, sink) = (try port(call, "source"), try port(call, "sink"))
                    let kind = try mixedKind(call, [.audio])
                    try graph { () throws(GraphError) in try hub.disconnect(kind, source: source, sink: sink) }
                    return nil
                },
            ]),
        ClassBinding(
            "AlphaBlending",
            methods: [
                "setMaster": .on(AlphaBlending.self) { hub, call throws(RPCError) in
                    let source = try port(call, "source")
                    try graph { () throws(GraphError) in
                        try hub.setMaster(source, zOrder: call.arguments.int("zOrder") ?? 0)
                    }
                    return nil
                },
                "setPortProperties": .on(AlphaBlending.self) { hub, call throws(RPCError) in
                    let (port, arguments) = (try port(call, "port"), call.arguments)
                    try graph { () throws(GraphError) in
                        try hub.setPortProperties(
                            port, relativeX: arguments.float("relativeX") ?? 0,
                            relativeY: arguments.float("relativeY") ?? 0, zOrder: arguments.int("zOrder") ?? 0,
                            relativeWidth: arguments.float("relativeWidth") ?? 1,
                            relativeHeight: arguments.float("relativeHeight") ?? 1)
                    }
                    return nil
                },
            ]),
    ]

    private static func layoutText(_ options: Composite.Options) -> ArgumentValue {
        guard let regions = options.regions else { return .string(options.arrangement.rawValue) }
        let areas = regions.map { region -> JSON in
            [
                "x": .double(region.x), "y": .double(region.y), "width": .double(region.width),
                "height": .double(region.height), "zOrder": .int(region.z),
            ]
        }
        return .string(JSON.array(areas).compact)
    }

    /// By its name, or a list of areas as JSON text.
    private static func setLayout(_ text: String, of hub: Composite) throws(RPCError) {
        if let named = Composite.Arrangement(rawValue: text) { return hub.setLayout(named) }
        let problem = RPCError.marshall(
            "'layout' parameter should be \(listed(Composite.Arrangement.allCases.map(\.rawValue))), "
                + "or a list of areas such as [{\"x\":0,\"y\":0,\"width\":0.5,\"height\":1}]")
        guard let node = try? JSONNode(parsing: Array(text.utf8)), case .array(let areas) = node.json else {
            throw problem
        }
        var regions: [Region] = []
        let decoder = WireDecoder(.tessera)
        for area in areas {
            let parameter = ParameterDescription("layout", .structure(ModelTypes.region), "One area.")
            guard case .structure(let members)? = try decoder.decode(area, parameter) else { throw problem }
            let z: Int = if case .int(let value)? = area["zOrder"] { max(-1000, min(1000, value)) } else { 0 }
            regions.append(Region(Arguments(given: members), z: z))
        }
        do throws(GraphError) { try hub.setLayout(regions) } catch { throw .marshall(error.description) }
    }

    private static func port(_ call: LoopCall, _ name: String) throws(RPCError) -> HubPort {
        try call.argument(name, as: HubPort.self)
    }

    private static func mixedKind(_ call: LoopCall, _ allowed: [MediaKind]) throws(RPCError) -> MediaKind {
        guard let kind = call.kind("media"), allowed.contains(kind) else {
            throw .unsupportedMedia(
                "Media type \(call.arguments.string("media") ?? "") is not supported here, only "
                    + allowed.map { $0.rawValue.uppercased() }.joined(separator: " and "))
        }
        return kind
    }
}
