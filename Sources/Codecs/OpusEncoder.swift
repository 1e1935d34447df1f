import COpus
package import Core
package import Media

/// Encodes Opus through libopus in blocks of 20 ms. Owned by one stage.
///
/// The encoder looks ahead, so the first packets carry that many samples before the first one given: `pts` is the
/// time of what a decoder yields (input time less look-ahead), the first frame's `skipStart` and the header's
/// pre-skip say how much of it is not to be heard. With DTX, packets of one or two bytes stand for silence.
package final class OpusEncoder: AudioEncoder {
    private static let block = AudioFrame.blockSamples

    package let format: AudioFormat
    private let encoder: OpaquePointer
    private let lookahead: Int
    private let hasFEC: Bool
    private var queue: SampleQueue
    private var packetCount: Int64 = 0
    /// Of the size that libopus advises; it holds any packet.
    private var buffer = [UInt8](repeating: 0, count: 4000)

    package init(_ specification: AudioSpecification) throws(CodecError) {
        var result: Int32 = 0
        let made = opus_encoder_create(
            Int32(AudioFrame.sampleRate), Int32(specification.channels), OPUS_APPLICATION_AUDIO, &result)
        guard let encoder = made else { throw CodecError(opus: "opus_encoder_create", result) }
        self.encoder = encoder
        hasFEC = specification.fec
        var lookahead: Int32 = 0
        copus_get_lookahead(encoder, &lookahead)
        self.lookahead = Int(lookahead)
        queue = SampleQueue(channels: specification.channels, block: Self.block)
        format = AudioFormat(
            codec: .opus, sampleRate: AudioFrame.sampleRate, channels: specification.channels,
            configuration: OpusHead.bytes(channels: specification.channels, preSkip: Int(lookahead)))
        try setBitrate(specification.bitrate)
        try check("OPUS_SET_COMPLEXITY", copus_set_complexity(encoder, Int32(clamping: specification.complexity)))
        // Who wants redundancy talks. One channel at 48 kbit/s then stays with the modes made for speech, with losses and
        // without, instead of changing when losses come; they sound better too (docs/robustness.md).
        if specification.fec, specification.channels == 1 {
            try check("OPUS_SET_SIGNAL", copus_set_signal_is_voice(encoder))
        }
        try setExpectedLoss(0)
        try check("OPUS_SET_DTX", copus_set_dtx(encoder, specification.dtx ? 1 : 0))
    }

    deinit { opus_encoder_destroy(encoder) }

    package func encode(_ frame: AudioFrame) throws(CodecError) -> [EncodedFrame] {
        var output = queue.mustRestart(at: frame) ? try flush() : []
        queue.append(frame)
        output += try drain()
        return output
    }

    package func flush() throws(CodecError) -> [EncodedFrame] {
        guard queue.start != nil else { return [] }
        let wanted = queue.taken + Int64(lookahead)
        let packets = (wanted + Int64(Self.block) - 1) / Int64(Self.block)
        queue.appendSilence(Int(packets * Int64(Self.block) - queue.taken))
        var output = try drain()
        if var last = output.popLast() {
            last.skipEnd = Int(packets * Int64(Self.block) - wanted)
            output.append(last)
        }
        queue = SampleQueue(channels: format.channels, block: Self.block)
        packetCount = 0
        try check("OPUS_RESET_STATE", copus_reset_encoder(encoder))
        return output
    }

    package func setBitrate(_ bitrate: Int) throws(CodecError) {
        try check("OPUS_SET_BITRATE", copus_set_bitrate(encoder, Int32(clamping: bitrate)))
    }

    /// Redundancy takes bits from the sound itself, so there is none where nothing is lost.
    package func setExpectedLoss(_ percent: Int) throws(CodecError) {
        let percent = hasFEC ? min(max(percent, 0), 100) : 0
        try check("OPUS_SET_INBAND_FEC", copus_set_inband_fec(encoder, percent > 0 ? 1 : 0))
        try check("OPUS_SET_PACKET_LOSS_PERC", copus_set_packet_loss_percent(encoder, Int32(percent)))
    }

    private func drain() throws(CodecError) -> [EncodedFrame] {
        var output: [EncodedFrame] = []
        while let samples = queue.next() { output.append(try packet(samples)) }
        return output
    }

    private func packet(_ samples: ArraySlice<Float>) throws(CodecError) -> EncodedFrame {
        let result = samples.withUnsafeBufferPointer { samples -> Int32 in
            guard let source = samples.baseAddress else { return OPUS_BAD_ARG }
            return opus_encode_float(encoder, source, Int32(Self.block), &buffer, Int32(buffer.count))
        }
        if result < 0 { throw CodecError(opus: "opus_encode_float", result) }
        let bytes = buffer.withUnsafeBytes {
            Payload(copying: UnsafeRawBufferPointer(rebasing: $0[..<Int(result)]))
        }
        let position = packetCount * Int64(Self.block) - Int64(lookahead)
        let isFirst = packetCount == 0
        packetCount += 1
        return EncodedFrame(
            payload: bytes,
            pts: (queue.start ?? .zero) + MediaTime(samples: position, rate: AudioFrame.sampleRate),
            duration: MediaTime(samples: Int64(Self.block), rate: AudioFrame.sampleRate), isKey: true,
            skipStart: isFirst ? lookahead : 0)
    }

    private func check(_ call: String, _ result: Int32) throws(CodecError) {
        if result != OPUS_OK { throw CodecError(opus: call, result) }
    }
}
