import Codecs
import Control
import Core
import Elements
import Glibc
import Media
import Reactor

/// The running server of `tessera serve`: live document, HTTP, signals.
final class LiveServer: Sendable {
    private let options: ServeOptions
    private let host: SystemHost
    private let log: Log
    private let room: LiveDocument
    private let control: ControlThread
    private let server: HTTPServer
    private let hasTrouble = Lock(false)
    private static let secondsFrom1900To1970: Int64 = 2_208_988_800

    init(_ plan: PipelinePlan, _ options: ServeOptions) throws {
        self.options = options
        var network = NetworkOptions()
        network.allowedInterfaces = options.interfaces
        let host = SystemHost(workers: options.workers, loops: 1, network: network)
        self.host = host
        let isJSON = options.isJSON
        log = Log(host: host, level: options.level) { entry in
            Terminal.error((isJSON ? entry.json : entry.text) + "\n")
        }
        let printer = RunPrinter(isJSON: isJSON, isQuiet: false)
        let hasTrouble = hasTrouble
        var limits = LiveLimits()
        if let sessions = options.sessions {
            limits.sessions = sessions
            limits.sessionsPerDoor = sessions
        }
        room = LiveDocument(
            plan, host: host, services: RealTimeServices(host: host, options: try Self.services(options, host)),
            configuration: PipelineConfiguration(
                mode: .realTime, codecs: LibraryCodecs(), pool: FramePool(), log: log), limits: limits
        ) { event in
            if case .error = event.detail { hasTrouble.withLock { $0 = true } }
            printer.show(event)
        }
        control = ControlThread(log: log) { host.now() }
        var site = LiveSite.Options()
        site.token = options.token
        site.iceServers = options.links
        site.pages = WebPages.all
        let handler = LiveSite(room, options: site)
        var http = HTTPServerOptions()
        http.extraHeaders.append("if-match")
        server = HTTPServer(on: control, options: http, log: log) { await handler.respond(to: $0) }
    }

    private static func services(_ options: ServeOptions, _ host: SystemHost) throws -> RealTimeServices.Options {
        var services = RealTimeServices.Options()
        services.port = options.mediaPort
        services.ports = options.ports
        services.stunServers = options.stun
        services.turnServers = options.turn
        let local = addresses(host).filter { !$0.isLinkLocal }
        if !options.interfaces.isEmpty, local.isEmpty {
            throw UsageError(
                "--interface is “\(options.interfaces.joined(separator: ","))”; no such interface has an address")
        }
        for (inner, outer) in options.external {
            if let inner, !local.contains(inner) {
                throw UsageError(
                    "--external-ip: \(inner) is no address of this machine; it has "
                        + local.map(\.description).joined(separator: ", "))
            }
            for ip in local where inner == ip || (inner == nil && ip.isV4 == outer.isV4) {
                services.externalAddresses[ip] = outer
            }
        }
        let unix = host.unixMilliseconds() / 1000 - host.now().nanoseconds / 1_000_000_000
        services.epochSeconds = UInt32(truncatingIfNeeded: unix + secondsFrom1900To1970)
        return services
    }

    /// Of the interfaces that media uses.
    private static func addresses(_ host: SystemHost) -> [IPAddress] {
        let (loop, found) = (host.nextLoop(), Lock<[IPAddress]?>(nil))
        loop.post {
            let addresses = loop.makeNetwork().interfaceAddresses()
            found.withLock { $0 = addresses }
        }
        while true {
            if let addresses = found.withLock({ $0 }) { return addresses }
            usleep(1000)
        }
    }

    static var endings: sigset_t {
        var endings = sigset_t()
        sigemptyset(&endings)
        sigaddset(&endings, SIGINT)
        sigaddset(&endings, SIGTERM)
        return endings
    }

    // MARK: The run

    func run() -> Never {
        let executor = host.ioThread(named: "main-serve")
        Task(executorPreference: executor) { await self.start() }
        var (endings, isEnding) = (Self.endings, false)
        while true {
            var signal: Int32 = 0
            sigwait(&endings, &signal)
            if isEnding { exit(ExitCode.interrupted.rawValue) }
            isEnding = true
            let code = signal == SIGINT ? ExitCode.interrupted : .success
            Task(executorPreference: executor) { await self.end(code) }
        }
    }

    private func start() async {
        do {
            try await room.start()
            try await listen()
        } catch {
            Terminal.error("tessera: \(error)\n")
            exit(ExitCode.usage.rawValue)
        }
    }

    private func listen() async throws {
        let http = try await listen(options.port, .none)
        var urls = [url("http", http)]
        if let port = options.httpsPort {
            let names = ["localhost", "127.0.0.1"] + Self.addresses(host).map(\.description)
            let security = options.isSelfSigned ? HTTPListener.Security.selfSigned(names: names) : options.security
            urls.append(url("https", try await listen(port, security)))
        }
        if options.isJSON {
            let lines = urls.map { JSON.string($0) }
            Terminal.out(JSON.object([.init("type", "listening"), .init("urls", .array(lines))]).compact + "\n")
        } else {
            for url in urls { Terminal.out("\(url)\n") }
        }
    }

    /// At the address given, else at all, IPv6 too where there is one.
    private func listen(_ port: UInt16, _ security: HTTPListener.Security) async throws -> SocketAddress {
        let first = try await server.listen(
            HTTPListener(SocketAddress(options.address ?? .anyV4, port), security: security))
        if options.address == nil {
            _ = try? await server.listen(HTTPListener(SocketAddress(.anyV6, first.port), security: security))
        }
        return first
    }

    private func url(_ scheme: String, _ address: SocketAddress) -> String {
        let isLocal = address.ip.isAny || address.ip == .loopbackV4
        return "\(scheme)://\(isLocal ? "localhost:\(address.port)" : address.description)/"
    }

    private func end(_ code: ExitCode) async {
        let isClosed = await room.drain()
        if !isClosed { Terminal.error("tessera: a recording could not be closed in time\n") }
        await server.stop(grace: .seconds(1))
        await room.release()
        exit(hasTrouble.withLock { $0 } || !isClosed ? ExitCode.trouble.rawValue : code.rawValue)
    }
}
