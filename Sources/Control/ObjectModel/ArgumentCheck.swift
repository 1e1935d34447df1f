/// What is wrong with a value, and where it stood.
package struct ArgumentProblem: Error, Hashable, Sendable {
    package var position: TextPosition
    /// Names the parameter, the value, and what is allowed; without a capital and a full stop.
    package var message: String
}

/// Checks given values against descriptions. Collects every problem instead of stopping at the first.
package struct ArgumentChecker {
    package private(set) var problems: [ArgumentProblem] = []
    /// Turns a reference into the name or id of an object; throws what is wrong with it.
    private let resolve: (_ text: String, _ className: String) throws(ReferenceProblem) -> String

    /// Why a reference does not name an object of the class wanted; a clause such as `there is no element 'x'`.
    package struct ReferenceProblem: Error {
        package var message: String
        package init(_ message: String) { self.message = message }
    }

    package init(
        resolve: @escaping (_ text: String, _ className: String) throws(ReferenceProblem) -> String = {
            _, _ throws(ReferenceProblem) in throw ReferenceProblem("objects cannot be named here")
        }
    ) {
        self.resolve = resolve
    }

    private mutating func report(_ position: TextPosition, _ message: String) {
        problems.append(ArgumentProblem(position: position, message: message))
    }

    /// Checks a whole list of named values.
    ///
    /// - Parameters:
    ///   - owner: what has the parameters, as the reader knows it: `Composite`, `Dispatcher.connect`.
    ///   - position: where to report what is missing.
    /// - Returns: the arguments that were right, in the order of the parameters.
    package mutating func check(
        _ members: [GivenMember], for parameters: [ParameterDescription], owner: String, at position: TextPosition
    ) -> Arguments {
        let names = parameters.map(\.name)
        for member in members where !names.contains(member.name) {
            let known = names.isEmpty ? "it has none" : "it has \(listed(names, "and"))"
            let hint = suggestion(for: member.name, among: names)
            report(member.namePosition, "\(owner) has no parameter \(quoted(member.name))\(hint); \(known)")
        }
        var arguments = Arguments()
        for parameter in parameters {
            if let member = members.first(where: { $0.name == parameter.name }) {
                if let value = check(member.value, as: parameter.type, name: parameter.name) {
                    arguments.given.append(Argument(parameter.name, value))
                }
            } else if let value = parameter.defaultValue {
                arguments.defaults.append(Argument(parameter.name, value))
            } else if !parameter.isOptional {
                report(position, "\(owner) needs \(parameter.name), \(parameter.type.expectation)")
            }
        }
        return arguments
    }

    /// Checks one value; nil, and at least one more problem, if it is not what the type wants.
    package mutating func check(_ given: GivenValue, as type: ValueType, name: String) -> ArgumentValue? {
        if case .pending(let text, let have) = given.content {
            if have.mayBecome(type) { return .pending(text) }
            return mismatch(given, type, name)
        }
        switch type {
        case .string(let rule): return checkString(given, rule, type, name)
        case .int(let range):
            guard case .int(let value) = given.content, range.contains(value) else {
                return mismatch(given, type, name)
            }
            return .int(value)
        case .float(let range):
            let value: Double
            switch given.content {
            case .int(let whole): value = Double(whole)
            case .double(let fraction): value = fraction
            default: return mismatch(given, type, name)
            }
            return range.contains(value) ? .float(value) : mismatch(given, type, name)
        case .double: return check(given, as: .number, name: name)
        case .boolean:
            guard case .bool(let value) = given.content else { return mismatch(given, type, name) }
            return .boolean(value)
        case .enumeration(let description): return checkWord(given, description, name)
        case .structure(let description): return checkStructure(given, description, name)
        case .object(let className):
            guard case .string(let text) = given.content else { return mismatch(given, type, name) }
            do throws(ReferenceProblem) {
                return .object(try resolve(text, className))
            } catch {
                report(given.position, "\(name) must be \(type.expectation): \(error.message)")
                return nil
            }
        case .list(let inner):
            guard case .list(let entries) = given.content else { return mismatch(given, type, name) }
            let before = problems.count
            let values = entries.enumerated().compactMap { check($1, as: inner, name: "\(name)[\($0)]") }
            return problems.count == before ? .list(values) : nil
        case .map(let inner):
            guard case .object(let members) = given.content else { return mismatch(given, type, name) }
            let before = problems.count
            let values = members.compactMap { member in
                check(member.value, as: inner, name: "\(name).\(member.name)").map { Argument(member.name, $0) }
            }
            return problems.count == before ? .structure(values) : nil
        case .any: return unchecked(given)
        }
    }

    private mutating func mismatch(_ given: GivenValue, _ type: ValueType, _ name: String) -> ArgumentValue? {
        let found = if case .null = given.content { "null (leave it out instead)" } else { given.kindName }
        report(given.position, "\(name) must be \(type.expectation), found \(found)")
        return nil
    }

    private mutating func checkString(
        _ given: GivenValue, _ rule: ValueType.StringRule, _ type: ValueType, _ name: String
    ) -> ArgumentValue? {
        guard case .string(let text) = given.content else { return mismatch(given, type, name) }
        let scalars = text.unicodeScalars
        let fits =
            switch rule {
            case .any: true
            case .uri: !text.isEmpty && !scalars.contains { $0.value < 0x20 || (0x7F..<0xA0).contains($0.value) }
            case .colour:
                scalars.count == 7 && scalars.first == "#"
                    && scalars.dropFirst().allSatisfy { $0.isASCII && $0.properties.isASCIIHexDigit }
            }
        return fits ? .string(text) : mismatch(given, type, name)
    }

    private mutating func checkWord(
        _ given: GivenValue, _ description: EnumDescription, _ name: String
    ) -> ArgumentValue? {
        let type = ValueType.enumeration(description)
        guard case .string(let text) = given.content else { return mismatch(given, type, name) }
        if description.values.contains(text) { return .string(text) }
        if description.ignoresCase {
            let lowered = text.lowercased()
            if let word = description.values.first(where: { $0.lowercased() == lowered }) { return .string(word) }
        }
        if description.unsupported.contains(text) {
            report(
                given.position, "\(name) \(quoted(text)) is not supported yet; allowed: \(listed(description.values))")
        } else {
            let hint = suggestion(for: text, among: description.values)
            report(given.position, "\(name) must be \(type.expectation), found \(quoted(text))\(hint)")
        }
        return nil
    }

    private mutating func checkStructure(
        _ given: GivenValue, _ description: StructureDescription, _ name: String
    ) -> ArgumentValue? {
        guard case .object(let members) = given.content else {
            return mismatch(given, .structure(description), name)
        }
        let before = problems.count
        let known = description.members.map(\.name)
        // The wire adds the two names of the type to every structure.
        for member in members where !known.contains(member.name) && !["__type__", "__module__"].contains(member.name) {
            let hint = suggestion(for: member.name, among: known)
            report(
                member.namePosition,
                "\(name) has no member \(quoted(member.name))\(hint); it has \(listed(known, "and"))")
        }
        var values: [Argument] = []
        for wanted in description.members {
            if let member = members.first(where: { $0.name == wanted.name }) {
                if let value = check(member.value, as: wanted.type, name: "\(name).\(wanted.name)") {
                    values.append(Argument(wanted.name, value))
                }
            } else if !wanted.isOptional {
                report(given.position, "\(name) needs \(wanted.name), \(wanted.type.expectation)")
            }
        }
        if problems.count == before, description.rule == .insideUnitSquare {
            checkArea(Arguments(given: values), given.position, name)
        }
        return problems.count == before ? .structure(values) : nil
    }

    private mutating func checkArea(_ area: Arguments, _ position: TextPosition, _ name: String) {
        for (start, length) in [("x", "width"), ("y", "height")] {
            guard let from = area.float(start), let size = area.float(length) else { continue }
            if size == 0 { report(position, "\(name).\(length) must be more than 0") }
            // Thirds and the like do not add up exactly.
            if from + size > 1 + 1e-6 {
                report(
                    position,
                    "\(name).\(start) + \(name).\(length) must be at most 1, found \(plain(from)) + \(plain(size))")
            }
        }
    }

    private func unchecked(_ given: GivenValue) -> ArgumentValue? {
        switch given.content {
        case .null: nil
        case .bool(let value): .boolean(value)
        case .int(let value): .int(value)
        case .double(let value): .float(value)
        case .string(let value): .string(value)
        case .list(let entries): .list(entries.compactMap(unchecked))
        case .object(let members):
            .structure(members.compactMap { member in unchecked(member.value).map { Argument(member.name, $0) } })
        case .pending(let text, _): .pending(text)
        }
    }
}

extension ValueType {
    /// Whether some value of this type could pass a check for the other.
    func mayBecome(_ wanted: ValueType) -> Bool {
        switch (self, wanted) {
        case (.any, _), (_, .any), (.boolean, .boolean), (.string, .string), (.string, .enumeration),
            (.string, .object):
            return true
        case (.int(let have), .int(let want)): return have.overlaps(want)
        case (.int(let have), .float(let want)):
            return Double(have.upperBound) >= want.lowerBound && Double(have.lowerBound) <= want.upperBound
        case (.float(let have), .float(let want)): return have.overlaps(want)
        case (.enumeration, .string): return true
        case (.enumeration(let have), .enumeration(let want)):
            return have.values.contains { word in
                want.values.contains { $0 == word || (want.ignoresCase && $0.lowercased() == word.lowercased()) }
            }
        case (.list(let have), .list(let want)): return have.mayBecome(want)
        default: return false
        }
    }
}
