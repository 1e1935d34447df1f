import Core

/// The messages that go to a client. Members stand in alphabetical order, as Kurento writes them.
enum RPCAnswer {
    private static let version = JSON.Member("jsonrpc", "2.0")

    static func success(_ id: JSON?, _ result: JSON) -> JSON {
        .object([JSON.Member("id", id ?? .null), version, JSON.Member("result", result)])
    }

    static func failure(_ id: JSON?, _ error: RPCError) -> JSON {
        .object([JSON.Member("error", json(error)), JSON.Member("id", id ?? .null), version])
    }

    /// The answer to a notification that had a result, which JSON-RPC does not know.
    static func unasked(_ result: JSON) -> JSON {
        let error: JSON = [
            "code": -32000, "data": result, "message": "Ignoring response because of a notification request",
        ]
        return .object([JSON.Member("error", error), JSON.Member("id", .null), version])
    }

    /// What happened to an object, for a subscriber. `data`: the event's payload.
    static func event(_ name: String, object: String, data: JSON) -> JSON {
        [
            "jsonrpc": "2.0", "method": "onEvent",
            "params": ["value": ["data": data, "object": .string(object), "type": .string(name)]],
        ]
    }

    private static func json(_ error: RPCError) -> JSON {
        var members = [JSON.Member("code", .int(error.code))]
        var data: [JSON.Member] = []
        if let detail = error.detail { data.append(JSON.Member("detail", .string(detail))) }
        if let type = error.type { data.append(JSON.Member("type", .string(type))) }
        if !data.isEmpty { members.append(JSON.Member("data", .object(data))) }
        members.append(JSON.Member("message", .string(error.message)))
        return .object(members)
    }
}
