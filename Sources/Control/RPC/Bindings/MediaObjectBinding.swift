// What every object can: it needs no media, so it is answered at once.
extension Bindings {
    static let mediaObject = ClassBinding(
        "MediaObject",
        properties: [
            "mediaPipeline": PropertyBinding(
                get: .record { _, call throws(RPCError) in call.object.root.map { .object($0.id) } }),
            "parent": PropertyBinding(
                get: .record { _, call throws(RPCError) in call.object.parent.map { .object($0.id) } }),
            "id": PropertyBinding(get: .record { _, call throws(RPCError) in .string(call.object.id) }),
            "children": PropertyBinding(
                get: .record { _, call throws(RPCError) in
                    .list(call.object.orderedChildren.map { .object($0.id) })
                }),
            "name": PropertyBinding(
                get: .record { _, call throws(RPCError) in .string(call.object.name) },
                set: .record { server, call throws(RPCError) in
                    let name = call.arguments.string("name") ?? ""
                    try checkLabel(name.utf8.count, server.options)
                    call.object.name = name
                    return nil
                }),
            "sendTagsInEvents": PropertyBinding(
                get: .record { _, call throws(RPCError) in .boolean(call.object.sendsTagsInEvents) },
                set: .record { _, call throws(RPCError) in
                    call.object.sendsTagsInEvents = call.arguments.boolean("sendTagsInEvents") ?? false
                    return nil
                }),
            "creationTime": PropertyBinding(
                get: .record { _, call throws(RPCError) in .int(call.object.creationTime) }),
        ],
        methods: [
            "addTag": .record { server, call throws(RPCError) in
                let (key, value) = (call.arguments.string("key") ?? "", call.arguments.string("value") ?? "")
                try checkLabel(key.utf8.count + value.utf8.count, server.options)
                guard call.object.tags[key] != nil || call.object.tags.count < server.options.tagsPerObjectMax else {
                    throw .notEnoughResources(
                        "The object has \(server.options.tagsPerObjectMax) tags, the most that are allowed")
                }
                call.object.tags[key] = value
                return nil
            },
            "removeTag": .record { _, call throws(RPCError) in
                call.object.tags[call.arguments.string("key") ?? ""] = nil
                return nil
            },
            "getTag": .record { _, call throws(RPCError) in
                guard let value = call.object.tags[call.arguments.string("key") ?? ""] else { throw .tagNotFound }
                return .string(value)
            },
            "getTags": .record { _, call throws(RPCError) in .list(tags(of: call.object)) },
        ])

    /// As `Tag`s, in the order of their keys.
    static func tags(of object: RPCObject) -> [ArgumentValue] {
        object.tags.sorted { $0.key < $1.key }.map { key, value in
            .structure([Argument("key", .string(key)), Argument("value", .string(value))])
        }
    }

    private static func checkLabel(_ size: Int, _ options: RPCOptions) throws(RPCError) {
        guard size <= options.labelBytesMax else {
            throw .notEnoughResources(
                "Names and tags may have \(options.labelBytesMax) bytes, this one has \(size)")
        }
    }
}
