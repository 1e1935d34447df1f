import Control
import Core
import Media

/// Shows a run to a person (progress line, summary) or to a program (JSON lines).
final class RunPrinter: Sendable {
    private let isJSON: Bool
    private let isQuiet: Bool
    private let lineWidth = Lock(0)

    init(isJSON: Bool, isQuiet: Bool) {
        self.isJSON = isJSON
        self.isQuiet = isQuiet
    }

    /// Nobody watches a progress line in a file.
    var showsProgress: Bool { !isQuiet && (isJSON || Terminal.errorIsTerminal) }

    func show(_ progress: RunProgress) {
        guard showsProgress else { return }
        if isJSON { return Terminal.out(progress.json.compact + "\n") }
        let line = progress.line(width: Terminal.width - 1)
        lineWidth.withLock { $0 = 1 }
        Terminal.error("\r\u{1B}[K" + line)
    }

    func show(_ event: PipelineEvent) {
        if isJSON, !isQuiet { Terminal.out(event.json.compact + "\n") }
        guard !isJSON else { return }
        switch event.detail {
        case .error(_, let description): message("\(event.element): \(description)")
        case .warning(let description): message("\(event.element): \(description)")
        default: break
        }
    }

    func fail(_ description: String) { message("tessera: \(description)") }

    func finish(_ summary: RunSummary) {
        if isJSON { return Terminal.out(summary.json.compact + "\n") }
        guard !isQuiet else { return }
        endLine()
        Terminal.out(summary.table(width: Terminal.width))
    }

    private func message(_ text: String) {
        endLine()
        Terminal.error(text + "\n")
    }

    /// Leaves a progress line behind, if one stands there.
    private func endLine() {
        let stands = lineWidth.withLock { width in
            defer { width = 0 }
            return width > 0
        }
        if stands { Terminal.error("\n") }
    }
}

extension PipelineEvent {
    /// One line of `--json` output.
    var json: JSON {
        var members: [(String, JSON)] = [
            ("type", "event"), ("element", .string(element)), ("class", .string(className)),
        ]
        switch detail {
        case .error(let type, let description):
            members += [
                ("event", "Error"), ("errorType", .string(type.rawValue)), ("description", .string(description)),
            ]
        case .warning(let description): members += [("event", "Warning"), ("description", .string(description))]
        case .elementConnected(let sink, let kind):
            members += [("event", "ElementConnected"), ("sink", .string(sink)), ("mediaType", .media(kind))]
        case .elementDisconnected(let sink, let kind):
            members += [("event", "ElementDisconnected"), ("sink", .string(sink)), ("mediaType", .media(kind))]
        case .mediaFlowOutStateChanged(let kind, let isFlowing):
            members += [
                ("event", "MediaFlowOutStateChanged"), ("mediaType", .media(kind)), ("state", .flow(isFlowing)),
            ]
        case .mediaFlowInStateChanged(let kind, let isFlowing):
            members += [("event", "MediaFlowInStateChanged"), ("mediaType", .media(kind)), ("state", .flow(isFlowing))]
        case .mediaTranscodingStateChanged(let kind, let isTranscoding):
            members += [
                ("event", "MediaTranscodingStateChanged"), ("mediaType", .media(kind)),
                ("state", isTranscoding ? "TRANSCODING" : "NOT_TRANSCODING"),
            ]
        case .uriEndpointStateChanged(let state):
            members += [("event", "UriEndpointStateChanged"), ("state", .string(state.rawValue))]
        case .endOfStream: members.append(("event", "EndOfStream"))
        case .recording: members.append(("event", "Recording"))
        case .paused: members.append(("event", "Paused"))
        case .stopped: members.append(("event", "Stopped"))
        default: members += detail.connectionMembers
        }
        return .object(members.map { JSON.Member($0.0, $0.1) })
    }
}

extension PipelineEvent.Detail {
    /// Of the events of endpoints with a peer.
    fileprivate var connectionMembers: [(String, JSON)] {
        func states(_ event: String, _ old: String, _ new: String) -> [(String, JSON)] {
            [("event", .string(event)), ("oldState", .string(old)), ("newState", .string(new))]
        }
        switch self {
        case .iceCandidateFound(let candidate, let mid, let line):
            return [
                ("event", "IceCandidateFound"), ("candidate", .string(candidate)), ("sdpMid", .string(mid)),
                ("sdpMLineIndex", .int(line)),
            ]
        case .iceGatheringDone: return [("event", "IceGatheringDone")]
        case .iceComponentStateChanged(let state):
            return [("event", "IceComponentStateChanged"), ("state", .string(state.rawValue))]
        case .newCandidatePairSelected(let local, let remote):
            return [
                ("event", "NewCandidatePairSelected"), ("localCandidate", .string(local)),
                ("remoteCandidate", .string(remote)),
            ]
        case .dtlsConnectionStateChange(let state):
            return [("event", "DtlsConnectionStateChange"), ("state", .string(state.rawValue))]
        case .mediaSessionStarted: return [("event", "MediaSessionStarted")]
        case .mediaSessionTerminated: return [("event", "MediaSessionTerminated")]
        case .connectionStateChanged(let old, let new):
            return states("ConnectionStateChanged", old.rawValue, new.rawValue)
        case .mediaStateChanged(let old, let new): return states("MediaStateChanged", old.rawValue, new.rawValue)
        case .dataChannelOpened(let id): return [("event", "DataChannelOpened"), ("channelId", .int(id))]
        case .dataChannelClosed(let id): return [("event", "DataChannelClosed"), ("channelId", .int(id))]
        case .onKeySoftLimit(let kind): return [("event", "OnKeySoftLimit"), ("mediaType", .media(kind))]
        case .keyPressed(let key): return [("event", "KeyPressed"), ("key", .int(key))]
        case .codeFound(let type, let value):
            return [("event", "CodeFound"), ("codeType", .string(type)), ("value", .string(value))]
        default: return []
        }
    }
}

extension JSON {
    fileprivate static func media(_ kind: MediaKind) -> JSON { .string(kind.rawValue.uppercased()) }
    fileprivate static func flow(_ isFlowing: Bool) -> JSON { .string(isFlowing ? "FLOWING" : "NOT_FLOWING") }
}
