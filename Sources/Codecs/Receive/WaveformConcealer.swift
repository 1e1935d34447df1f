import Core
import Media

/// Goes on with what was heard last where a codec has no concealment of its own: its last period again and again,
/// fading, after the idea of G.711 appendix I; and comfort noise of a given level. Owned by one receiver.
final class WaveformConcealer {
    /// Joints are smoothed over 2.5 ms.
    private static let seam = AudioFrame.sampleRate / 400
    /// 5 ms over which real sound takes over again.
    static let merge = AudioFrame.sampleRate / 200
    /// Full loudness for 10 ms, then down to nothing within 50 ms, or 100 ms where the sound was steady.
    private static let hold = AudioFrame.sampleRate / 100
    private static let (fadeVoice, fadeSteady) = (AudioFrame.sampleRate / 20, AudioFrame.sampleRate / 10)
    private static let steadyLikeness: Float = 0.9

    private var period: [Float] = []
    private var length = 0
    private var made = 0
    private var fade = 0
    private var offset: [Float] = [0, 0]
    private var random = SeededRandom(seed: 48_000)
    private var smoothed: Float = 0
    private(set) var isActive = false

    /// Whether it has faded to silence.
    var isSilent: Bool { isActive && made >= WaveformConcealer.hold + fade }

    init() {}

    /// Learns from the end of `store`: what waits, and the past.
    private func begin(_ store: SampleStore) {
        let channels = store.channels
        let end = store.back
        // The last 10 ms against what came one period earlier, looked at from there.
        let reach = Pitch.window + Pitch.lagMax
        let match = Pitch.reversed(end, channels: channels)
        length = match.lag
        fade =
            match.likeness > WaveformConcealer.steadyLikeness
            ? WaveformConcealer.fadeSteady : WaveformConcealer.fadeVoice
        precondition(reach + WaveformConcealer.seam <= SampleStore.pastCount, "the past is too short for a period")
        period = [Float](UnsafeBufferPointer(start: end - length * channels, count: length * channels))
        let seam = min(WaveformConcealer.seam, length / 4)
        for index in 0..<seam {
            let weight = Float(index + 1) / Float(seam + 1)
            let place = (length - seam + index) * channels
            for channel in 0..<channels {
                let before = end[(index - seam - length) * channels + channel]
                period[place + channel] += (before - period[place + channel]) * weight
            }
        }
        for channel in 0..<channels {
            offset[channel] = end[channel - channels] - end[channel - (length + 1) * channels]
        }
        made = 0
        isActive = true
    }

    /// Gets ready to go on from what the store ends with, for a joint between two decoders.
    func arm(_ store: SampleStore) {
        if !isActive { begin(store) }
    }

    /// Appends `count` samples.
    func conceal(_ count: Int, into store: SampleStore) {
        if !isActive || period.count != length * store.channels { begin(store) }
        let target = store.reserve(count)
        write(count, to: target, channels: store.channels)
        store.commit(count)
    }

    private func write(_ count: Int, to target: UnsafeMutablePointer<Float>, channels: Int) {
        for index in 0..<count {
            let gain = 1 - Float(max(0, made - WaveformConcealer.hold)) / Float(fade)
            let rest = 1 - Float(made) / Float(WaveformConcealer.seam)
            let place = made % length * channels
            for channel in 0..<channels {
                var sample = period[place + channel]
                if rest > 0 { sample += offset[channel] * rest }
                target[index * channels + channel] = gain > 0 ? sample * gain : 0
            }
            made += 1
        }
    }

    /// Lets real sound, the last `count` samples of the store, take over from what was being made up.
    func end(in store: SampleStore, count: Int) {
        guard isActive else { return }
        isActive = false
        let channels = store.channels
        guard period.count == length * channels else { return }
        let span = min(count, WaveformConcealer.merge)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: max(1, span * channels)) { going in
            guard let going = going.baseAddress else { return }
            write(span, to: going, channels: channels)
            let target = store.back - count * channels
            for index in 0..<span {
                let weight = Float(index + 1) / Float(span + 1)
                for place in (index * channels)..<((index + 1) * channels) {
                    target[place] = going[place] + (target[place] - going[place]) * weight
                }
            }
        }
    }

    func reset() { isActive = false }

    /// Appends noise whose level is `attenuation` dB below full scale (RFC 3389), softer towards high frequencies.
    func noise(_ count: Int, attenuation: UInt8, into store: SampleStore) {
        let target = store.reserve(count)
        // A uniform value has a mean square of 1/3, the filter below lets 1/3 of it through.
        let amplitude = 3 * Level.amplitude(attenuation)
        for index in 0..<count {
            let white = Float(Int32(truncatingIfNeeded: random.next() >> 32)) / 2_147_483_648
            smoothed += (white * amplitude - smoothed) * 0.5
            for channel in 0..<store.channels { target[index * store.channels + channel] = smoothed }
        }
        store.commit(count)
    }
}
