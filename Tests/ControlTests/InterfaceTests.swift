import Control
import Core
import Testing

/// Ours against what Kurento's three modules declare.
@Suite struct InterfaceTests {
    private let model = ObjectModel.tessera

    @Test func everythingOfKurentoIsHereAndNothingElse() {
        let theirs = KurentoInterface.lines
        let ours =
            model.classes.flatMap(lines) + model.enumerations.compactMap(line)
            + model.structures.compactMap(line) + model.events.compactMap(line)
        #expect(theirs.count > 200)
        for line in Set(theirs).subtracting(ours).sorted() { Issue.record("missing: \(line)") }
        for line in Set(ours).subtracting(theirs).sorted() { Issue.record("not Kurento's: \(line)") }
    }

    private func text(_ name: String, _ type: ValueType, _ isOptional: Bool, _ value: ArgumentValue?) -> String {
        "\(name):\(type.name)\(isOptional ? "?" : "")\(value.map { "=\($0)" } ?? "")"
    }

    private func joined(_ parts: [String]) -> String { parts.joined(separator: " ") }

    private func list(_ parameters: [ParameterDescription]) -> [String] {
        parameters.filter { $0.module != .tessera }.map { text($0.name, $0.type, $0.isOptional, $0.defaultValue) }
    }

    private func lines(_ type: ClassDescription) -> [String] {
        let (name, end) = (type.name, type.isAbstract ? " abstract" : "")
        var out = ["class \(name) \(type.module.rawValue) \(type.parent ?? "-")\(end)"]
        if !type.isAbstract { out.append(joined([name, "new"] + list(type.constructor))) }
        for property in type.properties where !property.isOwn {
            let access =
                switch property.access {
                case .final: "final"
                case .readOnly: "ro"
                case .readWrite: "rw"
                }
            out.append("\(name) \(access) \(property.name):\(property.type.name)")
        }
        for method in type.methods where !method.isOwn {
            out.append(joined([name, "call", method.name, method.returns?.name ?? "-"] + list(method.parameters)))
        }
        for event in type.events where model.event(event)?.module != .tessera { out.append("\(name) event \(event)") }
        return out
    }

    private func line(_ type: EnumDescription) -> String? {
        guard type.module != .tessera else { return nil }
        return joined(["enum", type.name, type.module.rawValue] + (type.values + type.unsupported).sorted())
    }

    private func line(_ type: StructureDescription) -> String? {
        guard type.module != .tessera else { return nil }
        let members = type.ownMembers.map { text($0.name, $0.type, $0.isOptional, $0.defaultValue) }
        return joined(["type", type.name, type.module.rawValue, type.ancestors.first ?? "-"] + members)
    }

    private func line(_ event: EventDescription) -> String? {
        guard event.module != .tessera else { return nil }
        let base = ["Error", "ObjectCreated", "ObjectDestroyed"].contains(event.name) ? "RaiseBase" : "Media"
        return joined(["event", event.name, event.module.rawValue, base] + list(event.members))
    }

    @Test func interfaceFiles() throws {
        #expect(model.interface(of: "kurento") == nil)
        let core = try #require(model.interface(of: "core"))
        #expect(core["name"] == "core")
        guard case .array(let classes)? = core["remoteClasses"], case .array(let events)? = core["events"] else {
            Issue.record("no classes or events")
            return
        }
        #expect(classes.first?["name"] == "MediaObject" && classes.first?["abstract"] == true)
        #expect(events.contains { $0["name"] == "RaiseBase" })
        #expect(!core.compact.contains("createFromDocument"))
        let own = try #require(model.interface(of: "tessera"))
        #expect(own.compact.contains("createFromDocument") && !own.compact.contains("getUsedCpu"))
    }
}
