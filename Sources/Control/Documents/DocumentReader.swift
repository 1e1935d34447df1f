import Core

/// Turns parsed JSON into the parts of a document. What is wrong is noted and left out; reading goes on, so that all
/// errors are told at once.
struct DocumentReader {
    struct Parts {
        var description = ""
        var parameters: [PipelineDocument.Parameter] = []
        var elements: [PipelineDocument.Element] = []
        /// Names of all elements, those too that are left out because something is wrong with them.
        var declaredNames: Set<String> = []
        var links: [PipelineDocument.Link] = []
        var invocations: [PipelineDocument.Invocation] = []
        var doors: [PipelineDocument.Door] = []
    }

    let model: ObjectModel
    let limits: DocumentLimits
    var found: DiagnosticCollector
    /// Parameters that `each` may name.
    private(set) var listNames: Set<String> = []

    /// Names that mean something inside `each`, and so cannot be parameters.
    static let reserved = ["item", "index", "number"]

    init(file: String, model: ObjectModel, limits: DocumentLimits) {
        self.model = model
        self.limits = limits
        found = DiagnosticCollector(file: file, limit: limits.diagnostics)
    }

    mutating func read(_ root: JSONNode) -> Parts {
        var parts = Parts()
        let keys = ["description", "parameters", "elements", "links", "invoke", "doors"]
        guard let members = object(root, "a pipeline document", keys: keys) else { return parts }
        parts.description = text(members["description"]?.value, "description") ?? ""
        parts.parameters = parameters(members["parameters"]?.value)
        if let elements = members["elements"]?.value {
            parts.elements = self.elements(elements)
            parts.declaredNames = Set(elements.members?.map(\.key) ?? [])
        } else {
            found.error(root.position, "a pipeline document needs elements, an object")
        }
        parts.links = list(members["links"]?.value, "links").compactMap { link($0) }
        parts.invocations = list(members["invoke"]?.value, "invoke").compactMap { invocation($0) }
        parts.doors = doors(members["doors"]?.value)
        return parts
    }

    // MARK: shapes

    /// The members by name; notes what is not an object and members nobody knows.
    mutating func object(
        _ node: JSONNode, _ what: String, keys: [String]
    ) -> [String: JSONNode.Member]? {
        guard let members = node.members else {
            found.error(node.position, "\(what) must be an object, found \(node.kindName)")
            return nil
        }
        for member in members where !keys.contains(member.key) {
            found.error(
                member.keyPosition,
                "\(what) has no member \(quoted(member.key))\(suggestion(for: member.key, among: keys)); "
                    + "it has \(listed(keys, "and"))")
        }
        return Dictionary(members.map { ($0.key, $0) }) { first, _ in first }
    }

    /// The entries; none, and a note, if it is not a list.
    mutating func list(_ node: JSONNode?, _ what: String) -> [JSONNode] {
        guard let node else { return [] }
        if let entries = node.entries { return entries }
        found.error(node.position, "\(what) must be a list, found \(node.kindName)")
        return []
    }

    /// The string; nil, and a note, if it is something else.
    mutating func text(_ node: JSONNode?, _ what: String) -> String? {
        guard let node else { return nil }
        if let text = node.string { return text }
        found.error(node.position, "\(what) must be a string, found \(node.kindName)")
        return nil
    }

    /// A string that has to be there.
    mutating func name(_ member: JSONNode.Member?, _ what: String, in owner: String, at position: TextPosition)
        -> PipelineDocument.Name?
    {
        guard let member else {
            found.error(position, "\(owner) needs \(what)")
            return nil
        }
        return text(member.value, what).map { PipelineDocument.Name(text: $0, position: member.value.position) }
    }

    private mutating func boolean(_ node: JSONNode?, _ what: String) -> Bool? {
        guard let node else { return nil }
        if case .bool(let value) = node.content { return value }
        found.error(node.position, "\(what) must be true or false, found \(node.kindName)")
        return nil
    }

    /// Letters, digits, `_` and `-`, beginning with a letter: a name goes into `${…}`, `name[0]` and command lines.
    mutating func isName(_ text: String, _ position: TextPosition, _ what: String) -> Bool {
        func isLetter(_ byte: UInt8) -> Bool { (0x41...0x5A).contains(byte & 0xDF) }
        let rest = Array("0123456789_-".utf8)
        let isRight =
            (1...64).contains(text.utf8.count) && text.utf8.first.map(isLetter) ?? false
            && text.utf8.allSatisfy { isLetter($0) || rest.contains($0) }
        if !isRight {
            found.error(
                position,
                "the name of \(what) must be a letter and up to 63 letters, digits, '_' or '-', found \(quoted(text))")
        }
        return isRight
    }

    // MARK: parameters

    private mutating func parameters(_ node: JSONNode?) -> [PipelineDocument.Parameter] {
        guard let node else { return [] }
        guard let members = node.members else {
            found.error(node.position, "parameters must be an object, found \(node.kindName)")
            return []
        }
        guard members.count <= limits.parameters else {
            found.error(node.position, "\(members.count) parameters; the limit is \(limits.parameters)")
            return []
        }
        var out: [PipelineDocument.Parameter] = []
        for member in members {
            guard isName(member.key, member.keyPosition, "a parameter") else { continue }
            if DocumentReader.reserved.contains(member.key) {
                found.error(
                    member.keyPosition,
                    "a parameter cannot be called '\(member.key)': ${\(member.key)} belongs to 'each'")
                continue
            }
            if let parameter = parameter(member) {
                if case .list = parameter.type { listNames.insert(parameter.name) }
                out.append(parameter)
            }
        }
        return out
    }

