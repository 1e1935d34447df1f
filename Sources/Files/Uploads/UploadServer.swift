package import Core
import Glibc

/// An HTTP/1.1 server that takes media files sent by POST or PUT and hands each to whoever registered its path. One
/// blocking thread accepts, one per request reads: a demuxer that falls behind leaves the bytes in the socket, so the
/// client waits and memory does not grow.
///
/// Made once by the program; starts at the first use. Thread-safe.
package final class UploadServer: Sendable {
    package struct Options: Hashable, Sendable {
        /// Where it listens; port 0: any free one. Kurento's port is 9091.
        package var address = SocketAddress(.anyV4, 9091)
        /// The host in its URLs: what clients reach this machine by.
        package var announcedHost = "127.0.0.1"
        /// Connections at a time.
        package var connectionsMax = 64
        /// A head must have come by then, and a body may pause for so long.
        package var headMax = MediaTime.seconds(10)
        package var idleMax = MediaTime.seconds(15)
        /// Where MP4 files whose index comes last are kept while they play, without a name, and how long they may be.
        package var spoolFolder = "/tmp"
        package var spoolBytesMax: Int64 = 4 << 30
        package init() {}
    }

    private struct State {
        var port: UInt16?
        /// Closing its other end wakes the accepting thread.
        var alarm: Int32 = -1
        var paths: [String: @Sendable (Upload) -> Void] = [:]
        var busy: Set<String> = []
        var connections = 0
    }

    package let options: Options
    private let host: any Host
    private let state = Lock(State())
    private static let backlog: Int32 = 64

    package init(host: any Host, options: Options = Options()) {
        self.host = host
        self.options = options
    }

    deinit { stop() }

    // MARK: For elements

    /// Makes a path known, starting the server if need be, and returns its URL. `onUpload` is called on a thread of
    /// the server's for each request; one at a time, further ones are refused with 409.
    package func register(
        path: String, onUpload: @escaping @Sendable (Upload) -> Void
    ) throws(NetworkError) -> String {
        let port = try start()
        state.withLock { $0.paths[path] = onUpload }
        let name = options.announcedHost
        return "http://\(name.contains(":") ? "[\(name)]" : name):\(port)\(path)"
    }

    /// Requests to the path are answered with 404 from now on.
    package func unregister(path: String) { state.withLock { _ = $0.paths.removeValue(forKey: path) } }

    /// Accepts no more. Uploads that are under way go on.
    package func stop() {
        let alarm = state.withLock { state in
            defer { (state.alarm, state.port) = (-1, nil) }
            return state.alarm
        }
        if alarm >= 0 { close(alarm) }
    }

    // MARK: The port

    private func start() throws(NetworkError) -> UInt16 {
        if let port = state.withLock({ $0.port }) { return port }
        let (listener, port) = try UploadServer.listen(options.address)
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            close(listener)
            throw NetworkError("cannot listen on \(options.address): \(String(cString: strerror(errno)))")
        }
        state.withLock { ($0.port, $0.alarm) = (port, ends[1]) }
        let (host, alarm) = (host, ends[0])
        Task(executorPreference: host.ioThread(named: "http-post")) { [weak self] in
            UploadServer.accept(listener, alarm: alarm) { descriptor in
                if let self { self.serve(descriptor) } else { close(descriptor) }
            }
        }
        return port
    }

    private static func listen(_ wanted: SocketAddress) throws(NetworkError) -> (Int32, UInt16) {
        func failure(_ number: Int32) -> NetworkError {
            NetworkError("cannot listen on \(wanted): \(String(cString: strerror(number)))")
        }
        let family = wanted.ip.isV4 ? AF_INET : AF_INET6
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = socket(family, kind, 0)
        guard descriptor >= 0 else { throw failure(errno) }
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        var storage = [UInt8](repeating: 0, count: 28)
        var length = socklen_t(wanted.ip.isV4 ? 16 : 28)
        let bytes = wanted.ip.bytes
        storage.withUnsafeMutableBytes { raw in
            raw.storeBytes(of: sa_family_t(family), as: sa_family_t.self)
            raw.storeBytes(of: wanted.port.bigEndian, toByteOffset: 2, as: UInt16.self)
            raw[(wanted.ip.isV4 ? 4 : 8)...].copyBytes(from: bytes)
        }
        let code = storage.withUnsafeMutableBytes { raw -> Int32 in
            guard let address = raw.baseAddress?.assumingMemoryBound(to: sockaddr.self) else { return -1 }
            guard bind(descriptor, address, length) == 0, Glibc.listen(descriptor, backlog) == 0 else { return -1 }
            return getsockname(descriptor, address, &length)
        }
        guard code == 0 else {
            let number = errno
            close(descriptor)
            throw failure(number)
        }
        return (descriptor, UInt16(storage[2]) << 8 | UInt16(storage[3]))
    }

    /// Accepts until the other end of `alarm` is closed.
    private static func accept(_ listener: Int32, alarm: Int32, each: (Int32) -> Void) {
        defer {
            close(listener)
            close(alarm)
        }
        while true {
            var watched = [
                pollfd(fd: listener, events: Int16(POLLIN), revents: 0),
                pollfd(fd: alarm, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&watched, 2, -1) >= 0 || errno == EINTR else { return }
            if watched[1].revents != 0 { return }
            guard watched[0].revents != 0 else { continue }
            let accepted = Glibc.accept(listener, nil, nil)
            if accepted >= 0 {
                each(accepted)
            } else if errno == EMFILE || errno == ENFILE {
                // Ready for ever without descriptors: look away for a moment.
                var pause = pollfd(fd: alarm, events: Int16(POLLIN), revents: 0)
                poll(&pause, 1, 100)
            }
        }
    }

    // MARK: A request

    private func serve(_ descriptor: Int32) {
        let mayCome = state.withLock { state in
            guard state.connections < options.connectionsMax else { return false }
            state.connections += 1
            return true
        }
        guard mayCome else {
            close(descriptor)
            return
        }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        let host = host
        let connection = UploadConnection(descriptor, now: { host.now() })
        Task(executorPreference: host.ioThread(named: "upload")) { [self] in
            if !receive(connection) { state.withLock { $0.connections -= 1 } }
        }
    }

    /// Reads a head and hands the upload on; false if it came to nothing and was answered.
    private func receive(_ connection: UploadConnection) -> Bool {
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 4096)
        let deadline = host.now() + options.headMax
        var end: Int?
        while end == nil {
            guard bytes.count < UploadHead.bytesMax else {
                connection.finish(431, "Request Header Fields Too Large", "the head is too long")
                return false
            }
            let received = block.withUnsafeMutableBytes { connection.receive(into: $0, until: deadline) }
            guard case .bytes(let count) = received else { return false }
            bytes += block[..<count]
            end = MultipartFile.find([13, 10, 13, 10], in: bytes)
        }
        let (length, head) = (end ?? 0, try? UploadHead(bytes[..<(end ?? 0)]))
        guard let head else {
            connection.finish(400, "Bad Request", UploadError.badHead.description)
            return false
        }
        return route(head, rest: Array(bytes[(length + 4)...]), connection)
    }

    private func route(_ head: UploadHead, rest: [UInt8], _ connection: UploadConnection) -> Bool {
        if head.method == "OPTIONS" {
            let allowed = "Access-Control-Allow-Methods: POST, PUT\r\nAccess-Control-Allow-Headers: *\r\n"
            connection.finish(200, "OK", "", headers: allowed)
            return false
        }
        guard head.method == "POST" || head.method == "PUT" else {
            connection.finish(405, "Method Not Allowed", "send a media file by POST", headers: "Allow: POST, PUT\r\n")
            return false
        }
        enum Route { case unknown, busy, free(@Sendable (Upload) -> Void) }
        let route: Route = state.withLock { state in
            guard let handler = state.paths[head.path] else { return .unknown }
            return state.busy.insert(head.path).inserted ? .free(handler) : .busy
        }
        switch route {
        case .unknown: connection.finish(404, "Not Found", "nothing is played from this path")
        case .busy: connection.finish(409, "Conflict", "another upload to this path is under way")
        case .free(let handler):
            let path = head.path
            handler(
                Upload(
                    head, rest: rest, connection: connection, options: options, now: { [host] in host.now() },
                    onOver: { [weak self] in
                        self?.state.withLock { state in
                            state.busy.remove(path)
                            state.connections -= 1
                        }
                    }))
            return true
        }
        return false
    }
}
