package import Core
package import Media

/// Coded frames without pixels: a payload says who it is and which frame it needs, and is as large as asked for. It
/// begins as a VP8 frame does (RFC 6386, section 9.1), so that it can go over RTP.
package enum SyntheticFrame {
    /// The first byte of VP8: its lowest bit is clear in key frames alone.
    private enum Kind: UInt8 { case key = 0x10, delta = 0x11, broken = 0x51 }
    private static let counterOffset = 10
    private static let referenceOffset = 18
    private static let headerBytes = 26

    /// A coded picture that shows `counter` and, unless it is a key frame, needs the picture `reference`.
    package static func picture(
        _ counter: Int, needs reference: Int? = nil, isBroken: Bool = false, size: Int = 100, pts: MediaTime,
        dts: MediaTime? = nil, duration: MediaTime = .zero
    ) -> EncodedFrame {
        let kind: Kind = isBroken ? .broken : reference == nil ? .key : .delta
        return EncodedFrame(
            payload: payload(kind, counter, reference ?? 0, size), pts: pts, dts: dts, duration: duration,
            isKey: reference == nil)
    }

    /// 20 ms of coded sound of one constant sample value, `level` thousandths of full scale.
    package static func sound(level: Int, isBroken: Bool = false, size: Int = 40, pts: MediaTime) -> EncodedFrame {
        EncodedFrame(
            payload: payload(isBroken ? .broken : .key, level, 0, size), pts: pts, duration: .milliseconds(20),
            isKey: true)
    }

    /// The counter, or the level, that a frame carries; nil for bytes of another making.
    package static func counter(of frame: EncodedFrame) -> Int? { parse(frame)?.counter }

    private static func payload(_ kind: Kind, _ counter: Int, _ reference: Int, _ size: Int) -> Payload {
        Payload(count: max(size, headerBytes)) { out in
            out[0] = kind.rawValue
            // Three bytes of tag, the start code, then 16 × 16 pixels.
            for (offset, byte) in ([0x9D, 0x01, 0x2A, 16, 0, 16, 0] as [UInt8]).enumerated() { out[3 + offset] = byte }
            out.storeBytes(of: Int64(counter).littleEndian, toByteOffset: counterOffset, as: Int64.self)
            out.storeBytes(of: Int64(reference).littleEndian, toByteOffset: referenceOffset, as: Int64.self)
        }
    }

    fileprivate static func parse(_ frame: EncodedFrame) -> (counter: Int, reference: Int?, isBroken: Bool)? {
        frame.payload.withUnsafeBytes { bytes in
            guard bytes.count >= headerBytes, let kind = Kind(rawValue: bytes[0]) else { return nil }
            let counter = Int(Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: counterOffset, as: Int64.self)))
            let reference = Int(
                Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: referenceOffset, as: Int64.self)))
            return (counter, kind == .delta ? reference : nil, kind == .broken)
        }
    }
}

extension VideoFrame {
    /// A picture of any size that shows a counter: its first eight bytes of luma.
    package convenience init(counter: Int, width: Int = 16, height: Int = 16, pts: MediaTime, pool: FramePool) {
        self.init(width: width, height: height, pts: pts, pool: pool) { planes in
            planes.y.update(repeating: 16, count: planes.strideY * height)
            planes.u.update(repeating: 128, count: planes.strideUV * planes.chromaHeight)
            planes.v.update(repeating: 128, count: planes.strideUV * planes.chromaHeight)
            for byte in 0..<8 { planes.y[byte] = UInt8(truncatingIfNeeded: counter >> (8 * byte)) }
        }
    }

    /// The counter that a synthetic picture at least eight pixels wide shows.
    package var counter: Int { (0..<8).reduce(0) { $0 | Int(planes.y[$1]) << (8 * $1) } }
}

/// How many codecs of a kind were made, live now, and lived at one time at most.
package final class Tally: Sendable {
    package struct Figures: Hashable, Sendable {
        package var made: Int, living: Int, peak: Int
        package init(made: Int = 0, living: Int = 0, peak: Int = 0) {
            self.made = made
            self.living = living
            self.peak = peak
        }
    }
    private let state = Lock(Figures())
    package init() {}
    fileprivate func enter() {
        state.withLock {
            $0.made += 1
            $0.living += 1
            $0.peak = max($0.peak, $0.living)
        }
    }
    fileprivate func leave() { state.withLock { $0.living -= 1 } }
    package var figures: Figures { state.withLock { $0 } }
}

