package import Core
import Files
package import Media

/// Plays a media file or URL into the pipeline: one source per media kind, the first playable track of each.
///
/// `play`, `pause` and `stop` answer at once and are ignored where they make no sense; what comes of them is an event.
/// In real time frames leave by the clock; offline as fast as those behind can take them.
///
/// A live stream (an RTSP camera) that cannot be reached or is lost is an `Error` event; the player stays in `START` and
/// tries again after growing pauses, until it is back or stopped. Wrong credentials are not tried again. Anything else
/// that cannot be opened is an `Error` event too, after which the player stays in `START` and does nothing, as Kurento's
/// does: `stop`, then `play` looks again.
package final class PlayerEndpoint: Element {
    package struct Options: Hashable, Sendable {
        /// Kurento's hint. Coded frames are handed on as they are wherever a sink takes them, with or without it.
        package var useEncodedMedia = false
        /// Live streams: how long media is held to even out the network.
        package var networkCache = MediaTime.milliseconds(2000)
        /// Starts again from the beginning at the end of the media.
        package var loops = false
        package init() {}
    }

    /// As given, `%2F` turned into `/`.
    package let uri: String
    package let options: Options
    package private(set) var state = UriEndpointState.stop
    /// Whether the media has been played to its end, or could not be.
    package private(set) var hasFinished = false
    private lazy var playout = Playout(self, loops: options.loops)
    /// Whether the media was there since the last `play`.
    private var hasOpened = false
    private var isLiveURL = false
    private var retryPause = PlayerEndpoint.retryPauseMin
    private var retryTimer: PipelineContext.Timer?
    private var openedAt = MediaTime.zero
    /// Between attempts to reach a live stream: doubled each time.
    static let retryPauseMin = MediaTime.milliseconds(500)
    static let retryPauseMax = MediaTime.seconds(30)
    /// A stream that held so long was well: the next attempts begin with a short pause.
    private static let soundAfter = MediaTime.seconds(10)
    /// A live stream that brings nothing for so long is lost.
    private static let liveTimeout = MediaTime.seconds(10)
    /// Waiting for a lost datagram longer than this only delays.
    private static let reorderTimeMax = MediaTime.milliseconds(500)

    /// The URI is looked at when `play` is called.
    package init(_ context: PipelineContext, name: String, uri: String, options: Options = Options()) {
        self.uri = MediaAccess.unescapingSlashes(uri)
        self.options = options
        super.init(context, name: name, className: "PlayerEndpoint")
        playout.onOpened = { [unowned self] in opened() }
        playout.onEnd = { [unowned self] in reachedEnd() }
        playout.onFailure = { [unowned self] in failed($0) }
    }

    package convenience init(_ context: PipelineContext, name: String, uri: String, loops: Bool) {
        var options = Options()
        options.loops = loops
        self.init(context, name: name, uri: uri, options: options)
    }

    // MARK: Operations

    /// Starts, or goes on after `pause`.
    package func play() {
        switch state {
        case .start: log.debug("play ignored: already playing")
        case .pause:
            change(to: .start)
            playout.resume()
        case .stop:
            hasFinished = false
            hasOpened = false
            forgetTroubles()
            playout.rewind()
            retryPause = PlayerEndpoint.retryPauseMin
            change(to: .start)
            open()
        }
    }

    package func pause() {
        guard state == .start else { return log.debug("pause ignored: not playing") }
        playout.pause()
        change(to: .pause)
    }

    package func stop() {
        guard state != .stop else { return log.debug("stop ignored: not playing") }
        cancelRetry()
        playout.endSources()
        playout.close()
        change(to: .stop)
    }

    /// Media time that is playing now; zero before the first `play`.
    package var position: MediaTime { playout.position }
    /// Length of the media as its container states it.
    package var duration: MediaTime? { playout.duration }
    package var isSeekable: Bool { playout.isSeekable }

    /// Kurento's `VideoInfo`; times in milliseconds, all zero before the media is open.
    package struct VideoInfo: Hashable, Sendable {
        package var isSeekable = false
        package var seekableInit: Int64 = 0
        package var seekableEnd: Int64 = 0
        package var duration: Int64 = 0
    }

    package var videoInfo: VideoInfo {
        let length = (duration ?? .zero).nanoseconds / 1_000_000
        return VideoInfo(isSeekable: isSeekable, seekableEnd: isSeekable ? length : 0, duration: length)
    }

    /// Goes on from the key frame at or before `time`. Throws where there is nothing to seek in (Kurento's error 40700,
    /// “Seek fails”).
    package func seek(to time: MediaTime) throws(GraphError) {
        guard playout.isOpen, !playout.playing.isEmpty else {
            throw GraphError("Seek fails: \(name) is not playing, so it has no position")
        }
        guard isSeekable else {
            throw GraphError("Seek fails: “\(Location.redacted(uri))” cannot be played from another position")
        }
        playout.seek(to: time)
    }

    public override func release() {
        guard !isReleased else { return }
        stop()
        super.release()
    }

    // MARK: The media

    private func open() {
        let access = context.configuration.access
        let place = access.place(uri)
        let location: Location
        do throws(FileError) {
            location = try Location(place, schemes: access.readableSchemes)
        } catch {
            return failed(error)
        }
        isLiveURL = location.isLive
        var reading = Demuxer.Options()
        reading.access = access
        reading.schemes = access.readableSchemes
        if location.isLive {
            reading.timeout = PlayerEndpoint.liveTimeout
            reading.reorderTimeMax = min(
                PlayerEndpoint.reorderTimeMax, max(.milliseconds(20), options.networkCache))
        }
        let host = context.host
        let interrupt = location.isFile ? Interrupt() : Interrupt(now: { host.now() })
        let chosen = reading
        playout.open(
            Playout.Input(
                name: location.name,
                executor: location.path.map { host.disk(for: $0) } ?? host.ioThread(named: "io-\(name)"),
                interrupt: interrupt, isNetwork: !location.isFile, cache: options.networkCache,
                make: { try Demuxer(url: place, options: chosen, interrupt: interrupt) }),
            at: context.mode == .realTime ? context.now : .zero)
    }

    private func opened() {
        hasOpened = true
        openedAt = context.now
        if isLiveURL { forgetTroubles() }
    }

    private func reachedEnd() {
        hasFinished = true
        change(to: .stop)
        context.emit(.endOfStream, from: self)
    }

    private func failed(_ error: any Error) {
        let problem = error as? FileError
        if isLiveURL, let problem, mayComeBack(problem) { return retry(after: problem) }
        hasFinished = true
        if hasOpened {
            playout.endSources()
        } else {
            playout.endUnopened()
        }
        playout.close()
        fail(PlayerEndpoint.type(of: problem), "\(error)")
        // What broke off in the middle is over; what never began leaves the state as it is.
        if hasOpened { reachedEnd() }
    }

    /// Whether trying again can help, and anybody wants it: a run of a document ends with its inputs.
    private func mayComeBack(_ error: FileError) -> Bool {
        if context.mode == .offline || context.configuration.endsWithInputs { return false }
        switch error {
        case .denied, .refused, .noTracks, .unsupported, .cancelled: return false
        default: return true
        }
    }

    private func retry(after error: FileError) {
        playout.endReading()
        if hasOpened, context.now - openedAt > PlayerEndpoint.soundAfter { retryPause = PlayerEndpoint.retryPauseMin }
        fail(PlayerEndpoint.type(of: error), "\(error)")
        // A handler of the event may have stopped it.
        guard state != .stop else { return }
        let pause = retryPause
        retryPause = min(PlayerEndpoint.retryPauseMax, retryPause + retryPause)
        cancelRetry()
        retryTimer = context.schedule(at: context.now + pause) { [unowned self] in
            retryTimer = nil
            let wasPaused = state == .pause
            open()
            if wasPaused { playout.pause() }
        }
    }

    private func cancelRetry() {
        if let retryTimer { context.cancel(retryTimer) }
        retryTimer = nil
    }

    private static func type(of error: FileError?) -> ErrorType {
        switch error {
        case .notFound, .notPermitted, .notAFile, .refused: .invalidURI
        case .unreachable, .timedOut, .denied: .resourceOpen
        case .lost: .streamFailed
        default: .invalidMedia
        }
    }

    private func change(to new: UriEndpointState) {
        guard state != new else { return }
        state = new
        context.emit(.uriEndpointStateChanged(new), from: self)
    }
}
