package import Core
package import Media

/// The sound that waits for one port of a mixer, handed out in blocks by position. A plain value, owned by the hub.
///
/// Positions count samples of 48 kHz from pipeline time 0. A frame whose time is within 10 ms of where the last one
/// ended follows it without a seam: container times are rounded, sample counts are not. Anything else is placed by
/// its time: a hole becomes silence, an overlap is trimmed. Silence after sound begins with a 2.5 ms slope down
/// from the last sample, and sound after silence with a 2.5 ms slope up, so neither clicks.
package struct AudioQueue: Sendable {
    package enum OverflowPolicy: Hashable, Sendable {
        /// The oldest frames are dropped and counted: live.
        case dropOldest
        /// Nothing; the owner looks at `isFull` and lets its source wait: offline.
        case wait
    }

    /// In samples per channel unless said.
    package struct Statistics: Hashable, Sendable {
        /// Came after their time had been handed out.
        package var late = 0
        /// Dropped because the queue was full.
        package var overflowed = 0
        /// Trimmed because the frame before had covered them.
        package var overlapping = 0
        /// Holes handed out as silence between sounds (times, not samples).
        package var gaps = 0
    }

    fileprivate struct Segment {
        /// Position of the first sample that is left.
        var start: Int64
        /// Samples per channel of `frame` that are passed over.
        var skip: Int
        var frame: AudioFrame
        var count: Int { frame.sampleCount - skip }
        var end: Int64 { start + Int64(count) }
    }

    /// 10 ms.
    static let continuityTolerance: Int64 = 480
    /// 2.5 ms.
    static let fadeSamples = 120

    /// Samples per channel that wait at most.
    package let capacity: Int
    package let overflow: OverflowPolicy
    package private(set) var statistics = Statistics()
    private var segments: [Segment] = []
    /// Where the last frame pushed ended.
    private var pushEnd: Int64?
    /// Where the last block taken ended.
    private var takeEnd = Int64.min
    private var fade = Fade()

    /// `bound` is the media time that may wait.
    package init(bound: MediaTime = .milliseconds(500), overflow: OverflowPolicy = .dropOldest) {
        capacity = max(AudioFrame.blockSamples, Int(bound.samples(rate: AudioFrame.sampleRate)))
        self.overflow = overflow
    }

    /// Sound that waits, holes not counted.
    package var buffered: MediaTime {
        MediaTime(samples: Int64(bufferedSamples), rate: AudioFrame.sampleRate)
    }
    private var bufferedSamples: Int { segments.reduce(0) { $0 + $1.count } }
    package var isFull: Bool { bufferedSamples >= capacity }
    /// Where the last sample pushed ends; `distantPast` before the first.
    package var end: MediaTime {
        pushEnd.map { MediaTime(samples: $0, rate: AudioFrame.sampleRate) } ?? .distantPast
    }

    package mutating func push(_ frame: AudioFrame) {
        guard frame.sampleCount > 0 else { return }
        var start = frame.pts.samples(rate: AudioFrame.sampleRate)
        // Positions beyond some 6000 years come from broken times; adding to them must not overflow.
        guard abs(start.clampedMagnitude) < 1 << 53 else { return statistics.late += frame.sampleCount }
        if let pushEnd, abs(start - pushEnd) <= AudioQueue.continuityTolerance {
            // Unless the hole has been heard already: moving the sound back would lose its beginning.
            if start < pushEnd || pushEnd >= takeEnd { start = pushEnd }
        }
        var segment = Segment(start: start, skip: 0, frame: frame)
        if let pushEnd, start < pushEnd {
            statistics.overlapping += segment.drop(until: pushEnd)
        }
        guard segment.count > 0 else { return }
        pushEnd = segment.end
        statistics.late += segment.drop(until: takeEnd)
        guard segment.count > 0 else { return }
        segments.append(segment)
        guard overflow == .dropOldest else { return }
        var waiting = bufferedSamples
        while waiting > capacity, segments.count > 1 {
            let dropped = segments.removeFirst().count
            waiting -= dropped
            statistics.overflowed += dropped
        }
    }

    /// The block of `samples` samples per channel from `time` on, with that as its `pts`; nil if it is all silence
    /// for want of sound. It has two channels as soon as one frame in it has. What lies before it is given up.
    package mutating func take(from time: MediaTime, samples count: Int = AudioFrame.blockSamples) -> AudioFrame? {
        precondition(count > 0, "a block has at least one sample")
        let start = time.samples(rate: AudioFrame.sampleRate)
        let end = start + Int64(count)
        takeEnd = max(takeEnd, end)
        while let first = segments.first, first.start < start {
            statistics.late += segments[0].drop(until: start)
            guard segments[0].count == 0 else { break }
            segments.removeFirst()
        }
        let isStereo = segments.contains { $0.start < end && $0.frame.channels == 2 } || fade.isFallingApart
        var block = Block(count: count, channels: isStereo ? 2 : 1)
        var hasSound = fade.isFalling
        while block.filled < count {
            let position = start + Int64(block.filled)
            guard let segment = segments.first, segment.start < end else {
                fade.hole(count - block.filled, into: &block)
                break
            }
            if segment.start > position {
                fade.hole(Int(segment.start - position), into: &block)
                continue
            }
            let length = min(segment.count, count - block.filled)
            if fade.sound(segment.frame, from: segment.skip, length, into: &block) { statistics.gaps += 1 }
            hasSound = true
            segments[0].start += Int64(length)
            segments[0].skip += length
            if segments[0].count == 0 { segments.removeFirst() }
        }
        return hasSound ? AudioFrame(pts: time, channels: block.channels, samples: block.samples) : nil
    }

    /// Forgets what waits: the source has gone. What was heard last still slopes down.
    package mutating func clear() {
        segments = []
        pushEnd = nil
    }
}

