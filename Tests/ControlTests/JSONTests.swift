import Control
import Core
import Testing

@Suite struct JSONTests {
    @Test(
        arguments: [
            ("null", .null), ("true", true), (" false ", false), ("0", 0), ("-0", 0), ("-12", -12), ("1.5", 1.5),
            ("1e3", .double(1000)), ("1.0", .double(1)), ("-2.5E-1", -0.25), ("9223372036854775807", .int(.max)),
            ("-9223372036854775808", .int(.min)), (#""""#, ""), (#""a\"\\\/\b\f\n\r\t""#, "a\"\\/\u{8}\u{C}\n\r\t"),
            (#""\u00e9\ud83d\ude00é😀""#, "é😀é😀"), ("[]", []), ("[1,[2],{}]", [1, [2], [:]]),
            (#"{"a":1,"b":{"c":null}}"#, ["a": 1, "b": ["c": nil]]), ("\u{FEFF}1", 1), (#""\u0000""#, "\u{0}"),
        ] as [(String, JSON)])
    func parses(text: String, value: JSON) throws {
        #expect(try JSONNode(parsing: text).json == value)
    }

    @Test(arguments: [
        ("", "line 1, column 1: expected a value, found the end of the text"),
        ("  \n ", "line 2, column 2: expected a value, found the end of the text"),
        ("{\"a\": 1 x", "line 1, column 9: expected ',' or '}' after a member, found 'x'"),
        ("{\"a\": 1\n \"b\": 2}", "line 2, column 2: expected ',' or '}' after a member, found '\"'"),
        ("[1 2]", "line 1, column 4: expected ',' or ']' after an entry, found '2'"),
        ("[1,]", "line 1, column 4: expected a value after ',', found ']' (no comma after the last entry)"),
        ("[,1]", "line 1, column 2: expected a value, found ','"),
        ("[", "line 1, column 2: expected a value, found the end of the text"),
        ("[1", "line 1, column 3: expected ',' or ']' after an entry, found the end of the text"),
        ("{", "line 1, column 2: expected a member name in double quotes, found the end of the text"),
        ("{\"a\":1,}", "line 1, column 8: expected a member after ',', found '}' (no comma after the last member)"),
        ("{a: 1}", "line 1, column 2: expected a member name in double quotes, found 'a'"),
        ("{\"a\" 1}", "line 1, column 6: expected ':' after a member name, found '1'"),
        ("{\"a\":}", "line 1, column 6: expected a value, found '}'"),
        ("{\"é\": ü}", "line 1, column 7: expected a value, found 'ü'"),
        ("{\"a\":1,\n  \"a\":2}", "line 2, column 3: 'a' stands here a second time (first: line 1, column 2)"),
        ("1 2", "line 1, column 3: expected the end of the text, found '2'"),
        ("'a'", "line 1, column 1: expected a value, found ' (strings stand in double quotes)"),
        ("True", "line 1, column 1: expected a value, found 'True' (in lower case)"),
        ("nil", "line 1, column 1: expected a value, found 'nil'"),
        ("01", "line 1, column 1: a number may not begin with a zero"),
        ("-", "line 1, column 2: expected a digit after '-', found the end of the text"),
        ("1.", "line 1, column 3: expected a digit after '.', found the end of the text"),
        (".5", "line 1, column 1: expected a value, found '.'"),
        ("+1", "line 1, column 1: expected a value, found '+'"),
        ("1e", "line 1, column 3: expected a digit in the exponent, found the end of the text"),
        ("9223372036854775808", "line 1, column 1: the number 9223372036854775808 is too large"),
        ("[1e999]", "line 1, column 2: the number 1e999 is too large"),
        ("NaN", "line 1, column 1: expected a value, found 'NaN'"),
        ("\"ab", "line 1, column 1: a string that begins here never ends"),
        ("[\"ab\n\"]", "line 1, column 2: a string that begins here does not end on its line"),
        ("\"a\u{1}\"", "line 1, column 3: control character 0x01 in a string; write it as an escape"),
        (#""a\x""#, "line 1, column 3: unknown escape: a backslash followed by 'x'"),
        (#""\"#, "line 1, column 2: a string ends in the middle of an escape"),
        (#""\u12g4""#, "line 1, column 2: expected four hexadecimal digits after \\u"),
        (#""\ud800""#, "line 1, column 2: half of a surrogate pair in an escape"),
        (#""\udc00\ud800""#, "line 1, column 2: half of a surrogate pair in an escape"),
        (#""\ud800\u0041""#, "line 1, column 2: half of a surrogate pair in an escape"),
        ("// x\n1", "line 1, column 1: comments are not allowed here"),
    ])
    func refuses(text: String, message: String) {
        #expect(throws: JSONError.self) { try JSONNode(parsing: text) }
        #expect(JSONTests.error(text) == message)
    }

    @Test(
        arguments: [
            ("// a\n/* b\n */ [1, // c\n 2] /**/", [1, 2], ""),
            ("{\"a\": /* x */ 1} // end", ["a": 1], ""),
            ("[\"// no /* comment */\"]", ["// no /* comment */"], ""),
            ("[1] /* never", nil, "line 1, column 5: a comment that begins with /* never ends"),
            ("[1] /*/", nil, "line 1, column 5: a comment that begins with /* never ends"),
            ("[1 / 2]", nil, "line 1, column 4: expected '//' or '/*' to begin a comment, found '/'"),
            ("/* ä\n */ x", nil, "line 2, column 5: expected a value, found 'x'"),
        ] as [(String, JSON?, String)])
    func comments(text: String, value: JSON?, message: String) {
        #expect((try? JSONNode(parsing: text, limits: .document))?.json == value)
        if value == nil { #expect(JSONTests.error(text, .document) == message) }
    }

    /// Every malformed byte sequence of The Unicode Standard's table 3-8 and around it.
    @Test(
        arguments: [
            [0x80], [0xC0, 0xAF], [0xC1, 0xBF], [0xC3], [0xE0, 0x9F, 0x80], [0xE2, 0x82], [0xED, 0xA0, 0x80],
            [0xF0, 0x8F, 0xBF, 0xBF], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x28, 0xA1],
            [0xF0, 0x9F, 0x98], [0xFF],
        ] as [[UInt8]])
    func refusesWrongUTF8(bytes: [UInt8]) {
        let text = Array("[1,\n\"é".utf8) + bytes + Array("\"]".utf8)
        let lead = bytes[0]
        #expect(
            JSONTests.error(text) == "line 2, column 3: invalid UTF-8: byte \(hexByte(lead))")
    }

    @Test func positions() throws {
        let node = try JSONNode(parsing: "{\n  \"é\": [1,\n\t\"x\"], \"日本\" : {} }")
        #expect(node.position == TextPosition(line: 1, column: 1))
        let members = try #require(node.members)
        #expect(members.map(\.keyPosition) == [TextPosition(line: 2, column: 3), TextPosition(line: 3, column: 8)])
        #expect(members.map(\.value.position) == [TextPosition(line: 2, column: 8), TextPosition(line: 3, column: 15)])
        let entries = try #require(members[0].value.entries)
        #expect(entries.map(\.position) == [TextPosition(line: 2, column: 9), TextPosition(line: 3, column: 2)])
    }

    @Test func limits() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(throws: Never.self) { try JSONNode(parsing: nested(64)) }
        #expect(JSONTests.error(nested(65)) == "line 1, column 65: nested deeper than the limit of 64 levels")
        #expect(JSONTests.error(String(repeating: "[", count: 1_000_000)).hasSuffix("the limit of 64 levels"))
        #expect(
            JSONTests.error("[1, 2]", JSONLimits(bytes: 5))
                == "line 1, column 1: the text has 6 bytes; the limit is 5")
        #expect(JSONLimits().bytes == 16 << 20)
    }

    /// Positions are found in one pass: a megabyte on one line must not take a second.
    @Test(.timeLimit(.minutes(1))) func longLine() throws {
        let text = "[" + String(repeating: "\"ü\",", count: 300_000) + "1]"
        let entries = try #require(try JSONNode(parsing: text).entries)
        #expect(entries.last?.position == TextPosition(line: 1, column: 1_200_002))
    }

    @Test(
        arguments: [
            (.null, "null"), (true, "true"), (-3, "-3"), (1.5, "1.5"), (.double(2), "2.0"),
            (.double(.infinity), "null"),
            (["a": [1, "x"], "b": [:]], #"{"a":[1,"x"],"b":{}}"#),
            ("q\"\\\n\u{1}\u{7F}\u{2028}é😀", #""q\"\\\n\u0001\u007f\u2028é😀""#),
        ] as [(JSON, String)])
    func prints(value: JSON, text: String) {
        #expect(value.compact == text)
    }

    /// Whatever is printed reads back as the same value.
    @Test func roundTrip() throws {
        var random = SeededRandom(seed: 7)
        for _ in 0..<2000 {
            let value = JSONTests.random(&random, depth: 4)
            #expect(try JSONNode(parsing: value.compact).json == value)
        }
    }

    /// Mutated texts never trap, and an accepted one prints to something that reads back.
    @Test func fuzz() {
        let seeds =
            pipelineNames.map { projectFile("pipelines/\($0).json") }
            + [Array(#"{"a":[1,2.5e-3,"\ud83d\ude00é",null,true],"b":{"c":-0}}"#.utf8)]
        #expect(seeds.allSatisfy { !$0.isEmpty })
        var random = SeededRandom(seed: 11)
        var accepted = 0
        for round in 0..<20_000 {
            var bytes = seeds[round % seeds.count]
            mutate(&bytes, &random)
            guard let node = try? JSONNode(parsing: bytes, limits: .document) else { continue }
            accepted += 1
            if round % 50 == 0 { #expect((try? JSONNode(parsing: node.json.compact))?.json == node.json) }
        }
        #expect(accepted > 1000)
    }

    private static func error(_ text: String, _ limits: JSONLimits = JSONLimits()) -> String {
        error([UInt8](text.utf8), limits)
    }

    private static func error(_ bytes: [UInt8], _ limits: JSONLimits = JSONLimits()) -> String {
        do throws(JSONError) {
            _ = try JSONNode(parsing: bytes, limits: limits)
            return "no error"
        } catch {
            return error.description
        }
    }

    private static func random(_ random: inout SeededRandom, depth: Int) -> JSON {
        switch Int.random(in: 0..<(depth > 0 ? 8 : 5), using: &random) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &random))
        case 2: return .int(Int(truncatingIfNeeded: random.next()))
        case 3: return .double(Double.random(in: -1e9...1e9, using: &random))
        case 4, 5:
            let scalars = (0..<Int.random(in: 0..<8, using: &random)).compactMap { _ in
                Unicode.Scalar(UInt32.random(in: 0..<0x11000, using: &random))
            }
            return .string(String(String.UnicodeScalarView(scalars)))
        case 6:
            return .array(
                (0..<Int.random(in: 0..<4, using: &random)).map { _ in Self.random(&random, depth: depth - 1) })
        default:
            return .object(
                (0..<Int.random(in: 0..<4, using: &random)).map {
                    JSON.Member("k\($0)", Self.random(&random, depth: depth - 1))
                })
        }
    }
}

/// One to four small changes: a byte flipped, taken out, put in, a stretch doubled, the end cut off.
func mutate(_ bytes: inout [UInt8], _ random: inout SeededRandom) {
    let telling = Array("{}[]\",:$\\/*0-9eE.tfn \n\u{0}é".utf8) + [0x80, 0xC3, 0xED, 0xF4, 0xFF]
    for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
        let at = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<6, using: &random) {
        case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes[at] = telling.randomElement(using: &random) ?? 0
        case 2: bytes.insert(telling.randomElement(using: &random) ?? 0, at: at)
        case 3: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...12, using: &random)))
        case 4:
            bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + Int.random(in: 1...40, using: &random))], at: at)
        default: if Int.random(in: 0..<8, using: &random) == 0 { bytes.removeSubrange(at...) }
        }
    }
}
