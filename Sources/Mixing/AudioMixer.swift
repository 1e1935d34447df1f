package import Core
package import Media

/// What one port sends into a mix. A plain value.
package struct MixerInput: Sendable {
    package var port: Int
    /// A block of the mix's length; nil: nothing to be heard.
    package var block: AudioFrame?
    /// Factor; a change is spread over one block.
    package var gain: Float
    package var isMuted: Bool
    package init(port: Int, block: AudioFrame?, gain: Float = 1, isMuted: Bool = false) {
        self.port = port
        self.block = block
        self.gain = gain
        self.isMuted = isMuted
    }
}

/// Whom an output hears.
package enum Hearing: Hashable, Sendable {
    case everyone
    /// Mix-minus: all but the input of this port.
    case everyoneBut(Int)
    case only([Int])
}

/// One tick's result.
package struct Mix: Sendable {
    /// Distinct results: outputs that would be equal are one.
    package let blocks: [AudioFrame]
    /// For each output asked for, in that order, its place in `blocks`.
    package let outputs: [Int]
    /// For each input, in that order, its level before gain and mute.
    package let levels: [AudioLevel]
}

/// Mixes blocks of sound: float sums, mix-minus by subtraction, gain and mute per input, a limiter per distinct
/// output. A plain value, owned by one hub; what it returns depends on its arguments and those before alone.
///
/// The sum of everybody is made once, so n inputs with n mix-minus outputs cost 2n passes, and all who contribute
/// nothing share one block. An own signal is taken out of the sum before any limiting, as the very product that went
/// in: what stays of it is the rounding of the sum, below −130 dB of the loudest sum.
package struct AudioMixer: Sendable {
    private struct Port {
        var gain: Float
        var voice = VoiceDetector()
        var lastUse: UInt64 = 0
    }
    /// One input as it enters the sums.
    private struct Contribution {
        var frame: AudioFrame
        var gainBefore: Float
        var gain: Float
    }

    /// Channels of every output, 1 or 2. Mono inputs sound on both; stereo ones are averaged into one.
    package let channels: Int
    /// Input blocks left out because they held something that is not a number, or absurdly large.
    package private(set) var brokenBlocks = 0
    private var ports: [Int: Port] = [:]
    private var limiters: [Hearing: Limiter] = [:]
    private var ticks: UInt64 = 0

    package init(channels: Int = 2) {
        precondition(channels == 1 || channels == 2, "a mix has one or two channels")
        self.channels = channels
    }

    /// Mixes one block of `samples` samples per channel, due at `pts`. Each port sends at most one input.
    package mutating func mix(
        at pts: MediaTime, _ inputs: [MixerInput], outputs: [Hearing], samples count: Int = AudioFrame.blockSamples
    ) -> Mix {
        ticks += 1
        var contributions: [Contribution?] = []
        contributions.reserveCapacity(inputs.count)
        var levels: [AudioLevel] = []
        levels.reserveCapacity(inputs.count)
        var places: [Int: Int] = Dictionary(minimumCapacity: inputs.count)
        for (place, input) in inputs.enumerated() {
            let (contribution, level) = receive(input, count)
            contributions.append(contribution)
            levels.append(level)
            if contribution != nil {
                precondition(places.updateValue(place, forKey: input.port) == nil, "one input per port")
            }
        }
        if ports.count > inputs.count { ports = ports.filter { $0.value.lastUse == ticks } }

        let (blocks, order) = distinct(outputs, places, contributions, count)
        return Mix(
            blocks: blocks.map { AudioFrame(pts: pts, channels: channels, samples: $0) }, outputs: order,
            levels: levels)
    }

    /// Measures an input and moves its fader; the contribution is nil where nothing of it is to be heard.
    private mutating func receive(_ input: MixerInput, _ count: Int) -> (Contribution?, AudioLevel) {
        let target = input.isMuted || !input.gain.isFinite ? 0 : input.gain
        var port = ports[input.port] ?? Port(gain: target)
        port.lastUse = ticks
        let before = port.gain
        port.gain = target
        defer { ports[input.port] = port }
        guard let frame = input.block else {
            _ = port.voice.isVoice(rms: AudioLevel.silence.rms)
            return (nil, .silence)
        }
        precondition(frame.sampleCount == count, "every block of a mix has the same length")
        let (meanSquare, peak) = frame.samples.withUnsafeBufferPointer(Samples.measure)
        guard meanSquare.isFinite else {
            brokenBlocks += 1
            return (nil, .silence)
        }
        let rms = AudioLevel.level(meanSquare.squareRoot())
        let level = AudioLevel(rms: rms, peak: AudioLevel.level(peak), isVoice: port.voice.isVoice(rms: rms))
        if peak == 0 || (before == 0 && target == 0) { return (nil, level) }
        return (Contribution(frame: frame, gainBefore: before, gain: target), level)
    }

    /// The distinct results among `outputs`, limited, and each output's place among them.
    private mutating func distinct(
        _ outputs: [Hearing], _ places: [Int: Int], _ contributions: [Contribution?], _ count: Int
    ) -> (blocks: [[Float]], order: [Int]) {
        var known: [Hearing: Int] = Dictionary(minimumCapacity: outputs.count)
        var blocks: [[Float]] = []
        var used: [Hearing: Limiter] = [:]
        // Who stops sharing goes on from where the shared limiter stood.
        let shared = limiters[.everyone] ?? Limiter()
        lazy var total = contributions.reduce(into: [Float](repeating: 0, count: count * channels)) { sum, input in
            if let input { add(input, to: &sum) }
        }
        let order = outputs.map { output in
            let hearing = output.reduced(to: places)
            if let place = known[hearing] { return place }
            var block: [Float]
            switch hearing {
            case .everyone:
                block = total
            case .everyoneBut(let port):
                block = total
                if let place = places[port], let own = contributions[place] { add(own, to: &block, sign: -1) }
            case .only(let heard):
                block = [Float](repeating: 0, count: count * channels)
                for port in heard {
                    if let place = places[port], let input = contributions[place] { add(input, to: &block) }
                }
            }
            var limiter = limiters[hearing] ?? shared
            block.withUnsafeMutableBufferPointer { samples in
                let (_, peak) = Samples.measure(UnsafeBufferPointer(samples))
                limiter.process(samples, channels: channels, peak: peak)
            }
            used[hearing] = limiter
            known[hearing] = blocks.count
            blocks.append(block)
            return blocks.count - 1
        }
        limiters = used
        if used[.everyone] == nil { limiters[.everyone] = used.values.min { $0.isDeeper(than: $1) } }
        return (blocks, order)
    }

    /// Adds (or, with −1, takes away) an input.
    private func add(_ input: Contribution, to sum: inout [Float], sign: Float = 1) {
        let (from, to) = (input.gainBefore * sign, input.gain * sign)
        sum.withUnsafeMutableBufferPointer { sum in
            input.frame.samples.withUnsafeBufferPointer { samples in
                if input.frame.channels == channels, from == to {
                    Samples.add(samples, gain: to, to: sum)
                } else {
                    Samples.add(
                        samples, channels: input.frame.channels, from: from, to: to, sum: sum, sumChannels: channels)
                }
            }
        }
    }
}

