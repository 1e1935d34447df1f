import Core
import Elements
import Media

// Links between elements, and what flows over them.
extension Bindings {
    static let mediaElement = ClassBinding(
        "MediaElement",
        properties: [
            // 300000 is what clients expect of a fresh element; until somebody sets it, each line decides.
            "encoderBitrate": .on(Element.self) { element throws(RPCError) in
                .int(element.encoderRates.wanted ?? 300_000)
            } set: { element, call throws(RPCError) in
                let rate = call.arguments.int("encoderBitrate") ?? 0
                element.encoderRates.wanted = rate > 0 ? rate : nil
            },
            "minEncoderBitrate": .on(Element.self) { element throws(RPCError) in
                .int(element.encoderRates.minimum)
            } set: { element, call throws(RPCError) in
                element.encoderRates.minimum = max(0, call.arguments.int("minEncoderBitrate") ?? 0)
            },
            "maxEncoderBitrate": .on(Element.self) { element throws(RPCError) in
                .int(element.encoderRates.maximum)
            } set: { element, call throws(RPCError) in
                let rate = call.arguments.int("maxEncoderBitrate") ?? 0
                element.encoderRates.maximum = rate > 0 ? rate : Int(Int32.max)
            },
            "statisticsInterval": PropertyBinding(
                get: .record { _, call throws(RPCError) in call.object.kept["statisticsInterval"] ?? .int(0) },
                set: .record { server, call throws(RPCError) in
                    server.tellStatistics(of: call.object, every: call.arguments.int("statisticsInterval") ?? 0)
                    return nil
                }),
            "renditions": .on(Element.self) { element throws(RPCError) in
                .list(element.context.stageRecords.filter { $0.element == element.name }.map(rendition))
            },
        ],
        methods: [
            "connect": .loop { call throws(RPCError) in
                let (source, sink) = (try call.element(), try call.argument("sink"))
                try checkPads(call)
                try graph { () throws(GraphError) in
                    for kind in kinds(call) { try source.connect(to: sink, kind: kind) }
                }
                return nil
            },
            "disconnect": .loop { call throws(RPCError) in
                let (source, sink) = (try call.element(), try call.argument("sink"))
                try checkPads(call)
                for kind in kinds(call) { source.disconnect(from: sink, kind: kind) }
                return nil
            },
            "getSourceConnections": .loop { call throws(RPCError) in
                let element = try call.element()
                guard isDefault(call.arguments.string("description")) else { return .list([]) }
                return .list(
                    kinds(call).compactMap { kind in
                        element.inputs[kind]?.upstream.map { connection($0.element, element, kind) }
                    })
            },
            "getSinkConnections": .loop { call throws(RPCError) in
                let element = try call.element()
                guard isDefault(call.arguments.string("description")) else { return .list([]) }
                return .list(
                    kinds(call).flatMap { kind in
                        (element.outputs[kind]?.downstream ?? []).map { connection(element, $0.element, kind) }
                    })
            },
            // An element that takes no such media has nothing to be made of it.
            "setAudioFormat": .loop { call throws(RPCError) in
                try call.element().inputs[.audio]?.wantedFormat = audioFormat(call)
                return nil
            },
            "setVideoFormat": .loop { call throws(RPCError) in
                try call.element().inputs[.video]?.wantedFormat = videoFormat(call)
                return nil
            },
            "getStats": .loop { call throws(RPCError) in
                .structure(try statistics(call))
            },
            "isMediaFlowingIn": .loop { call throws(RPCError) in
                let kind = try streamKind(call, "MediaFlowingIn")
                return .boolean(
                    isDefault(call.arguments.string("sinkMediaDescription"))
                        ? try call.element().isMediaFlowingIn(kind) : false)
            },
            "isMediaFlowingOut": .loop { call throws(RPCError) in
                let kind = try streamKind(call, "MediaFlowingOut")
                return .boolean(
                    isDefault(call.arguments.string("sourceMediaDescription"))
                        ? try call.element().isMediaFlowingOut(kind) : false)
            },
            "isMediaTranscoding": .record { _, call throws(RPCError) in
                let name = call.arguments.string("mediaType") ?? ""
                guard let kind = MediaKind(rawValue: name.lowercased()), kind != .data else {
                    throw .illegalParameter("Media type DATA is not supported for MediaTranscoding")
                }
                return call.object.kept[EventPayload.transcodingKey(kind)] ?? .boolean(false)
            },
            "getGstreamerDot": graph,
            "dumpGstreamerDot": dumpGraph,
            "thumbnail": .slow { call throws(RPCError) in
                let width = call.arguments.int("width") ?? 320
                switch await call.pipeline?.thumbnail(of: call.id, width: width) {
                case .success(let bytes): return .string(Base64Text.encode(bytes))
                case .failure(let problem): throw .notSupported("\(problem)")
                case nil: throw .objectNotFound(call.id)
                }
            },
        ])

