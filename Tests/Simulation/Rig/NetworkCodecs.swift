package import Core
import Codecs
package import Media
import TestKit

/// Pictures without pixels, whose coded size follows the bit rate; real sound with its real jitter buffer.
package final class NetworkCodecs: CodecFactory {
    private let pictures = SyntheticCodecs(followsBitrate: true)
    private let sound = LibraryCodecs()

    package init() {}

    package func videoDecoder(
        _ format: VideoFormat, pool: FramePool, limits: DecoderLimits
    ) throws(CodecError) -> any VideoDecoder { try pictures.videoDecoder(format, pool: pool, limits: limits) }

    package func videoEncoder(_ specification: VideoSpecification) throws(CodecError) -> any VideoEncoder {
        try pictures.videoEncoder(specification)
    }

    package func audioDecoder(_ format: AudioFormat) throws(CodecError) -> any AudioDecoder {
        try sound.audioDecoder(format)
    }

    package func audioEncoder(_ specification: AudioSpecification) throws(CodecError) -> any AudioEncoder {
        try sound.audioEncoder(specification)
    }

    package func soundReceiver(
        _ formats: [UInt8: SoundPayloadFormat], options: SoundReceiverOptions
    ) -> any SoundReceiver { sound.soundReceiver(formats, options: options) }

    package func scale(_ frame: VideoFrame, width: Int, height: Int, pool: FramePool) -> VideoFrame {
        pictures.scale(frame, width: width, height: height, pool: pool)
    }
}

/// Coded sound to be sent over and over: coding it once saves most of a run's time.
package enum SoundLoop {
    static let format = AudioFormat(codec: .opus, sampleRate: 48_000, channels: 2)

    /// A second that is like speech.
    static let packets: [Payload] = code(
        (0..<60 * AudioFrame.blockSamples).map { index in
            let time = Float(index) / 48_000
            let pitch = 140 + 30 * (time * 3).truncatingRemainder(dividingBy: 1)
            return ((time * pitch).truncatingRemainder(dividingBy: 1) - 0.5) * 0.4
        })

    private static func code(_ samples: [Float]) -> [Payload] {
        // As `WebRtcEndpoint` asks for sound of one channel, on a line that loses packets.
        let specification = AudioSpecification(channels: 1, bitrate: 48_000, complexity: 5, fec: true)
        guard let encoder = try? LibraryCodecs().audioEncoder(specification) else { return [] }
        try? encoder.setExpectedLoss(10)
        var packets: [Payload] = []
        for block in 0..<samples.count / AudioFrame.blockSamples {
            let start = block * AudioFrame.blockSamples
            let samples = Array(samples[start..<start + AudioFrame.blockSamples])
            let frame = AudioFrame(pts: .milliseconds(20 * block), channels: 1, samples: samples)
            packets += ((try? encoder.encode(frame)) ?? []).map(\.payload)
        }
        return packets
    }
}
