import Core
import Files
import Media

/// Brings the media of one demuxer at a time into an element's sources: reads ahead, hands on by the clock or, offline,
/// as fast as those behind can take it. Owned by its element; lives on the loop.
///
/// What comes over a network and late moves the time line, so that it goes on from there. Live media has its own
/// clock (`LiveClock`), is never waited for while it is paused, and begins with a key frame.
final class Playout {
    /// Where media comes from.
    struct Input {
        /// For messages; without credentials.
        var name: String
        var executor: any TaskExecutor
        var interrupt: Interrupt
        var isNetwork: Bool
        /// How long live media is held to even out the network.
        var cache = MediaTime.zero
        var make: @Sendable () throws -> Demuxer
    }

    private unowned let element: Element
    private var context: PipelineContext { element.context }
    /// The tracks are known; frames follow.
    var onOpened: () -> Void = {}
    /// The last frame has been shown. The playout is closed.
    var onEnd: () -> Void = {}
    /// It could not be opened or read any further; live media ends only so.
    var onFailure: (any Error) -> Void = { _ in }
    /// At the end goes on from the beginning.
    let loops: Bool

    /// Length of the media as its container states it.
    private(set) var duration: MediaTime?
    private(set) var isSeekable = false
    private(set) var isLive = false
    private(set) var isPaused = false
    private var input: Input?
    private var stage: Stage<DemuxCommand, DemuxResult>?
    /// The track that plays, by media kind.
    private(set) var playing: [MediaKind: Track] = [:]
    /// Pipeline time at which media time 0 is due.
    private var offset = MediaTime.zero
    private var clock: LiveClock?
    private var preroll: Preroll?
    private var isReading = false
    private var hasReadAll = false
    /// Seeks the demuxer has not come to yet: what it still brings from before them is not played.
    private var seeksUnderWay = 0
    /// Real time: what was read and is not due yet, each kind in the file's order.
    private var waiting: [MediaKind: Deque<Packet>] = [:]
    private var waitingBytes = 0
    private var timer: PipelineContext.Timer?
    private var playedAt = MediaTime.zero
    private var pausedAt: MediaTime?
    /// The latest media time handed on, and where each track's last frame ends.
    private var sentUntil = MediaTime.zero
    private var ends: [MediaKind: MediaTime] = [:]
    private var damagedCount = 0
    /// Live pictures are dropped up to the next key frame.
    private var needsKeyFrame = false

    /// After a seek: what lies before the place that was sought is run through at many times the speed, unseen.
    private struct Preroll {
        let target: MediaTime
        /// The key frame was seen, and the time line moved by what running through takes.
        var hasBegun = false
        /// More would overrun the decoder's queue.
        static let speed: Int64 = 10
    }

    /// Files told to play together start together if they open within this time.
    private static let openingTime = MediaTime.milliseconds(200)
    /// How long before they are due frames leave, so that decoding them delays nothing.
    private static let leadTime = MediaTime.milliseconds(100)
    /// Real time: packets read ahead.
    private static let waitingMax = 128
    /// Live: packets and bytes that wait for their time; more is a server that sends faster than real time.
    private static let liveWaitingMax = 4096
    private static let liveWaitingBytesMax = 64 << 20
    /// Longer than a block of any audio codec.
    private static let paddingMax = MediaTime.milliseconds(100)
    /// Network: later than this is an interruption, after which the time line moves; so much is then held ready.
    private static let lateMax = MediaTime.milliseconds(300)
    private static let refill = MediaTime.milliseconds(500)
    static let kinds: [MediaKind] = [.audio, .video]

    /// Gives the element its sources for sound and pictures.
    init(_ element: Element, loops: Bool = false) {
        self.element = element
        self.loops = loops
        for kind in Playout.kinds {
            let source = element.addSource(kind)
            source.onRoom = { [unowned self] in readMore() }
            if element.context.mode == .realTime { source.leadTime = Playout.leadTime }
        }
    }

    private func source(_ kind: MediaKind) -> MediaSource? { element.outputs[kind]?.origin }
    private var waitingCount: Int { waiting.values.reduce(0) { $0 + $1.count } }
    var isOpen: Bool { stage != nil }

