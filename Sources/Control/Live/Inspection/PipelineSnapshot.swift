package import Core
import Elements
import Files
package import Media

/// A pipeline at one moment: its elements, links, and what works for it. Made on the pipeline's loop, read anywhere.
///
/// Counts rise from the beginning; whoever wants rates takes two snapshots.
package struct PipelineSnapshot: Hashable, Sendable {
    package struct Element: Hashable, Sendable {
        package var id: String
        package var className: String
        /// What people call it.
        package var name: String
        /// The hub whose port it is.
        package var hub: String?
        package var isHub = false
        /// States, addresses and the like.
        package var facts: [Fact] = []
        /// The element to ask for a picture of this one; nil where there is nothing to see.
        package var thumbnail: String?
        /// Whether its pictures are decoded anyway, so that looking costs next to nothing.
        package var isDecoded = false
    }
    package struct Fact: Hashable, Sendable {
        package var name: String
        package var value: String
    }
    /// How media comes over a link.
    package enum Manner: String, Sendable {
        /// As it arrived.
        case passed
        case decoded
        /// Coded from what the element made itself.
        case encoded
        /// Decoded, and coded anew.
        case transcoded
        case messages
        /// Nobody takes it, or nothing comes.
        case idle
    }
    package struct Link: Hashable, Sendable {
        package var from: String
        package var to: String
        package var kind: MediaKind
        package var manner = Manner.idle
        package var isFlowing: Bool
        /// What comes by nature.
        package var native = Form()
        /// What the sink gets; nil where that is the same.
        package var made: Form?
        /// Equal for links that share one production.
        package var share: String?
    }
    /// What flows, and how much of it has.
    package struct Form: Hashable, Sendable {
        package var codec = ""
        package var width = 0
        package var height = 0
        package var frames = 0
        package var bytes = 0
        /// Sinks and stages that share it.
        package var sinks = 0
    }
    /// A decoder, encoder, compositor and so on that is at work.
    package struct Stage: Hashable, Sendable {
        package var element: String
        package var kind: String
        package var detail: String
        package var frames: Int
        package var cpuNanoseconds: Int64
        package var sharedBy: Int
        package var drops: [Fact]
    }

    package var id: String
    package var name: String
    package var elements: [Element] = []
    package var links: [Link] = []
    package var stages: [Stage] = []
    /// Elements beyond `elementsMax` are only counted.
    package var elementCount: Int
    /// A page with more boxes helps nobody.
    package static let elementsMax = 400

    /// `names`: what clients call elements, by id.
    package init(_ context: PipelineContext, id: String, name: String, names: [String: String] = [:]) {
        (self.id, self.name) = (id, name)
        let shown = context.elements.prefix(PipelineSnapshot.elementsMax)
        elementCount = context.elements.count
        elements = shown.map { PipelineSnapshot.describe($0, names[$0.name]) }
        let ids = Set(shown.map(\.name))
        var sources: [ObjectIdentifier: Int] = [:]
        for element in shown {
            for kind in MediaKind.allCases {
                guard let pad = element.outputs[kind] else { continue }
                for sink in pad.downstream where ids.contains(sink.element.name) {
                    var number: Int?
                    if let origin = pad.origin {
                        number = sources[ObjectIdentifier(origin), default: sources.count]
                        sources[ObjectIdentifier(origin)] = number
                    }
                    links.append(Link(pad, sink, source: number))
                }
            }
        }
        stages = context.stageRecords.filter(\.isRunning).suffix(PipelineSnapshot.elementsMax * 2).map(Stage.init)
    }

    // MARK: Elements

    private static func describe(_ element: Media.Element, _ name: String?) -> Element {
        var out = Element(id: element.name, className: element.className, name: name ?? shortName(element))
        if let port = element as? HubPort { out.hub = port.hub.name }
        var shown = element
        if let hub = element as? Hub {
            out.isHub = true
            shown = hub.ports.first { $0.outputs[.video]?.origin?.element === hub } ?? hub
        }
        // A routing element shows what another one does.
        if let source = shown.outputs[.video]?.origin, source.element === element, source.form != nil {
            out.thumbnail = shown.name
            out.isDecoded = source.isDecoded
        }
        out.facts = facts(of: element)
        return out
    }

    /// Ids of clients' objects end with a UUID and the class.
    private static func shortName(_ element: Media.Element) -> String {
        guard element.name.contains("_kurento.") else { return element.name }
        return element.name.split(separator: "/").last.map { String($0.prefix(8)) } ?? element.name
    }

    private static func facts(of element: Media.Element) -> [Fact] {
        switch element {
        case let endpoint as WebRtcEndpoint:
            var out = [Fact(name: "connection", value: endpoint.connectionState.rawValue.lowercased())]
            if let path = endpoint.selectedPath { out.append(Fact(name: "path", value: path)) }
            return out
        case let endpoint as BaseRtpEndpoint:
            return [Fact(name: "connection", value: endpoint.connectionState.rawValue.lowercased())]
        case let player as PlayerEndpoint:
            return [
                Fact(name: "plays", value: Location.redacted(player.uri)),
                Fact(name: "state", value: player.state.rawValue.lowercased()),
            ]
        case let recorder as RecorderEndpoint:
            return [
                Fact(name: "records", value: Location.redacted(recorder.uri)),
                Fact(name: "state", value: recorder.state.rawValue.lowercased()),
            ]
        case let port as HubPort:
            var out: [Fact] = []
            if !port.options.label.isEmpty { out.append(Fact(name: "label", value: port.options.label)) }
            if port.options.isMuted { out.append(Fact(name: "sound", value: "muted")) }
            return out
        case let hub as Hub: return [Fact(name: "ports", value: String(hub.ports.count))]
        default: return []
        }
    }
}

