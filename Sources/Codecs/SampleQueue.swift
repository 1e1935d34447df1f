import Core
import Media

/// Cuts blocks of any length into an encoder's blocks and knows the time of each. Plain value, owned by one encoder.
///
/// A gap of more than 20 ms between what was taken and the next block's time is filled with silence, an overlap of
/// more than 20 ms is cut off the new block; smaller ones count as rounding. A gap of more than a minute does not
/// continue the stream: the caller ends it and starts anew (`mustRestart`), so memory stays bounded.
struct SampleQueue {
    private static let tolerance = Int64(AudioFrame.blockSamples)
    private static let gapMax = Int64(60 * AudioFrame.sampleRate)

    let channels: Int
    /// Samples per channel of one encoder block.
    let block: Int
    /// When the first sample was due; nil before it.
    private(set) var start: MediaTime?
    /// Samples per channel taken since then.
    private(set) var taken: Int64 = 0
    private var samples: [Float] = []
    private var head = 0

    init(channels: Int, block: Int) {
        self.channels = channels
        self.block = block
    }

    func mustRestart(at frame: AudioFrame) -> Bool { gap(before: frame) > Self.gapMax }

    mutating func append(_ frame: AudioFrame) {
        if start == nil { start = frame.pts }
        let gap = gap(before: frame)
        var skipped = 0
        if gap > Self.tolerance {
            appendSilence(Int(gap))
        } else if gap < -Self.tolerance {
            skipped = Int(min(-gap, Int64(frame.sampleCount)))
        }
        switch (frame.channels, channels) {
        case (1, 2): for sample in frame.samples[skipped...] { samples.append(sample); samples.append(sample) }
        case (2, 1):
            for index in skipped..<frame.sampleCount {
                samples.append((frame.samples[2 * index] + frame.samples[2 * index + 1]) / 2)
            }
        default: samples += frame.samples[(skipped * channels)...]
        }
        taken += Int64(frame.sampleCount - skipped)
    }

    mutating func appendSilence(_ count: Int) {
        samples += repeatElement(0, count: count * channels)
        taken += Int64(count)
    }

    /// The next whole block, interleaved; nil where there is not enough.
    mutating func next() -> ArraySlice<Float>? {
        guard samples.count - head >= block * channels else {
            samples.removeFirst(head)
            head = 0
            return nil
        }
        defer { head += block * channels }
        return samples[head..<(head + block * channels)]
    }

    /// Samples between the last one taken and this block; negative for an overlap.
    private func gap(before frame: AudioFrame) -> Int64 {
        guard let start else { return 0 }
        return (frame.pts - start).samples(rate: AudioFrame.sampleRate) - taken
    }
}
