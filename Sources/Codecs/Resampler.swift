import CFFmpeg
import Core
import Media

/// Brings decoded sound of any rate, layout and sample format to 48 kHz float: mono stays mono, everything else
/// becomes stereo. Owned by one decoder.
///
/// The output's clock is the first time stamp plus a count of samples; N samples in give N × 48000 / rate samples
/// out, to the nearest, once drained. The filter's delay is compensated: what was at t is at t. A time stamp more
/// than 10 ms off the count, or a new rate or layout, starts anew. Front channels keep their level in a downmix,
/// centre and surround add 0.707 of theirs (ITU-R BS.775), the low-frequency channel is dropped; a sum beyond full
/// scale is left to the mixer's limiter.
final class Resampler {
    private var converter: OpaquePointer?
    private var shape: Shape?
    private var input: AudioTimeline?
    /// Samples given out since the anchor, at 48 kHz.
    private var given: Int64 = 0

    private struct Shape: Equatable {
        let rate: Int32
        let format: Int32
        let channels: Int32
        /// Speakers as bits of a native layout; 0 where the layout only counts channels.
        let mask: UInt64
    }

    init() {}
    deinit { swr_free(&converter) }

    /// Takes one decoded block; `frame.pts` is nanoseconds or unknown.
    func take(_ frame: UnsafeMutablePointer<AVFrame>) throws(CodecError) -> [AudioFrame] {
        let block = frame.pointee
        guard block.nb_samples > 0 else { return [] }
        let isNative = block.ch_layout.order == AV_CHANNEL_ORDER_NATIVE
        let next = Shape(
            rate: block.sample_rate, format: block.format, channels: block.ch_layout.nb_channels,
            mask: isNative ? block.ch_layout.u.mask : 0)
        guard next.rate > 0, next.channels > 0 else {
            throw CodecError(
                call: "swr_init", code: -1,
                text: "sound with \(next.channels) channels at \(next.rate) Hz is not sound")
        }
        let pts = MediaTime(nanoseconds: block.pts)  // libav's "unknown" is `.distantPast`
        var output: [AudioFrame] = []
        if let input, next != shape || !input.continues(at: pts) {
            let expected = input.now
            output += try drain()
            try begin(next, at: input.continues(at: pts) ? expected : pts)
        } else if input == nil {
            try begin(next, at: pts == .distantPast ? .zero : pts)
        }
        input?.count += Int64(block.nb_samples)
        let room = Int(swr_get_out_samples(converter, block.nb_samples))
        output += try convert(UnsafePointer(block.extended_data), count: block.nb_samples, room: room, exact: nil)
        return output
    }

    /// What is still in the filter; afterwards the next block is a new beginning.
    func drain() throws(CodecError) -> [AudioFrame] {
        guard let input else { return [] }
        let due = MediaTime(samples: input.count, rate: input.rate).samples(rate: AudioFrame.sampleRate)
        let room = Int(swr_get_out_samples(converter, 0)) + 64
        let output = try convert(nil, count: 0, room: room, exact: max(0, Int(due - given)))
        self.input = nil
        return output
    }

    private func begin(_ next: Shape, at pts: MediaTime) throws(CodecError) {
        swr_free(&converter)
        shape = next
        input = AudioTimeline(start: pts, rate: Int(next.rate))
        given = 0
        var (from, to) = (AVChannelLayout(), AVChannelLayout())
        if next.mask == 0 || av_channel_layout_from_mask(&from, next.mask) < 0 {
            av_channel_layout_default(&from, next.channels)
        }
        av_channel_layout_default(&to, next.channels == 1 ? 1 : 2)
        var result = swr_alloc_set_opts2(
            &converter, &to, AV_SAMPLE_FMT_FLT, Int32(AudioFrame.sampleRate), &from, AVSampleFormat(next.format),
            next.rate, 0, nil)
        if result >= 0 { result = swr_init(converter) }
        if result < 0 {
            input = nil
            throw CodecError(libav: "swr_init", result)
        }
    }

    /// Runs the converter into a new block of at most `room` samples; `exact` cuts or fills it to a length.
    private func convert(
        _ source: UnsafePointer<UnsafeMutablePointer<UInt8>?>?, count: Int32, room: Int, exact: Int?
    ) throws(CodecError) -> [AudioFrame] {
        guard let input, let shape else { return [] }
        let channels = shape.channels == 1 ? 1 : 2
        let capacity = max(room, exact ?? 0, 1)
        var result: Int32 = 0
        let samples = [Float](unsafeUninitializedCapacity: capacity * channels) { buffer, filled in
            buffer.initialize(repeating: 0)
            var target: UnsafeMutablePointer<UInt8>? = UnsafeMutableRawPointer(buffer.baseAddress)?
                .assumingMemoryBound(to: UInt8.self)
            result = cffmpeg_resample(converter, &target, Int32(capacity), source, count)
            filled = (exact ?? Int(max(0, result))) * channels
            // Float tracks may carry anything; one such value would silence the whole mix.
            for index in 0..<filled where !(buffer[index].magnitude < 1000) { buffer[index] = 0 }
        }
        if result < 0 { throw CodecError(libav: "swr_convert", result) }
        guard !samples.isEmpty else { return [] }
        let pts = input.start + MediaTime(samples: given, rate: AudioFrame.sampleRate)
        given += Int64(samples.count / channels)
        return [AudioFrame(pts: pts, channels: channels, samples: samples)]
    }
}
