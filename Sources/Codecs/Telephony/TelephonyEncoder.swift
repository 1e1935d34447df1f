import CFFmpeg
package import Core
package import Media

/// Encodes PCMU and PCMA (own tables) and G.722 (libavcodec) in packets of 20 ms, always mono as telephones have it.
/// Owned by one stage.
///
/// The converter down to 8 or 16 kHz looks ahead, so a packet comes a few milliseconds after its last sample; its times
/// are those of the input. G.722's own delay of 22 samples is said by the first frame's `skipStart`.
package final class TelephonyEncoder: AudioEncoder {
    private static let block = AudioFrame.blockSamples
    /// Samples by which a G.722 decoder is behind what was encoded (libavcodec's `initial_padding`).
    private static let subbandDelay = 22

    package let format: AudioFormat
    private let law: G711?
    private let libav: LibavContext?
    private let converter: RateConverter
    private var queue = SampleQueue(channels: 1, block: TelephonyEncoder.block)
    /// Samples at the codec's rate that wait for a whole packet; the converter's look-ahead is taken off at first.
    private var waiting: [Float] = []
    private var surplus: Int
    private var packetCount: Int64 = 0
    private var converted: [Float]

    package init(_ specification: AudioSpecification) throws(CodecError) {
        let rate = specification.codec == .g722 ? 16_000 : 8000
        switch specification.codec {
        case .pcmu: (law, libav) = (.mu, nil)
        case .pcma: (law, libav) = (.a, nil)
        case .g722: (law, libav) = (nil, try TelephonyEncoder.openG722())
        default:
            throw CodecError(
                call: "audioEncoder", code: -1, text: "there is no encoder for \(specification.codec.rawValue)")
        }
        format = AudioFormat(codec: specification.codec, sampleRate: rate, channels: 1)
        converter = RateConverter(from: AudioFrame.sampleRate, to: rate, channels: 1)
        surplus = converter.delay * rate / AudioFrame.sampleRate
        converted = [Float](repeating: 0, count: converter.capacity(for: TelephonyEncoder.block))
    }

    private static func openG722() throws(CodecError) -> LibavContext {
        guard let codec = avcodec_find_encoder_by_name("g722") else {
            throw CodecError(call: "avcodec_find_encoder_by_name", code: -1, text: "there is no encoder for g722")
        }
        let libav = LibavContext(codec)
        libav.pointer.pointee.sample_rate = 16_000
        libav.pointer.pointee.sample_fmt = AV_SAMPLE_FMT_S16
        libav.pointer.pointee.frame_size = 320
        libav.pointer.pointee.time_base = AVRational(num: 1, den: 16_000)
        av_channel_layout_default(&libav.pointer.pointee.ch_layout, 1)
        try libav.open()
        return libav
    }

    private var packetSamples: Int { format.sampleRate / 50 }

    package func encode(_ frame: AudioFrame) throws(CodecError) -> [EncodedFrame] {
        var output = queue.mustRestart(at: frame) ? try flush() : []
        queue.append(frame)
        while let samples = queue.next() { convert(samples) }
        output += try drain()
        return output
    }

    private func convert(_ samples: ArraySlice<Float>) {
        let made = samples.withUnsafeBufferPointer { samples in
            converted.withUnsafeMutableBufferPointer { target in
                target.baseAddress.map { converter.convert(samples, into: $0) } ?? 0
            }
        }
        let early = min(surplus, made)
        surplus -= early
        waiting += converted[early..<made]
    }

    package func flush() throws(CodecError) -> [EncodedFrame] {
        guard queue.start != nil else { return [] }
        // What was given, and for G.722 as much more as its decoder is late.
        let delay = libav == nil ? 0 : TelephonyEncoder.subbandDelay
        let wanted =
            Int(MediaTime(samples: queue.taken, rate: AudioFrame.sampleRate).samples(rate: format.sampleRate))
            + delay
        let packets = (wanted + packetSamples - 1) / packetSamples
        while Int(packetCount) * packetSamples + waiting.count < packets * packetSamples {
            queue.appendSilence(TelephonyEncoder.block)
            while let samples = queue.next() { convert(samples) }
        }
        waiting.removeLast(Int(packetCount) * packetSamples + waiting.count - packets * packetSamples)
        var output = try drain()
        if var last = output.popLast() {
            last.skipEnd = packets * packetSamples - wanted
            output.append(last)
        }
        queue = SampleQueue(channels: 1, block: TelephonyEncoder.block)
        waiting = []
        packetCount = 0
        converter.reset()
        surplus = converter.delay * format.sampleRate / AudioFrame.sampleRate
        return output
    }

    /// The rates of these codecs are fixed.
    package func setBitrate(_ bitrate: Int) throws(CodecError) {}

    private func drain() throws(CodecError) -> [EncodedFrame] {
        var output: [EncodedFrame] = []
        while waiting.count >= packetSamples {
            output.append(try packet(waiting[..<packetSamples]))
            waiting.removeFirst(packetSamples)
        }
        return output
    }

    private func packet(_ samples: ArraySlice<Float>) throws(CodecError) -> EncodedFrame {
        func word(_ sample: Float) -> Int16 { Int16(max(-32_768, min(32_767, (sample * 32_768).rounded()))) }
        let payload: Payload
        if let law {
            payload = Payload(count: samples.count) { bytes in
                for (index, sample) in samples.enumerated() { bytes[index] = law.encode(word(sample)) }
            }
        } else {
            payload = try encodeSubbands(samples.map(word))
        }
        let delay = libav == nil ? 0 : TelephonyEncoder.subbandDelay
        let position = packetCount * Int64(packetSamples) - Int64(delay)
        defer { packetCount += 1 }
        return EncodedFrame(
            payload: payload, pts: (queue.start ?? .zero) + MediaTime(samples: position, rate: format.sampleRate),
            duration: .milliseconds(20), isKey: true, skipStart: packetCount == 0 ? delay : 0)
    }

    private func encodeSubbands(_ samples: [Int16]) throws(CodecError) -> Payload {
        guard let libav else { return Payload([]) }
        let frame = libav.frame
        defer { av_frame_unref(frame) }
        frame.pointee.format = AV_SAMPLE_FMT_S16.rawValue
        frame.pointee.sample_rate = 16_000
        frame.pointee.nb_samples = Int32(samples.count)
        av_channel_layout_default(&frame.pointee.ch_layout, 1)
        var result = av_frame_get_buffer(frame, 0)
        if result >= 0, let target = frame.pointee.data.0 {
            samples.withUnsafeBytes {
                UnsafeMutableRawBufferPointer(start: target, count: $0.count).copyMemory(from: $0)
            }
            result = avcodec_send_frame(libav.pointer, frame)
        }
        if result < 0 { throw CodecError(libav: "avcodec_send_frame", result) }
        result = avcodec_receive_packet(libav.pointer, libav.packet)
        if result < 0 { throw CodecError(libav: "avcodec_receive_packet", result) }
        defer { av_packet_unref(libav.packet) }
        return Payload(
            copying: UnsafeRawBufferPointer(
                start: libav.packet.pointee.data, count: Int(libav.packet.pointee.size)))
    }
}
