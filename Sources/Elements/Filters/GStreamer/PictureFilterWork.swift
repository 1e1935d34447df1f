import Codecs
import Core
import Media

/// Puts pictures through what a `GStreamerFilter`'s values come to. Changes take effect with the next picture, without
/// a gap; what cannot be done is told once, and pictures pass unchanged until something changes.
final class PictureFilterWork: StageWork {
    private let pool: FramePool
    private var values: GStreamerValues?
    private var plan = FilterPlan.nothing
    /// For which the plan was made; nil: a new one is due.
    private var planned: (width: Int, height: Int)?
    private var graph: VideoFilterGraph?
    private var hasFailed = false
    private var text: TextOverlayDrawing
    /// Times that went in and have not come out, in order.
    private var held: [MediaTime] = []
    private var last = MediaTime.distantPast
    /// Frame rate converters may date a picture back by so much.
    private static let slack = MediaTime.milliseconds(250)

    init(pool: FramePool) {
        self.pool = pool
        text = TextOverlayDrawing(pool: pool)
    }

    func process(_ input: FilterInput<GStreamerValues>, emit: (FilterOutput<Never>) -> Void) throws {
        switch input {
        case .command(let values):
            self.values = values
            planned = nil
        case .item(.picture(let picture), let wall): try filter(picture, wall, emit)
        case .item(.watermark(let time), _):
            let bound = min(time, held.first ?? time)
            emit(.item(.watermark(values?.frameRate == nil ? bound : bound - PictureFilterWork.slack)))
        case .item(.end(let time), _):
            defer { emit(.item(.end(time))) }
            try drain(emit)
        case .item(let item, _): emit(.item(item))
        }
    }

    private func filter(
        _ picture: VideoFrame, _ wall: Int64, _ emit: (FilterOutput<Never>) -> Void
    ) throws {
        try prepare(for: picture, emit)
        switch plan {
        case .nothing: deliver(picture, emit)
        case .text(let plan): deliver(text.draw(plan, onto: picture, wall: wall), emit)
        case .steps(let steps):
            guard !hasFailed else { return deliver(picture, emit) }
            do {
                let graph = try graph ?? makeGraph(steps, for: picture)
                self.graph = graph
                held.append(picture.pts)
                for made in try graph.filter(picture) { deliver(made, emit) }
            } catch {
                hasFailed = true
                graph = nil
                held = []
                deliver(picture, emit)
                throw error
            }
        }
    }

    /// Makes the plan fit the values and the picture's size.
    private func prepare(for picture: VideoFrame, _ emit: (FilterOutput<Never>) -> Void) throws {
        if let graph, !graph.fits(picture) { try drain(emit) }
        if let planned, planned == (picture.width, picture.height) { return }
        planned = (picture.width, picture.height)
        hasFailed = false
        let new = values?.plan(for: MediaForm(width: picture.width, height: picture.height)) ?? .nothing
        guard new != plan else { return }
        plan = new
        if case .steps(let steps) = new, graph?.change(to: steps) == true { return }
        try drain(emit)
    }

    private func makeGraph(_ steps: [FilterStep], for picture: VideoFrame) throws -> VideoFilterGraph {
        try VideoFilterGraph(
            steps, width: picture.width, height: picture.height, pixelAspect: picture.pixelAspect, pool: pool)
    }

    private func drain(_ emit: (FilterOutput<Never>) -> Void) throws {
        defer {
            graph = nil
            held = []
        }
        for picture in try graph?.flush() ?? [] { deliver(picture, emit) }
    }

    private func deliver(_ picture: VideoFrame, _ emit: (FilterOutput<Never>) -> Void) {
        let picture = picture.pts >= last || last - picture.pts > .seconds(1) ? picture : VideoFrame(picture, pts: last)
        last = picture.pts
        held.removeAll { $0 <= picture.pts }
        emit(.item(.picture(picture)))
    }
}
