import Codecs
import Control
import Core
import Files
import Glibc

/// Reads a document that the user named; its errors are printed and end the command.
enum Documents {
    static func load(_ path: String) throws -> PipelineDocument {
        try PipelineDocument(parsing: readFile(path, bytesMax: 16 << 20), file: path)
    }

    /// Prints a document's errors, one line each.
    static func report(_ errors: DocumentErrors) -> ExitCode {
        Terminal.error("\(errors)\n")
        return .usage
    }

    static func warn(_ warnings: [Diagnostic]) {
        for warning in warnings { Terminal.error("\(warning)\n") }
    }
}

enum CheckCommand {
    static func main(_ arguments: [String]) throws -> ExitCode {
        let line = try CommandLineReader(arguments, flags: ["--help", "-h"], options: ["--set"])
        if line.has("--help") || line.has("-h") {
            Terminal.out(
                """
                usage: tessera check FILE… [--set NAME=VALUE]…

                Says what is wrong with pipeline documents, with line, column and what was expected.
                With --set the values are checked too. Exit code 0: nothing wrong; 2: errors.

                """)
            return .success
        }
        guard !line.operands.isEmpty else { throw UsageError("check needs the name of a pipeline document") }
        var code = ExitCode.success
        for path in line.operands {
            do {
                let document = try Documents.load(path)
                var warnings = document.warnings
                if !line.all("--set").isEmpty {
                    warnings = try document.plan(try document.settings(line.all("--set"))).warnings
                }
                Documents.warn(warnings)
                Terminal.out("\(path): good\n")
            } catch let errors as DocumentErrors {
                code = Documents.report(errors)
            }
        }
        return code
    }
}

enum GraphCommand {
    static func main(_ arguments: [String]) throws -> ExitCode {
        let line = try CommandLineReader(arguments, flags: ["--help", "-h", "--dot"], options: ["--set"])
        if line.has("--help") || line.has("-h") {
            Terminal.out(
                """
                usage: tessera graph FILE [--dot] [--set NAME=VALUE]…

                Draws a pipeline document as text, or with --dot for Graphviz:
                    tessera graph pipelines/grid.json --dot | dot -Tsvg > grid.svg
                Without --set, lists are drawn with three entries.

                """)
            return .success
        }
        guard line.operands.count == 1 else { throw UsageError("graph needs the name of one pipeline document") }
        do {
            let document = try Documents.load(line.operands[0])
            let settings = line.all("--set")
            let plan = try settings.isEmpty ? document.outline() : document.plan(try document.settings(settings))
            Terminal.out(line.has("--dot") ? plan.graphviz : plan.picture(width: Terminal.width))
            return .success
        } catch let errors as DocumentErrors {
            return Documents.report(errors)
        }
    }
}

enum InspectCommand {
    static func main(_ arguments: [String]) throws -> ExitCode {
        let line = try CommandLineReader(arguments, flags: ["--help", "-h", "--markdown"])
        if line.has("--help") || line.has("-h") {
            Terminal.out(
                """
                usage: tessera inspect [CLASS] [--markdown]

                Lists the classes that documents can use and the codecs that were found; with CLASS its parameters,
                properties, methods and events. --markdown prints the whole reference.

                """)
            return .success
        }
        let model = ObjectModel.tessera
        if line.has("--markdown") {
            Terminal.out(model.markdown)
            return .success
        }
        guard let name = line.operands.first else {
            Terminal.out(model.inspection(width: Terminal.width) + "\n" + codecs)
            return .success
        }
        guard let text = model.inspection(of: name, width: Terminal.width) else {
            throw UsageError("there is no class “\(name)”; `tessera inspect` lists them")
        }
        Terminal.out(text)
        return .success
    }

    private static var codecs: String {
        var text = "Codecs\n"
        for entry in CodecCatalogue.entries {
            let codec = entry.codec + String(repeating: " ", count: max(1, 8 - entry.codec.count))
            text += "  \(codec)\(entry.kind.rawValue)  \(entry.role.rawValue)  \(entry.library) \(entry.version)\n"
        }
        return text
    }
}

enum RepairCommand {
    static func main(_ arguments: [String]) throws -> ExitCode {
        let line = try CommandLineReader(arguments, flags: ["--help", "-h"])
        if line.has("--help") || line.has("-h") {
            Terminal.out(
                """
                usage: tessera repair FILE…

                Mends recordings (MP4, Matroska, WebM) that were cut off: gives them their duration and a seek index.
                A file that is whole is left as it is. Exit code 0: all whole now; 1: a file could not be mended.

                """)
            return .success
        }
        guard !line.operands.isEmpty else { throw UsageError("repair needs the name of a recording") }
        var code = ExitCode.success
        for path in line.operands {
            do {
                Terminal.out("\(try repair(path: path))\n")
            } catch {
                Terminal.error("tessera: \(error)\n")
                code = .failure
            }
        }
        return code
    }
}
