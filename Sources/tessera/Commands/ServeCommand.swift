import Codecs
import Control
import Core
import Elements
import Glibc
import Media
import Reactor

/// `tessera serve`: answers clients of the control API; with a pipeline document, runs it in real time as well and lets
/// WebRTC peers in at its doors.
enum ServeCommand {
    private static let usage = """
        usage: tessera serve [FILE] [--set NAME=VALUE]… [options]

        Answers clients of the control API (the Kurento Protocol: JSON-RPC over WebSocket) at
        ws://localhost:8888/kurento. Runs until Ctrl-C or SIGTERM, then closes recordings.

        With FILE, runs that pipeline document too, which has doors: browsers and other WebRTC peers publish there with
        WHIP and watch with WHEP, and a page for people stands at http://localhost:8888/.

        Every option can also stand in a file of settings, as "media-port": 40000 (JSON, comments allowed), or in the
        environment, as TESSERA_MEDIA_PORT. `tessera configuration` shows what is set, and where.

          --config FILE         file of settings (or TESSERA_CONFIG)
          --set NAME=VALUE      gives a parameter of the document its value; lists are comma-separated (\\, is a comma)
          --json                addresses and events as JSON lines on standard output


        """

    static func main(_ arguments: [String]) throws -> ExitCode {
        let line = try ServeLine(arguments)
        if line.wantsHelp, line.operands.isEmpty {
            Terminal.out(usage + ServeSettings.table.help(width: Terminal.width))
            return .success
        }
        guard line.operands.count <= 1 else {
            throw UsageError("serve takes one pipeline document, not \(line.operands.count); values go behind --set")
        }
        guard let file = line.operands.first else {
            guard line.documentSettings.isEmpty else {
                throw UsageError("--set gives a value to a parameter of a pipeline document; there is none here")
            }
            try run(nil, line)
        }
        do {
            let document = try Documents.load(file)
            if line.wantsHelp {
                Terminal.out(document.help(width: Terminal.width).replacing("tessera run", with: "tessera serve"))
                return .success
            }
            let plan = try document.plan(try document.settings(line.documentSettings))
            guard !plan.doors.isEmpty else {
                throw UsageError(
                    "“\(file)” has no doors, so nobody could join; run it with `tessera run`, "
                        + "or add \"doors\": { \"NAME\": { \"at\": \"ELEMENT\" } }")
            }
            try RunCommand.checkFiles(plan)
            Documents.warn(plan.warnings)
            try run(plan, line)
        } catch let errors as DocumentErrors {
            return Documents.report(errors)
        }
    }

    private static func run(_ plan: PipelinePlan?, _ line: ServeLine) throws -> Never {
        let options = try ServeOptions(try line.configuration())
        blockEndings()
        DescriptorLimit.raise()
        try LiveServer(plan, options, isJSON: line.isJSON).run()
    }

    /// Before any thread starts: they inherit it, and only the main thread takes the signals.
    private static func blockEndings() {
        var endings = LiveServer.endings
        pthread_sigmask(SIG_BLOCK, &endings, nil)
    }
}

/// `tessera configuration`: which settings `tessera serve` would have here, and where they come from.
enum ConfigurationCommand {
    private static let help = """
        usage: tessera configuration [--config FILE] [options of tessera serve]
               tessera configuration --markdown

        Shows the settings that `tessera serve` would have, and where each comes from: the command line counts most,
        then the environment (TESSERA_MEDIA_PORT=40000), then the file ("media-port": 40000). What is not listed has
        its default. Wrong ones are named, with what is allowed. --markdown prints the whole reference.

        """

    static func main(_ arguments: [String]) throws -> ExitCode {
        let line = try ServeLine(arguments, flags: ["--markdown"])
        if line.wantsHelp {
            Terminal.out(help)
        } else if line.has("--markdown") {
            Terminal.out(ServeSettings.reference)
        } else {
            let configuration = try line.configuration()
            _ = try ServeOptions(configuration)
            let text = configuration.listing(hidden: ServeSettings.secrets)
            let nothing = "Everything has its default; `tessera serve --help` lists the settings.\n"
            Terminal.out(text.isEmpty ? nothing : text)
        }
        return .success
    }
}

/// The command line of `tessera serve`, with the settings that stand elsewhere.
private struct ServeLine {
    private let line: CommandLineReader
    var operands: [String] { line.operands }
    var wantsHelp: Bool { line.has("--help") || line.has("-h") }
    var isJSON: Bool { line.has("--json") }
    var documentSettings: [String] { line.all("--set") }
    func has(_ flag: String) -> Bool { line.has(flag) }

    init(_ arguments: [String], flags: Set<String> = []) throws {
        let settings = ServeSettings.table.settings
        line = try CommandLineReader(
            arguments, flags: flags.union(["--json", "--help", "-h"]),
            options: Set(settings.filter { $0.kind != .flag }.map(\.flag)).union(["--set", "--config"]),
            switches: Set(settings.filter { $0.kind == .flag }.map(\.flag)))
    }

    /// File, environment, command line. Prints what was not understood.
    func configuration() throws -> Configuration {
        var configuration = Configuration(ServeSettings.table)
        let environment = ServeSettings.environment
        if let path = line.last("--config") ?? environment["TESSERA_CONFIG"] {
            try configuration.read(file: try readFile(path, bytesMax: 1 << 20), path: path)
        }
        try configuration.read(environment: environment)
        for setting in ServeSettings.table.settings {
            try configuration.read(option: setting.name, line.all(setting.flag))
        }
        for warning in configuration.warnings { Terminal.error("tessera: \(warning)\n") }
        return configuration
    }
}