    // MARK: Operations

    func open(_ input: Input, at start: MediaTime) {
        endReading()
        self.input = input
        playedAt = start
        isPaused = false
        let record = context.makeStageRecord(element: element, kind: .demux, detail: input.name)
        let host = context.host
        let make = input.make
        let now: (@Sendable () -> Instant)? = input.isNetwork ? { @Sendable in host.now() } : nil
        let stage = Stage<DemuxCommand, DemuxResult>(
            context, record: record, executor: input.executor, capacity: 4, policy: .wait,
            // One command reads many packets; they are counted as they come.
            counts: { _ in false }
        ) { DemuxWork(now: now, make: make) }
        stage.onOutput = { [unowned self] in take($0) }
        stage.onError = { [unowned self] in failed($0) }
        self.stage = stage
        stage.push(.open)
    }

    func pause() {
        isPaused = true
        pausedAt = context.now
        cancelTimer()
        // What happens meanwhile is not kept.
        if isLive { forgetWaiting() }
    }

    func resume() {
        isPaused = false
        defer { pausedAt = nil }
        if isLive {
            restartClock()
        } else if let pausedAt, context.mode == .realTime {
            offset += context.now - pausedAt
        }
        if hasReadAll, waitingCount == 0 { return reachedEnd() }
        readMore()
        sendDue()
    }

    /// Ends reading and forgets what waits. Sinks hear nothing: `endSources` tells them.
    func close() {
        endReading()
        cancelTimer()
        playing = [:]
        forgetWaiting()
        isPaused = false
        pausedAt = nil
        ends = [:]
        preroll = nil
    }

    /// Ends reading. What was read already is still handed on when it is due.
    func endReading() {
        input?.interrupt.cancel()
        input = nil
        stage?.cancel()
        stage = nil
        isReading = false
        hasReadAll = false
        seeksUnderWay = 0
    }

    /// Media time that is playing now; zero before the first.
    var position: MediaTime {
        guard context.mode == .realTime, !playing.isEmpty, !isLive else { return sentUntil }
        return max(preroll?.target ?? .zero, min((pausedAt ?? context.now) - offset, duration ?? .infinity))
    }

    /// Forgets what was played before.
    func rewind() {
        sentUntil = .zero
        duration = nil
        isSeekable = false
        isLive = false
    }

    /// Goes on from `time`, if the media is seekable; what decoding needs from the key frame before it on is not shown.
    func seek(to time: MediaTime) {
        let target = max(.zero, time)
        cancelTimer()
        forgetWaiting()
        hasReadAll = false
        // Offline what follows begins where what was sent ended.
        let resumesAt =
            context.mode == .realTime
            ? context.now + Playout.leadTime : offset + (ends.values.max() ?? sentUntil)
        offset = resumesAt - target
        sentUntil = target
        ends = [:]
        if pausedAt != nil { pausedAt = context.now + Playout.leadTime }
        pushSeek(to: target)
        preroll = Preroll(target: target)
    }

    private func pushSeek(to time: MediaTime) {
        preroll = nil
        isReading = true
        seeksUnderWay += 1
        stage?.push(.seek(time))
    }

    // MARK: From the demuxer

    private func take(_ result: DemuxResult) {
        switch result {
        case .opened(let media): opened(media)
        case .packets(let packets, let watermarks):
            guard seeksUnderWay == 0 else { return }
            isReading = false
            stage?.record.frames += packets.count
            if context.mode == .offline {
                for packet in packets where isWanted(packet) { send(packet) }
                for (kind, track) in playing {
                    let watermark = watermarks[track.index]
                    // Of the end the file's end itself will tell.
                    if watermark.isFinite { source(kind)?.push(.watermark(due(watermark))) }
                }
            } else {
                for packet in packets where isWanted(packet) { keep(packet) }
                sendDue()
            }
            readMore()
        case .end(let damaged):
            guard seeksUnderWay == 0 else { return }
            isReading = false
            noteDamage(damaged)
            if isLive { return failed(FileError.lost(url: input?.name ?? "")) }
            hasReadAll = true
            if waitingCount == 0, !isPaused { reachedEnd() }
        case .sought:
            seeksUnderWay -= 1
            guard seeksUnderWay == 0 else { return }
            isReading = false
            readMore()
        }
    }

