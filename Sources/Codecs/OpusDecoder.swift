import CFFmpeg
import COpus
package import Core
package import Media

/// Decodes Opus through libopus at 48 kHz. Owned by one stage.
///
/// One and two channels come out as they are, by the plain decoder. More (mapping family 1, RFC 7845 section 5.1.1.2)
/// are decoded by the multistream decoder in libav's order of speakers and mixed down by `Resampler`.
package final class OpusDecoder: AudioDecoder {
    private let decoder: OpusHandle
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
        decoder = try OpusHandle(head)
        channels = head.channels
        if head.channels > 2 {
            guard let frame = av_frame_alloc() else { fatalError("out of memory: an AVFrame") }
            downmix = Downmix(frame: frame)
        } else {
            downmix = nil
        }
    }

    deinit {
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
        let samples = [Float](unsafeUninitializedCapacity: count * channels) { buffer, filled in
            guard let target = buffer.baseAddress else { return }
            result = decoder.decode(bytes, into: target, count: count, fec: fec)
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

extension CodecError {
    /// libopus's words for one of its negative return values.
    init(opus call: String, _ code: Int32) {
        self.init(call: call, code: Int(code), text: String(cString: opus_strerror(code)))
    }
}
