import Core

extension DocumentReader {
    /// The entries of `doors`, in the order of the text.
    mutating func doors(_ node: JSONNode?) -> [PipelineDocument.Door] {
        guard let node else { return [] }
        guard let members = node.members else {
            found.error(node.position, "doors must be an object, found \(node.kindName)")
            return []
        }
        guard members.count <= limits.doors else {
            found.error(node.position, "\(members.count) doors; the limit is \(limits.doors)")
            return []
        }
        return members.compactMap { member in
            guard isName(member.key, member.keyPosition, "a door") else { return nil }
            let what = "door '\(member.key)'"
            guard let fields = object(member.value, what, keys: ["at", "doc"]) else { return nil }
            let doc = text(fields["doc"]?.value, "doc") ?? ""
            let at = name(fields["at"], "at, the name of an element", in: what, at: member.keyPosition)
            return at.map {
                PipelineDocument.Door(name: member.key, position: member.keyPosition, at: $0, doc: doc)
            }
        }
    }
}

extension PlanBuilder {
    /// Checks one entry of `doors` and says what goes in and out there.
    mutating func door(_ door: PipelineDocument.Door) -> PipelinePlan.Door? {
        guard let index = one(door.at, what: "door '\(door.name)': at") else { return nil }
        let element = elements[index]
        if element.className == "HubPort" {
            found.error(
                door.at.position,
                "door '\(door.name)': \(named(element)) is a port; name its hub '\(element.hub ?? "")', "
                    + "and everybody who joins gets a port of their own")
            return nil
        }
        let isHub = isHub(element.className)
        // Peers bring and take what is seen and heard; messages have their own way.
        let kinds = [MediaKind.audio, .video]
        let sinks = media(of: index, \.sinks)
        let sources = media(of: index, \.sources)
        let takes = kinds.filter {
            sinks.contains($0) && (isHub || feeds[Sink(element: element.name, kind: $0)] == nil)
        }
        let gives = kinds.filter(sources.contains)
        if takes.isEmpty, gives.isEmpty {
            found.error(
                door.at.position,
                "door '\(door.name)': nobody can join at \(named(element)): it gives neither audio nor video, "
                    + "and all it takes comes from links")
            return nil
        }
        return PipelinePlan.Door(
            name: door.name, element: element.name, isHub: isHub, takes: takes, gives: gives, doc: door.doc)
    }
}

extension PipelinePlan.Door {
    /// `audio, video ⇄ grid, any number of peers: what it is for`.
    package var summary: String {
        func names(_ kinds: [MediaKind]) -> String { kinds.map(\.rawValue).joined(separator: ", ") }
        var text: String
        if gives.isEmpty {
            text = "\(names(takes)) ─▶ \(element)"
        } else if takes.isEmpty {
            text = "\(element) ─▶ \(names(gives))"
        } else {
            text = "\(names(takes)) ─▶ \(element) ─▶ \(names(gives))"
        }
        text += isHub ? ", any number of peers" : takes.isEmpty ? "" : ", one peer that sends"
        return doc.isEmpty ? text : text + ": " + printable(doc)
    }
}
