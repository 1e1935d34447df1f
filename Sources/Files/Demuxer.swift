import CFFmpeg
package import Core

/// One track of a media file.
package struct Track: Hashable, Sendable {
    /// Position in `Demuxer.tracks`; what `Packet.track` refers to.
    package let index: Int
    /// `.data` for subtitles and everything else that is neither sound nor picture.
    package let kind: MediaKind
    /// nil if the track cannot be played; its packets are skipped.
    package internal(set) var format: EncodedFormat?
    /// Why `format` is nil, in the user's words.
    package let unsupported: String?
}

/// One frame read from a file.
package struct Packet: Sendable {
    package let track: Int
    package var frame: EncodedFrame
    /// Set if the track's format changes with this frame.
    package var newFormat: EncodedFormat?
}

/// Reads a media file or URL, or bytes from a `ByteSource`, through libavformat.
///
/// Every call may block; the object belongs to one I/O thread. `Interrupt` ends a blocking call from outside. No
/// input, however broken, crashes it or keeps it busy for ever: what cannot be read any more ends the file.
///
/// Times are media time from the start of the file: the first picture or the first audible sample of the earliest
/// track is at 0 (a frame of codec priming, in `skipStart`, lies before). Frames of a track come in decoding order.
package final class Demuxer {
    package struct Options: Hashable, Sendable {
        /// Schemes that the location may have. A file can never name another protocol, whatever it holds: files read
        /// only files, and what came over http only http(s) (libavformat's `protocol_whitelist`).
        package var schemes: Set<String> = ["file", "http", "https"]
        /// What may be opened; `schemes` says what this reader understands.
        package var access = MediaAccess.everything
        /// libavformat's names of the containers that are tried. Playlists that open other files (concat, DASH, SDP) are
        /// not among them, HLS only over http.
        package var formats: [String] = [
            "aac", "aiff", "asf", "au", "avi", "av1", "caf", "flac", "flv", "h264", "hevc", "ivf", "matroska", "mov",
            "mp3", "mpeg", "mpegts", "nut", "obu", "ogg", "w64", "wav",
        ]
        /// Time that one blocking call may take; needs an `Interrupt` with a clock. nil: no limit.
        package var timeout: MediaTime? = .milliseconds(15_000)
        /// For http(s): connect again when the connection breaks, waiting at most `reconnectDelayMax` seconds.
        package var reconnects = true
        package var reconnectDelayMax = 4
        /// How an RTSP server's media is carried: over UDP, and over its own connection if nothing comes; or one only.
        package var rtspTransport = RTSPTransport.automatic
        /// RTSP over UDP: how long a packet that is missing may be waited for.
        package var reorderTimeMax = MediaTime.milliseconds(500)
        /// Bytes and media time that may be read to find the tracks and their formats.
        package var probeBytesMax = 5 << 20
        package var probeTimeMax = MediaTime.milliseconds(5_000)
        /// See `InterleaveTracker.limit`.
        package var interleaveLimit = MediaTime.milliseconds(10_000)
        /// Tracks beyond this are refused (a broken header can announce thousands).
        package var tracksMax = 64
        package init() {}
    }

    package enum RTSPTransport: String, Hashable, Sendable { case automatic, udp, tcp }

    /// Errors in a row after which a broken file counts as ended.
    private static let errorsInRowMax = 32
    /// Bytes that may be read ahead to find the start of the tracks or a key frame.
    private static let aheadBytesMax = 8 << 20

    /// All tracks, in the file's order, unsupported ones included.
    package private(set) var tracks: [Track] = []
    /// Length as the container states it; nil where it does not (live streams, killed recordings).
    package let duration: MediaTime?
    package let isSeekable: Bool
    /// Media comes as it happens, and has no end that the server knows.
    package let isLive: Bool
    /// libavformat's name of the container.
    package let container: String
    /// Where the file's own time stamps put media time 0.
    package private(set) var startTime = MediaTime.zero
    /// Packets that were broken and left out.
    package private(set) var damagedCount = 0

    private let location: Location
    private let interrupt: Interrupt
    private let options: Options
    private let input: InputContext
    private var streams: [StreamReader] = []
    private var pending: [RawFrame] = []
    private var tracker: InterleaveTracker
    private var isEnded = false

    /// Opens a path or URL. Blocks while the first packets are read (bounded by `probe…Max`).
    package convenience init(
        url: String, options: Options = Options(), interrupt: Interrupt = Interrupt()
    ) throws(FileError) {
        var access = options.access
        access.readableSchemes.formIntersection(options.schemes)
        let location = try access.location(url, for: .reading)
        if let path = location.path { try Location.checkReadable(path) }
        try self.init(location: location, source: nil, options: options, interrupt: interrupt)
    }

    /// Reads from `source`; `name` stands in messages.
    package convenience init(
        source: any ByteSource, name: String, options: Options = Options(), interrupt: Interrupt = Interrupt()
    ) throws(FileError) {
        if source.size == 0 { throw .empty(path: name) }
        let location = try Location("file:" + name, schemes: ["file"])
        try self.init(location: location, source: source, options: options, interrupt: interrupt)
    }

    private init(
        location: Location, source: (any ByteSource)?, options: Options, interrupt: Interrupt
    ) throws(FileError) {
        self.location = location
        self.interrupt = interrupt
        self.options = options
        interrupt.allow(options.timeout)
        input = try InputContext(location: location, source: source, options: options, interrupt: interrupt)
        let context = input.context
        duration =
            context.pointee.duration > 0
            ? MediaTime(nanoseconds: av_rescale(context.pointee.duration, 1000, 1)) : nil
        container = context.pointee.iformat.map { String(cString: $0.pointee.name) } ?? ""
        isLive = location.isLive && duration == nil
        if container == "rtsp" || container.hasPrefix("hls") {
            isSeekable = duration != nil && context.pointee.ctx_flags & AVFMTCTX_UNSEEKABLE == 0
        } else {
            isSeekable = (context.pointee.pb?.pointee.seekable ?? 0) & AVIO_SEEKABLE_NORMAL != 0
        }
        tracker = InterleaveTracker(tracks: 0, limit: options.interleaveLimit)
        let count = Int(context.pointee.nb_streams)
        guard count <= options.tracksMax else {
            throw .unsupported(path: location.name, what: "a file of \(count) tracks (at most \(options.tracksMax))")
        }
        for index in 0..<count {
            guard let stream = context.pointee.streams[index] else { continue }
            let reader = StreamReader(context: context, stream: stream)
            streams.append(reader)
            tracks.append(
                Track(index: index, kind: reader.kind, format: reader.format, unsupported: reader.unsupported))
        }
        guard tracks.contains(where: { $0.format != nil }) else {
            throw .noTracks(path: location.name, reasons: tracks.compactMap(\.unsupported))
        }
        tracker = InterleaveTracker(tracks: count, limit: options.interleaveLimit)
        try findStart()
    }

    /// The next frame; nil at the end, again and again. After `.timedOut` reading may go on.
    package func read() throws(FileError) -> Packet? {
        let raw = pending.isEmpty ? try readRaw() : pending.removeFirst()
        guard let raw else {
            tracker.end()
            return nil
        }
        let packet = streams[raw.track].finish(raw, start: startTime)
        if let format = packet.newFormat { tracks[raw.track].format = format }
        tracker.advance(track: raw.track, to: packet.frame.dts)
        return packet
    }

    /// No frame of the track will come with a time before this, as far as the file read so far tells
    /// (`InterleaveTracker`).
    package func watermark(of track: Int) -> MediaTime { tracker.watermark(of: track) }

    /// Goes to the last key frame at or before `time` (in files without an index possibly to an earlier one), for all
    /// tracks; the caller drops what comes before `time`.
    package func seek(to time: MediaTime) throws(FileError) {
        guard isSeekable else { throw .notSeekable(path: location.name) }
        let video = streams.firstIndex { $0.format?.kind == .video }
        var target = max(.zero, time)
        // Opus decoders settle within 80 ms (RFC 7845, 4.6); with pictures the key frame lies further back anyway.
        if video == nil { target = max(.zero, target - .milliseconds(80)) }
        // Containers without an index (MPEG-TS) land anywhere: step further back until a key frame comes in time.
        var back = MediaTime.zero
        while true {
            let landing = max(.zero, target - back)
            try jump(to: landing, stream: video ?? streams.firstIndex { $0.format != nil } ?? 0)
            guard let video, landing > .zero else { return }
            if try findKey(video, before: target + startTime) { return }
            back = back == .zero ? .milliseconds(2_000) : back + back + back
        }
    }

    /// libavformat's own search.
    private func jump(to target: MediaTime, stream: Int) throws(FileError) {
        interrupt.allow(options.timeout)
        let ticks = streams[stream].ticks((target + startTime).nanoseconds)
        // Searching a transport stream for its start lands somewhat behind it.
        let isUnindexed = (input.context.pointee.iformat?.pointee.flags ?? 0) & AVFMT_TS_DISCONT != 0
        var code =
            target == .zero && isUnindexed
            ? av_seek_frame(input.context, -1, 0, AVSEEK_FLAG_BYTE)
            : avformat_seek_file(input.context, Int32(stream), .min, ticks, ticks, 0)
        if code < 0 {
            // No index and no way to search, or a place before the first frame: from the beginning, as players do.
            code = av_seek_frame(input.context, Int32(stream), .min, AVSEEK_FLAG_BACKWARD)
        }
        if code < 0 { code = av_seek_frame(input.context, -1, 0, AVSEEK_FLAG_BYTE) }
        if interrupt.shouldStop {
            throw FileError(
                code: Int32(cffmpeg_error_exit), location: location, call: "avformat_seek_file", interrupt: interrupt)
        }
        guard code >= 0 else { throw .notSeekable(path: location.name) }
        pending = []
        isEnded = false
        tracker.reset()
        for index in streams.indices { streams[index].reset() }
    }

    /// Reads ahead to the first key frame of a track; pictures before it cannot be decoded and are dropped. Returns
    /// whether it is not later than `time` on the file's own time line.
    private func findKey(_ track: Int, before time: MediaTime) throws(FileError) -> Bool {
        var bytes = 0
        while bytes < Demuxer.aheadBytesMax, let raw = try readRaw() {
            guard raw.track != track || raw.isKey else { continue }
            pending.append(raw)
            bytes += raw.payload.count
            if raw.track == track { return (raw.pts ?? raw.dts ?? time) <= time }
        }
        return false
    }

    /// Reads ahead until each playable track has shown its first frame (within a second of media and some megabytes)
    /// and puts media time 0 at the earliest of them.
    private func findStart() throws(FileError) {
        let aheadMax = MediaTime.milliseconds(1000)
        var missing = Set(tracks.filter { $0.format != nil }.map(\.index))
        var earliest = MediaTime.infinity
        var bytes = 0
        while !missing.isEmpty, bytes < Demuxer.aheadBytesMax, let raw = try readRaw() {
            pending.append(raw)
            bytes += raw.payload.count + 64
            if let format = raw.newFormat { tracks[raw.track].format = format }
            guard let time = raw.pts ?? raw.dts else { continue }
            if missing.remove(raw.track) != nil { earliest = min(earliest, time + raw.skipped) }
            if time - earliest > aheadMax { break }
        }
        guard !pending.isEmpty else { throw .truncated(path: location.name, what: "it holds not one whole frame") }
        for index in missing { earliest = min(earliest, streams[index].statedStart ?? .infinity) }
        // Decoding order differs from presentation order: an earlier picture may follow the first.
        for raw in pending { earliest = min(earliest, (raw.pts ?? .infinity) + raw.skipped) }
        startTime = earliest.isFinite ? earliest : .zero
    }

    /// The next frame of a playable track as the file has it; nil at the end.
    private func readRaw() throws(FileError) -> RawFrame? {
        var errors = 0
        while !isEnded {
            interrupt.allow(options.timeout)
            let code = av_read_frame(input.context, input.packet)
            defer { av_packet_unref(input.packet) }
            if code == 0 {
                let index = Int(input.packet.pointee.stream_index)
                // Streams that turn up later (MPEG-TS) were not announced and are left out.
                guard streams.indices.contains(index), streams[index].format != nil else { continue }
                if let raw = streams[index].take(input.packet, track: index) { return raw }
                if input.packet.pointee.size > 0 { damagedCount += 1 }
                continue
            }
            if code == Int32(cffmpeg_error_end) { break }
            if interrupt.shouldStop || code == Int32(cffmpeg_error_exit) {
                throw FileError(
                    code: Int32(cffmpeg_error_exit), location: location, call: "av_read_frame", interrupt: interrupt)
            }
            if let failure = input.sourceFailure { throw failure }
            if !location.isFile, code != Int32(cffmpeg_error_invalid_data), code != Int32(cffmpeg_error_again) {
                throw FileError(code: code, location: location, call: "av_read_frame", interrupt: interrupt)
            }
            damagedCount += 1
            errors += 1
            if errors >= Demuxer.errorsInRowMax { break }
        }
        isEnded = true
        return nil
    }
}
