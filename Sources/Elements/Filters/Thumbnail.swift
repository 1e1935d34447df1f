import Codecs
package import Core
import Graphics
package import Media

extension Element {
    /// A picture of what leaves this element, as JPEG. The picture is decoded if nobody else has it decoded; it is
    /// made small and coded on a worker.
    ///
    /// - Parameters:
    ///   - width: pixels at most; the height follows the shape that is seen.
    ///   - quality: 1 to 100.
    ///   - patience: how long a picture may take to come.
    ///   - done: called once on the loop, with the bytes or with why there are none.
    package func thumbnail(
        width: Int = 320, quality: Int = 80, patience: MediaTime = .seconds(5),
        done: @escaping (Result<[UInt8], GraphError>) -> Void
    ) {
        guard let source = outputs[.video]?.origin else {
            return done(.failure(GraphError("\(name) (\(className)) shows nothing")))
        }
        let (name, context) = (name, context)
        // Both live until they have called back.
        var taker: PictureTaker?
        var stage: Stage<VideoFrame, [UInt8]>?
        taker = PictureTaker(source, patience: patience) { [weak self] picture in
            defer { taker = nil }
            guard let picture, let self else {
                return done(.failure(GraphError("no picture of \(name) came within \(patience.seconds) s")))
            }
            let record = context.makeStageRecord(
                element: self, kind: .encode, codec: "jpeg", detail: "thumbnail", isListed: false)
            let pool = context.configuration.pool
            let codecs = context.configuration.codecs
            let made = Stage<VideoFrame, [UInt8]>(
                context, record: record, executor: context.host.workers(.files), capacity: 1, policy: .dropNewest
            ) { ThumbnailWork(width: width, quality: quality, codecs: codecs, pool: pool) }
            made.onOutput = { done(.success($0)) }
            made.onError = { done(.failure(GraphError("no JPEG of \(name): \($0)"))) }
            made.onProgress = { stage = nil }
            stage = made
            made.push(picture)
        }
        _ = (taker, stage)
    }
}

private final class ThumbnailWork: StageWork {
    private let width: Int
    private let quality: Int
    private let codecs: any CodecFactory
    private let pool: FramePool
    private static let widthMin = 16

    init(width: Int, quality: Int, codecs: any CodecFactory, pool: FramePool) {
        self.width = width
        self.quality = quality
        self.codecs = codecs
        self.pool = pool
    }

    func process(_ picture: VideoFrame, emit: ([UInt8]) -> Void) throws {
        let seen = Double(picture.width) * picture.pixelAspect.value
        let wide = max(ThumbnailWork.widthMin, min(width, Int(seen.rounded())))
        let high = max(2, Int((Double(wide) * Double(picture.height) / seen).rounded()))
        let fitted =
            picture.width == wide && picture.height == high
            ? picture : codecs.scale(picture, width: wide, height: high, pool: pool)
        emit(try JPEGWriter.write(fitted, quality: quality))
    }
}
