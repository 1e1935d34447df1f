import Core

/// Expands a document: one element per list entry, links between what that gives, arguments with their values.
/// Used with real values to make a plan, and with pending ones to check a document that nobody runs yet.
struct PlanBuilder {
    let document: PipelineDocument
    var found: DiagnosticCollector
    var scope: Scope
    private(set) var elements: [PipelinePlan.Element] = []
    /// Elements by entry of the document.
    private var templates: [String: Template] = [:]
    /// Where each element is in `elements`.
    private(set) var indexByName: [String: Int] = [:]
    var links: [PipelinePlan.Link] = []
    /// Who feeds each kind of media into each element.
    var feeds: [Sink: Feed] = [:]
    private var isOutline = false

    /// One kind of media going into one element.
    struct Sink: Hashable {
        var element: String
        var kind: MediaKind
    }

    /// Where that comes from, and where the document says so.
    struct Feed {
        var element: String
        var position: TextPosition
    }

    private struct Template {
        var element: PipelineDocument.Element
        /// Indices into `elements`.
        var range: Range<Int>
    }

    init(document: PipelineDocument, found: DiagnosticCollector, bindings: [String: Binding]) {
        self.document = document
        self.found = found
        scope = Scope(
            parameters: Dictionary(document.parameters.map { ($0.name, $0) }) { first, _ in first }, bindings: bindings)
    }

    mutating func build(isOutline: Bool) -> PipelinePlan {
        self.isOutline = isOutline
        makeElements()
        attachHubs()
        for link in document.links { add(link) }
        checkArguments()
        let invocations = document.invocations.flatMap { invoke($0) }
        let doors = document.doors.compactMap { door($0) }
        checkCycles()
        warnOfLooseEnds(doors)
        let parameters: [Argument] = document.parameters.compactMap { parameter in
            guard case .value(let value)? = scope.bindings[parameter.name] else { return nil }
            return Argument(parameter.name, value)
        }
        return PipelinePlan(
            file: document.file, description: document.description, parameters: parameters,
            elements: creationOrder, links: links, invocations: invocations, doors: doors, isOutline: isOutline)
    }

    private var creationOrder: [PipelinePlan.Element] {
        elements.filter { isHub($0.className) } + elements.filter { !isHub($0.className) }
    }

    /// Whether a class is a hub.
    func isHub(_ className: String) -> Bool { document.model.isClass(className, a: "Hub") }

    /// How many elements `each` of that list makes; one without a list.
    func count(of list: String?) -> Int {
        guard let list else { return 1 }
        guard case .value(.list(let values)) = scope.bindings[list] else { return 0 }
        return values.count
    }

    // MARK: elements

    private mutating func makeElements() {
        for template in document.elements {
            if let each = template.each { scope.used.insert(each) }
            let start = elements.count
            guard start + count(of: template.each) <= document.limits.elements else {
                found.error(
                    template.position,
                    "more than \(document.limits.elements) elements with '\(template.name)'; that is the limit")
                templates[template.name] = Template(element: template, range: start..<start)
                continue
            }
            for index in 0..<count(of: template.each) {
                let name = template.each == nil ? template.name : "\(template.name)[\(index)]"
                indexByName[name] = elements.count
                elements.append(
                    PipelinePlan.Element(
                        name: name, className: template.description.name, template: template.name,
                        index: template.each == nil ? nil : index, arguments: Arguments(), hub: nil,
                        position: template.position))
            }
            templates[template.name] = Template(element: template, range: start..<elements.count)
        }
    }

    private mutating func attachHubs() {
        for template in document.elements {
            guard let reference = template.hub, let range = templates[template.name]?.range else { continue }
            guard let hubs = resolve(reference.text, at: reference.position, what: "hub") else { continue }
            guard isHub(hubs.element.description.name) else {
                found.error(
                    reference.position,
                    "hub must name a hub, and '\(reference.text)' is a \(hubs.element.description.name)")
                continue
            }
            for (offset, index) in range.enumerated() {
                if hubs.range.count == 1, hubs.element.each == nil || hubs.isIndexed {
                    elements[index].hub = elements[hubs.range.lowerBound].name
                } else if hubs.element.each == template.each, hubs.range.count == range.count {
                    elements[index].hub = elements[hubs.range.lowerBound + offset].name
                } else if !hubs.range.isEmpty {
                    found.error(
                        reference.position,
                        "hub must name one hub, and '\(reference.text)' is one per entry of "
                            + "'\(hubs.element.each ?? "")'; choose one as in '\(reference.text)[0]'")
                    break
                }
            }
        }
    }

