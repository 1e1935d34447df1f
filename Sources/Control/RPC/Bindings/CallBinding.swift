package import Core
package import Elements
package import Files
package import Media

/// What one operation of a class does: a getter, a setter or a method. Arguments are checked before.
package enum CallBinding: Sendable {
    /// Of the protocol alone: name, tags, children. Runs on the server's actor.
    case record(@Sendable (isolated RPCServer, RecordCall) throws(RPCError) -> ArgumentValue?)
    /// On media: runs on the pipeline's loop, must not block.
    case loop(@Sendable (LoopCall) throws(RPCError) -> ArgumentValue?)
    /// Takes its time: may await, on the server's actor. Other connections go on meanwhile.
    case slow(@Sendable (SlowCall) async throws(RPCError) -> ArgumentValue?)

    /// On the element itself, as its class.
    package static func on<E: Element>(
        _ type: E.Type, _ body: @escaping @Sendable (E, LoopCall) throws(RPCError) -> ArgumentValue?
    ) -> CallBinding {
        .loop { call throws(RPCError) in try body(call.element(as: E.self), call) }
    }
}

/// A call on the server's actor.
package struct RecordCall {
    package let object: RPCObject
    package let arguments: Arguments
}

/// A call on a pipeline's loop.
package struct LoopCall {
    package let context: PipelineContext
    /// The object that is called, or that is being made: also the element's name.
    package let id: String
    package let className: String
    package let arguments: Arguments
    package let services: RPCServices
    /// What the object remembers (`PropertyBinding.kept`), at the time of the call.
    package var kept: [String: ArgumentValue] = [:]
    /// What its pipeline remembers.
    package var pipelineKept: [String: ArgumentValue] = [:]

    /// The element that is called; it may have gone since the call was taken.
    package func element<E: Element>(as type: E.Type = Element.self) throws(RPCError) -> E {
        try find(id, as: type)
    }

    /// The element that an argument names.
    package func argument<E: Element>(_ name: String, as type: E.Type = Element.self) throws(RPCError) -> E {
        try find(arguments.object(name) ?? "", as: type)
    }

    private func find<E: Element>(_ id: String, as type: E.Type) throws(RPCError) -> E {
        guard let element = context.element(named: id) else { throw .objectNotFound(id) }
        guard let element = element as? E else {
            throw .illegalParameter("Object '\(id)' is a \(element.className), not a \(type)")
        }
        return element
    }

    /// The kind of media that an argument names; nil where it was left out.
    package func kind(_ name: String = "mediaType") -> MediaKind? {
        arguments.string(name).flatMap { MediaKind(rawValue: $0.lowercased()) }
    }
}

/// A call that may await. Holds names only: what it is about may go meanwhile.
package struct SlowCall: Sendable {
    package let id: String
    package let className: String
    package let arguments: Arguments
    /// nil for the server's manager.
    package let pipeline: MediaPipeline?
    package let services: RPCServices
    /// What the object remembers (`PropertyBinding.kept`), at the time of the call.
    package let kept: [String: ArgumentValue]
    /// What its pipeline remembers.
    package let pipelineKept: [String: ArgumentValue]
    /// The server's actor, for `server.pause(…)`.
    package let server: RPCServer
    /// Whose call it is.
    package let session: String

    /// Runs `body` on the pipeline's loop.
    package func perform<R: Sendable>(
        _ body: @escaping @Sendable (LoopCall) throws(RPCError) -> R
    ) async throws(RPCError) -> R {
        guard let pipeline else { throw .objectNotFound(id) }
        return try await pipeline.perform { context in
            Result { () throws(RPCError) in
                try body(
                    LoopCall(
                        context: context, id: id, className: className, arguments: arguments, services: services,
                        kept: kept, pipelineKept: pipelineKept))
            }
        }.get()
    }
}

/// How a property is read and, where it can be, set.
package struct PropertyBinding: Sendable {
    package var get: CallBinding
    package var set: CallBinding?

    package init(get: CallBinding, set: CallBinding? = nil) {
        self.get = get
        self.set = set
    }

    /// A value that is only remembered.
    package static func kept(_ name: String, _ first: ArgumentValue) -> PropertyBinding {
        PropertyBinding(
            get: .record { _, call throws(RPCError) in call.object.kept[name] ?? first },
            set: .record { _, call throws(RPCError) in
                call.object.kept[name] = call.arguments[name]
                return nil
            })
    }

    /// A value of the element.
    package static func on<E: Element>(
        _ type: E.Type, _ get: @escaping @Sendable (E) throws(RPCError) -> ArgumentValue?
    ) -> PropertyBinding {
        PropertyBinding(get: .on(type) { element, _ throws(RPCError) in try get(element) })
    }

    /// A value of the element that can be set.
    package static func on<E: Element>(
        _ type: E.Type, _ get: @escaping @Sendable (E) throws(RPCError) -> ArgumentValue?,
        set: @escaping @Sendable (E, LoopCall) throws(RPCError) -> Void
    ) -> PropertyBinding {
        PropertyBinding(
            get: .on(type) { element, _ throws(RPCError) in try get(element) },
            set: .on(type) { element, call throws(RPCError) in
                try set(element, call)
                return nil
            })
    }
}

/// What the elements and the manager need of the machine around them.
package struct RPCServices: Sendable {
    package var host: any Host
    /// What endpoints with a peer need; nil where there is no network.
    package var realTime: RealTimeServices?
    /// Of every pipeline that is made.
    package var configuration: PipelineConfiguration
    /// Takes what is sent to `HttpPostEndpoint`s; nil: there are none.
    package var uploads: UploadServer?
    package var machine: MachineFigures
    /// What `ServerManager.getMetadata` answers.
    package var metadata = ""
    /// Keeps what `dumpGstreamerDot` draws: a file's name and its text. Called on a thread that may block; throws what
    /// is wrong in words. nil: nothing is kept.
    package var dumpGraph: (@Sendable (String, String) throws -> Void)?

    package init(
        host: any Host, realTime: RealTimeServices?, configuration: PipelineConfiguration,
        uploads: UploadServer? = nil, machine: MachineFigures = MachineFigures()
    ) {
        self.host = host
        self.realTime = realTime
        self.configuration = configuration
        self.uploads = uploads
        self.machine = machine
    }
}
