package import Core
import Media

// Making objects, and calling them.
extension RPCServer {
    private var decoder: WireDecoder {
        let (table, model) = (table, model)
        return WireDecoder(model) { id, className throws(RPCError) in
            let object = try table.find(id)
            guard model.isClass(object.className, a: className) else {
                throw .illegalParameter("Object '\(id)' is a \(object.className), not a \(className)")
            }
        }
    }

    // MARK: create

    func create(_ params: RPCParams, _ session: String) throws(RPCError) -> Reply {
        let type = try params.text("type")
        guard let description = creatableClass(type) else { throw .factoryNotFound(type) }
        try checkRoom(session)
        let arguments = try decoder.arguments(params["constructorParams"], ofConstructor: description.constructor)
        let name = description.qualifiedName
        guard let parent = try parent(description, arguments) else {
            let id = "\(makeUUID())_\(name)"
            return .later { server throws(RPCError) in try await server.makePipeline(id, session) }
        }
        let (id, parentID) = ("\(parent.id)/\(makeUUID())_\(name)", parent.id)
        try checkPipelines(arguments, against: parent)
        return .later { server throws(RPCError) in
            try await server.makeElement(id, description.name, in: parentID, arguments, session)
        }
    }

    /// By its bare name or with the prefix of its module.
    private func creatableClass(_ type: String) -> ClassDescription? {
        let parts = type.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let name = parts.last, let description = model.classDescription(name), !description.isAbstract else {
            return nil
        }
        return parts.count == 1 || parts[0] == description.module.wireName ? description : nil
    }

    /// Whether the session may make so many objects more.
    func checkRoom(_ session: String, for count: Int = 1) throws(RPCError) {
        if isDraining { throw .notEnoughResources("The server is about to end and makes nothing any more") }
        guard table.count + count <= options.objectsMax else {
            throw .notEnoughResources("The server has \(options.objectsMax) objects, the most that are allowed")
        }
        guard (sessions[session]?.objects.count ?? 0) + count <= options.objectsPerSessionMax else {
            throw .notEnoughResources(
                "The session has \(options.objectsPerSessionMax) objects, the most that are allowed")
        }
        try checkSession(session)
    }

    /// The object that a new one is made in: what its first object parameter names.
    private func parent(_ description: ClassDescription, _ arguments: Arguments) throws(RPCError) -> RPCObject? {
        for parameter in description.constructor {
            guard case .object = parameter.type, let id = arguments.object(parameter.name) else { continue }
            return try table.find(id)
        }
        return nil
    }

    private func checkPipelines(_ arguments: Arguments, against object: RPCObject) throws(RPCError) {
        for argument in arguments.given {
            guard case .object(let id) = argument.value, let other = table[id] else { continue }
            guard other.pipeline === object.pipeline else { throw .connect("Media elements do not share pipeline") }
        }
    }

    private func makePipeline(_ id: String, _ session: String) async throws(RPCError) -> Outcome {
        try insert(await makePipeline(id), session)
    }

    /// A pipeline whose events are told, not yet known to anybody.
    func makePipeline(_ id: String) async -> RPCObject {
        var configuration = services.configuration
        configuration.mode = .realTime
        configuration.log = log.with("pipeline", id)
        let pipeline = MediaPipeline(name: id, host: services.host, configuration: configuration)
        let (executor, host) = (executor, services.host)
        let server = WeakServer(server: self)
        await pipeline.perform { context in
            context.onEvent = { event in
                let time = host.unixMilliseconds()
                executor.post { server.server?.assumeIsolated { $0.happened(event, at: time) } }
            }
        }
        return RPCObject(
            id: id, className: "MediaPipeline", parent: nil, pipeline: pipeline, arguments: Arguments(),
            creationTime: Int(host.unixMilliseconds() / 1000), number: table.nextNumber())
    }

    private func makeElement(
        _ id: String, _ className: String, in parentID: String, _ arguments: Arguments, _ session: String
    ) async throws(RPCError) -> Outcome {
        let parent = try table.find(parentID)
        guard let pipeline = parent.pipeline else { throw .objectNotFound(parentID) }
        let (services, make) = (services, bindings.constructor(of: className) ?? Bindings.fromDocument)
        try await pipeline.perform { context in
            Result { () throws(RPCError) in
                let call = LoopCall(
                    context: context, id: id, className: className, arguments: arguments, services: services)
                Bindings.complete(try make(call))
            }
        }.get()
        let object = RPCObject(
            id: id, className: className, parent: parent, pipeline: pipeline, arguments: arguments,
            creationTime: Int(services.host.unixMilliseconds() / 1000), number: table.nextNumber())
        do throws(RPCError) {
            // Somebody may have released what it was to be in.
            guard table[parentID] === parent else { throw .objectNotFound(parentID) }
            return try insert(object, session)
        } catch {
            await pipeline.perform { $0.element(named: id)?.release() }
            throw error
        }
    }

    @discardableResult
    func insert(_ object: RPCObject, _ session: String) throws(RPCError) -> Outcome {
        try checkSession(session)
        table.insert(object)
        for owner in object.parent?.owners ?? [] { addOwner(owner, object) }
        try own(object, session)
        announce("ObjectCreated", [Argument("object", .object(object.id))])
        return Outcome(session, value: .string(object.id))
    }

    // MARK: invoke

    func invoke(_ params: RPCParams, _ session: String) throws(RPCError) -> Reply {
        let id = try params.text("object")
        let name = try params.text("operation")
        let object = try table.find(id)
        let given = params["operationParams"]
        guard let operation = bindings.operation(name, of: object.className) else {
            let count = if case .object(let members)? = given { members.count } else { 0 }
            throw .malformedTransaction("Method '\(name)' with \(count) parameters not found")
        }
        let arguments = try self.arguments(of: operation, given)
        try checkPipelines(arguments, against: object)
        try own(object, session)
        let (encoder, returns) = (encoder, operation.returns)
        switch operation.binding {
        case .record(let body):
            let value = try body(self, RecordCall(object: object, arguments: arguments))
            return .now(Outcome(session, value: encoder.encode(value, as: returns)))
        case .loop(let body):
            let call = slowCall(object, arguments, session)
            return .later { _ throws(RPCError) in
                let value = try await call.perform(body)
                return Outcome(session, value: encoder.encode(value, as: returns))
            }
        case .slow(let body):
            let call = slowCall(object, arguments, session)
            return .later { _ throws(RPCError) in
                Outcome(session, value: encoder.encode(try await body(call), as: returns))
            }
        }
    }

    private func slowCall(_ object: RPCObject, _ arguments: Arguments, _ session: String) -> SlowCall {
        SlowCall(
            id: object.id, className: object.className, arguments: arguments, pipeline: object.pipeline,
            services: services, kept: object.kept, pipelineKept: object.root?.kept ?? [:], server: self,
            session: session)
    }

    private func arguments(of operation: Operation, _ given: JSON?) throws(RPCError) -> Arguments {
        switch operation.shape {
        case .getter: Arguments()
        case .setter(let property):
            Arguments(given: [Argument(property.name, try decoder.value(given, of: property))])
        case .method(let method): try decoder.arguments(given, ofMethod: method.parameters)
        }
    }

    /// Comes back after a while of the server's clock; for calls that wait for something.
    package func pause(_ time: MediaTime) async {
        await withCheckedContinuation { continuation in
            _ = executor.schedule(at: now + time) { continuation.resume() }
        }
    }
}

/// A pipeline does not keep its server.
private struct WeakServer: Sendable { weak let server: RPCServer? }
