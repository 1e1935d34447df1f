import Testing

/// Which room may import which: the table of ARCHITECTURE.md. Package.swift says the same to the compiler; here the
/// direction of the arrows is kept when Package.swift changes.
private let mayImport: [String: Set<String>] = {
    let c: Set<String> = [
        "CLinux", "CFFmpeg", "COpus", "CVpx", "CYUV", "CScale", "COpenSSL", "CSRTP", "CSCTP", "CWebSockets",
        "CPango", "CZBar", "COpenCV",
    ]
    let protocols: Set<String> = ["RTP", "ICE", "SDP", "Transport", "WebRTC"]
    let system: Set<String> = ["Glibc", "Synchronization"]
    let layers: [(String, Set<String>)] = [
        ("Core", []),
        ("RTP", ["Core"]),
        ("ICE", ["Core"]),
        ("SDP", ["Core"]),
        ("Transport", ["Core", "COpenSSL", "CSRTP", "CSCTP"]),
        ("Media", ["Core"]),
        ("WebRTC", ["Core", "RTP", "ICE", "SDP", "Transport"]),
        ("Codecs", ["Core", "Media", "CFFmpeg", "COpus", "CVpx", "CYUV"]),
        ("Mixing", ["Core", "Media", "CYUV", "CScale"]),
        ("Files", ["Core", "Media", "CFFmpeg"]),
        ("Graphics", ["Core", "Media", "CFFmpeg", "CPango"]),
        ("Vision", ["Core", "Media", "COpenCV", "CZBar"]),
        (
            "Elements",
            protocols.union(["Core", "Media", "Codecs", "Mixing", "Files", "Graphics", "Vision"])
        ),
        ("Control", ["Core", "Media", "Mixing", "Files", "Elements"]),
        ("Reactor", ["Core", "CLinux", "CWebSockets"]),
        (
            "tessera",
            c.union(protocols).union([
                "Core", "Media", "Codecs", "Mixing", "Files", "Elements", "Control", "Reactor",
            ])
        ),
        (
            "TestKit",
            protocols.union(["Core", "Media", "Codecs", "Mixing", "Files", "Elements", "Control", "Foundation"])
        ),
    ]
    return Dictionary(uniqueKeysWithValues: layers.map { ($0.0, $0.1.union(system)) })
}()

struct LayersTests {
    private static let kinds: Set<Substring> = [
        "struct", "class", "enum", "func", "var", "let", "protocol", "typealias",
    ]

    /// The module a line of code imports, if it does.
    private func imported(_ line: String) -> String? {
        let words = line.split(separator: " ")
        guard let keyword = words.firstIndex(of: "import"), keyword + 1 < words.count,
            words[..<keyword].allSatisfy({
                $0.hasPrefix("@") || ["package", "internal", "private", "fileprivate", "public"].contains($0)
            })
        else { return nil }
        let names = words[(keyword + 1)...].drop { Self.kinds.contains($0) }
        return names.first.map { String($0.prefix { $0 != "." }) }
    }

    @Test("Rooms import only rooms above them", arguments: Repository.rooms)
    func imports(_ room: String) throws {
        let allowed = try #require(
            mayImport[room], "\(room) is not in the table of layers: give it a place there and in ARCHITECTURE.md")
        for file in Repository.swiftSources where file.room == room {
            for (number, line) in file.code.enumerated() {
                if let module = imported(line), !allowed.contains(module) {
                    Issue.record(
                        """
                        \(file.path):\(number + 1): \(room) may import \(allowed.sorted().joined(separator: ", ")), not \
                        \(module); move the code to a lower room, or pass in what it needs behind a protocol
                        """)
                }
            }
        }
    }

    @Test func importsAreRecognised() {
        #expect(imported("import Core") == "Core")
        #expect(imported("package import Core") == "Core")
        #expect(imported("@testable import Core  // why".code) == "Core")
        #expect(imported("@_spi(X) import struct Media.Frame") == "Media")
        #expect(imported("// import Core".code) == nil)
        #expect(imported("let important = 1") == nil)
    }

    @Test("Every file belongs to a room that exists") func allSourcesAreSeen() {
        #expect(Set(Repository.swiftSources.map(\.room)).subtracting(["C"]).isSubset(of: mayImport.keys))
    }
}
