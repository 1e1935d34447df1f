import Core
import Glibc
import Media
import TestKit

/// Speech in files through encoder, line and receiver.
enum Speech {
    static func run(
        input: String, output: String, loss: Double, fec: Bool, jitter: Int, seed: UInt64
    ) throws {
        let samples = read(input)
        // A second of silence before and after, so that nothing of the speech is lost to beginning and end.
        let pause = [Float](repeating: 0, count: 48_000)
        let packets = try Session.opusPackets(
            pause + samples + pause,
            AudioSpecification(channels: 1, bitrate: 32_000, complexity: 9, fec: fec))
        var line = SoundLine()
        line.loss = loss
        line.jitter = .milliseconds(jitter)
        line.seed = seed
        let session = Session(packets, line, pulls: packets.count + 25)
        write(session.samples, output)
        let statistics = session.report.statistics
        print(
            cell(100 * Double(statistics.concealedSamples) / Double(session.samples.count), digits: 2),
            cell(Double(statistics.fecPacketsReceived - statistics.fecPacketsDiscarded), digits: 0),
            cell(session.delays.last ?? 0))
    }

    private static func read(_ path: String) -> [Float] {
        guard let file = fopen(path, "r") else { return [] }
        defer { fclose(file) }
        var samples: [Float] = []
        var buffer = [Int16](repeating: 0, count: 4096)
        while true {
            let count = fread(&buffer, 2, buffer.count, file)
            if count == 0 { return samples }
            samples += buffer[..<count].map { Float($0) / 32_768 }
        }
    }

    private static func write(_ samples: [Float], _ path: String) {
        guard let file = fopen(path, "w") else { return }
        defer { fclose(file) }
        let words = samples.map { Int16(max(-32_768, min(32_767, ($0 * 32_768).rounded()))) }
        fwrite(words, 2, words.count, file)
    }
}
