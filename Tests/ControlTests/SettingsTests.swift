import Control
import Core
import Testing

@Suite struct SettingsTests {
    private static let text = graph(
        parameters: """
            "s": {"type": "string", "optional": true}, "u": {"type": "uri", "doc": "Where it goes."},
            "i": {"type": "int", "minimum": 1, "maximum": 9, "default": 5}, "f": {"type": "float", "default": 1},
            "b": {"type": "boolean", "default": false}, "e": {"type": "enum", "values": ["x", "yes"], "default": "x"},
            "l": {"type": "list", "of": "int", "minimumCount": 2, "optional": true},
            "t": {"type": "list", "of": "string", "default": ["q"]}
            """,
        elements: [#""in": {"class": "PlayerEndpoint", "with": {"uri": "${u}"}}"#])

    private func values(_ settings: [String]) -> [String: ArgumentValue]? {
        guard let document = try? document(Self.text), let settings = try? document.settings(settings),
            let plan = try? document.plan(settings)
        else { return nil }
        return Dictionary(plan.parameters.map { ($0.name, $0.value) }) { first, _ in first }
    }

    private func errors(_ settings: [String]) -> [String] {
        do {
            let document = try document(Self.text)
            _ = try document.plan(document.settings(settings))
            return []
        } catch {
            return "\(error)".split(separator: "\n").map { String($0.dropFirst("x.json: ".count)) }
        }
    }

    @Test func defaults() {
        #expect(
            values(["u=a"]) == [
                "u": .string("a"), "i": .int(5), "f": .float(1), "b": .boolean(false), "e": .string("x"),
                "t": .list([.string("q")]),
            ])
    }

    @Test(
        arguments: [
            ("s=", "s", .string("")), ("s=a=b,c", "s", .string("a=b,c")), ("i=9", "i", .int(9)),
            ("f=-2.5e1", "f", .float(-25)),
            ("f=3", "f", .float(3)), ("b=true", "b", .boolean(true)), ("e=YES", "e", .string("yes")),
            ("l=1,2", "l", .list([.int(1), .int(2)])),
            (#"t=a\,b,c\\,,d\x,"#, "t", .list(["a,b", #"c\"#, "", #"d\x"#, ""].map { .string($0) })),
            (#"t=a\"#, "t", .list([.string(#"a\"#)])), ("t=é😀", "t", .list([.string("é😀")])), ("t=", "t", .list([])),
        ] as [(String, String, ArgumentValue)])
    func values(setting: String, name: String, value: ArgumentValue) {
        // `t` may be empty only because this document says nothing else; its default has one entry.
        if setting == "t=" {
            #expect(errors(["u=a", setting]) == ["--set t needs at least 1 entry, found 0"])
        } else {
            #expect(values(["u=a", setting])?[name] == value)
        }
    }

    @Test func listsAppend() {
        #expect(values(["u=a", "t=1,2", "t=3"])?["t"] == .list(["1", "2", "3"].map { .string($0) }))
    }

    @Test(
        arguments: [
            ([], ["needs --set u=…, a path or an address, not empty and without control characters: Where it goes."]),
            (["u"], ["--set 'u' must be name=value"]),
            (["u=a", "u=b"], ["--set u is given a second time; only lists can be"]),
            (["u=a", "w=1"], ["--set 'w': the document has no such parameter; it has s, u, i, f, b, e, l and t"]),
            (["u="], ["--set u must be a path or an address, not empty and without control characters, found ''"]),
            (["u=a", "i=10"], ["--set i must be a whole number from 1 to 9, found 10"]),
            (["u=a", "i=1.0"], ["--set i must be a whole number from 1 to 9, found '1.0'"]),
            (
                ["u=a", "i=99999999999999999999"],
                ["--set i must be a whole number from 1 to 9, found '99999999999999999999'"]
            ),
            (["u=a", "f=nan"], ["--set f must be a number, found 'nan'"]),
            (["u=a", "f=0x10"], ["--set f must be a number, found '0x10'"]),
            (["u=a", "f=1e999"], ["--set f must be a number, found inf"]),
            (["u=a", "b=1"], ["--set b must be true or false, found '1'"]),
            (["u=a", "e=yess"], ["--set e must be x or yes, found 'yess' (did you mean 'yes'?)"]),
            (
                ["u=a", "l=1,x"],
                [
                    "--set l[1] must be a whole number, found 'x'",
                    "--set l needs at least 2 entries, found 1",
                ]
            ),
            (
                ["u=a", "i=x", "b=y"],
                [
                    "--set i must be a whole number from 1 to 9, found 'x'",
                    "--set b must be true or false, found 'y'",
                ]
            ),
        ] as [([String], [String])])
    func mistakes(settings: [String], messages: [String]) {
        #expect(errors(settings) == messages)
    }

    @Test func helpText() throws {
        #expect(
            try document(Self.text).help(width: 60) == """
                Usage: tessera run x.json --set u=FILE [--set
                    name=value]…

                Required:
                  u  file or address. Where it goes.

                Optional:
                  s  text
                  i  whole number from 1 to 9, default 5
                  f  number, default 1
                  b  true or false, default false
                  e  x or yes, default x
                  l  list (whole number)
                  t  list (text), default [q]

                """)
    }
}