extension Hearing {
    /// The same, told by those only who contribute (`places`): equal results become equal values.
    fileprivate func reduced(to places: [Int: Int]) -> Hearing {
        switch self {
        case .everyone: .everyone
        case .everyoneBut(let port): places[port] == nil ? .everyone : self
        case .only(let heard): .only(Set(heard).filter { places[$0] != nil }.sorted())
        }
    }
}

extension Samples {
    /// sum += samples × gain, both of the same shape.
    static func add(_ samples: UnsafeBufferPointer<Float>, gain: Float, to sum: UnsafeMutableBufferPointer<Float>) {
        precondition(samples.count == sum.count, "a sum has the length of its parts")
        guard let source = samples.baseAddress, let target = sum.baseAddress else { return }
        if gain == 1 {
            for index in 0..<samples.count { target[index] += source[index] }
        } else {
            for index in 0..<samples.count { target[index] += source[index] * gain }
        }
    }

    /// The general case: another number of channels, or a gain that moves in a straight line from `from`, which the
    /// sample before the block had, to `to` at the last sample.
    static func add(
        _ samples: UnsafeBufferPointer<Float>, channels: Int, from: Float, to: Float,
        sum: UnsafeMutableBufferPointer<Float>, sumChannels: Int
    ) {
        let count = samples.count / channels
        precondition(count * sumChannels == sum.count, "a sum has the length of its parts")
        guard let source = samples.baseAddress, let target = sum.baseAddress else { return }
        let step = (to - from) / Float(count)
        switch (channels, sumChannels) {
        case (1, 2):
            for index in 0..<count {
                let sample = source[index] * (from + step * Float(index + 1))
                target[2 * index] += sample
                target[2 * index + 1] += sample
            }
        case (2, 1):
            for index in 0..<count {
                let gain = from + step * Float(index + 1)
                target[index] += (source[2 * index] + source[2 * index + 1]) * 0.5 * gain
            }
        default:
            for index in 0..<samples.count {
                target[index] += source[index] * (from + step * Float(index / channels + 1))
            }
        }
    }
}
