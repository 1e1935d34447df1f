/// All classes, events and types that this server has. A constant value; look-ups go by name.
package struct ObjectModel: Sendable {
    /// In the order in which they are listed to people: a class stands after its parent.
    package let classes: [ClassDescription]
    package let events: [EventDescription]
    /// Those used by classes and events and those that extend them, by name.
    package let structures: [StructureDescription]
    package let enumerations: [EnumDescription]
    private let classIndex: [String: Int]
    private let eventIndex: [String: Int]
    private let structureIndex: [String: Int]

    /// Traps on a parent or event that is not described: the model is ours, not outside data.
    ///
    /// - Parameter types: what no class and no event names, such as the kinds of statistics.
    package init(classes: [ClassDescription], events: [EventDescription], types: [ValueType] = []) {
        self.classes = classes
        self.events = events
        classIndex = Dictionary(uniqueKeysWithValues: classes.enumerated().map { ($1.name, $0) })
        eventIndex = Dictionary(uniqueKeysWithValues: events.enumerated().map { ($1.name, $0) })
        for (position, description) in classes.enumerated() {
            if let parent = description.parent {
                precondition(
                    classIndex[parent].map { $0 < position } ?? false, "\(description.name): \(parent) must come first")
            }
            for event in description.events {
                precondition(eventIndex[event] != nil, "\(description.name): event \(event) is not described")
            }
        }
        let all = ObjectModel.allTypes(classes, events, types)
        var structures: [String: StructureDescription] = [:]
        var enumerations: [String: EnumDescription] = [:]
        for type in all {
            switch type {
            case .structure(let description): structures[description.name] = description
            case .enumeration(let description): enumerations[description.name] = description
            default: break
            }
        }
        self.structures = structures.values.sorted { $0.name < $1.name }
        self.enumerations = enumerations.values.sorted { $0.name < $1.name }
        structureIndex = Dictionary(uniqueKeysWithValues: self.structures.enumerated().map { ($1.name, $0) })
    }

    /// The structure of that name.
    package func structure(_ name: String) -> StructureDescription? { structureIndex[name].map { structures[$0] } }

    /// The class of that bare name.
    package func classDescription(_ name: String) -> ClassDescription? { classIndex[name].map { classes[$0] } }

    package func event(_ name: String) -> EventDescription? { eventIndex[name].map { events[$0] } }

    /// The class itself, its parent, and so on up to `MediaObject`.
    package func lineage(of name: String) -> [ClassDescription] {
        var out: [ClassDescription] = []
        var next: String? = name
        while let current = next, let description = classDescription(current) {
            out.append(description)
            next = description.parent
        }
        return out
    }

    /// Whether a class is another one or extends it, directly or not.
    package func isClass(_ name: String, a ancestor: String) -> Bool {
        lineage(of: name).contains { $0.name == ancestor }
    }

    /// The classes of which objects can be made.
    package var concreteClasses: [ClassDescription] { classes.filter { !$0.isAbstract } }

    /// A method of the class or of the nearest ancestor that has one of that name.
    package func method(_ name: String, of className: String) -> MethodDescription? {
        for description in lineage(of: className) {
            if let method = description.methods.first(where: { $0.name == name }) { return method }
        }
        return nil
    }

    /// Names of all methods, the class's own first.
    package func methodNames(of className: String) -> [String] {
        lineage(of: className).flatMap { $0.methods.map(\.name) }
    }

    /// All events a subscriber can ask for, the class's own first.
    package func eventNames(of className: String) -> [String] {
        lineage(of: className).flatMap(\.events)
    }

    private static func allTypes(
        _ classes: [ClassDescription], _ events: [EventDescription], _ more: [ValueType]
    ) -> [ValueType] {
        var out: [ValueType] = []
        func collect(_ type: ValueType) {
            out.append(type)
            switch type {
            case .list(let inner), .map(let inner): collect(inner)
            case .structure(let description): description.members.forEach { collect($0.type) }
            default: break
            }
        }
        for description in classes {
            description.constructor.forEach { collect($0.type) }
            description.properties.forEach { collect($0.type) }
            for method in description.methods {
                method.parameters.forEach { collect($0.type) }
                method.returns.map(collect)
            }
        }
        for event in events { event.members.forEach { collect($0.type) } }
        more.forEach(collect)
        return out
    }
}