/// Codecs that take no time, so that what is around them can be tested alone. They keep count of themselves, check
/// that every picture they decode has what it needs, reorder on request and fail on request.
package final class SyntheticCodecs: CodecFactory {
    package let videoDecoders = Tally(), audioDecoders = Tally(), videoEncoders = Tally(), audioEncoders = Tally()
    /// Video codecs that nothing can be made for.
    private let refused: Set<VideoCodec>
    private let followsBitrate: Bool

    /// `followsBitrate`, for tests of networks: coded pictures are as large as their specification's bit rate makes
    /// them, and scaling leaves them small.
    package init(refusing refused: Set<VideoCodec> = [], followsBitrate: Bool = false) {
        self.refused = refused
        self.followsBitrate = followsBitrate
    }

    /// The format of synthetic pictures. Pictures that come out of order are put in order by a decoder that holds
    /// `reorderDepth` back; only H.264 and H.265 may.
    package static func videoFormat(_ codec: VideoCodec = .vp8, reorderDepth: Int = 0) -> VideoFormat {
        VideoFormat(
            codec: codec, width: 16, height: 16, frameRate: Rational(30, 1),
            configuration: reorderDepth == 0 ? [] : [UInt8(reorderDepth)])
    }

    package func videoDecoder(
        _ format: VideoFormat, pool: FramePool, limits: DecoderLimits
    ) throws(CodecError) -> any VideoDecoder {
        try check(format.codec)
        return SyntheticVideoDecoder(
            depth: Int(format.configuration.first ?? 0), width: format.width, height: format.height, pool: pool,
            tally: videoDecoders)
    }

    package func audioDecoder(_ format: AudioFormat) throws(CodecError) -> any AudioDecoder {
        SyntheticAudioDecoder(channels: min(2, format.channels), tally: audioDecoders)
    }

    package func videoEncoder(_ specification: VideoSpecification) throws(CodecError) -> any VideoEncoder {
        try check(specification.codec)
        return SyntheticVideoEncoder(specification, followsBitrate: followsBitrate, tally: videoEncoders)
    }

    package func audioEncoder(_ specification: AudioSpecification) throws(CodecError) -> any AudioEncoder {
        SyntheticAudioEncoder(specification, tally: audioEncoders)
    }

    package func soundReceiver(
        _ formats: [UInt8: SoundPayloadFormat], options: SoundReceiverOptions
    ) -> any SoundReceiver {
        SyntheticSoundReceiver()
    }

    package func scale(_ frame: VideoFrame, width: Int, height: Int, pool: FramePool) -> VideoFrame {
        if followsBitrate { return frame }
        return VideoFrame(counter: frame.counter, width: width, height: height, pts: frame.pts, pool: pool)
    }

    private func check(_ codec: VideoCodec) throws(CodecError) {
        if refused.contains(codec) { throw CodecError(call: "synthetic", code: -7, text: "\(codec.rawValue) refused") }
    }
}

private final class SyntheticVideoDecoder: VideoDecoder {
    private let depth: Int
    private let size: (width: Int, height: Int)
    private let pool: FramePool
    private let tally: Tally
    private var known: Set<Int> = []
    private var held: [VideoFrame] = []

    init(depth: Int, width: Int, height: Int, pool: FramePool, tally: Tally) {
        self.depth = depth
        size = (max(8, width), max(1, height))
        self.pool = pool
        self.tally = tally
        tally.enter()
    }
    deinit { tally.leave() }

    func decode(_ frame: EncodedFrame) throws(CodecError) -> [VideoFrame] {
        guard let parsed = SyntheticFrame.parse(frame), !parsed.isBroken else {
            throw CodecError(call: "synthetic decode", code: -1, text: "broken frame")
        }
        if let reference = parsed.reference {
            guard known.contains(reference) else {
                throw CodecError(call: "synthetic decode", code: -2, text: "a picture it needs is missing")
            }
        } else {
            known = []
        }
        known.insert(parsed.counter)
        let picture = VideoFrame(
            counter: parsed.counter, width: size.width, height: size.height, pts: frame.pts, pool: pool)
        held.insert(picture, at: held.firstIndex { $0.pts > frame.pts } ?? held.count)
        guard held.count > depth else { return [] }
        return [held.removeFirst()]
    }

    func flush() throws(CodecError) -> [VideoFrame] {
        defer { held = [] }
        known = []
        return held
    }
}

private final class SyntheticVideoEncoder: VideoEncoder {
    let format: VideoFormat
    private let interval: MediaTime?
    private let tally: Tally
    private let followsBitrate: Bool
    private var bitrate: Int
    private var lastKey: MediaTime?
    private var previous = 0
    private var random = SeededRandom(seed: 1)
    /// Key frames are about so many times as large as others.
    private static let keyFactor = 4.0

