import Core
import Media

// What happens, to those who asked for it.
extension RPCServer {
    /// An element of a pipeline has reported something, at a time in milliseconds since the epoch. Events of one object
    /// come in order.
    func happened(_ event: PipelineEvent, at time: Int64) {
        guard let object = table[event.element], let payload = EventPayload(event.detail) else { return }
        if let (name, value) = payload.remembered { object.kept[name] = value }
        publish(payload.name, of: object, payload.members, at: time)
    }

    /// Tells of an object of the server, in the manager's name.
    func announce(_ event: String, _ members: [Argument]) {
        guard let manager = table[RPCServer.managerID] else { return }
        publish(event, of: manager, members, at: services.host.unixMilliseconds())
    }

    /// Sends an event to every session that has subscribed to it, once each; a session that is on no connection now
    /// does not hear of it.
    package func publish(_ event: String, of object: RPCObject, _ members: [Argument], at time: Int64) {
        guard let subscribers = object.subscribers[event], !subscribers.isEmpty else { return }
        guard let description = model.event(event) else { return }
        var data = encoder.members(members, of: description)
        data.append(JSON.Member("source", .string(object.id)))
        data.append(JSON.Member("tags", .array(object.sendsTagsInEvents ? tags(of: object) : [])))
        data.append(JSON.Member("timestampMillis", .string(String(time))))
        if !EventPayload.withoutType.contains(event) { data.append(JSON.Member("type", .string(event))) }
        data.sort { $0.key < $1.key }
        let text = RPCAnswer.event(event, object: object.id, data: .object(data)).compact
        for session in subscribers.keys {
            guard let number = ties[session] else { continue }
            guard let connection = connections[number] else { continue }
            connection.send(text)
            metrics.sent(event: event)
        }
    }

    private func tags(of object: RPCObject) -> [JSON] {
        Bindings.tags(of: object).map { encoder.encode($0, as: .structure(ModelTypes.tag)) }
    }
}
