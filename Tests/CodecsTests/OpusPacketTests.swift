@testable import Codecs
import Core
import Media
import TestKit
import Testing

@Suite struct OpusPacketTests {
    private func packet(_ bytes: [UInt8]) -> OpusPacket? { bytes.withUnsafeBytes { OpusPacket($0) } }

    @Test func lengthsAreThoseOfTheTable() {
        // RFC 6716, table 2: configuration in the upper five bits.
        #expect(packet([0 << 3, 0])?.samples == 480)
        #expect(packet([3 << 3, 0])?.samples == 2880)
        #expect(packet([13 << 3, 0])?.samples == 960)
        #expect(packet([16 << 3, 0])?.samples == 120)
        #expect(packet([31 << 3, 0])?.samples == 960)
        #expect(packet([31 << 3 | 1, 0, 0])?.samples == 1920)
        #expect(packet([31 << 3 | 3, 6, 0])?.samples == 5760)
        #expect(packet([31 << 3 | 3, 7, 0]) == nil, "more than 120 ms")
        #expect(packet([31 << 3 | 3]) == nil)
        #expect(packet([]) == nil)
        #expect(packet([31 << 3 | 4, 0])?.isStereo == true)
    }

    @Test func redundancyIsSeen() {
        // SILK, 20 ms, mono: one voice flag, then the redundancy flag.
        #expect(packet([1 << 3, 0b0100_0000, 1])?.repairSamples == 960)
        #expect(packet([1 << 3, 0b1000_0000, 1])?.repairSamples == 0)
        // 60 ms: three voice flags.
        #expect(packet([3 << 3, 0b0001_0000, 1])?.repairSamples == 2880)
        // Stereo: the side channel has flags of its own.
        #expect(packet([1 << 3 | 4, 0b0001_0000, 1])?.repairSamples == 960)
        #expect(packet([31 << 3, 0xFF, 0xFF])?.repairSamples == 0, "CELT has none")
    }
}
