import Codecs
import Core
import Media

/// Puts sound through what a `GStreamerFilter`'s values come to. Changes take effect with the next block, most of them
/// inside the running filter; what cannot be done is told once, and sound passes unchanged until something changes.
final class SoundFilterWork: StageWork {
    private var values: GStreamerValues?
    private var plan = FilterPlan.nothing
    /// Channels for which the plan was made; nil: a new one is due.
    private var planned: Int?
    private var graph: AudioFilterGraph?
    private var hasFailed = false
    /// Until when sound has come in.
    private var received = MediaTime.distantPast

    func process(_ input: FilterInput<GStreamerValues>, emit: (FilterOutput<Never>) -> Void) throws {
        switch input {
        case .command(let values):
            self.values = values
            planned = nil
        case .item(.sound(let block), _): try filter(block, emit)
        case .item(.watermark(let time), _):
            // What is still inside the filter comes first.
            let next = graph?.nextOutput.map { $0 < received ? min($0, time) : time }
            emit(.item(.watermark(next ?? time)))
        case .item(.end(let time), _):
            defer { emit(.item(.end(time))) }
            try drain(emit)
        case .item(let item, _): emit(.item(item))
        }
    }

    private func filter(_ block: AudioFrame, _ emit: (FilterOutput<Never>) -> Void) throws {
        received = block.end
        if let graph, graph.channels != block.channels { try drain(emit) }
        if planned != block.channels { try prepare(block.channels, emit) }
        guard case .steps(let steps) = plan, !hasFailed else { return emit(.item(.sound(block))) }
        do {
            let graph = try graph ?? makeGraph(steps, block.channels)
            self.graph = graph
            for made in try graph.filter(block) { emit(.item(.sound(made))) }
        } catch {
            hasFailed = true
            graph = nil
            emit(.item(.sound(block)))
            throw error
        }
    }

    private func prepare(_ channels: Int, _ emit: (FilterOutput<Never>) -> Void) throws {
        planned = channels
        hasFailed = false
        let new = values?.plan(for: MediaForm(channels: channels)) ?? .nothing
        guard new != plan else { return }
        plan = new
        if case .steps(let steps) = new, graph?.change(to: steps) == true { return }
        try drain(emit)
    }

    private func makeGraph(_ steps: [FilterStep], _ channels: Int) throws -> AudioFilterGraph {
        // Steps that make stereo end as stereo.
        let makesStereo = steps.contains { $0.filter == "pan" }
        let wanted = steps.flatMap(\.options).first { $0.name == "channel_layouts" }?.value
        let output = makesStereo || wanted == "stereo" ? 2 : wanted == "mono" ? 1 : channels
        return try AudioFilterGraph(steps, channels: channels, outputChannels: output)
    }

    private func drain(_ emit: (FilterOutput<Never>) -> Void) throws {
        defer { graph = nil }
        for block in try graph?.flush() ?? [] { emit(.item(.sound(block))) }
    }
}
