import CFFmpeg
package import Core
package import Media

/// Encodes AAC (for MP4) and 16-bit PCM through libavcodec. Owned by one stage.
///
/// Times are as with `OpusEncoder`: an encoder's priming samples lie before the input's first sample, are dropped
/// by the first frame's `skipStart`, and the last frame's padding by its `skipEnd`.
package final class LibavAudioEncoder: AudioEncoder {
    package let format: AudioFormat
    private let specification: AudioSpecification
    private var libav: LibavContext
    private var queue: SampleQueue
    private let block: Int
    /// Samples a decoder yields before the first one given.
    private let priming: Int
    private var blockCount: Int64 = 0
    private var packetCount: Int64 = 0

    package init(_ specification: AudioSpecification) throws(CodecError) {
        self.specification = specification
        libav = try Self.open(specification)
        let context = libav.pointer.pointee
        block = context.frame_size > 0 ? Int(context.frame_size) : AudioFrame.blockSamples
        priming = Int(context.initial_padding)
        queue = SampleQueue(channels: specification.channels, block: block)
        format = AudioFormat(
            codec: specification.codec, sampleRate: AudioFrame.sampleRate, channels: specification.channels,
            configuration: libav.configuration, sampleLayout: specification.codec == .pcm ? "pcm_s16le" : nil)
    }

    static func codec(_ codec: AudioCodec) -> UnsafePointer<AVCodec>? {
        switch codec {
        case .aac: avcodec_find_encoder_by_name("aac")
        case .pcm: avcodec_find_encoder_by_name("pcm_s16le")
        default: nil
        }
    }

    private static func open(_ specification: AudioSpecification) throws(CodecError) -> LibavContext {
        guard let codec = codec(specification.codec) else {
            throw CodecError(
                call: "avcodec_find_encoder", code: -1, text: "there is no encoder for \(specification.codec.rawValue)")
        }
        let libav = LibavContext(codec)
        let context = libav.pointer
        context.pointee.sample_rate = Int32(AudioFrame.sampleRate)
        context.pointee.sample_fmt = specification.codec == .pcm ? AV_SAMPLE_FMT_S16 : AV_SAMPLE_FMT_FLTP
        context.pointee.bit_rate = Int64(max(8000, specification.bitrate))
        context.pointee.time_base = AVRational(num: 1, den: Int32(AudioFrame.sampleRate))
        context.pointee.flags |= AV_CODEC_FLAG_GLOBAL_HEADER
        av_channel_layout_default(&context.pointee.ch_layout, Int32(specification.channels))
        try libav.open()
        return libav
    }

    package func encode(_ frame: AudioFrame) throws(CodecError) -> [EncodedFrame] {
        var output = queue.mustRestart(at: frame) ? try flush() : []
        queue.append(frame)
        output += try drain()
        return output
    }

    package func flush() throws(CodecError) -> [EncodedFrame] {
        guard queue.start != nil else { return [] }
        let given = queue.taken
        queue.appendSilence((block - Int(given % Int64(block))) % block)
        var output = try drain()
        let result = avcodec_send_frame(libav.pointer, nil)
        if result < 0 { throw CodecError(libav: "avcodec_send_frame", result) }
        output += try receive()
        let surplus = packetCount * Int64(block) - Int64(priming) - given
        if surplus > 0, var last = output.popLast() {
            last.skipEnd = Int(surplus)
            output.append(last)
        }
        // Not every encoder can be flushed for another stream; a new one is cheap.
        libav = try Self.open(specification)
        queue = SampleQueue(channels: format.channels, block: block)
        (blockCount, packetCount) = (0, 0)
        return output
    }

    /// Heeded by AAC from the next block on; PCM has the rate it has.
    package func setBitrate(_ bitrate: Int) throws(CodecError) {
        libav.pointer.pointee.bit_rate = Int64(max(8000, bitrate))
    }

    private func drain() throws(CodecError) -> [EncodedFrame] {
        var output: [EncodedFrame] = []
        while let samples = queue.next() {
            try send(samples)
            output += try receive()
        }
        return output
    }

    private func send(_ samples: ArraySlice<Float>) throws(CodecError) {
        let frame = libav.frame
        defer { av_frame_unref(frame) }
        frame.pointee.format = libav.pointer.pointee.sample_fmt.rawValue
        frame.pointee.sample_rate = Int32(AudioFrame.sampleRate)
        frame.pointee.nb_samples = Int32(block)
        frame.pointee.pts = blockCount * Int64(block)
        av_channel_layout_default(&frame.pointee.ch_layout, Int32(format.channels))
        var result = av_frame_get_buffer(frame, 0)
        if result >= 0 {
            fill(frame, samples)
            blockCount += 1
            result = avcodec_send_frame(libav.pointer, frame)
        }
        if result < 0 { throw CodecError(libav: "avcodec_send_frame", result) }
    }

    private func fill(_ frame: UnsafeMutablePointer<AVFrame>, _ samples: ArraySlice<Float>) {
        let channels = format.channels
        samples.withUnsafeBufferPointer { samples in
            if libav.pointer.pointee.sample_fmt == AV_SAMPLE_FMT_S16 {
                guard let data = frame.pointee.data.0 else { return }
                let target = UnsafeMutableRawPointer(data).assumingMemoryBound(to: Int16.self)
                for index in samples.indices {
                    target[index] = Int16(max(-32_768, min(32_767, (samples[index] * 32_768).rounded())))
                }
                return
            }
            for (channel, plane) in [frame.pointee.data.0, frame.pointee.data.1].prefix(channels).enumerated() {
                guard let plane else { continue }
                let target = UnsafeMutableRawPointer(plane).assumingMemoryBound(to: Float.self)
                for index in 0..<block { target[index] = samples[index * channels + channel] }
            }
        }
    }

    private func receive() throws(CodecError) -> [EncodedFrame] {
        var output: [EncodedFrame] = []
        while true {
            let result = avcodec_receive_packet(libav.pointer, libav.packet)
            if result == cffmpeg_error_again || result == cffmpeg_error_end { return output }
            if result < 0 { throw CodecError(libav: "avcodec_receive_packet", result) }
            defer { av_packet_unref(libav.packet) }
            let bytes = UnsafeRawBufferPointer(start: libav.packet.pointee.data, count: Int(libav.packet.pointee.size))
            let position = packetCount * Int64(block) - Int64(priming)
            output.append(
                EncodedFrame(
                    payload: Payload(copying: bytes),
                    pts: (queue.start ?? .zero) + MediaTime(samples: position, rate: AudioFrame.sampleRate),
                    duration: MediaTime(samples: Int64(block), rate: AudioFrame.sampleRate), isKey: true,
                    skipStart: packetCount == 0 ? priming : 0))
            packetCount += 1
        }
    }
}
