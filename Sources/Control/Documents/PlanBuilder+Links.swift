import Core

// Links, operations, and what can only be seen of the graph as a whole.
extension PlanBuilder {
    /// Makes the links that one entry of `links` means: pairwise between two `each` of the same list, else from every
    /// source to every sink.
    mutating func add(_ link: PipelineDocument.Link) {
        let from = resolve(link.from.text, at: link.from.position, what: "from")
        let to = resolve(link.to.text, at: link.to.position, what: "to")
        guard let from, let to, isElement(from, link.from), isElement(to, link.to) else { return }
        let isPairwise =
            from.element.each != nil && from.element.each == to.element.each && !from.isIndexed && !to.isIndexed
        let count = isPairwise ? from.range.count : from.range.count * to.range.count
        guard links.count + count <= document.limits.links else {
            found.error(link.position, "more than \(document.limits.links) links; that is the limit")
            return
        }
        var reported = false
        for (offset, source) in from.range.enumerated() {
            let sinks = isPairwise ? (to.range.lowerBound + offset)..<(to.range.lowerBound + offset + 1) : to.range
            for sink in sinks where !reported || isPairwise {
                // One sentence for one link of the document, however many it expands to.
                guard let kinds = kinds(link, source, sink, isFirst: !reported) else {
                    reported = true
                    continue
                }
                let free = claim(kinds, source, sink, link, manyToOne: count > to.range.count, isFirst: !reported)
                reported = reported || free.count < kinds.count
                if !free.isEmpty {
                    links.append(
                        PipelinePlan.Link(from: elements[source].name, to: elements[sink].name, kinds: free))
                }
            }
        }
    }

    private mutating func isElement(_ resolved: Resolved, _ name: PipelineDocument.Name) -> Bool {
        let className = resolved.element.description.name
        if document.model.isClass(className, a: "MediaElement") { return true }
        let advice = isHub(className) ? "; link to a HubPort with \"hub\": \"\(resolved.element.name)\"" : ""
        found.error(name.position, "'\(name.text)' is a \(className), which has no sources and sinks\(advice)")
        return false
    }

    /// The kinds of media a link carries; nil, and an error, if there are none or an end lacks one of them.
    private mutating func kinds(
        _ link: PipelineDocument.Link, _ source: Int, _ sink: Int, isFirst: Bool
    ) -> [MediaKind]? {
        let offered = media(of: source, \.sources)
        let taken = media(of: sink, \.sinks)
        func names(_ kinds: [MediaKind]) -> String { listed(kinds.map(\.rawValue), "and") }
        guard let wanted = link.kinds else {
            let common = [MediaKind.audio, .video, .data].filter { offered.contains($0) && taken.contains($0) }
            if common.isEmpty, isFirst {
                if offered.isEmpty {
                    found.error(link.from.position, "\(named(elements[source])) gives no media; it can only be a sink")
                }
                if taken.isEmpty {
                    found.error(link.to.position, "\(named(elements[sink])) takes no media; it can only be a source")
                }
            }
            return common.isEmpty ? nil : common
        }
        var isRight = true
        for (kind, position) in wanted {
            if !offered.contains(kind) {
                isRight = false
                let has = offered.isEmpty ? "it can only be a sink" : "it gives \(names(offered))"
                if isFirst { found.error(position, "\(named(elements[source])) gives no \(kind.rawValue); \(has)") }
            }
            if !taken.contains(kind) {
                isRight = false
                let has = taken.isEmpty ? "it can only be a source" : "it takes \(names(taken))"
                if isFirst { found.error(position, "\(named(elements[sink])) takes no \(kind.rawValue); \(has)") }
            }
        }
        let asked = wanted.map(\.kind)
        return isRight ? [MediaKind.audio, .video, .data].filter(asked.contains) : nil
    }

    /// A port has what its hub has.
    func media(of index: Int, _ side: KeyPath<ClassDescription, [MediaKind]>) -> [MediaKind] {
        let element = elements[index]
        var className = element.className
        if let hub = element.hub, let index = indexByName[hub] { className = elements[index].className }
        return document.model.classDescription(className)?[keyPath: side] ?? []
    }

    /// Takes the sink's places for the kinds that are still free; the others are an error.
    private mutating func claim(
        _ kinds: [MediaKind], _ source: Int, _ sink: Int, _ link: PipelineDocument.Link, manyToOne: Bool, isFirst: Bool
    ) -> [MediaKind] {
        var free: [MediaKind] = []
        for kind in kinds {
            let place = Sink(element: elements[sink].name, kind: kind)
            if feeds[place] == nil {
                feeds[place] = Feed(element: elements[source].name, position: link.position)
                free.append(kind)
            }
        }
        if free.count < kinds.count, isFirst {
            let missing = kinds.filter { !free.contains($0) }
            let other = missing.first.flatMap { feeds[Sink(element: elements[sink].name, kind: $0)] }
            let media = listed(missing.map(\.rawValue), "and")
            let advice = manyToOne ? " (to join many, link each to a HubPort of its own)" : ""
            found.error(
                link.position,
                "two sources into one sink: \(named(elements[sink])) would get \(media) from "
                    + "'\(other?.element ?? "")' and '\(elements[source].name)'\(advice)")
        }
        return free
    }

    // MARK: operations

