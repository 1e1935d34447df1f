import Core
import ICE
import Testing

/// A short run of what the fuzzers do all night: noise, and noise that looks like something.
struct ICEFuzzTests {
    private func noise(_ random: inout SeededRandom, _ range: ClosedRange<Int>) -> [UInt8] {
        (0..<Int.random(in: range, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
    }
    private func damaged(_ bytes: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
        var out = bytes
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            out[Int.random(in: 0..<out.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
        }
        return Array(out.prefix(Int.random(in: 0...out.count, using: &random)))
    }

    @Test func messages() {
        var random = SeededRandom(seed: 1)
        for _ in 0..<2000 {
            ICEFuzz.stun(damaged(STUNMessageTests.longTerm, &random))
            ICEFuzz.stun(damaged(STUNMessageTests.request, &random))
            ICEFuzz.stun([0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42] + noise(&random, 0...60))
        }
    }

    @Test func candidates() {
        var random = SeededRandom(seed: 2)
        let line = Array(
            "candidate:1 1 udp 1694498815 192.0.2.3 45664 typ srflx raddr 10.0.1.1 rport 8998 ufrag x".utf8)
        for _ in 0..<2000 { ICEFuzz.candidate(damaged(line, &random)) }
    }

    @Test func streams() {
        var random = SeededRandom(seed: 3)
        for _ in 0..<200 { ICEFuzz.framing(noise(&random, 0...600)) }
    }

    @Test func servers() {
        var random = SeededRandom(seed: 4)
        for _ in 0..<200 { ICEFuzz.turn(noise(&random, 0...400)) }
    }

    @Test("An agent whose peer does what it likes", arguments: 0..<200)
    func agents(_ seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        ICEFuzz.agent(noise(&random, 10...400))
    }
}
