import Testing

/// A call that has no place in some rooms, and what to write instead.
struct BannedCall: Sendable, CustomStringConvertible {
    let name: String
    /// Matched against lines without comments and strings.
    let pattern: String
    let replacement: String
    /// Rooms (or top folders) where it may stand.
    var allowed: Set<String> = []
    /// A line that must be caught: the proof that the pattern can fail.
    let example: String
    var description: String { name }

    /// Words end where letters and digits end: `a.b` is two.
    func expression() throws -> Regex<AnyRegexOutput> { try Regex(pattern).wordBoundaryKind(.simple) }

    /// Whether the pattern is found in a line without comments and strings.
    func isBroken(by code: String) throws -> Bool { try code.firstMatch(of: expression()) != nil }
}

private let bannedCalls = [
    BannedCall(
        name: "Task.sleep", pattern: #"Task\.sleep"#,
        replacement: "a deadline of the Host's clock, so that virtual time can jump",
        example: "try await Task.sleep(for: x)"),
    BannedCall(
        name: "blocking sleep", pattern: #"\b(usleep|nanosleep|sleep)\("#,
        replacement: "a deadline of the Host's clock: nobody waits on a thread", allowed: ["tessera"],
        example: "usleep(1000)"),
    BannedCall(
        name: "Task.detached", pattern: #"Task\.detached"#,
        replacement: "a Stage, or Task(executorPreference:) with an executor of the Host",
        example: "Task.detached { work() }"),
    BannedCall(
        name: "Task without an executor", pattern: #"\bTask(\.init)?(<[^>]*>)?(\(\s*(name|priority):[^)]*\))?\s*\{"#,
        replacement: "a Stage, or Task(executorPreference:) with an executor of the Host",
        // The program's main thread belongs to nobody's loop.
        allowed: ["tessera"], example: "Task(priority: .high) { work() }"),
    BannedCall(
        name: "@concurrent", pattern: #"@concurrent\b"#,
        replacement: "a Stage: @concurrent leaves for the default pool, which the simulation cannot drive",
        example: "@concurrent func work() async {}"),
    BannedCall(
        name: "Dispatch", pattern: #"\bDispatch(Queue|Group|Semaphore|Source\w*|Time|WorkItem|IO)?\b"#,
        replacement: "the Host's executors and timers", example: "DispatchQueue.global().async {}"),
    BannedCall(
        name: "a clock", pattern: #"\b(ContinuousClock|SuspendingClock|clock_gettime|gettimeofday|Date\(\))"#,
        replacement: "a time given as an argument, or Host.now", allowed: ["Reactor", "Benchmarks"],
        example: "let now = ContinuousClock.now"),
    BannedCall(
        name: "unseeded randomness",
        pattern:
            #"\.random\(in:(?!.*using:)|\.(randomElement|shuffled|shuffle)\(\)|SystemRandom|(^|[^.\w])(random|getrandom|rand)\("#,
        replacement: "`using:` with a generator given as an argument (Core.SeededRandom, Host.random)",
        allowed: ["Reactor"], example: "let port = Int.random(in: 0...9)"),
    BannedCall(
        name: "Mutex", pattern: #"\bMutex\b"#,
        replacement: "Core.Lock, which ThreadSanitizer can see", example: "let state = Mutex(0)"),
    BannedCall(
        name: "try!", pattern: #"\btry!"#, replacement: "throws, or a precondition with a sentence",
        example: "let x = try! parse()"),
    BannedCall(
        name: "as!", pattern: #"\bas!"#, replacement: "as? with an else that says what is wrong",
        example: "let x = y as! Int"),
    BannedCall(
        name: "print", pattern: #"(^|[^.\w])(debugP|p)rint\("#,
        replacement: "Core.Log, or a value for the program to print", allowed: ["tessera", "Benchmarks"],
        example: "print(frame)"),
    BannedCall(
        name: "Foundation", pattern: #"\bimport Foundation"#,
        replacement: "Glibc, or a few lines of our own: the program stays small and starts fast", allowed: ["TestKit"],
        example: "import FoundationEssentials"),
    BannedCall(
        name: "public",
        pattern: #"(^|[^.\w])public (import|func|var|let|struct|class|enum|protocol|init|extension)"#,
        replacement:
            "package: this is a program, nobody links against it (a class that other rooms inherit from: open)",
        example: "public struct Frame {}"),
]

struct BannedCallsTests {
    @Test("No banned call stands where it may not", arguments: bannedCalls)
    func absent(_ call: BannedCall) throws {
        #expect(!Repository.swiftSources.isEmpty)
        let expression = try call.expression()
        for file in Repository.swiftSources + Repository.files(["Benchmarks"], endings: [".swift"])
        where !call.allowed.contains(file.room) {
            for (number, line) in file.code.enumerated() where line.firstMatch(of: expression) != nil {
                Issue.record("\(file.path):\(number + 1): \(call.name) is not used here; write \(call.replacement)")
            }
        }
    }

    @Test("Every pattern catches its example", arguments: bannedCalls)
    func catches(_ call: BannedCall) throws {
        #expect(try call.isBroken(by: call.example.code))
        #expect(try !call.isBroken(by: "// \(call.example)".code))
        #expect(try !call.isBroken(by: "let text = \"\(call.example)\"".code))
    }

    @Test func commentsAndStringsAreNoCode() {
        #expect(#"f("a // b \" c", 1) / 2  // why"#.code == #"f("", 1) / 2  "#)
    }

    @Test func seededRandomnessPasses() throws {
        let call = try #require(bannedCalls.first { $0.name == "unseeded randomness" })
        #expect(try !call.isBroken(by: "let port = Int.random(in: 0...9, using: &generator)"))
    }

    @Test func tasksWithAnExecutorPass() throws {
        let call = try #require(bannedCalls.first { $0.name == "Task without an executor" })
        #expect(try !call.isBroken(by: "Task(executorPreference: pool, priority: .high) { work() }"))
    }

    @Test func uncheckedSendableIsProved() {
        for file in Repository.swiftSources {
            for (number, line) in file.code.enumerated()
            where line.contains("@unchecked Sendable") || line.contains("nonisolated(unsafe)") {
                let around = file.lines[max(0, number - 4)..<min(file.lines.count, number + 6)]
                if !around.contains(where: { $0.contains("//") && $0.contains("Sendable:") }) {
                    Issue.record(
                        "\(file.path):\(number + 1): add a comment `// Sendable: …` that proves why it is safe")
                }
            }
        }
    }

    @Test func nothingIsLeftForLater() {
        // Put together here, so that this file does not find itself.
        let marks = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]
        let files =
            Repository.swiftSources + Repository.markdown
            + Repository.files(["Tests", "script", "Benchmarks", "pipelines"], endings: [""])
        for file in files {
            for (number, line) in file.lines.enumerated() {
                for mark in marks where line.contains(mark) {
                    Issue.record(
                        "\(file.path):\(number + 1): \(mark): do it now, or open an issue and say nothing here")
                }
            }
        }
    }
}
