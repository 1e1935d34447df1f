package import Core
package import Media
import Mixing

/// Port-to-port matrix: pictures are routed, one to each output; sound is mixed, any number into each output.
package final class Mixer: MixingHub {
    private var pictures: [ObjectIdentifier: HubPort] = [:]
    private var heard: [ObjectIdentifier: [HubPort]] = [:]

    package init(_ context: PipelineContext, name: String) {
        super.init(context, name: name, className: "Mixer")
        addSound { [unowned self] port in
            .only((heard[ObjectIdentifier(port)] ?? []).compactMap { sound?.input(of: $0)?.number }.sorted())
        }
    }

    /// Shows `source` at `sink`, or adds its sound to what `sink` hears.
    package func connect(_ kind: MediaKind, source: HubPort, sink: HubPort) throws(GraphError) {
        try checkOwn(source)
        try checkOwn(sink)
        switch kind {
        case .video:
            pictures[ObjectIdentifier(sink)] = source
            sink.outputs[.video]?.origin = source.inputs[.video]?.origin
        case .audio:
            guard heard[ObjectIdentifier(sink)]?.contains(where: { $0 === source }) != true else { return }
            heard[ObjectIdentifier(sink), default: []].append(source)
            sound?.updateOutput(of: sink)
        case .data: throw GraphError("\(name) (Mixer) connects AUDIO and VIDEO, not DATA", reason: .unsupportedMedia)
        }
    }

    /// Takes the sound of `source` out of what `sink` hears.
    package func disconnect(_ kind: MediaKind, source: HubPort, sink: HubPort) throws(GraphError) {
        try checkOwn(source)
        try checkOwn(sink)
        guard kind == .audio else {
            throw GraphError(
                "\(name) (Mixer) disconnects AUDIO only; VIDEO changes by connecting another source",
                reason: .unsupportedMedia)
        }
        heard[ObjectIdentifier(sink)]?.removeAll { $0 === source }
        sound?.updateOutput(of: sink)
    }

    override func inputChanged(of port: HubPort, _ kind: MediaKind) {
        super.inputChanged(of: port, kind)
        guard kind == .video else { return }
        for sink in ports where pictures[ObjectIdentifier(sink)] === port {
            sink.outputs[.video]?.origin = port.inputs[.video]?.origin
        }
    }

    override func portRemoved(_ port: HubPort) {
        pictures[ObjectIdentifier(port)] = nil
        heard[ObjectIdentifier(port)] = nil
        for sink in ports {
            if pictures[ObjectIdentifier(sink)] === port {
                pictures[ObjectIdentifier(sink)] = nil
                sink.outputs[.video]?.origin = nil
            }
            if heard[ObjectIdentifier(sink)]?.contains(where: { $0 === port }) == true {
                heard[ObjectIdentifier(sink)]?.removeAll { $0 === port }
                sound?.updateOutput(of: sink)
            }
        }
        super.portRemoved(port)
    }
}