    init(_ specification: VideoSpecification, followsBitrate: Bool, tally: Tally) {
        self.followsBitrate = followsBitrate
        bitrate = specification.bitrate
        format = VideoFormat(
            codec: specification.codec, width: specification.width ?? 0, height: specification.height ?? 0,
            frameRate: specification.frameRate)
        interval = specification.keyFrameInterval.map { .seconds($0) }
        self.tally = tally
        tally.enter()
    }
    deinit { tally.leave() }

    func encode(_ frame: VideoFrame, forceKeyFrame: Bool) throws(CodecError) -> [EncodedFrame] {
        let counter = frame.counter
        let isDue = lastKey.map { last in interval.map { frame.pts - last >= $0 } ?? false } ?? true
        let isKey = forceKeyFrame || isDue
        if isKey { lastKey = frame.pts }
        defer { previous = counter }
        return [SyntheticFrame.picture(counter, needs: isKey ? nil : previous, size: size(isKey), pts: frame.pts)]
    }
    func flush() throws(CodecError) -> [EncodedFrame] { [] }
    func setBitrate(_ bitrate: Int) throws(CodecError) { self.bitrate = bitrate }

    private func size(_ isKey: Bool) -> Int {
        guard followsBitrate else { return 100 }
        let mean = Double(bitrate) / 8 / (format.frameRate?.value ?? 30)
        return Int(mean * (isKey ? Self.keyFactor : Double.random(in: 0.7..<1.3, using: &random)))
    }
}

private final class SyntheticAudioDecoder: AudioDecoder {
    private let channels: Int
    private let tally: Tally
    init(channels: Int, tally: Tally) {
        self.channels = channels
        self.tally = tally
        tally.enter()
    }
    deinit { tally.leave() }

    func decode(_ frame: EncodedFrame) throws(CodecError) -> [AudioFrame] {
        guard let parsed = SyntheticFrame.parse(frame), !parsed.isBroken else {
            throw CodecError(call: "synthetic decode", code: -1, text: "broken frame")
        }
        let samples = [Float](repeating: Float(parsed.counter) / 1000, count: AudioFrame.blockSamples * channels)
        return [AudioFrame(pts: frame.pts, channels: channels, samples: samples)]
    }
    func flush() throws(CodecError) -> [AudioFrame] { [] }
}

private final class SyntheticAudioEncoder: AudioEncoder {
    let format: AudioFormat
    private let tally: Tally
    init(_ specification: AudioSpecification, tally: Tally) {
        format = AudioFormat(codec: specification.codec, sampleRate: 48_000, channels: specification.channels)
        self.tally = tally
        tally.enter()
    }
    deinit { tally.leave() }

    func encode(_ frame: AudioFrame) throws(CodecError) -> [EncodedFrame] {
        [SyntheticFrame.sound(level: Int(((frame.samples.first ?? 0) * 1000).rounded()), pts: frame.pts)]
    }
    func flush() throws(CodecError) -> [EncodedFrame] { [] }
    func setBitrate(_ bitrate: Int) throws(CodecError) {}
}

/// Gives out the packets it was given, one per block, in the order they came; silence where none is there.
private final class SyntheticSoundReceiver: SoundReceiver {
    private var waiting = Deque<SoundPacket>()
    private var given: Int64 = 0
    var extraDelay = MediaTime.zero
    var report = SoundReport()

    func setFormats(_ formats: [UInt8: SoundPayloadFormat]) {}

    func insert(_ packet: SoundPacket) {
        report.statistics.packetsReceived += 1
        waiting.append(packet)
    }

    func pull(at now: Instant) -> AudioFrame {
        let packet = waiting.popFirst()
        let frame = packet.map { EncodedFrame(payload: $0.payload, pts: .zero, isKey: true) }
        let level = Float(frame.flatMap(SyntheticFrame.counter) ?? 0) / 1000
        if let packet {
            report.playout = SoundPlayout(timestamp: packet.timestamp, payloadType: packet.payloadType, at: now)
        } else {
            report.statistics.concealedSamples += AudioFrame.blockSamples
        }
        defer { given += Int64(AudioFrame.blockSamples) }
        return AudioFrame(
            pts: MediaTime(samples: given, rate: AudioFrame.sampleRate), channels: 1,
            samples: [Float](repeating: level, count: AudioFrame.blockSamples))
    }
}
