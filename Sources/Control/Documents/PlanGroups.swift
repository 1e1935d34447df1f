import Core

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