    /// Checks one entry of `invoke` and makes its calls: one, or one per list entry.
    mutating func invoke(_ invocation: PipelineDocument.Invocation) -> [PipelinePlan.Invocation] {
        var out: [PipelinePlan.Invocation] = []
        if let each = invocation.each { scope.used.insert(each) }
        let count = count(of: invocation.each)
        guard count <= document.limits.invocations else {
            found.error(invocation.position, "\(count) operations; the limit is \(document.limits.invocations)")
            return []
        }
        for index in 0..<count {
            enter(invocation.each, invocation.each == nil ? nil : index)
            let before = found.errors.count
            if let call = call(invocation) { out.append(call) }
            if found.errors.count > before { break }
        }
        return out
    }

    private mutating func call(_ invocation: PipelineDocument.Invocation) -> PipelinePlan.Invocation? {
        guard let target = one(invocation.object, what: "object") else { return nil }
        let className = elements[target].className
        guard let method = document.model.method(invocation.method.text, of: className) else {
            let names = document.model.methodNames(of: className)
            found.error(
                invocation.method.position,
                "a \(className) has no method \(quoted(invocation.method.text))"
                    + "\(suggestion(for: invocation.method.text, among: names)); it has \(listed(names, "and"))")
            return nil
        }
        var problems: [ArgumentProblem] = []
        let given = members(invocation.with, &problems)
        let (byName, model, sample) = (indexByName, document.model, elements)
        var checker = ArgumentChecker { text, wanted throws(ArgumentChecker.ReferenceProblem) in
            guard let index = byName[text] else {
                let isMany = byName["\(text)[0]"] != nil
                throw ArgumentChecker.ReferenceProblem(
                    isMany
                        ? "there are several '\(text)', choose one as in '\(text)[0]'"
                        : "there is no element \(quoted(text))\(suggestion(for: text, among: sample.map(\.name)))")
            }
            guard model.isClass(sample[index].className, a: wanted) else {
                throw ArgumentChecker.ReferenceProblem("'\(text)' is a \(sample[index].className)")
            }
            return text
        }
        let arguments = checker.check(given, for: method.parameters, owner: "it", at: invocation.position)
        for problem in problems + checker.problems {
            found.error(problem.position, "'\(elements[target].name)'.\(method.name): \(problem.message)")
        }
        return PipelinePlan.Invocation(object: elements[target].name, method: method.name, arguments: arguments)
    }

    /// The one element that a name, perhaps with `${index}` in it, means.
    mutating func one(_ name: PipelineDocument.Name, what: String) -> Int? {
        var text = name.text
        do throws(SubstitutionError) {
            if case .string(let replaced)? = try scope.substitute(text) { text = replaced }
        } catch {
            found.error(name.position, "\(what): \(error.message)")
            return nil
        }
        guard let resolved = resolve(text, at: name.position, what: what) else { return nil }
        if resolved.element.each != nil, !resolved.isIndexed {
            found.error(name.position, "\(what): there are several '\(text)', choose one as in '\(text)[0]'")
            return nil
        }
        return resolved.range.first
    }

    // MARK: the whole

    /// An element that only hands on what it gets cannot get what it hands on: endpoints and hubs end a cycle, since
    /// they make new media.
    mutating func checkCycles() {
        for kind in MediaKind.allCases {
            var visited: Set<String> = []
            for start in elements where conducts(start.name) && !visited.contains(start.name) {
                var path: [String] = []
                var onPath: Set<String> = []
                var next: String? = start.name
                // Every sink has one source per kind, so going upstream there is never a choice.
                while let name = next, conducts(name), visited.insert(name).inserted {
                    path.append(name)
                    onPath.insert(name)
                    next = feeds[Sink(element: name, kind: kind)]?.element
                }
                guard let closing = next, onPath.contains(closing), let first = path.firstIndex(of: closing) else {
                    continue
                }
                report(cycle: Array(path[first...]), kind)
            }
        }
    }

    private mutating func report(cycle upstream: [String], _ kind: MediaKind) {
        let order = Array(upstream.reversed())
        let position = order.compactMap { feeds[Sink(element: $0, kind: kind)]?.position }.max()
        // The walk may have entered anywhere; the story begins with the element the document names first.
        let start = order.indices.min { (indexByName[order[$0]] ?? 0) < (indexByName[order[$1]] ?? 0) } ?? 0
        let story = order[start...] + order[..<start] + [order[start]]
        let shown = story.count > 8 ? Array(story.prefix(4)) + ["…"] + Array(story.suffix(2)) : Array(story)
        found.error(
            position, "a cycle that passes through no hub and no endpoint: \(shown.joined(separator: " → "))")
    }

    private func conducts(_ name: String) -> Bool {
        guard let index = indexByName[name] else { return false }
        let className = elements[index].className
        return document.model.isClass(className, a: "MediaElement") && className != "HubPort"
            && !document.model.isClass(className, a: "Endpoint")
    }

    /// Elements nobody linked, hubs without ports, parameters without use: likely slips, not errors.
    mutating func warnOfLooseEnds(_ doors: [PipelinePlan.Door]) {
        var linked = Set(doors.map(\.element))
        for link in links { linked.formUnion([link.from, link.to]) }
        let hubs = Set(elements.compactMap(\.hub)).union(doors.map(\.element))
        var warned: Set<String> = []
        for element in elements where found.errors.isEmpty && !warned.contains(element.template) {
            if isHub(element.className) {
                guard !hubs.contains(element.name) else { continue }
                found.warning(element.position, "\(named(element)) has no port")
            } else {
                guard !linked.contains(element.name) else { continue }
                found.warning(element.position, "\(named(element)) is linked to nothing")
            }
            warned.insert(element.template)
        }
        for parameter in document.parameters where found.errors.isEmpty && !scope.used.contains(parameter.name) {
            found.warning(parameter.position, "parameter '\(parameter.name)' is used nowhere")
        }
    }
}
