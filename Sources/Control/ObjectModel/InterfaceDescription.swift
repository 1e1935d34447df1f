/// The interface of a module as JSON, in the shape of Kurento's own interface files.
extension ObjectModel {
    /// `core`, `elements`, `filters` or `tessera`; nil for any other name. What Tessera adds to Kurento's classes stands
    /// in `tessera` as well, under the names of these classes.
    package func interface(of name: String) -> JSON? {
        guard let module = ModelModule(rawValue: name) else { return nil }
        let own = classes.filter { module == .tessera ? $0.hasOwn : $0.module == module }
        var out: [JSON.Member] = [
            .init("name", .string(name)), .init("version", .string(Bindings.version)),
            .init("kurentoVersion", .string(Bindings.version)),
            .init("imports", .array(imports(of: module))), .init("code", .object([])),
            .init("remoteClasses", .array(own.map { json($0, module) })),
        ]
        let types =
            structures.filter { $0.module == module }.map(json) + enumerations.filter { $0.module == module }.map(json)
        out.append(.init("complexTypes", .array(types)))
        let base = module == .core ? ObjectModel.baseEvents : []
        out.append(.init("events", .array(base + events.filter { $0.module == module }.map(json))))
        return .object(out)
    }

    private func imports(of module: ModelModule) -> [JSON] {
        let names: [String] =
            switch module {
            case .core: []
            case .elements: ["core"]
            case .filters: ["core", "elements"]
            case .tessera: ["core", "elements", "filters"]
            }
        return names.map { ["name": .string($0), "version": .string(Bindings.version)] }
    }

    private static let baseEvents: [JSON] = [
        [
            "name": "RaiseBase", "doc": "What every event has.",
            "properties": [
                ["name": "source", "type": "MediaObject"], ["name": "timestampMillis", "type": "String"],
                ["name": "tags", "type": "Tag[]"],
            ],
        ],
        [
            "name": "Media", "extends": "RaiseBase", "doc": "What events of media have.",
            "properties": [["name": "type", "type": "String"]],
        ],
    ]

    // MARK: Parts

    private func json(_ description: ClassDescription, _ module: ModelModule) -> JSON {
        func isShown(_ isOwn: Bool) -> Bool { isOwn == (module == .tessera) }
        var out: [JSON.Member] = [.init("name", .string(description.name)), .init("doc", .string(description.doc))]
        if description.isAbstract { out.append(.init("abstract", true)) }
        if let parent = description.parent { out.append(.init("extends", .string(parent))) }
        let parameters = description.constructor.filter { isShown($0.module == .tessera) }
        if !description.isAbstract { out.append(.init("constructor", ["params": .array(parameters.map(json))])) }
        let properties = description.properties.filter { isShown($0.isOwn) }
        if !properties.isEmpty { out.append(.init("properties", .array(properties.map(json)))) }
        let methods = description.methods.filter { isShown($0.isOwn) }
        if !methods.isEmpty { out.append(.init("methods", .array(methods.map(json)))) }
        let names = description.events.filter { isShown(event($0)?.module == .tessera) }
        if !names.isEmpty { out.append(.init("events", .array(names.map { .string($0) }))) }
        return .object(out)
    }

    private func json(_ property: PropertyDescription) -> JSON {
        var out = head(property.name, property.type, property.doc)
        if property.access == .final { out.append(.init("final", true)) }
        if property.access == .readOnly { out.append(.init("readOnly", true)) }
        if let value = property.defaultValue { out.append(.init("defaultValue", value.json)) }
        return .object(out)
    }

    private func json(_ parameter: ParameterDescription) -> JSON {
        var out = head(parameter.name, parameter.type, parameter.doc)
        if parameter.isOptional { out.append(.init("optional", true)) }
        if let value = parameter.defaultValue { out.append(.init("defaultValue", value.json)) }
        return .object(out)
    }

    private func json(_ method: MethodDescription) -> JSON {
        var out: [JSON.Member] = [
            .init("name", .string(method.name)), .init("doc", .string(method.doc)),
            .init("params", .array(method.parameters.map(json))),
        ]
        if let type = method.returns { out.append(.init("return", ["type": .string(type.name)])) }
        return .object(out)
    }

    private func json(_ type: StructureDescription) -> JSON {
        var out: [JSON.Member] = [
            .init("name", .string(type.name)), .init("typeFormat", "REGISTER"), .init("doc", .string(type.doc)),
        ]
        if let parent = type.ancestors.first { out.append(.init("extends", .string(parent))) }
        let members = type.ownMembers.map { member in
            var part = head(member.name, member.type, member.doc)
            if member.isOptional { part.append(.init("optional", true)) }
            if let value = member.defaultValue { part.append(.init("defaultValue", value.json)) }
            return JSON.object(part)
        }
        out.append(.init("properties", .array(members)))
        return .object(out)
    }

    private func json(_ type: EnumDescription) -> JSON {
        [
            "name": .string(type.name), "typeFormat": "ENUM",
            "values": .array((type.values + type.unsupported).map { .string($0) }),
        ]
    }

    private func json(_ event: EventDescription) -> JSON {
        let base = EventPayload.withoutType.contains(event.name) ? "RaiseBase" : "Media"
        return [
            "name": .string(event.name), "extends": .string(base), "doc": .string(event.doc),
            "properties": .array(event.members.map(json)),
        ]
    }

    private func head(_ name: String, _ type: ValueType, _ doc: String) -> [JSON.Member] {
        [.init("name", .string(name)), .init("type", .string(type.name)), .init("doc", .string(doc))]
    }
}

extension ClassDescription {
    /// Whether Tessera adds something to it.
    fileprivate var hasOwn: Bool {
        module == .tessera || constructor.contains { $0.module == .tessera } || properties.contains(where: \.isOwn)
            || methods.contains(where: \.isOwn)
    }
}
