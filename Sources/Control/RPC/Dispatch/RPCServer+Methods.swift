// The methods of the protocol, one function each.
extension RPCServer {
    /// Begins a method. `session`: the request's own or its connection's, nil where there is none yet.
    func begin(_ request: RPCRequest, session: String?) throws(RPCError) -> Reply {
        let (params, needs) = (
            request.params,
            { () throws(RPCError) -> String in
                if !request.params.isPresent, session == nil { throw .paramsRequired }
                return session ?? self.makeUUID()
            }
        )
        switch request.method {
        case "ping": return .now(ping(session))
        case "connect": return .now(try connect(params, session))
        case "closeSession": return closeSession(params, session)
        case "create": return try create(params, try needs())
        case "describe": return .now(try describe(params, try needs()))
        case "invoke": return try invoke(params, try needs())
        case "subscribe": return .now(try subscribe(params, try needs()))
        case "unsubscribe": return .now(try unsubscribe(params, try needs(), given: session))
        case "release": return try release(params, try needs())
        case "ref": return .now(try ref(params, try needs(), given: session))
        case "unref": return try unref(params, try needs(), given: session)
        case "keepAlive": return .now(try keepAlive(try needs(), given: session))
        case "transaction": return try transaction(params, try needs())
        default: throw .methodNotFound
        }
    }

    private func ping(_ session: String?) -> Outcome {
        guard let session else { return Outcome(session: nil, result: ["value": "pong"]) }
        return Outcome(session, value: "pong")
    }

    private func connect(_ params: RPCParams, _ session: String?) throws(RPCError) -> Outcome {
        if let wanted = try params.optionalText("sessionId"), sessions[wanted] == nil { throw .invalidSession }
        let session = session ?? makeUUID()
        sessions[session]?.isUsed = true
        return Outcome(
            session: session, result: ["serverId": .string(serverID), "sessionId": .string(session)])
    }

    private func keepAlive(_ session: String, given: String?) throws(RPCError) -> Outcome {
        guard given != nil else { throw .member("'sessionId' parameter is required") }
        guard let held = sessions[session] else { throw .invalidSession }
        held.isUsed = true
        return Outcome(session, value: nil)
    }

    private func closeSession(_ params: RPCParams, _ session: String?) -> Reply {
        let nothing = Outcome(session: nil, result: .null)
        guard let session, sessions[session] != nil else { return .now(nothing) }
        let releases = end(session, releasing: params.flag("release"))
        if releases.isEmpty { return .now(nothing) }
        return .later { _ throws(RPCError) in
            for release in releases { await release.run() }
            return nothing
        }
    }

    private func describe(_ params: RPCParams, _ session: String) throws(RPCError) -> Outcome {
        let object = try table.find(try params.text("object"))
        try own(object, session)
        let lineage = model.lineage(of: object.className).map { JSON.string($0.qualifiedName) }
        return Outcome(
            session: session,
            result: [
                "hierarchy": .array(Array(lineage.dropFirst())),
                "qualifiedType": lineage.first ?? .string("kurento.\(object.className)"),
                "sessionId": .string(session), "type": .string(object.className),
            ])
    }

    private func subscribe(_ params: RPCParams, _ session: String) throws(RPCError) -> Outcome {
        let event = try params.text("type")
        let object = try table.find(try params.text("object"))
        guard model.eventNames(of: object.className).contains(event) else { throw .eventNotSupported(event) }
        try own(object, session)
        guard let held = sessions[session], held.subscriptions.count < options.subscriptionsPerSessionMax else {
            throw .notEnoughResources(
                "The session has \(options.subscriptionsPerSessionMax) subscriptions, the most that are allowed")
        }
        let subscription = makeUUID()
        held.subscriptions[subscription] = (object.id, event)
        object.subscribers[event, default: [:]][session, default: []].insert(subscription)
        return Outcome(session, value: .string(subscription))
    }

    private func unsubscribe(_ params: RPCParams, _ session: String, given: String?) throws(RPCError) -> Outcome {
        let subscription = try params.text("subscription")
        _ = try params.text("object")
        guard given != nil else { throw .member("'sessionId' parameter is required") }
        if let held = sessions[session], let what = held.subscriptions.removeValue(forKey: subscription),
            let object = table[what.object]
        {
            object.subscribers[what.event]?[session]?.remove(subscription)
            if object.subscribers[what.event]?[session]?.isEmpty == true {
                object.subscribers[what.event]?[session] = nil
            }
        }
        return Outcome(session, value: nil)
    }

    private func release(_ params: RPCParams, _ session: String) throws(RPCError) -> Reply {
        let outcome = Outcome(session, value: nil)
        guard let object = table[try params.text("object")], object.pipeline != nil else { return .now(outcome) }
        let release = destroy(object)
        return .later { _ throws(RPCError) in
            await release?.run()
            return outcome
        }
    }

    private func ref(_ params: RPCParams, _ session: String, given: String?) throws(RPCError) -> Outcome {
        let object = try table.find(try params.text("object"))
        guard given != nil else { throw .member("'sessionId' parameter is required") }
        try own(object, session)
        return Outcome(session, value: nil)
    }

    private func unref(_ params: RPCParams, _ session: String, given: String?) throws(RPCError) -> Reply {
        let id = try params.text("object")
        guard given != nil else { throw .member("'sessionId' parameter is required") }
        let outcome = Outcome(session, value: nil)
        guard let object = table[id], let release = disown(object, session) else { return .now(outcome) }
        return .later { _ throws(RPCError) in
            await release.run()
            return outcome
        }
    }
}

extension ClassDescription {
    /// With the prefix that clients expect, as in `kurento.HubPort`.
    var qualifiedName: String { "\(module.wireName).\(name)" }
}
