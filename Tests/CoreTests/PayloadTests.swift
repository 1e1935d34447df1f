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
}