    // MARK: Formats

    private static func caps(_ call: LoopCall) -> Arguments {
        Arguments(given: call.arguments.structure("caps") ?? [])
    }

    private static func audioFormat(_ call: LoopCall) -> WantedFormat {
        let rate = caps(call).int("bitrate") ?? 0
        return .audio(
            caps(call).string("codec").flatMap { AudioCodec(rawValue: $0.lowercased()) }, bitrate: rate > 0 ? rate : nil
        )
    }

    private static func videoFormat(_ call: LoopCall) -> WantedFormat {
        let rate = Arguments(given: caps(call).structure("framerate") ?? [])
        let (upper, lower) = (rate.int("numerator") ?? 0, rate.int("denominator") ?? 0)
        return .video(
            caps(call).string("codec").flatMap { VideoCodec(rawValue: $0.lowercased()) },
            frameRate: upper > 0 && lower > 0 ? Rational(upper, lower) : nil)
    }

    /// The entries of `getStats`.
    static func statistics(_ call: LoopCall) throws(RPCError) -> [Argument] {
        let kinds = call.kind().map { [$0] } ?? Set(MediaKind.allCases)
        let time = call.services.host.unixMilliseconds()
        return KurentoStatistics(try call.element(), kinds, unixMilliseconds: time).entries
    }

    private static func rendition(_ record: StageRecord) -> ArgumentValue {
        let isSound = record.kind == .mix || ["opus", "aac", "pcmu", "pcma", "g722"].contains(record.codec ?? "")
        return .structure([
            Argument("mediaType", (isSound ? MediaKind.audio : .video).wire),
            Argument("stage", .string(record.kind.rawValue)),
            Argument(
                "detail", .string([record.codec ?? "", record.detail].filter { !$0.isEmpty }.joined(separator: " "))),
            Argument("frames", .int(record.frames)), Argument("dropped", .int(record.drops.values.reduce(0, +))),
            Argument("cpuMillis", .float(Double(record.cpuNanoseconds) / 1e6)),
        ])
    }

    /// The kind that was asked for, or all.
    private static func kinds(_ call: LoopCall) -> [MediaKind] { call.kind().map { [$0] } ?? MediaKind.allCases }

    private static func isDefault(_ description: String?) -> Bool {
        description == nil || description == "" || description == "default"
    }

    private static func checkPads(_ call: LoopCall) throws(RPCError) {
        for name in ["sourceMediaDescription", "sinkMediaDescription"] {
            guard let pad = call.arguments.string(name), !isDefault(pad) else { continue }
            throw .connect("There is no pad '\(pad)': every element has one pad of each kind, 'default'")
        }
    }

    private static func streamKind(_ call: LoopCall, _ what: String) throws(RPCError) -> MediaKind {
        guard let kind = call.kind(), kind != .data else {
            throw .illegalParameter("Media type DATA is not supported for \(what)")
        }
        return kind
    }

    /// An `ElementConnectionData`.
    private static func connection(_ source: Element, _ sink: Element, _ kind: MediaKind) -> ArgumentValue {
        .structure([
            Argument("source", .object(source.name)), Argument("sink", .object(sink.name)),
            Argument("type", kind.wire), Argument("sourceDescription", .string("default")),
            Argument("sinkDescription", .string("default")),
        ])
    }
}
