import Control
import Core
import Glibc

/// The bytes of a file of the project; empty if it cannot be read, which every test notices.
func projectFile(_ path: String) -> [UInt8] {
    var root = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    root.removeLast(3)
    guard let file = fopen((root + [Substring(path)]).joined(separator: "/"), "rb") else { return [] }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = fread(&buffer, 1, buffer.count, file)
        if count <= 0 { return bytes }
        bytes += buffer[..<count]
    }
}

let pipelineNames = ["grid", "transcode", "mix-audio", "picture-in-picture", "split-tracks"]

func pipeline(_ name: String) throws -> PipelineDocument {
    try PipelineDocument(parsing: projectFile("pipelines/\(name).json"), file: "pipelines/\(name).json")
}

/// A document from text, as file `x.json`.
func document(_ text: String) throws -> PipelineDocument {
    try PipelineDocument(parsing: [UInt8](text.utf8), file: "x.json")
}

/// Everything wrong with a document, one line each; nothing if it is right.
func errors(_ text: String) -> [String] {
    do {
        _ = try document(text)
        return []
    } catch let error as DocumentErrors {
        return error.description.split(separator: "\n").map(String.init)
    } catch {
        return ["\(error)"]
    }
}

/// A document around elements and links, each on a line of its own: elements from line 2, links after them.
func graph(parameters: String = "", elements: [String], links: [String] = [], invoke: [String] = []) -> String {
    """
    {"parameters": {\(parameters)}, "elements": {
    \(elements.joined(separator: ",\n"))
    }, "links": [
    \(links.joined(separator: ",\n"))
    ], "invoke": [
    \(invoke.joined(separator: ",\n"))
    ]}
    """
}
