package import Core

/// Takes one decoded picture of a source, and leaves.
///
/// What a hub or a filter shows depends on what comes in, and nothing is decoded for a hub that nobody looks at: its
/// first pictures are those of the last look. So there the taker waits until its inputs are there, for a moment at most,
/// and stays for another, so that whoever looks again soon sees what is there at once.
package final class PictureTaker: MediaSink {
    private weak var source: MediaSource?
    private var done: ((VideoFrame?) -> Void)?
    private var timer: PipelineContext.Timer?
    private let context: PipelineContext
    /// Pictures before this time may be old ones, where the source does not say when they no longer are.
    private var settledAt = MediaTime.distantPast
    private var latest: VideoFrame?
    private let mayLinger: Bool
    /// Time for the inputs of a hub to be asked for key frames and to be decoded; some never send.
    private static let settlingTime = MediaTime.milliseconds(1000)
    private static let lingeringTime = MediaTime.seconds(2)

    /// Calls `done` once: with the next picture of `source`, or with nil when `patience` is over or the source ends.
    /// A source that nobody looks at is decoded for so long.
    package init(_ source: MediaSource, patience: MediaTime, done: @escaping (VideoFrame?) -> Void) {
        self.source = source
        self.done = done
        context = source.element.context
        if case .pictures = source.form { mayLinger = context.mode == .realTime } else { mayLinger = false }
        if mayLinger, !source.isWanted {
            settledAt = context.now + min(PictureTaker.settlingTime, MediaTime(nanoseconds: patience.nanoseconds / 2))
        }
        timer = context.schedule(at: context.now + patience) { [self] in finish(latest) }
        source.attach(self)
    }

    /// Calls nobody any more.
    package func cancel() {
        done = nil
        leave()
    }

    package func choose(from form: NativeForm) -> RenditionKey { .raw }
    package var hasRoom: Bool { true }

    package func receive(_ item: MediaItem) {
        switch item {
        case .picture(let picture):
            guard done != nil else { return }
            if context.now >= settledAt || isSettled(picture) { finish(picture) } else { latest = picture }
        case .end: finish(latest, atOnce: true)
        default: break
        }
    }

    private func isSettled(_ picture: VideoFrame) -> Bool {
        source?.settledFrom().map { picture.pts >= $0 } ?? false
    }

    private func finish(_ picture: VideoFrame?, atOnce: Bool = false) {
        latest = nil
        guard let done else { return leave() }
        self.done = nil
        if mayLinger, picture != nil, !atOnce {
            if let timer { context.cancel(timer) }
            timer = context.schedule(at: context.now + PictureTaker.lingeringTime) { [self] in leave() }
        } else {
            leave()
        }
        done(picture)
    }

    private func leave() {
        guard let timer else { return }
        self.timer = nil
        latest = nil
        context.cancel(timer)
        source?.detach(self)
    }
}
