extension ObjectModel {
    /// The text of `docs/api.md`, generated so that it cannot differ from what the server checks.
    package var markdown: String {
        var out = """
            # Classes

            Generated from the descriptions in `Sources/Control/ObjectModel`; edits here are overwritten. `?` marks \
            what may be left out, `= x` what it is then. What is marked *tessera* is an addition to \
            Kurento's interface.


            """
        out += "| class | extends | what it is |\n| --- | --- | --- |\n"
        for description in classes {
            let name = "[\(description.name)](#\(description.name.lowercased()))"
            let parent = description.parent ?? ""
            out += "| \(name)\(description.isAbstract ? " (abstract)" : "") | \(parent) | \(cell(description.doc)) |\n"
        }
        for description in classes { out += section(description) }
        out +=
            "\n## Events\n\nEvery event carries `source`, `timestampMillis` and `tags`; all but `Error` also `type`.\n"
        out += table(
            ["event", "members", "when"],
            events.map { event in
                [
                    marked(event.name, event.module), event.members.map { "`\($0.signature)`" }.joined(separator: ", "),
                    event.doc,
                ]
            })
        out += "\n## Structures\n"
        out += table(
            ["structure", "members", "what it is"],
            structures.map { type in
                let members = type.ownMembers.map { member in
                    let value = member.defaultValue.map { " = \($0)" } ?? ""
                    return "`\(member.name): \(member.type.name)\(member.isOptional ? "?" : "")\(value)`"
                }
                let name = marked(type.name, type.module) + (type.ancestors.first.map { " (extends \($0))" } ?? "")
                return [name, members.joined(separator: ", "), type.doc]
            })
        out += "\n## Enumerations\n"
        out += table(
            ["enumeration", "words", "not supported yet"],
            enumerations.map { type in
                [
                    marked(type.name, type.module), type.values.joined(separator: ", "),
                    type.unsupported.joined(separator: ", "),
                ]
            })
        return out
    }

    private func section(_ description: ClassDescription) -> String {
        var out = "\n## \(description.name)\n\n"
        let kind = description.isAbstract ? "Abstract. " : ""
        let parent = description.parent.map { "Extends [\($0)](#\($0.lowercased())). " } ?? ""
        out += "\(kind)\(parent)Module \(description.module.rawValue). \(description.doc)\n"
        if !description.constructor.isEmpty {
            out += table(
                ["parameter", "allowed", "meaning"],
                description.constructor.map { parameter in
                    [
                        marked("`\(parameter.signature)`", parameter.module), parameter.type.constraint ?? "",
                        parameter.doc,
                    ]
                })
        }
        if !description.properties.isEmpty {
            out += table(
                ["property", "access", "meaning"],
                description.properties.map { property in
                    [
                        own("`\(property.name): \(property.type.name)`", property.isOwn), property.access.rawValue,
                        property.doc,
                    ]
                })
        }
        if !description.methods.isEmpty {
            out += table(
                ["method", "what it does"], description.methods.map { [own("`\($0.signature)`", $0.isOwn), $0.doc] })
        }
        if !description.events.isEmpty {
            out += "\nEvents: \(description.events.joined(separator: ", ")).\n"
        }
        return out
    }

    private func marked(_ text: String, _ module: ModelModule) -> String {
        own(text, module == .tessera)
    }

    private func own(_ text: String, _ isOwn: Bool) -> String { isOwn ? text + " *tessera*" : text }

    private func table(_ head: [String], _ rows: [[String]]) -> String {
        let lines = [head, head.map { _ in "---" }] + rows.map { $0.map(cell) }
        return "\n" + lines.map { "| \($0.joined(separator: " | ")) |\n" }.joined()
    }

    private func cell(_ text: String) -> String {
        text.split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|")
    }
}
