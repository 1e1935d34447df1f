import Core
import Testing

@Suite struct PayloadTests {
    private struct Refused: Error {}

    @Test func bytesAndPadding() {
        let payload = Payload([1, 2, 3])
        #expect(payload.count == 3 && payload.bytes == [1, 2, 3])
        payload.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else {
                Issue.record("no memory")
                return
            }
            let behind = UnsafeRawBufferPointer(start: base + 3, count: Payload.padding)
            #expect(behind.allSatisfy { $0 == 0 })
        }
        #expect(Payload([]).bytes.isEmpty)
    }

    @Test func filledOrRefused() throws {
        #expect(Payload(count: 4) { $0[1] = 9 }.bytes == [0, 9, 0, 0], "zero before")
        #expect(throws: Refused.self) { try Payload(count: 4) { (_) throws(Refused) in throw Refused() } }
    }

    /// Readers on other threads let go of payloads while the ring looks for one to fill anew.
    @Test func aRingFillsWhatNobodyReadsAnyMore() async {
        let readers = (0..<3).map { _ in AsyncStream<Payload>.makeStream(bufferingPolicy: .bufferingNewest(16)) }
        await withTaskGroup(of: Int.self) { group in
            for (stream, _) in readers {
                group.addTask {
                    var torn = 0
                    for await payload in stream where Set(payload.bytes).count > 1 { torn += 1 }
                    return torn
                }
            }
            group.addTask {
                var ring = PayloadRing(bytesMax: 600, countMax: 32)
                for number in 0..<20_000 {
                    let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 100 + number % 500)
                    let payload = bytes.withUnsafeBytes { ring.copy($0) }
                    for (_, reader) in readers { reader.yield(payload) }
                    if number % 16 == 0 { await Task.yield() }
                }
                for (_, reader) in readers { reader.finish() }
                return 0
            }
            for await torn in group { #expect(torn == 0) }
        }
    }

    @Test func aRingUsesMemoryAgain() {
        var ring = PayloadRing(bytesMax: 8, countMax: 4)
        let copy = { (byte: UInt8) in [byte].withUnsafeBytes { ring.copy($0) } }
        let first = ObjectIdentifier(copy(1))
        #expect(ObjectIdentifier(copy(2)) == first, "nobody has it any more")
        let kept = copy(3)
        let others = (4..<10).map { copy($0) }
        #expect(kept.bytes == [3] && others.map(\.bytes) == (4..<10).map { [$0] })
    }
}
