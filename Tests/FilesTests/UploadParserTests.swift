import Core
import Files
import Testing

/// The parsers of an upload, at once and byte by byte.
@Suite struct UploadParserTests {
    private func head(_ lines: [String]) throws -> UploadHead {
        try UploadHead((["POST /x?y=1 HTTP/1.1"] + lines).joined(separator: "\r\n").utf8)
    }

    @Test func heads() throws {
        let head = try head(["Host: h", "Content-Type:  video/webm ", "content-length: 5"])
        #expect(head.method == "POST" && head.path == "/x")
        #expect(head.headers["content-type"] == "video/webm" && head.headers["content-length"] == "5")
        for bad in [
            "", "POST", "POST /x", "POST x HTTP/1.1", "POST /x HTTP/2", "POST /x HTTP/1.1\r\nno colon",
            "POST /x HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2", "POST /x HTTP/1.1\r\n : x",
        ] {
            #expect(throws: UploadError.self, "\(bad)") { try UploadHead(bad.utf8) }
        }
    }

    private func decode(_ text: String, _ lines: [String], piece: Int) throws -> (text: String, isComplete: Bool) {
        var body = try UploadBody(try head(lines))
        var out: [UInt8] = []
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: piece) {
            try body.take(bytes[start..<min(bytes.count, start + piece)], into: &out)
        }
        return (String(decoding: out, as: UTF8.self), body.isComplete)
    }

    @Test(arguments: [1, 3, 1000]) func bodies(_ piece: Int) throws {
        let chunked = ["Transfer-Encoding: chunked"]
        #expect(try decode("hello there", ["Content-Length: 5"], piece: piece) == ("hello", true))
        #expect(try decode("hell", ["Content-Length: 5"], piece: piece) == ("hell", false))
        #expect(try decode("5\r\nhello\r\n0\r\n\r\nmore", chunked, piece: piece) == ("hello", true))
        #expect(
            try decode("A;x=y\r\n0123456789\r\n1\nz\n0\r\nTrailer: x\r\n\r\n", chunked, piece: piece)
                == ("0123456789z", true))
        #expect(try decode("5\r\nhello\r\n0\r\n", chunked, piece: piece) == ("hello", false))
        for bad in ["x", "5\r\nhello!", "\r\n", "1111111111111111\r\n", "0\r\n" + String(repeating: "a", count: 5000)] {
            #expect(throws: UploadError.self, "\(bad.prefix(20))") { try decode(bad, chunked, piece: piece) }
        }
        for bad in [[], ["Content-Length: x"], ["Content-Length: -1"], ["Transfer-Encoding: gzip"]] {
            #expect(throws: UploadError.self, "\(bad)") { try decode("", bad, piece: piece) }
        }
    }

    private func file(_ text: String, boundary: String = "b", piece: Int) throws -> (text: String, isComplete: Bool) {
        var parts = try #require(try MultipartFile(contentType: "multipart/form-data; boundary=\(boundary)"))
        var out: [UInt8] = []
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: piece) {
            try parts.take(bytes[start..<min(bytes.count, start + piece)], into: &out)
        }
        return (String(decoding: out, as: UTF8.self), parts.isComplete)
    }

    @Test(arguments: [1, 2, 7, 1000]) func forms(_ piece: Int) throws {
        let field = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n"
        let start =
            "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\nContent-Type: video/webm\r\n\r\n"
        #expect(try file(start + "media\r\n--x\r\n-\r\n--b--\r\n", piece: piece) == ("media\r\n--x\r\n-", true))
        #expect(try file("preamble\r\n" + field + start + "two\r\n--b\r\nmore", piece: piece) == ("two", true))
        #expect(try file(field + start + "cut", piece: piece).isComplete == false)
        #expect(throws: UploadError.self) { try file(field + "--b--\r\n", piece: piece) }
        #expect(throws: UploadError.self) {
            try file("--b\r\n" + String(repeating: "x", count: 20_000), piece: piece * 50)
        }
        #expect(try MultipartFile(contentType: "video/webm") == nil)
        for bad in ["multipart/form-data", "multipart/form-data; boundary=", "multipart/x; boundary=\"\""] {
            #expect(throws: UploadError.self) { try MultipartFile(contentType: bad) }
        }
        #expect(
            try file("--q r\r\nContent-Type: audio/ogg\r\n\r\nz\r\n--q r--", boundary: "\"q r\"; x=y", piece: piece)
                == ("z", true))
    }
}
