import Control
import Core
import Testing

/// Whatever is done to a document, it is accepted or refused with sentences; nothing traps.
@Suite struct DocumentFuzzTests {
    private static let settings = [
        "inputs=a.webm,b.mp4", "output=o.webm", "input=i.mkv", "main=m.webm", "inset=n.webm", "tracks=x.webm,y.webm",
    ]

    /// Bytes changed anywhere: mostly broken JSON, and documents that are a little wrong.
    @Test(arguments: pipelineNames) func mutated(name: String) throws {
        let original = projectFile("pipelines/\(name).json")
        #expect(!original.isEmpty)
        var random = SeededRandom(seed: name.utf8.reduce(0) { $0 &* 31 &+ UInt64($1) })
        var (accepted, refused) = (0, 0)
        for round in 0..<4000 {
            var bytes = original
            mutate(&bytes, &random)
            if survives(bytes, draw: round % 8 == 0) { accepted += 1 } else { refused += 1 }
        }
        #expect(accepted > 100 && refused > 1000)
    }

    /// Well-formed JSON with parts swapped for parts from elsewhere: gets past the parser every time.
    @Test func shuffled() throws {
        let roots = try pipelineNames.map {
            try JSONNode(parsing: projectFile("pipelines/\($0).json"), limits: .document).json
        }
        let extra: [JSON] = [
            .null, true, -1, 1.5, "", "${item}", "${inputs}", "${inputs[index]}", "${x", "port[0]", "port[99999999999]",
            "port[-1]", "[", "grid", [], [:], ["audio", "video"], "inputs", ["class": "PassThrough"], .int(.max),
        ]
        var random = SeededRandom(seed: 5)
        var pool = extra
        for root in roots { DocumentFuzzTests.collect(root, &pool) }
        var accepted = 0
        for round in 0..<4000 {
            var root = roots[round % roots.count]
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                root = DocumentFuzzTests.replaced(root, pool, &random, depth: 0)
            }
            if survives([UInt8](root.compact.utf8), draw: round % 4 == 0) { accepted += 1 }
        }
        #expect(accepted > 100)
    }

    /// Texts for `--set` of every kind.
    @Test func settings() throws {
        var random = SeededRandom(seed: 9)
        let documents = try pipelineNames.map { try pipeline($0) }
        for round in 0..<4000 {
            let document = documents[round % documents.count]
            var texts = DocumentFuzzTests.settings.map { [UInt8]($0.utf8) }
            for index in texts.indices { mutate(&texts[index], &random) }
            let given = texts.map { String(decoding: $0, as: UTF8.self) }.shuffled(using: &random)
            do throws(DocumentErrors) {
                _ = try document.plan(document.settings(given)).picture()
            } catch {
                #expect(!error.description.isEmpty)
            }
        }
    }

    /// Whether the document is accepted; expands it, and draws it where asked to. Refusals must be readable.
    private func survives(_ bytes: [UInt8], draw: Bool) -> Bool {
        do throws(DocumentErrors) {
            let document = try PipelineDocument(parsing: bytes, file: "f.json")
            if draw {
                let outline = document.outline()
                if (document.help() + outline.picture() + outline.graphviz).isEmpty { Issue.record("no text") }
            }
            let known = DocumentFuzzTests.settings.filter { setting in
                document.parameters.contains { setting.hasPrefix($0.name + "=") }
            }
            do throws(DocumentErrors) {
                let plan = try document.plan(document.settings(known))
                if draw { _ = plan.picture() }
            } catch {
                if error.diagnostics.isEmpty { Issue.record("refused without a reason") }
            }
            return true
        } catch {
            // #expect costs too much for so many.
            if !(1...20).contains(error.diagnostics.count) { Issue.record("\(error.diagnostics.count) errors") }
            for diagnostic in error.diagnostics {
                let text = diagnostic.description
                let isReadable = text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
                if !text.hasPrefix("f.json:") || !isReadable { Issue.record("\(text)") }
            }
            return false
        }
    }

    private static func collect(_ value: JSON, _ pool: inout [JSON]) {
        pool.append(value)
        switch value {
        case .array(let entries): entries.forEach { collect($0, &pool) }
        case .object(let members): members.forEach { collect($0.value, &pool) }
        default: break
        }
    }

    /// One part replaced, taken out, doubled or renamed, somewhere below.
    private static func replaced(_ value: JSON, _ pool: [JSON], _ random: inout SeededRandom, depth: Int) -> JSON {
        if depth > 0, Int.random(in: 0..<4, using: &random) == 0 { return pool.randomElement(using: &random) ?? .null }
        switch value {
        case .array(var entries) where !entries.isEmpty:
            let at = Int.random(in: 0..<entries.count, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0: entries.remove(at: at)
            case 1: entries.append(entries[at])
            default: entries[at] = replaced(entries[at], pool, &random, depth: depth + 1)
            }
            return .array(entries)
        case .object(var members) where !members.isEmpty:
            let at = Int.random(in: 0..<members.count, using: &random)
            switch Int.random(in: 0..<8, using: &random) {
            case 0 where depth > 0: members.remove(at: at)
            case 1: members[at].key += "2"
            case 2 where depth > 0: members.append(JSON.Member("each", "inputs"))
            default: members[at].value = replaced(members[at].value, pool, &random, depth: depth + 1)
            }
            return .object(members)
        default: return pool.randomElement(using: &random) ?? .null
        }
    }
}
