import Core
import Elements
import Media

/// A live pipeline as Graphviz text: elements, links with what flows over them. Made on the pipeline's loop.
struct GraphPicture {
    private let elements: [Element]
    private let name: String
    /// What clients call the elements, by id.
    private let names: [String: String]

    /// `element`: only it, its neighbours and, of a hub, its ports; nil: the whole pipeline.
    init(_ context: PipelineContext, around element: Element? = nil, names: [String: String] = [:]) {
        self.names = names
        guard let element else {
            (elements, name) = (context.elements, "pipeline")
            return
        }
        var near = [element] + ((element as? Hub)?.ports ?? [])
        if let port = element as? HubPort { near.append(port.hub) }
        for one in near {
            near += one.inputs.values.compactMap { $0.upstream?.element }
            near += one.outputs.values.flatMap { $0.downstream.map(\.element) }
        }
        let wanted = Set(near.map { ObjectIdentifier($0) })
        elements = context.elements.filter { wanted.contains(ObjectIdentifier($0)) }
        name = element.className
    }

    /// Around the object that is called, with the names that clients gave.
    static func of(_ call: SlowCall) async throws(RPCError) -> String {
        let names = await call.server.namesGiven(inPipelineOf: call.id)
        return try await call.perform { call throws(RPCError) in
            let element = call.className == "MediaPipeline" ? nil : try call.element()
            return GraphPicture(call.context, around: element, names: names).graphviz
        }
    }

    var graphviz: String {
        var out = "digraph \(name) {\n  rankdir=LR;\n"
        out += "  node [shape=box, style=rounded, fontname=\"sans-serif\", fontsize=11];\n"
        out += "  edge [fontname=\"sans-serif\", fontsize=9];\n"
        let hubs = elements.compactMap { $0 as? Hub }
        for (number, hub) in hubs.enumerated() {
            out += "  subgraph cluster_\(number) {\n    style=rounded;\n    \(node(hub))\n"
            for port in hub.ports where has(port) { out += "    \(node(port))\n" }
            out += "  }\n"
            for port in hub.ports where has(port) {
                out += "  \(id(port)) -> \(id(hub)) [style=dashed, dir=both];\n"
            }
        }
        for element in elements where !(element is Hub) {
            if let port = element as? HubPort, has(port.hub) { continue }
            out += "  \(node(element))\n"
        }
        for element in elements {
            for kind in MediaKind.allCases {
                guard let pad = element.outputs[kind] else { continue }
                for sink in pad.downstream where has(sink.element) { out += "  \(link(pad, sink))\n" }
            }
        }
        return out + "}\n"
    }

    private func has(_ element: Element) -> Bool { elements.contains { $0 === element } }
    private func id(_ element: Element) -> String { PipelinePlan.dotQuoted(element.name) }

    private func node(_ element: Element) -> String {
        // What tells elements of a class apart is their name, else the beginning of their own part of the id.
        let own =
            names[element.name] ?? element.name.split(separator: "/").last.map { String($0.prefix(8)) } ?? element.name
        return "\(id(element)) [label=\(PipelinePlan.dotQuoted("\(element.className)\n\(own)"))];"
    }

    private func link(_ pad: OutputPad, _ sink: InputPad) -> String {
        var label = pad.kind.rawValue
        if let form = pad.origin?.form { label += "\n\(describe(form))" }
        let style = pad.isFlowing ? "solid" : "dotted"
        return "\(id(pad.element)) -> \(id(sink.element)) [label=\(PipelinePlan.dotQuoted(label)), style=\(style)];"
    }

    private func describe(_ form: NativeForm) -> String {
        switch form {
        case .encoded(.video(let format)):
            format.width > 0 ? "\(format.codec.rawValue) \(format.width)×\(format.height)" : format.codec.rawValue
        case .encoded(.audio(let format)): "\(format.codec.rawValue) \(format.sampleRate) Hz"
        case .pictures(let width, let height, _): "pictures \(width)×\(height)"
        case .sound(let channels): "sound, \(channels == 1 ? "mono" : "\(channels) channels")"
        case .messages: "messages"
        }
    }
}

extension Bindings {
    static let graph = CallBinding.slow { call throws(RPCError) in .string(try await GraphPicture.of(call)) }

    /// Writes the picture into the folder that the server was given, if it was given one.
    static let dumpGraph = CallBinding.slow { call throws(RPCError) in
        guard let dump = call.services.dumpGraph else { return nil }
        let text = try await GraphPicture.of(call)
        let host = call.services.host
        let own = call.id.split(separator: "/").last.map { String($0.prefix(8)) } ?? ""
        let name = "\(host.unixMilliseconds())-\(call.className)-\(own).dot"
        let problem = await Task(executorPreference: host.ioThread(named: "dump")) { () -> String? in
            do {
                try dump(name, text)
                return nil
            } catch {
                return "\(error)"
            }
        }.value
        if let problem { throw .notAvailable(problem) }
        return nil
    }
}
