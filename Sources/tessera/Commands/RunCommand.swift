import CLinux
import Codecs
import Control
import Core
import Glibc
import Media
import Reactor

/// `tessera run`: runs a pipeline document to its end.
enum RunCommand {
    static let help = """
        usage: tessera run FILE [--set NAME=VALUE]… [options]

        Runs a pipeline document, as fast as the machine can; what it writes is the same each time.

          --set NAME=VALUE   gives a parameter its value; lists are comma-separated (\\, is a comma)
          --realtime         paces by the clock instead
          --quiet            no progress and no summary
          --json             progress, events and summary as JSON lines on standard output
          --log LEVEL        debug, info, warning (default) or error
          --workers N        threads for decoding, mixing and encoding (default: one per core)
          --decode-max N     pixels on the longer side of a picture that is still decoded (default 8192)
          --stall SECONDS    leave behind a source that makes no progress for so long (default 10)

        Ctrl-C closes the recordings properly; a second one ends at once.

        """

    private struct Options {
        var path: String
        var settings: [String]
        var isRealTime: Bool
        var isQuiet: Bool
        var isJSON: Bool
        var level: LogLevel
        var workers: Int?
        var limits = DecoderLimits()
        var stallTimeout: MediaTime?
    }

    static func main(_ arguments: [String]) throws -> ExitCode {
        let line = try CommandLineReader(
            arguments, flags: ["--realtime", "--quiet", "--json", "--help", "-h"],
            options: ["--set", "--log", "--workers", "--decode-max", "--stall"])
        let wantsHelp = line.has("--help") || line.has("-h")
        guard line.operands.count == 1 else {
            if wantsHelp, line.operands.isEmpty {
                Terminal.out(help)
                return .success
            }
            throw UsageError(
                line.operands.isEmpty
                    ? "run needs the name of a pipeline document"
                    : "run takes one pipeline document, not \(line.operands.count); values go behind --set")
        }
        do {
            let document = try Documents.load(line.operands[0])
            if wantsHelp {
                Terminal.out(document.help(width: Terminal.width))
                return .success
            }
            let plan = try document.plan(try document.settings(line.all("--set")))
            if let door = plan.doors.first {
                throw UsageError(
                    "“\(line.operands[0])” has a door '\(door.name)' where peers join; use `tessera serve`")
            }
            try checkFiles(plan)
            return run(plan, try options(line))
        } catch let errors as DocumentErrors {
            return Documents.report(errors)
        }
    }

    /// A recording that would overwrite what is being played, or another recording, is refused before anything opens.
    static func checkFiles(_ plan: PipelinePlan) throws {
        func files(_ className: String) -> [(element: String, uri: String, path: String)] {
            plan.elements.compactMap { element in
                guard element.className == className, let uri = element.arguments.string("uri") else { return nil }
                let path = uri.hasPrefix("file://") ? String(uri.dropFirst(7)) : uri
                return path.contains("://") ? nil : (element.name, uri, path)
            }
        }
        let recorders = files("RecorderEndpoint")
        for (index, recorder) in recorders.enumerated() {
            if let player = files("PlayerEndpoint").first(where: { isSameFile($0.path, recorder.path) }) {
                throw UsageError(
                    "\(recorder.element) would overwrite “\(recorder.uri)”, which \(player.element) plays; "
                        + "give the recording another name")
            }
            if let other = recorders[..<index].first(where: { isSameFile($0.path, recorder.path) }) {
                throw UsageError(
                    "\(other.element) and \(recorder.element) would both write “\(recorder.uri)”; "
                        + "give each recording a name of its own")
            }
        }
    }

