import Core
import Graphics
package import Media

/// Lays images over the picture. Without any, media passes through as it is.
package final class ImageOverlayFilter: Filter {
    /// Where an image stands, in fractions of the picture: its upper left corner and its size.
    package struct Placement: Hashable, Sendable {
        package var offsetX: Double
        package var offsetY: Double
        package var width: Double
        package var height: Double
        /// Not stretched: as large as fits into the rectangle.
        package var keepsAspectRatio: Bool
        /// What does not fill the rectangle stands in its middle instead of at its upper left corner.
        package var isCentred: Bool
        package init(
            offsetX: Double, offsetY: Double, width: Double, height: Double, keepsAspectRatio: Bool = false,
            isCentred: Bool = false
        ) {
            self.offsetX = offsetX
            self.offsetY = offsetY
            self.width = width
            self.height = height
            self.keepsAspectRatio = keepsAspectRatio
            self.isCentred = isCentred
        }
    }

    private var line: FilterLine<[ShownImage], Never>?
    private lazy var loader = ImageLoader(self)
    /// In the order in which they were added, which is that of drawing; without a bitmap while it is loaded.
    private var images: [(id: String, number: Int, placement: Placement, bitmap: Bitmap?)] = []
    private var lastNumber = 0
    /// Images at one time: more are refused.
    private static let imagesMax = 64

    package init(_ context: PipelineContext, name: String) {
        super.init(context, name: name, className: "ImageOverlayFilter")
        let pool = context.configuration.pool
        line = FilterLine(
            self, .video, mode: .pass, detail: "images", greeting: { [unowned self] in [shown] }
        ) { ImageOverlayWork(pool: pool) }
        passOthers()
    }

    /// Shows an image of a file or address (PNG, JPEG, GIF, WebP or BMP), in the place of one with the same id. It
    /// appears when it is loaded; one that cannot be loaded is an `Error` event and nothing else.
    package func addImage(_ id: String, uri: String, at placement: Placement) {
        removeImage(id)
        guard images.count < ImageOverlayFilter.imagesMax else {
            return warn("the image “\(id)” is not shown: there are \(ImageOverlayFilter.imagesMax) already")
        }
        lastNumber += 1
        let number = lastNumber
        images.append((id, number, placement, nil))
        loader.load(uri) { [unowned self] bitmap in
            guard let index = images.firstIndex(where: { $0.number == number }) else { return }
            images[index].bitmap = bitmap
            changed()
        }
    }

    /// Takes an image away; one that is not there is no error.
    package func removeImage(_ id: String) {
        guard images.contains(where: { $0.id == id }) else { return }
        images.removeAll { $0.id == id }
        changed()
    }

    /// The ids of all images, shown or on their way, in the order of drawing.
    package var imageIDs: [String] { images.map(\.id) }

    private var shown: [ShownImage] {
        images.compactMap { image in
            image.bitmap.map { ShownImage(number: image.number, bitmap: $0, placement: image.placement) }
        }
    }

    private func changed() {
        let shown = shown
        line?.tell(shown)
        line?.mode = shown.isEmpty ? .pass : .filter
    }

    override func lineOriginChanged(_ pad: InputPad) -> Bool {
        guard pad.kind == .video, let line else { return false }
        line.originChanged()
        return true
    }

    public override func release() {
        guard !isReleased else { return }
        loader.release()
        line?.release()
        super.release()
    }
}

struct ShownImage: Sendable {
    let number: Int
    let bitmap: Bitmap
    let placement: ImageOverlayFilter.Placement
}

private final class ImageOverlayWork: StageWork {
    private let pool: FramePool
    private var images: [(shown: ShownImage, image: PlacedImage)] = []

    init(pool: FramePool) { self.pool = pool }

    func process(_ input: FilterInput<[ShownImage]>, emit: (FilterOutput<Never>) -> Void) throws {
        switch input {
        case .command(let shown):
            // What was scaled already stays.
            images = shown.map { new in
                (new, images.first { $0.shown.number == new.number }?.image ?? PlacedImage(new.bitmap))
            }
        case .item(.picture(let picture), _):
            guard !images.isEmpty else { return emit(.item(.picture(picture))) }
            emit(
                .item(
                    .picture(
                        picture.drawn(pool: pool) { planes in
                            for index in images.indices { draw(&images[index], planes, picture.pixelAspect.value) }
                        })))
        case .item(let item, _): emit(.item(item))
        }
    }

    private func draw(
        _ entry: inout (shown: ShownImage, image: PlacedImage), _ planes: VideoFrame.Planes, _ pixelAspect: Double
    ) {
        let (placement, bitmap) = (entry.shown.placement, entry.image.bitmap)
        let (wide, high) = (Double(planes.width), Double(planes.height))
        var (x, y) = (pixels(placement.offsetX, of: wide), pixels(placement.offsetY, of: high))
        var (width, height) = (pixels(placement.width, of: wide), pixels(placement.height, of: high))
        if placement.keepsAspectRatio {
            let (room, shape) = ((width, height), Double(bitmap.width) / pixelAspect / Double(bitmap.height))
            if Double(width) > Double(height) * shape {
                width = max(1, pixels(shape, of: Double(height)))
            } else {
                height = max(1, pixels(1 / shape, of: Double(width)))
            }
            if placement.isCentred {
                x += (room.0 - width) / 2
                y += (room.1 - height) / 2
            }
        }
        entry.image.draw(onto: planes, x: x, y: y, width: width, height: height)
    }
}
