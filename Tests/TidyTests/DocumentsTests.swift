import Foundation
import Testing

/// Rules for what people read first: READMEs, documents, links.
struct DocumentsTests {
    static let headings = ["What lives here", "What may not", "Start reading at", "How to test it"]

    @Test("Each room has a README with the four headings", arguments: Repository.rooms)
    func readme(_ room: String) throws {
        let path = "Sources/\(room)/README.md"
        let file = try #require(
            Repository.markdown.first { $0.path == path },
            "\(path) is missing: write it with the headings \(Self.headings.joined(separator: ", "))")
        let found = file.lines.filter { $0.hasPrefix("## ") }.map { String($0.dropFirst(3)) }
        #expect(found == Self.headings, "\(path): write exactly these four, in this order")
        guard found == Self.headings else { return }
        for heading in Self.headings {
            let body = file.lines.drop { $0 != "## \(heading)" }.dropFirst().prefix { !$0.hasPrefix("## ") }
            #expect(body.contains { $0.contains(where: \.isLetter) }, "\(path): say something under \(heading)")
        }
    }

    /// `x.json` of each file in `pipelines`.
    static let pipelines = Repository.files(["pipelines"], endings: [".json"]).map { String($0.path.dropFirst(10)) }

    @Test func thereArePipelines() { #expect(Self.pipelines.count >= 5) }

    @Test("Each pipeline document is indexed, and run by a test", arguments: pipelines)
    func pipeline(_ name: String) {
        let index = Repository.markdown.first { $0.path == "pipelines/README.md" }?.lines ?? []
        #expect(
            index.contains { $0.contains("(\(name))") },
            "pipelines/README.md: add a line with a link to \(name) and what it is good for")
        let tests = Repository.files(["Tests"], endings: [".py", ".swift"])
        #expect(
            tests.contains { $0.path.hasPrefix("Tests/") && $0.lines.contains { $0.contains(name) } },
            "\(name) is run by no test: add one to Tests/Acceptance/test_pipelines.py")
    }

    @Test("Links between documents lead somewhere", arguments: Repository.markdown)
    func links(_ file: Repository.File) {
        let folder = Repository.root.appending(path: file.path).deletingLastPathComponent()
        var isCode = false
        for (number, line) in file.lines.enumerated() {
            if line.hasPrefix("```") { isCode.toggle() }
            guard !isCode else { continue }
            for match in line.replacing(#/`[^`]*`/#, with: "").matches(of: #/\]\(([^)\s]+)\)/#) {
                let target = String(match.output.1.prefix { $0 != "#" })
                if target.isEmpty || target.contains("://") || target.hasPrefix("mailto:") { continue }
                let there = folder.appending(path: target.removingPercentEncoding ?? target)
                if !FileManager.default.fileExists(atPath: there.path) {
                    Issue.record("\(file.path):\(number + 1): \(target) is not there; mend the link")
                }
            }
        }
    }

    @Test(
        "The documents every newcomer looks for exist",
        arguments: [
            "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "docs/performance.md",
            "pipelines/README.md",
        ])
    func exists(_ path: String) {
        #expect(FileManager.default.fileExists(atPath: Repository.root.appending(path: path).path), "write \(path)")
    }

    @Test func scriptsStopAtTheFirstError() {
        let scripts = Repository.files(["script"], endings: [""]) + hidden(".ci/run")
        #expect(scripts.contains { $0.path == ".ci/run" })
        for file in scripts where file.lines[0].hasPrefix("#!") && file.lines[0].contains("bash") {
            #expect(file.lines.contains("set -euo pipefail"), "\(file.path): begin with `set -euo pipefail`")
            let path = Repository.root.appending(path: file.path).path
            #expect(FileManager.default.isExecutableFile(atPath: path), "\(file.path): chmod +x")
        }
    }

    private func hidden(_ path: String) -> [Repository.File] {
        let text = try? String(contentsOf: Repository.root.appending(path: path), encoding: .utf8)
        return text.map { [Repository.File(path: path, text: $0)] } ?? []
    }

    @Test func filesStayReadable() {
        for file in Repository.swiftSources + Repository.files(["Tests", "Benchmarks"], endings: [".swift", ".py"])
        where file.lines.count > 500 {
            Issue.record("\(file.path) has \(file.lines.count) lines; split it by topic (Type+Topic.swift)")
        }
    }
}
