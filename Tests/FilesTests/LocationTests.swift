import Files
import Testing

@Suite struct LocationTests {
    @Test(arguments: [
        ("/a/b.webm", "/a/b.webm"), ("a b.webm", "a b.webm"), ("file:///a/b%20c.webm", "/a/b c.webm"),
        ("file://localhost/a", "/a"), ("file:/a%20b", "/a%20b"), ("FILE:a:b", "a:b"), ("./a:b", "./a:b"),
        ("/x/http://y", "/x/http://y"), ("file:///100%", "/100%"),
    ]) func paths(text: String, path: String) throws {
        let location = try Location(text, schemes: ["file"])
        #expect(location.path == path)
        #expect(location.name == path)
    }

    @Test(arguments: [
        "", "concat:a|b", "subfile,,start,0,end,0,,:/etc/passwd", "pipe:", "http://h/a", "a:b", "file://host/a",
        "a\0b", "file://", "file:///a%00b",
    ]) func refusals(text: String) {
        #expect {
            try Location(text, schemes: ["file"])
        } throws: { error in
            if case FileError.refused? = error as? FileError { "\(error)".hasSuffix(".") } else { false }
        }
    }

    @Test func secretsStayOutOfMessages() throws {
        let location = try Location("https://me:secret@example.org/a@b.mp4", schemes: ["https"])
        #expect(location.name == "https://example.org/a@b.mp4")
        #expect(location.path == nil && location.scheme == "https")
    }
}
