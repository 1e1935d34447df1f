import Core
package import Media

/// What the properties and methods of one class do, beside those of its ancestors, and how one is made. What the object
/// model describes must be bound here: a test looks.
package struct ClassBinding: Sendable {
    package let className: String
    /// Makes the element, under the call's id as its name; nil: as in a pipeline document (`ElementFactory`).
    package var construct: (@Sendable (LoopCall) throws(RPCError) -> Element)?
    /// By the property's name.
    package var properties: [String: PropertyBinding]
    package var methods: [String: CallBinding]

    package init(
        _ className: String, construct: (@Sendable (LoopCall) throws(RPCError) -> Element)? = nil,
        properties: [String: PropertyBinding] = [:], methods: [String: CallBinding] = [:]
    ) {
        self.className = className
        self.construct = construct
        self.properties = properties
        self.methods = methods
    }
}

/// An operation as `invoke` names it, with its description.
package struct Operation: Sendable {
    package enum Shape: Sendable {
        case getter(PropertyDescription)
        case setter(PropertyDescription)
        case method(MethodDescription)
    }
    package let shape: Shape
    package let binding: CallBinding

    /// What it answers; nil: nothing.
    var returns: ValueType? {
        switch shape {
        case .getter(let property): property.type
        case .setter: nil
        case .method(let method): method.returns
        }
    }
}

/// All bindings, as tables by class: inherited operations included.
package struct BindingTable: Sendable {
    private let operations: [String: [String: Operation]]
    private let constructors: [String: @Sendable (LoopCall) throws(RPCError) -> Element]
    /// What the model describes and nobody has bound, as `Class.operation`.
    package let missing: [String]
    /// What is bound and not described.
    package let strangers: [String]

    package init(_ model: ObjectModel, _ bindings: [ClassBinding]) {
        let byClass = Dictionary(bindings.map { ($0.className, $0) }) { $1 }
        var operations: [String: [String: Operation]] = [:]
        var constructors: [String: @Sendable (LoopCall) throws(RPCError) -> Element] = [:]
        var missing: [String] = []
        var strangers = Set(byClass.keys).subtracting(model.classes.map(\.name)).map { $0 }
        for description in model.classes {
            let binding = byClass[description.name] ?? ClassBinding(description.name)
            // A class stands after its parent.
            var own = description.parent.flatMap { operations[$0] } ?? [:]
            own.merge(BindingTable.operations(of: description, binding, &missing)) { $1 }
            operations[description.name] = own
            constructors[description.name] = binding.construct
            strangers += BindingTable.strangers(in: binding, description)
        }
        self.operations = operations
        self.constructors = constructors
        self.missing = missing
        self.strangers = strangers.sorted()
    }

    /// The operation of that name; nil where the class has none.
    package func operation(_ name: String, of className: String) -> Operation? { operations[className]?[name] }

    func constructor(of className: String) -> (@Sendable (LoopCall) throws(RPCError) -> Element)? {
        constructors[className]
    }

    private static func operations(
        of description: ClassDescription, _ binding: ClassBinding, _ missing: inout [String]
    ) -> [String: Operation] {
        var own: [String: Operation] = [:]
        for property in description.properties {
            let bound = binding.properties[property.name]
            let name = property.name.prefix(1).uppercased() + property.name.dropFirst()
            own["get\(name)"] = bound.map { Operation(shape: .getter(property), binding: $0.get) }
            if bound == nil { missing.append("\(description.name).get\(name)") }
            guard property.access == .readWrite else { continue }
            own["set\(name)"] = (bound?.set).map { Operation(shape: .setter(property), binding: $0) }
            if bound?.set == nil { missing.append("\(description.name).set\(name)") }
        }
        for method in description.methods {
            own[method.name] = binding.methods[method.name].map { Operation(shape: .method(method), binding: $0) }
            if own[method.name] == nil { missing.append("\(description.name).\(method.name)") }
        }
        return own
    }

    private static func strangers(in binding: ClassBinding, _ description: ClassDescription) -> [String] {
        let properties = Set(binding.properties.keys).subtracting(description.properties.map(\.name))
        let methods = Set(binding.methods.keys).subtracting(description.methods.map(\.name))
        return (properties.sorted() + methods.sorted()).map { "\(description.name).\($0)" }
    }
}
