import CLinux
import CWebSockets
import Core
import Glibc

/// One listening socket of an HTTP server and the library's host that serves what it accepts. The socket is ours, so
/// that what is wrong with an address is said in words and limits hold before the library sees a connection. Touched
/// only on the control thread.
final class HTTPPort {
    let local: SocketAddress
    let isSecure: Bool
    private(set) var host: OpaquePointer?
    /// A server lives until it is stopped.
    private let server: HTTPServer
    private var wsi: OpaquePointer?
    private var descriptor: Int32
    /// All zero: `HTTPConnection` asks silent clients itself. The library could, but 4.1 writes its ping over a pong that
    /// waits, and clients that compare (RFC 6455, section 5.5.3) then find theirs unanswered.
    private let policy: UnsafeMutablePointer<lws_retry_bo_t>
    private static let backlog: Int32 = 1024
    /// Accepted per turn, so that others get theirs.
    private static let acceptsPerTurn = 32
    /// With no descriptors left the socket would be ready for ever: it looks away for so long.
    private static let pause = MediaTime.milliseconds(100)

    init(_ listener: HTTPListener, server: HTTPServer, protocols: ProtocolList) throws(NetworkError) {
        self.server = server
        isSecure = listener.isSecure
        var wanted = clinux_address(listener.address)
        descriptor = clinux_open_listener(&wanted, Self.backlog)
        guard descriptor >= 0 else { throw NetworkError("cannot listen on \(listener.address)", code: descriptor) }
        var bound = clinux_address()
        _ = clinux_local_address(descriptor, &bound)
        local = bound.socketAddress
        policy = .allocate(capacity: 1)
        policy.initialize(to: lws_retry_bo_t())
        do throws(NetworkError) {
            host = try makeHost(listener, protocols)
        } catch {
            // What is allocated goes with `deinit`, which runs for a failed initialiser too.
            Glibc.close(descriptor)
            throw error
        }
        guard let host, let wsi = cwebsockets_adopt_file(host, descriptor, "http") else {
            // A descriptor that the library does not take it closes.
            destroy()
            throw NetworkError("cannot listen on \(listener.address): the system watches no more descriptors")
        }
        self.wsi = wsi
        lws_set_opaque_user_data(wsi, Unmanaged.passRetained(LibraryObject.port(self).boxed).toOpaque())
    }

    private func makeHost(_ listener: HTTPListener, _ protocols: ProtocolList) throws(NetworkError) -> OpaquePointer {
        let (certificate, key) = try listener.certificate()
        let options = server.options
        var info = lws_context_creation_info()
        info.port = cwebsockets_port_none
        info.options = cwebsockets_host_options
        info.protocols = UnsafePointer(protocols.table)
        info.keepalive_timeout = Int32(clamping: max(1, options.keepAliveMax.nanoseconds / 1_000_000_000))
        info.retry_and_idle_policy = UnsafePointer(policy)
        let made = "\(local)".withCString { name in
            "http/1.1".withCString { alpn in
                certificate.withUnsafeBytes { certificate in
                    key.withUnsafeBytes { key in
                        info.vhost_name = name
                        info.alpn = alpn
                        if !certificate.isEmpty {
                            info.server_ssl_cert_mem = certificate.baseAddress
                            info.server_ssl_cert_mem_len = UInt32(certificate.count)
                            info.server_ssl_private_key_mem = key.baseAddress
                            info.server_ssl_private_key_mem_len = UInt32(key.count)
                        }
                        return lws_create_vhost(server.thread.context, &info)
                    }
                }
            }
        }
        guard let made else {
            throw NetworkError(
                certificate.isEmpty
                    ? "cannot listen on \(listener.address): the HTTP library refused"
                    : "cannot listen on \(listener.address): the certificate or its key cannot be used")
        }
        return made
    }

    func acceptConnections() {
        for _ in 0..<Self.acceptsPerTurn {
            guard descriptor >= 0 else { return }
            var none = clinux_socket_options()
            let accepted = clinux_accept(descriptor, &none)
            if accepted >= 0 {
                server.accepted(accepted, on: self)
            } else if accepted == -EAGAIN {
                return
            } else if accepted == -EMFILE || accepted == -ENFILE || accepted == -ENOBUFS || accepted == -ENOMEM {
                return lookAway()
            }
        }
    }

    private func lookAway() {
        guard let wsi else { return }
        lws_rx_flow_control(wsi, 0)
        let again = Weak(self)
        _ = server.thread.schedule(at: server.thread.now() + Self.pause) {
            if let wsi = again.value?.wsi { lws_rx_flow_control(wsi, 1) }
        }
    }

    /// Accepts no more. The library closes the descriptor.
    func close() {
        guard let wsi else { return }
        self.wsi = nil
        descriptor = -1
        lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC)
    }

    /// Ends the host and what is left of its connections.
    func destroy() {
        guard let host else { return }
        self.host = nil
        descriptor = -1
        lws_vhost_destroy(host)
    }

    deinit { policy.deallocate() }
}

extension HTTPListener {
    /// Chain and key as PEM with a zero at the end; empty without TLS.
    fileprivate func certificate() throws(NetworkError) -> (chain: [UInt8], key: [UInt8]) {
        switch security {
        case .none: return ([], [])
        case .pem(let certificate, let key): return (Array(certificate.utf8) + [0], Array(key.utf8) + [0])
        case .selfSigned(let names):
            let list = names.map { IPAddress($0) == nil ? "DNS:\($0)" : "IP:\($0)" }.joined(separator: ",")
            var chain = [CChar](repeating: 0, count: 8192)
            var key = [CChar](repeating: 0, count: 8192)
            guard
                cwebsockets_self_signed(
                    names.first ?? "localhost", list.isEmpty ? "DNS:localhost" : list, &chain, &key, 8192) == 0
            else { throw NetworkError("cannot make a certificate for \(names.joined(separator: ", "))") }
            let bytes = { (text: [CChar]) in text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) } + [0] }
            return (bytes(chain), bytes(key))
        }
    }
}
