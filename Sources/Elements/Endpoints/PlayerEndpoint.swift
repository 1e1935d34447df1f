package import Core
import Files
package import Media

/// Plays a media file or URL into the pipeline: one source per media kind, the first playable track of each.
///
/// `play`, `pause` and `stop` answer at once and are ignored where they make no sense; what comes of them is an event.
/// In real time frames leave by the clock; offline as fast as those behind can take them.
package final class PlayerEndpoint: Element {
    package let uri: String
    /// Starts again from the beginning at the end of the media.
    package let loops: Bool
    package private(set) var state = UriEndpointState.stop
    /// Length of the media as its container states it.
    package private(set) var duration: MediaTime?
    package private(set) var isSeekable = false

    private var stage: Stage<DemuxCommand, DemuxResult>?
    private var interrupt = Interrupt()
    /// The track that plays, by media kind.
    private var playing: [MediaKind: Track] = [:]
    /// Pipeline time at which media time 0 is due.
    private var offset = MediaTime.zero
    private var isReading = false
    private var hasReadAll = false
    /// Seeks the demuxer has not come to yet: what it still brings from before them is not played.
    private var seeksUnderWay = 0
    /// Real time: what was read and is not due yet, in the file's order.
    private var waiting = Deque<Packet>()
    private var timer: PipelineContext.Timer?
    private var playedAt = MediaTime.zero
    private var pausedAt: MediaTime?
    /// The latest media time handed on, and where each track's last frame ends.
    private var sentUntil = MediaTime.zero
    private var ends: [MediaKind: MediaTime] = [:]
    private var damagedCount = 0
    /// Whether the media has been played to its end, or could not be.
    package private(set) var hasFinished = false
    /// Files told to play together start together if they open within this time.
    private static let openingTime = MediaTime.milliseconds(200)
    /// How long before they are due frames leave, so that decoding them delays nothing.
    private static let leadTime = MediaTime.milliseconds(100)
    /// Real time: packets read ahead.
    private static let waitingMax = 128
    /// Longer than a block of any audio codec.
    private static let paddingMax = MediaTime.milliseconds(100)
    private static let kinds: [MediaKind] = [.audio, .video]

    /// The URI is looked at when `play` is called.
    package init(_ context: PipelineContext, name: String, uri: String, loops: Bool = false) {
        self.uri = uri
        self.loops = loops
        super.init(context, name: name, className: "PlayerEndpoint")
        for kind in PlayerEndpoint.kinds {
            addSource(kind).onRoom = { [unowned self] in readMore() }
        }
    }

    private func source(_ kind: MediaKind) -> MediaSource? { outputs[kind]?.origin }

    // MARK: Operations

    /// Starts, or goes on after `pause`.
    package func play() {
        switch state {
        case .start: log.debug("play ignored: already playing")
        case .pause:
            if let pausedAt, context.mode == .realTime { offset += context.now - pausedAt }
            pausedAt = nil
            change(to: .start)
            if hasReadAll, waiting.isEmpty { return reachedEnd() }
            readMore()
            sendDue()
        case .stop:
            hasFinished = false
            playedAt = context.mode == .realTime ? context.now : .zero
            change(to: .start)
            open()
        }
    }

    package func pause() {
        guard state == .start else { return log.debug("pause ignored: not playing") }
        pausedAt = context.now
        cancelTimer()
        change(to: .pause)
    }

    package func stop() {
        guard state != .stop else { return log.debug("stop ignored: not playing") }
        endSources()
        close()
        change(to: .stop)
    }

    /// Media time that is playing now; zero before the first `play`.
    package var position: MediaTime {
        guard context.mode == .realTime, !playing.isEmpty else { return sentUntil }
        return max(.zero, min((pausedAt ?? context.now) - offset, duration ?? .infinity))
    }

    /// Goes on from the key frame at or before `time`.
    package func seek(to time: MediaTime) throws(GraphError) {
        guard stage != nil, !playing.isEmpty else { throw GraphError("\(name) is not playing, so it has no position") }
        guard isSeekable else { throw GraphError("\(name): “\(uri)” cannot be played from another position") }
        let target = max(.zero, time)
        cancelTimer()
        waiting.removeAll()
        hasReadAll = false
        // Offline what follows begins where what was sent ended.
        let resumesAt =
            context.mode == .realTime
            ? context.now + PlayerEndpoint.leadTime : offset + (ends.values.max() ?? sentUntil)
        offset = resumesAt - target
        sentUntil = target
        ends = [:]
        if pausedAt != nil { pausedAt = context.now + PlayerEndpoint.leadTime }
        pushSeek(to: target)
    }

    private func pushSeek(to time: MediaTime) {
        isReading = true
        seeksUnderWay += 1
        stage?.push(.seek(time))
    }

    public override func release() {
        guard !isReleased else { return }
        stop()
        super.release()
    }

    // MARK: The file

    private func open() {
        let location = uri.hasPrefix("file://") ? String(uri.dropFirst(7)) : uri
        let isFile = !location.contains("://")
        let executor = isFile ? context.host.disk(for: location) : context.host.ioThread(named: "io-\(name)")
        let host = context.host
        let interrupt = isFile ? Interrupt() : Interrupt(now: { host.now() })
        self.interrupt = interrupt
        let (uri, options) = (self.uri, Demuxer.Options())
        let record = context.makeStageRecord(element: self, kind: .demux, detail: uri)
        let stage = Stage<DemuxCommand, DemuxResult>(
            context, record: record, executor: executor, capacity: 4, policy: .wait,
            // One command reads many packets; they are counted as they come.
            counts: { _ in false }
        ) { DemuxWork(url: uri, options: options, interrupt: interrupt) }
        stage.onOutput = { [unowned self] in take($0) }
        stage.onError = { [unowned self] in fileFailed($0) }
        self.stage = stage
        stage.push(.open)
    }

    private func close() {
        interrupt.cancel()
        stage?.cancel()
        stage = nil
        cancelTimer()
        playing = [:]
        waiting.removeAll()
        isReading = false
        hasReadAll = false
        pausedAt = nil
        ends = [:]
        seeksUnderWay = 0
    }

    private func take(_ result: DemuxResult) {
        switch result {
        case .packets, .end:
            if seeksUnderWay > 0 { return }
        default: break
        }
        switch result {
        case .opened(let tracks, let duration, let isSeekable):
            opened(tracks, duration, isSeekable)
        case .packets(let packets, let watermarks):
            isReading = false
            stage?.record.frames += packets.count
            if context.mode == .offline {
                for packet in packets { send(packet) }
                for (kind, track) in playing {
                    let watermark = watermarks[track.index]
                    // Of the end the file's end itself will tell.
                    if watermark.isFinite { source(kind)?.push(.watermark(watermark + offset)) }
                }
            } else {
                for packet in packets { waiting.append(packet) }
                sendDue()
            }
            readMore()
        case .end(let damaged):
            isReading = false
            hasReadAll = true
            if damaged > damagedCount {
                damagedCount = damaged
                warn("“\(uri)” holds \(damaged) broken packet\(damaged == 1 ? "" : "s"), left out")
                stage?.record.drop("broken packet", damaged)
            }
            if waiting.isEmpty, state == .start { reachedEnd() }
        case .sought:
            seeksUnderWay -= 1
            guard seeksUnderWay == 0 else { return }
            isReading = false
            readMore()
        }
    }

    private func opened(_ tracks: [Track], _ duration: MediaTime?, _ isSeekable: Bool) {
        self.duration = duration
        self.isSeekable = isSeekable
        if context.mode == .realTime {
            offset = max(playedAt + PlayerEndpoint.openingTime, context.now + PlayerEndpoint.leadTime)
        } else {
            offset = playedAt
        }
        for track in tracks {
            if let reason = track.unsupported { warn("track \(track.index) of “\(uri)” is left out: \(reason)") }
        }
        for kind in PlayerEndpoint.kinds {
            if let track = tracks.first(where: { $0.kind == kind && $0.format != nil }), let format = track.format {
                playing[kind] = track
                source(kind)?.setForm(.encoded(format))
            } else {
                source(kind)?.push(.end(offset))
            }
        }
        readMore()
    }

    /// Keeps one read under way as long as somebody has room: offline those behind, in real time our own queue.
    private func readMore() {
        guard state == .start, let stage, !playing.isEmpty, !isReading, !hasReadAll else { return }
        if context.mode == .offline {
            guard playing.keys.contains(where: { isStarving($0) }) else { return }
        } else {
            guard waiting.count < PlayerEndpoint.waitingMax else { return }
        }
        isReading = true
        stage.push(.read)
    }

    /// Whether somebody waits for media of this kind. Nobody looking at either kind does not mean waiting for ever:
    /// then the file runs through.
    private func isStarving(_ kind: MediaKind) -> Bool {
        guard let source = source(kind) else { return false }
        let anybodyLooks = PlayerEndpoint.kinds.contains { self.source($0)?.isWanted == true }
        return anybodyLooks ? source.isWanted && source.hasRoom : true
    }

    private func send(_ packet: Packet) {
        guard let (kind, track) = playing.first(where: { $0.value.index == packet.track }) else { return }
        var frame = packet.frame
        ends[kind] = max(ends[kind] ?? .zero, end(of: frame, track))
        sentUntil = max(sentUntil, frame.pts)
        frame.pts += offset
        frame.dts += offset
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
        if let duration, end > duration, end - duration < PlayerEndpoint.paddingMax { return duration }
        return end
    }

    // MARK: Real time

    /// Hands on what is due, and sets the alarm for what comes next.
    private func sendDue() {
        guard context.mode == .realTime, state == .start else { return }
        cancelTimer()
        while let next = waiting.first {
            let due = next.frame.dts + offset - PlayerEndpoint.leadTime
            guard due <= context.now else {
                timer = context.schedule(at: due) { [unowned self] in
                    timer = nil
                    sendDue()
                }
                break
            }
            _ = waiting.popFirst()
            send(next)
        }
        if waiting.isEmpty, hasReadAll { return reachedEnd() }
        readMore()
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
        timer = context.schedule(at: end + offset) { [unowned self] in
            timer = nil
            finish()
        }
        endSources()
    }

    private func finish() {
        endSources()
        close()
        hasFinished = true
        change(to: .stop)
        context.emit(.endOfStream, from: self)
    }

    private func endSources() {
        for kind in PlayerEndpoint.kinds where playing[kind] != nil {
            source(kind)?.push(.end(offset + (ends[kind] ?? .zero)))
        }
        playing = [:]
    }

    private func fileFailed(_ error: any Error) {
        let type: ErrorType =
            switch error as? FileError {
            case .notFound, .notPermitted, .notAFile, .refused, .unreachable, .timedOut: .invalidURI
            default: .invalidMedia
            }
        isReading = false
        if playing.isEmpty {
            for kind in PlayerEndpoint.kinds { source(kind)?.push(.end(playedAt)) }
        }
        fail(type, "\(error)")
        finish()
    }

    private func change(to new: UriEndpointState) {
        state = new
        context.emit(.uriEndpointStateChanged(new), from: self)
    }
}
