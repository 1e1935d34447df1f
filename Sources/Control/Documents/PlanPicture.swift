import Core

/// Pictures of a plan: for a terminal and for Graphviz. The same plan always gives the same text.
extension PipelinePlan {
    /// Boxes and arrows. Elements of one `each` stand in one box where all of them are linked alike; ports of hubs are
    /// shown on the arrows.
    ///
    /// ```
    /// ┌ input[0…2] ─ PlayerEndpoint × 3
    /// │ uri  a.webm, b.webm, c.webm
    /// └─ audio, video ─▶ port[0…2] ▶ grid
    /// ```
    /// - Parameter width: terminal cells per line; longer values end in an ellipsis.
    package func picture(width: Int = 80) -> String {
        var lines: [String] = []
        let title = description.isEmpty ? file : "\(file): \(description)"
        lines += wrapped(printable(title), to: width)
        let groups = PlanGroups(self)
        for group in groups.ordered {
            lines.append("")
            lines += box(group, groups, width)
        }
        if !invocations.isEmpty {
            lines += ["", "At the start:"]
            lines += invocations.map { call in
                let arguments = call.arguments.given.map { "\($0.name): \($0.value)" }.joined(separator: ", ")
                return fitted("  \(call.object).\(call.method)(\(arguments))", to: width)
            }
        }
        if !doors.isEmpty {
            lines += ["", "Doors:"]
            let column = doors.map { cellWidth($0.name) }.max() ?? 0
            lines += doors.map { fitted("  \(padded($0.name, to: column))  \($0.summary)", to: width) }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func box(_ group: PlanGroups.Group, _ groups: PlanGroups, _ width: Int) -> [String] {
        let times = group.members.count > 1 ? " × \(group.members.count)" : ""
        var lines = [fitted("┌ \(group.name) ─ \(elements[group.members[0]].className)\(times)", to: width)]
        let arguments = self.arguments(group)
        let column = arguments.map { cellWidth($0.name) }.max() ?? 0
        lines += arguments.map { fitted("│ \(padded($0.name, to: column))  \($0.value)", to: width) }
        let arrows = groups.arrows(from: group)
        lines += arrows.enumerated().map { index, arrow in
            fitted((index == arrows.count - 1 ? "└─ " : "├─ ") + arrow, to: width)
        }
        if arrows.isEmpty { lines.append("└─") }
        return lines
    }

    /// Given arguments; of several elements one line each, with every value unless all are the same.
    private func arguments(_ group: PlanGroups.Group) -> [(name: String, value: String)] {
        let members = group.members.map { elements[$0] }
        var names: [String] = []
        for argument in members.flatMap(\.arguments.given) where !names.contains(argument.name) {
            names.append(argument.name)
        }
        return names.map { name in
            let values = members.map { $0.arguments[name]?.description ?? "–" }
            return (name, Set(values).count == 1 ? values[0] : values.joined(separator: ", "))
        }
    }

    /// A directed graph for `dot`: elements as boxes, ports as small ones inside the frame of their hub.
    package var graphviz: String {
        var out = "digraph pipeline {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\", fontsize=11];\n"
        out += "  edge [fontname=\"sans-serif\", fontsize=9];\n"
        if !description.isEmpty { out += "  label=\(PipelinePlan.dotQuoted(description));\n" }
        let joined = Set(elements.compactMap(\.hub))
        let hubs = elements.filter { joined.contains($0.name) }
        let ports = Dictionary(grouping: elements.filter { $0.hub != nil }) { $0.hub ?? "" }
        for (number, hub) in hubs.enumerated() {
            out += "  subgraph cluster_\(number) {\n    style=rounded;\n    \(node(hub));\n"
            for port in ports[hub.name] ?? [] {
                out += "    \(PipelinePlan.dotQuoted(port.name)) [shape=ellipse, fontsize=9];\n"
            }
            out += "  }\n"
        }
        for element in elements where element.hub == nil && !joined.contains(element.name) {
            out += "  \(node(element));\n"
        }
        let fed = Set(links.map(\.to))
        let drained = Set(links.map(\.from))
        for hub in hubs {
            for port in ports[hub.name] ?? [] {
                let (hubName, portName) = (PipelinePlan.dotQuoted(hub.name), PipelinePlan.dotQuoted(port.name))
                if fed.contains(port.name) { out += "  \(portName) -> \(hubName) [style=dashed];\n" }
                if drained.contains(port.name) { out += "  \(hubName) -> \(portName) [style=dashed];\n" }
            }
        }
        for link in links {
            let label = PipelinePlan.dotQuoted(link.kinds.map(\.rawValue).joined(separator: ", "))
            out += "  \(PipelinePlan.dotQuoted(link.from)) -> \(PipelinePlan.dotQuoted(link.to)) [label=\(label)];\n"
        }
        for door in doors {
            let (name, at) = (PipelinePlan.dotQuoted("door \(door.name)"), PipelinePlan.dotQuoted(door.element))
            out += "  \(name) [shape=house, fontsize=9];\n"
            if !door.takes.isEmpty { out += "  \(name) -> \(at) [style=dotted, label=\"WHIP\"];\n" }
            if !door.gives.isEmpty { out += "  \(at) -> \(name) [style=dotted, label=\"WHEP\"];\n" }
        }
        return out + "}\n"
    }

    private func node(_ element: Element) -> String {
        let lines =
            [element.name, element.className]
            + element.arguments.given.map { "\($0.name) = \(shortened($0.value.description, to: 40))" }
        let label = PipelinePlan.dotQuoted(lines.joined(separator: "\n"))
        return "\(PipelinePlan.dotQuoted(element.name)) [label=\(label)]"
    }

    /// A quoted id of the DOT language: only quotes, backslashes and line ends mean anything in there.
    static func dotQuoted(_ text: String) -> String {
        var out = "\""
        for character in text {
            switch character {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            default: out += printable(String(character))
            }
        }
        return out + "\""
    }
}
