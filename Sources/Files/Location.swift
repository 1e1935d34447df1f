import Core
import Glibc

/// A file path or URL as a user writes it, checked against the schemes that are allowed.
///
/// A text is a URL if something stands before its first colon and no slash does; so `concat:a|b`, `subfile,,start:…`
/// and `pipe:0` are URLs and are refused by default. A path with a colon in its first part is written `./a:b` or
/// `file:a:b`.
package struct Location: Hashable, Sendable {
    /// Path in the file system, or nil for another URL.
    package let path: String?
    /// `file`, `http`, …, in lower case.
    package let scheme: String
    /// For messages: the path, or the URL without user name and password.
    package let name: String
    /// What libavformat opens; always with an explicit protocol.
    let library: String

    package var isFile: Bool { path != nil }

    /// Throws `.refused` for a scheme that is not in `schemes`, and for a path with a zero byte.
    package init(_ text: String, schemes: Set<String>) throws(FileError) {
        guard !text.isEmpty else { throw .refused(url: text, reason: "an empty path names nothing") }
        guard !text.utf8.contains(0) else { throw .refused(url: text, reason: "a path cannot hold a zero byte") }
        let scheme = MediaAccess.scheme(of: text)
        self.scheme = scheme ?? "file"
        guard schemes.contains(self.scheme) else {
            let allowed = schemes.sorted().joined(separator: ", ")
            throw .refused(
                url: Location.redacted(text),
                reason: "“\(self.scheme)” is not one of the allowed schemes (\(allowed))")
        }
        guard self.scheme == "file" else {
            path = nil
            name = Location.redacted(text)
            // GStreamer's way to say how RTSP is to be carried.
            library = ["rtspt", "rtspu"].contains(self.scheme) ? "rtsp" + text.dropFirst(5) : text
            return
        }
        let path = scheme == nil ? text : try Location.filePath(text)
        self.path = path
        name = path
        library = "file:" + path
    }

    /// A path that was checked already.
    init(path: String) {
        self.path = path
        scheme = "file"
        name = path
        library = "file:" + path
    }

    /// Whether media comes as it happens, at its own pace, instead of lying there to be fetched.
    package var isLive: Bool { ["rtsp", "rtsps", "rtspt", "rtspu", "rtmp", "rtmps", "srt", "udp"].contains(scheme) }
    var isRTSP: Bool { scheme.hasPrefix("rtsp") }

    /// The path of a `file:` URL (RFC 8089): `file:/a`, `file:///a`, `file://localhost/a`, per-cent escapes decoded
    /// in the forms with an authority.
    private static func filePath(_ text: String) throws(FileError) -> String {
        let rest = text.dropFirst(5)
        guard rest.hasPrefix("//") else { return String(rest) }
        let authority = rest.dropFirst(2).prefix { $0 != "/" }
        guard authority.isEmpty || authority == "localhost" else {
            throw .refused(url: text, reason: "a file URL cannot name another host")
        }
        var bytes: [UInt8] = []
        var source = Array(rest.dropFirst(2 + authority.count).utf8)[...]
        while let byte = source.popFirst() {
            let digits = source.prefix(2)
            if byte == UInt8(ascii: "%"), digits.count == 2,
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                source = source.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        guard !bytes.isEmpty, !bytes.contains(0) else { throw .refused(url: text, reason: "it names no file") }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The URL without user name and password.
    package static func redacted(_ text: String) -> String {
        guard let start = text.range(of: "://")?.upperBound else { return text }
        let authority = text[start...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard let at = authority.lastIndex(of: "@") else { return text }
        return String(text[..<start] + text[text.index(after: at)...])
    }

    /// Checks that a path names a regular file with something in it, so that the message is ours and a pipe or a
    /// device never blocks.
    static func checkReadable(_ path: String) throws(FileError) {
        var status = stat()
        guard stat(path, &status) == 0 else { throw FileError(errno: errno, path: path, call: "stat") }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notAFile(path: path) }
        guard access(path, R_OK) == 0 else { throw FileError(errno: errno, path: path, call: "access") }
        guard status.st_size > 0 else { throw .empty(path: path) }
    }
}

extension String {
    /// The first occurrence of a text (without Foundation).
    fileprivate func range(of other: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(other) { return start..<index(start, offsetBy: other.count) }
            start = index(after: start)
        }
        return nil
    }
}
