import CFFmpeg
import COpus
package import Core
package import Media

/// Decodes Opus through libopus at 48 kHz. Owned by one stage.
///
/// One and two channels come out as they are. More (mapping family 1, RFC 7845 section 5.1.1.2) are decoded by the
/// multistream decoder in libav's order of speakers and mixed down by `Resampler`.
package final class OpusDecoder: AudioDecoder {
    private let decoder: LibopusDecoder
    private let channels: Int
    private var timeline: AudioTimeline?
    /// Samples still to be dropped at the beginning; a pre-skip may be longer than a packet.
    private var skip = 0
    private let downmix: Downmix?

    /// More than two channels on their way through the resampler.
    private struct Downmix {
        let resampler = Resampler()
        let frame: UnsafeMutablePointer<AVFrame>
    }

    /// `format.configuration` is an OpusHead, or empty for one or two channels.
    package init(_ format: AudioFormat) throws(CodecError) {
        let head = try OpusHead(format)
        decoder = try LibopusDecoder(head)
        channels = head.channels
        if head.channels > 2 {
            guard let frame = av_frame_alloc() else { fatalError("out of memory: an AVFrame") }
            downmix = Downmix(frame: frame)
        } else {
            downmix = nil
        }
    }

    deinit {
        decoder.destroy()
        var frame = downmix?.frame
        av_frame_free(&frame)
    }

    package func decode(_ frame: EncodedFrame) throws(CodecError) -> [AudioFrame] {
        skip += frame.skipStart
        let samples = try frame.payload.withUnsafeBytes { bytes throws(CodecError) in
            // Asked first, so that a block takes no more memory than its samples need. At most 120 ms (RFC 6716, 2.1.4).
            let packet = bytes.bindMemory(to: UInt8.self).baseAddress
            let rate = Int32(AudioFrame.sampleRate)
            let count = packet.map { opus_packet_get_nb_samples($0, Int32(clamping: bytes.count), rate) } ?? 0
            guard count > 0 else { throw CodecError(opus: "opus_decode", OPUS_INVALID_PACKET) }
            return try run(bytes, count: Int(count), fec: false)
        }
        return try place(samples, at: frame.pts, dropEnd: frame.skipEnd)
    }

    package func flush() throws(CodecError) -> [AudioFrame] {
        decoder.reset()
        timeline = nil
        skip = 0
        return try downmix?.resampler.drain() ?? []
    }

    /// What libopus makes up for `count` lost samples (a multiple of 120), following what was decoded last.
    package func conceal(samples count: Int) throws(CodecError) -> [AudioFrame] {
        try place(try run(UnsafeRawBufferPointer(start: nil, count: 0), count: count, fec: false), at: .distantPast)
    }

    /// The `count` samples before the packet `next`, from the redundancy that it carries; made up where it has none.
    package func decodeFEC(_ next: Payload, samples count: Int) throws(CodecError) -> [AudioFrame] {
        let samples = try next.withUnsafeBytes { bytes throws(CodecError) in
            try run(bytes, count: count, fec: true)
        }
        return try place(samples, at: .distantPast)
    }

    private func run(_ bytes: UnsafeRawBufferPointer, count: Int, fec: Bool) throws(CodecError) -> [Float] {
        var result: Int32 = 0
        let packet = bytes.bindMemory(to: UInt8.self).baseAddress
        let samples = [Float](unsafeUninitializedCapacity: count * channels) { buffer, filled in
            guard let target = buffer.baseAddress else { return }
            result = decoder.decode(packet, Int32(clamping: bytes.count), target, Int32(count), fec ? 1 : 0)
            filled = Int(max(0, result)) * channels
        }
        if result < 0 { throw CodecError(opus: "opus_decode_float", result) }
        return samples
    }

    /// Drops what is not to be heard and gives the rest its time.
    private func place(_ decoded: [Float], at stamp: MediaTime, dropEnd: Int = 0) throws(CodecError) -> [AudioFrame] {
        let total = decoded.count / channels
        let dropStart = min(skip, total)
        skip -= dropStart
        let end = max(dropStart, total - dropEnd)
        guard end > dropStart else { return [] }
        let samples = end - dropStart == total ? decoded : Array(decoded[(dropStart * channels)..<(end * channels)])
        let pts = stamp + MediaTime(samples: Int64(dropStart), rate: AudioFrame.sampleRate)
        if let downmix { return try mixDown(samples, pts, downmix) }
        let anew = AudioTimeline(start: stamp == .distantPast ? .zero : pts, rate: AudioFrame.sampleRate)
        var timeline = timeline ?? anew
        if !timeline.continues(at: pts) { timeline = anew }
        let frame = AudioFrame(pts: timeline.now, channels: channels, samples: samples)
        timeline.count += Int64(end - dropStart)
        self.timeline = timeline
        return [frame]
    }

    private func mixDown(_ samples: [Float], _ pts: MediaTime, _ downmix: Downmix) throws(CodecError) -> [AudioFrame] {
        let frame = downmix.frame
        defer { av_frame_unref(frame) }
        frame.pointee.format = AV_SAMPLE_FMT_FLT.rawValue
        frame.pointee.sample_rate = Int32(AudioFrame.sampleRate)
        frame.pointee.nb_samples = Int32(samples.count / channels)
        frame.pointee.pts = pts.nanoseconds
        av_channel_layout_default(&frame.pointee.ch_layout, Int32(channels))
        let result = av_frame_get_buffer(frame, 0)
        guard result >= 0, let target = frame.pointee.data.0 else {
            throw CodecError(libav: "av_frame_get_buffer", result)
        }
        samples.withUnsafeBytes { UnsafeMutableRawBufferPointer(start: target, count: $0.count).copyMemory(from: $0) }
        return try downmix.resampler.take(frame)
    }
}

