package import Core
package import Media

/// A colour in the compositor's own terms: 8 bits each, limited range, BT.601.
package struct YUVColor: Hashable, Sendable {
    package var y: UInt8
    package var u: UInt8
    package var v: UInt8
    package init(y: UInt8, u: UInt8, v: UInt8) {
        self.y = y
        self.u = u
        self.v = v
    }

    package static let black = YUVColor(y: 16, u: 128, v: 128)

    /// From full-range RGB, 8 bits each (ITU-R BT.601, table 3 of its digital coding).
    package init(red: UInt8, green: UInt8, blue: UInt8) {
        let (r, g, b) = (Double(red) / 255, Double(green) / 255, Double(blue) / 255)
        let luma = 0.299 * r + 0.587 * g + 0.114 * b
        y = UInt8((16 + 219 * luma).rounded())
        u = UInt8((128 + 224 * (b - luma) / 1.772).rounded())
        v = UInt8((128 + 224 * (r - luma) / 1.402).rounded())
    }
}

/// One picture on a canvas: which, where, how fitted, how opaque. A plain value.
package struct Tile: Sendable {
    package var frame: VideoFrame
    package var region: Region
    package var fit: Fit
    /// 0 (not there) to 1 (opaque).
    package var opacity: Double
    package init(frame: VideoFrame, region: Region, fit: Fit = .contain, opacity: Double = 1) {
        self.frame = frame
        self.region = region
        self.fit = fit
        self.opacity = opacity
    }
}

/// Everything a canvas is made of: the same job gives the same pixels. A plain value.
package struct CompositionJob: Sendable {
    /// Pixels.
    package var width: Int
    package var height: Int
    package var pts: MediaTime
    package var background: YUVColor
    package var tiles: [Tile]
    package init(width: Int, height: Int, pts: MediaTime, background: YUVColor = .black, tiles: [Tile]) {
        precondition(width > 0 && height > 0, "a canvas has at least one pixel")
        self.width = width
        self.height = height
        self.pts = pts
        self.background = background
        self.tiles = tiles
    }
}

/// A tile boiled down to what decides its pixels. Equal placements draw equal pixels.
struct Placement: Hashable {
    /// `VideoFrame.contentID` of the source.
    let contentID: UInt64
    /// The part of the source that is shown, in its pixels; x and y are even.
    let source: PixelRect
    /// Where on the canvas, wholly inside it; edges are even or the canvas's own.
    let destination: PixelRect
    /// 1 … `opaque`.
    let opacity: Int
    static let opaque = 256

    /// Nil where nothing of the tile is to be seen.
    init?(_ tile: Tile, canvas: PixelRect) {
        guard tile.opacity > 0 else { return nil }
        opacity = max(1, Int((min(tile.opacity, 1) * Double(Placement.opaque)).rounded()))
        contentID = tile.frame.contentID
        let region = tile.region.rectangle(width: canvas.width, height: canvas.height)
        guard !region.isEmpty, region.intersects(canvas) else { return nil }
        let (fittedSource, fitted) = Placement.fit(tile.frame, into: region, tile.fit)
        let visible = fitted.intersection(canvas)
        guard !visible.isEmpty else { return nil }
        destination = visible
        source = Placement.part(of: fittedSource, showing: visible, of: fitted)
    }

    var isOpaque: Bool { opacity == Placement.opaque }

    /// The shown part of the frame and the pixels it takes, before the canvas cuts anything off.
    private static func fit(_ frame: VideoFrame, into region: PixelRect, _ fit: Fit) -> (PixelRect, PixelRect) {
        let whole = PixelRect(x: 0, y: 0, width: frame.width, height: frame.height)
        // Lengths such that width ÷ height is the picture's shape on a screen with square pixels.
        let (wide, high) = (Double(frame.width) * frame.pixelAspect.value, Double(frame.height))
        let (regionWide, regionHigh) = (Double(region.width), Double(region.height))
        switch fit {
        case .stretch:
            return (whole, region)
        case .contain:
            let scale = min(regionWide / wide, regionHigh / high)
            let (x, width) = centred(wide * scale, in: region.x, region.width)
            let (y, height) = centred(high * scale, in: region.y, region.height)
            return (whole, PixelRect(x: x, y: y, width: width, height: height))
        case .cover:
            let scale = max(regionWide / wide, regionHigh / high)
            let (x, width) = centred(regionWide / scale / frame.pixelAspect.value, in: 0, frame.width)
            let (y, height) = centred(regionHigh / scale, in: 0, frame.height)
            return (PixelRect(x: x, y: y, width: width, height: height), region)
        }
    }

    /// An even span as near as possible to `length` in the middle of `start ..< start + extent`. Within two pixels of
    /// the extent it takes it whole: a sliver of border is worse than half a percent of distortion.
    private static func centred(_ length: Double, in start: Int, _ extent: Int) -> (start: Int, length: Int) {
        guard Double(extent) - length >= 2 else { return (start, extent) }
        let even = max(2, 2 * Int((length / 2).rounded()))
        return (start + (extent - even) / 4 * 2, even)
    }

    /// The part of `source` that `visible` shows if `fitted` shows all of it.
    private static func part(of source: PixelRect, showing visible: PixelRect, of fitted: PixelRect) -> PixelRect {
        if visible == fitted { return source }
        let (x, width) = span(
            source.x, source.width, visible.x - fitted.x, visible.width, of: fitted.width)
        let (y, height) = span(
            source.y, source.height, visible.y - fitted.y, visible.height, of: fitted.height)
        return PixelRect(x: x, y: y, width: width, height: height)
    }

    private static func span(
        _ start: Int, _ length: Int, _ offset: Int, _ shown: Int, of fitted: Int
    ) -> (start: Int, length: Int) {
        if shown == fitted { return (start, length) }
        let scale = Double(length) / Double(fitted)
        let first = min(2 * Int((Double(offset) * scale / 2).rounded()), (length - 1) / 2 * 2)
        let last = min(length, max(first + 1, 2 * Int((Double(offset + shown) * scale / 2).rounded())))
        return (start + first, last - first)
    }
}

/// What a canvas shows: placements from back to front over a background.
struct Scene: Equatable {
    let background: YUVColor
    /// Back to front; none is hidden altogether by an opaque one above it.
    let placements: [Placement]
    /// The frames behind `placements`, kept only while the canvas is drawn.
    let frames: [VideoFrame]

    init(_ job: CompositionJob, canvas: PixelRect) {
        background = job.background
        var stack: [(placement: Placement, frame: VideoFrame, z: Int)] = []
        for tile in job.tiles {
            guard let placement = Placement(tile, canvas: canvas) else { continue }
            stack.append((placement, tile.frame, tile.region.z))
        }
        // Stable: the standard library's sort keeps equal elements in order, but does not promise it.
        let order = stack.indices.sorted { (stack[$0].z, $0) < (stack[$1].z, $1) }
        let shown = order.indices.filter { index in
            let area = stack[order[index]].placement.destination
            return !order[(index + 1)...].contains {
                stack[$0].placement.isOpaque && stack[$0].placement.destination.contains(area)
            }
        }
        placements = shown.map { stack[order[$0]].placement }
        frames = shown.map { stack[order[$0]].frame }
    }

    private init(background: YUVColor, placements: [Placement]) {
        self.background = background
        self.placements = placements
        frames = []
    }

    /// Without the frames, so that remembering a scene keeps no source picture alive.
    var remembered: Scene { Scene(background: background, placements: placements) }

    static func == (a: Scene, b: Scene) -> Bool {
        a.background == b.background && a.placements == b.placements
    }
}
