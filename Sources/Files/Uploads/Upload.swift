import Core
import Glibc

/// A media file that a client is sending over HTTP, for whoever plays it. Handed over once its head is read; the body
/// is read by the thread of the demuxer, as fast as that takes it.
package final class Upload: Sendable {
    package let head: UploadHead
    private let connection: UploadConnection
    /// What came behind the head in the same piece.
    private let rest: [UInt8]
    private let options: UploadServer.Options
    private let now: @Sendable () -> Instant
    private let onOver: @Sendable () -> Void

    init(
        _ head: UploadHead, rest: [UInt8], connection: UploadConnection, options: UploadServer.Options,
        now: @escaping @Sendable () -> Instant, onOver: @escaping @Sendable () -> Void
    ) {
        self.head = head
        self.rest = rest
        self.connection = connection
        self.options = options
        self.now = now
        self.onOver = onOver
    }

    deinit { onOver() }

    /// Cuts the connection; from any thread.
    package func cancel() { connection.cancel() }

    /// Reads the body as media. Blocks; the client gets its answer when the body is over or cannot be played.
    package func demuxer(interrupt: Interrupt) throws(FileError) -> Demuxer {
        let name = "the upload to \(head.path)"
        let source: UploadSource
        do throws(UploadError) {
            source = try UploadSource(
                head, rest: rest, connection: connection, options: options, now: now, owner: self)
        } catch {
            connection.finish(400, "Bad Request", error.description)
            throw .truncated(path: name, what: error.description)
        }
        do throws(FileError) {
            let demuxer = try Demuxer(source: source, name: name, interrupt: interrupt)
            source.accept()
            return demuxer
        } catch {
            source.finish(415, "Unsupported Media Type", "\(error)")
            throw error
        }
    }
}

/// The body of an upload as bytes for a demuxer. MP4 files whose index comes last are kept in a nameless file on disk,
/// so that the demuxer can go to the index and back; everything else is read once, from front to back, and nothing of
/// it is kept.
final class UploadSource: ByteSource {
    private var body: UploadBody
    private var multipart: MultipartFile?
    private let connection: UploadConnection
    private let options: UploadServer.Options
    private let now: @Sendable () -> Instant
    /// Kept: while its source lives, the upload is under way.
    private let owner: Upload
    /// Freed of all framing, from `taken` on not read yet.
    private var ready: [UInt8] = []
    private var taken = 0
    private var raw = [UInt8](repeating: 0, count: 64 << 10)
    private var isOver = false
    private var isAnswered = false
    /// The demuxer can play it.
    private var isAccepted = false
    // What is kept on disk: all that came so far, `stored` bytes; reading goes on at `position`.
    private var spool: Int32 = -1
    private var stored: Int64 = 0
    private var position: Int64 = 0

    var size: Int64? { nil }
    private(set) var isSeekable = false
    /// Enough to see in which order an MP4 file's first boxes come.
    private static let peekBytes = 4096

    init(
        _ head: UploadHead, rest: [UInt8], connection: UploadConnection, options: UploadServer.Options,
        now: @escaping @Sendable () -> Instant, owner: Upload
    ) throws(UploadError) {
        self.connection = connection
        self.options = options
        self.now = now
        self.owner = owner
        body = try UploadBody(head)
        multipart = try MultipartFile(contentType: head.headers["content-type"] ?? "")
        if head.headers["expect"]?.lowercased() == "100-continue" {
            connection.send("HTTP/1.1 100 Continue\r\n\r\n")
        }
        try unwrap(rest[...])
        while !isOver, ready.count < UploadSource.peekBytes { try receive() }
        if UploadSource.hasIndexLast(ready) { openSpool() }
    }

    deinit {
        if spool >= 0 { close(spool) }
        finish(200, "OK", "played")
    }

    /// The body can be played: the answer is yes, once all of it is there.
    func accept() {
        isAccepted = true
        confirm()
    }

    private func confirm() {
        let isRead = spool >= 0 ? position == stored && ready.isEmpty : taken == ready.count
        if isAccepted, isOver, isRead { finish(200, "OK", "received") }
    }