extension AudioQueue.Segment {
    /// Passes over what lies before `position`; returns how many samples those were.
    fileprivate mutating func drop(until position: Int64) -> Int {
        guard position > start else { return 0 }
        let dropped = position >= end ? count : Int(position - start)
        skip += dropped
        start += Int64(dropped)
        return dropped
    }
}

extension Int64 {
    /// The magnitude, with that of the lowest value brought into range.
    fileprivate var clampedMagnitude: Int64 { self == .min ? .max : abs(self) }
}

/// A block while it is filled from the front.
private struct Block {
    let channels: Int
    var samples: [Float]
    var filled = 0

    init(count: Int, channels: Int) {
        self.channels = channels
        samples = [Float](repeating: 0, count: count * channels)
    }
}

/// The slopes at the edges of sound; goes on across blocks.
private struct Fade {
    private var lastLeft: Float = 0
    private var lastRight: Float = 0
    /// Samples left of the slope down.
    private var falling = 0
    /// Samples left of the slope up.
    private var rising = 0
    private var hasStarted = false
    private var isInHole = false

    var isFalling: Bool { falling > 0 }
    /// Whether the slope down needs two channels.
    var isFallingApart: Bool { isFalling && lastLeft != lastRight }

    /// Writes `count` samples without sound.
    mutating func hole(_ count: Int, into block: inout Block) {
        isInHole = hasStarted
        if hasStarted { rising = AudioQueue.fadeSamples }
        let slope = min(count, falling)
        for index in 0..<slope {
            let gain = Float(falling - index) / Float(AudioQueue.fadeSamples + 1)
            block.write(block.filled + index, lastLeft * gain, lastRight * gain)
        }
        falling -= slope
        block.filled += count
    }

    /// Writes `count` samples of a frame. True if that ends a hole between sounds.
    mutating func sound(_ frame: AudioFrame, from first: Int, _ count: Int, into block: inout Block) -> Bool {
        let endsHole = isInHole
        hasStarted = true
        isInHole = false
        let channels = frame.channels
        if channels == block.channels {
            let source = frame.samples[(first * channels)..<((first + count) * channels)]
            let target = block.filled * channels
            block.samples.replaceSubrange(target..<(target + count * channels), with: source)
        } else {
            // Mono sound in a block that has a stereo part.
            for index in 0..<count {
                let sample = frame.samples[first + index]
                block.write(block.filled + index, sample, sample)
            }
        }
        let slope = min(count, rising)
        for index in 0..<slope {
            let gain = Float(AudioQueue.fadeSamples + 1 - rising + index) / Float(AudioQueue.fadeSamples + 1)
            for channel in 0..<block.channels {
                block.samples[(block.filled + index) * block.channels + channel] *= gain
            }
        }
        rising -= slope
        block.filled += count
        lastLeft = block.samples[(block.filled - 1) * block.channels]
        lastRight = block.samples[block.filled * block.channels - 1]
        falling = AudioQueue.fadeSamples
        return endsHole
    }
}

extension Block {
    fileprivate mutating func write(_ index: Int, _ left: Float, _ right: Float) {
        if channels == 1 {
            samples[index] = left
        } else {
            samples[2 * index] = left
            samples[2 * index + 1] = right
        }
    }
}
