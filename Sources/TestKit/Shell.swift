import Foundation

/// Runs command line tools (ffmpeg, ffprobe) for tests, and keeps scratch folders.
package enum Shell {
    package struct Output: Sendable {
        package let status: Int32
        package let stdout: String
        package let stderr: String
    }

    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// Runs a tool found on PATH and waits for its end. Does not throw on a status other than 0.
    package static func run(_ tool: String, _ arguments: [String]) throws -> Output {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [tool] + arguments
        process.standardInput = FileHandle.nullDevice
        // Files, not pipes: a tool that fills one pipe while the other is read would wait for ever.
        let folder = try scratch("shell")
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let paths = ["\(folder)/out", "\(folder)/err"]
        var handles: [FileHandle] = []
        for path in paths {
            guard FileManager.default.createFile(atPath: path, contents: nil) else { throw Failure(description: path) }
            guard let handle = FileHandle(forWritingAtPath: path) else { throw Failure(description: path) }
            handles.append(handle)
        }
        process.standardOutput = handles[0]
        process.standardError = handles[1]
        try process.run()
        process.waitUntilExit()
        // Not `Data(contentsOf:)`, which leaks for an empty file.
        let texts = try paths.map { path in
            String(decoding: try FileHandle(forReadingAtPath: path)?.readToEnd() ?? Data(), as: UTF8.self)
        }
        return Output(status: process.terminationStatus, stdout: texts[0], stderr: texts[1])
    }

    /// A tool that runs beside the test; ended with it at the latest.
    package final class Running: @unchecked Sendable {
        // Sendable: `Process` is used for ending and for asking only, which it allows from any thread.
        private let process: Process
        /// What it prints to both outputs.
        private let path: String

        fileprivate init(_ process: Process, _ path: String) {
            self.process = process
            self.path = path
        }

        deinit { stop() }

        package var isRunning: Bool { process.isRunning }
        package var output: String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }

        /// Ends it and waits until it has ended.
        package func stop() {
            guard process.isRunning else { return }
            // Not `terminate()`: a tool inherits the signals that the starting thread holds back.
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
    }

    /// Starts a tool found on PATH and does not wait for it.
    package static func start(_ tool: String, _ arguments: [String]) throws -> Running {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [tool] + arguments
        process.standardInput = FileHandle.nullDevice
        let path = try scratch("tool") + "/output"
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let handle = FileHandle(forWritingAtPath: path)
        else { throw Failure(description: path) }
        process.standardOutput = handle
        process.standardError = handle
        try process.run()
        return Running(process, path)
    }

    /// Runs a tool and returns what it prints; throws with its complaint if it fails.
    @discardableResult
    package static func check(_ tool: String, _ arguments: [String]) throws -> String {
        let output = try run(tool, arguments)
        guard output.status == 0 else {
            let line = "\(tool) \(arguments.joined(separator: " "))"
            throw Failure(description: "\(line): \(output.status)\n\(output.stderr)")
        }
        return output.stdout
    }

    /// ffmpeg with its usual noise turned off; existing outputs are overwritten.
    @discardableResult
    package static func ffmpeg(_ arguments: [String]) throws -> String {
        try check("ffmpeg", ["-hide_banner", "-nostdin", "-v", "error", "-y"] + arguments)
    }

    /// A new folder for a test's files; removed when the process ends.
    package static func scratch(_ name: String) throws -> String {
        let path = try root.get() + "/\(name)-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    /// One folder per process above all scratch folders.
    private static let root: Result<String, any Error> = Result {
        let path = NSTemporaryDirectory() + "tessera-tests-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        atexit { Shell.removeRoot() }
        return path
    }

    private static func removeRoot() {
        if case .success(let path) = root { try? FileManager.default.removeItem(atPath: path) }
    }
}