    // MARK: names

    /// What a name in a document means.
    struct Resolved {
        var element: PipelineDocument.Element
        var range: Range<Int>
        /// Whether the text chose one of several by its index.
        var isIndexed: Bool
    }

    /// The elements that `name` or `name[2]` means; nil, and an error unless it is an outline's length, if there are
    /// none of that name.
    mutating func resolve(_ text: String, at position: TextPosition, what: String) -> Resolved? {
        if let template = templates[text] {
            return Resolved(element: template.element, range: template.range, isIndexed: false)
        }
        if text.hasSuffix("]"), let open = text.firstIndex(of: "["),
            let index = Int(text[text.index(after: open)...].dropLast()), index >= 0,
            let template = templates[String(text[..<open])]
        {
            let name = String(text[..<open])
            guard let each = template.element.each else {
                found.error(position, "\(what): there is only one '\(name)', so no \(quoted(text))")
                return nil
            }
            if template.range.count > index {
                let one = template.range.lowerBound + index
                return Resolved(element: template.element, range: one..<(one + 1), isIndexed: true)
            }
            if !isOutline || !hasSampleLength(each) {
                found.error(
                    position,
                    "\(what): there is no \(quoted(text)); '\(each)' has "
                        + "\(template.range.count == 1 ? "1 entry" : "\(template.range.count) entries")")
            }
            return nil
        }
        // An element whose own description is wrong is reported there.
        let bare = text.firstIndex(of: "[").map { String(text[..<$0]) } ?? text
        if document.declaredNames.contains(bare), templates[bare] == nil { return nil }
        let names = document.elements.map(\.name)
        found.error(position, "\(what): there is no element \(quoted(text))\(suggestion(for: text, among: names))")
        return nil
    }

    private func hasSampleLength(_ list: String) -> Bool {
        guard case .value(.list(let values)) = scope.bindings[list], case .pending? = values.first else { return false }
        return true
    }

    /// `'a' (PassThrough)`, for error messages.
    func named(_ element: PipelinePlan.Element) -> String { "'\(element.name)' (\(element.className))" }

    // MARK: arguments

    private mutating func checkArguments() {
        for template in document.elements {
            guard let range = templates[template.name]?.range else { continue }
            // References to objects stand beside `with`, and the pipeline is the document itself.
            let parameters = template.description.constructor.filter {
                if case .object = $0.type { false } else { true }
            }
            for member in template.with where ["hub", "mediaPipeline"].contains(member.key) {
                let advice = member.key == "hub" ? "stands beside 'class'" : "is the document itself; leave it out"
                found.error(member.keyPosition, "'\(template.name)': \(member.key) \(advice)")
            }
            let with = template.with.filter { !["hub", "mediaPipeline"].contains($0.key) }
            var reported: Set<TextPosition> = []
            for index in range {
                let problems = check(index, with, parameters, template)
                // What is wrong with the first of many is wrong with all of them.
                for problem in problems where !reported.contains(problem.position) {
                    found.error(problem.position, "'\(elements[index].name)': \(problem.message)")
                }
                reported.formUnion(problems.map(\.position))
            }
            if range.isEmpty { noteUse(of: with, in: template) }
        }
    }

    private mutating func check(
        _ index: Int, _ with: [JSONNode.Member], _ parameters: [ParameterDescription],
        _ template: PipelineDocument.Element
    ) -> [ArgumentProblem] {
        enter(template.each, elements[index].index)
        var problems: [ArgumentProblem] = []
        var given = members(with, &problems)
        let className = template.description.name
        if className == "RecorderEndpoint" { addProfile(to: &given, index, template, &problems) }
        var checker = ArgumentChecker()
        let arguments = checker.check(given, for: parameters, owner: className, at: template.position)
        elements[index].arguments = arguments
        problems += checker.problems
        if className == "RecorderEndpoint" {
            for conflict in RecorderProfile.conflicts(in: arguments) {
                let position = given.first { $0.name == conflict.argument }?.value.position ?? template.position
                problems.append(ArgumentProblem(position: position, message: conflict.message))
            }
        }
        return problems
    }

