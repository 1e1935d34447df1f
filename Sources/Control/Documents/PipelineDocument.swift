package import Core

/// A pipeline document: elements, links and operations with parameters, as text that people write.
///
/// ```
/// { "description": "Two files side by side",
///   "parameters": { "inputs": { "type": "list", "of": "uri", "doc": "Files to show" }, … },
///   "elements": { "input": { "class": "PlayerEndpoint", "each": "inputs", "with": { "uri": "${item}" } }, … },
///   "links": [ { "from": "input", "to": "port", "media": ["audio", "video"] }, … ],
///   "invoke": [ { "object": "dispatcher", "method": "setSource", "with": { "source": "port[0]" } } ],
///   "doors": { "stage": { "at": "grid" } } }
/// ```
/// `pipelines/README.md` describes the format for those who write documents.
package struct PipelineDocument: Sendable {
    package let file: String
    package let description: String
    package let parameters: [Parameter]
    let elements: [Element]
    /// Names of all elements, those too whose description is wrong.
    let declaredNames: Set<String>
    let links: [Link]
    let invocations: [Invocation]
    let doors: [Door]
    /// What is not wrong, but hardly meant; seen without values.
    package let warnings: [Diagnostic]
    let model: ObjectModel
    let limits: DocumentLimits

    /// A value that whoever runs the document may or must give.
    package struct Parameter: Sendable {
        package var name: String
        package var position: TextPosition
        package var type: ValueType
        package var isOptional: Bool
        /// Used when nothing is given; already checked against the type.
        package var defaultValue: ArgumentValue?
        package var doc: String
        /// Fewest entries, for a list.
        package var minimumCount: Int

        /// Whether a run without a value for it is an error.
        package var isRequired: Bool { !isOptional && defaultValue == nil }
    }

    /// One entry of `elements`: one element, or with `each` one for every entry of a list parameter.
    struct Element: Sendable {
        var name: String
        var position: TextPosition
        var description: ClassDescription
        var hub: Name?
        var each: String?
        var with: [JSONNode.Member]
    }

    /// A word of the document that names something.
    struct Name: Sendable {
        var text: String
        var position: TextPosition
    }

    struct Link: Sendable {
        var position: TextPosition
        var from: Name
        var to: Name
        /// nil: whatever both ends have.
        var kinds: [(kind: MediaKind, position: TextPosition)]?
    }

    struct Invocation: Sendable {
        var position: TextPosition
        var object: Name
        var method: Name
        var each: String?
        var with: [JSONNode.Member]
    }

    /// One entry of `doors`: where WebRTC peers join.
    struct Door: Sendable {
        var name: String
        var position: TextPosition
        var at: Name
        var doc: String
    }

    /// Reads a document and checks everything that can be checked without values for its parameters.
    ///
    /// - Parameter file: how the user named it; stands in front of every error.
    package init(
        parsing bytes: [UInt8], file: String, model: ObjectModel = .tessera, limits: DocumentLimits = DocumentLimits()
    ) throws(DocumentErrors) {
        let root: JSONNode
        do throws(JSONError) {
            root = try JSONNode(parsing: bytes, limits: limits.text)
        } catch {
            throw DocumentErrors(
                diagnostics: [
                    Diagnostic(severity: .error, file: file, position: error.position, message: error.message)
                ], omitted: 0)
        }
        var reader = DocumentReader(file: file, model: model, limits: limits)
        let parts = reader.read(root)
        self.init(parts, reader: reader, warnings: reader.found.warnings)
        // Errors of the text's shape and errors of its meaning are told together.
        var builder = PlanBuilder(document: self, found: reader.found, bindings: outlineBindings)
        _ = builder.build(isOutline: true)
        try builder.found.throwIfAny()
        self.init(parts, reader: reader, warnings: builder.found.warnings)
    }

    private init(_ parts: DocumentReader.Parts, reader: DocumentReader, warnings: [Diagnostic]) {
        file = reader.found.file
        description = parts.description
        parameters = parts.parameters
        elements = parts.elements
        declaredNames = parts.declaredNames
        links = parts.links
        invocations = parts.invocations
        doors = parts.doors
        self.warnings = warnings
        model = reader.model
        limits = reader.limits
    }

    /// The plan that these settings give.
    ///
    /// Throws what only values can show: a required parameter that is missing, an argument that is out of range, lists
    /// of different lengths where one is read along another.
    package func plan(_ settings: Settings) throws(DocumentErrors) -> PipelinePlan {
        var found = DiagnosticCollector(file: file, limit: limits.diagnostics)
        var bindings: [String: Binding] = [:]
        for parameter in parameters {
            if let value = settings.values[parameter.name] ?? parameter.defaultValue {
                bindings[parameter.name] = .value(value)
            } else if parameter.isOptional {
                bindings[parameter.name] = .absent
            } else {
                let doc = parameter.doc.isEmpty ? "" : ": \(parameter.doc)"
                found.error(nil, "needs --set \(parameter.name)=…, \(parameter.type.expectation)\(doc)")
            }
        }
        try found.throwIfAny()
        var builder = PlanBuilder(document: self, found: found, bindings: bindings)
        var plan = builder.build(isOutline: false)
        try builder.found.throwIfAny()
        plan.warnings = warnings + builder.found.warnings.filter { !warnings.contains($0) }
        return plan
    }

    /// The plan as far as it is known without values: lists have three entries, and what depends on a parameter is
    /// pending. For pictures and checks, not to be run.
    package func outline() -> PipelinePlan {
        let found = DiagnosticCollector(file: file, limit: limits.diagnostics)
        var builder = PlanBuilder(document: self, found: found, bindings: outlineBindings)
        var plan = builder.build(isOutline: true)
        plan.warnings = warnings
        return plan
    }

    private var outlineBindings: [String: Binding] {
        var bindings: [String: Binding] = [:]
        for parameter in parameters {
            if let value = parameter.defaultValue {
                bindings[parameter.name] = .value(value)
            } else if case .list = parameter.type {
                let entries = (0..<max(3, min(parameter.minimumCount, limits.listEntries))).map {
                    ArgumentValue.pending("${\(parameter.name)[\($0)]}")
                }
                bindings[parameter.name] = .value(.list(entries))
            } else {
                bindings[parameter.name] = .value(.pending("${\(parameter.name)}"))
            }
        }
        return bindings
    }
}

