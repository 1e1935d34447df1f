import CFFmpeg
import Core

/// A frame with the file's own times, before they are normalised. Times in nanoseconds from the file's own zero.
struct RawFrame {
    let track: Int
    let payload: Payload
    let pts: MediaTime?
    let dts: MediaTime?
    let duration: MediaTime
    let isKey: Bool
    let skipStart: Int
    let skipEnd: Int
    /// `skipStart` as time.
    let skipped: MediaTime
    let newFormat: EncodedFormat?
}

/// Turns the packets of one libavformat stream into frames. Owned by a `Demuxer`.
struct StreamReader {
    let kind: MediaKind
    private(set) var format: EncodedFormat?
    let unsupported: String?
    private let timeBase: AVRational
    private var wrapping: Wrapping
    private var times: FrameTimes
    private let nominalDuration: MediaTime
    /// When the track starts by libavformat's account, on the file's own time line.
    let statedStart: MediaTime?

    init(context: UnsafeMutablePointer<AVFormatContext>, stream: UnsafeMutablePointer<AVStream>) {
        let described = TrackDescription(context: context, stream: stream)
        kind = described.kind
        format = described.format
        unsupported = described.unsupported
        wrapping = described.wrapping
        timeBase = stream.pointee.time_base
        if described.format == nil { stream.pointee.discard = AVDISCARD_ALL }
        var interval = MediaTime.zero
        var reorder = 0
        if case .video(let video)? = described.format {
            interval = min(video.frameRate?.interval ?? .milliseconds(40), .milliseconds(1000))
            reorder = Int(stream.pointee.codecpar.pointee.video_delay)
        }
        times = FrameTimes(reorder: reorder, interval: interval)
        nominalDuration = interval
        var start = StreamReader.nanoseconds(stream.pointee.start_time, timeBase)
        if case .audio(let audio)? = described.format, audio.codec == .opus, let stated = start, stated < .zero {
            // Times before 0 are the codec's priming, which is not to be heard.
            start = stated + MediaTime(samples: Int64(audio.configuration.opusPreSkip), rate: 48_000)
        }
        statedStart = start
    }

    /// Nanoseconds as ticks of the stream, rounded down.
    func ticks(_ nanoseconds: Int64) -> Int64 {
        av_rescale_q_rnd(nanoseconds, AVRational(num: 1, den: 1_000_000_000), timeBase, AV_ROUND_DOWN)
    }

    /// Reading goes on at another position.
    mutating func reset() { times.reset() }

    /// Copies a packet; nil if it holds nothing usable.
    mutating func take(_ packet: UnsafeMutablePointer<AVPacket>, track: Int) -> RawFrame? {
        guard let data = packet.pointee.data, packet.pointee.size > 0 else { return nil }
        let bytes = UnsafeRawBufferPointer(start: data, count: Int(packet.pointee.size))
        var changed = changedFormat(packet)
        guard let payload = wrapping.unwrap(bytes, format: &format, changed: &changed), payload.count > 0 else {
            return nil
        }
        var duration = StreamReader.nanoseconds(packet.pointee.duration, timeBase) ?? .zero
        if duration <= .zero { duration = nominalDuration }
        let skip = skipSamples(packet, payload: payload, duration: &duration)
        return RawFrame(
            track: track, payload: payload, pts: StreamReader.nanoseconds(packet.pointee.pts, timeBase),
            dts: StreamReader.nanoseconds(packet.pointee.dts, timeBase), duration: duration,
            isKey: packet.pointee.flags & AV_PKT_FLAG_KEY != 0 || kind == .audio, skipStart: skip.start,
            skipEnd: skip.end, skipped: skip.time, newFormat: changed ? format : nil)
    }

    /// Gives a frame its place on the normalised time line.
    mutating func finish(_ raw: RawFrame, start: MediaTime) -> Packet {
        let (pts, dts) = times.next(
            pts: raw.pts.map { $0 - start }, dts: raw.dts.map { $0 - start }, duration: raw.duration)
        return Packet(
            track: raw.track,
            frame: EncodedFrame(
                payload: raw.payload, pts: pts, dts: dts, duration: raw.duration, isKey: raw.isKey,
                skipStart: raw.skipStart, skipEnd: raw.skipEnd),
            newFormat: raw.newFormat)
    }

    /// A time of the file; nil if it is missing or beyond ±126 years, where only broken files are.
    static func nanoseconds(_ ticks: Int64, _ base: AVRational) -> MediaTime? {
        guard ticks != cffmpeg_no_pts, base.num > 0, base.den > 0 else { return nil }
        let value = av_rescale_q(ticks, base, AVRational(num: 1, den: 1_000_000_000))
        return value.magnitude < 4_000_000_000_000_000_000 ? MediaTime(nanoseconds: value) : nil
    }

