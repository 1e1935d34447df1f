import Core
import Codecs
import Elements
import Media
import RTP
import TestKit
import WebRTC

/// Two whole peers, each with its pipeline, on two machines of a simulated network: pictures and sound go from one to
/// the other through the real mux, ICE, DTLS, SRTP and RTP. A run is a function of scenario and seed.
package final class PeerRig: @unchecked Sendable {
    // Sendable: touched only by the one thread that runs the simulation.
    package static let framesPerSecond = 30.0
    private static let frameInterval = MediaTime(nanoseconds: 33_333_333)
    private static let sampleInterval = MediaTime.milliseconds(50)
    private static let connectLimit = MediaTime.seconds(30)

    private let scenario: Scenario
    private let seed: UInt64
    private let size: (width: Int, height: Int)
    private let isReal: Bool
    private let speech: [Float]
    private var hears: Bool { !speech.isEmpty }
    private let sim: SimHost
    private let network: SimNetwork
    private let nat: SimNAT
    private let sender: Side
    private let receiver: Side
    private let record = RunRecord()

    /// One machine with a pipeline and an endpoint.
    private final class Side: @unchecked Sendable {
        // Sendable: touched only by the one thread that runs the simulation.
        let machine: SimMachine
        let pipeline: MediaPipeline
        let services: RealTimeServices
        var candidates: [String] = []
        var isConnected = false

        init(
            _ network: SimNetwork, _ address: IPAddress, up: LinkConditions, codecs: any CodecFactory, nat: SimNAT?
        ) {
            machine = network.machine([address], up: up, nat: nat)
            pipeline = makePipeline(machine, .realTime, codecs: codecs)
            services = RealTimeServices(host: machine)
        }
    }

    /// `isReal`: VP8 and pictures of 320×180; else pictures without pixels, which are called 1280×720.
    /// `speech`: samples of 48 kHz, a whole number of seconds, to be coded and sent instead of what is like speech, over and over
    /// from the media's begin; what is heard of it is in the outcome.
    package init(_ scenario: Scenario, seed: UInt64, isReal: Bool = false, speech: [Float] = []) {
        let codecs: any CodecFactory = isReal ? LibraryCodecs() : NetworkCodecs()
        self.isReal = isReal
        self.speech = Array(speech.prefix(speech.count / AudioFrame.blockSamples * AudioFrame.blockSamples))
        self.scenario = scenario
        self.seed = seed
        size = isReal ? (320, 180) : (1280, 720)
        sim = SimHost(seed: seed)
        network = SimNetwork(sim, seed: seed)
        // Media goes up the sender's line, and what answers it up the receiver's; both lines down are perfect.
        // The one that moves is behind a router; the other has an address that everybody can reach.
        let nat = SimNAT(.restricted, address: PeerRig.routerAddress)
        self.nat = nat
        let receiverMoves = scenario.changes.contains { if case .receiverMoves = $0.1 { true } else { false } }
        sender = Side(
            network, receiverMoves ? PeerRig.publicAddress : PeerRig.privateAddress,
            up: PeerRig.connecting(scenario.forward), codecs: codecs, nat: receiverMoves ? nil : nat)
        receiver = Side(
            network, receiverMoves ? PeerRig.privateAddress : PeerRig.publicAddress,
            up: PeerRig.connecting(scenario.back), codecs: codecs, nat: receiverMoves ? nat : nil)
    }

    // RFC 1918 and RFC 5737.
    private static let privateAddress = IPAddress(v4: 0x0A00_0001)
    private static let publicAddress = IPAddress(v4: 0xC633_6401)
    private static let routerAddress = IPAddress(v4: 0xC000_0201)
    private static let nextRouterAddress = IPAddress(v4: 0xCB00_7101)

    /// The line as it is while the peers connect: certificates differ by bytes from run to run, so nothing that
    /// depends on sizes may come before the media.
    private static func connecting(_ conditions: LinkConditions) -> LinkConditions {
        var conditions = conditions
        conditions.bitsPerSecond = nil
        return conditions
    }

    package func run() throws -> Outcome {
        defer { release() }
        try make()
        try connect()
        if record.connectedAfter != nil { try play() }
        return Judge(scenario: scenario, framesPerSecond: PeerRig.framesPerSecond).judge(record, seed: seed)
    }

    // MARK: The peers

    private func on<R: Sendable>(
        _ side: Side, _ body: @escaping @Sendable (PipelineContext) throws -> R
    ) throws -> R {
        let pipeline = side.pipeline
        guard let result = sim.complete({ try await pipeline.perform(body) }) else {
            preconditionFailure("the pipeline never got to the rig's turn")
        }
        return try result.get()
    }

    private func endpoint<R: Sendable>(
        _ side: Side, _ body: @escaping @Sendable (WebRtcEndpoint) throws -> R
    ) throws -> R {
        try on(side) { try body($0.get("peer", WebRtcEndpoint.self)) }
    }

    private func wait(until moment: Instant) {
        let isOver = Lock(false)
        _ = sim.schedule(at: moment) { isOver.withLock { $0 = true } }
        sim.run(limit: moment - sim.now() + .seconds(1)) { isOver.withLock { $0 } }
    }

    private func make() throws {
        for side in [sender, receiver] {
            try on(side) { [side] context in
                context.onEvent = { event in
                    switch event.detail {
                    case .iceCandidateFound(let candidate, _, 0): side.candidates.append(candidate)
                    case .connectionStateChanged(_, let new): side.isConnected = new == .connected
                    default: break
                    }
                }
                _ = try WebRtcEndpoint(context, name: "peer", services: side.services)
            }
        }
        try on(receiver) { [record, hears] context in
            let sink = TestSink(context, name: "sink", audio: .raw, video: .raw)
            sink.onArrival = { sink, arrival in
                sink.forget()
                guard let began = record.began else { return }
                let at = (context.startedAt + arrival.at - began).seconds
                switch arrival.item {
                case .picture(let picture):
                    let due = (context.startedAt + picture.pts - began).seconds
                    record.screen.add(NumberedPicture.counter(of: picture), due: due, at: at)
                case .sound(let block) where hears: record.hear(block, at: at)
                default: break
                }
            }
            let peer = context.get("peer", WebRtcEndpoint.self)
            for kind in [MediaKind.video, .audio] { try peer.connect(to: sink, kind: kind) }
        }
    }

    /// Offer, answer, candidates; then until both say that media may pass.
    private func connect() throws {
        let began = sim.now()
        let offer = try endpoint(sender) { try $0.generateOffer() }
        let answer = try endpoint(receiver) { try $0.processOffer(offer) }
        _ = try endpoint(sender) { try $0.processAnswer(answer) }
        for side in [sender, receiver] { try endpoint(side) { $0.gatherCandidates() } }
        for (side, other) in [(sender, receiver), (receiver, sender)] {
            let lines = other.candidates
            try endpoint(side) { peer in for line in lines { peer.addIceCandidate(line) } }
        }
        if sim.run(limit: PeerRig.connectLimit, until: { sender.isConnected && receiver.isConnected }) {
            record.connectedAfter = (sim.now() - began).seconds
        }
    }

    // MARK: Media

    /// Begins at a whole second, with luck begun anew: what came before does not count.
    private func play() throws {
        let began = Instant(nanoseconds: (sim.now().nanoseconds / 1_000_000_000 + 2) * 1_000_000_000)
        wait(until: began)
        record.began = began
        sender.machine.change(up: scenario.forward, seed: seed &* 2 &+ 1)
        receiver.machine.change(up: scenario.back, seed: seed &* 2 &+ 1001)
        for (at, change) in scenario.changes {
            _ = sim.schedule(at: began + .seconds(at)) { [self] in apply(change) }
        }
        try on(sender) { [size, isReal, speech, scenario, record, sender] context in
            let source = TestSource(context, name: "source", kinds: [.audio, .video])
            source.source(.video)?.setForm(
                .pictures(width: size.width, height: size.height, frameRate: Rational(30, 1)))
            source.source(.audio)?.setForm(
                speech.isEmpty ? .encoded(.audio(SoundLoop.format)) : .sound(channels: 1))
            try source.connect(to: context.get("peer", WebRtcEndpoint.self))
            let end = context.now + .seconds(scenario.duration)
            PeerRig.feed(source, size, isReal: isReal, speech, until: end)
            source.every(PeerRig.sampleInterval, until: end) { source in
                let sending = source.context.get("peer", WebRtcEndpoint.self).peer.session.sender
                record.samples.append(
                    Sample(
                        at: (source.context.host.now() - began).seconds,
                        queueDelay: sender.machine.upQueueDelay.seconds, target: sending.target,
                        mediaTarget: sending.mediaTarget, delivered: sending.estimator.delivered,
                        lossBound: sending.estimator.lossBound, inherentLoss: sending.estimator.inherentLoss,
                        isDown: sending.estimator.isDown,
                        waiting: sending.streams.reduce(0) { $0 + $1.waitingPackets }))
            }
        }
        wait(until: began + .seconds(Scenario.warmUp))
        let before = try soundStatistics()
        wait(until: began + .seconds(scenario.duration))
        let after = try soundStatistics()
        record.soundSamples = after.total - before.total
        record.concealedSamples = after.concealed - before.concealed
    }

    private static func feed(
        _ source: TestSource, _ size: (width: Int, height: Int), isReal: Bool, _ speech: [Float],
        until end: MediaTime
    ) {
        var (pictures, blocks) = (0, 0)
        source.every(frameInterval, until: end) { source in
            let picture = NumberedPicture.make(
                pictures, size, isReal: isReal, pts: source.context.now, pool: source.context.configuration.pool)
            pictures += 1
            source.source(.video)?.push(.picture(picture))
        }
        source.every(.milliseconds(20), until: end) { source in
            defer { blocks += 1 }
            let pts = source.context.now
            if speech.isEmpty {
                let payload = SoundLoop.packets[blocks % SoundLoop.packets.count]
                source.source(.audio)?.push(.encoded(EncodedFrame(payload: payload, pts: pts, isKey: true)))
            } else {
                let start = blocks * AudioFrame.blockSamples % speech.count
                let samples = Array(speech[start..<start + AudioFrame.blockSamples])
                source.source(.audio)?.push(.sound(AudioFrame(pts: pts, channels: 1, samples: samples)))
            }
        }
    }

    private func soundStatistics() throws -> (total: Int, concealed: Int) {
        try endpoint(receiver) { peer in
            let statistics = peer.outputs[.audio]?.origin?.soundReport?.statistics ?? SoundStatistics()
            return (statistics.totalSamplesReceived, statistics.concealedSamples)
        }
    }

    private func apply(_ change: Scenario.Change) {
        switch change {
        case .lines(let forward, let back):
            sender.machine.change(up: forward)
            receiver.machine.change(up: back)
        case .senderMoves, .receiverMoves:
            network.move(nat, to: PeerRig.nextRouterAddress)
            guard scenario.contentment > 0 else { return }
            // Binding requests (RFC 8489, section 5).
            nat.letsOut = { !$0.starts(with: [0, 1]) }
            _ = sim.schedule(at: sim.now() + .seconds(scenario.contentment)) { [nat] in nat.letsOut = nil }
        }
    }

    private func release() {
        for side in [sender, receiver] {
            let pipeline = side.pipeline
            _ = sim.complete { await pipeline.release() }
        }
    }
}
