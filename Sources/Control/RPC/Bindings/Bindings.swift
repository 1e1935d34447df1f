import Core
import Elements
import Media

/// All bindings, class by class, and what they share.
package enum Bindings {
    /// Of every class of the object model, in its order.
    package static let all: [ClassBinding] =
        [mediaObject, manager, pipeline, mediaElement, hub, passThrough, hubPort]
        + hubs + sessions + uriEndpoints + filters

    /// Makes an element as a pipeline document would.
    static let fromDocument: @Sendable (LoopCall) throws(RPCError) -> Element = { call throws(RPCError) in
        var factory = ElementFactory(call.context, services: call.services.realTime)
        let plan = PipelinePlan.Element(
            name: call.id, className: call.className, template: call.id, index: nil, arguments: call.arguments,
            hub: call.arguments.object("hub"), position: .start)
        do throws(GraphError) { return try factory.make(plan) } catch { throw .notAvailable("\(error)") }
    }

    /// Gives an element the pads it lacks: over the wire every element can be linked for every kind of media, and where
    /// there is none, none flows.
    static func complete(_ element: Element) {
        if element is Hub { return }
        for kind in MediaKind.allCases {
            if element.inputs[kind] == nil { element.addInput(kind) }
            if element.outputs[kind] == nil { element.addOutput(kind) }
        }
    }

    /// What a refusal of the graph is on the wire.
    static func graph<R>(
        _ error: (String) -> RPCError = RPCError.connect, _ body: () throws(GraphError) -> R
    ) throws(RPCError) -> R {
        do throws(GraphError) { return try body() } catch let problem { throw error("\(problem)") }
    }

    // MARK: The end of a server

    /// Ends what is being played and written.
    static func stopAll(_ context: PipelineContext) {
        for case let recorder as RecorderEndpoint in context.elements { recorder.stop() }
        for case let player as PlayerEndpoint in context.elements { player.stop() }
    }

    static func haveStopped(_ context: PipelineContext) -> Bool {
        context.elements.allSatisfy { ($0 as? RecorderEndpoint)?.hasStopped ?? true }
    }
}
