package import Core

/// A library refused a call. `call` is the library's function, `code` its return value, `text` its own words.
package struct CodecError: Error, Hashable, Sendable, CustomStringConvertible {
    package let call: String
    package let code: Int
    package let text: String
    package init(call: String, code: Int, text: String) {
        self.call = call
        self.code = code
        self.text = text
    }
    package var description: String { "\(text) (\(call): \(code))" }
}

/// What decoders accept at most; beyond it they refuse with a clear error instead of taking the machine's memory.
package struct DecoderLimits: Hashable, Sendable {
    /// Pixels on the longer side of a picture.
    package var sideMax = 8192
    /// Pixels of a picture altogether.
    package var pixelsMax = 8192 * 4320
    package init() {}
}

/// Decodes one video track. Owned by one stage; not thread-safe.
package protocol VideoDecoder: AnyObject {
    /// Decodes one access unit; returns the pictures that became ready, in presentation order, turned upright.
    /// A throw means this frame is lost; the decoder goes on with the next.
    func decode(_ frame: EncodedFrame) throws(CodecError) -> [VideoFrame]
    /// The pictures still held back, at the end of the stream; afterwards the decoder starts anew at a key frame.
    func flush() throws(CodecError) -> [VideoFrame]
}

/// Which 16×16 blocks of a picture differ from the picture before it. Row by row, `columns` × `rows`, 1 = changed.
package struct ChangeMap: Hashable, Sendable {
    package let columns: Int
    package let rows: Int
    package var blocks: [UInt8]
    /// All blocks changed.
    package init(width: Int, height: Int) {
        columns = (width + 15) / 16
        rows = (height + 15) / 16
        blocks = [UInt8](repeating: 1, count: columns * rows)
    }
    package var isUnchanged: Bool { !blocks.contains(1) }
}

/// Encodes one video rendition. Owned by one stage; not thread-safe.
package protocol VideoEncoder: AnyObject {
    /// What the encoder emits; may be filled in more (extradata) after the first frame is out.
    var format: VideoFormat { get }
    /// Encodes a picture of exactly the size of the specification, using `frame.changes` if it continues the last
    /// picture encoded. Returns the coded frames that became ready, in decoding order; none where the picture was
    /// unchanged and is skipped.
    func encode(_ frame: VideoFrame, forceKeyFrame: Bool) throws(CodecError) -> [EncodedFrame]
    /// The frames still held back, at the end of the stream.
    func flush() throws(CodecError) -> [EncodedFrame]
    /// Changes the target from the next frame on, in bits per second.
    func setBitrate(_ bitrate: Int) throws(CodecError)
}

/// Decodes one audio track to 48 kHz float. Owned by one stage; not thread-safe.
package protocol AudioDecoder: AnyObject {
    /// Decodes one packet. Output blocks follow each other without gap or overlap as long as the track's time stamps
    /// agree with its sample count to within 10 ms; a larger jump starts anew at the new time.
    func decode(_ frame: EncodedFrame) throws(CodecError) -> [AudioFrame]
    /// What is still held back, at the end of the stream.
    func flush() throws(CodecError) -> [AudioFrame]
}

/// Encodes one audio rendition from 48 kHz float. Owned by one stage; not thread-safe.
package protocol AudioEncoder: AnyObject {
    var format: AudioFormat { get }
    /// Takes blocks of any length; a gap in their times of more than a block is filled with silence.
    func encode(_ frame: AudioFrame) throws(CodecError) -> [EncodedFrame]
    /// The last block, padded with silence, its padding in `skipEnd`.
    func flush() throws(CodecError) -> [EncodedFrame]
    func setBitrate(_ bitrate: Int) throws(CodecError)
    /// How many of 100 packets the line loses, from the next block on: redundancy is spent where they do. Codecs without
    /// any leave it aside.
    func setExpectedLoss(_ percent: Int) throws(CodecError)
}

extension AudioEncoder {
    package func setExpectedLoss(_ percent: Int) throws(CodecError) {}
}

