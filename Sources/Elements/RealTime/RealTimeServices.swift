package import Core
package import ICE
import Media
import RTP
package import Transport
package import WebRTC

/// What all endpoints of a server share on the network's side: certificates, ports, servers; and per loop the mux of
/// the one port and the memory for packets. Made once by the program.
package final class RealTimeServices: Sendable {
    package struct Options: Sendable {
        /// The one UDP port, and the TCP port of the same number; 0: any free one.
        package var port: UInt16 = 0
        /// Where free ports are taken from: for `port` 0, and for `RtpEndpoint`s; nil: anywhere.
        package var ports: PortRange?
        /// Addresses to listen at; empty: those of all interfaces.
        package var addresses: [IPAddress] = []
        package var listensTCP = true
        package var stunServers: [SocketAddress] = []
        package var turnServers: [TURNServer] = []
        /// External address of each local one behind a 1:1 NAT.
        package var externalAddresses: [IPAddress: IPAddress] = [:]
        package var isLite = false
        /// Largest RTP packet of new endpoints before protection, in bytes.
        package var mtu = 1200
        /// Whom TURN servers over TLS must be certified by.
        package var turnTrust = TLSContext.Trust.system
        /// PEM text of a certificate and its key; nil: a fresh one.
        package var certificatePEM: String?
        /// Seconds from the host's clock to 1900, for the wall-clock time in sender reports.
        package var epochSeconds: UInt32 = 0
        package init() {}

        /// TURN servers over TLS must be certified by one of these certificates.
        package mutating func trustOnTURN(onlyPEM pem: String) { turnTrust = .only(pem: pem) }
    }

    package let options: Options
    private let host: any Host
    private let contexts = Lock<[Certificate.KeyKind: DTLSContext]>([:])
    /// All that were made, with their loops; they stay.
    private let muxes = Lock<[(loop: any Loop, mux: UDPMux)]>([])
    private let loops = Lock<[ObjectIdentifier: LoopServices]>([:])

    /// `host` gives clock, loops and seeds.
    package init(host: any Host, options: Options = Options()) {
        self.host = host
        self.options = options
    }

    /// The DTLS certificate of that kind; made when it is first asked for (RSA takes a tenth of a second or more).
    package func dtls(_ kind: Certificate.KeyKind) throws(TransportError) -> DTLSContext {
        if let context = contexts.withLock({ $0[kind] }) { return context }
        let certificate: Certificate
        if let pem = options.certificatePEM {
            certificate = try Certificate(pem: pem)
        } else {
            certificate = try Certificate.selfSigned(
                kind, unixSeconds: host.unixMilliseconds() / 1000)
        }
        let context = try DTLSContext(certificate: certificate)
        contexts.withLock { $0[kind] = context }
        return context
    }

    /// What the endpoints of a loop share.
    func services(on loop: any Loop) -> LoopServices {
        loops.withLock { loops in
            if let services = loops[ObjectIdentifier(loop)] { return services }
            let services = LoopServices()
            loops[ObjectIdentifier(loop)] = services
            return services
        }
    }

    /// The mux of a loop; opens the port when first asked for. To be called on that loop.
    package func mux(on loop: any Loop) throws(NetworkError) -> UDPMux {
        let services = services(on: loop)
        if let mux = services.mux { return mux }
        let host = host
        let mux = try UDPMux(
            loop: loop, network: loop.makeNetwork(), clock: { host.now() }, port: options.port, ports: options.ports,
            addresses: options.addresses, listensTCP: options.listensTCP,
            trust: options.turnTrust, unixSeconds: { host.unixMilliseconds() / 1000 })
        services.mux = mux
        muxes.withLock { $0.append((loop, mux)) }
        return mux
    }

    /// What came and went by the ports that `WebRtcEndpoint`s share, of all loops together; nil before there is one.
    func portFigures() async -> PortFigures? {
        var sum: PortFigures?
        for (loop, mux) in muxes.withLock({ $0 }) {
            let figures = await withCheckedContinuation { answer in
                loop.post { answer.resume(returning: PortFigures(mux.networkCounters, mux.counters)) }
            }
            sum = sum.map { $0 + figures } ?? figures
        }
        return sum
    }
}

/// What the endpoints of one loop share; used on that loop only.
final class LoopServices: @unchecked Sendable {
    // Sendable: only its loop touches what is in here; the mux checks it.
    /// Opened by the first `WebRtcEndpoint`.
    fileprivate(set) var mux: UDPMux?
    let pool = PacketPool()
    let cutter = FrameCutter()
    private struct MetricsKey: Hashable {
        let metrics: ObjectIdentifier
        let className: String
    }
    private struct Held { weak var metrics: TrafficMetrics? }
    private var metrics: [MetricsKey: Held] = [:]

    /// The metrics of a class of endpoints, of all pipelines that count in the same place.
    func trafficMetrics(_ context: PipelineContext, className: String) -> TrafficMetrics {
        let key = MetricsKey(metrics: ObjectIdentifier(context.metrics), className: className)
        if let held = metrics[key]?.metrics { return held }
        metrics = metrics.filter { $0.value.metrics != nil }
        let made = TrafficMetrics(context.metrics, className: className)
        metrics[key] = Held(metrics: made)
        return made
    }
}
