package import Core
package import Files
package import Media

/// Plays what a client sends by HTTP POST, raw or as a form's file, to a URL of its own.
///
/// `MediaSessionStarted` comes with the first request, `EndOfStream` when what it sent has been played, and
/// `MediaSessionTerminated` when no further request follows for `disconnectionTimeout`; the URL is then no longer valid,
/// and `getUrl` makes another. A body that cannot be played is an `Error` event and an HTTP error for the client.
package final class HttpPostEndpoint: Element {
    package struct Options: Hashable, Sendable {
        /// How long after a request another one may go on with the session.
        package var disconnectionTimeout = MediaTime.seconds(2)
        /// Kurento's hint; see `PlayerEndpoint.Options.useEncodedMedia`.
        package var useEncodedMedia = false
        package init() {}
    }

    package let options: Options
    private let server: UploadServer
    private lazy var playout = Playout(self)
    private var registered: (path: String, url: String)?
    /// Requests that other threads brought.
    private let arrived = Lock<[Upload]>([])
    private var bell: (number: Int, ring: @Sendable () -> Void)?
    private var current: Upload?
    private var isInSession = false
    private var expiry: PipelineContext.Timer?

    package init(_ context: PipelineContext, name: String, server: UploadServer, options: Options = Options()) {
        self.server = server
        self.options = options
        super.init(context, name: name, className: "HttpPostEndpoint")
        playout.onEnd = { [unowned self] in requestEnded() }
        playout.onFailure = { [unowned self] in failed($0) }
        bell = context.makeBell { [unowned self] in takeArrived() }
    }

    /// The URL to send media to. Opens the server's port if it is the first to ask.
    package func getUrl() throws(GraphError) -> String {
        if let registered { return registered.url }
        let path = "/" + HttpPostEndpoint.identifier(context.host)
        let (arrived, ring) = (arrived, bell?.ring)
        do throws(NetworkError) {
            let url = try server.register(path: path) { upload in
                arrived.withLock { $0.append(upload) }
                ring?()
            }
            registered = (path, url)
            return url
        } catch {
            throw GraphError("\(name): \(error)")
        }
    }

    public override func release() {
        guard !isReleased else { return }
        terminate()
        if let bell { context.removeBell(bell.number) }
        super.release()
    }

    // MARK: Requests

    private func takeArrived() {
        let uploads = arrived.withLock { uploads in
            defer { uploads = [] }
            return uploads
        }
        // The server lets one through at a time.
        for upload in uploads { play(upload) }
    }

    private func play(_ upload: Upload) {
        guard registered != nil, context.mode == .realTime else { return upload.cancel() }
        cancelExpiry()
        playout.endSources()
        playout.close()
        playout.rewind()
        forgetTroubles()
        current = upload
        if !isInSession {
            isInSession = true
            context.emit(.mediaSessionStarted, from: self)
        }
        let host = context.host
        let interrupt = Interrupt(now: { host.now() })
        playout.open(
            Playout.Input(
                name: "the upload", executor: host.ioThread(named: "io-\(name)"), interrupt: interrupt,
                isNetwork: true, make: { try upload.demuxer(interrupt: interrupt) }),
            at: context.now)
    }

    private func requestEnded() {
        current = nil
        context.emit(.endOfStream, from: self)
        expire()
    }

    private func failed(_ error: any Error) {
        let hadBegun = !playout.playing.isEmpty
        if hadBegun { playout.endSources() } else { playout.endUnopened() }
        playout.close()
        current = nil
        fail(hadBegun ? .streamFailed : .invalidMedia, "\(error)")
        expire()
    }

    private func expire() {
        cancelExpiry()
        expiry = context.schedule(at: context.now + options.disconnectionTimeout) { [unowned self] in
            expiry = nil
            terminate()
        }
    }

    private func cancelExpiry() {
        if let expiry { context.cancel(expiry) }
        expiry = nil
    }

    private func terminate() {
        cancelExpiry()
        if let registered { server.unregister(path: registered.path) }
        registered = nil
        current?.cancel()
        current = nil
        playout.endSources()
        playout.close()
        guard isInSession else { return }
        isInSession = false
        context.emit(.mediaSessionTerminated, from: self)
    }

    /// A random UUID (RFC 9562, section 5.4).
    private static func identifier(_ host: any Host) -> String {
        let high = host.seed() & 0xFFFF_FFFF_FFFF_0FFF | 0x4000
        let low = host.seed() & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        func hex(_ value: UInt64) -> String {
            let digits = String(value, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }
        let text = Array(hex(high) + hex(low))
        return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(text[$0]) }.joined(separator: "-")
    }
}
