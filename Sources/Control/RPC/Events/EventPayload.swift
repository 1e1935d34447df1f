package import Core
import Media

/// An event of an element as the protocol words it: its name and its own members.
struct EventPayload {
    let name: String
    var members: [Argument] = []
    /// What is kept of it with the object, for its getters.
    var remembered: (name: String, value: ArgumentValue)?

    /// Events whose payload does not say their own name: `Error` has another `type`, the manager's have none.
    static let withoutType: Set<String> = ["Error", "ObjectCreated", "ObjectDestroyed"]

    private static let pad = ArgumentValue.string("default")
    /// One stream, one component: everything is bundled.
    private static let stream = 1

    /// Nil for what clients are not told.
    init?(_ detail: PipelineEvent.Detail) {
        switch detail {
        case .error(let type, let description):
            self.init(
                "Error", ("description", .string(description)), ("errorCode", .int(0)), ("type", .string(type.rawValue))
            )
        case .elementConnected(let sink, let kind): self.init(link: "ElementConnected", sink, kind)
        case .elementDisconnected(let sink, let kind): self.init(link: "ElementDisconnected", sink, kind)
        case .mediaFlowOutStateChanged(let kind, let isFlowing):
            self.init(flow: "MediaFlowOutStateChanged", kind, isFlowing)
        case .mediaFlowInStateChanged(let kind, let isFlowing):
            self.init(flow: "MediaFlowInStateChanged", kind, isFlowing)
        case .mediaTranscodingStateChanged(let kind, let isTranscoding):
            self.init(
                "MediaTranscodingStateChanged", ("binName", Self.pad), ("mediaType", kind.wire),
                ("state", .string(isTranscoding ? "TRANSCODING" : "NOT_TRANSCODING")))
            remembered = (Self.transcodingKey(kind), .boolean(isTranscoding))
        case .uriEndpointStateChanged(let state):
            self.init("UriEndpointStateChanged", ("state", .string(state.rawValue)))
        case .endOfStream: self.init("EndOfStream")
        case .recording: self.init("Recording")
        case .paused: self.init("Paused")
        case .stopped: self.init("Stopped")
        case .mediaSessionStarted: self.init("MediaSessionStarted")
        case .mediaSessionTerminated: self.init("MediaSessionTerminated")
        case .codeFound(let type, let value):
            self.init("CodeFound", ("codeType", .string(type)), ("value", .string(value)))
        case .connectionStateChanged(let old, let new):
            self.init(
                "ConnectionStateChanged", ("oldState", .string(old.rawValue)), ("newState", .string(new.rawValue)))
        case .mediaStateChanged(let old, let new):
            self.init("MediaStateChanged", ("oldState", .string(old.rawValue)), ("newState", .string(new.rawValue)))
        case .dataChannelOpened(let number): self.init("DataChannelOpened", ("channelId", .int(number)))
        case .dataChannelClosed(let number): self.init("DataChannelClosed", ("channelId", .int(number)))
        case .onKeySoftLimit(let kind): self.init("OnKeySoftLimit", ("mediaType", kind.wire))
        case .warning, .keyPressed: return nil
        case .iceCandidateFound, .iceGatheringDone, .iceComponentStateChanged, .newCandidatePairSelected,
            .dtlsConnectionStateChange:
            self.init(transport: detail)
        }
    }

    /// What ICE and DTLS report.
    private init?(transport detail: PipelineEvent.Detail) {
        switch detail {
        case .iceCandidateFound(let candidate, let mid, let line):
            let value = ArgumentValue.structure([
                Argument("candidate", .string(candidate)), Argument("sdpMid", .string(mid)),
                Argument("sdpMLineIndex", .int(line)),
            ])
            self.init("IceCandidateFound", ("candidate", value))
        case .iceGatheringDone: self.init("IceGatheringDone")
        case .iceComponentStateChanged(let state):
            self.init(
                "IceComponentStateChanged", ("streamId", .int(Self.stream)), ("componentId", .int(Self.stream)),
                ("state", .string(state.rawValue)))
        case .newCandidatePairSelected(let local, let remote):
            self.init("NewCandidatePairSelected", ("candidatePair", Self.pair(local: local, remote: remote)))
        case .dtlsConnectionStateChange(let state):
            self.init(
                "DtlsConnectionStateChange", ("streamId", .string(String(Self.stream))),
                ("componentId", .string(String(Self.stream))), ("connectionId", .string("dtls-\(Self.stream)")),
                ("state", .string(state.rawValue)))
        default: return nil
        }
    }

    /// An `IceCandidatePair` of whole candidate lines.
    static func pair(local: String, remote: String) -> ArgumentValue {
        .structure([
            Argument("streamId", .string(String(stream))), Argument("componentId", .int(stream)),
            Argument("localCandidate", .string(local)), Argument("remoteCandidate", .string(remote)),
        ])
    }

    /// Where an object remembers whether its output of that kind is encoded again.
    static func transcodingKey(_ kind: MediaKind) -> String { "transcoding \(kind.rawValue)" }

    private init(link name: String, _ sink: String, _ kind: MediaKind) {
        self.init(
            name, ("sink", .object(sink)), ("mediaType", kind.wire), ("sourceMediaDescription", Self.pad),
            ("sinkMediaDescription", Self.pad))
    }

    private init(flow name: String, _ kind: MediaKind, _ isFlowing: Bool) {
        self.init(
            name, ("state", .string(isFlowing ? "FLOWING" : "NOT_FLOWING")), ("padName", Self.pad),
            ("mediaType", kind.wire))
    }

    private init(_ name: String, _ members: (String, ArgumentValue)...) {
        self.name = name
        self.members = members.map { Argument($0.0, $0.1) }
    }
}

extension MediaKind {
    /// As clients write it: `AUDIO`.
    package var wire: ArgumentValue { .string(rawValue.uppercased()) }
}
