import Codecs
package import Core
import Graphics
package import Media

extension Element {
    /// A picture of what leaves this element, as JPEG. The picture is decoded if nobody else has it decoded; it is
    /// made small and coded on a worker. Of what runs and is looked at that is the next picture; else it takes as long
    /// as the sources need to their next key frame, a hub's inputs a second at most.
    ///
    /// - Parameters:
    ///   - width: pixels at most; the height follows the shape that is seen.
    ///   - quality: 1 to 100.
    ///   - patience: how long all of that may take.
    ///   - done: called once on the loop, with the bytes or with why there are none.
    package func thumbnail(
        width: Int = 320, quality: Int = 80, patience: MediaTime = .seconds(5),
        done: @escaping (Result<[UInt8], GraphError>) -> Void
    ) {
        guard let source = outputs[.video]?.origin else {
            return done(.failure(GraphError("\(name) (\(className)) shows nothing")))
        }
        ThumbnailRequest(self, patience: patience, done: done).begin(source, width: width, quality: quality)
    }
}

extension MediaPipeline {
    /// What an element shows, as JPEG; nil where there is no such element.
    package func thumbnail(
        of name: String, width: Int = 320, quality: Int = 80, patience: MediaTime = .seconds(5)
    ) async -> Result<[UInt8], GraphError>? {
        guard let element = context.element(named: name) else { return nil }
        return await withCheckedContinuation { continuation in
            element.thumbnail(width: width, quality: quality, patience: patience) { continuation.resume(returning: $0) }
        }
    }
}

/// One thumbnail on its way: waits for a picture, then for its JPEG, and for both no longer than its patience. Lives on
/// the loop; its timer keeps it, so where the whole pipeline goes meanwhile, it goes too and says so.
private final class ThumbnailRequest {
    private weak var element: Element?
    private let name: String
    private let context: PipelineContext
    private let patience: MediaTime
    private var done: ((Result<[UInt8], GraphError>) -> Void)?
    private var timer: PipelineContext.Timer?
    private var taker: PictureTaker?
    private var stage: Stage<VideoFrame, [UInt8]>?

    init(_ element: Element, patience: MediaTime, done: @escaping (Result<[UInt8], GraphError>) -> Void) {
        self.element = element
        name = element.name
        context = element.context
        self.patience = patience
        self.done = done
    }

    deinit { done?(.failure(GraphError("\(name) was released"))) }

    func begin(_ source: MediaSource, width: Int, quality: Int) {
        timer = context.schedule(at: context.now + patience) { [self] in
            finish(
                .failure(
                    GraphError(
                        stage == nil
                            ? "no picture of \(name) came within \(patience.seconds) s"
                            : "no worker was free within \(patience.seconds) s to make a JPEG of \(name)")))
        }
        // May have a picture at once. Ours is the only patience.
        let taker = PictureTaker(source, patience: patience + .seconds(1)) { [weak self] picture in
            self?.code(picture, width: width, quality: quality)
        }
        if done != nil { self.taker = taker }
    }

    private func code(_ picture: VideoFrame?, width: Int, quality: Int) {
        guard done != nil else { return }
        guard let picture, let element else {
            return finish(.failure(GraphError("\(name) ended before a picture of it came")))
        }
        let record = context.makeStageRecord(
            element: element, kind: .encode, codec: "jpeg", detail: "thumbnail", isListed: false)
        let pool = context.configuration.pool
        let codecs = context.configuration.codecs
        // With the encoders: behind them it might never have its turn on a busy machine.
        let stage = Stage<VideoFrame, [UInt8]>(
            context, record: record, executor: context.host.workers(.encode), capacity: 1, policy: .dropNewest
        ) { ThumbnailWork(width: width, quality: quality, codecs: codecs, pool: pool) }
        let name = name
        stage.onOutput = { [weak self] in self?.finish(.success($0)) }
        stage.onError = { [weak self] in self?.finish(.failure(GraphError("no JPEG of \(name): \($0)"))) }
        self.stage = stage
        stage.push(picture)
    }

    private func finish(_ result: Result<[UInt8], GraphError>) {
        guard let done else { return }
        self.done = nil
        // Nobody else may be keeping it.
        withExtendedLifetime(self) {
            if let timer { context.cancel(timer) }
            timer = nil
            // With a picture the taker stays for another look; else it has nothing to wait for.
            if stage == nil { taker?.cancel() }
            taker = nil
            stage?.cancel()
            done(result)
        }
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
