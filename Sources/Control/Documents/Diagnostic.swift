/// One thing wrong with a document, in one sentence: `pipelines/grid.json:12:7: unknown class 'Compositee' …`.
package struct Diagnostic: Hashable, Sendable, CustomStringConvertible {
    package enum Severity: String, Hashable, Sendable { case error, warning }

    package var severity: Severity
    /// The document, as the user named it.
    package var file: String
    /// nil where the trouble is not in the text, but in a value given from outside.
    package var position: TextPosition?
    package var message: String

    package var description: String {
        let place = position.map { "\(printable(file)):\($0.line):\($0.column): " } ?? "\(printable(file)): "
        return place + (severity == .warning ? "warning: " : "") + message
    }

    /// As a member of a line of `--json` output.
    package var json: JSON {
        var members: [JSON.Member] = [
            .init("severity", .string(severity.rawValue)), .init("file", .string(file)),
        ]
        if let position {
            members += [.init("line", .int(position.line)), .init("column", .int(position.column))]
        }
        return .object(members + [.init("message", .string(message))])
    }
}

/// All that is wrong with a document; there is at least one error.
package struct DocumentErrors: Error, Hashable, CustomStringConvertible {
    /// In the order of the text, at most as many as the limit says.
    package var diagnostics: [Diagnostic]
    /// How many more there were.
    package var omitted: Int

    /// One line each, no line end behind the last.
    package var description: String {
        let lines = diagnostics.map(\.description)
        return (omitted > 0 ? lines + ["and \(counted(omitted, "more error"))"] : lines).joined(separator: "\n")
    }
}

/// What a document may be. A document comes from outside, and expansion multiplies: everything has a bound.
package struct DocumentLimits: Sendable {
    package var text = JSONLimits.document
    package var parameters = 1000
    /// Entries of one list parameter.
    package var listEntries = 10_000
    /// After expansion.
    package var elements = 10_000
    /// After expansion; one link may carry several kinds of media.
    package var links = 50_000
    /// After expansion.
    package var invocations = 10_000
    package var doors = 100
    /// Errors reported at once.
    package var diagnostics = 20

    package init() {}
}

/// Gathers what is wrong while a document is read.
struct DiagnosticCollector {
    let file: String
    let limit: Int
    private(set) var errors: [Diagnostic] = []
    private(set) var warnings: [Diagnostic] = []
    private var seen: Set<Diagnostic> = []

    init(file: String, limit: Int) {
        self.file = file
        self.limit = limit
    }

    mutating func error(_ position: TextPosition?, _ message: String) { add(.error, position, message) }
    mutating func warning(_ position: TextPosition?, _ message: String) { add(.warning, position, message) }

    private mutating func add(_ severity: Diagnostic.Severity, _ position: TextPosition?, _ message: String) {
        let diagnostic = Diagnostic(severity: severity, file: file, position: position, message: message)
        guard seen.insert(diagnostic).inserted else { return }
        if severity == .error { errors.append(diagnostic) } else { warnings.append(diagnostic) }
    }

    /// Throws what was found, if anything was.
    func throwIfAny() throws(DocumentErrors) {
        guard !errors.isEmpty else { return }
        let sorted = errors.enumerated().sorted {
            ($0.element.position ?? .start, $0.offset) < ($1.element.position ?? .start, $1.offset)
        }.map(\.element)
        throw DocumentErrors(
            diagnostics: Array(sorted.prefix(limit)), omitted: max(0, sorted.count - limit))
    }
}
