import Foundation

/// The files of the project as text, as the rules look at them.
enum Repository {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// A file: its path from the root, and its lines.
    struct File: Sendable, CustomStringConvertible {
        let path: String
        let lines: [String]
        /// The lines without comments and strings.
        let code: [String]

        init(path: String, text: String) {
            self.path = path
            lines = text.components(separatedBy: "\n")
            code = path.hasSuffix(".swift") ? lines.map(\.code) : []
        }

        /// `Core` for `Sources/Core/Lock.swift`; the first folder for everything else.
        var room: String {
            let parts = path.split(separator: "/").map(String.init)
            return parts.count > 2 && parts[0] == "Sources" ? parts[1] : parts[0]
        }
        var description: String { path }
    }

    /// Files under the folders named (from the root) with one of the endings, in the order of their paths.
    static func files(_ folders: [String], endings: [String]) -> [File] {
        folders.flatMap { folder -> [File] in
            let start = root.appending(path: folder)
            let found = FileManager.default.enumerator(
                at: start, includingPropertiesForKeys: [.isRegularFileKey], options: [.skipsHiddenFiles])
            return (found?.compactMap { $0 as? URL } ?? []).compactMap { read($0, endings: endings) }
        }
        .sorted { $0.path < $1.path }
    }

    /// Files directly in the root, hidden ones too.
    static func topLevelFiles(endings: [String]) -> [File] {
        let found = try? FileManager.default.contentsOfDirectory(
            at: root, includingPropertiesForKeys: [.isRegularFileKey])
        return (found ?? []).compactMap { read($0, endings: endings) }.sorted { $0.path < $1.path }
    }

    private static func read(_ url: URL, endings: [String]) -> File? {
        guard endings.contains(where: { url.lastPathComponent.hasSuffix($0) }),
            (try? url.resourceValues(forKeys: [.isRegularFileKey]))?.isRegularFile == true,
            let text = try? String(contentsOf: url, encoding: .utf8)
        else { return nil }
        let path = url.standardizedFileURL.path.dropFirst(root.standardizedFileURL.path.count + 1)
        return File(path: String(path), text: text)
    }

    /// Names of the targets that have a folder of their own in `Sources`.
    static var rooms: [String] {
        let found = try? FileManager.default.contentsOfDirectory(atPath: root.appending(path: "Sources").path)
        return (found ?? []).filter { $0 != "C" && !$0.hasPrefix(".") }.sorted()
    }

    static let swiftSources = files(["Sources"], endings: [".swift"])
    static let markdown =
        topLevelFiles(endings: [".md"])
        + files(["Sources", "Tests", "docs", "pipelines", "Benchmarks"], endings: [".md"])
}

extension String {
    /// A line of Swift without its comment and without what stands in its string literals.
    var code: String {
        var out: [UInt8] = []
        var isInString = false
        var previous: UInt8 = 0
        for byte in utf8 {
            if isInString {
                if byte == UInt8(ascii: "\""), previous != UInt8(ascii: "\\") { isInString = false }
                // Two backslashes are one that does not escape.
                previous = previous == UInt8(ascii: "\\") && byte == previous ? 0 : byte
                if isInString { continue }
            } else if byte == UInt8(ascii: "\"") {
                isInString = true
                previous = 0
            } else if byte == UInt8(ascii: "/"), out.last == byte {
                out.removeLast()
                break
            }
            out.append(byte)
        }
        return String(decoding: out, as: UTF8.self)
    }
}
