package import Core
package import Elements
package import Files
package import Media
import Mixing

/// Makes real elements of what the object model describes. Runs on the pipeline's loop.
///
/// Arguments were checked against the model before (`PipelineDocument`, later the wire), so what is wrong here is
/// only what the model cannot know; it is thrown with the element's name.
package struct ElementFactory {
    let context: PipelineContext
    private let services: RealTimeServices?
    private let uploads: UploadServer?
    private var made: [String: Element] = [:]

    /// `services`: what endpoints with a peer need, `uploads`: what an `HttpPostEndpoint` needs; without, they cannot
    /// be made.
    package init(_ context: PipelineContext, services: RealTimeServices? = nil, uploads: UploadServer? = nil) {
        self.context = context
        self.services = services
        self.uploads = uploads
    }

    /// Makes all elements of a plan, links them and calls its operations. Nothing plays yet.
    package mutating func make(_ plan: PipelinePlan) throws(GraphError) {
        for element in plan.elements {
            let kinds = plan.links.filter { $0.to == element.name }.flatMap(\.kinds)
            made[element.name] = try make(element, linkedKinds: Set(kinds))
        }
        for link in plan.links {
            let (source, sink) = (try find(link.from), try find(link.to))
            for kind in link.kinds { try source.connect(to: sink, kind: kind) }
        }
        for invocation in plan.invocations { try invoke(invocation) }
    }

    private func find(_ name: String) throws(GraphError) -> Element {
        guard let element = made[name] ?? context.element(named: name) else {
            throw GraphError("there is no element “\(name)”")
        }
        return element
    }

    /// Makes one element. `linkedKinds`: the kinds of media that will be linked to it, as far as that is known.
    package func make(
        _ plan: PipelinePlan.Element, linkedKinds: Set<MediaKind> = []
    ) throws(GraphError) -> Element {
        let arguments = plan.arguments
        switch plan.className {
        case "PlayerEndpoint":
            var options = PlayerEndpoint.Options()
            options.useEncodedMedia = arguments.boolean("useEncodedMedia") ?? false
            options.networkCache = .milliseconds(arguments.int("networkCache") ?? 2000)
            options.loops = arguments.boolean("loop") ?? false
            return PlayerEndpoint(context, name: plan.name, uri: arguments.string("uri") ?? "", options: options)
        case "RecorderEndpoint":
            return RecorderEndpoint(
                context, name: plan.name, uri: arguments.string("uri") ?? "",
                profile: try recordingProfile(plan, linkedKinds: linkedKinds),
                stopOnEndOfStream: arguments.boolean("stopOnEndOfStream") ?? false)
        case "HttpPostEndpoint": return try makeHttpPostEndpoint(plan)
        case "WebRtcEndpoint": return try makeWebRtcEndpoint(plan)
        case "RtpEndpoint": return try makeRtpEndpoint(plan)
        case "PassThrough": return PassThrough(context, name: plan.name)
        case "Dispatcher": return Dispatcher(context, name: plan.name)
        case "DispatcherOneToMany": return DispatcherOneToMany(context, name: plan.name)
        case "Mixer": return Mixer(context, name: plan.name)
        case "AlphaBlending": return AlphaBlending(context, name: plan.name)
        case "Composite": return Composite(context, name: plan.name, options: compositeOptions(arguments))
        case "HubPort":
            guard let hub = try find(plan.hub ?? "") as? Hub else {
                throw GraphError("\(plan.name): “\(plan.hub ?? "")” is not a hub")
            }
            return HubPort(context, name: plan.name, hub: hub, options: portOptions(arguments))
        default:
            if let filter = try makeFilter(plan) { return filter }
            throw GraphError("\(plan.name): a \(plan.className) cannot be made")
        }
    }

    private func network(_ plan: PipelinePlan.Element) throws(GraphError) -> RealTimeServices {
        guard let services else {
            throw GraphError(
                "\(plan.name): a \(plan.className) needs a server for its peer to reach; use tessera serve")
        }
        return services
    }

    private func makeWebRtcEndpoint(_ plan: PipelinePlan.Element) throws(GraphError) -> WebRtcEndpoint {
        let (services, arguments) = (try network(plan), plan.arguments)
        var options = WebRtcEndpoint.Options()
        options.receiveOnly = arguments.boolean("recvonly") ?? false
        options.sendOnly = arguments.boolean("sendonly") ?? false
        options.usesDataChannels = arguments.boolean("useDataChannels") ?? false
        // Only where it was asked for: making an RSA key takes a tenth of a second, and every peer takes ECDSA.
        let kind = arguments.given.first { $0.name == "certificateKeyType" }.flatMap { $0.value.text }
        options.setCertificate(isRSA: kind == "RSA")
        options.dscp = arguments.string("qosDscp").flatMap(PacketMark.named)
        return try WebRtcEndpoint(context, name: plan.name, services: services, options: options)
    }

    private func makeHttpPostEndpoint(_ plan: PipelinePlan.Element) throws(GraphError) -> HttpPostEndpoint {
        guard let uploads else {
            throw GraphError(
                "\(plan.name): an HttpPostEndpoint is reached by the address it tells, so only a client of the control "
                    + "API can make one")
        }
        var options = HttpPostEndpoint.Options()
        options.disconnectionTimeout = .seconds(Double(plan.arguments.int("disconnectionTimeout") ?? 2))
        options.useEncodedMedia = plan.arguments.boolean("useEncodedMedia") ?? false
        return HttpPostEndpoint(context, name: plan.name, server: uploads, options: options)
    }

    private func makeRtpEndpoint(_ plan: PipelinePlan.Element) throws(GraphError) -> RtpEndpoint {
        let (services, arguments) = (try network(plan), plan.arguments)
        var options = RtpEndpoint.Options()
        options.usesIPv6 = arguments.boolean("useIpv6") ?? false
        if let crypto = arguments.structure("crypto"), !crypto.isEmpty {
            func text(_ name: String) -> String? { crypto.first { $0.name == name }?.value.text }
            do throws(GraphError) {
                try options.setKey(
                    suite: text("crypto"), key: text("key"), keyBase64: text("keyBase64"), host: context.host)
            } catch {
                throw GraphError("\(plan.name): \(error)")
            }
        }
        return try RtpEndpoint(context, name: plan.name, services: services, options: options)
    }

    private func recordingProfile(
        _ plan: PipelinePlan.Element, linkedKinds: Set<MediaKind>
    ) throws(GraphError) -> RecordingProfile {
        let arguments = plan.arguments
        let uri = arguments.string("uri") ?? ""
        let given = arguments.given.contains { $0.name == "mediaProfile" } ? arguments.string("mediaProfile") : nil
        guard
            let name = given ?? RecorderProfile.name(uri: uri, kinds: linkedKinds) ?? arguments.string("mediaProfile"),
            let chosen = RecorderProfile(name: name),
            let container = Container(rawValue: chosen.container.rawValue.lowercased())
        else { throw GraphError("\(plan.name): no container is known for “\(uri)”; give a mediaProfile") }
        var profile = RecordingProfile(container: container)
        profile.waitsForAllKinds = given != nil && !context.configuration.endsWithInputs
        profile.kinds = Set((chosen.audio ? [.audio] : []) + (chosen.video ? [.video] : []))
        profile.videoCodec = arguments.string("videoCodec").flatMap(VideoCodec.init(rawValue:))
        profile.audioCodec = arguments.string("audioCodec").flatMap(AudioCodec.init(rawValue:))
        // Who records MP4 through the control API expects what Kurento wrote: Opus in MP4 plays on few devices.
        if profile.audioCodec == nil, container == .mp4, !context.configuration.endsWithInputs {
            profile.audioCodec = .aac
        }
        profile.videoBitrate = arguments.int("videoBitrate") ?? profile.videoBitrate
        profile.audioBitrate = arguments.int("audioBitrate") ?? profile.audioBitrate
        profile.width = arguments.int("videoWidth")
        profile.height = arguments.int("videoHeight")
        profile.frameRate = arguments.int("videoFramerate").map { Rational($0, 1) }
        return profile
    }

    private func compositeOptions(_ arguments: Arguments) -> Composite.Options {
        var options = Composite.Options()
        options.width = arguments.int("width") ?? options.width
        options.height = arguments.int("height") ?? options.height
        if let rate = arguments.int("framerate") { options.frameRate = Rational(rate, 1) }
        options.fit = arguments.string("fit").flatMap(Fit.init(rawValue:)) ?? options.fit
        options.arrangement =
            arguments.string("layout").flatMap(Composite.Arrangement.init(rawValue:)) ?? options.arrangement
        options.background = arguments.string("background").flatMap(YUVColor.init(hex:)) ?? options.background
        options.showsLabels = arguments.boolean("showLabels") ?? false
        return options
    }

    private func portOptions(_ arguments: Arguments) -> PortOptions {
        var options = PortOptions()
        options.gain = Float(arguments.float("gain") ?? 1)
        options.isMuted = arguments.boolean("muted") ?? false
        options.label = arguments.string("label") ?? ""
        options.isSelfHidden = arguments.boolean("selfHidden") ?? false
        options.fit = arguments.string("fit").flatMap(Fit.init(rawValue:))
        options.label = arguments.string("label") ?? ""
        let zOrder = arguments.int("zOrder") ?? 0
        options.zOrder = zOrder
        if let members = arguments.structure("region") {
            func value(_ name: String) -> Double { members.first { $0.name == name }?.value.float ?? 0 }
            options.region = Region(
                x: value("x"), y: value("y"), width: value("width"), height: value("height"), z: zOrder)
        }
        return options
    }

    // MARK: Operations

    private func invoke(_ plan: PipelinePlan.Invocation) throws(GraphError) {
        let (object, arguments) = (try find(plan.object), plan.arguments)
        func port(_ name: String) throws(GraphError) -> HubPort {
            guard let port = try find(arguments.object(name) ?? "") as? HubPort else {
                throw GraphError("\(plan.object).\(plan.method): “\(arguments.object(name) ?? "")” is not a HubPort")
            }
            return port
        }
        switch (object, plan.method) {
        case (let hub as Dispatcher, "connect"): try hub.connect(source: port("source"), sink: port("sink"))
        case (let hub as DispatcherOneToMany, "setSource"): try hub.setSource(port("source"))
        case (let hub as DispatcherOneToMany, "removeSource"): hub.removeSource()
        case (let hub as Mixer, "connect"):
            try hub.connect(try kind(plan), source: port("source"), sink: port("sink"))
        case (let hub as Mixer, "disconnect"):
            try hub.disconnect(try kind(plan), source: port("source"), sink: port("sink"))
        case (let hub as AlphaBlending, "setMaster"):
            try hub.setMaster(port("source"), zOrder: arguments.int("zOrder") ?? 0)
        case (let hub as AlphaBlending, "setPortProperties"):
            try hub.setPortProperties(
                port("port"), relativeX: arguments.float("relativeX") ?? 0,
                relativeY: arguments.float("relativeY") ?? 0,
                zOrder: arguments.int("zOrder") ?? 0, relativeWidth: arguments.float("relativeWidth") ?? 1,
                relativeHeight: arguments.float("relativeHeight") ?? 1)
        default:
            if try invoke(plan.method, of: object, arguments) { return }
            throw GraphError("\(plan.object) (\(object.className)) has no method “\(plan.method)” to be called here")
        }
    }

    private func kind(_ plan: PipelinePlan.Invocation) throws(GraphError) -> MediaKind {
        guard let kind = MediaKind(rawValue: plan.arguments.string("media")?.lowercased() ?? "") else {
            throw GraphError("\(plan.object).\(plan.method): media must be AUDIO, VIDEO or DATA")
        }
        return kind
    }
}

extension YUVColor {
    /// `#rrggbb`; nil for anything else.
    init?(hex: String) {
        guard hex.count == 7, hex.hasPrefix("#"), let value = UInt32(hex.dropFirst(), radix: 16) else { return nil }
        self.init(red: UInt8(value >> 16), green: UInt8(value >> 8 & 0xFF), blue: UInt8(value & 0xFF))
    }
}
