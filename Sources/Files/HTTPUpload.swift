import CFFmpeg
import Core

/// Sends a body of unknown length to an HTTP server, chunked (RFC 9112, section 7.1), and hears what it says to it.
///
/// Every call may block, for as long as the `Interrupt` allows. Sockets and TLS are libavformat's; its own HTTP client
/// would not tell the answer. User name and password in the URL are sent as Basic credentials. Redirects are not
/// followed: the body is gone by the time they come.
final class HTTPUpload {
    private var connection: UnsafeMutablePointer<AVIOContext>?
    private let location: Location
    private let interrupt: Interrupt
    private let timeout: MediaTime?
    /// An answer's head is at most so long.
    private static let headBytesMax = 16 << 10

    init(
        _ location: Location, method: String, contentType: String, interrupt: Interrupt, timeout: MediaTime?
    ) throws(FileError) {
        self.location = location
        self.interrupt = interrupt
        self.timeout = timeout
        let target = Target(location.library, isSecure: location.scheme == "https")
        guard let target else { throw .refused(url: location.name, reason: "it names no host") }
        Library.prepare
        var dictionary: OpaquePointer?
        defer { av_dict_free(&dictionary) }
        av_dict_set(&dictionary, "protocol_whitelist", "tcp,tls", 0)
        if let timeout { av_dict_set(&dictionary, "rw_timeout", "\(timeout.nanoseconds / 1000)", 0) }
        var pointer: UnsafeMutablePointer<AVIOContext>?
        var callback = interrupt.callback
        interrupt.allow(timeout)
        let code = avio_open2(
            &pointer, target.socket, AVIO_FLAG_READ_WRITE | AVIO_FLAG_DIRECT, &callback, &dictionary)
        guard code >= 0, let pointer else {
            throw FileError(code: code, location: location, call: "avio_open2", interrupt: interrupt)
        }
        connection = pointer
        var head = "\(method) \(target.path) HTTP/1.1\r\nHost: \(target.host)\r\nUser-Agent: Tessera\r\n"
        head += "Content-Type: \(contentType)\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
        if let credentials = target.credentials { head += "Authorization: Basic \(credentials)\r\n" }
        try send([UInt8]((head + "\r\n").utf8))
    }

    deinit { close() }

    /// Sends one chunk.
    func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
        guard !bytes.isEmpty else { return }
        // The one copy: head, bytes and tail of a chunk leave in one piece.
        try send([UInt8]((String(bytes.count, radix: 16) + "\r\n").utf8) + bytes + [13, 10])
    }

    /// Ends the body and waits for the answer; throws unless it is one of success.
    func finish() throws(FileError) {
        defer { close() }
        try send([UInt8]("0\r\n\r\n".utf8))
        interrupt.allow(timeout)
        guard let answer = readAnswer() else {
            throw interrupt.shouldStop
                ? FileError(
                    code: Int32(cffmpeg_error_exit), location: location, call: "avio_read", interrupt: interrupt)
                : .unreachable(url: location.name, reason: "the server gave no answer")
        }
        guard (200..<300).contains(answer.status) else {
            throw .uploadRefused(url: location.name, status: answer.status, reason: answer.reason)
        }
    }

    func close() {
        guard connection != nil else { return }
        avio_closep(&connection)
    }

    private func send(_ bytes: [UInt8]) throws(FileError) {
        guard let connection else { throw .unreachable(url: location.name, reason: "the connection is closed") }
        avio_write(connection, bytes, Int32(clamping: bytes.count))
        avio_flush(connection)
        let code = connection.pointee.error
        guard code < 0 else { return }
        defer { close() }
        if !interrupt.shouldStop {
            // A server that refuses says so before it hangs up; what it said may still lie there.
            connection.pointee.error = 0
            if let answer = readAnswer(), answer.status >= 300 {
                throw .uploadRefused(url: location.name, status: answer.status, reason: answer.reason)
            }
        }
        throw FileError(code: code, location: location, call: "send", interrupt: interrupt)
    }

    /// The status line of the final answer; nil if none comes.
    private func readAnswer() -> (status: Int, reason: String)? {
        guard let connection else { return nil }
        var received: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 1024)
        while received.count < HTTPUpload.headBytesMax {
            while let end = received.firstRange(of: [13, 10, 13, 10]) {
                let line = String(decoding: received.prefix { $0 != 13 }, as: UTF8.self)
                received.removeFirst(end.upperBound)
                let words = line.split(separator: " ", maxSplits: 2)
                guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else { return nil }
                // Interim answers (RFC 9110, section 15.2) say nothing.
                if status >= 200 { return (status, words.count > 2 ? String(words[2]) : "") }
            }
            let count = avio_read_partial(connection, &block, Int32(block.count))
            guard count > 0 else { return nil }
            received += block[..<Int(count)]
        }
        return nil
    }

    /// A URL taken apart.
    private struct Target {
        /// As libavformat opens it.
        let socket: String
        /// As the Host header names it.
        let host: String
        let path: String
        /// Base64 of `user:password`.
        let credentials: String?

        init?(_ url: String, isSecure: Bool) {
            var texts = [[CChar]](repeating: [CChar](repeating: 0, count: 2048), count: 3)
            var port: Int32 = -1
            let size = Int32(2048)
            var (auth, host, path) = (texts[0], texts[1], texts[2])
            texts = []
            av_url_split(nil, 0, &auth, size, &host, size, &port, &path, size, url)
            func text(_ chars: [CChar]) -> String {
                String(decoding: chars.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            }
            let name = text(host)
            guard !name.isEmpty, !url.utf8.contains(where: { $0 < 0x21 }) else { return nil }
            let bracketed = name.contains(":") ? "[\(name)]" : name
            self.host = port >= 0 ? "\(bracketed):\(port)" : bracketed
            socket = "\(isSecure ? "tls" : "tcp")://\(bracketed):\(port >= 0 ? port : isSecure ? 443 : 80)"
            let given = text(path).prefix { $0 != "#" }
            self.path = given.hasPrefix("/") ? String(given) : "/" + given
            let user = text(auth)
            credentials = user.isEmpty ? nil : Target.base64([UInt8](user.utf8))
        }

        private static func base64(_ bytes: [UInt8]) -> String {
            var out = [CChar](repeating: 0, count: (bytes.count + 2) / 3 * 4 + 1)
            av_base64_encode(&out, Int32(out.count), bytes, Int32(bytes.count))
            return String(decoding: out.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
    }
}
