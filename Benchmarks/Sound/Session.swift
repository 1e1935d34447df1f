import Codecs
import Core
import Glibc
import Media
import TestKit

func threadSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

func cell(_ value: Double, digits: Int = 1, width: Int = 9) -> String {
    let factor = pow(10, Double(digits))
    let scaled = Int((abs(value) * factor).rounded())
    var text = "\(scaled / Int(factor))"
    if digits > 0 {
        let rest = String(scaled % Int(factor))
        text += "." + String(repeating: "0", count: digits - rest.count) + rest
    }
    if value < 0, scaled > 0 { text = "-" + text }
    return String(repeating: " ", count: max(1, width - text.count)) + text
}

/// One sender, one line, one receiver, in virtual time.
struct Session {
    static let opus: UInt8 = 111
    static let formats: [UInt8: SoundPayloadFormat] = [
        opus: .sound(AudioFormat(codec: .opus, sampleRate: 48_000, channels: 2), clockRate: 48_000),
        0: .sound(AudioFormat(codec: .pcmu, sampleRate: 8000, channels: 1), clockRate: 8000),
    ]
    var samples: [Float] = []
    var report = SoundReport()
    /// Delay beyond the fastest packet, in milliseconds, at the end of each second.
    var delays: [Double] = []
    /// CPU per second of sound.
    var cost = 0.0

    static func opusPackets(
        _ samples: [Float], channels: Int = 1, _ specification: AudioSpecification
    ) throws -> [SoundLine.Sent] {
        try packets(samples, channels: channels, specification, type: opus)
    }

    static func packets(
        _ samples: [Float], channels: Int, _ specification: AudioSpecification, type: UInt8
    ) throws -> [SoundLine.Sent] {
        let encoder = try LibraryCodecs().audioEncoder(specification)
        try encoder.setExpectedLoss(specification.fec ? 10 : 0)
        let ticks: Int64 = type == opus ? 960 : 160
        var packets: [SoundLine.Sent] = []
        for block in Tones.blocks(samples, channels: channels) where block.sampleCount == 960 {
            for frame in try encoder.encode(block) {
                let index = Int64(packets.count)
                packets.append(
                    SoundLine.Sent(
                        time: MediaTime(samples: index * 960, rate: 48_000), timestamp: 5000 + index * ticks,
                        payloadType: type, payload: frame.payload))
            }
        }
        return packets
    }

    init(_ sent: [SoundLine.Sent], _ line: SoundLine, pulls: Int, phase: MediaTime = .milliseconds(7)) {
        let receiver = AudioReceiver(Session.formats)
        let arriving = line.carry(sent)
        var next = 0
        samples.reserveCapacity(pulls * 960)
        let began = threadSeconds()
        for index in 0..<pulls {
            let now = Instant(nanoseconds: 0) + phase + .milliseconds(20 * index)
            while next < arriving.count, arriving[next].arrival <= now {
                receiver.insert(arriving[next])
                next += 1
            }
            let block = receiver.pull(at: now)
            if block.channels == 1 {
                samples += block.samples
            } else {
                samples += Tones.channel(0, of: block.samples, channels: 2)
            }
            if index % 50 == 49 { delays.append(receiver.report.currentDelay.seconds * 1000) }
        }
        cost = (threadSeconds() - began) / (Double(pulls) / 50)
        report = receiver.report
    }

    /// Longest stretch, in milliseconds, that is 30 dB softer than `level` all along, from `start` seconds on.
    func longestSilence(level: Float, from start: Double = 1) -> Double {
        var (longest, run) = (0, 0)
        for sample in samples.dropFirst(Int(start * 48_000)) {
            run = sample.magnitude < level * 0.03 ? run + 1 : 0
            longest = max(longest, run)
        }
        return Double(longest) / 48
    }

    /// Signal over everything else, in dB, of a tone in stretches of 40 ms: the median and the worst hundredth.
    func purity(frequency: Double, from start: Double = 3) -> (median: Double, worst: Double) {
        var values: [Double] = []
        var place = Int(start * 48_000)
        while place + 1920 <= samples.count {
            values.append(Session.purity(samples[place..<(place + 1920)], frequency))
            place += 1920
        }
        values.sort()
        guard !values.isEmpty else { return (0, 0) }
        return (values[values.count / 2], values[values.count / 100])
    }

    /// Best over small shifts of the frequency: another clock is no impurity.
    private static func purity(_ samples: ArraySlice<Float>, _ frequency: Double) -> Double {
        var best = -100.0
        for step in -4...4 {
            let turn = 2 * Double.pi * frequency * (1 + Double(step) * 100e-6) / 48_000
            var (cc, ss, cs, xc, xs, power) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
            for (index, sample) in samples.enumerated() {
                let (c, s, x) = (cos(turn * Double(index)), sin(turn * Double(index)), Double(sample))
                cc += c * c
                ss += s * s
                cs += c * s
                xc += x * c
                xs += x * s
                power += x * x
            }
            let determinant = cc * ss - cs * cs
            let (a, b) = ((xc * ss - xs * cs) / determinant, (xs * cc - xc * cs) / determinant)
            let fitted = a * xc + b * xs
            best = max(best, 10 * log10(max(1e-12, fitted) / max(1e-12, power - fitted)))
        }
        return best
    }
}
