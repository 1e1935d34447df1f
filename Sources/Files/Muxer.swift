import CFFmpeg
package import Core

/// Writes coded tracks into a WebM, Matroska, MP4 or FLV file so that it plays whatever happens.
///
/// Every call may block; the object belongs to one I/O thread. The file is cut into clusters or fragments of at most
/// `fragmentMax` of media, each pushed to the kernel when it ends; so after `kill -9` all but the last half second
/// plays, without a key frame and whether or not the other track has anything. `finish()` adds exact duration and a
/// seek index in place. A file that could not be started does not exist; one that failed later (disk full) ends with
/// its last whole cluster or fragment, and the failure is thrown.
///
/// Frames of all tracks come in decoding order, on a common time line whose 0 is the start of the file. Priming lies
/// before 0 (see `EncodedFrame.skipStart`).
package final class Muxer {
    package struct Options: Hashable, Sendable {
        /// Schemes that the location may have; http(s) uploads while recording, and what cannot be changed afterwards
        /// (duration, index) is then missing.
        package var schemes: Set<String> = ["file"]
        /// Where may be written.
        package var access = MediaAccess.everything
        /// The request's method, for an upload.
        package var uploadMethod = "POST"
        /// Makes missing folders above the file.
        package var createsFolders = false
        /// Time that one blocking call on a URL may take; needs an `Interrupt` with a clock.
        package var timeout: MediaTime? = .milliseconds(15_000)
        package init() {}

        func location(_ url: String) throws(FileError) -> Location {
            var access = access
            access.writableSchemes.formIntersection(schemes)
            return try access.location(url, for: .writing)
        }
    }

    /// The most media time that a cluster or fragment holds, and so the most that a crash costs.
    package static let fragmentMax = MediaTime.milliseconds(500)
    /// A frame this much earlier than the one before is refused; a smaller step back is mended and counted.
    package static let stepBackMax = MediaTime.milliseconds(1_000)

    private struct TrackState {
        var format: EncodedFormat
        let timeScale: Rational
        /// What readers subtract from the track's times (CodecDelay of Opus in Matroska), and so is added here.
        let delay: MediaTime
        var lastTick: Int64?
        /// After a change, parameter sets go in front of every key frame: players know only the first ones.
        var parameterSets: [UInt8] = []
    }

    /// Frames whose times had to be moved to keep order.
    package private(set) var repairCount = 0
    /// Frames written, per track.
    package private(set) var frameCounts: [Int]

    private let location: Location
    private let container: Container
    private let interrupt: Interrupt
    private let options: Options
    private let output: OutputContext
    private let file: OutputFile
    private var tracks: [TrackState] = []
    /// Added to all times.
    private var shift: MediaTime
    /// Frames held until the earliest presentation time is known (Matroska has no negative times).
    private var held: [(track: Int, frame: EncodedFrame)]?
    private var fragmentStart: MediaTime?
    private var isFragmentOpen = false
    /// Bytes that end with a whole fragment.
    private var wholeBytes: Int64 = 0
    private var failure: FileError?
    private var isFinished = false

    /// Creates the file (an old one is overwritten) and writes its header. Throws, and leaves no file, if the
    /// container does not take the tracks or the file cannot be written.
    package init(
        url: String, container: Container, tracks formats: [EncodedFormat], options: Options = Options(),
        interrupt: Interrupt = Interrupt()
    ) throws(FileError) {
        precondition(!formats.isEmpty, "a recording has at least one track")
        location = try options.location(url)
        self.container = container
        self.interrupt = interrupt
        self.options = options
        frameCounts = [Int](repeating: 0, count: formats.count)
        for format in formats where !container.accepts(format) {
            throw .unsupported(path: location.name, what: "\(format.codecName) in \(container.rawValue)")
        }
        let output = OutputContext(location, container: container)
        for format in formats { try output.addStream(format, timeScale: Muxer.timeScale(format)) }
        var header = try output.header(options: Muxer.settings(container), isSeekable: location.isFile)
        shift = .zero
        if container == .mp4 {
            header = try MP4Header.prepare(header, path: location.name)
            shift = MP4Header.shift
        } else {
            held = []
        }
        if options.createsFolders, let path = location.path { try OutputFile.createFolders(for: path) }
        interrupt.allow(options.timeout)
        let file = try OutputFile(
            location,
            upload: .init(method: options.uploadMethod, contentType: container.contentType(of: formats.map(\.kind))),
            interrupt: interrupt, timeout: options.timeout)
        avio_write(file.context, header, Int32(header.count))
        do throws(FileError) {
            try file.flush()
        } catch {
            file.remove()
            throw error
        }
        output.context.pointee.pb = file.context
        self.output = output
        self.file = file
        wholeBytes = Int64(header.count)
        tracks = formats.indices.map {
            TrackState(
                format: formats[$0], timeScale: Rational(output.timeScale($0), 1),
                delay: Muxer.delay(formats[$0], container))
        }
    }

    /// Writes one frame. Decoding times of a track must rise; see `stepBackMax`.
    package func write(track: Int, frame: EncodedFrame) throws(FileError) {
        precondition(tracks.indices.contains(track), "no such track: \(track)")
        precondition(!isFinished, "the recording is finished")
        if let failure { throw failure }
        guard held != nil else { return try put(track, frame) }
        held?.append((track, frame))
        let isComplete = tracks.indices.allSatisfy { index in held?.contains { $0.track == index } ?? true }
        if isComplete || frame.dts - (held?.first?.frame.dts ?? frame.dts) >= Muxer.fragmentMax { try begin() }
    }

    /// From the next key frame on the track has this format. Sizes may change; the codec and the parameters of sound
    /// may not (`.unsupported`).
    package func updateFormat(track: Int, format: EncodedFormat) throws(FileError) {
        precondition(tracks.indices.contains(track), "no such track: \(track)")
        let old = tracks[track].format
        guard old != format else { return }
        switch (old, format) {
        case (.video(let before), .video(let after)) where before.codec == after.codec:
            if after.codec == .h264, let sets = AVC.parameterSets(configuration: after.configuration) {
                tracks[track].parameterSets = sets
            }
        case (.audio(let before), .audio(let after))
        where before.codec == after.codec && before.sampleRate == after.sampleRate
            && before.channels == after.channels && before.configuration == after.configuration:
            break
        default:
            throw .unsupported(
                path: location.name, what: "a change from \(old.codecName) to \(format.codecName) while recording")
        }
        tracks[track].format = format
    }

    /// Ends the cluster or fragment now and pushes it to the kernel, for a source that pauses.
    package func flush() throws(FileError) {
        if let failure { throw failure }
        if held?.isEmpty == false { try begin() }
        try cut()
    }

    /// Ends the file: duration and seek index go in, an MP4 becomes progressive. After a failure the part that is
    /// whole is completed as far as the disk allows, and the failure thrown again. Nothing written: the file is
    /// removed and `.nothingRecorded` thrown.
    package func finish() throws(FileError) {
        guard !isFinished else { return }
        isFinished = true
        do throws(FileError) {
            if failure == nil, held?.isEmpty == false { try begin() }
            guard frameCounts.contains(where: { $0 > 0 }) else {
                file.remove()
                throw failure ?? .nothingRecorded(path: location.name)
            }
            if failure == nil { try writeTrailer() }
        } catch {
            // A disk too full for the trailer is a failure like any other; nothing but the trailer is missing then.
            failure = failure ?? error
        }
        do throws(FileError) {
            if container == .mp4, file.isRegular, frameCounts.contains(where: { $0 > 0 }) {
                let index = try MP4Index(descriptor: file.descriptor, path: location.name)
                try index.finish(descriptor: file.descriptor, path: location.name)
            }
        } catch { failure = failure ?? error }
        output.context.pointee.pb = nil
        do throws(FileError) { try file.close() } catch { failure = failure ?? error }
        if let failure { throw failure }
    }

    private func writeTrailer() throws(FileError) {
        interrupt.allow(options.timeout)
        let code = av_write_trailer(output.context)
        avio_flush(file.context)
        try check(code, call: "av_write_trailer")
    }

    /// Fixes the shift that makes Matroska's times non-negative, and writes what was held for it.
    private func begin() throws(FileError) {
        let frames = held ?? []
        held = nil
        shift = -frames.reduce(MediaTime.zero) { min($0, $1.frame.pts + tracks[$1.track].delay) }
        for (track, frame) in frames { try put(track, frame) }
    }

    private func put(_ track: Int, _ frame: EncodedFrame) throws(FileError) {
        if let start = fragmentStart, frame.dts - start >= Muxer.fragmentMax { try cut() }
        if !isFragmentOpen {
            isFragmentOpen = true
            fragmentStart = frame.dts
        }
        var payload = frame.payload
        if frame.isKey, !tracks[track].parameterSets.isEmpty {
            payload = Payload(tracks[track].parameterSets + payload.bytes)
        }
        let (pts, dts) = try ticks(track, frame)
        let packet = output.packet
        var duration = frame.duration
        if frame.skipEnd > 0, case .audio(let audio) = tracks[track].format {
            duration = max(.zero, duration - MediaTime(samples: Int64(frame.skipEnd), rate: audio.sampleRate))
        }
        let code = payload.withUnsafeBytes { bytes -> Int32 in
            packet.pointee.data = UnsafeMutablePointer(
                mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
            packet.pointee.size = Int32(bytes.count)
            packet.pointee.stream_index = Int32(track)
            packet.pointee.pts = pts
            packet.pointee.dts = dts
            packet.pointee.duration = duration.count(per: tracks[track].timeScale)
            packet.pointee.flags = frame.isKey ? AV_PKT_FLAG_KEY : 0
            if frame.skipEnd > 0, container != .mp4 { Muxer.attachSkip(packet, end: frame.skipEnd) }
            defer { av_packet_unref(packet) }
            return av_write_frame(output.context, packet)
        }
        try check(code, call: "av_write_frame")
        frameCounts[track] += 1
    }

    /// A frame's times in the container's ticks, in order.
    private func ticks(_ track: Int, _ frame: EncodedFrame) throws(FileError) -> (pts: Int64, dts: Int64) {
        let scale = tracks[track].timeScale
        let moved = shift + tracks[track].delay
        var pts = (frame.pts + moved).count(per: scale)
        var dts = min(pts, (frame.dts + moved).count(per: scale))
        // Matroska keeps no decoding times, FLV none before 0: those of the first reordered pictures may lie before 0.
        if container != .mp4, pts >= 0 { dts = max(0, dts) }
        var floor: Int64 = 0
        if let last = tracks[track].lastTick {
            if last - dts > Muxer.stepBackMax.count(per: scale) {
                throw .badTimes(
                    path: location.name, what: "\(frame.dts) came after \(MediaTime(last, per: scale) - moved)")
            }
            // Matroska and FLV may hold two frames in one millisecond, MP4 needs a duration for each.
            floor = container == .mp4 ? last + 1 : last
        }
        if dts < floor {
            dts = floor
            if pts < dts { repairCount += 1 }
        }
        pts = max(pts, dts)
        tracks[track].lastTick = dts
        return (pts, dts)
    }

    /// Ends the cluster or fragment.
    private func cut() throws(FileError) {
        guard isFragmentOpen else { return }
        isFragmentOpen = false
        fragmentStart = nil
        interrupt.allow(options.timeout)
        let code = av_write_frame(output.context, nil)
        avio_flush(file.context)
        try check(code, call: "av_write_frame")
        wholeBytes = avio_seek(file.context, 0, SEEK_CUR)
    }

    /// Turns a return code or a failed write into the muxer's failure, and takes the broken rest of the file away.
    private func check(_ code: Int32, call: String) throws(FileError) {
        do throws(FileError) {
            try file.check(call: call)
            guard code < 0 else { return }
            throw FileError(code: code, location: location, call: call, interrupt: interrupt)
        } catch {
            failure = error
            file.truncate(to: wholeBytes)
            throw error
        }
    }

    private static func attachSkip(_ packet: UnsafeMutablePointer<AVPacket>, end: Int) {
        guard let data = av_packet_new_side_data(packet, AV_PKT_DATA_SKIP_SAMPLES, 10) else { return }
        for index in 0..<10 { data[index] = index >= 4 && index < 8 ? UInt8(end >> (8 * (index - 4)) & 0xFF) : 0 }
    }

    /// Ticks per second: 90 kHz holds all usual frame rates, sound counts its samples.
    private static func timeScale(_ format: EncodedFormat) -> Int {
        switch format {
        case .video: 90_000
        case .audio(let audio): audio.codec == .opus ? 48_000 : audio.sampleRate
        }
    }

    private static func delay(_ format: EncodedFormat, _ container: Container) -> MediaTime {
        guard container != .mp4, case .audio(let audio) = format, audio.codec == .opus else { return .zero }
        return MediaTime(samples: Int64(audio.configuration.opusPreSkip), rate: 48_000)
    }

    private static func settings(_ container: Container) -> [(String, String)] {
        switch container {
        case .webm, .mkv: [("cluster_time_limit", "500")]
        case .flv, .jpeg: []
        case .mp4:
            // Fragments end where `cut` says; times stand in the fragments as they are (frag_discont), and the edit
            // lists are ours (MP4Header).
            [
                ("movflags", "frag_custom+empty_moov+default_base_moof+frag_discont+skip_trailer"),
                ("use_editlist", "0"), ("movie_timescale", "90000"), ("video_track_timescale", "90000"),
            ]
        }
    }
}
