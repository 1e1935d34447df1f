import Core

/// Encodes one video rendition on a worker: limits the frame rate, scales, encodes.
final class VideoEncodeWork: StageWork {
    private let specification: VideoSpecification
    private let codecs: any CodecFactory
    private let pool: FramePool
    private var encoder: (any VideoEncoder)?
    private var size = (width: 0, height: 0)
    private var sentFormat: VideoFormat?
    private var slot: Int64?
    private let limitsRate: Bool

    /// `specification.frameRate` is the most that comes out; without `limitsRate` no more comes in, but perhaps not in
    /// step with the pipeline's clock.
    init(_ specification: VideoSpecification, limitsRate: Bool = true, codecs: any CodecFactory, pool: FramePool) {
        self.specification = specification
        self.limitsRate = limitsRate
        self.codecs = codecs
        self.pool = pool
    }

    func process(_ input: EncodeInput, emit: (MediaItem) -> Void) throws {
        switch input {
        case .bitrate(let bitrate): try encoder?.setBitrate(bitrate)
        case .expectedLoss: break
        case .item(.picture(let picture), let forceKeyFrame):
            guard forceKeyFrame || isDue(picture.pts) else { return }
            let encoder = try encoder ?? makeEncoder(for: picture)
            self.encoder = encoder
            let fitted =
                picture.width == size.width && picture.height == size.height
                ? picture : codecs.scale(picture, width: size.width, height: size.height, pool: pool)
            deliver(try encoder.encode(fitted, forceKeyFrame: forceKeyFrame), emit)
        case .item(.watermark(let time), _): emit(.watermark(time))
        case .item(.end(let time), _):
            defer { emit(.end(time)) }
            if let encoder { deliver(try encoder.flush(), emit) }
        case .item: break
        }
    }

    /// At most one picture per slot of the frame rate; a source at that rate passes whole.
    private func isDue(_ pts: MediaTime) -> Bool {
        guard limitsRate, let rate = specification.frameRate else { return true }
        let current = pts.count(per: rate)
        guard let slot, current <= slot else {
            slot = current
            return true
        }
        return current < slot - Int64(rate.value.rounded(.up))
    }

    /// The size asked for; else that of the first picture with square pixels.
    private func makeEncoder(for picture: VideoFrame) throws -> any VideoEncoder {
        let displayWidth = Int((Double(picture.width) * picture.pixelAspect.value).rounded())
        var complete = specification
        switch (specification.width, specification.height) {
        case (let width?, let height?): size = (width, height)
        case (let width?, nil): size = (width, max(1, width * picture.height / displayWidth))
        case (nil, let height?): size = (max(1, displayWidth * height / picture.height), height)
        case (nil, nil): size = (displayWidth, picture.height)
        }
        complete.width = size.width
        complete.height = size.height
        return try codecs.videoEncoder(complete)
    }

    private func deliver(_ frames: [EncodedFrame], _ emit: (MediaItem) -> Void) {
        guard !frames.isEmpty, let encoder else { return }
        if encoder.format != sentFormat {
            sentFormat = encoder.format
            emit(.format(.video(encoder.format)))
        }
        for frame in frames { emit(.encoded(frame)) }
    }
}

/// Encodes one audio rendition on a worker.
final class AudioEncodeWork: StageWork {
    private let encoder: any AudioEncoder
    private var hasSentFormat = false
    /// More than an encoder's frame and look-ahead together (AAC: 44 ms).
    private static let heldMax = MediaTime.milliseconds(100)

    init(_ encoder: any AudioEncoder) { self.encoder = encoder }

    func process(_ input: EncodeInput, emit: (MediaItem) -> Void) throws {
        switch input {
        case .bitrate(let bitrate): try encoder.setBitrate(bitrate)
        case .expectedLoss(let percent): try encoder.setExpectedLoss(percent)
        case .item(.sound(let block), _): deliver(try encoder.encode(block), emit)
        case .item(.watermark(let time), _): emit(.watermark(time - AudioEncodeWork.heldMax))
        case .item(.end(let time), _):
            defer { emit(.end(time)) }
            deliver(try encoder.flush(), emit)
        case .item: break
        }
    }

    private func deliver(_ frames: [EncodedFrame], _ emit: (MediaItem) -> Void) {
        if !hasSentFormat {
            hasSentFormat = true
            emit(.format(.audio(encoder.format)))
        }
        for frame in frames { emit(.encoded(frame)) }
    }
}
