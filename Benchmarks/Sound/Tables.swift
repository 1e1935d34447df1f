import Core
import Glibc
import Media
import TestKit

/// A tone over lines of every kind.
enum Tables {
    static func run() {
        print("A tone of 440 Hz, Opus 32 kbit/s mono with FEC, 60 s; delay beyond the fastest packet, ms")
        print(
            "line                          delay@10s  delay@60s   conceal%  events  stretched-  stretched+"
                + "  purity   worst1%  silence  fec used   CPU ms/s")
        let tone = Tones.sine(440, level: 0.3, seconds: 60)
        guard
            let packets = try? Session.opusPackets(
                tone, AudioSpecification(channels: 1, bitrate: 32_000, complexity: 5, fec: true))
        else { return }
        var lines: [(String, SoundLine)] = []
        for jitter in [0, 20, 60, 200] {
            for loss in [0.0, 0.02, 0.1, 0.2] {
                var line = SoundLine()
                line.jitter = .milliseconds(jitter)
                line.loss = loss
                lines.append(("jitter \(jitter) ms, loss \(Int(loss * 100)) %", line))
            }
        }
        var line = SoundLine()
        line.loss = 0.1
        line.burst = 4
        lines.append(("bursts of 4, loss 10 %", line))
        for drift in [-300.0, 300] {
            for jitter in [0, 20] {
                var line = SoundLine()
                line.driftPPM = drift
                line.jitter = .milliseconds(jitter)
                lines.append(("drift \(Int(drift)) ppm, jitter \(jitter) ms", line))
            }
        }
        for (name, line) in lines { row(name, packets, line) }
        let long = Tables.packets(of: .opus, seconds: 600)
        for drift in [-300.0, 300] {
            var line = SoundLine()
            line.driftPPM = drift
            line.jitter = .milliseconds(20)
            row("ten minutes, \(Int(drift)) ppm", long, line)
        }
        costs()
    }

    private static func packets(
        of codec: AudioCodec, seconds: Double, channels: Int = 1, level: Double = 0.3, dtx: Bool = false
    ) -> [SoundLine.Sent] {
        let tone = Tones.sine(440, level: level, seconds: seconds, channels: channels)
        var specification = AudioSpecification(codec: codec, channels: channels, bitrate: 32_000 * channels)
        specification.complexity = 3
        specification.dtx = dtx
        let type: UInt8 = codec == .opus ? Session.opus : 0
        return (try? Session.packets(tone, channels: channels, specification, type: type)) ?? []
    }

    /// What a receiver costs, decoding included, in thousandths of a core.
    private static func costs() {
        print("\nCPU of one receiver, ms per second of sound: median of 5 runs over 30 s, jitter 20 ms")
        var line = SoundLine()
        line.jitter = .milliseconds(20)
        var drifting = line
        drifting.driftPPM = 100
        let silent = packets(of: .opus, seconds: 30, level: 0, dtx: true)
        var quiet = 0
        let rare = silent.filter { packet in
            quiet += 1
            return packet.payload.count > 2 || quiet % 20 == 0
        }
        let rows: [(String, [SoundLine.Sent], SoundLine)] = [
            ("Opus mono", packets(of: .opus, seconds: 30), line),
            ("Opus mono, other clock", packets(of: .opus, seconds: 30), drifting),
            ("Opus stereo", packets(of: .opus, seconds: 30, channels: 2), line),
            ("PCMU", packets(of: .pcmu, seconds: 30), line),
            ("Opus, silence (DTX)", rare, line),
            ("nothing comes any more", Array(silent.prefix(10)), line),
        ]
        for (name, packets, line) in rows {
            let costs = (0..<5).map { _ in Session(packets, line, pulls: 1500).cost * 1000 }.sorted()
            print(name + String(repeating: " ", count: 28 - name.count) + cell(costs[2], digits: 3))
        }
    }

    static func row(_ name: String, _ packets: [SoundLine.Sent], _ line: SoundLine) {
        let session = Session(packets, line, pulls: packets.count)
        let statistics = session.report.statistics
        let purity = session.purity(frequency: 440)
        let share = 100 * Double(statistics.concealedSamples) / Double(packets.count * 960)
        print(
            name + String(repeating: " ", count: max(0, 28 - name.count)) + cell(session.delays[9], width: 11)
                + cell(session.delays.last ?? 0, width: 11) + cell(share, digits: 2, width: 11)
                + cell(Double(statistics.concealmentEvents), digits: 0, width: 8)
                + cell(Double(statistics.removedSamplesForAcceleration) / 48, width: 12)
                + cell(Double(statistics.insertedSamplesForDeceleration) / 48, width: 12)
                + cell(purity.median) + cell(purity.worst, width: 9)
                + cell(session.longestSilence(level: 0.3), width: 9)
                + cell(Double(statistics.fecPacketsReceived - statistics.fecPacketsDiscarded), digits: 0, width: 10)
                + cell(session.cost * 1000, digits: 2, width: 11) + "  drift \(Int(session.report.driftPPM.rounded()))")
    }
}