/// libopus's two decoders. The multistream one copies each channel by itself, which costs as much as decoding: so one
/// and two channels go through the plain one. The samples are the same.
private enum LibopusDecoder {
    case plain(OpaquePointer)
    case multistream(OpaquePointer)

    init(_ head: OpusHead) throws(CodecError) {
        var result: Int32 = 0
        let rate = Int32(AudioFrame.sampleRate)
        if head.isPlain {
            guard let made = opus_decoder_create(rate, Int32(head.channels), &result) else {
                throw CodecError(opus: "opus_decoder_create", result)
            }
            copus_set_gain(made, Int32(head.gain))
            self = .plain(made)
        } else {
            let made = opus_multistream_decoder_create(
                rate, Int32(head.channels), Int32(head.streams), Int32(head.coupled), head.mapping, &result)
            guard let made else { throw CodecError(opus: "opus_multistream_decoder_create", result) }
            copus_set_multistream_gain(made, Int32(head.gain))
            self = .multistream(made)
        }
    }

    func decode(
        _ packet: UnsafePointer<UInt8>?, _ byteCount: Int32, _ target: UnsafeMutablePointer<Float>, _ count: Int32,
        _ fec: Int32
    ) -> Int32 {
        switch self {
        case .plain(let decoder): opus_decode_float(decoder, packet, byteCount, target, count, fec)
        case .multistream(let decoder):
            opus_multistream_decode_float(decoder, packet, byteCount, target, count, fec)
        }
    }

    func reset() {
        switch self {
        case .plain(let decoder): copus_reset_decoder(decoder)
        case .multistream(let decoder): copus_reset_multistream_decoder(decoder)
        }
    }

    func destroy() {
        switch self {
        case .plain(let decoder): opus_decoder_destroy(decoder)
        case .multistream(let decoder): opus_multistream_decoder_destroy(decoder)
        }
    }
}

/// The identification header of RFC 7845 section 5.1.
struct OpusHead {
    let channels: Int
    let preSkip: Int
    /// 1/256 dB.
    let gain: Int
    let streams: Int
    let coupled: Int
    /// For each output channel, in libav's order of speakers, the decoded channel it comes from.
    let mapping: [UInt8]
    /// One or two channels in one stream, in order: what a plain decoder makes.
    var isPlain: Bool { streams == 1 && coupled == channels - 1 && mapping == Array(0..<UInt8(channels)) }

    /// Where each speaker of libav's default layouts stands in Vorbis order (RFC 7845, 5.1.1.2), for 1…8 channels.
    private static let vorbisOrder: [[Int]] = [
        [0], [0, 1], [0, 2, 1], [0, 1, 2, 3], [0, 2, 1, 3, 4], [0, 2, 1, 5, 3, 4], [0, 2, 1, 6, 5, 3, 4],
        [0, 2, 1, 7, 5, 6, 3, 4],
    ]

    init(_ format: AudioFormat) throws(CodecError) {
        let bytes = format.configuration
        func malformed(_ text: String) -> CodecError { CodecError(call: "OpusHead", code: -1, text: text) }
        guard bytes.count >= 19, bytes.starts(with: Array("OpusHead".utf8)) else {
            guard (1...2).contains(format.channels) else {
                throw malformed("Opus with \(format.channels) channels needs an OpusHead header")
            }
            (channels, preSkip, gain) = (format.channels, 0, 0)
            (streams, coupled, mapping) = (1, format.channels - 1, format.channels == 1 ? [0] : [0, 1])
            return
        }
        channels = Int(bytes[9])
        preSkip = Int(bytes[10]) | Int(bytes[11]) << 8
        gain = Int(Int16(truncatingIfNeeded: Int(bytes[16]) | Int(bytes[17]) << 8))
        if bytes[18] == 0 {
            guard (1...2).contains(channels) else { throw malformed("OpusHead has \(channels) channels in family 0") }
            (streams, coupled, mapping) = (1, channels - 1, channels == 1 ? [0] : [0, 1])
            return
        }
        guard bytes[18] == 1, (1...8).contains(channels), bytes.count >= 21 + channels else {
            throw malformed(
                "OpusHead has the channel mapping family \(bytes[18]) with \(channels) channels; "
                    + "families 0 and 1 with at most 8 channels are supported")
        }
        (streams, coupled) = (Int(bytes[19]), Int(bytes[20]))
        mapping = Self.vorbisOrder[channels - 1].map { bytes[21 + $0] }
    }

    /// The header of a stream of one or two channels, 19 bytes.
    static func bytes(channels: Int, preSkip: Int) -> [UInt8] {
        let rate = UInt32(AudioFrame.sampleRate)
        return Array("OpusHead".utf8) + [1, UInt8(channels), UInt8(preSkip & 0xFF), UInt8(preSkip >> 8 & 0xFF)]
            + (0..<4).map { UInt8(truncatingIfNeeded: rate >> (8 * $0)) } + [0, 0, 0]
    }
}

extension CodecError {
    /// libopus's words for one of its negative return values.
    init(opus call: String, _ code: Int32) {
        self.init(call: call, code: Int(code), text: String(cString: opus_strerror(code)))
    }
}
