import Core
import Elements
import Media
import Mixing

// Pipelines and elements as whole graphs.
extension Bindings {
    static let pipeline = ClassBinding(
        "MediaPipeline",
        properties: [
            "latencyStats": PropertyBinding(
                get: .loop { call throws(RPCError) in .boolean(call.context.measuresLatency) },
                set: .loop { call throws(RPCError) in
                    call.context.measuresLatency = call.arguments.boolean("latencyStats") ?? false
                    return nil
                })
        ],
        methods: [
            "getGstreamerDot": graph,
            "dumpGstreamerDot": dumpGraph,
        ])

    static let hub = ClassBinding(
        "Hub",
        methods: [
            "getGstreamerDot": graph,
            "dumpGstreamerDot": dumpGraph,
        ])

    static let passThrough = ClassBinding("PassThrough")
    static let hubPort = ClassBinding(
        "HubPort",
        properties: [
            "label": .on(HubPort.self) { port throws(RPCError) in
                .string(port.options.label)
            } set: { port, call throws(RPCError) in
                port.options.label = call.arguments.string("label") ?? ""
            },
            "gain": .on(HubPort.self) { port throws(RPCError) in
                .float(Double(port.options.gain))
            } set: { port, call throws(RPCError) in
                port.options.gain = Float(call.arguments.float("gain") ?? 1)
            },
            "muted": .on(HubPort.self) { port throws(RPCError) in
                .boolean(port.options.isMuted)
            } set: { port, call throws(RPCError) in
                port.options.isMuted = call.arguments.boolean("muted") ?? false
            },
            "pinned": .on(HubPort.self) { port throws(RPCError) in
                .boolean(port.options.isPinned)
            } set: { port, call throws(RPCError) in
                port.options.isPinned = call.arguments.boolean("pinned") ?? false
            },
            "selfHidden": .on(HubPort.self) { port throws(RPCError) in
                .boolean(port.options.isSelfHidden)
            } set: { port, call throws(RPCError) in
                port.options.isSelfHidden = call.arguments.boolean("selfHidden") ?? false
            },
            "zOrder": .on(HubPort.self) { port throws(RPCError) in
                .int(port.options.zOrder)
            } set: { port, call throws(RPCError) in
                port.options.zOrder = call.arguments.int("zOrder") ?? 0
            },
            "region": .on(HubPort.self) { port throws(RPCError) in
                port.options.region.map(regionValue)
            } set: { port, call throws(RPCError) in
                let area = Arguments(given: call.arguments.structure("region") ?? [])
                port.options.region = Region(area, z: port.options.zOrder)
            },
            "fit": .on(HubPort.self) { port throws(RPCError) in
                port.options.fit.map { .string($0.rawValue) }
            } set: { port, call throws(RPCError) in
                port.options.fit = call.arguments.string("fit").flatMap(Fit.init(rawValue:))
            },
        ],
        methods: [
            "unsetRegion": .on(HubPort.self) { port, _ throws(RPCError) in
                port.options.region = nil
                return nil
            }
        ])

    private static func regionValue(_ region: Region) -> ArgumentValue {
        .structure([
            Argument("x", .float(region.x)), Argument("y", .float(region.y)), Argument("width", .float(region.width)),
            Argument("height", .float(region.height)),
        ])
    }
}

extension Region {
    /// The members of a `Region` of the object model, checked before.
    init(_ area: Arguments, z: Int) {
        self.init(
            x: area.float("x") ?? 0, y: area.float("y") ?? 0, width: area.float("width") ?? 1,
            height: area.float("height") ?? 1, z: z)
    }
}
