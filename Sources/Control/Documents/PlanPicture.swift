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
        return out + "}\n"
    }

    private func node(_ element: Element) -> String {
        let lines =
            [element.name, element.className]
            + element.arguments.given.map { "\($0.name) = \(shortened($0.value.description, to: 40))" }
        return "\(PipelinePlan.dotQuoted(element.name)) [label=\(PipelinePlan.dotQuoted(lines.joined(separator: "\n")))]"
    }

    /// A quoted id of the DOT language: only quotes, backslashes and line ends mean anything in there.
    private static func dotQuoted(_ text: String) -> String {
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

/// The boxes of a picture: elements of one entry of the document that are linked alike, ports left out.
struct PlanGroups {
    /// One box.
    struct Group {
        /// `input`, `input[2]` or `input[0…8]`.
        var name: String
        /// Indices into the plan's elements.
        var members: [Int]
    }

    private let plan: PipelinePlan
    private let indexByName: [String: Int]
    private let linksByElement: [String: [PipelinePlan.Link]]
    private let portsByHub: [String: [String]]
    private let templateCount: [String: Int]
    /// Sources first, then what they feed; where there are cycles, in the order of the plan.
    private(set) var ordered: [Group] = []

    init(_ plan: PipelinePlan) {
        self.plan = plan
        indexByName = Dictionary(plan.elements.enumerated().map { ($1.name, $0) }) { first, _ in first }
        linksByElement = Dictionary(grouping: plan.links, by: \.from)
        portsByHub = Dictionary(grouping: plan.elements.filter { $0.hub != nil }) { $0.hub ?? "" }
            .mapValues { $0.map(\.name) }
        templateCount = plan.elements.reduce(into: [:]) { $0[$1.template, default: 0] += 1 }
        ordered = order(groups())
    }

    private func groups() -> [Group] {
        var out: [Group] = []
        var byTemplate: [String: [Int]] = [:]
        var names: [String] = []
        for (index, element) in plan.elements.enumerated() where element.hub == nil {
            if byTemplate[element.template] == nil { names.append(element.template) }
            byTemplate[element.template, default: []].append(index)
        }
        for name in names {
            let members = byTemplate[name] ?? []
            let shapes = members.map { arrows(from: Group(name: "", members: [$0])).map(\.anonymous) }
            if members.count > 1, Set(shapes).count == 1 {
                out.append(Group(name: "\(name)[0…\(members.count - 1)]", members: members))
            } else {
                out += members.map { Group(name: plan.elements[$0].name, members: [$0]) }
            }
        }
        return out
    }

    /// What leads out of a group, one text per arrow: `audio, video ─▶ port[0…2] ▶ grid`.
    func arrows(from group: Group) -> [String] {
        var order: [String] = []
        var targets: [String: [String]] = [:]
        for member in group.members {
            for (via, link) in outgoing(member) {
                guard let sink = indexByName[link.to].map({ plan.elements[$0] }) else { continue }
                let hub = sink.hub.map { " ▶ \($0)" } ?? ""
                let kinds = link.kinds.map(\.rawValue).joined(separator: ", ")
                let key = "\(via.map { "\($0) ─ " } ?? "")\(kinds) ─▶ \u{0}\(sink.template)\u{0}\(hub)"
                if targets[key] == nil { order.append(key) }
                targets[key, default: []].append(sink.name)
            }
        }
        return order.map { key in
            let parts = key.split(separator: "\u{0}", omittingEmptySubsequences: false)
            return "\(parts[0])\(collapsed(targets[key] ?? []))\(parts[2])"
        }
    }

    /// Links that leave an element, or a hub through one of its ports.
    private func outgoing(_ index: Int) -> [(via: String?, link: PipelinePlan.Link)] {
        let name = plan.elements[index].name
        let own = (linksByElement[name] ?? []).map { (via: String?.none, link: $0) }
        let through = (portsByHub[name] ?? []).flatMap { port in
            (linksByElement[port] ?? []).map { (via: String?.some(port), link: $0) }
        }
        return own + through
    }

    /// `port[0…2]` for all of them, else the names.
    private func collapsed(_ all: [String]) -> String {
        var seen: Set<String> = []
        let names = all.filter { seen.insert($0).inserted }
        guard names.count > 1, let first = names.first, let index = indexByName[first] else {
            return names.first ?? ""
        }
        let template = plan.elements[index].template
        if templateCount[template] == names.count { return "\(template)[0…\(names.count - 1)]" }
        return names.joined(separator: ", ")
    }

    /// Kahn's algorithm over the groups, by their first appearance.
    private func order(_ groups: [Group]) -> [Group] {
        var groupOf: [String: Int] = [:]
        for (number, group) in groups.enumerated() {
            for member in group.members { groupOf[plan.elements[member].name] = number }
        }
        func home(_ name: String) -> Int? {
            let hub = indexByName[name].flatMap { plan.elements[$0].hub }
            return groupOf[hub ?? name]
        }
        var incoming = [Set<Int>](repeating: [], count: groups.count)
        for link in plan.links {
            if let from = home(link.from), let to = home(link.to), from != to { incoming[to].insert(from) }
        }
        var out: [Group] = []
        var isPlaced = [Bool](repeating: false, count: groups.count)
        while out.count < groups.count {
            let ready = groups.indices.filter { index in
                !isPlaced[index] && incoming[index].allSatisfy { isPlaced[$0] }
            }
            let next = ready.isEmpty ? groups.indices.filter { !isPlaced[$0] }.prefix(1).map { $0 } : ready
            for index in next {
                isPlaced[index] = true
                out.append(groups[index])
            }
        }
        return out
    }
}

extension String {
    /// The text with every `[…]` emptied: how an arrow looks wherever it leads.
    fileprivate var anonymous: String {
        var out = ""
        var depth = 0
        for character in self {
            if character == "]" { depth = max(0, depth - 1) }
            if depth == 0 { out.append(character) }
            if character == "[" { depth += 1 }
        }
        return out
    }
}