/// What a parameter of a document stands for in one expansion.
enum Binding: Sendable {
    case value(ArgumentValue)
    /// Optional and not given: arguments that are nothing but this parameter are left out.
    case absent
}

/// What a document comes to: everything named, counted and checked, ready to be made and started in this order.
package struct PipelinePlan: Hashable, Sendable {
    package var file: String
    package var description: String
    /// The values of the parameters, defaults included, in the order of the document.
    package var parameters: [Argument]
    /// In the order of creation: hubs first, then the rest as in the document.
    package var elements: [Element]
    package var links: [Link]
    /// To be called in this order after the links are made and before anything starts.
    package var invocations: [Invocation]
    /// Where WebRTC peers join, in the order of the document.
    package var doors: [Door] = []
    package var warnings: [Diagnostic] = []
    /// Made without values for parameters; some arguments may be pending.
    package var isOutline = false

    package struct Element: Hashable, Sendable {
        /// Unique: the name in the document, with an index (`input[2]`) if there is one per list entry.
        package var name: String
        package var className: String
        /// The name in the document, shared by all elements of one entry.
        package var template: String
        /// Which entry of the list it stands for; nil without `each`.
        package var index: Int?
        /// Without `mediaPipeline` and `hub`, which are not values.
        package var arguments: Arguments
        /// The hub a `HubPort` belongs to.
        package var hub: String?
        /// Where the document describes it.
        package var position: TextPosition
    }

    package struct Link: Hashable, Sendable {
        package var from: String
        package var to: String
        /// At least one, in the order audio, video, data.
        package var kinds: [MediaKind]

        package init(from: String, to: String, kinds: [MediaKind]) {
            self.from = from
            self.to = to
            self.kinds = kinds
        }
    }

    package struct Invocation: Hashable, Sendable {
        package var object: String
        package var method: String
        package var arguments: Arguments
    }

    /// A named place where WebRTC peers join while the pipeline runs.
    package struct Door: Hashable, Sendable {
        package var name: String
        /// The element it leads to.
        package var element: String
        /// Whether that is a hub, so that any number of peers may join, each through a port of its own.
        package var isHub: Bool
        /// What a peer may bring in: the element's sinks that no link of the document feeds.
        package var takes: [MediaKind]
        /// What a peer may get.
        package var gives: [MediaKind]
        package var doc: String
    }

    /// The element of that name.
    package func element(_ name: String) -> Element? { elements.first { $0.name == name } }
}
