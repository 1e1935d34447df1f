/// Writes values as Kurento's clients read them: structures name their type, an empty map is `null`, objects are their
/// ids, members without a value are left out.
package struct WireEncoder: Sendable {
    private let model: ObjectModel

    package init(_ model: ObjectModel) { self.model = model }

    /// A result of a method or property; `value` nil, or `type` nil for a method that returns nothing: `null`.
    package func encode(_ value: ArgumentValue?, as type: ValueType?) -> JSON {
        guard let value, let type else { return .null }
        switch (type, value) {
        case (.structure(let declared), .structure(let members)): return structure(members, declared)
        case (.list(let inner), .list(let values)): return .array(values.map { encode($0, as: inner) })
        case (.map(let inner), .structure(let entries)):
            return entries.isEmpty
                ? .null : .object(entries.map { JSON.Member($0.name, encode($0.value, as: inner)) })
        case (.float, .int(let number)), (.double, .int(let number)): return .double(Double(number))
        default: return value.json
        }
    }

    /// The members of an event in the order of its description; those that are not given are left out.
    package func members(_ values: [Argument], of event: EventDescription) -> [JSON.Member] {
        let given = Arguments(given: values)
        return event.members.compactMap { member in
            given[member.name].map { JSON.Member(member.name, encode($0, as: member.type)) }
        }
    }

    private func structure(_ members: [Argument], _ declared: StructureDescription) -> JSON {
        var description = declared
        if let first = members.first, first.name == ArgumentValue.typeMember, case .string(let name) = first.value,
            let derived = model.structure(name)
        {
            description = derived
        }
        var out = [
            JSON.Member("__module__", .string(description.module.wireName)),
            JSON.Member("__type__", .string(description.name)),
        ]
        let given = Arguments(given: members)
        for member in description.members {
            guard let value = given[member.name] else { continue }
            out.append(JSON.Member(member.name, encode(value, as: member.type)))
        }
        return .object(out)
    }
}

extension ArgumentValue {
    /// The member of a structure, always the first, that says which type it has where that is not the declared one.
    package static let typeMember = "__type__"

    /// A structure of a type that extends the declared one.
    package static func structure(of type: String, _ members: [Argument]) -> ArgumentValue {
        .structure([Argument(typeMember, .string(type))] + members)
    }
}
