package import Core
package import Media
import TestKit

/// Sends synthetic pictures of one size by the clock, and sound every 20 ms; answers requests for key frames.
package final class SteadySource: Element {
    /// Pictures sent.
    package private(set) var pictures = 0
    private let interval: MediaTime
    private let bytes: Int
    private var blocks = 0
    private var wantsKey = true
    private var start = MediaTime.zero

    /// `bytes` per picture.
    package init(_ context: PipelineContext, name: String, rate: Int = 30, bytes: Int, sound: Bool = true) {
        interval = MediaTime(nanoseconds: 1_000_000_000 / Int64(max(1, rate)))
        self.bytes = bytes
        super.init(context, name: name, className: "SteadySource")
        let video = addSource(.video)
        video.setForm(.encoded(.video(SyntheticCodecs.videoFormat())))
        video.onKeyFrameRequest = { [unowned self] in wantsKey = true }
        start = context.now
        sendPicture()
        guard sound else { return }
        addSource(.audio).setForm(.encoded(.audio(AudioFormat(codec: .opus, sampleRate: 48_000, channels: 2))))
        sendSound()
    }

    private func sendPicture() {
        guard !isReleased else { return }
        pictures += 1
        outputs[.video]?.origin?.push(
            .encoded(
                SyntheticFrame.picture(
                    pictures, needs: wantsKey ? nil : pictures - 1, size: bytes, pts: context.now, duration: interval)))
        wantsKey = false
        let next = start + MediaTime(nanoseconds: interval.nanoseconds * Int64(pictures))
        _ = context.schedule(at: next) { [weak self] in self?.sendPicture() }
    }

    private func sendSound() {
        guard !isReleased else { return }
        blocks += 1
        outputs[.audio]?.origin?.push(.encoded(SyntheticFrame.sound(level: 100, size: 120, pts: context.now)))
        _ = context.schedule(at: start + .milliseconds(20 * blocks)) { [weak self] in self?.sendSound() }
    }
}

/// Counts what comes: pictures, those that are missing between them, the longest wait for the next one, sound.
package final class SteadySink: Element {
    package struct Count: Sendable {
        package var pictures = 0
        package var missing = 0
        package var blocks = 0
        package var longestGap: MediaTime { gaps.longest }
        fileprivate var gaps = GapMeter()
        fileprivate var last: Int?
    }
    /// Since the last time it was read.
    private var count = Count()

    private final class Pad: MediaSink {
        unowned let sink: SteadySink
        init(_ sink: SteadySink) { self.sink = sink }
        func choose(from form: NativeForm) -> RenditionKey { .native }
        var hasRoom: Bool { true }
        func receive(_ item: MediaItem) { if case .encoded(let frame) = item { sink.receive(frame) } }
    }

    package init(_ context: PipelineContext, name: String) {
        super.init(context, name: name, className: "SteadySink")
        for kind in [MediaKind.audio, .video] { addInput(kind, sink: Pad(self)) }
    }

    private func receive(_ frame: EncodedFrame) {
        framesIn += 1
        guard frame.payload.count != SteadySink.soundBytes else { return count.blocks += 1 }
        count.pictures += 1
        count.gaps.mark(context.now)
        guard let number = SyntheticFrame.counter(of: frame) else { return }
        if let last = count.last, number > last { count.missing += number - last - 1 }
        count.last = number
    }

    static let soundBytes = 120

    /// What has come since the last call; the wait for the first picture counts from the last one before.
    package func take() -> Count {
        let taken = count
        count = Count()
        count.last = taken.last
        return taken
    }
}
