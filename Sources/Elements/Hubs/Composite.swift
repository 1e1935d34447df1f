package import Core
package import Media
package import Mixing

/// Every participant's picture on one canvas, every participant's sound in one mix: the MCU.
///
/// Everybody looks at the same canvas, so one encoder per rendition serves them all. Each port hears all others but
/// not itself; ports that say nothing share one mix.
package final class Composite: MixingHub {
    /// How pictures without a region of their own are placed.
    package enum Arrangement: String, Hashable, Sendable, CaseIterable {
        /// Kurento's: ⌈√n⌉ columns, filled row by row.
        case grid
        /// Rows and columns that waste least, last row centred.
        case balanced
    }

    package struct Options: Hashable, Sendable {
        /// Canvas in pixels.
        package var width = 800
        package var height = 600
        package var frameRate = Rational(15, 1)
        package var arrangement = Arrangement.grid
        package var fit = Fit.contain
        package var background = YUVColor.black
        package init() {}
    }

    package let options: Options
    /// Messages of every port, for every port.
    private var messages: MediaSource?

    package init(_ context: PipelineContext, name: String, options: Options = Options()) {
        self.options = options
        super.init(context, name: name, className: "Composite")
        let canvas = addCanvas(rate: options.frameRate) { [unowned self] in compose($0, at: $1) }
        canvas.setCanvas(width: options.width, height: options.height)
        addSound { [unowned self] in everyoneButItself($0) }
        let messages = MediaSource(element: self, kind: .data)
        messages.setForm(.messages)
        self.messages = messages
    }

    // A message that enters a port leaves through all of them, that one included, as in Kurento.

    override func makeSink(for port: HubPort, _ kind: MediaKind) -> (any MediaSink)? {
        if kind == .data { return DataSink { [unowned self] in messages?.push(.message($0)) } }
        return super.makeSink(for: port, kind)
    }

    override func portAdded(_ port: HubPort) {
        super.portAdded(port)
        port.outputs[.data]?.origin = messages
    }

    private func compose(_ inputs: [PictureInput], at time: MediaTime) -> CompositionJob {
        let shown = inputs.filter { $0.current != nil }
        let placed = shown.filter { $0.port.options.region == nil }
        let layout =
            switch options.arrangement {
            case .grid: Layout.grid(count: placed.count, width: options.width, height: options.height)
            case .balanced: Layout.balancedGrid(count: placed.count, width: options.width, height: options.height)
            }
        var free = layout.regions.makeIterator()
        let tiles = shown.compactMap { input -> Tile? in
            guard let picture = input.current, let region = input.port.options.region ?? free.next() else { return nil }
            return Tile(
                frame: picture, region: region, fit: input.port.options.fit ?? options.fit,
                opacity: input.port.options.opacity)
        }
        return CompositionJob(
            width: options.width, height: options.height, pts: time, background: options.background, tiles: tiles)
    }
}
