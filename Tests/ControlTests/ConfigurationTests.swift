import Control
import Testing

struct ConfigurationTests {
    private let table = SettingTable(
        [
            .init(
                "All",
                [
                    Setting("media-port", .number(0...65535), "N", default: "0", "The port"),
                    Setting("stun", .text, "HOST:PORT", list: true, "Servers"),
                    Setting(flag: "ice-tcp", default: "true", "Whether TCP is used"),
                    Setting("log", .choice(["info", "warning"]), "LEVEL", "How much"),
                    Setting("metadata", .json, "JSON", "Anything"),
                ])
        ],
        aliases: [
            .init(["OTHER_PORT"], "media-port") { environment in
                guard let text = environment["OTHER_PORT"] else { return .absent }
                return text == "auto" ? .notUnderstood("“auto” is not understood") : .values([text])
            }
        ])

    private func read(
        file: String? = nil, environment: [String: String] = [:], options: [(String, [String])] = []
    ) throws -> Configuration {
        var configuration = Configuration(table)
        if let file { try configuration.read(file: Array(file.utf8), path: "a.json") }
        try configuration.read(environment: environment)
        for (name, values) in options { try configuration.read(option: name, values) }
        return configuration
    }

    private func trouble(_ body: () throws -> Configuration) -> String {
        do {
            _ = try body()
            return ""
        } catch { return "\(error)" }
    }

    @Test func everyPlaceKnowsTheSameName() throws {
        let file = try read(file: "{ /* one */ \"media-port\": 5, \"stun\": [\"a:1\", \"b:2\"], \"ice-tcp\": false }")
        let environment = try read(environment: [
            "TESSERA_MEDIA_PORT": "5", "TESSERA_STUN": "a:1, b:2", "TESSERA_ICE_TCP": "0",
        ])
        let line = try read(options: [("media-port", ["5"]), ("stun", ["a:1", "b:2"]), ("ice-tcp", ["false"])])
        for configuration in [file, environment, line] {
            #expect(configuration.number("media-port") == 5)
            #expect(configuration.all("stun") == ["a:1", "b:2"])
            #expect(configuration.flag("ice-tcp") == false)
            #expect(configuration.text("log") == nil)
        }
    }

    @Test func theLaterPlaceCountsMore() throws {
        let environment = ["TESSERA_MEDIA_PORT": "6", "OTHER_PORT": "4"]
        let file = "{\"media-port\": 5, \"log\": \"info\"}"
        let both = try read(file: file, environment: environment)
        #expect(both.number("media-port") == 6)
        #expect(both.text("log") == "info")
        #expect(
            try read(file: file, environment: environment, options: [("media-port", ["7"])]).number("media-port") == 7)
        #expect(try read(file: file, environment: ["OTHER_PORT": "4"]).number("media-port") == 4)
    }

    @Test func anAliasThatIsNotUnderstoodIsAWarning() throws {
        let configuration = try read(environment: ["OTHER_PORT": "auto"])
        #expect(configuration.number("media-port") == nil)
        #expect(configuration.warnings == ["environment variable OTHER_PORT: “auto” is not understood"])
    }

    @Test func whatIsWrongIsNamedWithItsPlaceAndWhatIsAllowed() {
        #expect(
            trouble { try read(file: "{\n  \"medai-port\": 1 }") }.contains(
                "a.json, line 2, column 3: there is no setting 'medai-port' (did you mean 'media-port'?)"))
        #expect(
            trouble { try read(file: "{\"media-port\": \"x\"}") }
                == "a.json, line 1, column 2: media-port is the string 'x'; it must be a number")
        #expect(trouble { try read(file: "[1]") } == "a.json: expected an object of settings, found a list")
        #expect(trouble { try read(file: "{") }.hasPrefix("a.json, line 1, column 2: "))
        #expect(
            trouble { try read(environment: ["TESSERA_MEDIA_PORT": "70000"]) }
                == "environment variable TESSERA_MEDIA_PORT: media-port is “70000”; "
                + "it must be a whole number from 0 to 65535")
        #expect(
            trouble { try read(options: [("log", ["infos"])]) }
                == "--log is “infos”; it must be info or warning (did you mean 'info'?)")
        #expect(trouble { try read(options: [("ice-tcp", ["maybe"])]) }.contains("true or false"))
        #expect(trouble { try read(file: "{\"log\": [\"info\"]}") }.contains("it must be one value"))
        #expect(trouble { try read(options: [("metadata", ["{"])]) }.contains("it must be JSON"))
    }

    @Test func secretsAreNotListed() throws {
        let text = try read(options: [("stun", ["secret"]), ("media-port", ["5"])]).listing(hidden: ["stun"])
        #expect(!text.contains("secret"))
        #expect(text.contains("media-port") && text.contains("5   (command line)"))
    }

    @Test func metadataIsKeptAsItsText() throws {
        #expect(try read(file: "{\"metadata\": {\"a\": [1, 2]}}").text("metadata") == #"{"a":[1,2]}"#)
    }
}
