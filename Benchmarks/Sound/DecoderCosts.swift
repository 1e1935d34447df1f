import COpus
import Codecs
import Core
import Media
import TestKit

/// The same packets through both of libopus's decoders, in turns within one run.
enum DecoderCosts {
    static func run() {
        print("microseconds of CPU per packet of 20 ms: median of 15 rounds in turns")
        print("stream                    multistream     plain     gain %   equal")
        for (name, channels, bitrate) in [
            ("mono 24 kbit/s", 1, 24_000), ("mono 64 kbit/s", 1, 64_000), ("stereo 96 kbit/s", 2, 96_000),
        ] {
            let tone = Tones.sine(440, level: 0.3, seconds: 20, channels: channels)
            guard
                let packets = try? Session.opusPackets(
                    tone, channels: channels, AudioSpecification(channels: channels, bitrate: bitrate))
            else { return }
            var (many, one): ([Double], [Double]) = ([], [])
            var equal = true
            for _ in 0..<15 {
                let first = multistream(packets, channels)
                let second = plain(packets, channels)
                many.append(first.time)
                one.append(second.time)
                equal = equal && first.sum == second.sum
            }
            let (a, b) = (many.sorted()[7], one.sorted()[7])
            print(
                name + String(repeating: " ", count: 24 - name.count) + cell(a, digits: 2, width: 13)
                    + cell(b, digits: 2, width: 10) + cell(100 * (a - b) / a, width: 11) + "   \(equal)")
        }
    }

    private static func multistream(_ packets: [SoundLine.Sent], _ channels: Int) -> (time: Double, sum: UInt32) {
        var result: Int32 = 0
        let mapping: [UInt8] = channels == 1 ? [0] : [0, 1]
        guard
            let decoder = opus_multistream_decoder_create(
                48_000, Int32(channels), 1, Int32(channels - 1), mapping, &result)
        else { return (0, 0) }
        defer { opus_multistream_decoder_destroy(decoder) }
        return measure(packets, channels) { opus_multistream_decode_float(decoder, $0, $1, $2, 960, 0) }
    }

    private static func plain(_ packets: [SoundLine.Sent], _ channels: Int) -> (time: Double, sum: UInt32) {
        var result: Int32 = 0
        guard let decoder = opus_decoder_create(48_000, Int32(channels), &result) else { return (0, 0) }
        defer { opus_decoder_destroy(decoder) }
        return measure(packets, channels) { opus_decode_float(decoder, $0, $1, $2, 960, 0) }
    }

    private static func measure(
        _ packets: [SoundLine.Sent], _ channels: Int,
        _ decode: (UnsafePointer<UInt8>?, Int32, UnsafeMutablePointer<Float>) -> Int32
    ) -> (time: Double, sum: UInt32) {
        let output = UnsafeMutablePointer<Float>.allocate(capacity: 5760 * channels)
        defer { output.deallocate() }
        var sum: UInt32 = 0
        let began = threadSeconds()
        for packet in packets {
            let count = packet.payload.withUnsafeBytes {
                decode($0.bindMemory(to: UInt8.self).baseAddress, Int32($0.count), output)
            }
            for index in 0..<(Int(count) * channels) { sum = sum &* 31 &+ output[index].bitPattern }
        }
        return ((threadSeconds() - began) * 1e6 / Double(packets.count), sum)
    }
}
