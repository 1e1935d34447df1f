import Core

/// Decodes one video track on a worker, and says what can no longer come.
final class VideoDecodeWork: StageWork {
    private let configuration: PipelineConfiguration
    private var decoder: (any VideoDecoder)?
    /// Whether the codec may hold pictures back to reorder them.
    private var reorders = false
    /// Presentation times that went in and have not come out, in order.
    private var held: [MediaTime] = []
    private var last = MediaTime.distantPast
    /// Pictures up to this time are not to be seen.
    private var hiddenUntil = MediaTime.distantPast

    init(_ configuration: PipelineConfiguration) { self.configuration = configuration }

    func process(_ item: MediaItem, emit: (MediaItem) -> Void) throws {
        switch item {
        case .format(.video(let format)):
            // The old decoder's last pictures come first.
            try flush(emit)
            reorders = format.codec == .h264 || format.codec == .h265
            decoder = try configuration.codecs.videoDecoder(
                format, pool: configuration.pool, limits: configuration.decoderLimits)
        case .encoded(let frame):
            guard let decoder else { return }
            if frame.isPreroll { hiddenUntil = max(hiddenUntil, frame.pts) }
            held.insert(frame.pts, at: held.firstIndex { $0 > frame.pts } ?? held.count)
            defer { if !reorders { held.removeAll() } }
            for picture in try decoder.decode(frame) { deliver(picture, emit) }
        case .watermark(let time):
            emit(.watermark(min(time, held.first ?? time)))
        case .end(let time):
            defer { emit(.end(time)) }
            try flush(emit)
        default: break
        }
    }

    private func flush(_ emit: (MediaItem) -> Void) throws {
        guard let decoder else { return }
        for picture in try decoder.flush() { deliver(picture, emit) }
        held.removeAll()
    }

    private func deliver(_ picture: VideoFrame, _ emit: (MediaItem) -> Void) {
        // Broken time stamps may run backwards; behind here they do not.
        let picture = picture.pts >= last ? picture : VideoFrame(picture, pts: last)
        last = picture.pts
        held.removeAll { $0 <= picture.pts }
        guard picture.pts > hiddenUntil else { return }
        emit(.picture(picture))
    }
}

/// Decodes one audio track on a worker.
final class AudioDecodeWork: StageWork {
    private let codecs: any CodecFactory
    private var decoder: (any AudioDecoder)?

    init(_ codecs: any CodecFactory) { self.codecs = codecs }

    func process(_ item: MediaItem, emit: (MediaItem) -> Void) throws {
        switch item {
        case .format(.audio(let format)):
            try flush(emit)
            decoder = try codecs.audioDecoder(format)
        case .encoded(let frame):
            guard let decoder else { return }
            for block in try decoder.decode(frame) { emit(.sound(block)) }
        case .watermark(let time):
            // A resampler may still hold some milliseconds from before.
            emit(.watermark(time - AudioDecodeWork.heldMax))
        case .end(let time):
            defer { emit(.end(time)) }
            try flush(emit)
        default: break
        }
    }

    /// Longer than any audio decoder or resampler here holds sound back.
    private static let heldMax = MediaTime.milliseconds(150)

    private func flush(_ emit: (MediaItem) -> Void) throws {
        guard let decoder else { return }
        for block in try decoder.flush() { emit(.sound(block)) }
    }
}
