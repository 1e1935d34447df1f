import Core
import Testing

@testable import Reactor

@Suite struct MDNSMessageTests {
    /// An answer with the question repeated, its name reached by a jump, an A and an AAAA record, and one more.
    static let answer: [UInt8] =
        [0, 1, 0x84, 0, 0, 1, 0, 3, 0, 0, 0, 0] + name + [0, 1, 0, 1]
        + [0xC0, 12, 0, 1, 0x80, 1, 0, 0, 0, 120, 0, 4, 10, 1, 2, 3]
        + [0xC0, 12, 0, 28, 0x80, 1, 0, 0, 0, 120, 0, 16, 0xFE, 0x80] + [UInt8](repeating: 0, count: 13) + [1]
        + [0xC0, 12, 0, 16, 0x80, 1, 0, 0, 0, 120, 0, 1, 0]
    private static let name: [UInt8] = [5] + Array("aBc-1".utf8) + [5] + Array("local".utf8) + [0]

    private func read(_ bytes: [UInt8]) throws(TruncatedError) -> [(name: String, ip: IPAddress)] {
        try MDNSMessage.addresses(in: bytes.span.bytes)
    }

    @Test func queries() {
        let lower: [UInt8] = [5] + Array("abc-1".utf8) + [5] + Array("local".utf8) + [0]
        let expected: [UInt8] = [0, 9, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0] + lower + [0, 1, 0, 1] + lower + [0, 28, 0, 1]
        #expect(MDNSMessage.query("aBc-1.local.", id: 9) == expected)
        #expect(MDNSMessage.query(String(repeating: "x", count: 64) + ".local", id: 9) == nil)
        #expect(MDNSMessage.isLocal("x.LOCAL.") && !MDNSMessage.isLocal("local") && !MDNSMessage.isLocal("x.locale"))
    }

    @Test func answers() throws {
        let found = try read(Self.answer)
        #expect(found.map(\.name) == ["abc-1.local", "abc-1.local"])
        #expect(found.map(\.ip.description) == ["10.1.2.3", "fe80::1"])
        let query = try #require(MDNSMessage.query("a.local", id: 1))
        #expect(try read(query).isEmpty)
    }

    @Test func damagedAnswersAreRefused() {
        for count in 0..<Self.answer.count - 1 {
            #expect(throws: TruncatedError.self) { try read(Array(Self.answer[..<count])) }
        }
        // A name that jumps to itself.
        let loop: [UInt8] = [0, 1, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]
        #expect(throws: TruncatedError.self) { try read(loop) }
        var random = SeededRandom(seed: 1)
        for _ in 0..<20_000 {
            var bytes = Self.answer
            for _ in 0..<3 {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8(truncatingIfNeeded: random.next())
            }
            _ = try? read(bytes)
        }
    }
}