    private func noteDamage(_ damaged: Int) {
        guard damaged > damagedCount else { return }
        damagedCount = damaged
        element.warn(
            "“\(input?.name ?? "")” holds \(damaged) broken packet\(damaged == 1 ? "" : "s"), left out")
        stage?.record.drop("broken packet", damaged)
    }

    private func opened(_ media: OpenedMedia) {
        duration = media.duration
        isSeekable = media.isSeekable
        isLive = media.isLive && context.mode == .realTime
        forgetWaiting()
        if isLive {
            restartClock()
        } else if context.mode == .realTime {
            offset = max(playedAt + Playout.openingTime, context.now + Playout.leadTime)
            // Paused while it was opened: what comes then is due from then on.
            if pausedAt != nil { pausedAt = context.now }
        } else {
            offset = playedAt
        }
        playing = [:]
        for track in media.tracks {
            guard let reason = track.unsupported else { continue }
            element.warn("track \(track.index) of “\(input?.name ?? "")” is left out: \(reason)")
        }
        for kind in Playout.kinds {
            if let track = media.tracks.first(where: { $0.kind == kind && $0.format != nil }), let format = track.format
            {
                playing[kind] = track
                source(kind)?.setForm(.encoded(format))
            } else {
                source(kind)?.push(.end(context.mode == .realTime ? context.now : offset))
            }
        }
        onOpened()
        readMore()
    }

    /// Keeps one read under way as long as somebody has room: offline those behind, in real time our own queue.
    private func readMore() {
        guard let stage, !playing.isEmpty, !isReading, !hasReadAll, !isPaused || isLive else { return }
        if context.mode == .offline {
            guard playing.keys.contains(where: { isStarving($0) }) else { return }
        } else if !isLive {
            guard waitingCount < Playout.waitingMax else { return }
        }
        isReading = true
        stage.push(.read)
    }

    /// Whether somebody waits for media of this kind. Nobody looking at either kind does not mean waiting for ever:
    /// then the file runs through.
    private func isStarving(_ kind: MediaKind) -> Bool {
        guard let source = source(kind) else { return false }
        let anybodyLooks = Playout.kinds.contains { self.source($0)?.isWanted == true }
        return anybodyLooks ? source.isWanted && source.hasRoom : true
    }

    private func failed(_ error: any Error) {
        isReading = false
        onFailure(error)
    }
}

// MARK: - Handing on

extension Playout {
    private func send(_ packet: Packet) {
        guard let (kind, track) = playing.first(where: { $0.value.index == packet.track }) else { return }
        var frame = packet.frame
        ends[kind] = max(ends[kind] ?? .zero, end(of: frame, track))
        sentUntil = max(sentUntil, frame.pts)
        if kind == .video, let preroll, frame.pts < preroll.target {
            frame.isPreroll = true
            frame.duration = frame.duration / Preroll.speed
        }
        frame.pts = due(frame.pts)
        frame.dts = due(frame.dts)
        if let format = packet.newFormat { source(kind)?.setForm(.encoded(format)) }
        source(kind)?.push(.encoded(frame))
    }

    /// When the frame has been shown or heard. Sound is coded in whole blocks, the last of which is longer than the
    /// media: what is skipped does not count, nor what lies just beyond the length that the container states.
    private func end(of frame: EncodedFrame, _ track: Track) -> MediaTime {
        var end = frame.pts + frame.duration
        if frame.skipEnd > 0, case .audio(let audio) = track.format {
            end = end - MediaTime(samples: Int64(frame.skipEnd), rate: audio.sampleRate)
        }
        if let duration, end > duration, end - duration < Playout.paddingMax { return duration }
        return end
    }

    // MARK: After a seek

    /// When a media time is due in the pipeline.
    private func due(_ time: MediaTime) -> MediaTime {
        guard let preroll, time < preroll.target else { return time + offset }
        return preroll.target + offset - (preroll.target - time) / Preroll.speed
    }