    /// In a document the profile of a recorder follows from its uri, unless it is given.
    private mutating func addProfile(
        to given: inout [GivenMember], _ index: Int, _ template: PipelineDocument.Element,
        _ problems: inout [ArgumentProblem]
    ) {
        guard !given.contains(where: { $0.name == "mediaProfile" }),
            let uri = given.first(where: { $0.name == "uri" })?.value, case .string(let text) = uri.content
        else {
            // Not known yet: pending rather than the default of the wire, which could contradict a codec.
            if !given.contains(where: { $0.name == "mediaProfile" }),
                let uri = given.first(where: { $0.name == "uri" })?.value, case .pending = uri.content
            {
                let profile = GivenValue(.pending("(by the ending of uri)", .text), at: uri.position)
                given.append(GivenMember(name: "mediaProfile", value: profile))
            }
            return
        }
        let name = elements[index].name
        let kinds = Set(links.filter { $0.to == name }.flatMap(\.kinds))
        if let profile = RecorderProfile.name(uri: text, kinds: kinds) {
            given.append(GivenMember(name: "mediaProfile", value: GivenValue(.string(profile), at: uri.position)))
        } else if !text.isEmpty {
            problems.append(
                ArgumentProblem(
                    position: uri.position,
                    message: "no mediaProfile follows from the uri \(quoted(text)); "
                        + "end it in \(listed(RecorderProfile.endings.map(\.ending))), or give mediaProfile"))
        }
    }

    /// Says which entry of which list `${item}` is from here on.
    mutating func enter(_ list: String?, _ index: Int?) {
        if let list, let index { scope.entry = (list, index) } else { scope.entry = nil }
    }

    /// Members with their `${…}` replaced; those that come to nothing are left out.
    mutating func members(_ nodes: [JSONNode.Member], _ problems: inout [ArgumentProblem]) -> [GivenMember] {
        var out: [GivenMember] = []
        for node in nodes {
            guard let value = value(node.value, &problems) else { continue }
            out.append(GivenMember(name: node.key, namePosition: node.keyPosition, value: value))
        }
        return out
    }

    private mutating func value(_ node: JSONNode, _ problems: inout [ArgumentProblem]) -> GivenValue? {
        switch node.content {
        case .string(let text):
            do throws(SubstitutionError) {
                return try scope.substitute(text).map { GivenValue($0, at: node.position).placed(at: node.position) }
            } catch {
                problems.append(ArgumentProblem(position: node.position, message: error.message))
                // A wrong value is not a missing one: whatever the parameter wants would have come here.
                return GivenValue(.pending(text, .any), at: node.position)
            }
        case .array(let entries):
            return GivenValue(.list(entries.compactMap { value($0, &problems) }), at: node.position)
        case .object(let nodes):
            return GivenValue(.object(members(nodes, &problems)), at: node.position)
        default: return GivenValue(node)
        }
    }

    /// An optional list without entries makes no elements, but its document still uses the parameters.
    private mutating func noteUse(of with: [JSONNode.Member], in template: PipelineDocument.Element) {
        scope.entry = template.each.map { ($0, 0) }
        var ignored: [ArgumentProblem] = []
        _ = members(with, &ignored)
    }
}

extension GivenValue {
    /// The same value, every part of it at one place: that of the `${…}` it came from.
    fileprivate func placed(at position: TextPosition) -> GivenValue {
        switch content {
        case .list(let entries): GivenValue(.list(entries.map { $0.placed(at: position) }), at: position)
        case .object(let members):
            GivenValue(
                .object(
                    members.map {
                        GivenMember(name: $0.name, namePosition: position, value: $0.value.placed(at: position))
                    }), at: position)
        default: GivenValue(content, at: position)
        }
    }
}
