import CLinux
import Core
import Glibc

/// Standard output and error.
enum Terminal {
    static func out(_ text: String) { write(text, to: STDOUT_FILENO) }
    static func error(_ text: String) { write(text, to: STDERR_FILENO) }

    /// Unbuffered, so that lines of several threads do not mix and nothing is lost at `exit`.
    private static func write(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 || errno == EINTR else { return }
            bytes = bytes.dropFirst(max(0, count))
        }
    }

    static var errorIsTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// Columns of the terminal; 80 where there is none.
    static var width: Int {
        let columns = Int(clinux_terminal_columns(STDERR_FILENO))
        return columns > 0 ? columns : 80
    }
}

/// The command line of one command: flags, options with a value, and the rest.
struct CommandLineReader {
    private(set) var operands: [String] = []
    private var flags: Set<String> = []
    private var values: [String: [String]] = [:]

    /// - Parameters:
    ///   - flags: options without a value.
    ///   - options: options with one, as `--name value` or `--name=value`; repeatable.
    ///   - switches: `--name`, which is true, or `--name=false`.
    init(
        _ arguments: [String], flags allowedFlags: Set<String>, options: Set<String> = [],
        switches: Set<String> = []
    ) throws {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            guard argument.hasPrefix("-"), argument != "-" else {
                operands.append(argument)
                continue
            }
            if argument == "--" {
                operands += rest
                break
            }
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            if options.contains(parts[0]) {
                guard let value = parts.count == 2 ? parts[1] : rest.popFirst() else {
                    throw UsageError("\(parts[0]) needs a value")
                }
                values[parts[0], default: []].append(value)
            } else if switches.contains(parts[0]) {
                values[parts[0], default: []].append(parts.count == 2 ? parts[1] : "true")
            } else if allowedFlags.contains(argument) {
                flags.insert(argument)
            } else {
                let known = allowedFlags.union(options).union(switches).sorted().joined(separator: ", ")
                throw UsageError("there is no option “\(argument)” here; the options are \(known)")
            }
        }
    }

    func has(_ flag: String) -> Bool { flags.contains(flag) }
    func all(_ option: String) -> [String] { values[option] ?? [] }
    func last(_ option: String) -> String? { values[option]?.last }
}

/// Whole contents of a file that a user named.
func readFile(_ path: String, bytesMax: Int) throws -> [UInt8] {
    guard let file = fopen(path, "rb") else {
        throw UsageError("“\(path)” cannot be read: \(String(cString: strerror(errno)))")
    }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while true {
        let count = fread(&chunk, 1, chunk.count, file)
        if count == 0 { break }
        bytes += chunk[..<count]
        guard bytes.count <= bytesMax else {
            throw UsageError("“\(path)” is larger than \(bytesMax >> 20) MiB, the most a document may have")
        }
    }
    guard ferror(file) == 0 else { throw UsageError("“\(path)” cannot be read: \(String(cString: strerror(errno)))") }
    return bytes
}

/// Writes a whole file, in place of one of that name.
func writeFile(_ path: String, _ text: String) throws {
    func failure() -> UsageError { UsageError("“\(path)” cannot be written: \(String(cString: strerror(errno)))") }
    guard let file = fopen(path, "wb") else { throw failure() }
    let bytes = Array(text.utf8)
    let written = fwrite(bytes, 1, bytes.count, file)
    guard fclose(file) == 0, written == bytes.count else { throw failure() }
}
