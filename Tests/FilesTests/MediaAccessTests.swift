import Core
import Files
import Foundation
import TestKit
import Testing

@Suite struct MediaAccessTests {
    /// allowed/in.webm, secret.webm beside it, and links both ways.
    private static func folder() throws -> String {
        let root = try Shell.scratch("access")
        for folder in ["allowed/sub", "other"] {
            try FileManager.default.createDirectory(atPath: "\(root)/\(folder)", withIntermediateDirectories: true)
        }
        for file in ["allowed/in.webm", "secret.webm", "other/o.webm"] {
            try TestMedia.write([1], to: "\(root)/\(file)")
        }
        for (link, target) in [
            ("allowed/link.webm", "../secret.webm"), ("allowed/up", ".."), ("way-in", "allowed"),
            ("allowed/dangling.webm", "../not-there.webm"), ("allowed/inside.webm", "in.webm"),
        ] {
            try FileManager.default.createSymbolicLink(atPath: "\(root)/\(link)", withDestinationPath: target)
        }
        return root
    }

    private func confined(_ root: String) -> MediaAccess {
        var access = MediaAccess()
        access.readableFolders = ["\(root)/allowed"]
        access.writableFolders = ["\(root)/allowed/sub"]
        return access
    }

    @Test(arguments: ["allowed/in.webm", "allowed/sub/../in.webm", "way-in/in.webm", "allowed/inside.webm"])
    func maysBeRead(_ path: String) throws {
        let root = try Self.folder()
        let location = try confined(root).location("file://\(root)/\(path)", for: .reading)
        #expect(location.path?.hasSuffix("/allowed/in.webm") == true, "opened without links: \(location)")
    }

    @Test(arguments: [
        "secret.webm", "allowed/../secret.webm", "allowed/link.webm", "allowed/up/secret.webm", "other/o.webm",
        "allowed/dangling.webm", "allowed/none.webm", "allowed",
    ]) func mayNotBeRead(_ path: String) throws {
        let root = try Self.folder()
        #expect(throws: FileError.self) { try confined(root).location("\(root)/\(path)", for: .reading) }
        var nothing = confined(root)
        nothing.readableFolders = []
        #expect(throws: FileError.self) { try nothing.location("\(root)/allowed/in.webm", for: .reading) }
    }

    @Test func writing() throws {
        let root = try Self.folder()
        let access = confined(root)
        for path in ["allowed/sub/new.webm", "allowed/sub/a/b/new.webm", "allowed/sub/./x/new.webm"] {
            #expect(try access.location("\(root)/\(path)", for: .writing).path?.contains("/allowed/sub/") == true)
        }
        for path in [
            "allowed/new.webm", "allowed/sub/../new.webm", "allowed/sub/a/../../../new.webm", "allowed/dangling.webm",
            "allowed/up/allowed/new.webm", "new.webm",
        ] {
            #expect(throws: FileError.self, "\(path)") { try access.location("\(root)/\(path)", for: .writing) }
        }
    }

    @Test func schemesAndHosts() throws {
        var access = MediaAccess()
        access.readableSchemes = ["rtsp", "http"]
        access.hosts = ["*.example.org", "10.0.0.1"]
        #expect(throws: Never.self) { try access.location("rtsp://user:pw@cam.example.org/x", for: .reading) }
        #expect(throws: Never.self) { try access.location("http://10.0.0.1:80/x", for: .reading) }
        for uri in [
            "http://example.com/a", "http://notexample.org/a", "https://a.example.org/", "/etc/passwd", "file:///etc/x",
            "http://user@10.0.0.2/x#10.0.0.1",
        ] {
            #expect(throws: FileError.self, "\(uri)") { try access.location(uri, for: .reading) }
        }
    }

    @Test func privateNetworks() throws {
        var access = MediaAccess()
        access.allowsPrivateNetworks = false
        for host in [
            "127.0.0.1", "localhost", "10.1.2.3", "192.168.0.1", "169.254.169.254", "[::1]", "[fd00::1]", "0.0.0.0",
        ] {
            #expect(throws: FileError.self, "\(host)") { try access.location("http://\(host)/x", for: .reading) }
        }
        #expect(throws: Never.self) { try access.location("http://93.184.216.34/x", for: .reading) }
        #expect(IPAddress("64:ff9b::7f00:1")?.isGloballyReachable == false)
        #expect(IPAddress("2002:7f00:1::1")?.isGloballyReachable == false)
        #expect(IPAddress("2606:4700::1111")?.isGloballyReachable == true)
    }

    @Test func names() {
        var access = MediaAccess()
        #expect(access.place("a.webm") == "a.webm")
        access.defaultPath = "file:///var/lib/kurento/"
        #expect(access.place("a.webm") == "file:///var/lib/kurento/a.webm")
        #expect(access.place("/a.webm") == "file:///var/lib/kurento/a.webm")
        #expect(access.place("http://h/a") == "http://h/a")
        #expect(MediaAccess.unescapingSlashes("file:///a%2Fb%2fc%20%2") == "file:///a/b/c%20%2")
    }
}
