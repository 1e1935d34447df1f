import Core

extension DocumentReader {
    /// The entries of `elements`, in the order of the text.
    mutating func elements(_ node: JSONNode) -> [PipelineDocument.Element] {
        guard let members = node.members else {
            found.error(node.position, "elements must be an object, found \(node.kindName)")
            return []
        }
        if members.isEmpty { found.error(node.position, "elements must not be empty") }
        return members.compactMap { member in
            guard isName(member.key, member.keyPosition, "an element") else { return nil }
            return element(member)
        }
    }

    private mutating func element(_ member: JSONNode.Member) -> PipelineDocument.Element? {
        let what = "element '\(member.key)'"
        let keys = ["class", "hub", "each", "with"]
        guard let fields = object(member.value, what, keys: keys) else { return nil }
        let each = self.each(fields["each"]?.value)
        let with = self.with(fields["with"]?.value)
        let hub = fields["hub"].flatMap { name($0, "hub", in: what, at: $0.keyPosition) }
        guard let className = name(fields["class"], "class", in: what, at: member.keyPosition),
            let description = describedClass(className, what)
        else { return nil }
        let needsHub = description.constructor.contains { $0.name == "hub" }
        if needsHub, fields["hub"] == nil {
            found.error(member.keyPosition, "\(what): a \(description.name) needs hub, the name of a hub")
        } else if !needsHub, let hub = fields["hub"] {
            found.error(hub.keyPosition, "\(what): hub belongs to a HubPort, and this is a \(description.name)")
        }
        return PipelineDocument.Element(
            name: member.key, position: member.keyPosition, description: description, hub: needsHub ? hub : nil,
            each: each, with: with)
    }

    private mutating func describedClass(_ name: PipelineDocument.Name, _ what: String) -> ClassDescription? {
        let usable = model.concreteClasses.map(\.name).filter { $0 != "MediaPipeline" }
        guard let description = model.classDescription(name.text) else {
            found.error(
                name.position,
                "unknown class \(quoted(name.text))\(suggestion(for: name.text, among: usable)); "
                    + "there are \(listed(usable, "and"))")
            return nil
        }
        if description.name == "MediaPipeline" {
            found.error(name.position, "\(what): the document itself is the MediaPipeline")
            return nil
        }
        if description.isAbstract {
            let kinds = usable.filter { model.isClass($0, a: description.name) }
            found.error(
                name.position,
                "\(what): there are no elements that are just a \(description.name); use \(listed(kinds))")
            return nil
        }
        return description
    }

    private mutating func each(_ node: JSONNode?) -> String? {
        guard let node, let name = text(node, "each") else { return nil }
        if listNames.contains(name) { return name }
        let lists = listNames.sorted()
        let known = lists.isEmpty ? "there are no list parameters" : "lists are \(listed(lists, "and"))"
        found.error(
            node.position,
            "each must name a list parameter, found \(quoted(name))\(suggestion(for: name, among: lists)); \(known)")
        return nil
    }

    private mutating func with(_ node: JSONNode?) -> [JSONNode.Member] {
        guard let node else { return [] }
        if let members = node.members { return members }
        found.error(node.position, "with must be an object, found \(node.kindName)")
        return []
    }

    /// One entry of `links`.
    mutating func link(_ node: JSONNode) -> PipelineDocument.Link? {
        guard let fields = object(node, "a link", keys: ["from", "to", "media"]) else { return nil }
        let from = name(fields["from"], "from, the name of an element", in: "a link", at: node.position)
        let to = name(fields["to"], "to, the name of an element", in: "a link", at: node.position)
        var kinds: [(MediaKind, TextPosition)]?
        if let media = fields["media"]?.value {
            let nodes = media.entries ?? [media]
            if nodes.isEmpty { found.error(media.position, "media must not be empty") }
            let read = nodes.compactMap { kind($0) }
            if read.count < nodes.count || read.isEmpty { return nil }
            kinds = read
        }
        guard let from, let to else { return nil }
        return PipelineDocument.Link(position: node.position, from: from, to: to, kinds: kinds)
    }

    private mutating func kind(_ node: JSONNode) -> (MediaKind, TextPosition)? {
        let words = MediaKind.allCases.map(\.rawValue)
        if let text = node.string {
            if let kind = MediaKind(rawValue: text) { return (kind, node.position) }
            found.error(
                node.position,
                "media must be \(listed(words)), found \(quoted(text))\(suggestion(for: text, among: words))")
        } else {
            found.error(node.position, "media must be \(listed(words)), found \(node.kindName)")
        }
        return nil
    }

    /// One entry of `invoke`.
    mutating func invocation(_ node: JSONNode) -> PipelineDocument.Invocation? {
        let what = "an operation"
        guard let fields = object(node, what, keys: ["object", "method", "each", "with"]) else { return nil }
        let object = name(fields["object"], "object, the name of an element", in: what, at: node.position)
        let method = name(fields["method"], "method, the name of one", in: what, at: node.position)
        let each = self.each(fields["each"]?.value)
        let with = self.with(fields["with"]?.value)
        guard let object, let method else { return nil }
        return PipelineDocument.Invocation(
            position: node.position, object: object, method: method, each: each, with: with)
    }
}
