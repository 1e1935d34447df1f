import Core
import Glibc

/// One accepted connection, for blocking calls of one I/O thread at a time. `cancel` may come from any thread.
final class UploadConnection: Sendable {
    private let descriptor: Int32
    private let isCancelled = Lock(false)
    private let now: @Sendable () -> Instant
    /// How often a wait looks up.
    private static let tick: Int32 = 100
    /// After the answer the client's rest is read for so long, so that a reset does not take the answer from it.
    private static let lingerMax = MediaTime.milliseconds(1000)

    init(_ descriptor: Int32, now: @escaping @Sendable () -> Instant) {
        self.descriptor = descriptor
        self.now = now
    }

    // The descriptor is closed by the last reference only, so no thread can meet another file under its number.
    deinit { close(descriptor) }

    /// Ends the call that waits and all later ones.
    func cancel() {
        isCancelled.withLock { $0 = true }
        shutdown(descriptor, Int32(SHUT_RDWR))
    }

    enum Received { case bytes(Int), end, timedOut }

    /// Waits for bytes, until `deadline` at the longest.
    func receive(into buffer: UnsafeMutableRawBufferPointer, until deadline: Instant) -> Received {
        while true {
            guard !isCancelled.withLock({ $0 }) else { return .end }
            var watched = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let ready = poll(&watched, 1, UploadConnection.tick)
            if ready > 0 {
                let count = recv(descriptor, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
                if count > 0 { return .bytes(count) }
                if count == 0 || errno != EAGAIN && errno != EINTR { return .end }
            } else if ready < 0, errno != EINTR {
                return .end
            }
            if now() >= deadline { return .timedOut }
        }
    }

    func send(_ text: String) {
        let bytes = Array(text.utf8)
        // So little always fits into an empty socket's buffer.
        _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
    }

    /// Sends the last answer and ends the connection.
    func finish(_ status: Int, _ reason: String, _ text: String, headers: String = "") {
        send(
            "HTTP/1.1 \(status) \(reason)\r\nContent-Type: text/plain; charset=utf-8\r\n"
                + "Content-Length: \(text.utf8.count + 1)\r\nAccess-Control-Allow-Origin: *\r\n\(headers)"
                + "Connection: close\r\n\r\n\(text)\n")
        shutdown(descriptor, Int32(SHUT_WR))
        let deadline = now() + UploadConnection.lingerMax
        withUnsafeTemporaryAllocation(byteCount: 64 << 10, alignment: 1) { buffer in
            while now() < deadline, case .bytes = receive(into: buffer, until: deadline) {}
        }
    }
}