    /// Answers the client, once.
    func finish(_ status: Int, _ reason: String, _ text: String) {
        guard !isAnswered else { return }
        isAnswered = true
        connection.finish(status, reason, text)
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        if spool >= 0 { return try readStored(into: buffer) }
        do throws(UploadError) {
            while taken == ready.count, !isOver {
                ready.removeAll(keepingCapacity: true)
                taken = 0
                try receive()
            }
        } catch {
            finish(400, "Bad Request", error.description)
            throw .truncated(path: "the upload", what: error.description)
        }
        let count = min(buffer.count, ready.count - taken)
        buffer.copyBytes(from: ready[taken..<(taken + count)])
        taken += count
        confirm()
        return count
    }

    // MARK: The connection

    /// Waits for the next piece.
    private func receive() throws(UploadError) {
        let deadline = now() + options.idleMax
        let received = raw.withUnsafeMutableBytes { connection.receive(into: $0, until: deadline) }
        switch received {
        case .bytes(let count): try unwrap(raw[..<count])
        case .end, .timedOut:
            isOver = true
            throw .cutOff
        }
    }

    private func unwrap(_ bytes: ArraySlice<UInt8>) throws(UploadError) {
        if multipart == nil {
            try body.take(bytes, into: &ready)
        } else {
            var inner: [UInt8] = []
            try body.take(bytes, into: &inner)
            try multipart?.take(inner, into: &ready)
            if body.isComplete, multipart?.isComplete == false { throw .badMultipart }
        }
        // Behind the file more parts may follow; they are read and forgotten when the answer has gone out.
        if body.isComplete || multipart?.isComplete == true { isOver = true }
    }

    // MARK: On disk

    /// Whether an MP4 file's media lies before its index (`mdat` before `moov`).
    static func hasIndexLast(_ bytes: [UInt8]) -> Bool {
        var offset = 0
        while offset + 16 <= bytes.count {
            let type = bytes[(offset + 4)..<(offset + 8)]
            if offset == 0, !type.elementsEqual("ftyp".utf8), !type.elementsEqual("wide".utf8) { return false }
            if type.elementsEqual("mdat".utf8) { return true }
            if type.elementsEqual("moov".utf8) || type.elementsEqual("moof".utf8) { return false }
            let size = bytes[offset..<(offset + 4)].reduce(0) { $0 << 8 | Int($1) }
            guard size >= 8 else { return false }
            offset += size
        }
        return false
    }

    private func openSpool() {
        var path = Array((options.spoolFolder + "/tessera-upload-" + String(repeating: "X", count: 6)).utf8CString)
        spool = mkstemp(&path)
        // Its name goes at once, so nothing stays behind whatever happens.
        if spool >= 0 {
            unlink(path)
            _ = fcntl(spool, F_SETFD, FD_CLOEXEC)
        }
        // Without a place for it the demuxer says what it misses.
        isSeekable = spool >= 0
    }

    private func readStored(into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        do throws(UploadError) {
            try store()
            while position >= stored, !isOver {
                try receive()
                try store()
            }
        } catch {
            finish(400, "Bad Request", error.description)
            throw .truncated(path: "the upload", what: error.description)
        }
        guard position < stored else { return 0 }
        let count = pread(spool, buffer.baseAddress, min(buffer.count, Int(clamping: stored - position)), Int(position))
        guard count > 0 else { throw FileError(errno: errno, path: options.spoolFolder, call: "pread") }
        position += Int64(count)
        confirm()
        return count
    }

    /// Moves what came to disk.
    private func store() throws(UploadError) {
        guard stored + Int64(ready.count) <= options.spoolBytesMax else { throw .cutOff }
        var done = 0
        while done < ready.count {
            let count = ready.withUnsafeBytes {
                pwrite(spool, $0.baseAddress.map { $0 + done }, $0.count - done, Int(stored) + done)
            }
            guard count > 0 else { throw .cutOff }
            done += count
        }
        stored += Int64(done)
        ready.removeAll(keepingCapacity: true)
    }

    func seek(to offset: Int64) throws(FileError) {
        guard isSeekable else { throw .notSeekable(path: "the upload") }
        position = max(0, offset)
    }
}
