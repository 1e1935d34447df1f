import Core
import Media

/// Feeds bytes as packets of any order, time and content to a receiver with every kind of payload type; it must give
/// out whole blocks and never trap.
package enum SoundFuzz {
    package static func run(_ bytes: [UInt8]) {
        let receiver = AudioReceiver([
            0: .sound(AudioFormat(codec: .pcmu, sampleRate: 8000, channels: 1), clockRate: 8000),
            8: .sound(AudioFormat(codec: .pcma, sampleRate: 8000, channels: 2), clockRate: 8000),
            9: .sound(AudioFormat(codec: .g722, sampleRate: 16_000, channels: 1), clockRate: 8000),
            10: .sound(
                AudioFormat(codec: .pcm, sampleRate: 44_100, channels: 2, sampleLayout: "pcm_s16be"), clockRate: 44_100),
            13: .comfortNoise(clockRate: 8000),
            101: .telephoneEvent,
            111: .sound(AudioFormat(codec: .opus, sampleRate: 48_000, channels: 2), clockRate: 48_000),
        ])
        var now: Int64 = 0
        var place = 0
        func byte() -> UInt8 {
            defer { place += 1 }
            return place < bytes.count ? bytes[place] : 0
        }
        let types: [UInt8] = [0, 8, 9, 10, 13, 101, 111, 77]
        // Each round: a time step, a type, sequence and time stamp (small steps or anything), a payload, sometimes a pull.
        while place < bytes.count {
            let control = byte()
            var (sequence, timestamp) = (Int64(Int8(bitPattern: byte())), Int64(byte()) * 160)
            if control & 0x40 != 0 {
                sequence = (0..<8).reduce(0) { value, _ in value << 8 | Int64(byte()) }
                timestamp = (0..<8).reduce(0) { value, _ in value << 8 | Int64(byte()) }
            }
            let count = Int(byte())
            let payload = Payload((0..<count).map { _ in byte() })
            now += Int64(control & 0x0F) * 10_000_000
            receiver.insert(
                SoundPacket(
                    sequence: sequence, timestamp: timestamp, payload: payload, arrival: Instant(nanoseconds: now),
                    payloadType: types[Int(control >> 4) & 7 == 4 ? 6 : Int(control >> 4) & 7]))
            let block = receiver.pull(at: Instant(nanoseconds: now))
            precondition(block.sampleCount == AudioFrame.blockSamples, "a block is whole")
            precondition(block.samples.allSatisfy { $0.isFinite }, "a block can be mixed")
        }
    }
}