/// A distinct result of encoding video. Equal specifications of one source share one encoder.
package struct VideoSpecification: Hashable, Sendable {
    package var codec: VideoCodec
    /// Pixels; nil: as the source is.
    package var width: Int?
    package var height: Int?
    /// Frames per second at most; nil: as the source is.
    package var frameRate: Rational?
    /// Bits per second.
    package var bitrate: Int
    /// Seconds between key frames at most; nil: only on request (the codec's first frame is one).
    package var keyFrameInterval: Double?
    /// H.264: only what every decoder of the Constrained Baseline profile takes.
    package var isBaseline = false
    package init(
        codec: VideoCodec, width: Int? = nil, height: Int? = nil, frameRate: Rational? = nil,
        bitrate: Int = 1_500_000, keyFrameInterval: Double? = nil
    ) {
        self.codec = codec
        self.width = width
        self.height = height
        self.frameRate = frameRate
        self.bitrate = bitrate
        self.keyFrameInterval = keyFrameInterval
    }
}

extension VideoSpecification {
    /// Bits per pixel and picture at 1280×720 and 30 fps with 1.5 Mbit/s; smaller pictures need more.
    private static let bitsPerPixel = 0.054
    /// No picture is worth looking at with less.
    private static let bitrateLeast = 100_000

    /// Bits per second at which pictures of that size look well for a conference: 1500, 500 and 165 kbit/s at 720p,
    /// half and quarter of it, so a third for a quarter of the pixels. 0 × 0 stands for a size not known yet.
    package static func usualBitrate(width: Int, height: Int, frameRate: Rational) -> Int {
        let pixels = Double(width > 0 && height > 0 ? width * height : 640 * 360)
        let density = bitsPerPixel * (921_600 / max(pixels, 1)).squareRoot().squareRoot()
        return max(bitrateLeast, Int(pixels * frameRate.value * density) / 10_000 * 10_000)
    }
}

/// A distinct result of encoding sound.
package struct AudioSpecification: Hashable, Sendable {
    package var codec: AudioCodec
    /// 1 or 2.
    package var channels: Int
    /// Bits per second.
    package var bitrate: Int
    /// Opus 0–10.
    package var complexity: Int
    /// In-band forward error correction (Opus), where listeners report losses.
    package var fec: Bool
    /// Discontinuous transmission (Opus).
    package var dtx: Bool
    package init(
        codec: AudioCodec = .opus, channels: Int = 2, bitrate: Int = 96_000, complexity: Int = 9, fec: Bool = false,
        dtx: Bool = false
    ) {
        self.codec = codec
        self.channels = channels
        self.bitrate = bitrate
        self.complexity = complexity
        self.fec = fec
        self.dtx = dtx
    }
}

/// Makes codecs. `Codecs.LibraryCodecs` makes the real ones, TestKit synthetic ones.
package protocol CodecFactory: Sendable {
    func videoDecoder(
        _ format: VideoFormat, pool: FramePool, limits: DecoderLimits
    ) throws(CodecError) -> any VideoDecoder
    func audioDecoder(_ format: AudioFormat) throws(CodecError) -> any AudioDecoder
    /// `specification` has width, height and frame rate filled in by the caller.
    func videoEncoder(_ specification: VideoSpecification) throws(CodecError) -> any VideoEncoder
    func audioEncoder(_ specification: AudioSpecification) throws(CodecError) -> any AudioEncoder
    /// What makes continuous sound of packets from a network.
    func soundReceiver(
        _ formats: [UInt8: SoundPayloadFormat], options: SoundReceiverOptions
    ) -> any SoundReceiver
    /// A picture scaled to another size (stretched to it), for renditions smaller than their source.
    func scale(_ frame: VideoFrame, width: Int, height: Int, pool: FramePool) -> VideoFrame
}

extension VideoSpecification: CustomStringConvertible {
    /// Without the codec: `1280×720 30 fps 1500 kbit/s`.
    package var description: String {
        var text = ""
        if let width, let height { text += "\(width)×\(height) " }
        if let frameRate { text += "\(frameRate) fps " }
        return text + "\(bitrate / 1000) kbit/s"
    }
}

extension AudioSpecification: CustomStringConvertible {
    /// Without the codec: `2 ch 96 kbit/s`.
    package var description: String { "\(channels) ch \(bitrate / 1000) kbit/s" }
}