extension PipelineSnapshot.Link {
    fileprivate init(_ pad: OutputPad, _ sink: InputPad, source: Int?) {
        self.init(from: pad.element.name, to: sink.element.name, kind: pad.kind, isFlowing: pad.isFlowing)
        guard let origin = pad.origin, let form = origin.form else { return }
        native = .init(form, origin.figures.first { $0.key == .native })
        guard let delivery = sink.delivery else {
            // A router takes nothing itself.
            manner = form == .messages ? .messages : isFlowing ? .passed : .idle
            return
        }
        let isCoded = if case .encoded = form { true } else { false }
        switch delivery.key {
        case .native: manner = form == .messages ? .messages : isCoded ? .passed : .decoded
        case .raw: manner = .decoded
        case .video, .audio: manner = isCoded ? .transcoded : .encoded
        }
        if delivery.key != .native { made = .init(form, delivery) }
        if let source, delivery.sinks > 1 { share = "\(source) \(delivery.key)" }
    }
}

extension PipelineSnapshot.Form {
    fileprivate init(_ form: NativeForm, _ figures: RenditionFigures?) {
        self.init()
        codec =
            switch figures?.key ?? .native {
            case .native: form.name
            case .raw: form.isSound ? "sound" : "pictures"
            case .video(let specification): specification.codec.rawValue
            case .audio(let specification): specification.codec.rawValue
            }
        guard let figures else { return }
        (width, height) = (figures.width, figures.height)
        (frames, bytes, sinks) = (figures.frames, figures.bytes, figures.sinks)
    }
}

extension PipelineSnapshot.Stage {
    fileprivate init(_ record: StageRecord) {
        self.init(
            element: record.element, kind: record.kind.rawValue,
            detail: [record.codec ?? "", record.detail].filter { !$0.isEmpty }.joined(separator: " "),
            frames: record.frames, cpuNanoseconds: record.cpuNanoseconds, sharedBy: record.sharedBy,
            drops: record.drops.sorted { $0.key < $1.key }.map { .init(name: $0.key, value: String($0.value)) })
    }
}

extension NativeForm {
    fileprivate var name: String {
        switch self {
        case .encoded(let format): format.codecName
        case .pictures: "pictures"
        case .sound: "sound"
        case .messages: "messages"
        }
    }

    fileprivate var isSound: Bool {
        switch self {
        case .encoded(.audio), .sound: true
        default: false
        }
    }
}

extension MediaPipeline {
    /// For the page that looks inside, which asks again soon.
    func glance(at name: String) async -> Result<[UInt8], GraphError>? {
        await thumbnail(of: name, width: 320, quality: 70, patience: .seconds(3))
    }
}
