import Codecs
import Control
import Core
import Elements
import Files
import Glibc
import Media
import Reactor

/// The running server of `tessera serve`: control API, live document where there is one, HTTP, signals.
final class LiveServer: Sendable {
    private let options: ServeOptions
    private let isJSON: Bool
    private let host: SystemHost
    private let log: Log
    private let room: LiveDocument?
    private let rpc: RPCServer
    private let control: ControlThread
    private let server: HTTPServer
    private let hasTrouble = Lock(false)
    private let isDraining = Lock(false)
    private static let secondsFrom1900To1970: Int64 = 2_208_988_800

    init(_ plan: PipelinePlan?, _ options: ServeOptions, isJSON: Bool) throws {
        self.options = options
        self.isJSON = isJSON
        var network = NetworkOptions()
        network.allowedInterfaces = options.interfaces
        let host = SystemHost(workers: options.workers, loops: 1, network: network)
        self.host = host
        log = Log(host: host, level: options.level) { entry in
            Terminal.error((isJSON ? entry.json : entry.text) + "\n")
        }
        let printer = RunPrinter(isJSON: isJSON, isQuiet: false)
        let hasTrouble = hasTrouble
        var limits = LiveLimits()
        if let peers = options.peers {
            limits.sessions = peers
            limits.sessionsPerDoor = peers
        }
        let services = RealTimeServices(host: host, options: try Self.networkOptions(options, host))
        var configuration = PipelineConfiguration(
            mode: .realTime, codecs: LibraryCodecs(), pool: FramePool(), log: log)
        let metrics = Metrics()
        configuration.metrics = metrics
        room = plan.map { plan in
            LiveDocument(plan, host: host, services: services, configuration: configuration, limits: limits) { event in
                if case .error = event.detail { hasTrouble.withLock { $0 = true } }
                printer.show(event)
            }
        }
        control = ControlThread(log: log) { host.now() }
        // The document's author may name what he likes; clients may not.
        configuration.access = options.access
        let rpc = RPCServer(
            on: control, services: Self.clientServices(options, host, realTime: services, configuration),
            options: options.rpc)
        self.rpc = rpc
        var site = LiveSite.Options()
        site.tokens = options.tokens
        site.iceServers = options.links
        site.pages = WebPages.all
        let figures = ProcessFigures(metrics, startedAt: Double(host.unixMilliseconds()) / 1000)
        let ports = NetworkMetrics(services, metrics)
        site.metrics = {
            figures.refresh(host)
            await ports.refresh()
            await rpc.refreshMetrics()
            return metrics.prometheusText
        }
        let inside: any LiveRoom = room ?? EmptyRoom()
        site.inspector = Inspector(inside, rpc, version: Tessera.version)
        site.isReady = { [isDraining] in !isDraining.withLock { $0 } }
        let handler = LiveSite(inside, options: site)
        var http = HTTPServerOptions()
        http.extraHeaders += ["if-match", "origin"]
        http.connectionsMax = options.connections ?? 12_000
        http.messageBytesMax = options.rpc.messageBytesMax
        let (tokens, origins) = (BearerTokens(options.tokens), AllowedOrigins(options.origins))
        server = HTTPServer(
            on: control, options: http, log: log, sessions: [options.path: RPCDoor.acceptor(rpc)],
            otherwise: RPCDoor.wrongPath, gate: { tokens.refusal(of: $0) ?? origins.refusal(of: $0) }
        ) { await handler.respond(to: $0) }
    }

    /// What clients' pipelines are made with.
    private static func clientServices(
        _ options: ServeOptions, _ host: SystemHost, realTime: RealTimeServices, _ configuration: PipelineConfiguration
    ) -> RPCServices {
        var uploads = UploadServer.Options()
        if let port = options.postPort { uploads.address.port = port }
        if let address = options.address { uploads.address = SocketAddress(address, uploads.address.port) }
        let local = addresses(host).filter { !$0.isLinkLocal && $0.isV4 }
        let reached = options.external.first?.address ?? options.address.flatMap { $0.isAny ? nil : $0 } ?? local.first
        if let reached { uploads.announcedHost = reached.description }
        var services = RPCServices(
            host: host, realTime: realTime, configuration: configuration,
            uploads: UploadServer(host: host, options: uploads),
            machine: MachineFigures(
                coreCount: SystemHost.coreCount, cpuNanoseconds: { host.processCPUNanoseconds() },
                memoryKiB: { host.processMemoryKiB() }))
        services.metadata = options.metadata ?? ""
        if let folder = options.dotFolder {
            services.dumpGraph = { name, text in try writeFile("\(folder)/\(name)", text) }
        }
        return services
    }

    /// Where and how media of all peers come in, the document's and the clients'.
    private static func networkOptions(
        _ options: ServeOptions, _ host: SystemHost
    ) throws -> RealTimeServices.Options {
        var services = RealTimeServices.Options()
        services.port = options.mediaPort
        services.ports = options.ports
        services.listensTCP = options.listensTCP
        if let mtu = options.mtu { services.mtu = mtu }
        services.stunServers = options.stun
        services.turnServers = options.turn
        if let pem = options.turnCertificates { services.trustOnTURN(onlyPEM: pem) }
        let local = addresses(host).filter { !$0.isLinkLocal }
        if !options.interfaces.isEmpty, local.isEmpty {
            throw UsageError(
                "interface is “\(options.interfaces.joined(separator: ","))”; no such interface has an address")
        }
        for (inner, outer) in options.external {
            if let inner, !local.contains(inner) {
                throw UsageError(
                    "external-ip: \(inner) is no address of this machine; it has "
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
            try await room?.start()
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
        if isJSON {
            func list(_ urls: [String]) -> JSON { .array(urls.map { .string($0) }) }
            let line: JSON = [
                "type": "listening", "urls": list(urls), "control": list(urls.map(controlURL)),
                "inspect": list(urls.map { $0 + "inspect" }),
            ]
            Terminal.out(line.compact + "\n")
        } else {
            let places = [
                (room == nil ? "a page; with a document, its room" : "the room, for browsers", urls),
                ("the control API, for clients", urls.map(controlURL)),
                ("what goes on inside", urls.map { $0 + "inspect" }),
            ]
            // People are told what is where; programs read addresses.
            let isForPeople = isatty(STDOUT_FILENO) == 1
            for (what, urls) in places {
                for url in urls { Terminal.out(isForPeople ? "\(padded(url, to: 36)) \(what)\n" : "\(url)\n") }
            }
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

    /// Where clients of the control API connect, beside the pages at `url`.
    private func controlURL(_ url: String) -> String {
        "ws" + url.dropFirst("http".count).dropLast() + options.path
    }

    private func end(_ code: ExitCode) async {
        isDraining.withLock { $0 = true }
        async let isDrained = rpc.drain()
        let isRoomClosed = await room?.drain() ?? true
        let isClosed = await isDrained && isRoomClosed
        if !isClosed { Terminal.error("tessera: a recording could not be closed in time\n") }
        await server.stop(grace: .seconds(1))
        await rpc.end()
        await room?.release()
        exit(hasTrouble.withLock { $0 } || !isClosed ? ExitCode.trouble.rawValue : code.rawValue)
    }
}
