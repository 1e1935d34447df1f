package import Core
package import Media
package import Mixing

/// Every participant's picture on one canvas, every participant's sound in one mix: the MCU.
///
/// Everybody looks at the same canvas, so one encoder per rendition serves them all. Each port hears all others but
/// not itself; ports that say nothing share one mix.
package final class Composite: MixingHub {
    /// How pictures without a region of their own are placed. Pictures beyond a layout's places are not shown.
    package enum Arrangement: String, Hashable, Sendable, CaseIterable {
        /// Kurento's: ⌈√n⌉ columns, filled row by row.
        case grid
        /// Rows and columns that waste least, last row centred.
        case balanced
        /// The first large, the others in a row below.
        case speaker
        case sideBySide
        /// The first fills the canvas, the second stands in its lower right corner.
        case pictureInPicture
        /// Only the first.
        case full
    }

    package struct Options: Hashable, Sendable {
        /// Canvas in pixels; fixed once the hub is made.
        package var width = 800
        package var height = 600
        /// Fixed once the hub is made.
        package var frameRate = Rational(15, 1)
        package var arrangement = Arrangement.grid
        /// Places of the layout's own, in place of the arrangement's.
        package var regions: [Region]?
        package var fit = Fit.contain
        package var background = YUVColor.black
        /// Whether ports' labels are written onto their pictures.
        package var showsLabels = false
        package init() {}
    }

    /// Places that a layout may have.
    private static let regionsMax = 1024
    package private(set) var options: Options
    /// Messages of every port, for every port.
    private var messages: MediaSource?
    private lazy var labels = LabelMaker(self)

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

    // MARK: Changes, from the next picture on

    /// Places pictures by a named layout.
    package func setLayout(_ arrangement: Arrangement) {
        options.arrangement = arrangement
        options.regions = nil
    }

    /// Places pictures in the order of the ports into these parts of the canvas. Throws for one that is not on it.
    package func setLayout(_ regions: [Region]) throws(GraphError) {
        guard (1...Composite.regionsMax).contains(regions.count) else {
            throw GraphError("a layout has 1 to \(Composite.regionsMax) regions, found \(regions.count)")
        }
        for (index, region) in regions.enumerated() {
            let numbers = [region.x, region.y, region.width, region.height]
            // Thirds and the like do not add up exactly.
            guard numbers.allSatisfy({ (0...1).contains($0) }), region.width > 0, region.height > 0,
                region.x + region.width <= 1 + 1e-6, region.y + region.height <= 1 + 1e-6
            else {
                throw GraphError(
                    "region \(index) of the layout is not on the canvas: x, y, width and height are fractions of it, "
                        + "from 0 to 1, and so are x + width and y + height")
            }
        }
        options.regions = regions
    }

    package func setFit(_ fit: Fit) { options.fit = fit }
    package func setBackground(_ colour: YUVColor) { options.background = colour }
    package func setShowsLabels(_ shows: Bool) { options.showsLabels = shows }

    override func optionsChanged(of port: HubPort) { canvas?.setHidden(port.options.isSelfHidden, from: port) }

    // A message that enters a port leaves through all of them, that one included, as in Kurento.

    override func makeSink(for port: HubPort, _ kind: MediaKind) -> (any MediaSink)? {
        if kind == .data { return DataSink { [unowned self] in messages?.push(.message($0)) } }
        return super.makeSink(for: port, kind)
    }

    override func portAdded(_ port: HubPort) {
        super.portAdded(port)
        port.outputs[.data]?.origin = messages
    }

    public override func release() {
        guard !isReleased else { return }
        labels.release()
        super.release()
    }

    // MARK: Drawing

    private func compose(_ inputs: [PictureInput], at time: MediaTime) -> CompositionJob {
        let visible = inputs.filter { $0.current != nil }
        // Pinned ones come first, each group in the order of the ports.
        let shown = visible.filter { $0.port.options.isPinned } + visible.filter { !$0.port.options.isPinned }
        var free = layout(for: shown.filter { $0.port.options.region == nil }.count).makeIterator()
        var tiles: [Tile] = []
        for input in shown {
            guard let picture = input.current, let region = input.port.options.region ?? free.next() else { continue }
            tiles.append(
                Tile(
                    frame: picture, region: region, fit: input.port.options.fit ?? options.fit,
                    opacity: input.port.options.opacity))
            if options.showsLabels, let label = label(input.port.options.label, in: region) { tiles.append(label) }
        }
        return CompositionJob(
            width: options.width, height: options.height, pts: time, background: options.background, tiles: tiles)
    }

    private func layout(for count: Int) -> [Region] {
        if let regions = options.regions { return regions }
        let (width, height) = (options.width, options.height)
        return switch options.arrangement {
        case .grid: Layout.grid(count: count, width: width, height: height).regions
        case .balanced: Layout.balancedGrid(count: count, width: width, height: height).regions
        case .speaker: Layout.speaker(count: count).regions
        case .sideBySide: Layout.sideBySide(count: count).regions
        case .pictureInPicture: Layout.pictureInPicture(canvasAspect: Double(width) / Double(height)).regions
        case .full: Layout.full.regions
        }
    }

    /// The label's own picture, in the lower left corner of a region.
    private func label(_ text: String, in region: Region) -> Tile? {
        let area = region.rectangle(width: options.width, height: options.height)
        guard !text.isEmpty, let frame = labels.label(text, width: area.width, height: area.height) else { return nil }
        let margin = max(2, area.height / 40 & ~1)
        let (width, height) = (Double(options.width), Double(options.height))
        let place = Region(
            x: Double(area.x + margin) / width, y: Double(area.bottom - margin - frame.height) / height,
            width: Double(frame.width) / width, height: Double(frame.height) / height, z: region.z)
        return Tile(frame: frame, region: place, fit: .stretch, opacity: LabelMaker.opacity)
    }
}
