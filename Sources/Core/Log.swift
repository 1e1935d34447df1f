/// How loud a log line is; `debug` < `info` < `warning` < `error`.
package enum LogLevel: Int, Comparable, Sendable, CaseIterable {
    case debug, info, warning, error
    package static func < (a: LogLevel, b: LogLevel) -> Bool { a.rawValue < b.rawValue }
    package init?(_ name: String) {
        guard let level = LogLevel.allCases.first(where: { $0.name == name }) else { return nil }
        self = level
    }
    package var name: String { String(describing: self) }
}

/// One log line: a sentence and named fields.
package struct LogEntry: Sendable {
    package let unixMilliseconds: Int64
    package let level: LogLevel
    package let message: String
    package let fields: [(name: String, value: String)]

    /// `12:34:56.789 warning  message  name=value`; the hour is UTC.
    package var text: String {
        var line = "\(clock) \(level.name)  \(message)"
        for field in fields { line += "  \(field.name)=\(field.value)" }
        return line
    }

    /// The same as one JSON object.
    package var json: String {
        var line = "{\"time\":\(unixMilliseconds),\"level\":\"\(level.name)\",\"message\":\(jsonString(message))"
        for field in fields { line += ",\(jsonString(field.name)):\(jsonString(field.value))" }
        return line + "}"
    }

    private var clock: String {
        String(MediaTime.milliseconds(Int(unixMilliseconds % 86_400_000)).description)
    }
}

/// `text` as a JSON string literal with its quotes (RFC 8259, section 7).
package func jsonString(_ text: String) -> String {
    var out = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": out += "\\\""
        case "\\": out += "\\\\"
        case "\n": out += "\\n"
        case "\r": out += "\\r"
        case "\t": out += "\\t"
        case _ where scalar.value < 0x20:
            let digits = String(scalar.value, radix: 16)
            out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: out.unicodeScalars.append(scalar)
        }
    }
    return out + "\""
}

/// A structured log. Carries fields (pipeline, element) that every line gets; where lines go is the program's choice.
package struct Log: Sendable {
    private let host: any Host
    private let level: LogLevel
    private let write: @Sendable (LogEntry) -> Void
    private var fields: [(name: String, value: String)] = []

    package init(host: any Host, level: LogLevel = .info, write: @escaping @Sendable (LogEntry) -> Void) {
        self.host = host
        self.level = level
        self.write = write
    }

    /// The same log with one more field on each line.
    package func with(_ name: String, _ value: String) -> Log {
        var log = self
        log.fields.append((name, value))
        return log
    }

    /// Whether lines of that level are written: for who would make fields that nobody reads.
    package func writes(_ level: LogLevel) -> Bool { level >= self.level }

    package func log(_ level: LogLevel, _ message: @autoclosure () -> String, _ fields: [(String, String)] = []) {
        guard writes(level) else { return }
        write(
            LogEntry(
                unixMilliseconds: host.unixMilliseconds(), level: level, message: message(),
                fields: self.fields + fields.map { (name: $0.0, value: $0.1) }))
    }
    package func debug(_ message: @autoclosure () -> String, _ fields: [(String, String)] = []) {
        log(.debug, message(), fields)
    }
    package func info(_ message: @autoclosure () -> String, _ fields: [(String, String)] = []) {
        log(.info, message(), fields)
    }
    package func warning(_ message: @autoclosure () -> String, _ fields: [(String, String)] = []) {
        log(.warning, message(), fields)
    }
    package func error(_ message: @autoclosure () -> String, _ fields: [(String, String)] = []) {
        log(.error, message(), fields)
    }
}
