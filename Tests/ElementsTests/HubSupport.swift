import Core
import Elements
import Media
import TestKit

extension TestSource {
    /// Sends flat pictures of one brightness and a tone by the clock from now on, until `stopSending`, which no media
    /// time may pass.
    func live(
        luma: UInt8?, tone: Double? = nil, level: Double = 0.2, rate: Int = 25, width: Int = 32, height: Int = 24,
        until end: MediaTime = .infinity
    ) {
        if let luma {
            source(.video)?.setForm(.pictures(width: width, height: height, frameRate: Rational(rate, 1)))
            every(MediaTime(1, per: Rational(rate, 1)), until: end) { source in
                let picture = Pictures.flat(
                    width: width, height: height, y: luma, pts: source.context.now,
                    pool: source.context.configuration.pool)
                source.source(.video)?.push(.picture(picture))
            }
        }
        if let tone {
            source(.audio)?.setForm(.sound(channels: 1))
            let samples = Tones.sine(tone, level: level, seconds: 1)
            let begin = context.now
            var index = 0
            every(.milliseconds(20), until: end) { source in
                // 40 ms ahead, as from a decoder; whole tones, so a second repeats without a seam.
                let offset = index % 50 * AudioFrame.blockSamples
                let block = Array(samples[offset..<(offset + AudioFrame.blockSamples)])
                let pts = begin + .milliseconds(40 + 20 * index)
                index += 1
                source.source(.audio)?.push(.sound(AudioFrame(pts: pts, channels: 1, samples: block)))
            }
        }
    }

    func end() { for kind in [MediaKind.audio, .video] { source(kind)?.push(.end(context.now)) } }
}

extension VideoFrame {
    /// Brightness at a place given in fractions.
    func luma(_ x: Double, _ y: Double) -> UInt8 {
        planes.y[min(height - 1, Int(y * Double(height))) * planes.strideY + min(width - 1, Int(x * Double(width)))]
    }
}

extension TestSink {
    /// How loud a tone is in the last second that came.
    func loudness(_ tone: Double) -> Double { Tones.amplitude(of: tone, in: samples().suffix(AudioFrame.sampleRate)) }
}
