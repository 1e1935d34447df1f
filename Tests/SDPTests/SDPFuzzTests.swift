import Core
import SDP
import Testing

/// The fuzz entry over fixtures and what becomes of them when bytes, lines and fields are moved about.
struct SDPFuzzTests {
    @Test("Fixtures pass", arguments: Fixture.names)
    func fixtures(_ name: String) throws { SDPFuzz.run(Array(try Fixture.text(name).utf8)) }

    @Test("Mutated fixtures pass", arguments: Fixture.names)
    func mutated(_ name: String) throws {
        let text = try Fixture.text(name)
        var random = SeededRandom(seed: name.utf8.reduce(0) { $0 &* 31 &+ UInt64($1) })
        for _ in 0..<3 { SDPFuzz.run(lines(text, &random)) }
        for _ in 0..<3 { SDPFuzz.run(bytes(text, &random)) }
    }

    private func lines(_ text: String, _ random: inout SeededRandom) -> [UInt8] {
        var lines = text.split(separator: "\r\n").map { String($0) }
        for _ in 0..<Int.random(in: 1...8, using: &random) {
            let (from, to) = (
                Int.random(in: 1..<lines.count, using: &random), Int.random(in: 1..<lines.count, using: &random)
            )
            switch Int.random(in: 0..<4, using: &random) {
            case 0: lines.remove(at: from)
            case 1: lines.swapAt(from, to)
            case 2: lines.insert(lines[from], at: to)
            default: lines[from] = lines[from].replacing("9", with: "\(Int.random(in: 0...300, using: &random))")
            }
            if lines.count < 3 { break }
        }
        return Array(lines.joined(separator: "\n").utf8)
    }

    private func bytes(_ text: String, _ random: inout SeededRandom) -> [UInt8] {
        var bytes = Array(text.utf8)
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            let place = Int.random(in: 4..<bytes.count, using: &random)
            bytes[place] =
                Array("\n\r =:;,/~*09aZ".utf8).randomElement(using: &random)
                ?? UInt8.random(in: 0...255, using: &random)
        }
        return bytes
    }
}
