import CFFmpeg
import Core
import Media

/// Decodes the packets of one payload type into a receiver's store. Owned by one receiver.
protocol PacketDecoder: AnyObject {
    /// Samples per channel, at 48 kHz, that a packet yields, known before it is decoded; nil for bytes that are none.
    func duration(of payload: Payload) -> Int?
    /// Channels that a packet yields.
    func channels(of payload: Payload) -> Int
    /// Appends what a packet yields; returns samples per channel.
    func decode(_ payload: Payload, into store: SampleStore) throws(CodecError) -> Int
    /// How many samples right before its own the packet can repair; 0: it carries no redundancy.
    func repairCount(_ payload: Payload) -> Int
    /// Appends the `count` samples before the packet `next`, from its redundancy.
    func repair(before next: Payload, count: Int, into store: SampleStore) throws(CodecError) -> Int
    /// Appends `count` samples (a multiple of 120) that go on as if nothing had been lost; false where the codec has
    /// no such art.
    func conceal(_ count: Int, into store: SampleStore) -> Bool
    /// Whether a packet of this size says that silence follows (discontinuous transmission).
    func isSilence(_ payload: Payload) -> Bool
}

extension PacketDecoder {
    func repairCount(_ payload: Payload) -> Int { 0 }
    func repair(before next: Payload, count: Int, into store: SampleStore) throws(CodecError) -> Int { 0 }
    func conceal(_ count: Int, into store: SampleStore) -> Bool { false }
    func isSilence(_ payload: Payload) -> Bool { false }
}

/// Opus (RFC 7587). Mono until the first stereo packet, so that speech costs half; stereo from then on.
final class OpusPacketDecoder: PacketDecoder {
    /// RFC 6716, 2.1.4: no packet is longer than 120 ms.
    private static let longest = AudioFrame.sampleRate * 120 / 1000
    private var decoder: OpusHandle?
    private var made = 0

    init() {}

    func duration(of payload: Payload) -> Int? { OpusPacket(payload)?.samples }

    func channels(of payload: Payload) -> Int { made == 2 || OpusPacket(payload)?.isStereo == true ? 2 : 1 }

    /// A packet of one or two bytes holds no sound (RFC 7587, 3.1.3).
    func isSilence(_ payload: Payload) -> Bool { payload.count <= 2 }

    func repairCount(_ payload: Payload) -> Int { OpusPacket(payload)?.repairSamples ?? 0 }

    private func handle(_ channels: Int) throws(CodecError) -> OpusHandle {
        if let decoder, made == channels { return decoder }
        let handle = try OpusHandle(OpusHead(AudioFormat(codec: .opus, sampleRate: 48_000, channels: channels)))
        decoder = handle
        made = channels
        return handle
    }

    func decode(_ payload: Payload, into store: SampleStore) throws(CodecError) -> Int {
        try run(payload, count: OpusPacketDecoder.longest, fec: false, into: store)
    }

    func repair(before next: Payload, count: Int, into store: SampleStore) throws(CodecError) -> Int {
        try run(next, count: count, fec: true, into: store)
    }

    private func run(_ payload: Payload, count: Int, fec: Bool, into store: SampleStore) throws(CodecError) -> Int {
        let handle = try handle(store.channels)
        let target = store.reserve(count)
        let result = payload.withUnsafeBytes { handle.decode($0, into: target, count: count, fec: fec) }
        if result < 0 { throw CodecError(opus: "opus_decode_float", result) }
        store.commit(Int(result))
        return Int(result)
    }

    func conceal(_ count: Int, into store: SampleStore) -> Bool {
        guard let decoder, made == store.channels else { return false }
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        let result = decoder.decode(nothing, into: store.reserve(count), count: count, fec: false)
        guard result == count else { return false }
        store.commit(count)
        return true
    }
}

/// G.711 (RFC 3551, 4.5.14): one byte per sample at the format's rate, any number of interleaved channels up to two.
final class G711PacketDecoder: PacketDecoder {
    private let table: [Float]
    private let rate: Int
    private let channelCount: Int
    private let converter: RateConverter
    private var samples: [Float] = []

    init(_ law: G711, rate: Int, channels: Int) {
        table = law.table
        self.rate = rate
        channelCount = channels
        converter = RateConverter(from: rate, to: AudioFrame.sampleRate, channels: channels)
    }

