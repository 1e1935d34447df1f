package import Core

/// Where a class, parameter, event or type comes from: three modules of Kurento, and what Tessera adds. Stock clients
/// are only told about the first three.
package enum ModelModule: String, Hashable, Sendable, CaseIterable { case core, elements, filters, tessera }

/// One class of the object model. Argument checks, `tessera inspect` and `docs/api.md` follow from this and nothing
/// else, so what is not described here does not exist.
package struct ClassDescription: Sendable {
    package var name: String
    /// The class it extends; nil only for `MediaObject`.
    package var parent: String?
    package var isAbstract = false
    package var module: ModelModule
    /// One or two sentences.
    package var doc: String
    /// Media a pipeline's links may take out of it and into it; own to each class, not inherited.
    package var sources: [MediaKind] = []
    package var sinks: [MediaKind] = []
    package var constructor: [ParameterDescription] = []
    package var properties: [PropertyDescription] = []
    package var methods: [MethodDescription] = []
    /// Names of the events it adds to those of its ancestors.
    package var events: [String] = []
}

/// One parameter of a constructor or method, one member of a structure or of an event.
package struct ParameterDescription: Sendable {
    package var name: String
    package var type: ValueType
    package var isOptional = false
    /// What an optional parameter is when it is left out; nil where that is the object's own decision (see `doc`).
    package var defaultValue: ArgumentValue?
    package var module: ModelModule
    package var doc: String

    package init(
        _ name: String, _ type: ValueType, optional: Bool = false, default defaultValue: ArgumentValue? = nil,
        module: ModelModule = .elements, _ doc: String
    ) {
        self.name = name
        self.type = type
        self.isOptional = optional || defaultValue != nil
        self.defaultValue = defaultValue
        self.module = module
        self.doc = doc
    }
}

/// A value of an object that a client can get, and perhaps set.
package struct PropertyDescription: Sendable {
    package enum Access: String, Sendable {
        /// Fixed at creation.
        case final
        /// Changes by itself; there is no setter.
        case readOnly = "read only"
        case readWrite = "read and write"
    }
    package var name: String
    package var type: ValueType
    package var access: Access
    /// What it is on a fresh object, where the interface says so.
    package var defaultValue: ArgumentValue?
    /// Whether Kurento does not know it.
    package var isOwn: Bool
    package var doc: String

    package init(
        _ name: String, _ type: ValueType, _ access: Access, default defaultValue: ArgumentValue? = nil,
        own isOwn: Bool = false, _ doc: String
    ) {
        self.name = name
        self.type = type
        self.access = access
        self.defaultValue = defaultValue
        self.isOwn = isOwn
        self.doc = doc
    }
}

/// An operation on an object; `returns` is nil where it answers nothing.
package struct MethodDescription: Sendable {
    package var name: String
    package var parameters: [ParameterDescription]
    package var returns: ValueType?
    /// Whether Kurento does not know it.
    package var isOwn: Bool
    package var doc: String

    package init(
        _ name: String, _ parameters: [ParameterDescription], returns: ValueType? = nil, own isOwn: Bool = false,
        _ doc: String
    ) {
        self.name = name
        self.parameters = parameters
        self.returns = returns
        self.isOwn = isOwn
        self.doc = doc
    }

    /// A method without parameters.
    package init(_ name: String, returns: ValueType? = nil, own isOwn: Bool = false, _ doc: String) {
        self.init(name, [], returns: returns, own: isOwn, doc)
    }
}

/// Something an object tells its subscribers. Every event carries `source`, `timestampMillis` and `tags` beside its
/// members; all but `Error` also `type`.
package struct EventDescription: Sendable {
    package var name: String
    package var module: ModelModule
    package var members: [ParameterDescription]
    package var doc: String
}

/// The type of a parameter, property or result.
package indirect enum ValueType: Hashable, Sendable {
    case string(StringRule)
    /// 32-bit on the wire where the range fits, else 64-bit.
    case int(ClosedRange<Int>)
    case float(ClosedRange<Double>)
    /// A figure with all its digits; only in statistics.
    case double
    case boolean
    case enumeration(EnumDescription)
    case structure(StructureDescription)
    /// A reference to an object of that class or of one that extends it.
    case object(String)
    case list(ValueType)
    /// Text to value.
    case map(ValueType)
    case any

    /// Any 32-bit whole number.
    package static let int32 = ValueType.int(Int(Int32.min)...Int(Int32.max))
    /// Any 64-bit whole number.
    package static let int64 = ValueType.int(Int.min...Int.max)
    /// Any finite number.
    package static let number = ValueType.float(-Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude)
    /// Any text.
    package static let text = ValueType.string(.any)

    /// What a text has to look like.
    package enum StringRule: Hashable, Sendable {
        case any
        /// Not empty, no control characters: it goes to the operating system.
        case uri
        /// `#rrggbb`.
        case colour
    }

    /// The name of the type as Kurento's interface files write it: `String`, `int64`, `MediaElement[]`, `Stats<>`.
    package var name: String {
        switch self {
        case .string: "String"
        case .int(let range): range.lowerBound < Int(Int32.min) || range.upperBound > Int(Int32.max) ? "int64" : "int"
        case .float: "float"
        case .double: "double"
        case .boolean: "boolean"
        case .enumeration(let description): description.name
        case .structure(let description): description.name
        case .object(let className): className
        case .list(let type): type.name + "[]"
        case .map(let type): type.name + "<>"
        case .any: "any"
        }
    }

    /// What is allowed beyond the type's name; nil where that says it all.
    package var constraint: String? {
        switch self {
        case .string(.any), .double, .boolean, .object, .structure, .any: nil
        case .string(.uri): "not empty, no control characters"
        case .string(.colour): "#rrggbb"
        case .int(let range):
            self == .int32 || self == .int64
                ? nil
                : range.upperBound == Int(Int32.max) || range.upperBound == .max
                    ? "\(range.lowerBound) or more" : "\(range.lowerBound) to \(range.upperBound)"
        case .float(let range):
            self == .number
                ? nil
                : range.upperBound == .greatestFiniteMagnitude
                    ? "\(plain(range.lowerBound)) or more" : "\(plain(range.lowerBound)) to \(plain(range.upperBound))"
        case .enumeration(let description): listed(description.values)
        case .list(let type), .map(let type): type.constraint.map { "each \($0)" }
        }
    }
}

