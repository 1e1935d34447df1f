package import Core

/// A decoded block of sound: 48 kHz, 32-bit float, interleaved, one or two channels, full scale ±1. Immutable.
///
/// Every decoder resamples and downmixes to this one form, so nothing behind it asks about rates.
package struct AudioFrame: Sendable {
    /// Samples per second of every decoded block.
    package static let sampleRate = 48_000
    /// Samples per channel in a mixer block (20 ms).
    package static let blockSamples = 960

    /// When the first sample is due.
    package var pts: MediaTime
    /// 1 or 2.
    package let channels: Int
    /// Interleaved; `count` is `channels × sampleCount`.
    package let samples: [Float]

    package init(pts: MediaTime, channels: Int, samples: [Float]) {
        precondition(channels == 1 || channels == 2, "decoded sound has one or two channels")
        precondition(samples.count % channels == 0, "samples come in whole groups of channels")
        self.pts = pts
        self.channels = channels
        self.samples = samples
    }

    /// Samples per channel.
    package var sampleCount: Int { samples.count / channels }
    package var duration: MediaTime { MediaTime(samples: Int64(sampleCount), rate: AudioFrame.sampleRate) }
    package var end: MediaTime { pts + duration }
}