    private mutating func parameter(_ member: JSONNode.Member) -> PipelineDocument.Parameter? {
        let what = "parameter '\(member.key)'"
        let keys = ["type", "of", "values", "minimum", "maximum", "minimumCount", "default", "optional", "doc"]
        guard let fields = object(member.value, what, keys: keys) else { return nil }
        let position = member.keyPosition
        guard let typeName = name(fields["type"], "type", in: what, at: position) else { return nil }
        guard let type = type(typeName, fields, what) else { return nil }
        var parameter = PipelineDocument.Parameter(
            name: member.key, position: position, type: type,
            isOptional: boolean(fields["optional"]?.value, "optional") ?? false,
            doc: text(fields["doc"]?.value, "doc") ?? "", minimumCount: 0)
        if case .list = type { parameter.minimumCount = parameter.isOptional ? 0 : 1 }
        if let node = fields["minimumCount"]?.value {
            if case .int(let count) = node.content, case .list = type, (0...limits.listEntries).contains(count) {
                parameter.minimumCount = count
            } else {
                found.error(
                    node.position,
                    "minimumCount must be a whole number from 0 to \(limits.listEntries) and belongs to a list")
            }
        }
        if let node = fields["default"]?.value {
            var checker = ArgumentChecker()
            parameter.defaultValue = checker.check(GivenValue(node), as: type, name: "default")
            for problem in checker.problems { found.error(problem.position, "\(what): \(problem.message)") }
            if case .list(let entries)? = parameter.defaultValue, entries.count < parameter.minimumCount {
                found.error(node.position, "\(what): the default has fewer than \(parameter.minimumCount) entries")
            }
        }
        return parameter
    }

    private mutating func type(
        _ name: PipelineDocument.Name, _ fields: [String: JSONNode.Member], _ what: String
    ) -> ValueType? {
        let scalars = ["string", "uri", "int", "float", "boolean", "enum"]
        var base = name
        if name.text == "list" {
            guard let inner = self.name(fields["of"], "of, the type of its entries", in: what, at: name.position) else {
                return nil
            }
            base = inner
        } else if let of = fields["of"] {
            found.error(of.keyPosition, "\(what): 'of' belongs to type 'list'")
        }
        let allowed = name.text == "list" ? scalars : scalars + ["list"]
        guard let scalar = scalarType(base, fields, what, allowed: allowed) else { return nil }
        return name.text == "list" ? .list(scalar) : scalar
    }

    private mutating func scalarType(
        _ name: PipelineDocument.Name, _ fields: [String: JSONNode.Member], _ what: String, allowed: [String]
    ) -> ValueType? {
        for key in ["minimum", "maximum"] where !["int", "float"].contains(name.text) {
            guard let member = fields[key] else { continue }
            found.error(member.keyPosition, "\(what): '\(key)' belongs to int and float")
        }
        if let values = fields["values"], name.text != "enum" {
            found.error(values.keyPosition, "\(what): 'values' belongs to type 'enum'")
        }
        switch name.text {
        case "string": return .text
        case "uri": return .string(.uri)
        case "boolean": return .boolean
        case "int": return intType(fields, what)
        case "float": return floatType(fields, what)
        case "enum":
            guard let node = fields["values"]?.value else {
                found.error(name.position, "\(what) needs values, a list of strings")
                return nil
            }
            let values = list(node, "values").compactMap { text($0, "a value") }
            if values.isEmpty {
                found.error(node.position, "\(what): values must not be empty")
                return nil
            }
            return .enumeration(EnumDescription(name: "enum", module: .tessera, values: values))
        default:
            found.error(
                name.position,
                "\(what): the type must be \(listed(allowed)), found \(quoted(name.text))"
                    + suggestion(for: name.text, among: allowed))
            return nil
        }
    }

    private mutating func intType(_ fields: [String: JSONNode.Member], _ what: String) -> ValueType {
        var bounds = (Int(Int32.min), Int(Int32.max))
        for (key, isLower) in [("minimum", true), ("maximum", false)] {
            guard let node = fields[key]?.value else { continue }
            guard case .int(let value) = node.content else {
                found.error(node.position, "\(what): \(key) must be a whole number, found \(node.kindName)")
                continue
            }
            if isLower { bounds.0 = value } else { bounds.1 = value }
        }
        if bounds.0 > bounds.1 {
            found.error(fields["minimum"]?.value.position ?? .start, "\(what): minimum is more than maximum")
            return .int32
        }
        return .int(bounds.0...bounds.1)
    }

    private mutating func floatType(_ fields: [String: JSONNode.Member], _ what: String) -> ValueType {
        var bounds = (-Double.greatestFiniteMagnitude, Double.greatestFiniteMagnitude)
        for (key, isLower) in [("minimum", true), ("maximum", false)] {
            guard let node = fields[key]?.value else { continue }
            let value: Double
            switch node.content {
            case .int(let whole): value = Double(whole)
            case .double(let fraction): value = fraction
            default:
                found.error(node.position, "\(what): \(key) must be a number, found \(node.kindName)")
                continue
            }
            if isLower { bounds.0 = value } else { bounds.1 = value }
        }
        if bounds.0 > bounds.1 {
            found.error(fields["minimum"]?.value.position ?? .start, "\(what): minimum is more than maximum")
            return .number
        }
        return .float(bounds.0...bounds.1)
    }
}