    func duration(of payload: Payload) -> Int? {
        payload.count >= channelCount ? payload.count / channelCount * AudioFrame.sampleRate / rate : nil
    }
    func channels(of payload: Payload) -> Int { channelCount }

    func decode(_ payload: Payload, into store: SampleStore) throws(CodecError) -> Int {
        samples.removeAll(keepingCapacity: true)
        payload.withUnsafeBytes { bytes in
            for byte in bytes.prefix(bytes.count / channelCount * channelCount) { samples.append(table[Int(byte)]) }
        }
        return append(samples, through: converter, to: store)
    }
}

/// Converts to 48 kHz behind what waits in the store.
private func append(_ samples: [Float], through converter: RateConverter, to store: SampleStore) -> Int {
    samples.withUnsafeBufferPointer { samples in
        let target = store.reserve(converter.capacity(for: samples.count / store.channels))
        let made = converter.convert(samples, into: target)
        store.commit(made)
        return made
    }
}

/// What libavcodec decodes packet by packet, such as G.722 and 16-bit linear sound; one or two channels.
final class LibavPacketDecoder: PacketDecoder {
    private let libav: LibavContext
    private let rate: Int
    private let channelCount: Int
    private let converter: RateConverter
    private var samples: [Float] = []

    init(_ format: AudioFormat) throws(CodecError) {
        guard let codec = LibavAudioDecoder.codec(format.codec, sampleLayout: format.sampleLayout),
            (1...2).contains(format.channels), (1000...192_000).contains(format.sampleRate)
        else {
            throw CodecError(
                call: "avcodec_find_decoder", code: -1,
                text: "there is no decoder for packets of \(format.codec.rawValue) with \(format.channels) channels "
                    + "at \(format.sampleRate) Hz")
        }
        libav = LibavContext(codec)
        libav.pointer.pointee.sample_rate = Int32(format.sampleRate)
        av_channel_layout_default(&libav.pointer.pointee.ch_layout, Int32(format.channels))
        libav.setConfiguration(format.configuration)
        try libav.open()
        rate = format.sampleRate
        channelCount = format.channels
        converter = RateConverter(from: rate, to: AudioFrame.sampleRate, channels: format.channels)
    }

    func duration(of payload: Payload) -> Int? {
        let count = av_get_audio_frame_duration(libav.pointer, Int32(clamping: payload.count))
        return count > 0 ? Int(count) * AudioFrame.sampleRate / rate : nil
    }
    func channels(of payload: Payload) -> Int { channelCount }

    func decode(_ payload: Payload, into store: SampleStore) throws(CodecError) -> Int {
        samples.removeAll(keepingCapacity: true)
        try libav.decode(EncodedFrame(payload: payload, pts: .zero, isKey: true), payload: payload) {
            frame throws(CodecError) in
            if frame.pointee.sample_rate == Int32(rate), frame.pointee.ch_layout.nb_channels == Int32(channelCount) {
                take(frame)
            }
        }
        return append(samples, through: converter, to: store)
    }

    /// Interleaved float out of the layouts that the codecs here have.
    private func take(_ frame: UnsafeMutablePointer<AVFrame>) {
        let count = Int(frame.pointee.nb_samples)
        let isPlanar = av_sample_fmt_is_planar(AVSampleFormat(frame.pointee.format)) != 0 && channelCount > 1
        let packed = av_get_packed_sample_fmt(AVSampleFormat(frame.pointee.format))
        for index in 0..<(count * channelCount) {
            let plane = isPlanar ? frame.pointee.extended_data[index % channelCount] : frame.pointee.extended_data[0]
            let place = isPlanar ? index / channelCount : index
            guard let bytes = UnsafeRawPointer(plane) else { return }
            switch packed {
            case AV_SAMPLE_FMT_S16:
                samples.append(Float(bytes.load(fromByteOffset: 2 * place, as: Int16.self)) / 32_768)
            case AV_SAMPLE_FMT_FLT:
                let sample = bytes.load(fromByteOffset: 4 * place, as: Float.self)
                samples.append(sample.magnitude < 1000 ? sample : 0)
            default: samples.append(0)
            }
        }
    }
}
