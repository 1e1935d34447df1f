/// Layers of a simulcast that we take from an offer (RFC 8853, section 5.3).
struct SimulcastChoice {
    var rids: [RestrictionIdentifier] = []
    var streams: [[SimulcastDescription.Alternative]] = []

    init() {}

    /// Layers with their first alternative, in the order of the offer; none where the packets could not be told apart
    /// (no `rtp-stream-id` extension), and none where only one layer is left.
    init(_ offered: MediaDescription, capability: SimulcastCapability?, extensions: [ExtensionMap]) {
        guard let capability, let simulcast = offered.simulcast,
            extensions.contains(where: { $0.uri == ExtensionURI.rid })
        else { return }
        let known = offered.rids.filter(\.sends).map(\.id)
        for stream in simulcast.send {
            guard streams.count < capability.layersMax, let layer = stream.first(where: { known.contains($0.rid) }),
                !rids.contains(where: { $0.id == layer.rid })
            else { continue }
            rids.append(RestrictionIdentifier(id: layer.rid, sends: false))
            streams.append([layer])
        }
    }

    /// The layers that both descriptions name.
    static func layers(local: MediaDescription, remote: MediaDescription) -> [SimulcastLayer] {
        let wanted = Set((local.simulcast?.receive ?? []).flatMap { $0.map(\.rid) })
        let rids = remote.rids.filter(\.sends)
        var layers: [SimulcastLayer] = []
        for stream in remote.simulcast?.send ?? [] {
            guard let layer = stream.first(where: { wanted.contains($0.rid) }),
                !layers.contains(where: { $0.rid == layer.rid })
            else { continue }
            let rid = rids.first { $0.id == layer.rid }
            layers.append(
                SimulcastLayer(
                    rid: layer.rid, isPaused: layer.isPaused, widthMax: rid?.int("max-width"),
                    heightMax: rid?.int("max-height"), frameRateMax: rid?.int("max-fps"),
                    bitRateMax: rid?.int("max-br"), payloadTypes: rid?.payloadTypes ?? []))
        }
        return layers
    }
}
