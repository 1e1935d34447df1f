import Core
import Elements
import Media

// Endpoints whose other side is a file or an address.
extension Bindings {
    static let uriEndpoints = [
        ClassBinding(
            "UriEndpoint",
            properties: [
                "uri": PropertyBinding(
                    get: .loop { call throws(RPCError) in
                        switch try call.element() as Element {
                        case let player as PlayerEndpoint: .string(player.uri)
                        case let recorder as RecorderEndpoint: .string(recorder.uri)
                        default: nil
                        }
                    }),
                "state": PropertyBinding(
                    get: .loop { call throws(RPCError) in
                        switch try call.element() as Element {
                        case let player as PlayerEndpoint: .string(player.state.rawValue)
                        case let recorder as RecorderEndpoint: .string(recorder.state.rawValue)
                        default: nil
                        }
                    }),
            ],
            methods: [
                "pause": .loop { call throws(RPCError) in
                    let element: Element = try call.element()
                    (element as? PlayerEndpoint)?.pause()
                    (element as? RecorderEndpoint)?.pause()
                    return nil
                },
                "stop": .loop { call throws(RPCError) in
                    let element: Element = try call.element()
                    (element as? PlayerEndpoint)?.stop()
                    (element as? RecorderEndpoint)?.stop()
                    return nil
                },
            ]),
        player, recorder,
        ClassBinding(
            "HttpEndpoint",
            methods: [
                "getUrl": .on(HttpPostEndpoint.self) { endpoint, _ throws(RPCError) in
                    .string(
                        try graph({ RPCError(40300, "HTTP_END_POINT_REGISTRATION_ERROR", $0) }) {
                            () throws(GraphError) in try endpoint.getUrl()
                        })
                }
            ]),
        ClassBinding(
            "HttpPostEndpoint",
            construct: { call throws(RPCError) in
                guard let uploads = call.services.uploads else {
                    throw .notAvailable("This server takes no uploads")
                }
                var options = HttpPostEndpoint.Options()
                options.disconnectionTimeout = .milliseconds(1000 * (call.arguments.int("disconnectionTimeout") ?? 2))
                options.useEncodedMedia = call.arguments.boolean("useEncodedMedia") ?? false
                return HttpPostEndpoint(call.context, name: call.id, server: uploads, options: options)
            }),
    ]

    private static let player = ClassBinding(
        "PlayerEndpoint",
        properties: [
            "videoInfo": .on(PlayerEndpoint.self) { player throws(RPCError) in
                let info = player.videoInfo
                return .structure([
                    Argument("isSeekable", .boolean(info.isSeekable)),
                    Argument("seekableInit", .int(Int(info.seekableInit))),
                    Argument("seekableEnd", .int(Int(info.seekableEnd))),
                    Argument("duration", .int(Int(info.duration))),
                ])
            },
            "elementGstreamerDot": PropertyBinding(get: graph),
            "position": .on(PlayerEndpoint.self) { player throws(RPCError) in
                .int(Int(player.position.nanoseconds / 1_000_000))
            } set: { player, call throws(RPCError) in
                // Nothing lasts longer than a century, and multiplied it still fits.
                let time = max(0, min(call.arguments.int("position") ?? 0, 3_155_760_000_000))
                try graph({ _ in RPCError(40700, "PLAYER_SEEK_FAIL", "Seek fails") }) { () throws(GraphError) in
                    try player.seek(to: .milliseconds(time))
                }
            },
        ],
        methods: [
            "play": .on(PlayerEndpoint.self) { player, _ throws(RPCError) in
                player.play()
                return nil
            }
        ])

    private static let recorder = ClassBinding(
        "RecorderEndpoint",
        methods: [
            "record": .on(RecorderEndpoint.self) { recorder, _ throws(RPCError) in
                recorder.record()
                return nil
            },
            "stopAndWait": .slow { call throws(RPCError) in
                let isDone = Lock(false)
                try await call.perform { call throws(RPCError) in
                    let recorder = try call.element(as: RecorderEndpoint.self)
                    recorder.stopAndWait { isDone.withLock { $0 = true } }
                }
                // The recorder gives up by itself, unless it is released meanwhile.
                for _ in 0..<500 where !isDone.withLock({ $0 }) { await call.server.pause(.milliseconds(10)) }
                return nil
            },
        ])
}

// Filters; a description that is not understood is a wrong argument.
extension Bindings {
    static let filters = [
        ClassBinding("Filter"),
        ClassBinding(
            "GStreamerFilter",
            construct: { call throws(RPCError) in
                let type = call.arguments.string("filterType").flatMap(GStreamerElement.Media.init(rawValue:)) ?? .any
                do throws(FilterCommandError) {
                    return try GStreamerFilter(
                        call.context, name: call.id, command: call.arguments.string("command") ?? "", filterType: type)
                } catch {
                    throw .marshall("\(error)")
                }
            },
            properties: ["command": .on(GStreamerFilter.self) { filter throws(RPCError) in .string(filter.command) }],
            methods: [
                "setElementProperty": .on(GStreamerFilter.self) { filter, call throws(RPCError) in
                    do throws(FilterCommandError) {
                        try filter.setElementProperty(
                            call.arguments.string("propertyName") ?? "", call.arguments.string("propertyValue") ?? "")
                    } catch {
                        throw .marshall("\(error)")
                    }
                    return nil
                }
            ]),
        ClassBinding(
            "ImageOverlayFilter",
            methods: [
                "addImage": asInDocument("addImage"), "removeImage": asInDocument("removeImage"),
            ]),
        ClassBinding(
            "FaceOverlayFilter",
            methods: [
                "setOverlayedImage": asInDocument("setOverlayedImage"),
                "unsetOverlayedImage": asInDocument("unsetOverlayedImage"),
            ]),
        ClassBinding("ZBarFilter"),
    ]

    /// Calls what a pipeline document would call.
    private static func asInDocument(_ method: String) -> CallBinding {
        .loop { call throws(RPCError) in
            let element: Element = try call.element()
            let factory = ElementFactory(call.context)
            _ = try graph(RPCError.marshall) { () throws(GraphError) in
                try factory.invoke(method, of: element, call.arguments)
            }
            return nil
        }
    }
}
