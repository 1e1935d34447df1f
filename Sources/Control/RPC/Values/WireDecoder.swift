/// Reads arguments as Kurento's clients send them, which is more kindly than a pipeline document is read: `null` is the
/// zero of every type, numbers and booleans pass for each other and for text, members that nobody knows are ignored. What
/// cannot pass is error 40001 in Kurento's words.
package struct WireDecoder {
    private let model: ObjectModel
    private let resolve: (_ id: String, _ className: String) throws(RPCError) -> Void

    /// - Parameter resolve: throws if there is no object of that id (40101), or if it is not of that class.
    package init(
        _ model: ObjectModel,
        resolve: @escaping (_ id: String, _ className: String) throws(RPCError) -> Void = { _, _ throws(RPCError) in }
    ) {
        self.model = model
        self.resolve = resolve
    }

    /// What a value is called in the error: a parameter of a call, or a member of a structure.
    private enum Place: String { case parameter, property }

    // MARK: Calls

    /// The arguments of a constructor, checked in the order of its description. Each optional one may be left out.
    package func arguments(_ given: JSON?, ofConstructor parameters: [ParameterDescription]) throws(RPCError)
        -> Arguments
    {
        let given = try members(given, named: "constructorParams", isNeeded: parameters.contains { !$0.isOptional })
        var arguments = Arguments()
        for parameter in parameters { try take(parameter, from: given, into: &arguments) }
        return arguments
    }

    /// The arguments of a method. Of the optional ones the longest leading run that is there counts; one that stands
    /// after a gap is ignored.
    package func arguments(_ given: JSON?, ofMethod parameters: [ParameterDescription]) throws(RPCError) -> Arguments {
        let given = try members(given, named: "operationParams", isNeeded: parameters.contains { !$0.isOptional })
        var arguments = Arguments()
        var isAfterGap = false
        for parameter in parameters {
            if parameter.isOptional, given[parameter.name] == nil { isAfterGap = true }
            try take(parameter, from: isAfterGap && parameter.isOptional ? .null : given, into: &arguments)
        }
        return arguments
    }

    /// The value of a setter: the parameter has the property's name.
    package func value(_ given: JSON?, of property: PropertyDescription) throws(RPCError) -> ArgumentValue {
        let given = try members(given, named: "operationParams", isNeeded: true)
        return try decode(given[property.name] ?? .array([]), property.type, property.name, .parameter)
    }

    private func members(_ given: JSON?, named name: String, isNeeded: Bool) throws(RPCError) -> JSON {
        switch given {
        case .object: return given ?? .null
        case nil, .null:
            if isNeeded { throw .marshall("'\(name)' is required") }
            return .null
        default:
            // Kurento looks at what it needs only.
            if isNeeded { throw .marshall("'\(name)' should be an object") }
            return .null
        }
    }

    private func take(
        _ parameter: ParameterDescription, from given: JSON, into arguments: inout Arguments
    ) throws(RPCError) {
        let json = given[parameter.name]
        guard let value = try decode(json, parameter) else { return }
        if json == nil {
            arguments.defaults.append(Argument(parameter.name, value))
        } else {
            arguments.given.append(Argument(parameter.name, value))
        }
    }

    // MARK: Values

    /// One argument; `json` nil: it was left out. Returns nil for an optional one without a default.
    package func decode(_ json: JSON?, _ parameter: ParameterDescription) throws(RPCError) -> ArgumentValue? {
        guard let json else {
            if parameter.isOptional { return parameter.defaultValue }
            throw mismatch(parameter.type, parameter.name, .parameter)
        }
        return try decode(json, parameter.type, parameter.name, .parameter)
    }

    private func decode(
        _ json: JSON, _ type: ValueType, _ name: String, _ place: Place
    ) throws(RPCError) -> ArgumentValue {
        switch type {
        case .string(let rule):
            guard let text = text(json), allows(rule, text) else { throw mismatch(type, name, place) }
            return .string(text)
        case .int(let range):
            guard let value = whole(json), range.contains(value) else { throw mismatch(type, name, place) }
            return .int(value)
        case .float(let range):
            guard let value = number(json), range.contains(value) else { throw mismatch(type, name, place) }
            return .float(value)
        case .double:
            guard let value = number(json) else { throw mismatch(type, name, place) }
            return .float(value)
        case .boolean:
            guard let value = number(json) else { throw mismatch(type, name, place) }
            return .boolean(value != 0)
        case .enumeration(let description):
            guard let text = text(json) else { throw mismatch(type, name, place) }
            return .string(try word(text, of: description))
        case .object(let className):
            guard let id = text(json) else { throw mismatch(type, name, place) }
            if id.hasPrefix("newref:") { throw .outsideTransaction(id) }
            try resolve(id, className)
            return .object(id)
        case .structure(let description): return try structure(json, description, name, place)
        case .list(let inner):
            if case .null = json { return .list([]) }
            guard case .array(let entries) = json else { throw mismatch(type, name, place) }
            var values: [ArgumentValue] = []
            for entry in entries { values.append(try decode(entry, inner, name, place)) }
            return .list(values)
        case .map(let inner):
            if case .null = json { return .structure([]) }
            guard case .object(let members) = json else { throw mismatch(type, name, place) }
            var values: [Argument] = []
            for member in members {
                values.append(Argument(member.key, try decode(member.value, inner, member.key, .property)))
            }
            return .structure(values)
        case .any: return WireDecoder.unchecked(json)
        }
    }

    private func structure(
        _ json: JSON, _ declared: StructureDescription, _ name: String, _ place: Place
    ) throws(RPCError) -> ArgumentValue {
        switch json {
        case .object, .null: break
        default: throw mismatch(.structure(declared), name, place)
        }
        let description = try derived(json, declared)
        var members: [Argument] = []
        if description.name != declared.name {
            members.append(Argument(ArgumentValue.typeMember, .string(description.name)))
        }
        for wanted in description.members {
            if let value = json[wanted.name], !(wanted.isOptional && value == .null) {
                members.append(Argument(wanted.name, try decode(value, wanted.type, wanted.name, .property)))
            } else if let value = wanted.defaultValue {
                members.append(Argument(wanted.name, value))
            } else if !wanted.isOptional {
                throw mismatch(wanted.type, wanted.name, .property)
            }
        }
        if description.rule == .insideUnitSquare, !isInsideUnitSquare(Arguments(given: members)) {
            throw .marshall("'\(name)' \(place.rawValue) should be an area inside the unit square")
        }
        return .structure(members)
    }

    /// The type that the value itself names; it must be the declared one or extend it.
    private func derived(_ json: JSON, _ declared: StructureDescription) throws(RPCError) -> StructureDescription {
        guard case .string(let name)? = json["__type__"] else { return declared }
        var module = declared.module.wireName
        if case .string(let given)? = json["__module__"] { module = given }
        guard let description = model.structure(name), description.module.wireName == module,
            name == declared.name || description.ancestors.contains(declared.name)
        else { throw .incompatible("Type \(name) is not compatible") }
        return description
    }

    private func word(_ text: String, of description: EnumDescription) throws(RPCError) -> String {
        if description.values.contains(text) { return text }
        if description.unsupported.contains(text) { throw .illegalParameter("'\(text)' is not available here") }
        if description.ignoresCase {
            let lowered = text.lowercased()
            if let word = description.values.first(where: { $0.lowercased() == lowered }) { return word }
        }
        throw .marshall("Invalid value for '\(description.name)'")
    }

    private func mismatch(_ type: ValueType, _ name: String, _ place: Place) -> RPCError {
        .marshall("'\(name)' \(place.rawValue) should be a \(type.wireKind)")
    }

    private func allows(_ rule: ValueType.StringRule, _ text: String) -> Bool {
        switch rule {
        case .any: return true
        // It goes to the operating system, where a zero would end it; what it names is looked at when it is used.
        case .uri: return !text.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F }
        case .colour:
            let scalars = text.unicodeScalars
            return scalars.count == 7 && scalars.first == "#"
                && scalars.dropFirst().allSatisfy { $0.isASCII && $0.properties.isASCIIHexDigit }
        }
    }

    private func isInsideUnitSquare(_ area: Arguments) -> Bool {
        [("x", "width"), ("y", "height")].allSatisfy { start, length in
            guard let from = area.float(start), let size = area.float(length) else { return false }
            return size > 0 && from + size <= 1 + 1e-6
        }
    }

    // MARK: What passes for what

    private func text(_ json: JSON) -> String? {
        switch json {
        case .null: ""
        case .bool(let value): value ? "true" : "false"
        case .int(let value): String(value)
        case .double(let value): plain(value)
        case .string(let value): value
        case .array, .object: nil
        }
    }

    private func number(_ json: JSON) -> Double? {
        switch json {
        case .null: 0
        case .bool(let value): value ? 1 : 0
        case .int(let value): Double(value)
        case .double(let value): value
        case .string, .array, .object: nil
        }
    }

    private func whole(_ json: JSON) -> Int? {
        switch json {
        case .int(let value): value
        case .double(let value): Int(exactly: value.rounded(.towardZero))
        default: number(json).map { Int($0) }
        }
    }

    /// A value of whatever kind; nulls are left out of lists and structures.
    static func unchecked(_ json: JSON) -> ArgumentValue {
        switch json {
        case .null: .structure([])
        case .bool(let value): .boolean(value)
        case .int(let value): .int(value)
        case .double(let value): .float(value)
        case .string(let value): .string(value)
        case .array(let entries): .list(entries.filter { $0 != .null }.map(unchecked))
        case .object(let members):
            .structure(members.filter { $0.value != .null }.map { Argument($0.key, unchecked($0.value)) })
        }
    }
}

extension ValueType {
    /// The kind of JSON value that Kurento's error names.
    var wireKind: String {
        switch self {
        case .string(.colour): "string such as #1a2b3c"
        case .string, .enumeration, .object: "string"
        case .int(let range):
            name == "int64"
                ? "int64"
                : self == .int32 ? "integer" : "integer from \(range.lowerBound) to \(range.upperBound)"
        case .float: self == .number ? "double" : "double, \(constraint ?? "finite")"
        case .double: "double"
        case .boolean: "boolean"
        case .list: "list"
        case .map: "map"
        case .structure: "object"
        case .any: "value"
        }
    }
}

extension ModelModule {
    /// The name that stands in ids and in `__module__`.
    package var wireName: String { self == .tessera ? "tessera" : "kurento" }
}

extension RPCError {
    /// A reference into a transaction that is not going on.
    static func outsideTransaction(_ id: String) -> RPCError {
        RPCError(
            40109, "MEDIA_OBJECT_NOT_FOUND_TRANSACTION_NO_COMMIT",
            "Object '\(id)' not found. Possibly using a transactional object without committing the transaction.")
    }
}