    private static func isSameFile(_ first: String, _ second: String) -> Bool {
        if first == second { return true }
        var (a, b) = (stat(), stat())
        return stat(first, &a) == 0 && stat(second, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino
    }

    private static func options(_ line: CommandLineReader) throws -> Options {
        func number(_ option: String, _ allowed: ClosedRange<Int>) throws -> Int? {
            guard let text = line.last(option) else { return nil }
            guard let value = Int(text), allowed.contains(value) else {
                throw UsageError(
                    "\(option) is “\(text)”; it must be a whole number from \(allowed.lowerBound) to \(allowed.upperBound)"
                )
            }
            return value
        }
        let levelName = line.last("--log") ?? LogLevel.warning.name
        guard let level = LogLevel(levelName) else {
            throw UsageError("--log is “\(levelName)”; it must be debug, info, warning or error")
        }
        var options = Options(
            path: line.operands[0], settings: line.all("--set"), isRealTime: line.has("--realtime"),
            isQuiet: line.has("--quiet"), isJSON: line.has("--json"), level: level,
            workers: try number("--workers", 1...256))
        if let side = try number("--decode-max", 16...16384) {
            options.limits.sideMax = side
            options.limits.pixelsMax = min(side * side, 16384 * 16384)
        }
        options.stallTimeout = try number("--stall", 1...86400).map { .seconds(Double($0)) }
        return options
    }

    // MARK: The run

    private static func run(_ plan: PipelinePlan, _ options: Options) -> ExitCode {
        Documents.warn(plan.warnings)
        var endings = sigset_t()
        sigemptyset(&endings)
        sigaddset(&endings, SIGINT)
        sigaddset(&endings, SIGTERM)
        // Before any thread starts: they inherit it, and only this one takes the signals.
        pthread_sigmask(SIG_BLOCK, &endings, nil)
        let host = SystemHost(workers: options.workers, loops: options.isRealTime ? 1 : 0)
        let printer = RunPrinter(isJSON: options.isJSON, isQuiet: options.isQuiet)
        let log = Log(host: host, level: options.level) { [isJSON = options.isJSON] entry in
            Terminal.error((isJSON ? entry.json : entry.text) + "\n")
        }
        var configuration = PipelineConfiguration(
            mode: options.isRealTime ? .realTime : .offline, codecs: LibraryCodecs(), pool: FramePool(), log: log)
        configuration.decoderLimits = options.limits
        if let timeout = options.stallTimeout { configuration.stallTimeout = timeout }
        let pool = configuration.pool
        let run = DocumentRun(plan, host: host, configuration: configuration) { printer.show($0) }
        let executor = host.ioThread(named: "main-run")
        let wasInterrupted = Lock(false)
        Task(executorPreference: executor) {
            let code = await perform(run, printer, wasInterrupted)
            log.debug("picture memory", [("peakBytes", "\(pool.liveBytes.peak)")])
            exit(code.rawValue)
        }
        while true {
            var signal: Int32 = 0
            sigwait(&endings, &signal)
            let isSecond = wasInterrupted.withLock { was in
                defer { was = true }
                return was
            }
            if isSecond { exit(ExitCode.interrupted.rawValue) }
            Task(executorPreference: executor) { await run.interrupt() }
        }
    }

    private static func perform(
        _ run: DocumentRun, _ printer: RunPrinter, _ wasInterrupted: Lock<Bool>
    ) async -> ExitCode {
        do {
            try await run.start()
        } catch {
            printer.fail("\(error)")
            return .usage
        }
        let ticker = ProgressTicker(run, printer)
        await run.finished()
        ticker.stop()
        let summary = await run.summary(
            cpuSeconds: ProcessUsage.cpuSeconds, peakMemoryBytes: ProcessUsage.peakMemoryBytes,
            sizeOf: ProcessUsage.fileSize)
        printer.show(await run.progress())
        printer.finish(summary)
        let hasMadeAll = !summary.outputs.isEmpty && summary.outputs.allSatisfy(\.isComplete)
        let recorders = run.plan.elements.filter { $0.className == "RecorderEndpoint" }.count
        if run.hasFailures {
            return hasMadeAll && summary.outputs.count == recorders ? .trouble : .failure
        }
        return wasInterrupted.withLock { $0 } ? .interrupted : .success
    }
}

/// Shows the progress five times a second until told to stop.
private final class ProgressTicker: Sendable {
    private let isStopped = Lock(false)

    init(_ run: DocumentRun, _ printer: RunPrinter) {
        guard printer.showsProgress else { return }
        let isStopped = isStopped
        let thread = SystemHost.thread(named: "progress")
        Task(executorPreference: thread) {
            while true {
                usleep(200_000)
                let progress = await run.progress()
                let stop = isStopped.withLock { $0 }
                if stop { return }
                printer.show(progress)
            }
        }
    }

    func stop() { isStopped.withLock { $0 = true } }
}

/// What the process has used so far.
private enum ProcessUsage {
    private static var usage: rusage {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage
    }
    static var cpuSeconds: Double {
        let usage = usage
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }
    static var peakMemoryBytes: Int { usage.ru_maxrss * 1024 }

    @Sendable static func fileSize(_ uri: String) -> Int {
        var info = stat()
        return stat(uri.hasPrefix("file://") ? String(uri.dropFirst(7)) : uri, &info) == 0 ? Int(info.st_size) : 0
    }
}
