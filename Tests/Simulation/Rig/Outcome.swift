import Core
import Media
import TestKit

/// What came of one run.
package struct Outcome: Sendable {
    package var scenario: String
    package var seed: UInt64
    /// Seconds until both sides said that media may pass; nil: never.
    package var connectedAfter: Double?
    package var framesPerSecond = 0.0
    /// Longer than 200 ms, outside the time in which nothing can come.
    package var freezes = 0
    package var longestFreeze = 0.0
    package var recovery: Double?
    /// Share of the sound that was made up, 0…1.
    package var concealed = 0.0
    /// Seconds; over the settled part.
    package var queueDelayMost = 0.0
    package var queueDelay95 = 0.0
    /// Bits per second; the mean over the settled part.
    package var target = 0.0
    /// Why it failed; empty: it held.
    package var complaints: [String] = []
    /// Everything that was seen, as one number: two runs of a seed are equal.
    package var fingerprint = 0

    /// How the sender saw the line, every 50 ms.
    package var samples: [Sample] = []
    /// When pictures were shown, in seconds.
    package var shown: [Screen.Shown] = []
    /// What was heard of speech, in samples of 48 kHz from the media's begin.
    package var heard: [Float] = []

    package init(scenario: String, seed: UInt64) {
        self.scenario = scenario
        self.seed = seed
    }
}

/// The sender's line at one moment. Rates in bits per second.
package struct Sample: Sendable {
    /// Seconds since the media began.
    package var at: Double
    package var queueDelay: Double
    package var target: Int
    package var mediaTarget: Int
    package var delivered: Int
    package var lossBound: Int?
    package var inherentLoss: Double
    package var isDown: Bool
    /// Packets that wait at the sender.
    package var waiting: Int
}

/// Builds an outcome from what was recorded.
struct Judge {
    let scenario: Scenario
    let framesPerSecond: Double

    func judge(_ record: RunRecord, seed: UInt64) -> Outcome {
        var outcome = Outcome(scenario: scenario.name, seed: seed)
        outcome.connectedAfter = record.connectedAfter
        guard record.connectedAfter != nil else {
            outcome.complaints.append("the peers never connected")
            return outcome
        }
        let shown = record.screen.shown()
        let end = scenario.duration
        // While the line is down, and until it has recovered, nothing can be seen.
        var spans = [(Scenario.warmUp, end)]
        if let restored = scenario.restored, let broken = scenario.changes.first?.at {
            outcome.recovery = Screen.recovery(shown, from: restored, framesPerSecond: framesPerSecond)
            spans = [(Scenario.warmUp, broken)]
            if let recovery = outcome.recovery { spans.append((restored + recovery, end)) }
        }
        var pictures = 0.0
        for (from, to) in spans {
            let freezes = Screen.freezes(shown, from: from, to: to)
            outcome.freezes += freezes.count
            outcome.longestFreeze = max(outcome.longestFreeze, freezes.longest)
            pictures += Screen.rate(shown, from: from, to: to) * (to - from)
        }
        outcome.framesPerSecond = pictures / max(spans.reduce(0) { $0 + $1.1 - $1.0 }, 1e-9)
        outcome.concealed = record.concealedShare
        let settled = record.samples.filter { $0.at >= Scenario.settlingTime }
        let delays = settled.map(\.queueDelay).sorted()
        outcome.queueDelayMost = delays.last ?? 0
        outcome.queueDelay95 = delays.isEmpty ? 0 : delays[delays.count * 95 / 100]
        outcome.target = settled.reduce(0) { $0 + Double($1.target) } / Double(max(1, settled.count))
        outcome.samples = record.samples
        outcome.shown = shown
        outcome.heard = record.heard
        outcome.fingerprint = fingerprint(shown, outcome.target)
        complain(&outcome)
        return outcome
    }

    private func complain(_ outcome: inout Outcome) {
        let bounds = scenario.bounds
        func say(_ text: String) { outcome.complaints.append(text) }
        if let least = bounds.framesPerSecond, outcome.framesPerSecond < least {
            say("\(outcome.framesPerSecond) pictures per second instead of \(least)")
        }
        if let most = bounds.freeze, outcome.longestFreeze > most {
            say("a freeze of \(outcome.longestFreeze) s instead of \(most) s at most")
        }
        if let most = bounds.recovery, outcome.recovery.map({ $0 > most }) ?? true {
            say("moving again after \(outcome.recovery.map { "\($0) s" } ?? "never") instead of \(most) s")
        }
        if let share = bounds.settled, let rate = scenario.forward.bitsPerSecond,
            !share.contains(outcome.target / Double(rate))
        {
            say("the target settles at \(Int(outcome.target)) of \(rate) bit/s")
        }
        if let most = bounds.queueDelay, outcome.queueDelay95 > most {
            say("a queueing delay of \(outcome.queueDelay95) s instead of \(most) s")
        }
    }

    private func fingerprint(_ shown: [Screen.Shown], _ target: Double) -> Int {
        var hash: UInt64 = 14_695_981_039_346_656_037
        func mix(_ value: Double) { hash = (hash ^ value.bitPattern) &* 1_099_511_628_211 }
        for picture in shown {
            mix(Double(picture.counter))
            mix(picture.at)
        }
        mix(target)
        return Int(truncatingIfNeeded: hash)
    }
}

/// What a run wrote down. Filled by the one thread that runs the simulation.
final class RunRecord: @unchecked Sendable {
    // Sendable: touched only by the one thread that runs the simulation.
    var connectedAfter: Double?
    /// When the media began.
    var began: Instant?
    var screen = Screen()
    var samples: [Sample] = []
    var soundSamples = 0
    var concealedSamples = 0
    private(set) var heard: [Float] = []

    /// Writes a block down where it is heard; blocks of no media are silence.
    func hear(_ block: AudioFrame, at seconds: Double) {
        let start = max(0, Int((seconds * Double(AudioFrame.sampleRate)).rounded()))
        if heard.count < start { heard += [Float](repeating: 0, count: start - heard.count) }
        let channels = max(1, block.channels)
        for index in stride(from: 0, to: block.samples.count, by: channels) { heard.append(block.samples[index]) }
    }

    var concealedShare: Double { soundSamples == 0 ? 1 : Double(concealedSamples) / Double(soundSamples) }
}