    /// Sound from before the place that was sought is nobody's; of pictures the first one tells how far there is to go.
    private func isWanted(_ packet: Packet) -> Bool {
        guard let preroll, packet.frame.pts < preroll.target,
            let kind = playing.first(where: { $0.value.index == packet.track })?.key
        else { return true }
        if kind == .audio { return packet.frame.pts + packet.frame.duration > preroll.target }
        if !preroll.hasBegun {
            self.preroll?.hasBegun = true
            let shift = (preroll.target - packet.frame.dts) / Preroll.speed
            offset += shift
            if let pausedAt { self.pausedAt = pausedAt + shift }
        }
        return true
    }

    // MARK: Real time

    private func restartClock() {
        clock = LiveClock(cache: input?.cache ?? .zero)
        needsKeyFrame = true
        forgetWaiting()
    }

    private func forgetWaiting() {
        waiting = [:]
        waitingBytes = 0
    }

    /// Queues a packet until it is due.
    private func keep(_ packet: Packet) {
        guard let kind = playing.first(where: { $0.value.index == packet.track })?.key else { return }
        if isLive {
            guard !isPaused else { return }
            if kind == .video, needsKeyFrame {
                guard packet.frame.isKey else { return stage?.record.drop("before the first key frame") ?? () }
                needsKeyFrame = false
            }
            guard waitingCount < Playout.liveWaitingMax, waitingBytes < Playout.liveWaitingBytesMax else {
                stage?.record.drop("comes faster than it plays")
                if kind == .video { needsKeyFrame = true }
                return
            }
            clock?.arrived(packet.frame.dts, at: context.now)
            offset = clock?.offset ?? offset
        } else if input?.isNetwork == true, !isPaused,
            due(packet.frame.dts) < context.now - Playout.lateMax
        {
            offset = context.now + Playout.refill - packet.frame.dts
            stage?.record.drop("interruptions of the network")
        }
        waitingBytes += packet.frame.payload.count
        waiting[kind, default: Deque()].append(packet)
    }

    /// The kind whose next packet is due first.
    private var nextKind: MediaKind? {
        Playout.kinds.compactMap { kind in waiting[kind]?.first.map { (kind, $0.frame.dts) } }.min { $0.1 < $1.1 }?.0
    }

    /// Hands on what is due, and sets the alarm for what comes next.
    private func sendDue() {
        guard context.mode == .realTime, !isPaused, !playing.isEmpty else { return }
        cancelTimer()
        if isLive, let clock, !clock.isSettled(at: context.now) {
            if let time = clock.settledAt { setTimer(time) }
            return
        }
        while let kind = nextKind, let next = waiting[kind]?.first {
            let due = self.due(next.frame.dts) - Playout.leadTime
            guard due <= context.now else {
                setTimer(due)
                break
            }
            _ = waiting[kind]?.popFirst()
            waitingBytes -= next.frame.payload.count
            send(next)
        }
        if waitingCount == 0, hasReadAll { return reachedEnd() }
        readMore()
    }

    private func setTimer(_ time: MediaTime) {
        timer = context.schedule(at: time) { [unowned self] in
            timer = nil
            sendDue()
        }
    }

    private func cancelTimer() {
        if let timer { context.cancel(timer) }
        timer = nil
    }

    // MARK: The end

    private func reachedEnd() {
        let end = ends.values.max() ?? .zero
        if loops, end > .zero, isSeekable {
            offset += end
            ends = [:]
            hasReadAll = false
            return pushSeek(to: .zero)
        }
        guard context.mode == .realTime else { return finish() }
        // The end is when the last frame has been shown, not when it was handed on.
        cancelTimer()
        timer = context.schedule(at: end + offset) { [unowned self] in
            timer = nil
            finish()
        }
        endSources()
    }

    private func finish() {
        endSources()
        close()
        onEnd()
    }

    /// Tells all sinks that what plays is over.
    func endSources() {
        for kind in Playout.kinds where playing[kind] != nil {
            source(kind)?.push(.end(offset + (ends[kind] ?? .zero)))
        }
        playing = [:]
    }

    /// Tells all sinks that nothing will come.
    func endUnopened() {
        for kind in Playout.kinds { source(kind)?.push(.end(playedAt)) }
    }
}