    /// New decoder configuration or size that libavformat attached to the packet.
    private mutating func changedFormat(_ packet: UnsafeMutablePointer<AVPacket>) -> Bool {
        var size = 0
        guard let data = av_packet_get_side_data(packet, AV_PKT_DATA_NEW_EXTRADATA, &size), size > 0 else {
            return false
        }
        let bytes = [UInt8](UnsafeBufferPointer(start: data, count: size))
        let before = format
        switch format {
        case .video(var video)?:
            (wrapping, video.configuration) = Wrapping.of(video: video.codec, extradata: bytes)
            format = .video(video)
        case .audio(var audio)?:
            audio.configuration = bytes
            format = .audio(audio)
        case nil: break
        }
        return format != before
    }

    /// Samples not to be heard: what the container says outright, and in MP4 the end of the last block, which is
    /// only told by a duration shorter than what the codec yields; `duration` then becomes that of the whole block.
    private func skipSamples(
        _ packet: UnsafeMutablePointer<AVPacket>, payload: Payload, duration: inout MediaTime
    ) -> (start: Int, end: Int, time: MediaTime) {
        guard case .audio(let audio)? = format else { return (0, 0, .zero) }
        var size = 0
        var start = 0
        var end = 0
        if let data = av_packet_get_side_data(packet, AV_PKT_DATA_SKIP_SAMPLES, &size), size >= 8 {
            // Two little-endian 32-bit counts (libavcodec/packet.h); more than ten seconds is a broken file.
            func count(_ at: Int) -> Int {
                let value = (0..<4).reduce(0) { $0 | Int(data[at + $1]) << (8 * $1) }
                return value <= 10 * max(1, audio.sampleRate) ? value : 0
            }
            start = count(0)
            end = count(4)
        }
        // Matroska tells the priming of Opus only by a time before 0, which it rounds to milliseconds.
        if audio.codec == .opus, start == 0, let time = StreamReader.nanoseconds(packet.pointee.pts, timeBase),
            time < .zero
        {
            let early = Int(clamping: (-time).samples(rate: 48_000))
            let stated = audio.configuration.opusPreSkip
            start = abs(early - stated) <= 48 ? stated : min(early, codedSamples(audio, payload: payload))
        }
        if end == 0, packet.pointee.duration > 0 {
            let coded = codedSamples(audio, payload: payload)
            let told = Int(clamping: duration.samples(rate: audio.sampleRate))
            // Containers with millisecond times round: less than 2 ms is not trimming.
            if coded - told > audio.sampleRate / 500, told > 0 {
                end = coded - told
                duration = MediaTime(samples: Int64(coded), rate: audio.sampleRate)
            }
        }
        return (start, end, MediaTime(samples: Int64(start), rate: max(1, audio.sampleRate)))
    }

    /// Samples per channel that the decoder yields for a packet, where the packet tells; else 0.
    private func codedSamples(_ audio: AudioFormat, payload: Payload) -> Int {
        switch audio.codec {
        case .opus: payload.withUnsafeBytes { opusSamples($0) }
        case .aac: audio.configuration.isPlainAAC ? 1024 : 0
        default: 0
        }
    }
}

/// Samples at 48 kHz in an Opus packet (RFC 6716, 3.1); 0 if it is malformed.
func opusSamples(_ packet: UnsafeRawBufferPointer) -> Int {
    guard let toc = packet.first else { return 0 }
    let configuration = Int(toc >> 3)
    let frame =
        switch configuration {
        case 0..<12: [480, 960, 1920, 2880][configuration % 4]
        case 12..<16: [480, 960][configuration % 2]
        default: [120, 240, 480, 960][configuration % 4]
        }
    switch toc & 3 {
    case 0: return frame
    case 1, 2: return 2 * frame
    default:
        guard packet.count > 1 else { return 0 }
        let samples = Int(packet[1] & 0x3F) * frame
        return samples <= 5760 ? samples : 0
    }
}

extension [UInt8] {
    /// Pre-skip of an OpusHead at 48 kHz (RFC 7845, 5.1); 0 if there is none.
    var opusPreSkip: Int { count >= 12 ? Int(self[10]) | Int(self[11]) << 8 : 0 }

    /// Whether an AudioSpecificConfig says AAC-LC with 1024-sample frames and no explicit SBR (ISO/IEC 14496-3, 1.6).
    fileprivate var isPlainAAC: Bool {
        count >= 2 && self[0] >> 3 == 2 && self[1] & 0b100 == 0 && count < 5
    }
}
