import CLinux
import Glibc

/// The program: reads the command line and hands over to one command.
@main
enum Tessera {
    static let version = "0.1.0"

    static func main() {
        // Few malloc arenas, so that what is freed on one thread serves the others; a quiet death of a pipe's reader.
        clinux_limit_arenas(2)
        signal(SIGPIPE, SIG_IGN)
        let arguments = Array(CommandLine.arguments.dropFirst())
        exit(run(arguments).rawValue)
    }

    private static func run(_ arguments: [String]) -> ExitCode {
        guard let name = arguments.first else {
            Terminal.error(help)
            return .usage
        }
        let rest = Array(arguments.dropFirst())
        do {
            switch name {
            case "run": return try RunCommand.main(rest)
            case "serve": return try ServeCommand.main(rest)
            case "configuration": return try ConfigurationCommand.main(rest)
            case "check": return try CheckCommand.main(rest)
            case "graph": return try GraphCommand.main(rest)
            case "inspect": return try InspectCommand.main(rest)
            case "repair": return try RepairCommand.main(rest)
            case "-h", "--help", "help":
                Terminal.out(help)
                return .success
            case "--version", "version":
                Terminal.out("tessera \(version)\n")
                return .success
            default:
                throw UsageError(
                    "there is no command “\(name)”; the commands are run, serve, configuration, check, graph, inspect, repair"
                )
            }
        } catch {
            Terminal.error("tessera: \(error)\n")
            if error is UsageError { Terminal.error("Try `tessera --help`.\n") }
            return .usage
        }
    }

    static let help = """
        tessera \(version): a media server that mixes

        usage: tessera run FILE [--set NAME=VALUE]… [options]   run a pipeline document
               tessera serve FILE [--set NAME=VALUE]… [options] run it live, for browsers that join with WebRTC
               tessera configuration [options of serve]         show the settings of serve, and where they come from
               tessera check FILE [--set NAME=VALUE]…           say what is wrong with a document
               tessera graph FILE [--dot] [--set NAME=VALUE]…   draw a document
               tessera inspect [CLASS] [--markdown]             classes, parameters, methods, events, codecs
               tessera repair FILE…                             mend recordings that were cut off
               tessera --help | --version

        `tessera run FILE --help` explains a document and its parameters. Each command has its own --help.

        Exit codes: 0 all well · 1 failed, nothing whole was made · 2 wrong usage or document
                    3 made, but with trouble that was reported · 130 ended by Ctrl-C, recordings closed

        """
}

/// What scripts can tell apart.
enum ExitCode: Int32 {
    case success = 0
    case failure = 1
    case usage = 2
    case trouble = 3
    case interrupted = 130
}

/// The command line is wrong; the text says how, and what is allowed.
struct UsageError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
