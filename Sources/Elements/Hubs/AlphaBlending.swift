import Core
package import Media
import Mixing

/// Pictures laid over each other on the canvas that one of them, the master, gives. Sound is mixed as in a Composite.
package final class AlphaBlending: MixingHub {
    private weak var master: HubPort?
    private var size: (width: Int, height: Int)?
    private static let frameRate = Rational(30, 1)

    package init(_ context: PipelineContext, name: String) {
        super.init(context, name: name, className: "AlphaBlending")
        addCanvas(rate: AlphaBlending.frameRate) { [unowned self] in compose($0, at: $1) }
        addSound { [unowned self] in everyoneButItself($0) }
    }

    /// The port whose picture gives the canvas its size and fills it, at depth `zOrder`.
    package func setMaster(_ port: HubPort, zOrder: Int) throws(GraphError) {
        try checkOwn(port)
        master = port
        port.options.region = Region(z: zOrder)
        port.options.fit = .stretch
        size = nil
    }

    /// Places a port's picture. Position and size are fractions of the canvas, 0–1.
    package func setPortProperties(
        _ port: HubPort, relativeX: Double, relativeY: Double, zOrder: Int, relativeWidth: Double,
        relativeHeight: Double
    ) throws(GraphError) {
        try checkOwn(port)
        for (label, value) in [
            ("relativeX", relativeX), ("relativeY", relativeY), ("relativeWidth", relativeWidth),
            ("relativeHeight", relativeHeight),
        ] where !(0...1).contains(value) {
            throw GraphError("\(label) is \(value); it is a fraction of the canvas, from 0 to 1")
        }
        port.options.region = Region(
            x: relativeX, y: relativeY, width: relativeWidth, height: relativeHeight, z: zOrder)
        port.options.fit = .stretch
    }

    /// Nothing is shown before the master's first picture; ports that nobody placed are not shown.
    private func compose(_ inputs: [PictureInput], at time: MediaTime) -> CompositionJob? {
        if size == nil, let picture = inputs.first(where: { $0.port === master })?.current {
            size = (picture.width, picture.height)
            canvas?.setCanvas(width: picture.width, height: picture.height)
        }
        guard let size else { return nil }
        let tiles = inputs.compactMap { input -> Tile? in
            guard let picture = input.current, let region = input.port.options.region else { return nil }
            return Tile(
                frame: picture, region: region, fit: input.port.options.fit ?? .stretch,
                opacity: input.port.options.opacity)
        }
        return CompositionJob(width: size.width, height: size.height, pts: time, tiles: tiles)
    }
}
