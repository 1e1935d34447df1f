import Elements
import Testing

@testable import Control

@Suite struct PacketMarkTests {
    @Test("Every name that clients know is a mark", arguments: ModelTypes.dscp.values)
    func named(_ name: String) throws {
        let mark = PacketMark.named(name)
        #expect((mark == nil) == (name == "NO_VALUE"))
        #expect((mark ?? 0) < 64)
    }

    @Test func ofTheRFCs() {
        let expected: [(String, UInt8)] = [
            ("CS0", 0), ("CS7", 56), ("AF11", 10), ("AF43", 38), ("EF", 46), ("VOICEADMIT", 44), ("LE", 1),
            ("AUDIO_HIGH", 46), ("VIDEO_HIGH_THROUGHPUT", 34), ("DATA_HIGH", 18), ("NO_DSCP", 0),
        ]
        for (name, mark) in expected { #expect(PacketMark.named(name) == mark, "\(name)") }
        for name in ["", "CS", "CS8", "AF44", "AF01", "AF1", "ef", "CS11"] { #expect(PacketMark.named(name) == nil) }
    }
}
