/// One thing about a server that can be set, by one name in three places: `"media-port": 40000` in a file,
/// `TESSERA_MEDIA_PORT=40000` in the environment, `--media-port 40000` on the command line.
package struct Setting: Sendable {
    /// What a value may look like.
    package enum Kind: Hashable, Sendable {
        /// Yes or no; on the command line its presence is yes.
        case flag
        case text
        case number(ClosedRange<Int>)
        case choice([String])
        /// Any JSON; in the environment and on the command line as its text.
        case json
    }

    /// Lower case words with hyphens.
    package var name: String
    package var kind: Kind
    /// Several values: a list in a file, with commas in the environment, repeated on the command line.
    package var isList: Bool
    /// What stands for the value in help, as `N` or `HOST:PORT`.
    package var placeholder: String
    package var doc: String
    /// In words; nil where being left out means that it is off or empty.
    package var defaultText: String?

    package init(
        _ name: String, _ kind: Kind, _ placeholder: String, list: Bool = false, default defaultText: String? = nil,
        _ doc: String
    ) {
        self.name = name
        self.kind = kind
        self.isList = list
        self.placeholder = placeholder
        self.doc = doc
        self.defaultText = defaultText
    }

    /// A yes or no.
    package init(flag name: String, default defaultText: String = "false", _ doc: String) {
        self.init(name, .flag, "", default: defaultText, doc)
    }

    /// As the environment knows it.
    package var variable: String { SettingTable.prefix + name.uppercased().replacing("-", with: "_") }
    package var flag: String { "--" + name }

    /// What is wrong with a value, as the end of a sentence that begins with its name; nil if nothing is.
    func complaint(about text: String) -> String? {
        switch kind {
        case .flag:
            return Configuration.truth(text) == nil ? "it must be true or false" : nil
        case .number(let range):
            if let number = Int(text), range.contains(number) { return nil }
            return "it must be a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .choice(let words):
            return words.contains(text) ? nil : "it must be \(listed(words))" + suggestion(for: text, among: words)
        case .text: return text.isEmpty ? "leave it out rather than empty" : nil
        case .json:
            do { _ = try JSONNode(parsing: text) } catch { return "it must be JSON (\(error))" }
            return nil
        }
    }
}

/// Everything that can be set, in groups, as help and documentation list it.
package struct SettingTable: Sendable {
    package struct Group: Sendable {
        package var title: String
        package var settings: [Setting]
        package init(_ title: String, _ settings: [Setting]) {
            self.title = title
            self.settings = settings
        }
    }
    /// Variables of another server that mean the same: `KMS_MTU` and the like. The function makes the value of its
    /// setting from those that are there, or says what is wrong with them.
    package struct Alias: Sendable {
        package enum Reading: Sendable {
            case values([String])
            case notUnderstood(String)
            case absent
        }
        package var variables: [String]
        package var setting: String
        package var read: @Sendable ([String: String]) -> Reading

        package init(
            _ variables: [String], _ setting: String, read: @escaping @Sendable ([String: String]) -> Reading
        ) {
            self.variables = variables
            self.setting = setting
            self.read = read
        }
    }
    static let prefix = "TESSERA_"

    package var groups: [Group]
    package var aliases: [Alias]
    package var settings: [Setting] { groups.flatMap(\.settings) }

    package init(_ groups: [Group], aliases: [Alias] = []) {
        self.groups = groups
        self.aliases = aliases
    }

    package subscript(name: String) -> Setting? { settings.first { $0.name == name } }

    /// The options of a command's help, two columns.
    package func help(width: Int) -> String {
        let column = 24
        var out = ""
        for group in groups {
            out += "\(group.title):\n"
            for setting in group.settings {
                let left = "  " + setting.flag + (setting.placeholder.isEmpty ? "" : " " + setting.placeholder)
                let lines = wrapped(Self.sentence(setting), to: max(40, width - column))
                let isShort = cellWidth(left) < column
                out += isShort ? padded(left, to: column) : left + "\n"
                for (index, line) in lines.enumerated() {
                    out += (index == 0 && isShort ? "" : String(repeating: " ", count: column)) + line + "\n"
                }
            }
            out += "\n"
        }
        return out
    }

    private static func sentence(_ setting: Setting) -> String {
        var notes: [String] = []
        if setting.isList { notes.append("repeatable") }
        if let text = setting.defaultText, text != "false" { notes.append("default \(text)") }
        return setting.doc + (notes.isEmpty ? "" : " (\(notes.joined(separator: "; ")))")
    }

    /// The same as tables for a page.
    package var markdown: String {
        var out = ""
        for group in groups {
            out += "## \(group.title)\n\n| name | value | default | meaning |\n| --- | --- | --- | --- |\n"
            for setting in group.settings {
                let value =
                    setting.kind == .flag ? "true, false" : setting.placeholder.replacing("|", with: "\\|")
                out += "| `\(setting.name)` | \(value)\(setting.isList ? ", a list" : "") "
                out += "| \(setting.defaultText ?? "") | \(setting.doc.replacing("|", with: "\\|")) |\n"
            }
            out += "\n"
        }
        return out
    }
}
