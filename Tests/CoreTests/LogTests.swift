@testable import Core
import TestKit
import Testing

@Suite struct LogTests {
    private func entry(_ message: String, _ fields: [(name: String, value: String)] = []) -> LogEntry {
        LogEntry(unixMilliseconds: 1_800_000_045_296_789, level: .warning, message: message, fields: fields)
    }

    @Test func text() {
        let milliseconds: Int64 = 20_000 * 86_400_000 + 12 * 3_600_000 + 34 * 60_000 + 56_789
        let entry = LogEntry(
            unixMilliseconds: milliseconds, level: .warning, message: "no disk",
            fields: [(name: "element", value: "rec")])
        #expect(entry.text == "12:34:56.789 warning  no disk  element=rec")
    }

    @Test func json() {
        #expect(
            entry("a \"b\"\n", [(name: "x", value: "\u{1}\\")]).json
                == #"{"time":1800000045296789,"level":"warning","message":"a \"b\"\n","x":"\u0001\\"}"#)
    }

    @Test func stringsAreJSON() {
        #expect(jsonString("\t\r\u{1f}ä😀/") == "\"\\t\\r\\u001fä😀/\"")
        #expect(jsonString("") == "\"\"")
    }

    @Test func levelsAndFields() {
        let lines = Lock<[LogEntry]>([])
        let log = Log(host: SimHost(), level: .info) { line in lines.withLock { $0.append(line) } }.with(
            "pipeline", "p")
        let built = Lock(0)
        func costly() -> String {
            built.withLock { $0 += 1 }
            return "costly"
        }
        log.debug(costly())
        #expect(built.withLock { $0 } == 0, "what is not written is not even put together")
        log.with("element", "e").error(costly(), [("code", "7")])
        let line = lines.withLock { $0 }
        #expect(line.count == 1 && line.first?.level == .error)
        #expect(line.first?.fields.map(\.name) == ["pipeline", "element", "code"])
        #expect(LogLevel("warning") == .warning && LogLevel("loud") == nil && LogLevel.debug < .error)
    }
}
