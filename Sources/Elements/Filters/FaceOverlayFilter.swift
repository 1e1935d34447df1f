import Core
import Graphics
package import Media
import Vision

/// Lays an image over every face. Without an image, media passes through as it is.
package final class FaceOverlayFilter: Filter {
    /// Where the image stands, in fractions of the box around the face: its upper left corner from that of the box
    /// (negative: to the left of and above it), and its size.
    package struct Placement: Hashable, Sendable {
        package var offsetX: Double
        package var offsetY: Double
        package var width: Double
        package var height: Double
        package init(offsetX: Double, offsetY: Double, width: Double, height: Double) {
            self.offsetX = offsetX
            self.offsetY = offsetY
            self.width = width
            self.height = height
        }
    }

    private var line: FilterLine<FaceImage, Never>?
    private lazy var loader = ImageLoader(self)
    private var image: FaceImage?
    /// Which `setOverlayedImage` the image that is loaded belongs to.
    private var request = 0

    package init(_ context: PipelineContext, name: String) {
        super.init(context, name: name, className: "FaceOverlayFilter")
        let pool = context.configuration.pool
        line = FilterLine(
            self, .video, mode: .pass, detail: "faces", greeting: { [unowned self] in image.map { [$0] } ?? [] }
        ) {
            guard let detector = FaceDetector() else {
                throw GraphError("faces cannot be found: \(FaceDetector.cascade) is not there (package opencv-data)")
            }
            return FaceOverlayWork(detector, pool: pool)
        }
        passOthers()
    }

    /// Shows an image of a file or address on every face from when it is loaded; one that cannot be loaded is an
    /// `Error` event and nothing else.
    package func setOverlayedImage(uri: String, at placement: Placement) {
        request += 1
        let wanted = request
        loader.load(uri) { [unowned self] bitmap in
            guard wanted == request else { return }
            let new = FaceImage(bitmap: bitmap, placement: placement)
            image = new
            line?.tell(new)
            line?.mode = .filter
        }
    }

    package func unsetOverlayedImage() {
        request += 1
        image = nil
        line?.mode = .pass
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

struct FaceImage: Sendable {
    let bitmap: Bitmap
    let placement: FaceOverlayFilter.Placement
}

private final class FaceOverlayWork: StageWork {
    private let detector: FaceDetector
    private let pool: FramePool
    private var tracker = FaceTracker()
    private var placement: FaceOverlayFilter.Placement?
    private var image: PlacedImage?

    init(_ detector: FaceDetector, pool: FramePool) {
        self.detector = detector
        self.pool = pool
    }

    func process(_ input: FilterInput<FaceImage>, emit: (FilterOutput<Never>) -> Void) throws {
        switch input {
        case .command(let new):
            placement = new.placement
            image = PlacedImage(new.bitmap)
        case .item(.picture(let picture), _):
            if tracker.isLookDue(at: picture.pts) { tracker.saw(detector.find(in: picture), at: picture.pts) }
            let faces = tracker.faces(at: picture.pts)
            guard let placement, !faces.isEmpty, image != nil else { return emit(.item(.picture(picture))) }
            let (wide, high) = (Double(picture.width), Double(picture.height))
            let drawn = picture.drawn(pool: pool) { planes in
                for face in faces {
                    image?.draw(
                        onto: planes, x: pixels(face.x + placement.offsetX * face.width, of: wide),
                        y: pixels(face.y + placement.offsetY * face.height, of: high),
                        width: pixels(placement.width * face.width, of: wide),
                        height: pixels(placement.height * face.height, of: high))
                }
            }
            emit(.item(.picture(drawn)))
        case .item(let item, _): emit(.item(item))
        }
    }
}