/// A named set of words.
package struct EnumDescription: Hashable, Sendable {
    package var name: String
    package var module: ModelModule
    package var values: [String]
    /// Words of the protocol that this server knows but cannot do yet.
    package var unsupported: [String] = []
    /// Tessera's own words may be written in any case; Kurento's are exact, as its clients are.
    package var ignoresCase: Bool { module == .tessera }
}

/// A value made of named members (a complex type of the protocol).
package struct StructureDescription: Hashable, Sendable {
    package var name: String
    package var module: ModelModule
    /// What it extends, the nearest first.
    package let ancestors: [String]
    /// Of all its ancestors and its own, in this order.
    package let members: [Member]
    /// How many of the members are its own, at the end.
    private let ownCount: Int
    package var doc: String
    /// A check over several members.
    package var rule: Rule?

    package init(
        name: String, module: ModelModule, extends parent: StructureDescription? = nil, members: [Member], doc: String,
        rule: Rule? = nil
    ) {
        self.name = name
        self.module = module
        ancestors = parent.map { [$0.name] + $0.ancestors } ?? []
        self.members = (parent?.members ?? []) + members
        ownCount = members.count
        self.doc = doc
        self.rule = rule
    }

    /// The members that it adds to its ancestors'.
    package var ownMembers: ArraySlice<Member> { members.suffix(ownCount) }

    package struct Member: Hashable, Sendable {
        package var name: String
        package var type: ValueType
        package var isOptional = false
        /// What a member is on the wire when it is left out.
        package var defaultValue: ArgumentValue?
        package var doc: String

        package init(
            _ name: String, _ type: ValueType, optional: Bool = false, default defaultValue: ArgumentValue? = nil,
            _ doc: String
        ) {
            self.name = name
            self.type = type
            self.isOptional = optional || defaultValue != nil
            self.defaultValue = defaultValue
            self.doc = doc
        }
    }

    package enum Rule: Hashable, Sendable {
        /// `x + width` and `y + height` do not exceed 1, and the area is not empty.
        case insideUnitSquare
    }
}

/// A checked argument.
package indirect enum ArgumentValue: Hashable, Sendable {
    case string(String)
    case int(Int)
    case float(Double)
    case boolean(Bool)
    /// The name of an element of the plan (in a document) or the id of an object (on the wire).
    case object(String)
    case list([ArgumentValue])
    /// Members of a structure or entries of a map, in the order given.
    case structure([Argument])
    /// What stands in the document in place of a value that is not known yet, such as `${output}`; only in outlines,
    /// never in a plan that can be run.
    case pending(String)
}

/// A named checked argument.
package struct Argument: Hashable, Sendable {
    package var name: String
    package var value: ArgumentValue

    package init(_ name: String, _ value: ArgumentValue) {
        self.name = name
        self.value = value
    }
}

/// A number without `.0` where it is whole.
package func plain(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : String(value)
}

extension ArgumentValue: CustomStringConvertible {
    /// As text for people: strings bare, references by name, structures as `{x: 0, y: 0.5}`.
    package var description: String {
        switch self {
        case .string(let value), .object(let value): printable(value)
        case .int(let value): String(value)
        case .float(let value): plain(value)
        case .boolean(let value): value ? "true" : "false"
        case .list(let values): "[" + values.map(\.description).joined(separator: ", ") + "]"
        case .structure(let members): "{" + members.map { "\($0.name): \($0.value)" }.joined(separator: ", ") + "}"
        case .pending(let text): printable(text)
        }
    }

    /// As JSON; what is pending becomes its text.
    package var json: JSON {
        switch self {
        case .string(let value), .object(let value): .string(value)
        case .int(let value): .int(value)
        case .float(let value): .double(value)
        case .boolean(let value): .bool(value)
        case .list(let values): .array(values.map(\.json))
        case .structure(let members): .object(members.map { JSON.Member($0.name, $0.value.json) })
        case .pending(let text): .string(text)
        }
    }
}
