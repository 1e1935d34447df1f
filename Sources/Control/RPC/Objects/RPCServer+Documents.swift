import Core
import Elements
import Media

// Whole pipelines in one call.
extension RPCServer {
    /// Makes what a pipeline document says, all or nothing, starts what plays and records, and answers a
    /// `CreatedPipeline`.
    func createFromDocument(_ text: String, _ session: String) async throws(RPCError) -> ArgumentValue {
        var plan: PipelinePlan
        do throws(DocumentErrors) {
            plan = try PipelineDocument(parsing: Array(text.utf8), file: "document", model: model).plan(Settings())
        } catch {
            throw .marshall("\(error)")
        }
        try checkRoom(session, for: plan.elements.count + 1)
        let pipelineID = "\(makeUUID())_kurento.MediaPipeline"
        let ids = newIDs(plan, in: pipelineID)
        plan.rename(ids)
        let root = await makePipeline(pipelineID)
        guard let pipeline = root.pipeline else { throw .objectNotFound(pipelineID) }
        try insert(root, session)
        // Before anything happens, so that no event is lost.
        for element in plan.elements {
            guard let parent = table[element.hub ?? pipelineID] else { continue }
            try insert(
                RPCObject(
                    id: element.name, className: element.className, parent: parent, pipeline: pipeline,
                    arguments: element.arguments, creationTime: Int(services.host.unixMilliseconds() / 1000),
                    number: table.nextNumber()), session)
        }
        let (realTime, uploads, finished) = (services.realTime, services.uploads, plan)
        let problem = await pipeline.perform { context -> String? in
            do throws(GraphError) {
                var factory = ElementFactory(context, services: realTime, uploads: uploads)
                try factory.make(finished)
            } catch {
                return error.description
            }
            for element in context.elements { Bindings.complete(element) }
            for case let recorder as RecorderEndpoint in context.elements { recorder.record() }
            for case let player as PlayerEndpoint in context.elements { player.play() }
            return nil
        }
        if let problem {
            await destroy(root)?.run()
            throw .notAvailable(problem)
        }
        let names = ids.sorted { $0.key < $1.key }.map { Argument($0.key, .object($0.value)) }
        return .structure([Argument("pipeline", .object(pipelineID)), Argument("objects", .structure(names))])
    }

    /// Name in the document → id.
    private func newIDs(_ plan: PipelinePlan, in pipelineID: String) -> [String: String] {
        var ids: [String: String] = [:]
        // Hubs stand before their ports.
        for element in plan.elements {
            let parent = element.hub.flatMap { ids[$0] } ?? pipelineID
            ids[element.name] = "\(parent)/\(makeUUID())_kurento.\(element.className)"
        }
        return ids
    }
}

extension PipelinePlan {
    /// Gives every element another name wherever it is named.
    fileprivate mutating func rename(_ names: [String: String]) {
        for index in elements.indices {
            elements[index].name = names[elements[index].name] ?? elements[index].name
            elements[index].hub = elements[index].hub.map { names[$0] ?? $0 }
        }
        for index in links.indices {
            links[index].from = names[links[index].from] ?? links[index].from
            links[index].to = names[links[index].to] ?? links[index].to
        }
        for index in invocations.indices {
            invocations[index].object = names[invocations[index].object] ?? invocations[index].object
            invocations[index].arguments.given = invocations[index].arguments.given.map { argument in
                guard case .object(let name) = argument.value else { return argument }
                return Argument(argument.name, .object(names[name] ?? name))
            }
        }
    }
}
