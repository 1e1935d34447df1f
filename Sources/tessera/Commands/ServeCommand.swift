import Codecs
import Control
import Core
import Elements
import Glibc
import Media
import Reactor

/// `tessera serve`: runs a pipeline document in real time and lets WebRTC peers in at its doors.
enum ServeCommand {
    static let help = """
        usage: tessera serve FILE [--set NAME=VALUE]… [options]

        Runs a pipeline document that has doors: browsers and other WebRTC peers publish there with WHIP and watch with
        WHEP. A page for people stands at http://localhost:8888/. Runs until Ctrl-C or SIGTERM, then closes recordings.

          --set NAME=VALUE      gives a parameter its value; lists are comma-separated (\\, is a comma)
          --port N              HTTP port (default 8888; 0: any free one)
          --address IP          address to serve HTTP at (default: all)
          --https-port N        serves HTTPS too (default 8433 with a certificate); browsers give cameras only to
                                pages from localhost or over HTTPS
          --certificate FILE    certificate chain for HTTPS (PEM), with --key FILE
          --self-signed         makes a certificate; browsers ask before they trust it
          --media-port N        UDP port, and TCP port, for all media (default: any free one)
          --ports A-B           range the media port is taken from
          --interface A,B       network interfaces to use for media (default: all)
          --external-ip IP      address by which peers reach this machine (behind NAT); or LOCAL=EXTERNAL, repeatable
          --stun HOST:PORT      STUN server, for us and for peers; repeatable
          --turn USER:PASS@HOST:PORT[?transport=tcp]
                                TURN server, for us and for peers; repeatable
          --token TEXT          peers need it, as Authorization: Bearer TEXT
          --sessions N          peers at a time (default 500)
          --workers N           threads for decoding, mixing and encoding (default: one per core)
          --log LEVEL           debug, info, warning (default) or error
          --json                addresses and events as JSON lines on standard output

        """

    static func main(_ arguments: [String]) throws -> ExitCode {
        let line = try CommandLineReader(
            arguments, flags: ["--self-signed", "--json", "--help", "-h"],
            options: [
                "--set", "--port", "--address", "--https-port", "--certificate", "--key", "--media-port", "--ports",
                "--interface", "--external-ip", "--stun", "--turn", "--token", "--sessions", "--workers", "--log",
            ])
        let wantsHelp = line.has("--help") || line.has("-h")
        guard line.operands.count == 1 else {
            if wantsHelp, line.operands.isEmpty {
                Terminal.out(help)
                return .success
            }
            throw UsageError(
                line.operands.isEmpty
                    ? "serve needs the name of a pipeline document, as in pipelines/live-grid.json"
                    : "serve takes one pipeline document, not \(line.operands.count); values go behind --set")
        }
        do {
            let document = try Documents.load(line.operands[0])
            if wantsHelp {
                Terminal.out(document.help(width: Terminal.width).replacing("tessera run", with: "tessera serve"))
                return .success
            }
            let plan = try document.plan(try document.settings(line.all("--set")))
            guard !plan.doors.isEmpty else {
                throw UsageError(
                    "“\(line.operands[0])” has no doors, so nobody could join; run it with `tessera run`, "
                        + "or add \"doors\": { \"NAME\": { \"at\": \"ELEMENT\" } }")
            }
            try RunCommand.checkFiles(plan)
            let options = try ServeOptions(line)
            Documents.warn(plan.warnings)
            blockEndings()
            let server = try LiveServer(plan, options)
            server.run()
        } catch let errors as DocumentErrors {
            return Documents.report(errors)
        }
    }

    /// Before any thread starts: they inherit it, and only the main thread takes the signals.
    private static func blockEndings() {
        var endings = LiveServer.endings
        pthread_sigmask(SIG_BLOCK, &endings, nil)
    }
}
